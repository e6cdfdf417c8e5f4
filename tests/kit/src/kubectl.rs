//! The real kubectl.

use crate::process::Process;
use crate::programs;
use crate::wait::wait_for;
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// kubectl with one kubeconfig.
#[derive(Clone, Debug)]
pub struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
}

impl Kubectl {
    /// kubectl that reads `kubeconfig`.
    pub fn new(kubeconfig: &Path) -> Self {
        Kubectl { program: programs::kubectl(), kubeconfig: kubeconfig.to_owned() }
    }

    /// The same cluster by kubectl 1.32.
    pub fn of_1_32(&self) -> Self {
        Kubectl { program: programs::kubectl_1_32(), ..self.clone() }
    }

    /// The same cluster as another user, by the kubeconfig at this path.
    pub fn with_kubeconfig(&self, kubeconfig: &Path) -> Self {
        Kubectl { kubeconfig: kubeconfig.to_owned(), ..self.clone() }
    }

    /// The command for further arguments; what kubectl caches stays beside the kubeconfig.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        let home = self.kubeconfig.parent().unwrap_or(Path::new("/"));
        command.env("KUBECONFIG", &self.kubeconfig).env("HOME", home).args(args);
        command
    }

    /// Runs it with text on its standard input.
    pub fn run_with(&self, args: &[&str], input: &str) -> Output {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("kubectl starts");
        let mut stdin = child.stdin.take().expect("standard input is a pipe");
        // kubectl may end without reading.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        child.wait_with_output().expect("kubectl ends")
    }

    /// Runs it.
    pub fn run(&self, args: &[&str]) -> Output {
        self.run_with(args, "")
    }

    /// What it prints when it succeeds.
    ///
    /// # Panics
    /// When it fails.
    #[track_caller]
    pub fn ok(&self, args: &[&str]) -> String {
        Self::checked(args, self.run(args))
    }

    /// The same, with text on its standard input.
    #[track_caller]
    pub fn ok_with(&self, args: &[&str], input: &str) -> String {
        Self::checked(args, self.run_with(args, input))
    }

    #[track_caller]
    fn checked(args: &[&str], output: Output) -> String {
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "kubectl {}: {}\n{out}{err}", args.join(" "), output.status);
        out.into_owned()
    }

    /// What it says when it fails.
    ///
    /// # Panics
    /// When it succeeds.
    #[track_caller]
    pub fn fails(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(!output.status.success(), "kubectl {} succeeded", args.join(" "));
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// The same, with text on its standard input.
    #[track_caller]
    pub fn fails_with(&self, args: &[&str], input: &str) -> String {
        let output = self.run_with(args, input);
        assert!(!output.status.success(), "kubectl {} succeeded", args.join(" "));
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// An object or list as JSON.
    #[track_caller]
    pub fn json(&self, args: &[&str]) -> Value {
        let mut all = args.to_vec();
        all.extend(["-o", "json"]);
        serde_json::from_str(&self.ok(&all)).expect("kubectl prints JSON")
    }

    /// Applies a manifest from text.
    #[track_caller]
    pub fn apply(&self, manifest: &str) -> String {
        self.ok_with(&["apply", "-f", "-"], manifest)
    }

    /// Waits until `holds` says that the object is as it should be.
    #[track_caller]
    pub fn wait_until(&self, args: &[&str], what: &str, limit: Duration, holds: impl Fn(&Value) -> bool) -> Value {
        wait_for(what, limit, || {
            let mut all = args.to_vec();
            all.extend(["-o", "json"]);
            let output = self.run(&all);
            let seen: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
            if holds(&seen) {
                Ok(seen)
            } else {
                let status = if seen["status"].is_null() { &seen } else { &seen["status"] };
                Err(format!("{status}{}", String::from_utf8_lossy(&output.stderr)))
            }
        })
    }

    /// Starts it in the background, for port-forward and watches.
    pub fn start(&self, args: &[&str], output: &Path) -> Process {
        Process::start(&format!("kubectl {}", args.join(" ")), self.command(args), output)
    }
}
