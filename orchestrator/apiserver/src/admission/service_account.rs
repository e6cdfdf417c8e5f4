//! Gives each Pod a ServiceAccount, and a volume with its token, the cluster's CA and its
//! namespace.

use super::Admission;
use crate::limits;
use crate::registry::{ObjectReader, Registry};
use orchestrator_apimachinery::{ApiError, meta};
use runtime_base::clock::within;
use serde_json::{Value, json};

const DEFAULT: &str = "default";
const MOUNT_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const VOLUME_PREFIX: &str = "kube-api-access-";
/// Lifetime that Pods ask for their tokens (upstream's hour and a bit).
const TOKEN_SECONDS: i64 = 3607;
/// Marks the API's copy of a Pod that a node runs by itself.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// In a new namespace the default ServiceAccount comes a moment later; waits for it.
pub(super) async fn wait_for_default(registry: &Registry, namespace: &str, pod: &Value) {
    if !matches!(pod["spec"]["serviceAccountName"].as_str(), None | Some("" | DEFAULT)) {
        return;
    }
    let mut changes = registry.caches.changes("", "serviceaccounts");
    let there = async {
        while registry.caches.get("", "serviceaccounts", namespace, DEFAULT).is_none() {
            // A namespace that does not exist gets none.
            if registry.caches.get("", "namespaces", "", namespace).is_none() || changes.changed().await.is_err() {
                return;
            }
        }
    };
    // That it did not come is told by the plugin.
    let _ = within(limits::SERVICE_ACCOUNT_TIME_MAX, there).await;
}

/// Sets `spec.serviceAccountName`, the token's volume and its mounts, and `imagePullSecrets`.
pub(super) fn mutate(admission: &Admission<'_>, pod: &mut Value) -> Result<(), ApiError> {
    if !admission.creates_pod() || is_mirror(pod) {
        return Ok(());
    }
    let spec = &mut pod["spec"];
    if spec["serviceAccountName"].as_str().is_none_or(str::is_empty) {
        spec["serviceAccountName"] = json!(DEFAULT);
    }
    spec["serviceAccount"] = spec["serviceAccountName"].clone();
    let account = account(admission, pod)?;
    let spec = &mut pod["spec"];
    let automount = [&spec["automountServiceAccountToken"], &account["automountServiceAccountToken"]]
        .into_iter()
        .find_map(Value::as_bool)
        .unwrap_or(true);
    if automount {
        mount(admission, spec);
    }
    let none = spec["imagePullSecrets"].as_array().is_none_or(Vec::is_empty);
    if none && let Some(secrets) = account["imagePullSecrets"].as_array().filter(|secrets| !secrets.is_empty()) {
        spec["imagePullSecrets"] = json!(secrets);
    }
    Ok(())
}

/// A mirror Pod may not use the API.
pub(super) fn validate(admission: &Admission<'_>, pod: &Value) -> Result<(), ApiError> {
    if !admission.creates_pod() || !is_mirror(pod) {
        return Ok(());
    }
    if pod["spec"]["serviceAccountName"].as_str().is_some_and(|name| !name.is_empty()) {
        return Err(admission.writing.forbidden(meta::name(pod), "a mirror pod may not reference service accounts"));
    }
    Ok(())
}

fn is_mirror(pod: &Value) -> bool {
    pod["metadata"]["annotations"][MIRROR].is_string()
}

fn account(admission: &Admission<'_>, pod: &Value) -> Result<Value, ApiError> {
    let namespace = &admission.writing.what.namespace;
    let name = pod["spec"]["serviceAccountName"].as_str().unwrap_or_default();
    let found = admission.registry.caches.get("", "serviceaccounts", namespace, name);
    found.and_then(|bytes| serde_json::from_slice(&bytes).ok()).ok_or_else(|| {
        let why = format!("error looking up service account {namespace}/{name}: serviceaccount {name:?} not found");
        admission.writing.forbidden(meta::name(pod), &why)
    })
}

fn mount(admission: &Admission<'_>, spec: &mut Value) {
    let existing = spec["volumes"].as_array().into_iter().flatten();
    let existing = existing.filter_map(|volume| volume["name"].as_str()).find(|name| name.starts_with(VOLUME_PREFIX));
    let (name, is_new) = match existing {
        Some(name) => (name.to_owned(), false),
        None => (format!("{VOLUME_PREFIX}{}", admission.registry.rng.suffix(5)), true),
    };
    let mut mounted = false;
    for containers in ["initContainers", "containers"] {
        for container in spec.get_mut(containers).and_then(Value::as_array_mut).into_iter().flatten() {
            let mounts = container["volumeMounts"].as_array().into_iter().flatten();
            if mounts.into_iter().any(|mount| mount["mountPath"] == MOUNT_PATH) {
                continue;
            }
            if !container["volumeMounts"].is_array() {
                container["volumeMounts"] = json!([]);
            }
            if let Some(mounts) = container["volumeMounts"].as_array_mut() {
                mounts.push(json!({"name": name, "readOnly": true, "mountPath": MOUNT_PATH}));
            }
            mounted = true;
        }
    }
    if !(mounted && is_new) {
        return;
    }
    if !spec["volumes"].is_array() {
        spec["volumes"] = json!([]);
    }
    if let Some(volumes) = spec["volumes"].as_array_mut() {
        volumes.push(json!({"name": name, "projected": {"defaultMode": 420, "sources": [
            {"serviceAccountToken": {"expirationSeconds": TOKEN_SECONDS, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [{
                "path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"},
            }]}},
        ]}}));
    }
}
