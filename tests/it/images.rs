//! Images: built and pushed by the binary, pulled by the node.

use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tests_kit::registry::{PASSWORD, USER};
use tests_kit::{Registry, Server, programs};

const LIMIT: Duration = Duration::from_secs(60);

/// Builds `wasm` as `image` and pushes it.
#[track_caller]
pub fn build_and_push(server: &Server, wasm: &Path, image: &str) {
    let dir = server.dir().join("images");
    let run = |args: &[&str]| {
        let mut command = Command::new(programs::coracle());
        command.arg("image").args(args).arg("--data-dir").arg(&dir);
        command.env("CORACLE_REGISTRY_PASSWORD", PASSWORD);
        let output = command.output().expect("coracle runs");
        assert!(output.status.success(), "image {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    run(&["build", &wasm.display().to_string(), "--tag", image]);
    let pushed = run(&["push", image, "--username", USER]);
    assert!(pushed.contains("sha256:"), "{pushed}");
}

fn pod(name: &str, image: &str, secret: Option<&str>) -> String {
    let mut spec = json!({"restartPolicy": "Never", "containers": [{"name": "main", "image": image}]});
    if let Some(secret) = secret {
        spec["imagePullSecrets"] = json!([{"name": secret}]);
    }
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}).to_string()
}

#[test]
fn an_image_goes_through_a_registry_by_tag_and_by_digest() {
    let registry = Registry::start();
    let server = Server::start();
    let kubectl = server.kubectl();
    let image = registry.image("team/hello:1.0");
    build_and_push(&server, &programs::guest("hello"), &image);
    kubectl.apply(&pod("by-tag", &image, None));
    let done = |pod: &Value| pod["status"]["phase"] == "Succeeded";
    let seen = kubectl.wait_until(&["get", "pod", "by-tag"], "its end", LIMIT, done);
    let id = seen["status"]["containerStatuses"][0]["imageID"].as_str().unwrap().to_owned();
    assert!(id.contains("@sha256:"), "{id}");
    kubectl.apply(&pod("by-digest", &id, None));
    kubectl.wait_until(&["get", "pod", "by-digest"], "its end", LIMIT, done);
    assert!(kubectl.ok(&["logs", "by-digest"]).contains("Hello"));
    let described = kubectl.ok(&["describe", "pod", "by-tag"]);
    for reason in ["Scheduled", "Pulled", "Created", "Started"] {
        assert!(described.contains(reason), "{reason} in {described}");
    }
}

#[test]
fn a_private_image_needs_its_secret() {
    let registry = Registry::with_password();
    let server = Server::start();
    let kubectl = server.kubectl();
    let image = registry.image("private/hello:1.0");
    build_and_push(&server, &programs::guest("hello"), &image);
    kubectl.apply(&pod("without", &image, None));
    let waiting = |pod: &Value| {
        let state = &pod["status"]["containerStatuses"][0]["state"]["waiting"];
        matches!(state["reason"].as_str(), Some("ErrImagePull" | "ImagePullBackOff"))
    };
    kubectl.wait_until(&["get", "pod", "without"], "a refusal", LIMIT, waiting);
    let user = format!("--docker-username={USER}");
    let (password, host) = (format!("--docker-password={PASSWORD}"), format!("--docker-server={}", registry.host()));
    kubectl.ok(&["create", "secret", "docker-registry", "login", &user, &password, &host]);
    kubectl.apply(&pod("with", &image, Some("login")));
    kubectl.wait_until(&["get", "pod", "with"], "its end", LIMIT, |pod| pod["status"]["phase"] == "Succeeded");
}

#[test]
fn what_is_no_wasm_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.wasm");
    std::fs::write(&file, "not wasm").unwrap();
    let mut command = Command::new(programs::coracle());
    command.args(["image", "build", "--tag", "x:1", "--data-dir"]).arg(dir.path()).arg(&file);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(text.starts_with("error: ") && text.contains("x.wasm"), "{text}");
}
