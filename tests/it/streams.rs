//! Commands in containers as real kubectls ask for them: against a node whose containers are
//! processes of the host.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tests_kit::{Kubectl, programs};

/// A server with such a node; it ends with this.
pub(crate) struct Testbed {
    process: Child,
    dir: PathBuf,
}

impl Testbed {
    pub(crate) fn start() -> Self {
        let test = std::env::current_exe().unwrap();
        let found = test.ancestors().map(|dir| dir.join("tests-testbed")).find(|path| path.is_file());
        let program = found.expect("cargo build -p tests-testbed makes the program");
        let mut process = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut line, mut byte) = (Vec::new(), [0]);
        let output = process.stdout.as_mut().unwrap();
        while output.read_exact(&mut byte).is_ok() && byte != *b"\n" {
            line.extend(byte);
        }
        let kubeconfig = PathBuf::from(String::from_utf8(line).unwrap());
        let dir = kubeconfig.parent().expect("the program prints the kubeconfig's path").to_owned();
        Testbed { process, dir }
    }

    pub(crate) fn kubectl(&self) -> Kubectl {
        Kubectl::new(&self.kubeconfig())
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.dir.join("kubeconfig")
    }

    /// kubectl in this way, with text on its standard input.
    fn run(&self, way: &Way, args: &[&str], input: &str) -> Output {
        let kubectl = self.kubectl();
        let mut command = Command::new(&way.program);
        let like = kubectl.command(args);
        command.args(args).envs(like.get_envs().filter_map(|(key, value)| Some((key, value?))));
        command.env("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", if way.websockets { "true" } else { "false" });
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // It may end without reading.
        let _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes());
        child.wait_with_output().unwrap()
    }
}

impl Drop for Testbed {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// A kubectl and how it streams.
struct Way {
    program: PathBuf,
    websockets: bool,
}

/// The current kubectl and, where there is one, an old one; each with WebSockets and with SPDY.
fn ways() -> Vec<Way> {
    let current = programs::kubectl();
    let old = current.parent().unwrap_or(Path::new("/")).join("kubectl-1.32");
    let programs = [current, old].into_iter().filter(|program| program.is_file());
    programs.flat_map(|program| [true, false].map(|websockets| Way { program: program.clone(), websockets })).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn kubectl_runs_commands_in_containers() {
    let testbed = Testbed::start();
    for way in ways() {
        let exec = |args: &[&str], input: &str| testbed.run(&way, &[&["exec"][..], args].concat(), input);
        let done = exec(&["web", "--", "sh", "-c", "echo out; echo err >&2"], "");
        assert_eq!((&*text(&done.stdout), &*text(&done.stderr)), ("out\n", "err\n"));
        let done = exec(&["-i", "web", "--", "cat"], "through\n");
        assert_eq!((&*text(&done.stdout), done.status.code()), ("through\n", Some(0)), "{}", text(&done.stderr));
        let done = exec(&["web", "--", "sh", "-c", "exit 7"], "");
        assert_eq!(done.status.code(), Some(7), "{}", text(&done.stderr));
        let done = exec(&["two", "-c", "sealed", "--", "ls"], "");
        assert!(text(&done.stderr).contains("this container runs no commands"), "{}", text(&done.stderr));
        let done = exec(&["two", "-c", "none", "--", "ls"], "");
        assert!(text(&done.stderr).contains("container none is not valid for pod two"), "{}", text(&done.stderr));
    }
}

#[test]
fn kubectl_copies_both_ways_and_attaches() {
    let testbed = Testbed::start();
    for (index, way) in ways().iter().enumerate() {
        let [here, there, back] =
            ["here", "there", "back"].map(|name| testbed.dir.join(format!("{name}-{index}")).display().to_string());
        let content = "0123456789abcdef".repeat(200_000 / 16);
        std::fs::write(&here, &content).unwrap();
        let done = testbed.run(way, &["cp", &here, &format!("web:{there}")], "");
        assert!(done.status.success(), "{}", text(&done.stderr));
        assert!(std::fs::read_to_string(&there).unwrap() == content);
        let done = testbed.run(way, &["cp", &format!("web:{there}"), &back], "");
        assert!(done.status.success(), "{}", text(&done.stderr));
        assert!(std::fs::read_to_string(&back).unwrap() == content);
        let done = testbed.run(way, &["attach", "-i", "web"], "echo from the main process\nexit 0\n");
        assert!(text(&done.stdout).contains("from the main process\n"), "{}", text(&done.stderr));
    }
}

#[test]
fn kubectl_debugs_a_pod_with_another_container() {
    let testbed = Testbed::start();
    let debug = ["debug", "-i", "web", "--image=busybox", "--target=main", "-c", "dbg", "--quiet"];
    let done = testbed.run(&ways()[0], &debug, "echo from the debugger\nexit 0\n");
    assert!(text(&done.stdout).contains("from the debugger\n"), "{} {}", text(&done.stdout), text(&done.stderr));
    let pod = testbed.kubectl().json(&["get", "pod", "web"]);
    assert_eq!(pod["spec"]["ephemeralContainers"][0]["targetContainerName"], "main");
}

#[test]
fn kubectl_debugs_a_node() {
    let testbed = Testbed::start();
    for (index, way) in ways().iter().enumerate() {
        let debug = ["debug", "-i", "node/here", "--image=host", "--quiet"];
        let done = testbed.run(way, &debug, "echo from the node\nexit 0\n");
        assert!(text(&done.stdout).contains("from the node\n"), "{} {}", text(&done.stdout), text(&done.stderr));
        let pods = testbed.kubectl().json(&["get", "pods"]);
        let is_debugger = |pod: &&serde_json::Value| {
            pod["metadata"]["name"].as_str().unwrap().starts_with("node-debugger-here-")
                && pod["spec"]["nodeName"] == "here"
        };
        assert_eq!(pods["items"].as_array().unwrap().iter().filter(is_debugger).count(), index + 1);
    }
}

#[test]
fn kubectl_runs_a_pod_and_removes_it() {
    let testbed = Testbed::start();
    for way in ways() {
        let run = ["run", "once", "-i", "--rm", "--image=host", "--restart=Never", "--quiet"];
        let done = testbed.run(&way, &run, "echo from within\nexit 0\n");
        assert!(text(&done.stdout).contains("from within\n"), "{} {}", text(&done.stdout), text(&done.stderr));
        assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
        let done = testbed.run(&way, &run, "exit 5\n");
        assert_eq!(done.status.code(), Some(5), "{}", text(&done.stderr));
        assert!(testbed.kubectl().fails(&["get", "pod", "once"]).contains("NotFound"));
    }
}

#[test]
fn kubectl_follows_a_log() {
    let testbed = Testbed::start();
    for (index, way) in ways().iter().enumerate() {
        let output = testbed.dir.join(format!("log-{index}"));
        let mut command = Command::new(&way.program);
        command.args(["logs", "-f", "web"]).env("KUBECONFIG", testbed.kubeconfig()).env("HOME", &testbed.dir);
        let process = tests_kit::process::Process::start("kubectl logs -f", command, &output);
        let shows = |wanted: &str| {
            tests_kit::wait_for("the log", crate::matrix::LIMIT, || {
                let seen = process.printed();
                if seen.contains(wanted) { Ok(()) } else { Err(seen) }
            });
        };
        shows("the log of main\n");
        let said = format!("said later {index}");
        testbed.run(way, &["attach", "-i", "web"], &format!("echo {said}\nexit 0\n"));
        shows(&said);
        assert!(testbed.kubectl().ok(&["logs", "web"]).contains(&said));
    }
}
