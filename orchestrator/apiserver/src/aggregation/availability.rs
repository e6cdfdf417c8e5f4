//! Whether an extension server can be reached, told as the condition Available.

use super::writer::{Act, write};
use super::{Remote, forward};
use crate::body::full;
use crate::identity::Identity;
use crate::limits;
use crate::registry::{ObjectReader, timestamp};
use crate::server::ApiServer;
use futures::FutureExt;
use orchestrator_apimachinery::{ApiError, meta};
use runtime_base::clock::within;
use serde_json::{Value, json};
use std::sync::Arc;

/// What a look at an extension server shows.
pub(super) struct Found {
    pub available: bool,
    pub reason: &'static str,
    pub message: String,
    /// Its `APIResourceList`.
    pub resources: Option<Value>,
}

impl Found {
    pub fn failed(reason: &'static str, message: String) -> Self {
        Found { available: false, reason, message, resources: None }
    }
}

/// Who the server is when it asks for itself.
pub(super) fn asker() -> Identity {
    Identity::user("system:kube-aggregator", &["system:masters"])
}

/// The revisions of the Service and of the EndpointSlices that an APIService hangs on.
pub(super) fn backing(server: &Arc<ApiServer>, service: &Value) -> Vec<String> {
    let text = |key: &str| service["spec"]["service"][key].as_str().unwrap_or_default();
    let (namespace, name) = (text("namespace"), text("name"));
    let caches = server.caches();
    let read = |bytes: bytes::Bytes| serde_json::from_slice::<Value>(&bytes).ok();
    let slices = caches.list("discovery.k8s.io", "endpointslices", Some(namespace)).into_iter().filter_map(read);
    let own = slices.filter(|slice| slice["metadata"]["labels"]["kubernetes.io/service-name"] == name);
    let found = caches.get("", "services", namespace, name).and_then(read);
    found.into_iter().chain(own).map(|object| meta::resource_version(&object).to_owned()).collect()
}

/// Looks whether an APIService can be reached.
pub(super) async fn look(server: &Arc<ApiServer>, service: &Value, remote: &Remote) -> Found {
    match missing(server, service) {
        Some(found) => found,
        None => ask(server, remote).boxed().await,
    }
}

/// What of its Service is missing.
fn missing(server: &Arc<ApiServer>, service: &Value) -> Option<Found> {
    let text = |key: &str| service["spec"]["service"][key].as_str().unwrap_or_default();
    let (namespace, name) = (text("namespace"), text("name"));
    let port = service["spec"]["service"]["port"].as_i64().unwrap_or(443);
    let caches = server.caches();
    let read = |bytes: bytes::Bytes| serde_json::from_slice::<Value>(&bytes).ok();
    let Some(found) = caches.get("", "services", namespace, name).and_then(read) else {
        let message = format!("service/{name} in {namespace:?} is not present");
        return Some(Found::failed("ServiceNotFound", message));
    };
    if found["spec"]["type"] == "ExternalName" {
        return None;
    }
    let mut ports = found["spec"]["ports"].as_array().into_iter().flatten();
    let Some(known) = ports.find(|known| known["port"] == port) else {
        let message = format!("service/{name} in {namespace:?} is not listening on port {port}");
        return Some(Found::failed("ServicePortError", message));
    };
    let port_name = known["name"].as_str().unwrap_or_default();
    let slices = caches.list("discovery.k8s.io", "endpointslices", Some(namespace));
    let slices = slices.into_iter().filter_map(read);
    let own: Vec<Value> =
        slices.filter(|slice| slice["metadata"]["labels"]["kubernetes.io/service-name"] == name).collect();
    if own.is_empty() {
        let message = format!("cannot find endpointslices for service/{name} in {namespace:?}");
        return Some(Found::failed("EndpointsNotFound", message));
    }
    let serves = |slice: &Value| {
        let mut ports = slice["ports"].as_array().into_iter().flatten();
        let mut endpoints = slice["endpoints"].as_array().into_iter().flatten();
        ports.any(|port| port["name"].as_str().unwrap_or_default() == port_name)
            && endpoints.any(|one| one["conditions"]["ready"].as_bool() != Some(false))
    };
    if !own.iter().any(serves) {
        let message =
            format!("endpoints for service/{name} in {namespace:?} have no addresses with port name {port_name:?}");
        return Some(Found::failed("MissingEndpoints", message));
    }
    None
}

/// Asks for its resources.
async fn ask(server: &Arc<ApiServer>, remote: &Remote) -> Found {
    let path = format!("/apis/{}/{}", remote.group, remote.version);
    let failed = |why: String| Found::failed("FailedDiscoveryCheck", why);
    let who = asker();
    let request = http::Request::get(&path).header(http::header::ACCEPT, "application/json").body(full(""));
    let Ok(request) = request else { return failed(format!("{path} is no path")) };
    let caller = &server.registry.caller;
    let asking = async {
        let answer = forward::send(caller, remote, &who, request).boxed().await.map_err(|error| error.message)?;
        let status = answer.status();
        if !status.is_success() {
            return Err(format!("bad status from {}{path}: {}", remote.place, status.as_u16()));
        }
        let body = forward::collect(answer.into_body(), limits::CALL_ANSWER_BYTES_MAX).await?;
        serde_json::from_slice::<Value>(&body).map_err(|error| error.to_string())
    };
    match within(limits::AVAILABILITY_TIME_MAX, asking).await {
        Some(Ok(resources)) => {
            Found { available: true, reason: "Passed", message: "all checks passed".into(), resources: Some(resources) }
        }
        Some(Err(why)) => failed(format!("failing or missing response from {}{path}: {why}", remote.place)),
        None => failed(format!("failing or missing response from {}{path}: context deadline exceeded", remote.place)),
    }
}

/// Writes what was found into the APIService's status, if it is news.
pub(super) async fn tell(server: &Arc<ApiServer>, service: &Value, found: &Found) -> Result<(), ApiError> {
    let status = if found.available { "True" } else { "False" };
    let conditions = service["status"]["conditions"].as_array().into_iter().flatten();
    let old = conditions.into_iter().find(|one| one["type"] == "Available");
    let same =
        |old: &Value| old["status"] == status && old["reason"] == found.reason && old["message"] == *found.message;
    if old.is_some_and(same) {
        return Ok(());
    }
    let changed = timestamp(server.registry.now());
    let time =
        old.filter(|old| old["status"] == status).map_or(json!(changed), |old| old["lastTransitionTime"].clone());
    let condition = json!({
        "type": "Available", "status": status, "reason": found.reason, "message": found.message,
        "lastTransitionTime": time,
    });
    let mut make = |old: &Value| {
        let mut new = old.clone();
        let others = old["status"]["conditions"].as_array().into_iter().flatten();
        let mut conditions: Vec<Value> = others.into_iter().filter(|one| one["type"] != "Available").cloned().collect();
        conditions.push(condition.clone());
        new["status"]["conditions"] = json!(conditions);
        Ok(new)
    };
    write(server, meta::name(service), Act::Status(&mut make)).await
}
