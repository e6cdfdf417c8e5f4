//! Clients that are not kubectl: helm, PyPI's kubernetes, kube-rs, and schemathesis over what the
//! server says of itself.

mod kube_rs;
mod schemathesis;

use std::process::Command;
use tests_kit::{Server, programs};

/// Runs a program against a server; what it prints, when it succeeds.
#[track_caller]
fn succeeds(server: &Server, mut command: Command, what: &str) -> String {
    let output = command.env("KUBECONFIG", server.kubeconfig()).env("HOME", server.dir()).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{what}: {}\n{text}", output.status);
    text
}

#[test]
fn helm_installs_upgrades_rolls_back_and_uninstalls() {
    let server = Server::start();
    let kubectl = server.kubectl();
    let chart = programs::repository().join("tests/it/chart");
    let helm = |arguments: &[&str]| {
        let mut command = Command::new(programs::helm());
        command.args(arguments);
        succeeds(&server, command, &format!("helm {}", arguments.join(" ")))
    };
    let (chart, image) = (chart.to_str().unwrap(), format!("image={}", programs::guest_image("hello-http")));
    let wait = ["--wait", "--timeout", "60s", "--set", &image];
    let with = |more: &[&'static str]| -> Vec<String> {
        more.iter().map(ToString::to_string).chain(wait.iter().map(ToString::to_string)).collect()
    };
    let run = |words: Vec<String>| helm(&words.iter().map(String::as_str).collect::<Vec<_>>());
    let placed = |verb: &str, more: &[&'static str]| {
        let mut words = vec![verb.to_owned(), "t".to_owned(), chart.to_owned()];
        words.extend(with(more));
        run(words)
    };
    assert!(placed("install", &[]).contains("STATUS: deployed"));
    assert!(helm(&["list"]).contains("greeter-0.1.0"));
    assert_eq!(kubectl.json(&["get", "configmap", "t"])["data"]["greeting"], "Hello");
    assert!(placed("upgrade", &["--set", "greeting=Ahoy", "--set", "replicas=2"]).contains("REVISION: 2"));
    assert_eq!(kubectl.json(&["get", "configmap", "t"])["data"]["greeting"], "Ahoy");
    assert_eq!(kubectl.json(&["get", "deployment", "t"])["status"]["readyReplicas"], 2);
    assert!(helm(&["status", "t"]).contains("STATUS: deployed"));
    assert!(helm(&["history", "t"]).contains("superseded"));
    assert!(helm(&["rollback", "t", "1", "--wait", "--timeout", "60s"]).contains("Rollback was a success"));
    assert_eq!(kubectl.json(&["get", "configmap", "t"])["data"]["greeting"], "Hello");
    assert!(helm(&["get", "manifest", "t"]).contains("kind: Deployment"));
    assert!(helm(&["uninstall", "t", "--wait", "--timeout", "60s"]).contains("uninstalled"));
    assert!(kubectl.fails(&["get", "deployment", "t"]).contains("NotFound"));
}

#[test]
fn the_python_client_works_unchanged() {
    let server = Server::start();
    let mut command = Command::new(programs::python("python"));
    command.arg(programs::repository().join("tests/it/python/client.py")).arg(programs::guest_image("hello-http"));
    assert!(succeeds(&server, command, "python").contains("all well"));
}

#[test]
fn the_python_client_runs_commands_in_containers() {
    let testbed = crate::streams::Testbed::start();
    let mut command = Command::new(programs::python("python"));
    command.arg(programs::repository().join("tests/it/python/exec.py")).env("KUBECONFIG", testbed.kubeconfig());
    let output = command.output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("all well"), "{text}");
}
