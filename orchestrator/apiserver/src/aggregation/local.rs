//! The APIServices of what this server answers itself.

use super::GROUP;
use super::writer::{Act, write};
use crate::server::ApiServer;
use orchestrator_apimachinery::{ApiError, meta};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const MANAGED: &str = "kube-aggregator.kubernetes.io/automanaged";

/// `groupPriorityMinimum` of the groups that come first, as upstream has them.
const PRIORITIES: [(&str, i64); 20] = [
    ("", 18_000),
    ("apps", 17_800),
    ("events.k8s.io", 17_750),
    ("authentication.k8s.io", 17_700),
    ("authorization.k8s.io", 17_600),
    ("autoscaling", 17_500),
    ("batch", 17_400),
    ("certificates.k8s.io", 17_300),
    ("networking.k8s.io", 17_200),
    ("policy", 17_100),
    ("rbac.authorization.k8s.io", 17_000),
    ("storage.k8s.io", 16_800),
    ("apiextensions.k8s.io", 16_700),
    ("admissionregistration.k8s.io", 16_700),
    ("scheduling.k8s.io", 16_600),
    ("coordination.k8s.io", 16_500),
    ("node.k8s.io", 16_300),
    ("discovery.k8s.io", 16_200),
    ("flowcontrol.apiserver.k8s.io", 16_100),
    ("resource.k8s.io", 15_900),
];

/// What is served, and whether that is of custom resources.
fn wanted(server: &Arc<ApiServer>) -> BTreeMap<(String, String), bool> {
    let catalog = server.caches().catalog();
    let own = catalog.all().iter().filter(|kind| kind.group != GROUP);
    let version = |kind: &Arc<orchestrator_apimachinery::Kind>| {
        ((kind.group.to_string(), kind.version.to_string()), kind.custom.is_some())
    };
    own.map(version).collect()
}

/// Makes the APIServices that are missing, and takes away those of custom resources that are gone.
pub(super) async fn register(server: &Arc<ApiServer>) -> Result<(), ApiError> {
    let wanted = wanted(server);
    let mut known = BTreeSet::new();
    for service in super::all(server.caches()) {
        let text = |key: &str| service["spec"][key].as_str().unwrap_or_default().to_owned();
        let version = (text("group"), text("version"));
        let managed = service["metadata"]["labels"][MANAGED].as_str() == Some("true");
        if managed && !wanted.contains_key(&version) && !service["spec"]["service"].is_object() {
            write(server, meta::name(&service), Act::Delete).await?;
        }
        known.insert(version);
    }
    // Gathered first: what waits holds no borrowed text.
    let mut missing = wanted;
    missing.retain(|version, _| !known.contains(version));
    for ((group, version), custom) in missing {
        let priority = PRIORITIES.iter().find(|(name, _)| *name == group).map(|(_, priority)| *priority);
        let (minimum, priority) = match (custom, priority) {
            (true, _) => (1000, 100),
            (_, Some(minimum)) => (minimum, if version == "v2" { 30 } else { 15 }),
            (_, None) => (15_000, 15),
        };
        let name = format!("{version}.{group}");
        let service = json!({
            "apiVersion": format!("{GROUP}/v1"), "kind": "APIService",
            "metadata": {"name": name, "labels": {MANAGED: if custom { "true" } else { "onstart" }}},
            "spec": {
                "group": group, "version": version, "groupPriorityMinimum": minimum, "versionPriority": priority,
            },
        });
        write(server, &name, Act::Create(service)).await?;
    }
    Ok(())
}
