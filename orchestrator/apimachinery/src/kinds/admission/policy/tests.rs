use crate::kinds::tests::{created, platform, stored};
use expect_test::expect;
use serde_json::{Value, json};

#[track_caller]
fn check(kind: &str, rules: &str, rule: Value) {
    let constraints = json!({"resourceRules": [platform::rule("CREATE")]});
    let policy = created(kind, json!({"spec": {"matchConstraints": constraints, rules: [rule]}}));
    assert_eq!(policy["spec"]["failurePolicy"], "Fail", "{kind}");
    assert_eq!(policy["spec"][rules], json!([rule]), "{kind}");
    stored(
        &policy,
        "/spec/matchConstraints",
        expect![[r#"
            {
              "matchPolicy": "Equivalent",
              "namespaceSelector": {},
              "objectSelector": {},
              "resourceRules": [
                {
                  "apiGroups": [
                    ""
                  ],
                  "apiVersions": [
                    "v1"
                  ],
                  "operations": [
                    "CREATE"
                  ],
                  "resources": [
                    "pods"
                  ],
                  "scope": "*"
                }
              ]
            }"#]],
    );
}

#[test]
fn policies_of_both_kinds_get_the_same_defaults() {
    check("ValidatingAdmissionPolicy", "validations", json!({"expression": "true"}));
    let patch = json!({"patchType": "JSONPatch", "jsonPatch": {"expression": "[]"}});
    check("MutatingAdmissionPolicy", "mutations", patch);
}
