use super::authorize::ask;
use super::world::{House, pod};
use crate::auth::{Attributes, restrict_node};
use crate::identity::Identity;
use serde_json::{Value, json};

fn node(name: &str) -> Identity {
    Identity::user(&format!("system:node:{name}"), &["system:nodes"])
}

fn house() -> House {
    let house = House::new();
    house.world.put(&pod("shop", "web", "n1", json!({
        "serviceAccountName": "web",
        "imagePullSecrets": [{"name": "pull"}],
        "containers": [{
            "name": "c",
            "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "env-key", "key": "k"}}}],
            "envFrom": [{"configMapRef": {"name": "env-all"}}],
        }],
        "initContainers": [{"name": "i", "envFrom": [{"secretRef": {"name": "init-all"}}]}],
        "volumes": [
            {"name": "a", "secret": {"secretName": "vol"}},
            {"name": "b", "configMap": {"name": "vol"}},
            {"name": "c", "projected": {"sources": [{"configMap": {"name": "kube-root-ca.crt"}}, {"secret": {"name": "proj"}}]}},
            {"name": "d", "persistentVolumeClaim": {"claimName": "data"}},
        ],
    })));
    house.world.put(&pod("shop", "db", "n2", json!({"volumes": [{"name": "a", "secret": {"secretName": "db"}}]})));
    let mut mirror =
        pod("shop", "mirror", "n1", json!({"volumes": [{"name": "a", "secret": {"secretName": "stolen"}}]}));
    mirror["metadata"]["annotations"]["kubernetes.io/config.mirror"] = json!("x");
    house.world.put(&mirror);
    house
}

#[tokio::test]
async fn a_node_reaches_what_belongs_to_it_and_its_pods() {
    let house = house();
    let table = [
        ("get core/secrets shop vol", true),
        ("get core/secrets shop env-key", true),
        ("get core/secrets shop init-all", true),
        ("get core/secrets shop pull", true),
        ("watch core/secrets shop proj", true),
        ("get core/configmaps shop vol", true),
        ("get core/configmaps shop env-all", true),
        ("list core/configmaps shop kube-root-ca.crt", true),
        ("get core/persistentvolumeclaims shop data", true),
        ("get core/secrets shop db", false),
        ("get core/secrets shop stolen", false),
        ("get core/secrets other vol", false),
        ("list core/secrets shop", false),
        ("list core/secrets", false),
        ("get core/secrets shop data", false),
        ("get core/configmaps shop pull", false),
        ("update core/secrets shop vol", false),
        ("delete core/configmaps shop vol", false),
        ("create core/serviceaccounts/token shop web", true),
        ("create core/serviceaccounts/token shop default", false),
        ("get core/serviceaccounts shop web", false),
        ("get core/pods shop web", true),
        ("get core/pods shop db", false),
        ("delete core/pods shop web", true),
        ("delete core/pods shop db", false),
        ("patch core/pods/status shop web", true),
        ("update core/pods/status shop db", false),
        ("update core/pods shop web", false),
        ("create core/pods/eviction shop web", true),
        ("create core/pods/eviction shop db", false),
        ("create core/pods/exec shop web", false),
        ("list core/pods", false),
        ("list core/pods shop", false),
        ("create core/nodes", true),
        ("get core/nodes - n1", true),
        ("patch core/nodes/status - n1", true),
        ("get core/nodes - n2", false),
        ("update core/nodes - n2", false),
        ("delete core/nodes - n1", false),
        ("list core/nodes", false),
        ("get core/nodes/proxy - n1", false),
        ("create coordination.k8s.io/leases kube-node-lease", true),
        ("update coordination.k8s.io/leases kube-node-lease n1", true),
        ("update coordination.k8s.io/leases kube-node-lease n2", false),
        ("get coordination.k8s.io/leases kube-system n1", false),
        ("create core/events shop", true),
        ("list core/services", true),
        ("watch discovery.k8s.io/endpointslices", true),
        ("list node.k8s.io/runtimeclasses", true),
        ("list apps/deployments", false),
        ("create core/services shop", false),
        ("create authorization.k8s.io/subjectaccessreviews", true),
    ];
    for (text, expected) in table {
        assert_eq!(house.rbac.decide(&node("n1"), &ask(text)).is_ok(), expected, "{text}");
    }
}

#[tokio::test]
async fn a_node_lists_pods_and_nodes_by_its_own_name() {
    let house = house();
    let may = |text: &str, selector: &str| {
        let what = Attributes { field_selector: selector.into(), ..ask(text) };
        house.rbac.decide(&node("n1"), &what).is_ok()
    };
    assert!(may("list core/pods", "spec.nodeName=n1"));
    assert!(may("watch core/pods", "status.phase!=Failed,spec.nodeName=n1"));
    assert!(!may("list core/pods", "spec.nodeName=n2"));
    assert!(!may("list core/pods", "spec.nodeName!=n1"));
    assert!(!may("list core/pods", "junk"));
    assert!(may("watch core/nodes", "metadata.name=n1"));
    assert!(!may("watch core/nodes", "metadata.name=n2"));
}

#[tokio::test]
async fn a_nodes_name_without_its_group_is_nobody() {
    let house = house();
    let plain = Identity::user("system:node:n1", &[]);
    let grouped = Identity::user("jane", &["system:nodes"]);
    let empty = Identity::user("system:node:", &["system:nodes"]);
    for who in [plain, grouped, empty] {
        assert!(house.rbac.decide(&who, &ask("get core/secrets shop vol")).is_err(), "{}", who.name);
    }
    let why = house.rbac.decide(&node("n1"), &ask("get core/secrets shop db")).unwrap_err();
    assert_eq!(why, "no relationship found between node 'n1' and this object");
}

#[tokio::test]
async fn every_pair_of_node_and_secret_equals_a_plain_search() {
    let house = House::new();
    let rng = runtime_base::Rng::seeded(11);
    let mut pods = Vec::new();
    for index in 0..60 {
        let secret = format!("s{}", rng.below(20));
        let node = format!("n{}", rng.below(12));
        let namespace = format!("ns{}", rng.below(3));
        let spec = json!({"volumes": [{"name": "v", "secret": {"secretName": secret}}]});
        house.world.put(&pod(&namespace, &format!("p{index}"), &node, spec));
        pods.push((namespace, node, secret));
    }
    for namespace in ["ns0", "ns1", "ns2"] {
        for node_index in 0..12 {
            for secret in 0..20 {
                let (name, secret) = (format!("n{node_index}"), format!("s{secret}"));
                let expected = pods.contains(&(namespace.into(), name.clone(), secret.clone()));
                let what = ask(&format!("get core/secrets {namespace} {secret}"));
                assert_eq!(house.rbac.decide(&node(&name), &what).is_ok(), expected, "{name} {namespace}/{secret}");
            }
        }
    }
}

#[tokio::test]
async fn what_a_node_writes_is_restricted() {
    let house = house();
    let world = &*house.world;
    let check = |text: &str, object: Option<Value>, old: Option<Value>| {
        restrict_node(&node("n1"), &ask(text), object.as_ref(), old.as_ref(), world).map_err(|error| error.message)
    };
    let me = |labels: Value, taints: Value| json!({"metadata": {"name": "n1", "labels": labels}, "spec": {"taints": taints}});
    let other = json!({"metadata": {"name": "n2"}});
    let plain = me(json!({}), json!([]));
    assert_eq!(check("create core/nodes", Some(plain.clone()), None), Ok(()));
    assert!(
        check("create core/nodes", Some(other.clone()), None)
            .unwrap_err()
            .contains("not allowed to modify node \"n2\"")
    );
    let zoned = me(json!({"topology.kubernetes.io/zone": "a", "x.node-restriction.kubernetes.io/y": "1"}), json!([]));
    assert!(
        check("update core/nodes - n1", Some(zoned.clone()), Some(plain.clone()))
            .unwrap_err()
            .contains("labels: x.node-restriction")
    );
    assert_eq!(check("update core/nodes - n1", Some(zoned.clone()), Some(zoned)), Ok(()));
    let tainted = me(json!({}), json!([{"key": "k", "effect": "NoSchedule"}]));
    assert_eq!(check("create core/nodes", Some(tainted.clone()), None), Ok(()), "a new node brings its taints");
    assert!(check("patch core/nodes - n1", Some(plain), Some(tainted)).unwrap_err().contains("modify taints"));

    let mine = pod("shop", "web", "n1", json!({}));
    let theirs = pod("shop", "db", "n2", json!({}));
    assert!(
        check("create core/pods shop", Some(mine.clone()), None).unwrap_err().contains("can only create mirror pods")
    );
    assert_eq!(check("update core/pods/status shop web", Some(mine.clone()), Some(mine.clone())), Ok(()));
    assert!(check("update core/pods/status shop db", Some(theirs.clone()), Some(theirs.clone())).is_err());
    assert_eq!(check("delete core/pods shop web", None, Some(mine)), Ok(()));
    assert!(check("delete core/pods shop db", None, Some(theirs)).is_err());
    let lease = |name: &str| Some(json!({"metadata": {"name": name}}));
    assert_eq!(check("create coordination.k8s.io/leases kube-node-lease", lease("n1"), None), Ok(()));
    assert!(check("create coordination.k8s.io/leases kube-node-lease", lease("n2"), None).is_err());
    let token = |pod: &str, uid: &str| {
        Some(json!({"spec": {"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": pod, "uid": uid}}}))
    };
    let ask_token = "create core/serviceaccounts/token shop web";
    assert_eq!(check(ask_token, token("web", "uid-web"), None), Ok(()));
    assert!(check(ask_token, token("web", ""), None).is_err());
    assert!(check(ask_token, token("db", "uid-db"), None).unwrap_err().contains("scheduled on a different node"));
    assert!(check(ask_token, Some(json!({"spec": {}})), None).unwrap_err().contains("not bound to a pod"));
    let jane = Identity::user("jane", &[]);
    assert!(restrict_node(&jane, &ask("create core/nodes"), Some(&other), None, world).is_ok());
}

#[test]
fn a_node_labels_itself_only_with_what_a_kubelet_finds_out() {
    let house = house();
    let what =
        Attributes { verb: "patch".into(), resource: "nodes".into(), name: "n1".into(), ..Attributes::default() };
    for (key, allowed) in [
        ("mine", true),
        ("example.com/mine", true),
        ("kubernetes.io/hostname", true),
        ("topology.kubernetes.io/zone", true),
        ("kubelet.kubernetes.io/x", true),
        ("x.node.kubernetes.io/y", true),
        ("node-role.kubernetes.io/control-plane", false),
        ("kubernetes.io/x", false),
        ("x.k8s.io/y", false),
        ("node-restriction.kubernetes.io/x", false),
    ] {
        let new = json!({"metadata": {"name": "n1", "labels": {key: "v"}}});
        let old = json!({"metadata": {"name": "n1"}});
        let refused = restrict_node(&node("n1"), &what, Some(&new), Some(&old), &*house.world).is_err();
        assert_eq!(!refused, allowed, "{key}");
    }
}
