//! The logs of all containers, each line with a prefix.

use super::view::View;
use futures::{AsyncBufReadExt, TryStreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::api::LogParams;
use kube::{Api, Client, ResourceExt};
use orchestrator_client::Informer;
use orchestrator_client::informer::Filter;
use runtime_base::Tasks;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Streams what containers write, from their start on, until `tasks` stops.
pub fn follow(client: &Client, view: Arc<View>, tasks: &Tasks) {
    let pods: Informer<Pod> = Informer::start(Api::all(client.clone()), Filter::default(), tasks);
    // One stream for each run of a container.
    let streaming: Arc<Mutex<HashSet<String>>> = Arc::default();
    let (client, tasks) = (client.clone(), tasks.clone());
    pods.on_change(move |_, new| {
        let Some(pod) = new else { return };
        let status = pod.status.as_ref();
        let init = status.and_then(|status| status.init_container_statuses.as_deref()).unwrap_or_default();
        let containers = status.and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
        for container in init.iter().chain(containers) {
            let state = container.state.as_ref();
            let started = state.is_some_and(|state| state.running.is_some() || state.terminated.is_some());
            let Some(id) = container.container_id.clone().filter(|_| started) else { continue };
            if !streaming.lock().unwrap_or_else(PoisonError::into_inner).insert(id) {
                continue;
            }
            let (client, view) = (client.clone(), view.clone());
            let (namespace, pod, container) =
                (pod.namespace().unwrap_or_default(), pod.name_any(), container.name.clone());
            tasks.spawn("log", async move {
                if let Err(error) = stream(client, &namespace, &pod, &container, &view).await {
                    tracing::debug!(pod, container, %error, "log ended");
                }
            });
        }
    });
}

async fn stream(client: Client, namespace: &str, pod: &str, container: &str, view: &View) -> anyhow::Result<()> {
    let api: Api<Pod> = Api::namespaced(client, namespace);
    let params = LogParams { follow: true, container: Some(container.to_owned()), ..LogParams::default() };
    let mut lines = api.log_stream(pod, &params).await?.lines();
    while let Some(line) = lines.try_next().await? {
        // What guests print goes to a terminal: their control characters do not.
        let safe: String = line.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect();
        view.line(&format!("[{pod}/{container}] {safe}"));
    }
    Ok(())
}
