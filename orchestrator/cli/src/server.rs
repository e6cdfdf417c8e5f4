//! `coracle server`: the whole cluster in one process.

use crate::args::ServerArgs;
use crate::paths;
use crate::wire::{Cluster, ClusterConfig};
use anyhow::Context;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// The runtime of everything but guests.
pub fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().thread_name("coracle").build().context("cannot start threads")
}

/// Serves until SIGTERM or SIGINT.
#[expect(clippy::print_stdout, reason = "the one line that the command prints")]
pub fn main(args: ServerArgs) -> anyhow::Result<ExitCode> {
    let data_dir = paths::data_dir(args.data_dir)?;
    paths::prepare(&data_dir)?;
    let runtime = runtime()?;
    let result = runtime.block_on(async {
        let stop = stop_signal();
        let config = ClusterConfig {
            data_dir,
            listen: args.listen,
            max_pods: args.max_pods,
            datastore: args.datastore,
            access: args.access,
        };
        let cluster = Cluster::start(config).await?;
        println!("coracle is ready: export KUBECONFIG={}", cluster.kubeconfig.display());
        stop.await;
        cluster.stop().await;
        Ok(ExitCode::SUCCESS)
    });
    runtime.shutdown_timeout(Duration::from_millis(200));
    result
}

/// Completes at SIGTERM or SIGINT; the handlers are there as soon as this is called.
pub fn stop_signal() -> impl Future<Output = ()> {
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    async move {
        let (Ok(mut terminate), Ok(mut interrupt)) = signals else { return std::future::pending().await };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}
