//! Starting, stopping, restarting; what goes wrong at start.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;
use tests_kit::coracle::{coracle, fails_in_one_line};
use tests_kit::{Server, wait_for};

#[test]
fn a_first_start_makes_what_clients_need() {
    let mut server = Server::start();
    let kubeconfig = fs::metadata(server.kubeconfig()).unwrap();
    assert_eq!(kubeconfig.permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(server.data_dir()).unwrap().permissions().mode() & 0o777, 0o700);
    let kubectl = server.kubectl();
    let namespaces = kubectl.ok(&["get", "namespaces", "-o", "name"]);
    for name in ["default", "kube-node-lease", "kube-public", "kube-system"] {
        assert!(namespaces.contains(&format!("namespace/{name}\n")), "{namespaces}");
    }
    let service = kubectl.json(&["get", "service", "kubernetes"]);
    assert_eq!(service["spec"]["clusterIP"], "10.96.0.1");
    let slice = kubectl.json(&["get", "endpointslice", "kubernetes"]);
    assert!(slice["endpoints"][0]["addresses"][0].is_string(), "{slice}");
    for namespace in ["default", "kube-system"] {
        let args = ["get", "configmap", "kube-root-ca.crt", "-n", namespace];
        let found = |map: &serde_json::Value| {
            map["data"]["ca.crt"].as_str().is_some_and(|pem| pem.contains("BEGIN CERTIFICATE"))
        };
        kubectl.wait_until(&args, "the root CA", Duration::from_secs(20), found);
    }
    let printed = server.process().printed();
    let lines: Vec<&str> = printed.lines().filter(|line| line.contains("admin.kubeconfig")).collect();
    assert_eq!(lines.len(), 1, "one line says where the kubeconfig is: {printed}");
}

#[test]
fn sigterm_stops_it_quickly_and_a_restart_finds_everything() {
    let mut server = Server::start();
    let kubectl = server.kubectl();
    kubectl.ok(&["create", "configmap", "kept", "--from-literal=a=1"]);
    let node = kubectl.json(&["get", "nodes"])["items"][0]["metadata"]["name"].clone();
    let before = kubectl.json(&["get", "configmap", "kept"]);
    let took = server.stop();
    assert!(took < Duration::from_secs(4), "stopped within seconds: {took:?}");
    server.restart();
    assert_eq!(kubectl.json(&["get", "configmap", "kept"]), before);
    assert_eq!(kubectl.json(&["get", "nodes"])["items"][0]["metadata"]["name"], node);
    kubectl.ok(&["create", "configmap", "later", "--from-literal=a=1"]);
    server.kill();
    server.restart();
    assert_eq!(kubectl.json(&["get", "configmap", "later"])["data"]["a"], "1");
}

#[test]
fn its_own_component_is_a_ready_node() {
    let server = Server::start();
    let ready = |list: &serde_json::Value| {
        let conditions = list["items"][0]["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
    };
    let nodes = server.kubectl().wait_until(&["get", "nodes"], "a ready node", Duration::from_secs(20), ready);
    assert!(
        nodes["items"][0]["status"]["nodeInfo"]["containerRuntimeVersion"].as_str().unwrap().starts_with("wasmtime://")
    );
    let lease = server.kubectl().json(&["get", "leases", "-n", "kube-node-lease"]);
    assert_eq!(lease["items"].as_array().unwrap().len(), 1);
}

#[test]
fn a_taken_port_is_one_clear_line() {
    let server = Server::start();
    let dir = tempfile::tempdir().unwrap();
    let listen = format!("127.0.0.1:{}", server.port());
    let data = dir.path().join("data").display().to_string();
    let output = coracle(&["server", "--data-dir", &data, "--listen", &listen]);
    fails_in_one_line(&output, &[&listen]);
}

#[test]
fn a_data_directory_in_use_is_one_clear_line() {
    let server = Server::start();
    let data = server.data_dir().display().to_string();
    let output = coracle(&["server", "--data-dir", &data, "--listen", "127.0.0.1:0"]);
    fails_in_one_line(&output, &[&data]);
    server.kubectl().ok(&["get", "namespaces"]);
}

#[test]
fn an_unwritable_directory_is_one_clear_line() {
    let output = coracle(&["server", "--data-dir", "/proc/coracle", "--listen", "127.0.0.1:0"]);
    fails_in_one_line(&output, &["/proc/coracle", "--data-dir"]);
}

#[test]
fn a_corrupt_store_is_refused_and_left_as_it_is() {
    let mut server = Server::start();
    server.stop();
    let data = server.data_dir();
    let store = wait_for("the store's file", Duration::from_secs(5), || {
        let files = fs::read_dir(&data).unwrap().filter_map(|entry| Some(entry.ok()?.path()));
        files.into_iter().find(|path| path.extension().is_some_and(|e| e == "redb")).ok_or("none".into())
    });
    let mut bytes = fs::read(&store).unwrap();
    bytes.iter_mut().take(4096).for_each(|byte| *byte = 0x5a);
    fs::write(&store, &bytes).unwrap();
    let output = coracle(&["server", "--data-dir", &data.display().to_string(), "--listen", "127.0.0.1:0"]);
    fails_in_one_line(&output, &[&store.display().to_string()]);
    assert_eq!(fs::read(&store).unwrap(), bytes, "nothing was overwritten");
}

#[test]
fn a_damaged_certificate_is_one_clear_line() {
    let mut server = Server::start();
    server.stop();
    let ca = server.data_dir().join("pki/ca.crt");
    fs::write(&ca, "not a certificate").unwrap();
    let data = server.data_dir().display().to_string();
    let output = coracle(&["server", "--data-dir", &data, "--listen", "127.0.0.1:0"]);
    fails_in_one_line(&output, &[&ca.display().to_string()]);
    assert_eq!(fs::read_to_string(&ca).unwrap(), "not a certificate");
}

#[test]
fn nobody_gets_in_without_credentials() {
    let server = Server::start();
    let text = fs::read_to_string(server.kubeconfig()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kubeconfig");
    let anonymous: Vec<&str> = text.lines().filter(|line| !line.contains("client-")).collect();
    fs::write(&path, anonymous.join("\n")).unwrap();
    let kubectl = tests_kit::Kubectl::new(&path);
    let refused = kubectl.run(&["get", "pods", "--username=", "--token=wrong"]);
    assert!(!refused.status.success());
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(error.contains("Unauthorized") || error.contains("forbidden") || error.contains("logged in"), "{error}");
}
