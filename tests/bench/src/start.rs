//! Start to ready.

use crate::cluster::{Cluster, PATIENCE};
use crate::samples::Samples;
use anyhow::bail;
use k8s_openapi::api::core::v1::Node;
use kube::Client;
use kube::api::{Api, ListParams};
use std::time::{Duration, Instant};

/// Options of `start`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Starts of each kind.
    #[arg(long, default_value_t = 10)]
    runs: u32,
}

#[derive(Default)]
struct Measured {
    line: Samples,
    answer: Samples,
    node: Samples,
    stop: Samples,
}

/// Measures first and second starts, each time in a directory of its own.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let (mut first, mut second) = (Measured::default(), Measured::default());
    for _ in 0..args.runs {
        let dir = tempfile::tempdir()?;
        measure(dir.path(), &mut first).await?;
        measure(dir.path(), &mut second).await?;
    }
    for (name, measured) in [("first start", first), ("second start", second)] {
        println!("{name}");
        println!("  ready line         {}", measured.line);
        println!("  /readyz over TLS   {}", measured.answer);
        println!("  node is Ready      {}", measured.node);
        println!("  SIGTERM to the end {}", measured.stop);
    }
    Ok(())
}

async fn measure(dir: &std::path::Path, measured: &mut Measured) -> anyhow::Result<()> {
    let cluster = Cluster::start(dir)?;
    measured.line.push(cluster.ready_after);
    let client = cluster.client().await?;
    client.request_text(::http::Request::get("/readyz").body(Vec::new())?).await?;
    measured.answer.push(cluster.begin.elapsed());
    measured.node.push(node_ready(client, cluster.begin).await?);
    measured.stop.push(cluster.stop()?);
    Ok(())
}

/// When the one node became Ready, as a client sees it that asks every 2 ms.
async fn node_ready(client: Client, begin: Instant) -> anyhow::Result<Duration> {
    let nodes: Api<Node> = Api::all(client);
    while begin.elapsed() < PATIENCE {
        let seen = nodes.list(&ListParams::default()).await?.items;
        let conditions =
            seen.iter().flat_map(|node| &node.status).flat_map(|status| status.conditions.iter().flatten());
        if conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True") {
            return Ok(begin.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    bail!("the node is not Ready after {PATIENCE:?}")
}
