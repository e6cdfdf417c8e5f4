use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn range(text: &str) -> Ipam {
    Ipam::new(text.parse().unwrap()).unwrap()
}

#[test]
fn the_first_address_is_the_gateways_and_the_last_is_never_given() {
    let mut ipam = range("10.1.2.77/29");
    assert_eq!(ipam.gateway(), Ipv4Addr::new(10, 1, 2, 73));
    let given: Vec<u8> = (0..5).map(|n| ipam.attach(&format!("u{n}")).unwrap().octets()[3]).collect();
    assert_eq!(given, [74, 75, 76, 77, 78]);
    let error = ipam.attach("one-more").unwrap_err().to_string();
    assert_eq!(error, "no free address in 10.1.2.72/29: 5 Pods have one");
}

#[test]
fn a_freed_address_rests_until_all_others_were_used() {
    let mut ipam = range("10.0.0.0/29");
    let first = ipam.attach("a").unwrap();
    let second = ipam.attach("b").unwrap();
    ipam.release("b");
    ipam.release("a");
    let next: Vec<Ipv4Addr> = (0..5).map(|n| ipam.attach(&format!("n{n}")).unwrap()).collect();
    assert_eq!(&next[3..], [second, first]);
}

#[test]
fn a_full_range_takes_the_address_of_a_pod_that_did_not_come_back() {
    let mut ipam = range("10.0.0.0/30");
    let address = ipam.attach("old").unwrap();
    let mut again = Ipam::restore(ipam.state().clone(), "10.0.0.0/30".parse().unwrap()).unwrap();
    assert_eq!(again.attach("new").unwrap(), address);
    assert!(again.attach("old").is_err());
}

#[test]
fn unwanted_addresses_are_freed_but_not_those_in_use() {
    let mut ipam = range("10.0.0.0/24");
    for uid in ["a", "b", "c"] {
        ipam.attach(uid).unwrap();
    }
    let mut again = Ipam::restore(ipam.state().clone(), "10.0.0.0/24".parse().unwrap()).unwrap();
    again.attach("a").unwrap();
    again.release_unwanted(|uid| uid == "b");
    let kept: Vec<&String> = again.state().pods.keys().collect();
    assert_eq!(kept, ["a", "b"]);
}

#[test]
fn a_changed_range_forgets_what_is_outside() {
    let mut ipam = range("10.0.0.0/24");
    ipam.attach("a").unwrap();
    let mut again = Ipam::restore(ipam.state().clone(), "10.9.0.0/24".parse().unwrap()).unwrap();
    assert_eq!(again.attach("a").unwrap(), Ipv4Addr::new(10, 9, 0, 2));
}

#[test]
fn too_small_ranges_and_broken_files_are_refused() {
    assert!(matches!(Ipam::new("10.0.0.0/31".parse().unwrap()), Err(NetworkError::CidrTooSmall(_))));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    for text in
        ["", "{", r#"{"cidr":"10.0.0.0/24","fresh":"10.0.0.9","pods":{"a":"10.0.0.2","b":"10.0.0.2"},"freed":[]}"#]
    {
        fs::write(&path, text).unwrap();
        let error = Ipam::load(&path, "10.0.0.0/24".parse().unwrap()).unwrap_err().to_string();
        assert!(error.contains("state\" does not hold addresses of Pods"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Attach(u8),
    Release(u8),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0u8..20).prop_map(Step::Attach),
        3 => (0u8..20).prop_map(Step::Release),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 0..200)
}

proptest! {
    /// No two Pods share an address, a Pod keeps the one it has through restarts, and the range
    /// is exhausted exactly when every address has a running Pod.
    #[test]
    fn addresses_are_unique_stable_and_all_usable(steps in steps()) {
        let cidr: Ipv4Net = "10.0.0.0/28".parse().unwrap();
        let mut ipam = Ipam::new(cidr).unwrap();
        let mut model: BTreeMap<u8, Ipv4Addr> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Attach(n) => match ipam.attach(&n.to_string()) {
                    Ok(address) => {
                        prop_assert!(address > ipam.gateway() && address < cidr.broadcast() && cidr.contains(&address));
                        prop_assert_eq!(*model.entry(n).or_insert(address), address);
                    }
                    Err(_) => prop_assert_eq!(model.len(), 13),
                },
                Step::Release(n) => prop_assert_eq!(ipam.release(&n.to_string()), model.remove(&n)),
                Step::Restart => {
                    let bytes = serde_json::to_vec(ipam.state()).unwrap();
                    ipam = Ipam::restore(serde_json::from_slice(&bytes).unwrap(), cidr).unwrap();
                    for n in model.keys() {
                        ipam.attach(&n.to_string()).unwrap();
                    }
                }
            }
            let distinct: std::collections::HashSet<_> = model.values().collect();
            prop_assert_eq!(distinct.len(), model.len());
        }
    }
}
