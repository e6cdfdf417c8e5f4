//! What a server costs that has nothing to do.

use crate::cluster::{Cluster, create_and_wait, idle_pod};
use anyhow::Context;
use k8s_openapi::api::core::v1::Pod;
use kube::api::Api;
use std::fs;
use std::time::Duration;

/// Options of `idle`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Seconds of rest before the measurement.
    #[arg(long, default_value_t = 60)]
    settle: u64,
    /// Seconds of the measurement.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Pods of the second server.
    #[arg(long, default_value_t = 2)]
    pods: u32,
}

/// What /proc says of a process at one moment.
pub struct Usage {
    /// User and system time.
    pub cpu: Duration,
    /// Resident memory.
    pub resident_kib: u64,
    anonymous_kib: u64,
    threads: u64,
}

/// Measures one server with its node alone and one with idle Pods, side by side.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let (empty_dir, pods_dir) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let (empty, with_pods) = (Cluster::start(empty_dir.path())?, Cluster::start(pods_dir.path())?);
    let pods: Api<Pod> = Api::default_namespaced(with_pods.client().await?);
    for index in 0..args.pods {
        create_and_wait(&pods, &idle_pod(&format!("idle-{index}"))).await?;
    }
    // A client that is connected is not idle.
    drop(pods);
    tokio::time::sleep(Duration::from_secs(args.settle)).await;
    let before = [usage(empty.id())?, usage(with_pods.id())?];
    tokio::time::sleep(Duration::from_secs(args.seconds)).await;
    let after = [usage(empty.id())?, usage(with_pods.id())?];
    let names = ["no Pods".to_owned(), format!("{} idle Pods", args.pods)];
    for (name, (before, after)) in names.iter().zip(before.iter().zip(&after)) {
        println!(
            "{name:12} {:.1} MiB resident ({:.1} MiB its own, the rest the binary's file), {} threads; \
             {:.2} s of CPU in {} s ({:.2} s since its start)",
            after.resident_kib as f64 / 1024.0,
            after.anonymous_kib as f64 / 1024.0,
            after.threads,
            (after.cpu - before.cpu).as_secs_f64(),
            args.seconds,
            after.cpu.as_secs_f64(),
        );
    }
    empty.stop()?;
    with_pods.stop()?;
    Ok(())
}

/// Reads what /proc says of a process now.
pub fn usage(id: u32) -> anyhow::Result<Usage> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).context("the server has ended")?;
    let number = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let word = line.and_then(|line| line.split_whitespace().next());
        word.and_then(|word| word.parse::<u64>().ok()).with_context(|| format!("no {name} in /proc"))
    };
    Ok(Usage {
        cpu: cpu_time(id)?,
        resident_kib: number("VmRSS:")?,
        anonymous_kib: number("RssAnon:")?,
        threads: number("Threads:")?,
    })
}

/// User and system time of all its threads, ended ones included (proc_pid_stat(5)); ticks are
/// 10 ms on every Linux.
fn cpu_time(id: u32) -> anyhow::Result<Duration> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).context("the server has ended")?;
    // The name may contain spaces; the fields after it do not.
    let fields = text.rsplit_once(") ").map(|(_, fields)| fields).context("unknown format of /proc")?;
    let mut ticks = 0;
    for field in fields.split(' ').skip(11).take(2) {
        ticks += field.parse::<u64>().context("unknown format of /proc")?;
    }
    Ok(Duration::from_millis(ticks * 10))
}
