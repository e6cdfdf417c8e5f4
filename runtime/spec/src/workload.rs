//! What a container runs, with everything resolved: no references, no templates.

use crate::image::Image;
use crate::stdio::LogSink;
use std::path::PathBuf;
use std::sync::Arc;

/// A directory of the host that a container sees at a path of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The directory on the host; absolute and existing.
    pub host_path: PathBuf,
    /// Where the container sees it; absolute.
    pub container_path: String,
    /// Whether writes are refused.
    pub read_only: bool,
}

/// Bounds on what a container may use; `None` is unbounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory; more ends the container as OOMKilled.
    pub memory_bytes_max: Option<u64>,
    /// Thousandths of a core, enforced over periods of 100 ms.
    pub cpu_millis_max: Option<u64>,
}

/// One container to run.
#[derive(Clone)]
pub struct Workload {
    /// The container's name, unique in its Pod.
    pub name: String,
    /// The run's number, 0 at first; each restart has the next one.
    pub attempt: u32,
    /// The image, pulled and on disk.
    pub image: Arc<Image>,
    /// Replaces the image's entrypoint when not empty (`command` of a Pod).
    pub command: Vec<String>,
    /// Replaces the image's default arguments (`args` of a Pod); `None` keeps them unless
    /// `command` is given.
    pub args: Option<Vec<String>>,
    /// Environment, complete and in order; later entries win.
    pub env: Vec<(String, String)>,
    /// Where the program starts; the image's when `None`.
    pub working_dir: Option<String>,
    /// Volumes.
    pub mounts: Vec<Mount>,
    /// Bounds.
    pub limits: Limits,
    /// Where standard output and error go.
    pub log: Arc<dyn LogSink>,
    /// The port of the Pod at which a wasi:http component answers. Unused by other programs.
    pub http_port: u16,
}

impl Workload {
    /// The argument vector by Kubernetes' rule: `command` replaces the entrypoint and drops the
    /// image's default arguments, `args` replaces the default arguments.
    ///
    /// Source: Kubernetes, "Define a Command and Arguments for a Container".
    pub fn argv(&self) -> Vec<String> {
        let config = &self.image.config;
        let (mut argv, defaults) = if self.command.is_empty() {
            (config.entrypoint.clone(), config.cmd.clone())
        } else {
            (self.command.clone(), Vec::new())
        };
        argv.extend(self.args.clone().unwrap_or(defaults));
        argv
    }
}
