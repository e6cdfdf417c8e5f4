//! Custom resources through the request path.

use super::*;

mod apply;

pub(super) const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
pub(super) const CRONTABS: &str = "/apis/stable.example.com/v1/namespaces/default/crontabs";

fn spec_schema() -> Value {
    json!({
        "type": "object", "required": ["cronSpec"],
        "x-kubernetes-validations": [{"rule": "self.replicas <= self.maxReplicas", "message": "replicas are over maxReplicas"}],
        "properties": {
            "cronSpec": {"type": "string", "pattern": "^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$"},
            "image": {"type": "string"},
            "replicas": {"type": "integer", "minimum": 1, "default": 1},
            "maxReplicas": {"type": "integer", "default": 10},
        },
    })
}

pub(super) fn version(name: &str, storage: bool) -> Value {
    json!({
        "name": name, "served": true, "storage": storage,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {
            "spec": spec_schema(),
            "status": {"type": "object", "properties": {
                "replicas": {"type": "integer"}, "labelSelector": {"type": "string"},
            }},
        }}},
        "subresources": {"status": {}, "scale": {
            "specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.labelSelector",
        }},
        "selectableFields": [{"jsonPath": ".spec.image"}],
        "additionalPrinterColumns": [
            {"name": "Spec", "type": "string", "jsonPath": ".spec.cronSpec"},
            {"name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas"},
            {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        ],
    })
}

pub(super) fn definition(versions: Value) -> Value {
    json!({
        "metadata": {"name": "crontabs.stable.example.com"},
        "spec": {
            "group": "stable.example.com", "scope": "Namespaced",
            "names": {"plural": "crontabs", "kind": "CronTab", "shortNames": ["ct"], "categories": ["all"]},
            "versions": versions,
        },
    })
}

pub(super) fn crontab(name: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"cronSpec": "* * * * */5", "image": "cron"}})
}

async fn defined() -> Kit {
    let kit = kit().await;
    let (code, made) = kit.post(DEFINITIONS, definition(json!([version("v1", true)]))).await;
    assert_eq!(code, 201, "{made}");
    kit
}

#[tokio::test]
async fn a_defined_resource_is_served_at_once() {
    let kit = defined().await;
    let (_, made) = kit.get(&format!("{DEFINITIONS}/crontabs.stable.example.com")).await;
    let conditions: Vec<String> = made["status"]["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| format!("{}={}", one["type"].as_str().unwrap(), one["status"].as_str().unwrap()))
        .collect();
    assert_eq!(conditions, ["NamesAccepted=True", "Established=True"]);
    assert_eq!(made["status"]["storedVersions"], json!(["v1"]));
    assert_eq!(made["status"]["acceptedNames"]["singular"], "crontab");
    let (code, made) = kit.post(CRONTABS, crontab("a")).await;
    assert_eq!(code, 201, "{made}");
    assert_eq!(made["apiVersion"], "stable.example.com/v1");
    assert_eq!(made["metadata"]["generation"], 1);
    assert_eq!(made["spec"]["replicas"], 1);
    let (_, list) = kit.get(CRONTABS).await;
    assert_eq!((&list["kind"], &list["items"][0]["metadata"]["name"]), (&json!("CronTabList"), &json!("a")));
    let (_, resources) = kit.get("/apis/stable.example.com/v1").await;
    let names: Vec<&str> =
        resources["resources"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["crontabs", "crontabs/status", "crontabs/scale"]);
    let (code, document) = kit.get("/openapi/v3/apis/stable.example.com/v1").await;
    assert_eq!(code, 200);
    let schema = &document["components"]["schemas"]["com.example.stable.v1.CronTab"];
    assert_eq!(schema["properties"]["spec"]["properties"]["image"]["type"], "string");
    assert!(schema["properties"]["metadata"]["allOf"].is_array());
    let (_, table) =
        kit.send("GET", CRONTABS, &[("accept", "application/json;as=Table;v=v1;g=meta.k8s.io")], Value::Null).await;
    assert_eq!(table["rows"][0]["cells"], json!(["a", "* * * * */5", 1, "0s"]));
    let (_, selected) = kit.get(&format!("{CRONTABS}?fieldSelector=spec.image%3Dother")).await;
    assert_eq!(selected["items"], json!([]));
}

#[tokio::test]
async fn schemas_and_rules_hold() {
    let kit = defined().await;
    let with = |change: fn(&mut Value)| {
        let mut object = crontab("a");
        change(&mut object);
        object
    };
    let refused = kit.post(CRONTABS, with(|object| object["spec"]["replicas"] = json!(0))).await;
    let words = "CronTab.stable.example.com \"a\" is invalid: spec.replicas: Invalid value: 0: spec.replicas in body should \
                 be greater than or equal to 1";
    check(&refused, 422, words);
    let refused = kit.post(CRONTABS, with(|object| object["spec"]["replicas"] = json!("x"))).await;
    check(&refused, 422, "spec.replicas in body must be of type integer: \"string\"");
    let refused = kit.post(CRONTABS, with(|object| object["spec"]["replicas"] = json!(11))).await;
    check(&refused, 422, "spec: Invalid value: \"object\": replicas are over maxReplicas");
    let unknown = || with(|object| object["spec"]["other"] = json!(1));
    let refused = kit.post(&format!("{CRONTABS}?fieldValidation=Strict"), unknown()).await;
    check(&refused, 400, "strict decoding error: unknown field \"spec.other\"");
    let (code, made) = kit.post(CRONTABS, unknown()).await;
    assert_eq!((code, made["spec"].get("other")), (201, None));
    let strategic = kit.patch(&format!("{CRONTABS}/a"), "strategic-merge", json!({"spec": {"image": "x"}})).await;
    check(&strategic, 415, "application/merge-patch+json");
}

#[tokio::test]
async fn status_and_scale_are_parts() {
    let kit = defined().await;
    kit.post(CRONTABS, crontab("a")).await;
    let path = format!("{CRONTABS}/a");
    let (_, changed) = kit.patch(&path, "merge", json!({"spec": {"image": "x"}, "status": {"replicas": 9}})).await;
    assert_eq!((&changed["metadata"]["generation"], changed.get("status")), (&json!(2), None));
    let status = json!({"spec": {"image": "y"}, "status": {"replicas": 3, "labelSelector": "a=b"}});
    let (code, changed) = kit.patch(&format!("{path}/status"), "merge", status).await;
    assert_eq!((code, &changed["spec"]["image"], &changed["status"]["replicas"]), (200, &json!("x"), &json!(3)));
    let (_, scale) = kit.get(&format!("{path}/scale")).await;
    assert_eq!(scale["spec"], json!({"replicas": 1}));
    assert_eq!(scale["status"], json!({"replicas": 3, "selector": "a=b"}));
    let (code, scale) = kit.patch(&format!("{path}/scale"), "merge", json!({"spec": {"replicas": 4}})).await;
    assert_eq!((code, &scale["spec"]["replicas"]), (200, &json!(4)), "{scale}");
    assert_eq!(kit.get(&path).await.1["spec"]["replicas"], 4);
}

#[tokio::test]
async fn an_object_is_shown_in_each_version() {
    let kit = kit().await;
    let both = definition(json!([version("v1beta1", false), version("v1", true)]));
    let (code, made) = kit.post(DEFINITIONS, both).await;
    assert_eq!(code, 201, "{made}");
    let old = "/apis/stable.example.com/v1beta1/namespaces/default/crontabs";
    let (code, made) = kit.post(old, crontab("a")).await;
    assert_eq!((code, &made["apiVersion"]), (201, &json!("stable.example.com/v1beta1")));
    assert_eq!(kit.get(&format!("{CRONTABS}/a")).await.1["apiVersion"], "stable.example.com/v1");
    assert_eq!(kit.get(&format!("{old}/a")).await.1["apiVersion"], "stable.example.com/v1beta1");
    let revision = made["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    let mut watch = kit.watch(&format!("{old}?watch=1&resourceVersion={revision}")).await;
    kit.patch(&format!("{CRONTABS}/a"), "merge", json!({"spec": {"image": "x"}})).await;
    let event = watch.next().await.unwrap();
    assert_eq!(
        (&event["type"], &event["object"]["apiVersion"]),
        (&json!("MODIFIED"), &json!("stable.example.com/v1beta1"))
    );
    kit.delete(&format!("{CRONTABS}/a"), Value::Null).await;
    let event = watch.next().await.unwrap();
    assert_eq!(
        (&event["type"], &event["object"]["apiVersion"]),
        (&json!("DELETED"), &json!("stable.example.com/v1beta1"))
    );
    let (_, group) = kit.get("/apis/stable.example.com").await;
    assert_eq!(group["preferredVersion"]["version"], "v1");
}

#[tokio::test]
async fn a_deleted_definition_takes_its_objects_along() {
    let kit = defined().await;
    kit.post(CRONTABS, crontab("a")).await;
    let mut held = crontab("b");
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    kit.post(CRONTABS, held).await;
    let mut watch = kit.watch(&format!("{CRONTABS}?watch=1")).await;
    let path = format!("{DEFINITIONS}/crontabs.stable.example.com");
    let (code, marked) = kit.delete(&path, Value::Null).await;
    assert_eq!(
        (code, &marked["metadata"]["finalizers"]),
        (200, &json!(["customresourcecleanup.apiextensions.k8s.io"]))
    );
    let refused = kit.post(CRONTABS, crontab("c")).await;
    check(&refused, 405, "create not allowed while custom resource definition is terminating");
    kit.patch(&format!("{CRONTABS}/b"), "merge", json!({"metadata": {"finalizers": null}})).await;
    while watch.next().await.is_some() {}
    check(&kit.get(&path).await, 404, "not found");
    check(&kit.get(CRONTABS).await, 404, "the server could not find the requested resource");
}

#[tokio::test]
async fn taken_names_are_refused_until_they_are_free() {
    let kit = defined().await;
    let mut other = definition(json!([version("v1", true)]));
    other["metadata"]["name"] = json!("others.stable.example.com");
    other["spec"]["names"] = json!({"plural": "others", "kind": "Other", "shortNames": ["ct"]});
    let (code, made) = kit.post(DEFINITIONS, other).await;
    assert_eq!(code, 201, "{made}");
    assert_eq!(made["status"]["conditions"][0]["reason"], "ShortNamesConflict");
    let others = "/apis/stable.example.com/v1/namespaces/default/others";
    check(&kit.get(others).await, 404, "the server could not find");
    let mut watch = kit
        .watch(&format!(
            "{DEFINITIONS}?watch=1&resourceVersion={}",
            made["metadata"]["resourceVersion"].as_str().unwrap()
        ))
        .await;
    kit.delete(&format!("{DEFINITIONS}/crontabs.stable.example.com"), Value::Null).await;
    loop {
        let event = watch.next().await.unwrap();
        let conditions = event["object"]["status"]["conditions"].as_array().unwrap();
        let accepted = conditions.iter().any(|one| one["type"] == "Established" && one["status"] == "True");
        if event["object"]["metadata"]["name"] == "others.stable.example.com" && accepted {
            break;
        }
    }
}

#[tokio::test]
async fn a_new_server_serves_what_an_old_one_defined() {
    let kit = defined().await;
    kit.post(CRONTABS, crontab("a")).await;
    let clock = Clock::simulated(SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000));
    let again = kit_over(kit.store.clone(), clock).await;
    assert_eq!(again.get(&format!("{CRONTABS}/a")).await.0, 200);
}

#[tokio::test]
async fn changed_schemas_hold_at_once() {
    let kit = defined().await;
    kit.post(CRONTABS, crontab("a")).await;
    let path = format!("{DEFINITIONS}/crontabs.stable.example.com");
    let (_, mut current) = kit.get(&path).await;
    let properties =
        &mut current["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"];
    properties["zone"] = json!({"type": "string", "default": "UTC"});
    let (code, changed) = kit.put(&path, current).await;
    assert_eq!(code, 200, "{changed}");
    // Defaults reach objects that are stored without them.
    assert_eq!(kit.get(&format!("{CRONTABS}/a")).await.1["spec"]["zone"], "UTC");
    assert_eq!(kit.get(CRONTABS).await.1["items"][0]["spec"]["zone"], "UTC");
}
