use super::*;
use expect_test::{Expect, expect};

#[track_caller]
fn check(object: Value, config: Value, expected: &Expect) {
    let schema = builtin("io.k8s.api.core.v1.Pod");
    let mut object = object;
    let text = match configure(&schema, &mut object, &config) {
        Ok(()) => serde_json::to_string(&object).unwrap(),
        Err(why) => why,
    };
    expected.assert_eq(&text);
}

fn pod() -> Value {
    json!({"spec": {"containers": [
        {"name": "a", "image": "i", "args": ["x"], "ports": [{"containerPort": 80, "protocol": "UDP"}]},
        {"name": "b", "image": "i"},
    ]}})
}

#[test]
fn lists_merge_by_their_keys() {
    let config = json!({"metadata": {"labels": {"l": "m"}}, "spec": {"containers": [
        {"name": "b", "env": [{"name": "E", "value": "1"}]},
        {"name": "a", "ports": [{"containerPort": 80, "name": "web"}]},
        {"name": "c", "image": "new"},
    ]}});
    check(
        pod(),
        config,
        &expect![[
            r#"{"metadata":{"labels":{"l":"m"}},"spec":{"containers":[{"env":[{"name":"E","value":"1"}],"image":"i","name":"b"},{"args":["x"],"image":"i","name":"a","ports":[{"containerPort":80,"protocol":"UDP"},{"containerPort":80,"name":"web"}]},{"image":"new","name":"c"}]}}"#
        ]],
    );
}

#[test]
fn what_would_be_replaced_as_a_whole_is_refused() {
    check(
        pod(),
        json!({"spec": {"containers": [{"name": "a", "args": ["y"]}]}}),
        &expect!["invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.containers[0].args"],
    );
    let keyed = json!({"spec": {"volumes": [{"name": "v", "configMap": {"name": "m", "items": [{"key": "k", "path": "p"}]}}], "nodeSelector": {"a": "b"}}});
    check(
        pod(),
        keyed,
        &expect![
            "invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.nodeSelector, .spec.volumes[0].configMap.items"
        ],
    );
}

#[test]
fn what_the_type_does_not_know_is_refused() {
    check(
        pod(),
        json!({"spec": {"wrong": 1}}),
        &expect!["failed to convert patch object to typed object: .spec.wrong: field not declared in schema"],
    );
    check(
        pod(),
        json!({"spec": {"containers": [{"image": "i"}]}}),
        &expect![[
            r#"failed to convert patch object to typed object: .spec.containers: element 0: associative list with keys has an element that omits all key fields ["name"] (and doesn't have default values for any key fields)"#
        ]],
    );
    check(
        pod(),
        json!({"spec": {"hostNetwork": "yes"}}),
        &expect![[
            r#"failed to convert patch object to typed object: .spec.hostNetwork: expected boolean, got string "yes""#
        ]],
    );
    check(pod(), json!("no"), &expect!["the configuration must be an object"]);
}
