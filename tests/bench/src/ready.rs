//! From POST to Ready.

use crate::cluster::{Cluster, PATIENCE, create_and_wait, has_condition, http_pod, idle_pod};
use crate::samples::Samples;
use anyhow::{Context, bail};
use futures::stream::{BoxStream, StreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, PostParams, WatchEvent, WatchParams};
use serde_json::Value;
use std::time::{Duration, Instant};

/// A watch is opened anew, between two Pods, before the server or the client ends it.
const WATCH_AGE_MAX: Duration = Duration::from_secs(120);

/// Options of `ready`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Pods of each kind, one after another.
    #[arg(long, default_value_t = 200)]
    pods: u32,
    /// Leave each Pod running instead of deleting it before the next; the node takes 250.
    #[arg(long)]
    keep: bool,
}

/// When the watch showed what, since the POST.
#[derive(Default)]
struct Seen {
    bound: Samples,
    running: Samples,
    ready: Samples,
    /// From DELETE to the event that it is gone.
    gone: Samples,
}

/// Makes Pods of two kinds, each kind on a cluster of its own whose image one Pod has warmed.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    type Make = fn(&str) -> Value;
    let kinds: [(&str, Make); 2] = [
        ("command component (stress idle)", idle_pod),
        ("wasi:http component with a readiness probe (hello-http)", |name| http_pod(name, "hello")),
    ];
    for (name, make) in kinds {
        let dir = tempfile::tempdir()?;
        let cluster = Cluster::start(dir.path())?;
        let pods: Api<Pod> = Api::default_namespaced(cluster.client().await?);
        let begin = Instant::now();
        create_and_wait(&pods, &make("warm")).await?;
        println!("{name}; the first Pod, its image compiled: {} ms", begin.elapsed().as_millis());
        let seen = measure(&pods, make, args).await?;
        println!("  to bound   {}", seen.bound);
        println!("  to running {}", seen.running);
        println!("  to Ready   {}", seen.ready);
        if !args.keep {
            println!("  DELETE to gone {}", seen.gone);
        }
        drop(pods);
        cluster.stop()?;
    }
    Ok(())
}

async fn measure(pods: &Api<Pod>, make: fn(&str) -> Value, args: &Args) -> anyhow::Result<Seen> {
    let mut seen = Seen::default();
    let mut watch = Watch::open(pods).await?;
    for index in 0..args.pods {
        watch.renew(pods).await?;
        let name = format!("pod-{index}");
        let pod: Pod = serde_json::from_value(make(&name))?;
        let begin = Instant::now();
        let post = PostParams::default();
        let (created, observed) = tokio::join!(pods.create(&post, &pod), watch.until_ready(&name, begin, &mut seen));
        created?;
        observed?;
        if !args.keep {
            let begin = Instant::now();
            pods.delete(&name, &DeleteParams::default()).await?;
            watch.until_gone(&name).await?;
            seen.gone.push(begin.elapsed());
        }
    }
    Ok(seen)
}

/// All Pods of the namespace, as they change.
struct Watch {
    events: BoxStream<'static, Result<WatchEvent<Pod>, kube::Error>>,
    opened: Instant,
}

impl Watch {
    async fn open(pods: &Api<Pod>) -> anyhow::Result<Watch> {
        let events = pods.watch(&WatchParams::default(), "0").await?.boxed();
        Ok(Watch { events, opened: Instant::now() })
    }

    async fn renew(&mut self, pods: &Api<Pod>) -> anyhow::Result<()> {
        if self.opened.elapsed() > WATCH_AGE_MAX {
            *self = Watch::open(pods).await?;
        }
        Ok(())
    }

    /// The next event of the Pod `name`, and whether it is gone.
    async fn next(&mut self, name: &str) -> anyhow::Result<(Pod, bool)> {
        loop {
            let event = tokio::time::timeout(PATIENCE, self.events.next()).await;
            let event = event.with_context(|| format!("nothing new of Pod {name} in {PATIENCE:?}"))?;
            match event.context("the watch has ended")?? {
                WatchEvent::Added(pod) | WatchEvent::Modified(pod) if pod.name_any() == name => {
                    return Ok((pod, false));
                }
                WatchEvent::Deleted(pod) if pod.name_any() == name => return Ok((pod, true)),
                WatchEvent::Error(status) => bail!("the watch has failed: {}", status.message),
                _ => {}
            }
        }
    }

    async fn until_ready(&mut self, name: &str, begin: Instant, seen: &mut Seen) -> anyhow::Result<()> {
        let (mut bound, mut running) = (None, None);
        loop {
            let (pod, gone) = self.next(name).await?;
            let now = begin.elapsed();
            if gone {
                bail!("Pod {name} went before it was Ready");
            }
            if has_condition(&pod, "PodScheduled") {
                bound.get_or_insert(now);
            }
            if pod.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some("Running")) {
                running.get_or_insert(now);
            }
            if has_condition(&pod, "Ready") {
                seen.bound.push(bound.unwrap_or(now));
                seen.running.push(running.unwrap_or(now));
                seen.ready.push(now);
                return Ok(());
            }
        }
    }

    async fn until_gone(&mut self, name: &str) -> anyhow::Result<()> {
        while !self.next(name).await?.1 {}
        Ok(())
    }
}
