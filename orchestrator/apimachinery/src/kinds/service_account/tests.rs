use crate::kinds::tests::{created, kind, refused, shown};
use expect_test::expect;
use serde_json::json;

#[test]
fn get_service_accounts_counts_secrets() {
    shown(
        "ServiceAccount",
        &[created("ServiceAccount", json!({}))],
        expect![[r#"
        x | 0 | 60m
    "#]],
    );
    refused(
        "ServiceAccount",
        json!({"metadata": {"name": "A"}}),
        expect![[r#"
        metadata.name: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
    "#]],
    );
}

#[test]
fn an_old_annotation_is_warned_of_where_it_is_new() {
    let strategy = kind("ServiceAccount").strategy.clone();
    let marked = json!({"metadata": {"annotations": {"kubernetes.io/enforce-mountable-secrets": "true"}}});
    expect!["metadata.annotations[kubernetes.io/enforce-mountable-secrets]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets"]
        .assert_eq(&(strategy.warnings)(&marked).join("\n"));
    let of_change = strategy.update_warnings.expect("it has them");
    assert_eq!(of_change(&marked, &json!({})).len(), 1);
    assert!(of_change(&marked, &marked).is_empty());
}
