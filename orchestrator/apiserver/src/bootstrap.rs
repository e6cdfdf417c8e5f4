//! The objects that every cluster has from its first start: system namespaces, upstream's roles
//! and bindings, priority classes, and the Service of the API itself.
//!
//! [`reconcile`] makes what is missing at each start and leaves alone what an admin changed;
//! default roles and bindings get back what they lost, unless they are annotated
//! `rbac.authorization.kubernetes.io/autoupdate: "false"`, as upstream.

mod controllers;
mod merge;
mod roles;
mod rules;

#[cfg(test)]
pub(crate) mod tests;

use async_trait::async_trait;
use futures::stream::{self, StreamExt};
use orchestrator_apimachinery::{ApiError, meta};
use serde_json::{Value, json};
use std::net::IpAddr;

/// The API group of Roles and bindings.
const RBAC: &str = "rbac.authorization.k8s.io";
/// How often a write is tried again when another server was faster.
const CONFLICTS_MAX: usize = 5;
/// Writes that are in flight together; they share the store's commits.
const WRITES_IN_FLIGHT_MAX: usize = 32;

/// What the objects depend on.
#[derive(Clone, Debug)]
pub struct BootstrapConfig {
    /// The clusterIP of the Service `default/kubernetes`: the first address of the service CIDR.
    pub service_ip: IpAddr,
    /// Where Pods reach the server: a gateway's or the advertised address. Never a loopback address.
    pub advertise_ip: IpAddr,
    /// The server's port there.
    pub port: u16,
    /// The CA's certificate as PEM, also that of client certificates.
    pub ca: String,
    /// The certificate as PEM of the authority by which extension servers know the server.
    pub front_proxy_ca: String,
}

/// Writes to the store as the server itself, past admission by users' rights.
#[async_trait]
pub trait ObjectWriter: Send + Sync {
    /// Whether the object's kind is served; what is not served is not written.
    fn serves(&self, like: &Value) -> bool;
    /// The stored object of the same apiVersion, kind, namespace and name, with its resourceVersion.
    async fn read(&self, like: &Value) -> Result<Option<Value>, ApiError>;
    /// Updates the object when `metadata.resourceVersion` is set (409 when it is not the current
    /// one), otherwise creates it (409 when it is there).
    async fn write(&self, object: Value) -> Result<(), ApiError>;
}

/// All of them, in the order in which they have to be made.
pub fn objects(config: &BootstrapConfig) -> Vec<Value> {
    let mut objects: Vec<Value> =
        ["default", "kube-system", "kube-public", "kube-node-lease"].into_iter().map(namespace).collect();
    objects.extend(priority_classes());
    objects.extend(roles::cluster_roles());
    objects.extend(controllers::cluster_roles());
    objects.extend(roles::cluster_role_bindings());
    objects.extend(controllers::cluster_role_bindings());
    objects.extend(roles::roles());
    objects.push(client_authentication(config));
    objects.push(cluster_info(config));
    objects.extend(crate::fairness::defaults::objects());
    objects.push(service(config));
    objects.push(endpoint_slice(config));
    objects
}

/// Makes and repairs them; returns how many were written. A second call writes none.
pub async fn reconcile(writer: &dyn ObjectWriter, config: &BootstrapConfig) -> Result<usize, ApiError> {
    write_all(writer, objects(config)).await
}

/// Those that are made again while the server runs when somebody deletes them, as upstream:
/// namespaces, and what the API is reached by.
pub fn kept(config: &BootstrapConfig) -> Vec<Value> {
    let mut objects = objects(config);
    objects.retain(|object| ["Namespace", "Service", "EndpointSlice"].iter().any(|kind| object["kind"] == *kind));
    objects
}

/// Makes and repairs these objects; returns how many were written.
pub async fn write_all(writer: &dyn ObjectWriter, mut objects: Vec<Value>) -> Result<usize, ApiError> {
    objects.retain(|object| writer.serves(object));
    let mut written = 0;
    // What lives in a namespace comes after it; all else shares the store's commits.
    let (first, rest): (Vec<Value>, Vec<Value>) = objects.into_iter().partition(|object| object["kind"] == "Namespace");
    for wave in [first, rest] {
        let mut results =
            stream::iter(wave).map(|wanted| reconcile_one(writer, wanted)).buffer_unordered(WRITES_IN_FLIGHT_MAX);
        while let Some(changed) = results.next().await {
            written += usize::from(changed?);
        }
    }
    Ok(written)
}

async fn reconcile_one(writer: &dyn ObjectWriter, wanted: Value) -> Result<bool, ApiError> {
    for tried in 0.. {
        let existing = writer.read(&wanted).await?;
        let Some(next) = merge::merge(existing.as_ref(), &wanted) else { return Ok(false) };
        match writer.write(next).await {
            Ok(()) => break,
            Err(error) if error.code == 409 && tried < CONFLICTS_MAX => {}
            Err(error) => return Err(error),
        }
    }
    tracing::debug!(kind = %wanted["kind"], name = meta::name(&wanted), "wrote a bootstrap object");
    Ok(true)
}

/// The rules of the ClusterRole `system:node`, which the Node authorizer grants to every node.
pub(crate) fn node_rules() -> Vec<Value> {
    roles::node_rules()
}

fn namespace(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
    })
}

fn priority_classes() -> [Value; 2] {
    let class = |name: &str, value: i64, description: &str| {
        json!({
            "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name},
            "value": value, "globalDefault": false, "preemptionPolicy": "PreemptLowerPriority",
            "description": description,
        })
    };
    [
        class(
            "system-cluster-critical",
            2_000_000_000,
            "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
        ),
        class(
            "system-node-critical",
            2_000_001_000,
            "Used for system critical pods that must not be moved from their current node.",
        ),
    ]
}

/// How extension servers check whom the API server forwards to them, as upstream.
fn client_authentication(config: &BootstrapConfig) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "extension-apiserver-authentication", "namespace": "kube-system"},
        "data": {
            "client-ca-file": config.ca,
            "requestheader-allowed-names": r#"["front-proxy-client"]"#,
            "requestheader-client-ca-file": config.front_proxy_ca,
            "requestheader-extra-headers-prefix": r#"["X-Remote-Extra-"]"#,
            "requestheader-group-headers": r#"["X-Remote-Group"]"#,
            "requestheader-uid-headers": r#"["X-Remote-Uid"]"#,
            "requestheader-username-headers": r#"["X-Remote-User"]"#,
        },
    })
}

/// Where the cluster is and what its certificates hang on: all that a joining node is told before
/// it says who it is.
fn cluster_info(config: &BootstrapConfig) -> Value {
    use base64::Engine;
    let ca = base64::engine::general_purpose::STANDARD.encode(&config.ca);
    let server = std::net::SocketAddr::new(config.advertise_ip, config.port);
    let kubeconfig = format!(
        "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: {ca}\n    server: https://{server}\n  \
         name: \"\"\ncontexts: null\ncurrent-context: \"\"\nkind: Config\npreferences: {{}}\nusers: null\n"
    );
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "cluster-info", "namespace": "kube-public"}, "data": {"kubeconfig": kubeconfig},
    })
}

fn family(ip: IpAddr) -> &'static str {
    if ip.is_ipv4() { "IPv4" } else { "IPv6" }
}

fn service(config: &BootstrapConfig) -> Value {
    let ip = config.service_ip.to_string();
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {
            "name": "kubernetes", "namespace": "default",
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {
            "type": "ClusterIP", "clusterIP": ip, "clusterIPs": [ip],
            "ipFamilies": [family(config.service_ip)], "ipFamilyPolicy": "SingleStack",
            "internalTrafficPolicy": "Cluster", "sessionAffinity": "None",
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": config.port}],
        },
    })
}

fn endpoint_slice(config: &BootstrapConfig) -> Value {
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {
            "name": "kubernetes", "namespace": "default", "labels": {"kubernetes.io/service-name": "kubernetes"},
        },
        "addressType": family(config.advertise_ip),
        "endpoints": [{"addresses": [config.advertise_ip.to_string()], "conditions": {"ready": true}}],
        "ports": [{"name": "https", "port": config.port, "protocol": "TCP"}],
    })
}
