use crate::kinds::tests::{created, platform, refused, shown};
use expect_test::expect;
use serde_json::{Value, json};

fn policy(mutations: Value, operation: &str) -> Value {
    json!({"spec": {
        "matchConstraints": {"resourceRules": [platform::rule(operation)]},
        "mutations": mutations, "reinvocationPolicy": "IfNeeded",
    }})
}

#[test]
fn a_policy_has_mutations_each_of_one_sort() {
    let good = json!([{"patchType": "JSONPatch", "jsonPatch": {"expression": "[]"}}]);
    let good = created("MutatingAdmissionPolicy", policy(good, "CREATE"));
    shown(
        "MutatingAdmissionPolicy",
        &[good],
        expect![[r#"
        x | 1 | <unset> | 60m
    "#]],
    );
    let bad = json!([
        {"patchType": "", "jsonPatch": {"expression": "[]"}},
        {"patchType": "Odd"},
        {"patchType": "JSONPatch", "applyConfiguration": {"expression": "x"}},
        {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": " "}, "jsonPatch": {"expression": "[]"}},
    ]);
    refused(
        "MutatingAdmissionPolicy",
        policy(bad, "DELETE"),
        expect![[r#"
        spec.matchConstraints.resourceRules.operations: Unsupported value: "DELETE": supported values: "*", "CONNECT", "CREATE", "UPDATE"
        spec.mutations[0].patchType: Required value
        spec.mutations[1].patchType: Unsupported value: "Odd": supported values: "ApplyConfiguration", "JSONPatch"
        spec.mutations[2].applyConfiguration: Invalid value: "{applyConfiguration}": must not be specified when patchType is JSONPatch
        spec.mutations[2].jsonPatch: Required value: must be specified when patchType is JSONPatch
        spec.mutations[3].applyConfiguration.expression: Required value
        spec.mutations[3].jsonPatch: Invalid value: "{jsonPatch}": must not be specified when patchType is ApplyConfiguration
    "#]],
    );
    refused(
        "MutatingAdmissionPolicy",
        json!({"spec": {"reinvocationPolicy": "Odd"}}),
        expect![[r#"
        spec.matchConstraints: Required value
        spec.mutations: Required value: mutations must contain at least one item
        spec.reinvocationPolicy: Unsupported value: "Odd": supported values: "IfNeeded", "Never"
    "#]],
    );
}

#[test]
fn a_binding_names_its_policy() {
    refused(
        "MutatingAdmissionPolicyBinding",
        json!({"spec": {"policyName": "", "matchResources": {"resourceRules": [platform::rule("DELETE")]}}}),
        expect![[r#"
            spec.policyName: Required value
            spec.matchResources.resourceRules.operations: Unsupported value: "DELETE": supported values: "*", "CONNECT", "CREATE", "UPDATE"
        "#]],
    );
    shown(
        "MutatingAdmissionPolicyBinding",
        &[created("MutatingAdmissionPolicyBinding", json!({"spec": {"policyName": "p"}}))],
        expect![[r#"
            x | p | <unset> | 60m
        "#]],
    );
}
