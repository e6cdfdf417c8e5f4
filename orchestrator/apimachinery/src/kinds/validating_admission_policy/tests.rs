use crate::kinds::tests::{created, kind, platform, refused, shown, updated};
use expect_test::expect;
use serde_json::{Value, json};

const POLICY: &str = "ValidatingAdmissionPolicy";
const BINDING: &str = "ValidatingAdmissionPolicyBinding";

fn policy() -> Value {
    json!({"spec": {
        "matchConstraints": {"resourceRules": [platform::rule("CREATE")]},
        "validations": [{"expression": "true"}],
    }})
}

#[test]
fn a_policy_counts_its_generations() {
    let policy = created(POLICY, policy());
    let changed = updated(POLICY, &policy, |policy| policy["spec"]["failurePolicy"] = json!("Ignore"));
    assert_eq!(changed["metadata"]["generation"], 2);
    let mut checked = policy.clone();
    checked["status"] = json!({"observedGeneration": 1, "typeChecking": {}});
    checked["spec"] = json!({});
    (kind(POLICY).strategy.prepare_status_update)(&mut checked, &policy);
    assert_eq!((&checked["spec"], &checked["status"]["observedGeneration"]), (&policy["spec"], &json!(1)));
    let mut with_parameters = policy.clone();
    with_parameters["spec"]["paramKind"] = json!({"apiVersion": "a.b/v1", "kind": "K"});
    shown(
        POLICY,
        &[policy, with_parameters],
        expect![[r#"
        x | 1 | <unset> | 60m
        x | 1 | a.b/v1/K | 60m
    "#]],
    );
}

#[test]
fn policies_are_checked() {
    refused(
        POLICY,
        json!({"spec": {"failurePolicy": "Odd"}}),
        expect![[r#"
        spec.failurePolicy: Unsupported value: "Odd": supported values: "Fail", "Ignore"
        spec.matchConstraints: Required value
        spec.validations: Required value: validations or auditAnnotations must contain at least one item
        spec.auditAnnotations: Required value: validations or auditAnnotations must contain at least one item
    "#]],
    );
    let mut bad = policy();
    bad["spec"]["paramKind"] = json!({"apiVersion": "A/V/1", "kind": "-"});
    bad["spec"]["variables"] = json!([{"name": "in", "expression": ""}, {"name": " ", "expression": "1"}]);
    bad["spec"]["validations"] = json!([
        {"expression": "", "messageExpression": " ", "message": " ", "reason": "Odd"},
        {"expression": "true", "message": "a\nb"},
    ]);
    bad["spec"]["auditAnnotations"] = json!([
        {"key": "a", "valueExpression": ""}, {"key": "a", "valueExpression": "'x'"}, {"key": "-", "valueExpression": "1"},
    ]);
    bad["spec"]["matchConstraints"]["resourceRules"][0]["resourceNames"] = json!(["a/b", "x", "x"]);
    bad["spec"]["matchConstraints"]["matchPolicy"] = json!("Odd");
    refused(
        POLICY,
        bad,
        expect![[r#"
        spec.paramKind.apiVersion: Invalid value: "A/V/1": unexpected GroupVersion string: A/V/1
        spec.paramKind.kind: Invalid value: "-": may have mixed case, but should otherwise match: a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')
        spec.matchConstraints.matchPolicy: Unsupported value: "Odd": supported values: "Equivalent", "Exact"
        spec.matchConstraints.resourceRules[0].resourceNames[0]: Invalid value: "a/b": may not contain '/'
        spec.matchConstraints.resourceRules[0].resourceNames[2]: Duplicate value: "x"
        spec.variables[0].name: Invalid value: "in": name is not a valid CEL identifier
        spec.variables[0].expression: Required value: expression is not specified
        spec.variables[1].name: Required value: name is not specified
        spec.validations[0].expression: Required value: expression is not specified
        spec.validations[0].messageExpression: Invalid value: " ": must be non-empty if specified
        spec.validations[0].message: Invalid value: " ": message must be non-empty if specified
        spec.validations[0].reason: Unsupported value: "Odd": supported values: "Forbidden", "Invalid", "RequestEntityTooLarge"
        spec.validations[1].message: Invalid value: "a\nb": message must not contain line breaks
        spec.auditAnnotations[0].valueExpression: Required value: valueExpression is not specified
        spec.auditAnnotations[1].key: Duplicate value: "a"
        spec.auditAnnotations[2].key: Invalid value: "x/-": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
    "#]],
    );
}

#[test]
fn bindings_are_checked_and_shown() {
    refused(
        BINDING,
        json!({"spec": {"validationActions": ["Deny", "Warn", "Deny", "Odd"]}}),
        expect![[r#"
        spec.policyName: Required value
        spec.validationActions[2]: Duplicate value: "Deny"
        spec.validationActions[3]: Unsupported value: "Odd": supported values: "Audit", "Deny", "Warn"
        spec.validationActions: Invalid value: ["Deny","Warn","Deny","Odd"]: must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)
    "#]],
    );
    refused(
        BINDING,
        json!({"spec": {
            "policyName": "P", "paramRef": {"name": "a", "selector": {}}, "matchResources": {"matchPolicy": "Odd"},
        }}),
        expect![[r#"
            spec.policyName: Invalid value: "P": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
            spec.paramRef.name: Forbidden: name and selector are mutually exclusive
            spec.paramRef.selector: Forbidden: name and selector are mutually exclusive
            spec.paramRef.parameterNotFoundAction: Required value
            spec.matchResouces.matchPolicy: Unsupported value: "Odd": supported values: "Equivalent", "Exact"
            spec.validationActions: Required value: at least one validation action is required
        "#]],
    );
    refused(
        BINDING,
        json!({"spec": {"policyName": "p", "paramRef": {}, "validationActions": ["Audit"]}}),
        expect![[r#"
            spec.paramRef: Required value: one of name or selector must be specified
            spec.paramRef.parameterNotFoundAction: Required value
        "#]],
    );
    let binding = |reference: Value| {
        created(BINDING, json!({"spec": {"policyName": "p", "paramRef": reference, "validationActions": ["Deny"]}}))
    };
    let selector =
        json!({"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "c", "operator": "In", "values": ["d", "e"]}]});
    shown(
        BINDING,
        &[
            binding(Value::Null),
            binding(json!({"name": "x"})),
            binding(json!({"name": "x", "namespace": "n"})),
            binding(json!({"selector": selector})),
        ],
        expect![[r#"
            x | p | <unset> | 60m
            x | p | */x | 60m
            x | p | n/x | 60m
            x | p | &LabelSelector{MatchLabels:map[string]string{a: b,},MatchExpressions:[]LabelSelectorRequirement{LabelSelectorRequirement{Key:c,Operator:In,Values:[d e],},},} | 60m
        "#]],
    );
}

#[test]
fn expressions_that_do_not_compile_are_refused() {
    let mut bad = policy();
    bad["spec"]["matchConditions"] = json!([{"name": "c", "expression": "params.a"}]);
    bad["spec"]["variables"] =
        json!([{"name": "v", "expression": "object.spec"}, {"name": "w", "expression": "nothing"}]);
    bad["spec"]["validations"] = json!([
        {"expression": "variables.v.replicas > (1"},
        {"expression": "namespaceObject.metadata.name == 'a'", "messageExpression": "authorizer.group('')"},
    ]);
    refused(
        POLICY,
        bad,
        expect![[r#"
        spec.matchConditions[0].expression: Invalid value: "params.a": compilation failed: ERROR: <input>:1:1: undeclared reference to 'params' (in container '')
         | params.a
         | ^
        spec.variables[1].expression: Invalid value: "nothing": compilation failed: ERROR: <input>:1:1: undeclared reference to 'nothing' (in container '')
         | nothing
         | ^
        spec.validations[0].expression: Invalid value: "variables.v.replicas > (1": compilation failed: ERROR: <input>:1:26: Syntax error: missing ')' at '<EOF>'
         | variables.v.replicas > (1
         | .........................^
        spec.validations[1].messageExpression: Invalid value: "authorizer.group('')": compilation failed: ERROR: <input>:1:1: undeclared reference to 'authorizer' (in container '')
         | authorizer.group('')
         | ^
    "#]],
    );
}
