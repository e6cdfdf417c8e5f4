use super::wire::Message;
use super::*;

#[test]
fn lengths_and_tags_nest() {
    let inner = Message::default().text(1, &json!("ab"));
    assert_eq!(Message::default().message(13, &inner).0, [13 << 3 | 2, 4, 1 << 3 | 2, 2, b'a', b'b']);
    let long = Message::default().text(1, &json!("x".repeat(300)));
    assert_eq!(long.0[..3], [10, 0xac, 0x02]);
}

#[test]
fn the_document_speaks_v2() {
    let document = document(&Catalog::builtin());
    let text = document.to_string();
    for word in ["#/components/", "requestBody", "\"oneOf\":[", "\"allOf\":["] {
        assert!(!text.contains(word), "{word}");
    }
    let deployment = &document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"];
    let body = &deployment["put"]["parameters"][0];
    let reference = json!({"$ref": "#/definitions/io.k8s.api.apps.v1.Deployment"});
    assert_eq!((&body["in"], &body["schema"]), (&json!("body"), &reference));
    assert_eq!(deployment["get"]["responses"]["200"]["schema"], reference);
    assert_eq!(deployment["parameters"][0]["type"], "string");
    let spec = &document["definitions"]["io.k8s.api.apps.v1.Deployment"]["properties"]["spec"];
    assert_eq!(spec["$ref"], "#/definitions/io.k8s.api.apps.v1.DeploymentSpec");
    assert!(spec["description"].is_string());
    assert_eq!(document["definitions"]["io.k8s.apimachinery.pkg.api.resource.Quantity"]["type"], "string");
}

#[test]
fn each_kind_that_can_be_patched_has_a_path() {
    let document = protobuf(&document(&Catalog::builtin()));
    let text = String::from_utf8_lossy(&document);
    for expected in [
        "/api/v1/namespaces/{name}",
        "/apis/apps/v1/namespaces/{namespace}/deployments/{name}",
        "#/definitions/io.k8s.api.core.v1.PodSpec",
        "x-kubernetes-patch-merge-key",
    ] {
        assert!(text.contains(expected), "{expected}");
    }
}
