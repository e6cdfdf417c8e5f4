use super::*;
use serde_json::json;

fn container(fields: serde_json::Value) -> Container {
    let mut all = json!({"name": "c"});
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    serde_json::from_value(all).unwrap()
}

#[test]
fn the_pull_policy_defaults_by_tag() {
    let none = container(json!({}));
    for (image, policy) in [
        ("a", "Always"),
        ("a:latest", "Always"),
        ("host:5000/a", "Always"),
        ("host:5000/a:v1", "IfNotPresent"),
        ("a@sha256:0", "IfNotPresent"),
        ("file:///x/app.wasm", "IfNotPresent"),
    ] {
        assert_eq!(pull_policy(&none, image), policy, "{image}");
    }
    assert_eq!(pull_policy(&container(json!({"imagePullPolicy": "Never"})), "a"), "Never");
}

#[test]
fn http_handlers_answer_at_the_port_that_the_container_names() {
    for (ports, port) in [
        (json!([]), 8080),
        (json!([{"containerPort": 90}]), 90),
        (json!([{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 90}]), 90),
        (json!([{"containerPort": 90}, {"name": "http", "containerPort": 80}]), 80),
    ] {
        assert_eq!(http_port(&container(json!({"ports": ports}))), port);
    }
}

#[test]
fn limits_are_bytes_and_thousandths() {
    let limits_of = |amounts: serde_json::Value| limits(&container(json!({"resources": {"limits": amounts}}))).unwrap();
    assert_eq!(limits_of(json!({})), Limits::default());
    let both = limits_of(json!({"cpu": "250m", "memory": "64Mi"}));
    assert_eq!((both.cpu_millis_max, both.memory_bytes_max), (Some(250), Some(64 << 20)));
}
