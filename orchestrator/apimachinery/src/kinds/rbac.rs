//! Role, ClusterRole, RoleBinding, ClusterRoleBinding: four kinds, one set of rules.

use super::fields::{default_text, indexed, list, list_mut, object_mut, text};
use super::{AGE, ColumnText, NAME, cells, cluster, columns, names, namespaced};
use crate::field::{Errors, Path};
use crate::kind::{Column, Kind, Strategy};
use serde_json::Value;

const GROUP: &str = "rbac.authorization.k8s.io";

/// The rows of the four kinds.
pub fn kinds() -> Vec<Kind> {
    let role = |kind, validate| Kind {
        strategy: Strategy { name: names::path_segment, validate, ..Strategy::default() },
        ..kind
    };
    let binding = |kind, validate| Kind {
        columns: binding_columns(),
        strategy: Strategy {
            name: names::path_segment,
            default,
            validate,
            validate_update: validate_binding_update,
            cells: binding_row,
            ..Strategy::default()
        },
        ..kind
    };
    vec![
        role(cluster(GROUP, "ClusterRole", "clusterroles"), |object, errors| validate_role(object, false, errors)),
        role(namespaced(GROUP, "Role", "roles"), |object, errors| validate_role(object, true, errors)),
        binding(cluster(GROUP, "ClusterRoleBinding", "clusterrolebindings"), |object, errors| {
            validate_binding(object, &["ClusterRole"], true, errors);
        }),
        binding(namespaced(GROUP, "RoleBinding", "rolebindings"), |object, errors| {
            validate_binding(object, &["Role", "ClusterRole"], false, errors);
        }),
    ]
}

fn binding_columns() -> Vec<Column> {
    const ROLE: ColumnText = ("Role", "string", 0, "The role that it gives.");
    columns(&[
        NAME,
        ROLE,
        AGE,
        ("Users", "string", 1, "Users who get the role."),
        ("Groups", "string", 1, "Groups that get the role."),
        ("ServiceAccounts", "string", 1, "ServiceAccounts that get the role."),
    ])
}

fn default(object: &mut Value) {
    if let Some(role) = object_mut(object, "roleRef") {
        default_text(role, "apiGroup", GROUP);
    }
    for subject in list_mut(object, "subjects") {
        if ["User", "Group"].contains(&text(subject, "kind")) {
            default_text(subject, "apiGroup", GROUP);
        }
    }
}

fn validate_role(object: &Value, is_namespaced: bool, errors: &mut Errors) {
    for (index, rule) in indexed(object, "rules") {
        let path = Path::new("rules").index(index);
        let is_empty = |field| list(rule, field).is_empty();
        if is_empty("verbs") {
            errors.required(&path.child("verbs"), "verbs must contain at least one value");
        }
        if !is_empty("nonResourceURLs") {
            let (urls, path) = (&rule["nonResourceURLs"], path.child("nonResourceURLs"));
            if is_namespaced {
                errors.invalid(&path, urls, "namespaced rules cannot apply to non-resource URLs");
            }
            if !is_empty("apiGroups") || !is_empty("resources") || !is_empty("resourceNames") {
                errors.invalid(&path, urls, "rules cannot apply to both regular resources and non-resource URLs");
            }
            continue;
        }
        if is_empty("apiGroups") {
            errors.required(&path.child("apiGroups"), "resource rules must supply at least one api group");
        }
        if is_empty("resources") {
            errors.required(&path.child("resources"), "resource rules must supply at least one resource");
        }
    }
}

fn validate_binding(object: &Value, kinds: &[&str], needs_namespace: bool, errors: &mut Errors) {
    let (role, path) = (&object["roleRef"], Path::new("roleRef"));
    if text(role, "apiGroup") != GROUP {
        errors.not_supported(&path.child("apiGroup"), text(role, "apiGroup"), &[GROUP]);
    }
    if !kinds.contains(&text(role, "kind")) {
        errors.not_supported(&path.child("kind"), text(role, "kind"), kinds);
    }
    let name = text(role, "name");
    if name.is_empty() {
        errors.required(&path.child("name"), "");
    }
    for wrong in names::path_segment(name, false) {
        errors.invalid(&path.child("name"), name, &wrong);
    }
    for (index, subject) in indexed(object, "subjects") {
        validate_subject(subject, needs_namespace, &Path::new("subjects").index(index), errors);
    }
}

fn validate_subject(subject: &Value, needs_namespace: bool, path: &Path, errors: &mut Errors) {
    let (name, group) = (text(subject, "name"), text(subject, "apiGroup"));
    if name.is_empty() {
        errors.required(&path.child("name"), "");
    }
    match text(subject, "kind") {
        "ServiceAccount" => {
            for wrong in if name.is_empty() { Vec::new() } else { names::dns_subdomain(name) } {
                errors.invalid(&path.child("name"), name, &wrong);
            }
            if !group.is_empty() {
                errors.not_supported(&path.child("apiGroup"), group, &[""]);
            }
            if needs_namespace && text(subject, "namespace").is_empty() {
                errors.required(&path.child("namespace"), "");
            }
        }
        "User" | "Group" => {
            if group != GROUP {
                errors.not_supported(&path.child("apiGroup"), group, &[GROUP]);
            }
        }
        other => errors.not_supported(&path.child("kind"), other, &["ServiceAccount", "User", "Group"]),
    }
}

fn validate_binding_update(object: &Value, old: &Value, errors: &mut Errors) {
    if object["roleRef"] != old["roleRef"] {
        errors.invalid(&Path::new("roleRef"), &object["roleRef"], "cannot change roleRef");
    }
}

fn binding_row(object: &Value, now: i64) -> Vec<Value> {
    let subjects = |kind: &str| {
        let named = list(object, "subjects").iter().filter(|subject| text(subject, "kind") == kind);
        let shown = named.map(|subject| match kind {
            "ServiceAccount" => format!("{}/{}", text(subject, "namespace"), text(subject, "name")),
            _ => text(subject, "name").to_owned(),
        });
        shown.collect::<Vec<_>>().join(", ")
    };
    let role = &object["roleRef"];
    vec![
        cells::name(object),
        format!("{}/{}", text(role, "kind"), text(role, "name")).into(),
        cells::age(object, now),
        subjects("User").into(),
        subjects("Group").into(),
        subjects("ServiceAccount").into(),
    ]
}

#[cfg(test)]
mod tests;
