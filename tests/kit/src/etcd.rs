//! A real etcd on loopback.

use crate::http;
use crate::process::Process;
use crate::programs;
use crate::server::free_port;
use crate::wait::wait_for;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

/// Debian's etcd, one member, with a directory of its own.
pub struct Etcd {
    process: Option<Process>,
    port: u16,
    peer: u16,
    metrics: u16,
    more: Vec<String>,
    dir: tempfile::TempDir,
}

impl Etcd {
    /// Starts one, with more arguments if given, and waits until it serves.
    pub fn start(more: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("temporary directory");
        let more = more.iter().map(|&argument| argument.to_owned()).collect();
        let mut etcd = Etcd { process: None, port: free_port(), peer: free_port(), metrics: free_port(), more, dir };
        etcd.restart();
        etcd
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it (again) with the same data and ports.
    pub fn restart(&mut self) {
        self.kill();
        let (client, peer) = (self.url(), format!("http://127.0.0.1:{}", self.peer));
        let mut command = Command::new(programs::etcd());
        command.arg("--data-dir").arg(self.dir.path().join("data")).args(["--name", "test", "--log-level", "error"]);
        command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
        command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
        command.arg(format!("--listen-metrics-urls=http://127.0.0.1:{}", self.metrics));
        command.arg(format!("--initial-cluster=test={peer}")).args(&self.more);
        self.process = Some(Process::start("etcd", command, &self.dir.path().join("etcd.log")));
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.metrics));
        wait_for("etcd", Duration::from_secs(30), || match http::get(address, "/health") {
            Ok((200, text)) if text.contains("true") => Ok(()),
            other => Err(format!("{other:?}")),
        });
    }

    /// Where it is reached: by https when it was given a certificate.
    pub fn url(&self) -> String {
        let scheme =
            if self.more.iter().any(|argument| argument.starts_with("--cert-file")) { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }
}
