//! schemathesis: requests made up from the OpenAPI documents that the server publishes. None of
//! them may be answered with a 5xx.

use serde_json::Value;
use std::process::Command;
use tests_kit::{Server, programs};

/// Requests for each operation.
const EXAMPLES: &str = "1";
/// Parameters that make of an answer a stream without end.
const ENDLESS: [&str; 2] = ["watch", "follow"];
/// Paths that answer for somebody else, who may well be absent (503), or are no plain HTTP.
const OTHERS: [&str; 4] = ["/proxy", "/exec", "/attach", "/portforward"];

/// A document without what cannot be asked this way.
fn answerable(mut document: Value) -> Value {
    if let Some(paths) = document["paths"].as_object_mut() {
        paths.retain(|path, _| !OTHERS.iter().any(|other| path.contains(other)));
    }
    without_endless(&mut document);
    document
}

fn without_endless(value: &mut Value) {
    match value {
        Value::Array(list) => {
            list.retain(|item| !ENDLESS.iter().any(|name| item["in"] == "query" && item["name"] == *name));
            list.iter_mut().for_each(without_endless);
        }
        Value::Object(fields) => fields.values_mut().for_each(without_endless),
        _ => {}
    }
}

/// Runs it over one document; `CORACLE_SEED` replays another run.
fn check(server: &Server, token: &str, document: &str, text: &str) -> Result<(), String> {
    let file = server.dir().join(format!("{}.json", document.replace('/', "_")));
    let text = answerable(serde_json::from_str(text).unwrap()).to_string();
    std::fs::write(&file, text).unwrap();
    let seed = std::env::var("CORACLE_SEED").unwrap_or_else(|_| "1".into());
    let mut command = Command::new(programs::python("st"));
    command.arg("run").arg(&file).args(["--url", &format!("https://127.0.0.1:{}", server.port())]);
    command.args(["--tls-verify=false", "-H", &format!("Authorization: Bearer {token}")]);
    command.args(["-c", "not_a_server_error", "-n", EXAMPLES, "--phases", "fuzzing", "--seed", &seed]);
    command.args(["--request-timeout", "20", "--workers", "2", "--suppress-health-check", "all"]);
    let output = command.current_dir(server.dir()).env("HOME", server.dir()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    if output.status.success() { Ok(()) } else { Err(format!("{document}, CORACLE_SEED={seed}:\n{text}")) }
}

/// Documents whose path passes `wanted`, each by a server of its own set.
#[track_caller]
fn run(wanted: impl Fn(&str) -> bool) {
    let mut server = Server::start();
    let kubectl = server.kubectl();
    kubectl.ok(&[
        "create",
        "clusterrolebinding",
        "all",
        "--clusterrole=cluster-admin",
        "--serviceaccount=default:default",
    ]);
    let token = kubectl.ok(&["create", "token", "default", "--duration=1h"]);
    let index: Value = serde_json::from_str(&kubectl.ok(&["get", "--raw", "/openapi/v3"])).unwrap();
    let paths = index["paths"].as_object().unwrap();
    let versions = paths.keys().filter(|path| path.contains("/v") && wanted(path));
    // Read before the first run: made-up deletes spare nothing, not even who may read them.
    let mut documents: Vec<(&String, String)> =
        versions.map(|path| (path, kubectl.ok(&["get", "--raw", &format!("/openapi/v3/{path}")]))).collect();
    documents.sort_by_key(|(path, _)| path.contains("rbac"));
    let checks = documents.iter().filter_map(|(path, text)| check(&server, token.trim(), path, text).err());
    let failed: Vec<String> = checks.collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(server.process().ended().is_none(), "the server ended");
}

#[test]
fn no_made_up_request_for_the_core_group_is_a_server_error() {
    run(|path| path == "api/v1");
}

#[test]
fn no_made_up_request_for_workloads_is_a_server_error() {
    run(|path| path.starts_with("apis/") && !path.contains(".k8s.io/"));
}

#[test]
fn no_made_up_request_for_the_other_groups_is_a_server_error() {
    run(|path| path.contains(".k8s.io/"));
}
