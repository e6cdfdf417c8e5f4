//! A real registry on loopback.

use crate::http;
use crate::process::Process;
use crate::programs;
use crate::server::free_port;
use crate::wait::wait_for;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

/// The user of a registry with authentication.
pub const USER: &str = "user";
/// The user's password.
pub const PASSWORD: &str = "secret";
/// The bcrypt line of that user, as `htpasswd -B` writes it.
const HTPASSWD: &str = "user:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a";

/// Debian's docker-registry with a directory of its own.
pub struct Registry {
    _process: Process,
    _dir: tempfile::TempDir,
    port: u16,
}

impl Registry {
    /// Starts one that lets everybody in.
    pub fn start() -> Self {
        Self::with("")
    }

    /// Starts one that asks for [`USER`] and [`PASSWORD`].
    pub fn with_password() -> Self {
        let dir = tempfile::tempdir().expect("temporary directory");
        let file = dir.path().join("htpasswd");
        fs::write(&file, format!("{HTPASSWD}\n")).expect("write htpasswd");
        let auth = format!("auth:\n  htpasswd:\n    realm: test\n    path: {}\n", file.display());
        let registry = Self::with(&auth);
        // The registry reads the file at each request.
        std::mem::forget(dir);
        registry
    }

    fn with(auth: &str) -> Self {
        let dir = tempfile::tempdir().expect("temporary directory");
        let port = free_port();
        let config = dir.path().join("config.yml");
        let text = format!(
            "version: 0.1\nlog:\n  level: warn\nstorage:\n  filesystem:\n    rootdirectory: {}\n  delete:\n    enabled: true\n\
             http:\n  addr: 127.0.0.1:{port}\n{auth}",
            dir.path().join("data").display()
        );
        fs::write(&config, text).expect("write the registry's configuration");
        let mut command = Command::new(programs::docker_registry());
        command.arg("serve").arg(&config);
        let process = Process::start("docker-registry", command, &dir.path().join("registry.log"));
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        wait_for("registry", Duration::from_secs(20), || http::get(address, "/v2/"));
        Registry { _process: process, _dir: dir, port }
    }

    /// `127.0.0.1:PORT/NAME`.
    pub fn image(&self, name: &str) -> String {
        format!("127.0.0.1:{}/{name}", self.port)
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}
