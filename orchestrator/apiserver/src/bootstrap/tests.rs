use super::*;
use crate::auth::tests::world::World;
use std::collections::HashSet;
use std::sync::Mutex;

/// A cluster whose API is reached at 10.0.0.1:6443.
pub(crate) fn config() -> BootstrapConfig {
    BootstrapConfig {
        service_ip: [10, 96, 0, 1].into(),
        advertise_ip: [10, 0, 0, 1].into(),
        port: 6443,
        ca: "CA".into(),
        front_proxy_ca: "FRONT".into(),
    }
}

/// A store whose first writes can meet a conflict.
#[derive(Default)]
struct Store {
    world: World,
    conflicts: Mutex<usize>,
}

#[async_trait]
impl ObjectWriter for Store {
    fn serves(&self, _like: &Value) -> bool {
        true
    }

    async fn read(&self, like: &Value) -> Result<Option<Value>, ApiError> {
        Ok(self.world.like(like))
    }

    async fn write(&self, mut object: Value) -> Result<(), ApiError> {
        let mut conflicts = self.conflicts.lock().unwrap();
        if *conflicts > 0 {
            *conflicts -= 1;
            return Err(ApiError::modified("", "things", meta::name(&object)));
        }
        object["metadata"]["resourceVersion"] = json!("1");
        self.world.put(&object);
        Ok(())
    }
}

#[tokio::test]
async fn a_second_start_writes_nothing() {
    let store = Store::default();
    *store.conflicts.lock().unwrap() = 3;
    let all = objects(&config()).len();
    assert_eq!(reconcile(&store, &config()).await.unwrap(), all);
    assert_eq!(reconcile(&store, &config()).await.unwrap(), 0);
    let moved = BootstrapConfig { port: 7443, advertise_ip: [10, 0, 0, 2].into(), ..config() };
    assert_eq!(reconcile(&store, &moved).await.unwrap(), 3, "the API's Service, EndpointSlice and cluster-info follow");
    assert_eq!(reconcile(&store, &moved).await.unwrap(), 0);
    *store.conflicts.lock().unwrap() = 100;
    assert_eq!(reconcile(&store, &config()).await.unwrap_err().code, 409);
}

#[tokio::test]
async fn default_roles_are_repaired_and_additions_stay() {
    let store = Store::default();
    reconcile(&store, &config()).await.unwrap();
    let find = |kind: &str, name: &str| {
        let wanted = |object: &&Value| object["kind"] == kind && meta::name(object) == name;
        store.world.like(objects(&config()).iter().find(wanted).unwrap()).unwrap()
    };
    let own = json!({"verbs": ["get"], "apiGroups": ["example.com"], "resources": ["widgets"]});
    let mut view = find("ClusterRole", "system:aggregate-to-view");
    let count = view["rules"].as_array().unwrap().len();
    view["rules"] = json!([own, view["rules"][0]]);
    view["metadata"]["labels"]["mine"] = json!("1");
    store.world.put(&view);
    let mut binding = find("ClusterRoleBinding", "system:discovery");
    binding["subjects"] = json!([{"kind": "User", "name": "eve"}]);
    store.world.put(&binding);
    let mut kept = find("ClusterRole", "system:discovery");
    kept["rules"] = json!([]);
    kept["metadata"]["annotations"]["rbac.authorization.kubernetes.io/autoupdate"] = json!("false");
    store.world.put(&kept);
    assert_eq!(reconcile(&store, &config()).await.unwrap(), 2);
    let view = find("ClusterRole", "system:aggregate-to-view");
    assert_eq!((view["rules"][0].clone(), view["metadata"]["labels"]["mine"].clone()), (own, json!("1")));
    assert!(view["rules"].as_array().unwrap().len() > count);
    assert_eq!(find("ClusterRoleBinding", "system:discovery")["subjects"].as_array().unwrap().len(), 2);
    assert_eq!(find("ClusterRole", "system:discovery"), kept);
    assert_eq!(reconcile(&store, &config()).await.unwrap(), 0);
}

#[test]
fn names_are_unique_and_bindings_have_their_roles() {
    let all = objects(&config());
    let mut seen = HashSet::new();
    for object in &all {
        let key = (object["kind"].to_string(), meta::namespace(object).to_owned(), meta::name(object).to_owned());
        assert!(seen.insert(key), "{object}");
    }
    for binding in all.iter().filter(|object| object["roleRef"].is_object()) {
        let role = (binding["roleRef"]["kind"].to_string(), meta::namespace(binding).to_owned());
        assert!(seen.contains(&(role.0, role.1, binding["roleRef"]["name"].as_str().unwrap().to_owned())), "{binding}");
    }
}

#[test]
fn tables_hold_rules_of_known_verbs_and_served_or_older_groups() {
    const VERBS: &str =
        "* get list watch create update patch delete deletecollection approve sign impersonate escalate proxy";
    const GROUPS: &str = "* admissionregistration.k8s.io apps authentication.k8s.io authorization.k8s.io autoscaling batch \
                          certificates.k8s.io coordination.k8s.io custom.metrics.k8s.io discovery.k8s.io events.k8s.io \
                          extensions external.metrics.k8s.io metrics.k8s.io networking.k8s.io node.k8s.io policy \
                          rbac.authorization.k8s.io resource.k8s.io storage.k8s.io";
    let holds = |list: &str, word: &Value| list.split_whitespace().any(|one| word == one) || word == "";
    let all = objects(&config());
    let roles: Vec<&Value> = all.iter().filter(|object| object["rules"].is_array()).collect();
    for role in &roles {
        for rule in role["rules"].as_array().unwrap() {
            assert!(rule["verbs"].as_array().unwrap().iter().all(|verb| holds(VERBS, verb)), "{rule}");
            let groups = rule["apiGroups"].as_array();
            assert!(groups.into_iter().flatten().all(|group| holds(GROUPS, group)), "{rule}");
        }
    }
    let count = |kind: &str, start: &str| {
        let of_kind = roles.iter().filter(|role| role["kind"] == kind && meta::name(role).starts_with(start));
        of_kind.count()
    };
    assert_eq!((count("ClusterRole", "system:controller:"), count("ClusterRole", ""), count("Role", "")), (38, 69, 8));
}

#[test]
fn rules_say_what_their_line_says() {
    #[track_caller]
    fn check(text: &'static str, expected: Value) {
        assert_eq!(rules::rule(text), expected);
    }
    check("/a /b", json!({"verbs": ["get"], "nonResourceURLs": ["/a", "/b"]}));
    check(
        "get list | core apps | x y/z",
        json!({"verbs": ["get", "list"], "apiGroups": ["", "apps"], "resources": ["x", "y/z"]}),
    );
    check(
        "sign | a | b | c d",
        json!({"verbs": ["sign"], "apiGroups": ["a"], "resources": ["b"], "resourceNames": ["c", "d"]}),
    );
    check(
        "events",
        json!({"verbs": ["create", "patch", "update"], "apiGroups": ["", "events.k8s.io"], "resources": ["events"]}),
    );
}
