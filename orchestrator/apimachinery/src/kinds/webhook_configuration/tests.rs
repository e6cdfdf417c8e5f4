use crate::kinds::tests::{created, refused, shown, stored, updated, with};
use expect_test::expect;
use serde_json::{Value, json};

fn hook(changes: Value) -> Value {
    with(
        json!({
            "name": "a.example.com", "clientConfig": {"url": "https://a.b"}, "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }),
        changes,
    )
}

#[test]
fn webhooks_get_their_defaults() {
    let rule = json!({"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"]});
    let service = json!({"clientConfig": {"service": {"name": "s", "namespace": "n"}}, "rules": [rule]});
    let configuration = created("MutatingWebhookConfiguration", json!({"webhooks": [hook(service)]}));
    stored(
        &configuration,
        "/webhooks/0",
        expect![[r#"
        {
          "admissionReviewVersions": [
            "v1"
          ],
          "clientConfig": {
            "service": {
              "name": "s",
              "namespace": "n",
              "port": 443
            }
          },
          "failurePolicy": "Fail",
          "matchPolicy": "Equivalent",
          "name": "a.example.com",
          "namespaceSelector": {},
          "objectSelector": {},
          "reinvocationPolicy": "Never",
          "rules": [
            {
              "apiGroups": [
                "*"
              ],
              "apiVersions": [
                "*"
              ],
              "operations": [
                "*"
              ],
              "resources": [
                "*/*"
              ],
              "scope": "*"
            }
          ],
          "sideEffects": "None",
          "timeoutSeconds": 10
        }"#]],
    );
    assert_eq!(configuration["metadata"]["generation"], 1);
    let change = |configuration: &mut Value| configuration["webhooks"][0]["timeoutSeconds"] = json!(1);
    assert_eq!(updated("MutatingWebhookConfiguration", &configuration, change)["metadata"]["generation"], 2);
    shown(
        "MutatingWebhookConfiguration",
        &[configuration],
        expect![[r#"
        x | 1 | 60m
    "#]],
    );
    let validating = created("ValidatingWebhookConfiguration", json!({"webhooks": [hook(json!({}))]}));
    assert!(validating["webhooks"][0].get("reinvocationPolicy").is_none());
}

#[test]
fn webhooks_are_checked() {
    refused(
        "MutatingWebhookConfiguration",
        json!({"webhooks": [
            hook(json!({
                "name": "a.b", "failurePolicy": "F", "matchPolicy": "M", "sideEffects": "Some", "timeoutSeconds": 31,
                "reinvocationPolicy": "R", "admissionReviewVersions": ["v2", "v2", "V1"], "clientConfig": {},
                "objectSelector": {"matchLabels": {"-": "a"}},
            })),
            hook(json!({"clientConfig": {"url": "http://u@a/?q#f"}, "sideEffects": null, "admissionReviewVersions": []})),
            hook(json!({
                "name": "b.b.b", "clientConfig": {"service": {"name": "", "namespace": "", "port": 0, "path": "a//B"}},
                "matchConditions": [{"name": "c", "expression": " "}, {"name": "c", "expression": "true"}, {"expression": "1"}],
            })),
            hook(json!({})),
        ]}),
        expect![[r#"
            webhooks[0].name: Invalid value: "a.b": should be a domain with at least three segments separated by dots
            webhooks[0].failurePolicy: Unsupported value: "F": supported values: "Fail", "Ignore"
            webhooks[0].matchPolicy: Unsupported value: "M": supported values: "Equivalent", "Exact"
            webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"
            webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds
            webhooks[0].objectSelector.matchLabels: Invalid value: "-": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
            webhooks[0].reinvocationPolicy: Unsupported value: "R": supported values: "IfNeeded", "Never"
            webhooks[0].clientConfig: Required value: exactly one of url or service is required
            webhooks[0].admissionReviewVersions[1]: Invalid value: "v2": duplicate version
            webhooks[0].admissionReviewVersions[2]: Invalid value: "V1": a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')
            webhooks[0].admissionReviewVersions: Invalid value: ["v2","v2","V1"]: must include at least one of v1, v1beta1
            webhooks[1].sideEffects: Required value: must specify one of None, NoneOnDryRun
            webhooks[1].clientConfig.url: Invalid value: "http": 'https' is the only allowed URL scheme; desired format: https://host[/path]
            webhooks[1].clientConfig.url: Invalid value: "u": user information is not permitted in the URL
            webhooks[1].clientConfig.url: Invalid value: "f": fragments are not permitted in the URL
            webhooks[1].clientConfig.url: Invalid value: "q": query parameters are not permitted in the URL
            webhooks[1].admissionReviewVersions: Required value: must specify one of v1, v1beta1
            webhooks[2].clientConfig.service.name: Required value
            webhooks[2].clientConfig.service.namespace: Required value
            webhooks[2].clientConfig.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive
            webhooks[2].clientConfig.service.path: Invalid value: "a//B": must start with a '/'
            webhooks[2].clientConfig.service.path: Invalid value: "a//B": segment[1] may not be empty
            webhooks[2].clientConfig.service.path: Invalid value: "a//B": segment[2]: a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
            webhooks[2].matchConditions[0].expression: Required value
            webhooks[2].matchConditions[1].name: Duplicate value: "c"
            webhooks[2].matchConditions[2].name: Required value
            webhooks[3].name: Duplicate value: "a.example.com"
        "#]],
    );
}

#[test]
fn rules_must_not_say_a_thing_twice() {
    let rule = |resources: &[&str]| {
        json!({"operations": ["*", "CREATE", "READ"], "apiGroups": [], "apiVersions": ["v1", "*", ""],
            "resources": resources, "scope": "All"})
    };
    let plain = |resources: &[&str]| json!({"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": resources});
    refused(
        "ValidatingWebhookConfiguration",
        json!({"webhooks": [hook(json!({"rules": [
            rule(&[]), plain(&["pods/*", "pods/status", "*/scale", "jobs/scale", ""]), plain(&["*/*", "pods"]),
            plain(&["*", "pods"]), plain(&["*", "pods/status"]),
        ]}))]}),
        expect![[r#"
            webhooks[0].rules[0].operations: Invalid value: ["*","CREATE","READ"]: if '*' is present, must not specify other operations
            webhooks[0].rules[0].operations[2]: Unsupported value: "READ": supported values: "*", "CONNECT", "CREATE", "DELETE", "UPDATE"
            webhooks[0].rules[0].apiGroups: Required value
            webhooks[0].rules[0].apiVersions: Invalid value: ["v1","*",""]: if '*' is present, must not specify other API versions
            webhooks[0].rules[0].apiVersions[2]: Required value
            webhooks[0].rules[0].resources: Required value
            webhooks[0].rules[0].scope: Unsupported value: "All": supported values: "*", "Cluster", "Namespaced"
            webhooks[0].rules[1].resources[1]: Invalid value: "pods/status": if 'pods/*' is present, must not specify pods/status
            webhooks[0].rules[1].resources[3]: Invalid value: "jobs/scale": if '*/scale' is present, must not specify jobs/scale
            webhooks[0].rules[1].resources[4]: Required value
            webhooks[0].rules[2].resources: Invalid value: ["*/*","pods"]: if '*/*' is present, must not specify other resources
            webhooks[0].rules[3].resources: Invalid value: ["*","pods"]: if '*' is present, must not specify other resources without subresources
        "#]],
    );
}
