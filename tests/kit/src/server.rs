//! A server under test.

use crate::kubectl::Kubectl;
use crate::process::Process;
use crate::programs;
use crate::wait::wait_for;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How long a debug build may take to be ready on a busy machine.
const READY_MAX: Duration = Duration::from_secs(30);

/// `coracle server` on a free port with a data directory of its own, which is kept when the test
/// fails.
pub struct Server {
    dir: Option<tempfile::TempDir>,
    process: Option<Process>,
    starts: u32,
    more: Vec<String>,
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    listener.local_addr().expect("a bound socket has an address").port()
}

impl Default for Server {
    fn default() -> Self {
        Self::start()
    }
}

impl Server {
    /// Starts a server and waits until it is ready.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same, with more arguments at each start.
    pub fn start_with(more: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("temporary directory");
        let more = more.iter().map(|&argument| argument.to_owned()).collect();
        let mut server = Server { dir: Some(dir), process: None, starts: 0, more };
        server.restart();
        server
    }

    /// The directory of this server and its outputs.
    pub fn dir(&self) -> &Path {
        self.dir.as_ref().expect("the directory lives as long as the server").path()
    }

    /// Its data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.dir().join("data")
    }

    /// The port of the API, which each start picks anew.
    pub fn port(&self) -> u16 {
        let text = std::fs::read_to_string(self.kubeconfig()).expect("the kubeconfig is there");
        let port = text.split("https://127.0.0.1:").nth(1).map(|rest| rest.chars().take_while(char::is_ascii_digit));
        port.and_then(|digits| digits.collect::<String>().parse().ok()).expect("the kubeconfig names the port")
    }

    /// The command that starts it.
    pub fn command(&self) -> Command {
        let mut command = Command::new(programs::coracle());
        command.arg("server").arg("--data-dir").arg(self.data_dir());
        command.args(["--listen", "127.0.0.1:0"]).args(&self.more);
        command.env("CORACLE_LOG", std::env::var("CORACLE_LOG").unwrap_or_else(|_| "info".into()));
        command
    }

    /// Starts it (again) with the same data directory, and waits until it is ready.
    pub fn restart(&mut self) {
        self.starts += 1;
        let output = self.dir().join(format!("server-{}.log", self.starts));
        let mut process = Process::start("coracle server", self.command(), &output);
        wait_for("ready line", READY_MAX, || {
            let printed = process.printed();
            if let Some(status) = process.ended() {
                panic!("coracle server ended with {status}: {printed}");
            }
            if printed.contains("admin.kubeconfig") { Ok(()) } else { Err(printed) }
        });
        self.process = Some(process);
    }

    /// The running process.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("the server was started")
    }

    /// Stops it by SIGTERM and returns how long that took.
    #[expect(clippy::disallowed_methods, reason = "tests run on the machine's clock")]
    pub fn stop(&mut self) -> Duration {
        let start = std::time::Instant::now();
        let process = self.process();
        process.signal("TERM");
        let status = process.wait(Duration::from_secs(20));
        assert!(status.success(), "SIGTERM ends in order: {status}");
        start.elapsed()
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&mut self) {
        self.process().signal("KILL");
        self.process().wait(Duration::from_secs(20));
    }

    /// Its administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.data_dir().join("admin.kubeconfig")
    }

    /// kubectl with that kubeconfig.
    pub fn kubectl(&self) -> Kubectl {
        Kubectl::new(&self.kubeconfig())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.take();
        if std::thread::panicking()
            && let Some(dir) = self.dir.take()
        {
            println!("---- data directory kept: {}", dir.keep().display());
        }
    }
}
