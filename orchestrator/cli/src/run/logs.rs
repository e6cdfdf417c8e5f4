//! The logs of all containers, each line with a prefix.

use super::view::View;
use futures::{AsyncBufReadExt, TryStreamExt};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::api::{ListParams, LogParams};
use kube::{Api, Client, ResourceExt};
use orchestrator_client::Informer;
use orchestrator_client::informer::Filter;
use runtime_base::Tasks;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tokio::sync::watch;

/// The streams of logs, one for each run of a container.
pub struct Logs {
    /// Whether all of it was shown, by container id.
    streams: Arc<watch::Sender<HashMap<String, bool>>>,
}

impl Logs {
    /// Streams what containers write, from their start on, until `tasks` stops.
    pub fn follow(client: &Client, view: Arc<View>, tasks: &Tasks) -> Logs {
        let pods: Informer<Pod> = Informer::start(Api::all(client.clone()), Filter::default(), tasks);
        let streams: Arc<watch::Sender<HashMap<String, bool>>> = Arc::default();
        let (client, tasks, all) = (client.clone(), tasks.clone(), streams.clone());
        pods.on_change(move |_, new| {
            let Some(pod) = new else { return };
            for (container, id) in containers(pod) {
                let state = container.state.as_ref();
                if !state.is_some_and(|state| state.running.is_some() || state.terminated.is_some()) {
                    continue;
                }
                if !all.send_if_modified(|all| !all.contains_key(id) && all.insert(id.to_owned(), false).is_none()) {
                    continue;
                }
                let (client, view, all, id) = (client.clone(), view.clone(), all.clone(), id.to_owned());
                let (namespace, pod, container) =
                    (pod.namespace().unwrap_or_default(), pod.name_any(), container.name.clone());
                tasks.spawn("log", async move {
                    if let Err(error) = stream(client, &namespace, &pod, &container, &view).await {
                        tracing::debug!(pod, container, %error, "log ended");
                    }
                    all.send_modify(|all| {
                        all.insert(id, true);
                    });
                });
            }
        });
        Logs { streams }
    }

    /// Waits until all that the containers that have ended by now had written was shown.
    pub async fn shown(&self, client: &Client) {
        let Ok(pods) = Api::<Pod>::all(client.clone()).list(&ListParams::default()).await else { return };
        let has_ended =
            |container: &ContainerStatus| container.state.as_ref().is_some_and(|state| state.terminated.is_some());
        let ended: HashSet<&str> =
            pods.iter().flat_map(containers).filter(|(container, _)| has_ended(container)).map(|(_, id)| id).collect();
        let mut streams = self.streams.subscribe();
        // The sender lives as long as we do.
        let _ = streams.wait_for(|all| ended.iter().all(|id| all.get(*id) == Some(&true))).await;
    }
}

/// The containers of a Pod that were made, with their ids.
fn containers(pod: &Pod) -> impl Iterator<Item = (&ContainerStatus, &str)> {
    let status = pod.status.as_ref();
    let init = status.and_then(|status| status.init_container_statuses.as_deref()).unwrap_or_default();
    let containers = status.and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
    init.iter().chain(containers).filter_map(|container| Some((container, container.container_id.as_deref()?)))
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
