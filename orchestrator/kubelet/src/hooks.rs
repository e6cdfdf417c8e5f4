//! Lifecycle hooks: postStart and preStop.

use crate::limits::HOOK_TIMEOUT;
use crate::machine::PodNetworks;
use crate::probe::{self, Outcome};
use k8s_openapi::api::core::v1::{Container, LifecycleHandler};
use runtime_base::clock;
use std::net::IpAddr;
use std::time::Duration;

/// Runs one hook; the error is the Event's text.
pub async fn run(
    handler: &LifecycleHandler,
    networks: &dyn PodNetworks,
    address: IpAddr,
    container: &Container,
) -> Result<(), String> {
    if let Some(sleep) = &handler.sleep {
        clock::sleep(Duration::from_secs(u64::try_from(sleep.seconds).unwrap_or(0))).await;
        return Ok(());
    }
    let outcome = if let Some(action) = &handler.http_get {
        probe::http_get(networks, address, container, action, HOOK_TIMEOUT).await
    } else if let Some(action) = &handler.tcp_socket {
        probe::tcp(networks, address, container, action, HOOK_TIMEOUT).await
    } else {
        Outcome::Unsupported("exec")
    };
    match outcome {
        Outcome::Success => Ok(()),
        Outcome::Failure(message) => Err(message),
        Outcome::Unsupported(what) => Err(format!("a hook by {what} is not supported yet")),
    }
}
