//! Role, ClusterRole, RoleBinding, ClusterRoleBinding: four kinds, one set of rules.

use super::{AGE, ColumnText, NAME, cluster, columns, namespaced};
use crate::kind::{Column, Kind};

const GROUP: &str = "rbac.authorization.k8s.io";

/// The rows of the four kinds.
pub fn kinds() -> Vec<Kind> {
    let roles = [cluster(GROUP, "ClusterRole", "clusterroles"), namespaced(GROUP, "Role", "roles")];
    let bindings =
        [cluster(GROUP, "ClusterRoleBinding", "clusterrolebindings"), namespaced(GROUP, "RoleBinding", "rolebindings")];
    let bindings = bindings.map(|kind| Kind { columns: binding_columns(), ..kind });
    roles.into_iter().chain(bindings).collect()
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
