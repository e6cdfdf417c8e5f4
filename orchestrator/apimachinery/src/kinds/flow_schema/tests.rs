use crate::kinds::tests::{created, refused, shown};
use expect_test::expect;
use serde_json::json;

#[test]
fn schemas_are_checked() {
    refused(
        "FlowSchema",
        json!({"spec": {"matchingPrecedence": 1}}),
        expect![[r#"
        spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1
        spec.priorityLevelConfiguration.name: Required value: must reference a priority level
    "#]],
    );
    refused(
        "FlowSchema",
        json!({"spec": {
            "matchingPrecedence": 10001, "distinguisherMethod": {"type": "Odd"}, "priorityLevelConfiguration": {"name": "L"},
            "rules": [
                {"subjects": [], "resourceRules": []},
                {
                    "subjects": [
                        {"kind": "Odd"}, {"kind": "User", "group": {"name": "g"}}, {"kind": "Group", "group": {"name": ""}},
                        {"kind": "ServiceAccount", "serviceAccount": {"name": "A", "namespace": ""}},
                    ],
                    "resourceRules": [
                        {"verbs": ["read"], "apiGroups": ["*", "a"], "resources": [], "namespaces": []},
                        {"verbs": ["*", "get"], "apiGroups": [], "resources": ["*"], "namespaces": ["N"]},
                    ],
                    "nonResourceRules": [
                        {"verbs": [], "nonResourceURLs": ["a", "/a b", "//", "/a*", "/*", "", "/"]},
                        {"verbs": ["get"], "nonResourceURLs": ["*", "/a"]},
                    ],
                },
            ],
        }}),
        expect![[r#"
            spec.matchingPrecedence: Invalid value: 10001: must not be greater than 10000
            spec.distinguisherMethod.type: Unsupported value: "Odd": supported values: "ByNamespace", "ByUser"
            spec.priorityLevelConfiguration.name: Invalid value: "L": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
            spec.rules[0].subjects: Required value: subjects must contain at least one value
            spec.rules[0]: Required value: at least one of resourceRules and nonResourceRules has to be non-empty
            spec.rules[1].subjects[0].kind: Unsupported value: "Odd": supported values: "Group", "ServiceAccount", "User"
            spec.rules[1].subjects[1].group: Forbidden: group is forbidden when subject kind is not 'Group'
            spec.rules[1].subjects[1].user: Required value: user is required when subject kind is 'User'
            spec.rules[1].subjects[2].group.name: Required value
            spec.rules[1].subjects[3].serviceAccount.name: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
            spec.rules[1].subjects[3].serviceAccount.namespace: Required value: must specify namespace for service account
            spec.rules[1].resourceRules[0].verbs: Unsupported value: "read": supported values: "create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"
            spec.rules[1].resourceRules[0].apiGroups: Invalid value: ["*","a"]: if '*' is present, must not specify other api groups
            spec.rules[1].resourceRules[0].resources: Required value: resource rules must supply at least one resource
            spec.rules[1].resourceRules[0].namespaces: Required value: resource rules that are not cluster scoped must supply at least one namespace
            spec.rules[1].resourceRules[1].verbs: Invalid value: ["*","get"]: if '*' is present, must not specify other verbs
            spec.rules[1].resourceRules[1].apiGroups: Required value: resource rules must supply at least one api group
            spec.rules[1].resourceRules[1].namespaces[0]: Invalid value: "N": each member of this list must be '*' or a DNS-1123 label; a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')
            spec.rules[1].nonResourceRules[0].verbs: Required value: verbs must contain at least one value
            spec.rules[1].nonResourceRules[0].nonResourceURLs[0]: Invalid value: "a": must start with slash
            spec.rules[1].nonResourceRules[0].nonResourceURLs[1]: Invalid value: "/a b": must not contain white-space
            spec.rules[1].nonResourceRules[0].nonResourceURLs[2]: Invalid value: "//": must not contain double slash
            spec.rules[1].nonResourceRules[0].nonResourceURLs[3]: Invalid value: "/a*": wildcard can only do suffix matching
            spec.rules[1].nonResourceRules[0].nonResourceURLs[5]: Invalid value: "": must not be empty
            spec.rules[1].nonResourceRules[1].nonResourceURLs: Invalid value: ["*","/a"]: if '*' is present, must not specify other non-resource URLs
        "#]],
    );
}

#[test]
fn the_schemas_that_the_server_needs_are_fixed() {
    for name in ["exempt", "catch-all"] {
        let spec = super::mandatory_spec(name).expect("mandatory");
        refused("FlowSchema", json!({"metadata": {"name": name}, "spec": spec}), expect![[""]]);
    }
    let mut spec = super::mandatory_spec("catch-all").expect("mandatory");
    spec["matchingPrecedence"] = json!(9);
    spec["rules"] = json!([]);
    refused(
        "FlowSchema",
        json!({"metadata": {"name": "catch-all"}, "spec": spec}),
        expect![[r#"
        spec: Invalid value: {"distinguisherMethod":{"type":"ByUser"},"matchingPrecedence":9,"priorityLevelConfiguration":{"name":"catch-all"},"rules":[]}: spec of 'catch-all' must equal the fixed value
    "#]],
    );
}

#[test]
fn the_row_tells_of_a_missing_level() {
    let schema = created("FlowSchema", json!({"spec": {"priorityLevelConfiguration": {"name": "l"}}}));
    let mut dangling = schema.clone();
    dangling["status"] = json!({"conditions": [{"type": "Dangling", "status": "True"}]});
    dangling["spec"]["distinguisherMethod"] = json!({"type": "ByUser"});
    shown(
        "FlowSchema",
        &[schema, dangling],
        expect![[r#"
        x | l | 1000 | <none> | 60m | ?
        x | l | 1000 | ByUser | 60m | True
    "#]],
    );
}
