use super::types::ListType;
use super::*;
use serde_json::json;

const DEPLOYMENT: &str = "io.k8s.api.apps.v1.Deployment";

#[test]
fn unknown_fields_are_pruned_and_told() {
    let mut value = json!({"apiVersion": "apps/v1", "kind": "Deployment", "foo": 1, "metadata": {"name": "a", "labels": {"x": "y"},
        "managedFields": [{"fieldsV1": {"f:spec": {}}}]}, "spec": {"bar": {}, "template": {"spec": {"containers": [{"name": "a"},
        {"name": "b", "imagee": "c", "resources": {"limits": {"any": "1"}}}]}}}});
    let unknown = builtin(DEPLOYMENT).prune(&mut value);
    let expected = [
        "unknown field \"foo\"",
        "unknown field \"spec.bar\"",
        "unknown field \"spec.template.spec.containers[1].imagee\"",
    ];
    let mut sorted = unknown;
    sorted.sort();
    assert_eq!(sorted, expected);
    assert_eq!(
        value["spec"]["template"]["spec"]["containers"][1],
        json!({"name": "b", "resources": {"limits": {"any": "1"}}})
    );
    assert_eq!(value["metadata"]["managedFields"][0]["fieldsV1"], json!({"f:spec": {}}));
    let mut anything = json!({"a": {"b": null}});
    assert!(builtin("no.such.Type").prune(&mut anything).is_empty());
    assert_eq!(anything, json!({"a": {"b": null}}));
}

#[track_caller]
fn check(kind: &str, value: Value, expected: Value) {
    let (mut value, mut errors) = (value, Errors::default());
    builtin(kind).check(&mut value, &mut errors);
    assert_eq!((value, errors.0), (expected, vec![]));
}

#[test]
fn values_are_normalised() {
    let pod = "io.k8s.api.core.v1.Pod";
    check(
        pod,
        json!({"metadata": {"creationTimestamp": null, "labels": {"a": null}, "deletionTimestamp": "2024-01-02T03:04:05.678+01:00"},
            "spec": {"containers": [{"name": "a", "resources": {"limits": {"cpu": 0.5, "memory": "1024Ki"}, "requests": {"cpu": 1}}}],
                "terminationGracePeriodSeconds": 3.0, "nodeName": null}}),
        json!({"metadata": {"labels": {"a": ""}, "deletionTimestamp": "2024-01-02T02:04:05Z"},
            "spec": {"containers": [{"name": "a", "resources": {"limits": {"cpu": "500m", "memory": "1Mi"}, "requests": {"cpu": "1"}}}],
                "terminationGracePeriodSeconds": 3}}),
    );
    let lease = "io.k8s.api.coordination.v1.Lease";
    let time = "2024-01-02T03:04:05.000000Z";
    check(lease, json!({"spec": {"renewTime": "2024-01-02T03:04:05Z"}}), json!({"spec": {"renewTime": time}}));
    check("io.k8s.api.core.v1.Secret", json!({"data": {"a": "eHl6\neHl6\n"}}), json!({"data": {"a": "eHl6eHl6"}}));
    check(
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps",
        json!({"items": {"type": "string"}, "additionalProperties": false, "default": {"a": null}}),
        json!({"items": {"type": "string"}, "additionalProperties": false, "default": {"a": null}}),
    );
}

#[track_caller]
fn refuses(mut value: Value, expected: &str) {
    let mut errors = Errors::default();
    builtin(DEPLOYMENT).check(&mut value, &mut errors);
    let texts: Vec<String> = errors.0.iter().map(ToString::to_string).collect();
    assert_eq!(texts, [expected]);
}

#[test]
fn wrong_types_are_told_with_path_and_value() {
    refuses(json!({"spec": {"replicas": "3"}}), r#"spec.replicas: expected integer, got string "3""#);
    refuses(json!({"spec": {"replicas": 3.5}}), "spec.replicas: expected 32-bit integer, got number 3.5");
    refuses(
        json!({"spec": {"replicas": 5_000_000_000_u64}}),
        "spec.replicas: expected 32-bit integer, got number 5000000000",
    );
    refuses(json!({"spec": {"paused": "true"}}), r#"spec.paused: expected boolean, got string "true""#);
    refuses(json!({"spec": []}), "spec: expected object, got list");
    refuses(
        json!({"spec": {"strategy": {"rollingUpdate": {"maxSurge": true}}}}),
        "spec.strategy.rollingUpdate.maxSurge: expected integer or string, got boolean true",
    );
    refuses(json!({"metadata": {"labels": {"a": 1}}}), "metadata.labels[a]: expected string, got number 1");
    refuses(json!({"metadata": {"finalizers": {}}}), "metadata.finalizers: expected list, got object");
    refuses(
        json!({"metadata": {"creationTimestamp": "now"}}),
        r#"metadata.creationTimestamp: expected RFC 3339 time, got string "now""#,
    );
    let container = |fields: Value| json!({"spec": {"template": {"spec": {"containers": [fields]}}}});
    refuses(container(json!(null)), "spec.template.spec.containers[0]: expected object, got null");
    refuses(
        container(json!({"command": "sh"})),
        r#"spec.template.spec.containers[0].command: expected list, got string "sh""#,
    );
    refuses(
        container(json!({"resources": {"limits": {"cpu": "1x"}}})),
        "spec.template.spec.containers[0].resources.limits[cpu]: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    );
}

#[test]
fn kinds_are_found_by_version_and_kind() {
    let name = |schema: Option<Arc<Schema>>| match schema.map(|schema| schema.root.clone()) {
        Some(Node::Object(found)) => found.name.to_string(),
        _ => String::new(),
    };
    assert_eq!(name(of_kind("apps/v1", "Deployment")), DEPLOYMENT);
    assert_eq!(name(of_kind("v1", "Pod")), "io.k8s.api.core.v1.Pod");
    assert_eq!(name(of_kind("batch/v1", "DeleteOptions")), "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions");
    assert_eq!(name(of_kind("apps/v1", "Pod")), "");
}

#[test]
fn every_field_can_be_found_and_most_have_a_number() {
    let (mut fields, mut without) = (0, 0);
    for one in builtin::all() {
        assert_eq!(builtin::find(&one.name).map(|found| &found.name), Some(&one.name));
        for field in one.fields.iter() {
            assert_eq!(one.field(&field.name).map(|found| &found.name), Some(&field.name));
            fields += 1;
            without += usize::from(field.tags.is_empty() && field.name != "apiVersion" && field.name != "kind");
        }
    }
    assert!(fields > 2_000 && without < 40, "{fields} fields, {without} without a number");
}

/// k8s-openapi's merging knows which lists merge and by what; our facts must agree with it.
mod merging {
    use super::*;
    use k8s_openapi::DeepMerge;

    /// Merges two one-element lists at `path` in a `T` and returns the number of elements.
    fn merged<T: DeepMerge + serde::de::DeserializeOwned + serde::Serialize>(
        path: &[&str],
        one: &Value,
        other: &Value,
    ) -> usize {
        let wrap =
            |leaf: &Value| {
                path.iter().rev().fold(json!([leaf]), |inner, name| {
                    if *name == "[]" { json!([inner]) } else { json!({(*name): inner}) }
                })
            };
        let mut target: T = serde_json::from_value(wrap(one)).unwrap();
        target.merge_from(serde_json::from_value(wrap(other)).unwrap());
        let mut value = &serde_json::to_value(target).unwrap();
        for name in path {
            value = if *name == "[]" { &value[0] } else { &value[*name] };
        }
        value.as_array().unwrap().len()
    }

    #[track_caller]
    fn check<T: DeepMerge + serde::de::DeserializeOwned + serde::Serialize>(
        root: &str,
        path: &[&str],
        one: Value,
        other: Value,
    ) {
        let schema = builtin(root);
        let mut node = &schema.root;
        let mut patch = None;
        for name in path {
            match node {
                Node::Object(shape) => {
                    let field = shape.field(name).unwrap();
                    (node, patch) = (&field.node, Some(field));
                }
                Node::List(items) if *name == "[]" => node = items,
                other => panic!("{name} in {other:?}"),
            }
        }
        let field = patch.unwrap();
        let both = merged::<T>(path, &one, &other);
        assert_eq!(field.patch.merge, both == 2, "{path:?}");
        assert_eq!(field.patch.merge, field.list != ListType::Unset, "{path:?}");
    }

    #[test]
    fn lists_merge_as_k8s_openapi_merges_them() {
        use k8s_openapi::api::{
            apps::v1::Deployment,
            core::v1::{Node, Pod, Service},
        };
        let pod = "io.k8s.api.core.v1.Pod";
        let (one, other) = (json!({"name": "a"}), json!({"name": "b"}));
        for field in
            ["containers", "initContainers", "volumes", "imagePullSecrets", "ephemeralContainers", "schedulingGates"]
        {
            check::<Pod>(pod, &["spec", field], one.clone(), other.clone());
        }
        check::<Pod>(pod, &["spec", "tolerations"], json!({"key": "a"}), json!({"key": "b"}));
        check::<Pod>(pod, &["spec", "hostAliases"], json!({"ip": "a"}), json!({"ip": "b"}));
        check::<Pod>(
            pod,
            &["spec", "topologySpreadConstraints"],
            json!({"topologyKey": "a"}),
            json!({"topologyKey": "b"}),
        );
        check::<Pod>(pod, &["metadata", "finalizers"], json!("a"), json!("b"));
        check::<Pod>(pod, &["metadata", "ownerReferences"], json!({"uid": "a"}), json!({"uid": "b"}));
        check::<Pod>(pod, &["status", "conditions"], json!({"type": "a"}), json!({"type": "b"}));
        check::<Pod>(pod, &["status", "containerStatuses"], one.clone(), other.clone());
        check::<Service>("io.k8s.api.core.v1.Service", &["spec", "ports"], json!({"port": 1}), json!({"port": 2}));
        check::<Service>("io.k8s.api.core.v1.Service", &["spec", "externalIPs"], json!("a"), json!("b"));
        check::<Node>("io.k8s.api.core.v1.Node", &["spec", "taints"], json!({"key": "a"}), json!({"key": "b"}));
        check::<Node>("io.k8s.api.core.v1.Node", &["status", "addresses"], json!({"type": "a"}), json!({"type": "b"}));
        check::<Node>("io.k8s.api.core.v1.Node", &["spec", "podCIDRs"], json!("a"), json!("b"));
        let status = ["status", "conditions"];
        check::<Deployment>(DEPLOYMENT, &status, json!({"type": "a"}), json!({"type": "b"}));
    }
}
