use crate::kinds::tests::{created, refused, shown};
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
