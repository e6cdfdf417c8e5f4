use super::*;
use serde_json::json;

#[test]
fn everything_that_a_pod_names_is_found() {
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": "p", "namespace": "ns", "uid": "u"},
        "spec": {
            "imagePullSecrets": [{"name": "pull"}],
            "initContainers": [{"name": "i", "envFrom": [{"configMapRef": {"name": "init"}}]}],
            "containers": [{"name": "c", "envFrom": [{"secretRef": {"name": "all"}}], "env": [
                {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "k"}}},
                {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}],
            "volumes": [
                {"name": "a", "configMap": {"name": "vm"}},
                {"name": "b", "secret": {"secretName": "vs"}},
                {"name": "c", "projected": {"sources": [
                    {"configMap": {"name": "kube-root-ca.crt"}}, {"secret": {"name": "ps"}}]}}]
        }
    }))
    .unwrap();
    let named: Vec<String> = named_by(&pod).into_iter().map(|(kind, name)| format!("{kind:?} {name}")).collect();
    assert_eq!(
        named.join(", "),
        "ConfigMap init, ConfigMap kube-root-ca.crt, ConfigMap m, ConfigMap vm, Secret all, Secret ps, Secret pull, \
         Secret s, Secret vs"
    );
}
