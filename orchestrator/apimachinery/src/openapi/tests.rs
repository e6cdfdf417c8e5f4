use super::*;
use serde_json::Value;
use std::collections::BTreeSet;

fn read(path: &str) -> Value {
    serde_json::from_slice(&document(&Catalog::builtin(), path).unwrap()).unwrap()
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(name)) = fields.get("$ref") {
                found.insert(name.trim_start_matches("#/components/schemas/").to_owned());
            }
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn each_document_holds_all_that_it_refers_to() {
    let catalog = Catalog::builtin();
    let paths = group_version_paths(&catalog);
    assert!(paths.contains(&"api/v1".to_owned()) && paths.contains(&"apis/apps/v1".to_owned()), "{paths:?}");
    let mut hashes = BTreeSet::new();
    for path in &paths {
        let document = read(path);
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        for name in &found {
            assert!(document["components"]["schemas"][name].is_object(), "{path} lacks {name}");
        }
        assert!(hashes.insert(hash(&catalog, path)), "{path} has a hash of its own");
        assert_eq!(hash(&catalog, path), hash(&Catalog::builtin(), path));
    }
    assert!(document(&catalog, "apis/none/v1").is_none());
}

#[test]
fn kubectl_finds_in_the_document_what_it_looks_for() {
    let apps = read("apis/apps/v1");
    let patch = &apps["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"];
    let kind = json!({"group": "apps", "version": "v1", "kind": "Deployment"});
    assert_eq!(patch["x-kubernetes-group-version-kind"], kind);
    assert!(patch["requestBody"]["content"]["application/strategic-merge-patch+json"].is_object());
    let names: Vec<&str> =
        patch["parameters"].as_array().unwrap().iter().filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(names, ["dryRun", "fieldManager", "fieldValidation", "force"]);
    assert_eq!(apps["paths"]["/apis/apps/v1/deployments"]["get"]["x-kubernetes-group-version-kind"], kind);
    let schemas = &apps["components"]["schemas"];
    assert_eq!(schemas["io.k8s.api.apps.v1.Deployment"]["x-kubernetes-group-version-kind"], json!([kind]));
    let containers = &schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"];
    assert_eq!(containers["x-kubernetes-patch-merge-key"], "name");
    assert_eq!(containers["x-kubernetes-patch-strategy"], "merge");
    assert_eq!(containers["x-kubernetes-list-map-keys"], json!(["name"]));
    assert!(containers["description"].as_str().unwrap().starts_with("List of containers"));
    let pod = &schemas["io.k8s.api.core.v1.PodSpec"]["properties"];
    assert_eq!(pod["restartPolicy"]["enum"], json!(["Always", "Never", "OnFailure"]));
    assert_eq!(pod["nodeName"].get("enum"), None);
    let scale = &apps["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale"]["get"];
    assert_eq!(scale["x-kubernetes-group-version-kind"]["group"], "autoscaling");
    assert!(schemas["io.k8s.api.apps.v1.DeploymentList"].is_object());
}
