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
    Server(Box<ServerArgs>),
    /// Run manifests on a cluster of their own until Ctrl-C.
    Run(RunArgs),
    /// Build and push images.
    Image(ImageArgs),
    /// Back up and restore what a cluster stores.
    Store(StoreArgs),
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
    /// Where objects are stored.
    #[command(flatten)]
    pub datastore: DatastoreArgs,
    /// Access to the API.
    #[command(flatten)]
    pub access: AccessArgs,
}

/// An etcd instead of the data directory's own file.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct DatastoreArgs {
    /// Keep objects in this etcd (3.4 or later) instead of the data directory's own file.
    #[arg(long, env = "CORACLE_DATASTORE_ENDPOINT", value_name = "URL", value_delimiter = ',')]
    pub datastore_endpoint: Vec<String>,
    /// Trust this authority's certificates for https endpoints [default: the machine's].
    #[arg(long, value_name = "FILE", requires = "datastore_endpoint")]
    pub datastore_cafile: Option<PathBuf>,
    /// Show this certificate to etcd.
    #[arg(long, value_name = "FILE", requires = "datastore_keyfile")]
    pub datastore_certfile: Option<PathBuf>,
    /// The key of that certificate.
    #[arg(long, value_name = "FILE", requires = "datastore_certfile")]
    pub datastore_keyfile: Option<PathBuf>,
}

/// Who gets in, what is written down about it, and what is encrypted.
#[derive(Debug, Clone, ClapArgs)]
pub struct AccessArgs {
    /// Make a new encryption key, and encrypt all Secrets with it.
    #[arg(long)]
    pub rotate_encryption_key: bool,
    /// What is written to the audit log: a file with an audit.k8s.io/v1 Policy.
    #[arg(long, value_name = "FILE")]
    pub audit_policy_file: Option<PathBuf>,
    /// The audit log [default: audit.log in the data directory; - is standard output].
    #[arg(long, value_name = "FILE", requires = "audit_policy_file")]
    pub audit_log_path: Option<PathBuf>,
    /// Megabytes after which the audit log is rotated; 0 is never.
    #[arg(long = "audit-log-maxsize", default_value_t = 100, value_name = "MEGABYTES")]
    pub audit_log_megabytes_max: u64,
    /// Days for which rotated audit logs are kept; 0 is for ever.
    #[arg(long = "audit-log-maxage", default_value_t = 30, value_name = "DAYS")]
    pub audit_log_days_max: u64,
    /// Rotated audit logs that are kept; 0 is all.
    #[arg(long = "audit-log-maxbackup", default_value_t = 10, value_name = "NUMBER")]
    pub audit_log_backups_max: usize,
    /// ID tokens of others.
    #[command(flatten)]
    pub oidc: OidcArgs,
}

/// An OpenID Connect issuer whose ID tokens are believed.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct OidcArgs {
    /// Let in those who show an ID token of this OpenID Connect issuer.
    #[arg(long, value_name = "URL", requires = "oidc_client_id")]
    pub oidc_issuer_url: Option<String>,
    /// What the audience of an ID token must name.
    #[arg(long, value_name = "ID", requires = "oidc_issuer_url")]
    pub oidc_client_id: Option<String>,
    /// The claim of an ID token that is the username.
    #[arg(long, default_value = "sub", value_name = "CLAIM")]
    pub oidc_username_claim: String,
    /// Put this before usernames, - is nothing [default: the issuer's URL and #; nothing for the claim email].
    #[arg(long, value_name = "PREFIX", requires = "oidc_issuer_url", allow_hyphen_values = true)]
    pub oidc_username_prefix: Option<String>,
    /// The claim of an ID token that is the user's groups.
    #[arg(long, value_name = "CLAIM", requires = "oidc_issuer_url")]
    pub oidc_groups_claim: Option<String>,
    /// Put this before groups.
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true)]
    pub oidc_groups_prefix: String,
    /// Let in only ID tokens with this claim; may be given several times.
    #[arg(long, value_name = "CLAIM=VALUE", value_parser = claim, requires = "oidc_issuer_url")]
    pub oidc_required_claim: Vec<(String, String)>,
    /// Trust this authority's certificates for the issuer [default: the machine's].
    #[arg(long, value_name = "FILE", requires = "oidc_issuer_url")]
    pub oidc_ca_file: Option<PathBuf>,
    /// What ID tokens may be signed with.
    #[arg(long, default_value = "RS256", value_name = "ALGORITHM", value_delimiter = ',')]
    pub oidc_signing_algs: Vec<String>,
}

/// Reads `CLAIM=VALUE`.
fn claim(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("must be CLAIM=VALUE")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
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

/// `coracle store`
#[derive(Debug, ClapArgs)]
pub struct StoreArgs {
    /// The data directory of the server [default: as for coracle server].
    #[arg(long, env = "CORACLE_DATA_DIR", value_name = "DIR", global = true)]
    pub data_dir: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: StoreCommand,
}

/// What to do with the store.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Write all objects as of one moment to a file; the server may run meanwhile.
    Backup {
        /// The new file.
        file: PathBuf,
    },
    /// Put a backup in place of what is stored; the server must be stopped. Clients list anew.
    Restore {
        /// The backup.
        file: PathBuf,
    },
}

impl Default for AccessArgs {
    fn default() -> Self {
        AccessArgs {
            rotate_encryption_key: false,
            audit_policy_file: None,
            audit_log_path: None,
            audit_log_megabytes_max: 100,
            audit_log_days_max: 30,
            audit_log_backups_max: 10,
            oidc: OidcArgs::default(),
        }
    }
}
