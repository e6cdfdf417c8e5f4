use crate::kinds::tests::{change_refused, created, refused, shown};
use expect_test::expect;
use serde_json::json;

#[test]
fn bad_quotas_are_refused_in_upstreams_words() {
    refused(
        "ResourceQuota",
        json!({"spec": {"hard": {"foo": 1, "pods": "1.5", "memory": "-1", "a.b/c": 1, "count/jobs.batch": 2}}}),
        expect![[r#"
            spec.hard[foo]: Invalid value: "foo": must be a standard resource type or fully qualified
            spec.hard[foo]: Invalid value: "foo": must be a standard resource for quota
            spec.hard[memory]: Invalid value: "-1": must be greater than or equal to 0
            spec.hard[pods]: Invalid value: "1500m": must be an integer
        "#]],
    );
    refused(
        "ResourceQuota",
        json!({"spec": {
            "hard": {"services": 1}, "scopes": ["BestEffort", "NotBestEffort", "Odd"],
            "scopeSelector": {"matchExpressions": [
                {"scopeName": "Terminating", "operator": "In"}, {"scopeName": "Odd", "operator": "Odd"},
                {"scopeName": "PriorityClass", "operator": "Exists", "values": ["a"]},
            ]},
        }}),
        expect![[r#"
            spec.scopes: Invalid value: ["BestEffort","NotBestEffort","Odd"]: unsupported scope applied to resource
            spec.scopes: Invalid value: ["BestEffort","NotBestEffort","Odd"]: unsupported scope applied to resource
            spec.scopes: Invalid value: ["BestEffort","NotBestEffort","Odd"]: unsupported scope
            spec.scopes: Invalid value: ["BestEffort","NotBestEffort","Odd"]: conflicting scopes
            spec.scopeSelector.matchExpressions: Invalid value: {"matchExpressions":[{"operator":"In","scopeName":"Terminating"},{"operator":"Odd","scopeName":"Odd"},{"operator":"Exists","scopeName":"PriorityClass","values":["a"]}]}: unsupported scope applied to resource
            spec.scopeSelector.matchExpressions.operator: Invalid value: "In": must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity
            spec.scopeSelector.matchExpressions.values: Required value: must be at least one value when `operator` is 'In' or 'NotIn' for scope selector
            spec.scopeSelector.matchExpressions.scopeName: Invalid value: "Odd": unsupported scope
            spec.scopeSelector.matchExpressions.operator: Invalid value: "Odd": not a valid selector operator
            spec.scopeSelector.matchExpressions: Invalid value: {"matchExpressions":[{"operator":"In","scopeName":"Terminating"},{"operator":"Odd","scopeName":"Odd"},{"operator":"Exists","scopeName":"PriorityClass","values":["a"]}]}: unsupported scope applied to resource
            spec.scopeSelector.matchExpressions.values: Invalid value: ["a"]: must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector
        "#]],
    );
    let old = created("ResourceQuota", json!({"spec": {"hard": {"pods": 1}, "scopes": ["BestEffort"]}}));
    change_refused("ResourceQuota", &old, |object| object["spec"]["hard"]["pods"] = json!("2"), expect![""]);
    change_refused(
        "ResourceQuota",
        &old,
        |object| object["spec"]["scopes"] = json!([]),
        expect![[r#"
        spec.scopes: Invalid value: []: field is immutable
    "#]],
    );
}

#[test]
fn get_shows_what_is_used_of_what() {
    let mut object = created("ResourceQuota", json!({"spec": {}}));
    object["status"] = json!({
        "hard": {"pods": "10", "limits.cpu": "4", "requests.cpu": "2"}, "used": {"pods": "3", "limits.cpu": "500m"},
    });
    shown(
        "ResourceQuota",
        &[object],
        expect![[r#"
        x | pods: 3/10, requests.cpu: 0/2 | limits.cpu: 500m/4 | 60m
    "#]],
    );
}

#[test]
fn selected_scopes_do_not_exclude_each_other() {
    let scope = |name: &str| json!({"scopeName": name, "operator": "Exists"});
    refused(
        "ResourceQuota",
        json!({"spec": {"scopeSelector": {"matchExpressions": [scope("Terminating"), scope("NotTerminating")]}}}),
        expect![[r#"
            spec.scopeSelector.matchExpressions: Invalid value: null: conflicting scopes
        "#]],
    );
}
