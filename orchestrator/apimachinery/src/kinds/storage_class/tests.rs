use crate::kinds::tests::{change_refused, created, kind, refused, shown};
use expect_test::expect;
use serde_json::json;

#[test]
fn a_storage_class_is_fixed_once_it_is_made() {
    let class = created(
        "StorageClass",
        json!({
            "metadata": {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
            "provisioner": "example.com/p", "parameters": {"a": "b"},
        }),
    );
    change_refused(
        "StorageClass",
        &class,
        |class| {
            class["provisioner"] = json!("q");
            class["parameters"] = json!({});
            class["reclaimPolicy"] = json!("Retain");
            class["volumeBindingMode"] = json!("WaitForFirstConsumer");
            class["allowVolumeExpansion"] = json!(true);
        },
        expect![[r#"
            parameters: Forbidden: updates to parameters are forbidden.
            provisioner: Forbidden: updates to provisioner are forbidden.
            reclaimPolicy: Forbidden: updates to reclaimPolicy are forbidden.
            volumeBindingMode: Invalid value: "WaitForFirstConsumer": field is immutable
        "#]],
    );
    let plain = created("StorageClass", json!({"provisioner": "p", "allowVolumeExpansion": true}));
    shown(
        "StorageClass",
        &[class, plain],
        expect![[r#"
        x (default) | example.com/p | Delete | Immediate | false | 60m
        x | p | Delete | Immediate | true | 60m
    "#]],
    );
}

#[test]
fn parameters_and_topologies_are_checked() {
    let term = json!({"matchLabelExpressions": [{"key": "z", "values": ["a"]}]});
    refused(
        "StorageClass",
        json!({
            "provisioner": "A/b/c", "reclaimPolicy": "Recycle", "volumeBindingMode": "Later", "parameters": {"": "x"},
            "allowedTopologies": [term, term, {"matchLabelExpressions": [
                {"key": "", "values": []}, {"key": "a", "values": ["x", "x"]}, {"key": "a", "values": ["y"]},
            ]}],
        }),
        expect![[r#"
            provisioner: Invalid value: "a/b/c": a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')
            parameters: Invalid value: "": field can not be empty.
            reclaimPolicy: Unsupported value: "Recycle": supported values: "Delete", "Retain"
            volumeBindingMode: Unsupported value: "Later": supported values: "Immediate", "WaitForFirstConsumer"
            allowedTopologies[1].matchLabelExpressions: Duplicate value: ""
            allowedTopologies[2].matchLabelExpressions[0].values: Required value
            allowedTopologies[2].matchLabelExpressions[0].key: Invalid value: "": name part must be non-empty
            allowedTopologies[2].matchLabelExpressions[0].key: Invalid value: "": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
            allowedTopologies[2].matchLabelExpressions[1].values[1]: Duplicate value: "x"
            allowedTopologies[2].matchLabelExpressions[2].key: Duplicate value: "a"
        "#]],
    );
    refused(
        "StorageClass",
        json!({}),
        expect![[r#"
        provisioner: Required value
    "#]],
    );
    let old = json!({"allowedTopologies": [
        {"matchLabelExpressions": [{"key": "failure-domain.beta.kubernetes.io/zone", "values": ["a"]}]},
    ]});
    expect![[r#"allowedTopologies[0].matchLabelExpressions[0].key: failure-domain.beta.kubernetes.io/zone is deprecated since v1.17; use "topology.kubernetes.io/zone" instead"#]].assert_eq(&(kind("StorageClass").strategy.warnings)(&old).join("\n"));
}
