//! The command line.

use clap::{Args as ClapArgs, Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// A whole Kubernetes in one small binary whose native workload is WebAssembly.
#[derive(Debug, Parser)]
#[command(name = "coracle", version = crate::version::TEXT, propagate_version = true)]
pub struct Args {
    /// What to log, such as `info` or `warn,orchestrator_scheduler=debug`.
    #[arg(long, global = true, env = "CORACLE_LOG", value_name = "FILTER")]
    pub log: Option<String>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a cluster: store, API server, scheduler, controllers and kubelet in one process.
    Server(ServerArgs),
    /// Run manifests on a cluster of their own until Ctrl-C.
    Run(RunArgs),
    /// Build and push images.
    Image(ImageArgs),
    /// Print the version.
    Version,
}

/// `coracle server`
#[derive(Debug, Clone, ClapArgs)]
pub struct ServerArgs {
    /// Where everything is kept [default: $XDG_STATE_HOME/coracle or ~/.local/state/coracle].
    #[arg(long, env = "CORACLE_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Where the API is served.
    #[arg(long, default_value = "127.0.0.1:6443", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,
    /// Pods that the node takes at most.
    #[arg(long, default_value_t = 250, value_name = "NUMBER")]
    pub max_pods: u32,
}

/// `coracle run`
#[derive(Debug, ClapArgs)]
pub struct RunArgs {
    /// Manifests: files, folders (all .yaml, .yml and .json in them), or - for standard input.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Keep the cluster's data here instead of throwing it away at the end.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Where the API is served; port 0 picks a free one.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,
    /// Stop once all Jobs have ended, with the exit code of the first that failed.
    #[arg(long)]
    pub exit_when_done: bool,
    /// Do not print the logs of the containers.
    #[arg(long)]
    pub no_logs: bool,
}

/// `coracle image`
#[derive(Debug, ClapArgs)]
pub struct ImageArgs {
    /// Where the images are kept: the data directory of the server.
    #[arg(long, env = "CORACLE_DATA_DIR", value_name = "DIR", global = true)]
    pub data_dir: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: ImageCommand,
}

/// What to do with images.
#[derive(Debug, Subcommand)]
pub enum ImageCommand {
    /// Pack a .wasm file as an image (the CNCF Wasm OCI artifact).
    Build {
        /// The component or module.
        #[arg(value_name = "FILE.wasm")]
        file: PathBuf,
        /// The image's reference, such as `registry.example/team/app:1.0`.
        #[arg(short, long, value_name = "REFERENCE")]
        tag: String,
    },
    /// Send an image that was built here to its registry.
    Push {
        /// The image's reference.
        reference: String,
        /// User name for the registry; the password is read from CORACLE_REGISTRY_PASSWORD.
        #[arg(long)]
        username: Option<String>,
    },
}
