//! What is stored: backups and restores, etcd, full disks, killed servers.

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;
use tests_kit::coracle::{coracle, fails_in_one_line};
use tests_kit::process::Process;
use tests_kit::{Etcd, Kubectl, Server, programs, wait_for};

const LIMIT: Duration = Duration::from_secs(60);

fn store(server: &Server, command: &str, file: &Path) -> Output {
    coracle(&["store", command, "--data-dir", &server.data_dir().display().to_string(), &file.display().to_string()])
}

#[track_caller]
fn succeeds(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    out.into_owned()
}

fn revision(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap()
}

/// The first event of a watch of the ConfigMaps in `default`.
fn first_event(kubectl: &Kubectl, after: u64) -> Value {
    let path = format!("/api/v1/namespaces/default/configmaps?watch=1&timeoutSeconds=5&resourceVersion={after}");
    let printed = kubectl.ok(&["get", "--raw", &path]);
    serde_json::from_str(printed.lines().next().unwrap_or("null")).unwrap()
}

#[test]
fn a_backup_of_a_running_server_is_restored_while_it_is_stopped() {
    let mut server = Server::start();
    let kubectl = server.kubectl();
    kubectl.ok(&["create", "configmap", "kept", "--from-literal=a=1"]);
    let kept = kubectl.json(&["get", "configmap", "kept"]);
    let file = server.dir().join("backup");
    let printed = succeeds(&store(&server, "backup", &file));
    assert!(printed.contains("objects as of revision"), "{printed}");
    fails_in_one_line(&store(&server, "backup", &file), &["exists", &file.display().to_string()]);
    kubectl.ok(&["create", "configmap", "later", "--from-literal=a=1"]);
    kubectl.ok(&["patch", "configmap", "kept", "--type=merge", "-p", r#"{"data":{"a":"2"}}"#]);
    let changed = revision(&kubectl.json(&["get", "configmap", "kept"]));
    assert_eq!(first_event(&kubectl, changed - 1)["type"], "MODIFIED");
    fails_in_one_line(&store(&server, "restore", &file), &["is used by another coracle server"]);
    assert_eq!(kubectl.json(&["get", "configmap", "kept"])["data"]["a"], "2", "nothing was restored");

    server.stop();
    let damaged = server.dir().join("damaged");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&damaged, &bytes).unwrap();
    fails_in_one_line(&store(&server, "restore", &damaged), &["damaged", "nothing was changed"]);
    let printed = succeeds(&store(&server, "restore", &file));
    assert!(printed.contains("store.redb.before-restore"), "{printed}");

    server.restart();
    assert_eq!(kubectl.json(&["get", "configmap", "kept"]), kept);
    kubectl.fails(&["get", "configmap", "later"]);
    let old = first_event(&kubectl, changed);
    assert_eq!(
        (&old["type"], &old["object"]["code"], &old["object"]["reason"]),
        (&"ERROR".into(), &410.into(), &"Expired".into())
    );
    kubectl.ok(&["create", "configmap", "later", "--from-literal=a=1"]);
    assert!(revision(&kubectl.json(&["get", "configmap", "later"])) > changed + 1_000_000);

    // A stopped server's store is backed up too.
    server.stop();
    let second = server.dir().join("second");
    succeeds(&store(&server, "backup", &second));
    assert!(std::fs::read(&second).unwrap().windows(5).any(|part| part == b"later"));
}

#[test]
fn a_watch_resumes_from_the_store_after_a_restart() {
    let mut server = Server::start();
    let kubectl = server.kubectl();
    kubectl.ok(&["create", "configmap", "first", "--from-literal=a=1"]);
    let before = revision(&kubectl.json(&["get", "configmap", "first"]));
    kubectl.ok(&["create", "configmap", "second", "--from-literal=a=1"]);
    server.kill();
    server.restart();
    let event = first_event(&kubectl, before);
    assert_eq!((&event["type"], &event["object"]["metadata"]["name"]), (&"ADDED".into(), &"second".into()));
}

#[test]
fn objects_are_kept_in_an_etcd() {
    let mut etcd = Etcd::start(&[]);
    let mut server = Server::start_with(&["--datastore-endpoint", &etcd.url()]);
    let kubectl = server.kubectl();
    kubectl.ok(&["create", "configmap", "a", "--from-literal=a=1"]);
    kubectl.ok(&["label", "configmap", "a", "colour=green"]);
    let before = kubectl.json(&["get", "configmap", "a"]);
    assert!(!server.data_dir().join("store.redb").exists());
    let event = first_event(&kubectl, revision(&before) - 1);
    assert_eq!(event["type"], "MODIFIED");
    let file = server.dir().join("backup");
    succeeds(&store(&server, "backup", &file));

    etcd.kill();
    let error = kubectl.fails(&["create", "configmap", "b", "--request-timeout=20s"]);
    assert!(error.contains("etcd does not answer"), "{error}");
    etcd.restart();
    wait_for("reads to go on", LIMIT, || {
        let output = kubectl.run(&["get", "configmap", "a"]);
        if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
    });
    kubectl.ok(&["create", "configmap", "b", "--from-literal=a=1"]);

    server.kill();
    server.restart();
    assert_eq!(kubectl.json(&["get", "configmap", "a"]), before);
    kubectl.ok(&["delete", "configmap", "a", "b"]);
    server.stop();
    let data = server.dir().join("other").display().to_string();
    let output = coracle(&[
        "server",
        "--data-dir",
        &data,
        "--listen",
        "127.0.0.1:0",
        "--datastore-endpoint",
        "http://127.0.0.1:1",
    ]);
    fails_in_one_line(&output, &["http://127.0.0.1:1", "refused"]);
}

#[test]
fn a_full_disk_refuses_writes_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    // A small disk in a mount namespace of the server's own.
    let script = r#"mount -t tmpfs -o size=24m,mode=700 coracle "$1" && exec "$2" server --data-dir "$1/data" --listen 127.0.0.1:0"#;
    let mut command = Command::new("unshare");
    command
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"])
        .arg(dir.path())
        .arg(programs::coracle());
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut process = Process::start("coracle server", command, log.path());
    wait_for("ready line", LIMIT, || match process.ended() {
        Some(status) => panic!("{status}: {}", process.printed()),
        None if process.printed().contains("admin.kubeconfig") => Ok(()),
        None => Err(process.printed()),
    });
    let disk =
        Path::new("/proc").join(process.id().to_string()).join("root").join(dir.path().strip_prefix("/").unwrap());
    let home = tempfile::tempdir().unwrap();
    let kubeconfig = home.path().join("kubeconfig");
    std::fs::copy(disk.join("data/admin.kubeconfig"), &kubeconfig).unwrap();
    let kubectl = Kubectl::new(&kubeconfig);
    kubectl.ok(&["create", "configmap", "kept", "--from-literal=a=1"]);
    let kept = kubectl.json(&["get", "configmap", "kept"]);

    let filler = disk.join("filler");
    let fill = |byte: u64| {
        std::io::copy(
            &mut std::io::Read::take(std::io::repeat(0), byte),
            &mut std::fs::OpenOptions::new().create(true).append(true).open(&filler).unwrap(),
        )
    };
    while fill(4096).is_ok() {}
    let big = home.path().join("big");
    std::fs::write(&big, "x".repeat(300_000)).unwrap();
    let create = |n: usize| {
        kubectl.run(&["create", "configmap", &format!("big-{n}"), &format!("--from-file={}", big.display())])
    };
    let refused = (0..100).map(create).find(|output| !output.status.success()).expect("the disk is full");
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(error.contains("no space left on the disk of") && error.contains("free some space there"), "{error}");
    // Reads and watches go on, nothing of the refused write is there.
    assert_eq!(kubectl.json(&["get", "configmap", "kept"]), kept);
    assert_eq!(first_event(&kubectl, revision(&kept) - 1)["object"]["metadata"]["name"], "kept");
    assert_eq!(kubectl.ok(&["get", "--raw", "/livez"]), "ok");

    std::fs::remove_file(&filler).unwrap();
    wait_for("writes to go on", LIMIT, || {
        let output = create(1000);
        if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
    });
}

#[test]
fn a_killed_server_keeps_what_it_acknowledged() {
    let kills: u32 = std::env::var("CORACLE_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(3);
    let mut server = Server::start();
    for kill in 0..kills {
        let kubectl = server.kubectl();
        let names: Vec<String> = (0..4).map(|n| format!("c-{kill}-{n}")).collect();
        let writer = kubectl.clone();
        let wanted = names.clone();
        let acknowledged = std::thread::spawn(move || {
            wanted
                .into_iter()
                .filter(|name| writer.run(&["create", "configmap", name]).status.success())
                .collect::<Vec<_>>()
        });
        wait_for("the first write", LIMIT, || {
            if kubectl.run(&["get", "configmap", &names[0]]).status.success() { Ok(()) } else { Err(String::new()) }
        });
        server.kill();
        let acknowledged = acknowledged.join().unwrap();
        assert!(!acknowledged.is_empty());
        server.restart();
        for name in acknowledged {
            server.kubectl().ok(&["get", "configmap", &name]);
        }
    }
}
