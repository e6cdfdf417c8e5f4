//! Every command of kubectl, by kubectl 1.35 and 1.32: what it prints and how it ends.
//!
//! A row is one command. Rows that need a container to run commands in (exec, attach, cp) are in
//! `streams`, against a kubelet of the tests.

mod access;
mod apply;
mod delete;
mod read;
mod rollout;

use serde_json::{Value, json};
use std::time::Duration;
use tests_kit::{Kubectl, Registry, Server, programs};

pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Runs the same rows with each version of kubectl, each against a cluster of its own.
macro_rules! by_each_version {
    ($($name:ident => $rows:path),+ $(,)?) => {
        $(mod $name {
            #[test]
            fn kubectl_1_35() {
                $rows(&crate::matrix::Rows::start(false));
            }

            #[test]
            fn kubectl_1_32() {
                $rows(&crate::matrix::Rows::start(true));
            }
        })+
    };
}

by_each_version! {
    reading => super::read::rows,
    applying => super::apply::rows,
    patching => super::apply::patches,
    rolling_out => super::rollout::rows,
    identities => super::access::rows,
    nodes => super::access::nodes,
    deleting => super::delete::rows,
    creating => super::delete::generators,
}

/// A cluster and the kubectl that is tried on it.
pub(crate) struct Rows {
    pub server: Server,
    pub kubectl: Kubectl,
}

impl Rows {
    pub fn start(is_1_32: bool) -> Self {
        let server = Server::start();
        let kubectl = if is_1_32 { server.kubectl().of_1_32() } else { server.kubectl() };
        Rows { server, kubectl }
    }

    /// A command that succeeds and prints all of these; words are split at spaces.
    #[track_caller]
    pub fn ok(&self, command: &str, expected: &[&str]) -> String {
        self.ok_with(command, "", expected)
    }

    /// The same, with text on standard input.
    #[track_caller]
    pub fn ok_with(&self, command: &str, input: &str, expected: &[&str]) -> String {
        let (code, text) = self.run(command, input);
        assert_eq!(code, Some(0), "kubectl {command}: {text}");
        contains(command, &text, expected)
    }

    /// A command that fails with this exit code and says all of these.
    #[track_caller]
    pub fn fails(&self, command: &str, code: i32, expected: &[&str]) -> String {
        self.fails_with(command, "", code, expected)
    }

    /// The same, with text on standard input.
    #[track_caller]
    pub fn fails_with(&self, command: &str, input: &str, code: i32, expected: &[&str]) -> String {
        let (found, text) = self.run(command, input);
        assert_eq!(found, Some(code), "kubectl {command}: {text}");
        contains(command, &text, expected)
    }

    /// Exit code, and standard output followed by standard error.
    fn run(&self, command: &str, input: &str) -> (Option<i32>, String) {
        let words: Vec<&str> = command.split(' ').collect();
        let output = self.kubectl.run_with(&words, input);
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code(), text)
    }

    /// Waits until a command succeeds and prints this.
    #[track_caller]
    pub fn until(&self, command: &str, expected: &str) -> String {
        tests_kit::wait_for(command, LIMIT, || match self.run(command, "") {
            (Some(0), text) if text.contains(expected) => Ok(text),
            (_, text) => Err(text),
        })
    }
}

#[track_caller]
fn contains(command: &str, text: &str, expected: &[&str]) -> String {
    for wanted in expected {
        assert!(text.contains(wanted), "kubectl {command}: {wanted:?} is missing in\n{text}");
    }
    text.to_owned()
}

/// A Pod that runs a guest of the examples.
pub(crate) fn pod(name: &str, guest: &str) -> String {
    let image = programs::guest_image(guest);
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "c", "image": image, "ports": [{"containerPort": 8080}]}]},
    })
    .to_string()
}

/// A Deployment of that many Pods of an image.
pub(crate) fn deployment(name: &str, replicas: u32, image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": image}]}},
        },
    })
}

/// A registry that holds `hello-http` under two tags; the registry ends with the handle.
pub(crate) fn images(rows: &Rows) -> (Registry, [String; 2]) {
    let registry = Registry::start();
    let images = ["web:1", "web:2"].map(|name| registry.image(name));
    for image in &images {
        crate::images::build_and_push(&rows.server, &programs::guest("hello-http"), image);
    }
    (registry, images)
}
