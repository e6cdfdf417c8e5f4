use super::*;
use serde_json::json;

#[derive(Default)]
struct Fixed {
    maps: BTreeMap<String, Arc<ConfigMap>>,
    secrets: BTreeMap<String, Arc<Secret>>,
}

impl References for Fixed {
    fn config_map(&self, name: &str) -> Option<Arc<ConfigMap>> {
        self.maps.get(name).cloned()
    }
    fn secret(&self, name: &str) -> Option<Arc<Secret>> {
        self.secrets.get(name).cloned()
    }
}

fn references() -> Fixed {
    let map: ConfigMap = serde_json::from_value(json!({"data": {"a": "1", "b": "2"}})).unwrap();
    let secret: Secret = serde_json::from_value(json!({"data": {"key": "c2VjcmV0"}})).unwrap();
    Fixed { maps: [("m".into(), Arc::new(map))].into(), secrets: [("s".into(), Arc::new(secret))].into() }
}

fn around() -> Surroundings {
    let services = [
        json!({"metadata": {"name": "kubernetes", "namespace": "default"},
            "spec": {"clusterIP": "10.96.0.1", "ports": [{"name": "https", "port": 443}]}}),
        json!({"metadata": {"name": "my-db", "namespace": "ns"},
            "spec": {"clusterIP": "10.96.0.9", "ports": [{"port": 5432}]}}),
        json!({"metadata": {"name": "headless", "namespace": "ns"},
            "spec": {"clusterIP": "None", "ports": [{"port": 1}]}}),
        json!({"metadata": {"name": "other", "namespace": "elsewhere"},
            "spec": {"clusterIP": "10.96.0.7", "ports": [{"port": 1}]}}),
    ];
    Surroundings {
        pod_ips: vec!["10.244.0.5".parse().unwrap()],
        host_ip: "192.0.2.1".into(),
        hostname: "p".into(),
        services: services.into_iter().map(|service| Arc::new(serde_json::from_value(service).unwrap())).collect(),
        allocatable: (2000, 1 << 30),
    }
}

fn pod(container: serde_json::Value) -> Pod {
    serde_json::from_value(json!({
        "metadata": {"name": "p", "namespace": "ns", "uid": "u", "labels": {"app": "x", "tier": "y"}},
        "spec": {"nodeName": "n1", "serviceAccountName": "default", "enableServiceLinks": false,
            "containers": [container]}
    }))
    .unwrap()
}

fn environment_of(container: serde_json::Value) -> Result<BTreeMap<String, String>, String> {
    let pod = pod(container);
    let container = pod.spec.as_ref().unwrap().containers[0].clone();
    environment(&pod, &container, &references(), &around()).map(|env| env.into_iter().collect())
}

#[track_caller]
fn check(env: serde_json::Value, name: &str, expected: Result<Option<&str>, &str>) {
    let found = environment_of(json!({"name": "c", "env": env}));
    let found = found.map(|env| env.get(name).cloned());
    assert_eq!(found.as_ref().map(Option::as_deref).map_err(String::as_str), expected);
}

#[test]
fn values_come_from_where_they_are_said_to() {
    let field = |path: &str| json!([{"name": "X", "valueFrom": {"fieldRef": {"fieldPath": path}}}]);
    check(field("metadata.name"), "X", Ok(Some("p")));
    check(field("metadata.namespace"), "X", Ok(Some("ns")));
    check(field("metadata.labels['app']"), "X", Ok(Some("x")));
    check(field("metadata.labels"), "X", Ok(Some("app=\"x\"\ntier=\"y\"")));
    check(field("spec.nodeName"), "X", Ok(Some("n1")));
    check(field("status.podIP"), "X", Ok(Some("10.244.0.5")));
    check(field("status.hostIP"), "X", Ok(Some("192.0.2.1")));
    check(field("spec.nonsense"), "X", Err("unsupported fieldPath: spec.nonsense"));
    let key = |kind: &str, name: &str, key: &str, optional: bool| json!([{"name": "X", "valueFrom": {kind: {"name": name, "key": key, "optional": optional}}}]);
    check(key("configMapKeyRef", "m", "a", false), "X", Ok(Some("1")));
    check(key("configMapKeyRef", "gone", "a", false), "X", Err("configmap \"gone\" not found"));
    check(key("configMapKeyRef", "gone", "a", true), "X", Ok(None));
    check(key("configMapKeyRef", "m", "z", false), "X", Err("couldn't find key z in ConfigMap ns/m"));
    check(key("secretKeyRef", "s", "key", false), "X", Ok(Some("secret")));
    check(key("secretKeyRef", "gone", "key", false), "X", Err("secret \"gone\" not found"));
}

#[test]
fn variables_are_expanded_from_those_before_them() {
    let env = json!([
        {"name": "A", "value": "1"},
        {"name": "B", "value": "$(A)-$(HOSTNAME)-$(UNKNOWN)-$$(A)-$x"},
        {"name": "C", "value": "$(D)"},
        {"name": "D", "value": "late"},
    ]);
    check(env.clone(), "B", Ok(Some("1-p-$(UNKNOWN)-$(A)-$x")));
    check(env, "C", Ok(Some("$(D)")));
}

#[test]
fn expansion_never_fails_on_odd_text() {
    for text in ["$", "$(", "$()", "$(a", "$$$", "é$(é)", ")$("] {
        expand(text, |_| Some("v".into()));
    }
    assert_eq!(expand("$$$(A)", |_| Some("v".into())), "$v");
}

#[test]
fn env_from_has_prefixes_and_loses_to_env() {
    let env = environment_of(json!({"name": "c",
        "envFrom": [{"prefix": "P_", "configMapRef": {"name": "m"}}, {"secretRef": {"name": "s"}},
            {"configMapRef": {"name": "gone", "optional": true}}],
        "env": [{"name": "P_a", "value": "own"}]}))
    .unwrap();
    assert_eq!((env["P_a"].as_str(), env["P_b"].as_str(), env["key"].as_str()), ("own", "2", "secret"));
    let gone = environment_of(json!({"name": "c", "envFrom": [{"secretRef": {"name": "gone"}}]}));
    assert_eq!(gone, Err("secret \"gone\" not found".into()));
}

#[test]
fn resources_are_divided_and_rounded_up() {
    let value = |resource: &str, divisor: &str| {
        let container = json!({"name": "c", "resources": {"limits": {"cpu": "250m", "memory": "65Mi"}},
            "env": [{"name": "X", "valueFrom": {"resourceFieldRef": {"resource": resource, "divisor": divisor}}}]});
        environment_of(container).unwrap()["X"].clone()
    };
    assert_eq!(value("limits.cpu", "0"), "1");
    assert_eq!(value("limits.cpu", "1m"), "250");
    assert_eq!(value("limits.memory", "1Mi"), "65");
    assert_eq!(value("requests.cpu", "1m"), "0");
}

#[test]
fn services_are_variables() {
    let variables = |links: bool| -> BTreeMap<String, String> {
        let mut pod = pod(json!({"name": "c"}));
        pod.spec.as_mut().unwrap().enable_service_links = Some(links);
        let container = pod.spec.as_ref().unwrap().containers[0].clone();
        environment(&pod, &container, &references(), &around()).unwrap().into_iter().collect()
    };
    let env = variables(true);
    assert_eq!(env["KUBERNETES_SERVICE_HOST"], "10.96.0.1");
    assert_eq!(env["KUBERNETES_SERVICE_PORT_HTTPS"], "443");
    assert_eq!(env["MY_DB_PORT_5432_TCP"], "tcp://10.96.0.9:5432");
    assert_eq!(env["MY_DB_PORT"], "tcp://10.96.0.9:5432");
    assert!(!env.keys().any(|name| name.starts_with("HEADLESS") || name.starts_with("OTHER")));
    let env = variables(false);
    assert_eq!(env["KUBERNETES_SERVICE_PORT"], "443");
    assert!(!env.contains_key("MY_DB_PORT"));
}
