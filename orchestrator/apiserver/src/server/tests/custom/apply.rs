//! Server-side apply of custom resources, whose schemas say how lists and maps merge.

use super::*;

fn lists() -> Value {
    let mut version = version("v1", true);
    version["schema"]["openAPIV3Schema"] = json!({
        "type": "object", "properties": {
            "metadata": {"type": "object", "properties": {"name": {"type": "string", "pattern": "^[a-m]", "maxLength": 5}}},
            "spec": {"type": "object", "properties": {
                "ports": {
                    "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["port", "protocol"],
                    "items": {"type": "object", "required": ["port"], "properties": {
                        "port": {"type": "integer"}, "protocol": {"type": "string", "default": "TCP"},
                        "name": {"type": "string"},
                    }},
                },
                "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                "args": {"type": "array", "items": {"type": "string"}},
                "where": {"type": "object", "x-kubernetes-map-type": "atomic", "additionalProperties": {"type": "string"}},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                "replicas": {"type": "integer"}, "image": {"type": "string"},
            }},
        },
    });
    definition(json!([version]))
}

async fn apply(kit: &Kit, manager: &str, more: &str, spec: Value) -> (u16, Value) {
    let object =
        json!({"apiVersion": "stable.example.com/v1", "kind": "CronTab", "metadata": {"name": "a"}, "spec": spec});
    let path = format!("{CRONTABS}/a?fieldManager={manager}{more}");
    kit.send("PATCH", &path, &[("content-type", "application/apply-patch+yaml")], object).await
}

#[tokio::test]
async fn lists_and_maps_merge_as_the_schema_says() {
    let kit = kit().await;
    let (code, made) = kit.post(DEFINITIONS, lists()).await;
    assert_eq!(code, 201, "{made}");
    let one = json!({
        "ports": [{"port": 80}, {"port": 81, "protocol": "UDP"}], "tags": ["x", "y"], "args": ["1"],
        "where": {"zone": "a"}, "labels": {"l": "1"}, "free": {"deep": {"a": 1}},
    });
    assert_eq!(apply(&kit, "one", "", one.clone()).await.0, 201);
    let (code, again) = apply(&kit, "one", "", one).await;
    assert_eq!(code, 200);
    let other = json!({
        "ports": [{"port": 80, "protocol": "TCP", "name": "web"}], "tags": ["y", "z"], "labels": {"m": "2"},
        "free": {"deep": {"b": 2}},
    });
    let (code, both) = apply(&kit, "other", "", other).await;
    assert_eq!(code, 200, "{both}");
    assert_eq!(
        both["spec"],
        json!({
            "ports": [{"port": 80, "protocol": "TCP", "name": "web"}, {"port": 81, "protocol": "UDP"}],
            "tags": ["x", "y", "z"], "args": ["1"], "where": {"zone": "a"}, "labels": {"l": "1", "m": "2"},
            "free": {"deep": {"a": 1, "b": 2}},
        })
    );
    assert_eq!(again["spec"]["ports"], json!([{"port": 80, "protocol": "TCP"}, {"port": 81, "protocol": "UDP"}]));
    let fields = |manager: &str| {
        let entries = both["metadata"]["managedFields"].as_array().unwrap();
        entries.iter().find(|entry| entry["manager"] == manager).unwrap()["fieldsV1"]["f:spec"].clone()
    };
    assert_eq!(
        fields("other"),
        json!({
            "f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}, "f:protocol": {}, "f:name": {}}},
            "f:tags": {"v:\"y\"": {}, "v:\"z\"": {}}, "f:labels": {"f:m": {}}, "f:free": {"f:deep": {".": {}, "f:b": {}}},
        })
    );
    for (spec, conflict) in [
        (json!({"args": ["2"]}), ".spec.args"),
        (json!({"where": {"rack": "b"}}), ".spec.where"),
        (json!({"labels": {"l": "2"}}), ".spec.labels.l"),
        (json!({"free": {"deep": {"a": 3}}}), ".spec.free.deep.a"),
    ] {
        let refused = apply(&kit, "third", "", spec).await;
        check(&refused, 409, &format!("conflict with \"one\": {conflict}"));
    }
    let (code, forced) = apply(&kit, "third", "&force=true", json!({"where": {"rack": "b"}})).await;
    assert_eq!((code, &forced["spec"]["where"]), (200, &json!({"rack": "b"})));
    // What only its manager had goes with it.
    let (_, left) = apply(&kit, "one", "", json!({"tags": ["x"]})).await;
    assert_eq!(left["spec"]["ports"], json!([{"port": 80, "protocol": "TCP", "name": "web"}]));
    assert_eq!((&left["spec"]["tags"], left["spec"].get("args")), (&json!(["x", "y", "z"]), None));
    assert_eq!(left["spec"]["free"], json!({"deep": {"b": 2}}));
    let refused = apply(&kit, "one", "", json!({"tags": ["x", "x"]})).await;
    check(&refused, 400, "duplicate entries for key");
}

#[tokio::test]
async fn names_are_judged_by_the_schema_of_metadata() {
    let kit = kit().await;
    kit.post(DEFINITIONS, lists()).await;
    let named = |name: &str| json!({"metadata": {"name": name}, "spec": {}});
    assert_eq!(kit.post(CRONTABS, named("abc")).await.0, 201);
    let refused = kit.post(CRONTABS, named("xyz")).await;
    check(&refused, 422, "metadata.name: Invalid value: \"xyz\": metadata.name in body should match '^[a-m]'");
    check(&kit.post(CRONTABS, named("abcdef")).await, 422, "metadata.name: Too long: may not be more than 5 bytes");
}

#[tokio::test]
async fn owners_of_custom_resources_are_told_apart_in_their_own_version() {
    let kit = kit().await;
    let tags = |name: &str, type_: &str| {
        let mut version = version(name, name == "v1");
        let tags = json!({"type": "array", "x-kubernetes-list-type": type_, "items": {"type": "string"}});
        version["schema"]["openAPIV3Schema"] = json!({"type": "object", "properties": {
            "spec": {"type": "object", "properties": {"tags": tags, "image": {"type": "string"}}},
        }});
        for part in ["subresources", "selectableFields", "additionalPrinterColumns"] {
            version.as_object_mut().unwrap().remove(part);
        }
        version
    };
    let (code, made) = kit.post(DEFINITIONS, definition(json!([tags("v1", "set"), tags("v2", "atomic")]))).await;
    assert_eq!(code, 201, "{made}");
    let apply = async |version: &str, manager: &str, spec: Value| {
        let api_version = format!("stable.example.com/{version}");
        let object = json!({"apiVersion": api_version, "kind": "CronTab", "metadata": {"name": "a"}, "spec": spec});
        let path = format!("/apis/{api_version}/namespaces/default/crontabs/a?fieldManager={manager}");
        kit.send("PATCH", &path, &[("content-type", "application/apply-patch+yaml")], object).await
    };
    assert_eq!(apply("v1", "one", json!({"tags": ["x"], "image": "i"})).await.0, 201);
    check(&apply("v2", "two", json!({"image": "j"})).await, 409, "conflict with \"one\": .spec.image");
    let (code, replaced) = apply("v2", "two", json!({"tags": ["z"]})).await;
    assert_eq!(code, 200, "{replaced}");
    let fields = |object: &Value, manager: &str| {
        let entries = object["metadata"]["managedFields"].as_array().unwrap();
        entries.iter().find(|entry| entry["manager"] == manager).unwrap()["fieldsV1"]["f:spec"].clone()
    };
    assert_eq!(fields(&replaced, "one"), json!({"f:image": {}}));
    assert_eq!(fields(&replaced, "two"), json!({"f:tags": {}}));
    check(&apply("v1", "one", json!({"tags": ["y"], "image": "i"})).await, 409, "conflict with \"two\": .spec.tags");
}
