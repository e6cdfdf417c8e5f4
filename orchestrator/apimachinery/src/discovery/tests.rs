use super::*;
use expect_test::expect;
use serde_json::json;

fn find<'a>(list: &'a Value, field: &str, name: &str) -> &'a Value {
    list.as_array().unwrap().iter().find(|one| one[field] == name).unwrap()
}

#[test]
fn aggregated_discovery_lists_resources_with_their_names() {
    let catalog = Catalog::builtin();
    let core = aggregated(&catalog, true);
    assert_eq!(
        (core["items"].as_array().unwrap().len(), &core["items"][0]["metadata"]),
        (1, &json!({"creationTimestamp": null}))
    );
    let pods = find(&core["items"][0]["versions"][0]["resources"], "resource", "pods");
    expect![[r#"{"categories":["all"],"resource":"pods","responseKind":{"group":"","kind":"Pod","version":"v1"},"scope":"Namespaced","shortNames":["po"],"singularResource":"pod","subresources":[{"responseKind":{"group":"","kind":"PodAttachOptions","version":"v1"},"subresource":"attach","verbs":["create","get"]},{"responseKind":{"group":"","kind":"Binding","version":"v1"},"subresource":"binding","verbs":["create"]},{"responseKind":{"group":"","kind":"Pod","version":"v1"},"subresource":"ephemeralcontainers","verbs":["get","patch","update"]},{"responseKind":{"group":"policy","kind":"Eviction","version":"v1"},"subresource":"eviction","verbs":["create"]},{"responseKind":{"group":"","kind":"PodExecOptions","version":"v1"},"subresource":"exec","verbs":["create","get"]},{"responseKind":{"group":"","kind":"Pod","version":"v1"},"subresource":"log","verbs":["get"]},{"responseKind":{"group":"","kind":"PodPortForwardOptions","version":"v1"},"subresource":"portforward","verbs":["create","get"]},{"responseKind":{"group":"","kind":"PodProxyOptions","version":"v1"},"subresource":"proxy","verbs":["create","delete","get","patch","update"]},{"responseKind":{"group":"","kind":"Pod","version":"v1"},"subresource":"resize","verbs":["get","patch","update"]},{"responseKind":{"group":"","kind":"Pod","version":"v1"},"subresource":"status","verbs":["get","patch","update"]}],"verbs":["create","delete","deletecollection","get","list","patch","update","watch"]}"#]].assert_eq(&pods.to_string());
    let named = aggregated(&catalog, false);
    assert!(named["items"].as_array().unwrap().iter().all(|item| item["metadata"]["name"] != ""));
    let scale = &named["items"].as_array().unwrap().iter().find(|item| item["metadata"]["name"] == "apps").unwrap()["versions"]
        [0];
    let deployments = find(&scale["resources"], "resource", "deployments");
    let scale = find(&deployments["subresources"], "subresource", "scale");
    assert_eq!(scale["responseKind"], json!({"group": "autoscaling", "version": "v1", "kind": "Scale"}));
}

#[test]
fn legacy_discovery_lists_the_same() {
    let catalog = Catalog::builtin();
    let list = resource_list(&catalog, "", "v1").unwrap();
    let eviction = find(&list["resources"], "name", "pods/eviction");
    expect![[r#"{"group":"policy","kind":"Eviction","name":"pods/eviction","namespaced":true,"singularName":"","verbs":["create"],"version":"v1"}"#]].assert_eq(&eviction.to_string());
    assert_eq!(resource_list(&catalog, "apps", "v1").unwrap()["groupVersion"], "apps/v1");
    assert_eq!(resource_list(&catalog, "apps", "v2"), None);
    let apps = group(&catalog, "apps").unwrap();
    expect![[r#"{"apiVersion":"v1","kind":"APIGroup","name":"apps","preferredVersion":{"groupVersion":"apps/v1","version":"v1"},"versions":[{"groupVersion":"apps/v1","version":"v1"}]}"#]].assert_eq(&apps.to_string());
    assert_eq!(group(&catalog, ""), None);
    let groups = group_list(&catalog);
    assert_eq!(
        find(&groups["groups"], "name", "apps")["preferredVersion"],
        json!({"groupVersion": "apps/v1", "version": "v1"})
    );
    assert_eq!(api_versions("1.2.3.4:6443")["serverAddressByClientCIDRs"][0]["serverAddress"], "1.2.3.4:6443");
}
