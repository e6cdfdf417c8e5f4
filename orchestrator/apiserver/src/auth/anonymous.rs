//! Where nobody has to say who they are, as `anonymous.conditions` of upstream's
//! AuthenticationConfiguration: health, version, and what a joining node needs to find the cluster.

/// These paths exactly, as upstream's conditions.
const PATHS: [&str; 6] = [
    "/healthz",
    "/livez",
    "/readyz",
    "/version",
    "/version/",
    "/api/v1/namespaces/kube-public/configmaps/cluster-info",
];

/// Whether a request without credentials for this path is that of `system:anonymous`; elsewhere it is refused.
pub(crate) fn may_be_anonymous(path: &str) -> bool {
    PATHS.contains(&path)
}
