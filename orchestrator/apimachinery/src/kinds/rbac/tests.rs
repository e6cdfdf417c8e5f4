use crate::kinds::tests::{change_refused, created, refused, shown, stored};
use expect_test::expect;
use serde_json::json;

#[test]
fn bad_roles_are_refused_in_upstreams_words() {
    refused(
        "ClusterRole",
        json!({"metadata": {"name": "system:node"}, "rules": [{"verbs": ["get"], "nonResourceURLs": ["/healthz"]}]}),
        expect![""],
    );
    refused(
        "Role",
        json!({"metadata": {"name": "a/b"}, "rules": [
            {}, {"verbs": ["get"], "nonResourceURLs": ["/healthz"], "resources": ["pods"]},
        ]}),
        expect![[r#"
            metadata.name: Invalid value: "a/b": may not contain '/'
            rules[0].verbs: Required value: verbs must contain at least one value
            rules[0].apiGroups: Required value: resource rules must supply at least one api group
            rules[0].resources: Required value: resource rules must supply at least one resource
            rules[1].nonResourceURLs: Invalid value: ["/healthz"]: namespaced rules cannot apply to non-resource URLs
            rules[1].nonResourceURLs: Invalid value: ["/healthz"]: rules cannot apply to both regular resources and non-resource URLs
        "#]],
    );
}

#[test]
fn a_binding_names_one_role_for_good() {
    let binding = created(
        "RoleBinding",
        json!({
            "roleRef": {"kind": "ClusterRole", "name": "view"},
            "subjects": [
                {"kind": "User", "name": "ann"}, {"kind": "User", "name": "bob"}, {"kind": "Group", "name": "dev"},
                {"kind": "ServiceAccount", "name": "robot", "namespace": "ci"},
            ],
        }),
    );
    stored(
        &binding,
        "/roleRef",
        expect![[r#"
        {
          "apiGroup": "rbac.authorization.k8s.io",
          "kind": "ClusterRole",
          "name": "view"
        }"#]],
    );
    shown(
        "RoleBinding",
        std::slice::from_ref(&binding),
        expect![[r#"
        x | ClusterRole/view | 60m | ann, bob | dev | ci/robot
    "#]],
    );
    change_refused(
        "RoleBinding",
        &binding,
        |binding| binding["roleRef"]["name"] = json!("edit"),
        expect![[r#"
        roleRef: Invalid value: {"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"edit"}: cannot change roleRef
    "#]],
    );
    refused(
        "ClusterRoleBinding",
        json!({"roleRef": {"kind": "Role"}, "subjects": [
            {"kind": "ServiceAccount", "name": "A", "apiGroup": "x"}, {"kind": "User", "apiGroup": "x"}, {"kind": "Odd", "name": "o"},
        ]}),
        expect![[r#"
            roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"
            roleRef.name: Required value
            subjects[0].name: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
            subjects[0].apiGroup: Unsupported value: "x": supported values: ""
            subjects[0].namespace: Required value
            subjects[1].name: Required value
            subjects[1].apiGroup: Unsupported value: "x": supported values: "rbac.authorization.k8s.io"
            subjects[2].kind: Unsupported value: "Odd": supported values: "Group", "ServiceAccount", "User"
        "#]],
    );
}
