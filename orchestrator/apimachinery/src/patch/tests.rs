use super::*;
use crate::limits::{JSON_PATCH_COPY_BYTES_MAX, JSON_PATCH_OPERATIONS_MAX};
use serde_json::json;

#[track_caller]
fn strategic(kind: &str, mut target: Value, patch: Value, expected: Value) {
    let schema = crate::schema::builtin(kind);
    strategic_merge(&schema, &mut target, &patch).unwrap();
    assert_eq!(target, expected);
}

const POD_SPEC: &str = "io.k8s.api.core.v1.PodSpec";
const DEPLOYMENT_SPEC: &str = "io.k8s.api.apps.v1.DeploymentSpec";

#[test]
fn lists_of_objects_merge_by_key() {
    strategic(
        POD_SPEC,
        json!({"containers": [{"name": "a", "image": "a:1", "env": [{"name": "X", "value": "1"}]}, {"name": "b"}]}),
        json!({"containers": [{"name": "a", "image": "a:2", "env": [{"name": "Y", "value": "2"}]}, {"name": "c"}]}),
        json!({"containers": [
            {"name": "a", "image": "a:2", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]},
            {"name": "b"}, {"name": "c"}]}),
    );
}

#[test]
fn elements_are_deleted_and_lists_replaced_by_directive() {
    strategic(
        POD_SPEC,
        json!({"containers": [{"name": "a"}, {"name": "b"}]}),
        json!({"containers": [{"$patch": "delete", "name": "a"}, {"$patch": "delete", "name": "gone"}]}),
        json!({"containers": [{"name": "b"}]}),
    );
    strategic(
        POD_SPEC,
        json!({"containers": [{"name": "a"}, {"name": "b"}]}),
        json!({"containers": [{"name": "c", "image": null}, {"$patch": "replace"}]}),
        json!({"containers": [{"name": "c"}]}),
    );
    strategic(
        POD_SPEC,
        json!({"securityContext": {"runAsUser": 1, "runAsGroup": 2}, "affinity": {"nodeAffinity": {}}}),
        json!({"securityContext": {"$patch": "replace", "runAsUser": 3}, "affinity": {"$patch": "delete"}}),
        json!({"securityContext": {"runAsUser": 3}, "affinity": {}}),
    );
}

#[test]
fn lists_without_a_strategy_are_replaced() {
    strategic(
        POD_SPEC,
        json!({"containers": [{"name": "a", "args": ["1", "2"]}], "tolerations": [{"key": "a"}]}),
        json!({"containers": [{"name": "a", "args": ["3"]}], "tolerations": [{"key": "b"}]}),
        json!({"containers": [{"name": "a", "args": ["3"]}], "tolerations": [{"key": "b"}]}),
    );
}

#[test]
fn nulls_delete_fields() {
    strategic(
        POD_SPEC,
        json!({"nodeName": "a", "nodeSelector": {"x": "1", "y": "2"}}),
        json!({"nodeName": null, "nodeSelector": {"x": null, "z": null}, "hostname": null}),
        json!({"nodeSelector": {"y": "2"}}),
    );
}

#[test]
fn lists_of_primitives_grow_and_shrink() {
    let meta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
    strategic(
        meta,
        json!({"finalizers": ["a", "b"]}),
        json!({"finalizers": ["b", "c"]}),
        json!({"finalizers": ["a", "b", "c"]}),
    );
    let patch = json!({"$deleteFromPrimitiveList/finalizers": ["a"], "$setElementOrder/finalizers": ["c", "b"], "finalizers": ["c"]});
    strategic(meta, json!({"finalizers": ["a", "b"]}), patch, json!({"finalizers": ["c", "b"]}));
    strategic(meta, json!({}), json!({"finalizers": ["a"]}), json!({"finalizers": ["a"]}));
}

#[test]
fn elements_take_the_order_that_the_client_names() {
    // As kubectl apply does when it adds a container before the one that is there.
    strategic(
        POD_SPEC,
        json!({"containers": [{"name": "a"}, {"name": "sidecar"}, {"name": "b"}]}),
        json!({"$setElementOrder/containers": [{"name": "c"}, {"name": "b"}, {"name": "a"}], "containers": [{"name": "c"}]}),
        json!({"containers": [{"name": "c"}, {"name": "sidecar"}, {"name": "b"}, {"name": "a"}]}),
    );
    strategic(
        POD_SPEC,
        json!({"containers": [{"name": "a"}, {"name": "b"}]}),
        json!({"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}),
        json!({"containers": [{"name": "b"}, {"name": "a"}]}),
    );
}

#[test]
fn unions_drop_what_is_not_retained() {
    strategic(
        DEPLOYMENT_SPEC,
        json!({"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}),
        json!({"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}),
        json!({"strategy": {"type": "Recreate"}}),
    );
    strategic(
        POD_SPEC,
        json!({"volumes": [{"name": "v", "emptyDir": {}}]}),
        json!({"volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}]}),
        json!({"volumes": [{"name": "v", "hostPath": {"path": "/x"}}]}),
    );
    let schema = crate::schema::builtin(DEPLOYMENT_SPEC);
    let patch = json!({"strategy": {"$retainKeys": ["type"], "rollingUpdate": {}}});
    assert_eq!(strategic_merge(&schema, &mut json!({"strategy": {}}), &patch).unwrap_err().code, 400);
}

#[test]
fn directives_never_reach_the_object() {
    strategic(
        POD_SPEC,
        json!({}),
        json!({"$setElementOrder/containers": [{"name": "a"}], "containers": [{"name": "a", "env": [{"name": "X"},
            {"name": "Y", "$patch": "delete"}], "$setElementOrder/env": [{"name": "X"}]}],
            "securityContext": {"$retainKeys": ["runAsUser"], "runAsUser": 1, "runAsGroup": null}}),
        json!({"containers": [{"name": "a", "env": [{"name": "X"}]}], "securityContext": {"runAsUser": 1}}),
    );
}

#[test]
fn ports_merge_by_their_number_and_selectors_may_be_replaced() {
    strategic(
        "io.k8s.api.core.v1.ServiceSpec",
        json!({"ports": [{"port": 80, "protocol": "TCP"}]}),
        json!({"ports": [{"port": 80, "name": "http"}, {"port": 443}]}),
        json!({"ports": [{"port": 80, "protocol": "TCP", "name": "http"}, {"port": 443}]}),
    );
    strategic(
        "io.k8s.api.policy.v1.PodDisruptionBudgetSpec",
        json!({"selector": {"matchLabels": {"a": "b"}}}),
        json!({"selector": {"matchLabels": {"c": "d"}}}),
        json!({"selector": {"matchLabels": {"c": "d"}}}),
    );
}

#[test]
fn bad_strategic_patches_are_refused() {
    let schema = crate::schema::builtin(POD_SPEC);
    for patch in [
        json!([]),
        json!({"containers": [{"image": "a"}]}),
        json!({"containers": ["a"]}),
        json!({"$patch": "burn"}),
        json!({"$patch": 1}),
        json!({"$retainKeys": 1}),
        json!({"$setElementOrder/containers": 1}),
        json!({"$deleteFromPrimitiveList/containers": 1}),
        json!({"containers": [{"name": "a", "$patch": "burn"}]}),
    ] {
        let error = strategic_merge(&schema, &mut json!({"containers": [{"name": "a"}]}), &patch)
            .expect_err(&patch.to_string());
        assert_eq!(error.code, 400);
    }
}

#[test]
fn merge_patch_follows_its_rfc() {
    for (target, patch, expected) in [
        (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
        (json!({"a": "b"}), json!({"a": null}), json!({})),
        (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
        (json!({"a": [1]}), json!({"a": [2, null]}), json!({"a": [2, null]})),
        (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        (json!([1]), json!({"a": "b"}), json!({"a": "b"})),
    ] {
        let mut patched = target;
        merge_patch(&mut patched, &patch);
        assert_eq!(patched, expected);
    }
}

#[track_caller]
fn json_patch_fails(patch: Value, code: u16) -> String {
    let mut target = json!({"a": {"b": [1]}});
    let error = json_patch(&mut target, &patch).unwrap_err();
    assert_eq!((error.code, &target), (code, &json!({"a": {"b": [1]}})), "{}", error.message);
    error.message
}

#[test]
fn json_patch_works_and_fails_whole() {
    let mut target = json!({"a": {"b": [1]}});
    let patch = json!([{"op": "test", "path": "/a/b/0", "value": 1}, {"op": "add", "path": "/a/b/-", "value": 2},
        {"op": "copy", "from": "/a/b", "path": "/c"}, {"op": "remove", "path": "/a/b/0"}, {"op": "replace", "path": "/c/1", "value": 3}]);
    json_patch(&mut target, &patch).unwrap();
    assert_eq!(target, json!({"a": {"b": [2]}, "c": [1, 3]}));

    let failed = json_patch_fails(
        json!([{"op": "remove", "path": "/a/b/0"}, {"op": "test", "path": "/a/b", "value": [1]}]),
        422,
    );
    expect_test::expect!["the server rejected our request due to an error in our request: value did not match (/a/b)"]
        .assert_eq(&failed);
    json_patch_fails(json!([{"op": "remove", "path": "/x"}]), 422);
    json_patch_fails(json!([{"op": "burn", "path": "/a"}]), 400);
    json_patch_fails(json!({}), 400);
    let operation = json!({"op": "test", "path": "/a/b/0", "value": 1});
    json_patch_fails(Value::Array(vec![operation; JSON_PATCH_OPERATIONS_MAX + 1]), 413);
}

#[test]
fn json_patch_neither_doubles_nor_nests_without_end() {
    let copy = json!({"op": "copy", "from": "/a", "path": "/b"});
    let mut target = json!({"a": "x".repeat(JSON_PATCH_COPY_BYTES_MAX / 4)});
    assert_eq!(json_patch(&mut target, &Value::Array(vec![copy.clone(); 3])), Ok(()));
    assert_eq!(json_patch(&mut target, &Value::Array(vec![copy; 5])).unwrap_err().code, 413);
    let nest = |level: usize| json!({"op": "add", "path": "/a".repeat(level), "value": {}});
    let operations = (1..300).map(nest).collect();
    assert_eq!(json_patch(&mut json!({}), &Value::Array(operations)).unwrap_err().code, 422);
}

#[test]
fn content_types_name_patches() {
    assert_eq!(PatchType::from_content_type(Some("application/merge-patch+json; charset=utf-8")), Ok(PatchType::Merge));
    assert_eq!(PatchType::from_content_type(Some("application/json-patch+json")), Ok(PatchType::Json));
    assert_eq!(PatchType::from_content_type(Some("application/strategic-merge-patch+json")), Ok(PatchType::Strategic));
    for other in [None, Some("application/json"), Some("application/apply-patch+yaml")] {
        assert_eq!(PatchType::from_content_type(other).unwrap_err().code, 415);
    }
}

#[test]
fn arbitrary_bytes_do_no_harm() {
    let seeds = [
        r#"{"spec":{"template":{"spec":{"containers":[{"name":"b","$patch":"delete"}],"$setElementOrder/containers":[{"name":1}]}}}}"#,
        r#"[{"op":"move","from":"/spec","path":"/spec/x"},{"op":"copy","from":"","path":"/a"}]"#,
        r#"{"metadata":{"finalizers":["z"],"$deleteFromPrimitiveList/finalizers":["x",{}],"$setElementOrder/finalizers":[[]]}}"#,
        r#"{"$retainKeys":[],"$patch":"merge"}"#,
        "[]",
        "null",
    ];
    for seed in seeds {
        fuzz(seed.as_bytes());
        for at in 0..seed.len() {
            for byte in b"0[]{}\"$" {
                let mut changed = seed.as_bytes().to_vec();
                changed[at] = *byte;
                fuzz(&changed);
            }
        }
    }
}
