//! `coracle run`: manifests on a cluster of their own, until Ctrl-C or until the Jobs are done.

mod apply;
mod logs;
mod manifest;
mod outcome;
mod view;

use crate::args::{AccessArgs, DatastoreArgs, RunArgs};
use crate::wire::{Cluster, ClusterConfig};
use crate::{paths, server};
use anyhow::{Context, bail};
use orchestrator_apimachinery::Catalog;
use runtime_base::clock;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use view::View;

/// How long deleted Pods may take to end before the cluster stops anyway.
const ENDING_MAX: Duration = Duration::from_secs(10);
/// How long what ended Pods have written may take to be shown.
const LOGS_MAX: Duration = Duration::from_secs(10);

/// Runs manifests.
pub fn main(args: RunArgs) -> anyhow::Result<ExitCode> {
    let catalog = Catalog::builtin();
    let items = manifest::load(&args.files, &catalog)?;
    if args.exit_when_done && !items.iter().any(manifest::Item::is_job) {
        bail!("no Job in the manifests, and --exit-when-done waits for Jobs");
    }
    let (dir, throw_away) = match &args.data_dir {
        Some(dir) => (paths::data_dir(Some(dir.clone()))?, false),
        None => (throw_away_dir()?, true),
    };
    paths::prepare(&dir)?;
    let config = ClusterConfig {
        data_dir: dir.clone(),
        listen: args.listen,
        max_pods: 250,
        datastore: DatastoreArgs::default(),
        access: AccessArgs::default(),
    };
    let runtime = server::runtime()?;
    let result = runtime.block_on(run(config, items, &args));
    runtime.shutdown_timeout(Duration::from_secs(1));
    if throw_away {
        let _ = std::fs::remove_dir_all(&dir);
    }
    result
}

fn throw_away_dir() -> anyhow::Result<PathBuf> {
    let name = format!("coracle-run-{}", runtime_base::Rng::from_os().suffix(8));
    let base = std::env::temp_dir();
    std::path::absolute(base.join(name)).context("temporary directory")
}

async fn run(config: ClusterConfig, items: Vec<manifest::Item>, args: &RunArgs) -> anyhow::Result<ExitCode> {
    let mut interrupted = std::pin::pin!(server::stop_signal());
    let cluster = Cluster::start(config).await?;
    let view = Arc::new(View::new());
    view.line(&format!("kubeconfig {}", cluster.kubeconfig.display()));
    let work = async {
        let applied = apply::all(&cluster.admin, &items, &view).await?;
        view::follow_pods(&cluster.admin, view.clone(), &cluster.tasks);
        view::follow_services(&cluster.admin, view.clone(), &cluster.node_ip, &cluster.tasks);
        let logs = (!args.no_logs).then(|| logs::Logs::follow(&cluster.admin, view.clone(), &cluster.tasks));
        anyhow::Ok((applied, logs))
    };
    let done = async |applied: &[apply::Applied], logs: Option<&logs::Logs>| {
        if !args.exit_when_done {
            return std::future::pending().await;
        }
        let jobs = applied.iter().filter_map(|object| object.job.clone()).collect();
        let code = outcome::wait(&cluster.admin, jobs, &cluster.tasks).await;
        if let Some(logs) = logs {
            clock::within(LOGS_MAX, logs.shown(&cluster.admin)).await;
        }
        code
    };
    let outcome = tokio::select! {
        () = &mut interrupted => Ok(None),
        applied = work => match applied {
            Ok((applied, logs)) => tokio::select! {
                () = &mut interrupted => Ok(Some((applied, ExitCode::SUCCESS))),
                code = done(&applied, logs.as_ref()) => Ok(Some((applied, code))),
            },
            Err(error) => Err(error),
        },
    };
    let result = match outcome {
        Ok(Some((applied, code))) => {
            view.line("stopping");
            if !args.exit_when_done || args.data_dir.is_some() {
                // Who interrupts again does not want to wait.
                tokio::select! {
                    () = server::stop_signal() => {}
                    () = apply::delete(&cluster.admin, &applied, ENDING_MAX) => {}
                }
            }
            Ok(code)
        }
        Ok(None) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error),
    };
    view.finish();
    cluster.stop().await;
    result
}
