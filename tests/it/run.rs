//! `coracle run`.

use std::fs;
use std::process::{Command, Output};
use std::time::Duration;
use tests_kit::coracle::coracle;
use tests_kit::process::Process;
use tests_kit::{programs, wait_for};

fn run(args: &[&str]) -> Output {
    coracle(&[&["run"], args].concat())
}

fn example(name: &str) -> String {
    programs::repository().join("examples").join(name).display().to_string()
}

#[test]
fn a_failing_job_gives_its_exit_code() {
    let output = run(&["--exit-when-done", &example("failing-job.yaml")]);
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(7), "{text}");
}

#[test]
fn a_job_that_succeeds_shows_its_log_and_ends() {
    let output = run(&["--exit-when-done", &example("hello")]);
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("] Hello from WebAssembly."), "{text}");
}

#[test]
fn a_client_finds_its_server_by_name() {
    let output = run(&["--exit-when-done", &example("echo")]);
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("3: Hello over TCP"), "{text}");
}

/// Runs an example until its output holds all of `expected`, then stops it.
#[track_caller]
fn shows(name: &str, expected: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(programs::coracle());
    command.arg("run").arg(example(name)).env("TMPDIR", dir.path());
    let mut process = Process::start("coracle run", command, &dir.path().join("run.log"));
    wait_for(name, Duration::from_secs(90), || {
        let printed = process.printed();
        let missing: Vec<_> = expected.iter().filter(|part| !printed.contains(**part)).collect();
        if missing.is_empty() { Ok(()) } else { Err(format!("{missing:?} in {printed}")) }
    });
    process.signal("INT");
    assert!(process.wait(Duration::from_secs(30)).success(), "{}", process.printed());
}

#[test]
fn neighbours_in_a_pod_talk_over_localhost() {
    shows("two-containers.yaml", &["2/2 ready  Running", "2: Hello next door"]);
}

#[test]
fn the_stress_examples_show_what_they_are_for() {
    shows(
        "stress",
        &["OOMKilled", "CrashLoopBackOff", "pod default/idle  1/1 ready  Running", "[cpu/cpu]", "[log/log]"],
    );
}

#[test]
fn it_prints_urls_and_stops_at_ctrl_c() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(programs::coracle());
    command.arg("run").arg(example("hello-http"));
    command.env("TMPDIR", dir.path());
    let mut process = Process::start("coracle run", command, &dir.path().join("run.log"));
    wait_for("a running Pod and its URL", Duration::from_secs(60), || {
        let printed = process.printed();
        let ready = printed.contains("1/1 ready  Running") && printed.contains("http://127.0.0.1:30080");
        if ready { Ok(()) } else { Err(printed) }
    });
    process.signal("INT");
    assert!(process.wait(Duration::from_secs(30)).success(), "{}", process.printed());
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().filter_map(|entry| Some(entry.ok()?.file_name())).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("coracle-run-")), "{left:?}");
}

#[track_caller]
fn refuses(manifest: &str, expected: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bad.yaml");
    fs::write(&file, manifest).unwrap();
    let output = run(&[&file.display().to_string()]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    for part in expected {
        assert!(text.contains(part), "{part:?} in {text}");
    }
}

#[test]
fn bad_manifests_name_file_document_line_and_field() {
    let good = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n";
    let typo = "apiVersion: apps/v1\nkind: Deploymnet\nmetadata:\n  name: a\n";
    refuses(typo, &["bad.yaml, document 1, line 2", "apps/v1 Deployment"]);
    let unknown_field =
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\nspec:\n  containers:\n  - name: c\n    imagee: x\n";
    refuses(&format!("{good}---\n{unknown_field}"), &["bad.yaml, document 2, line 13", "spec.containers[0].imagee"]);
    let invalid = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\nspec:\n  restartPolicy: Sometimes\n  containers:\n  - name: C_1\n    image: x\n";
    refuses(invalid, &["bad.yaml, document 1, line 8", "spec.containers[0].name", "spec.restartPolicy"]);
    refuses("a: [1, 2\n", &["bad.yaml, document 1, line"]);
    let missing = run(&["/nonexistent.yaml"]);
    assert!(String::from_utf8_lossy(&missing.stderr).contains("/nonexistent.yaml"));
}

#[test]
fn every_example_manifest_is_accepted() {
    let mut stack = vec![programs::repository().join("examples")];
    let mut seen = 0;
    let server = tests_kit::Server::start();
    while let Some(dir) = stack.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let skipped = ["target", "guests", "dist"].iter().any(|name| path.ends_with(name));
            if path.is_dir() && !skipped {
                stack.push(path);
            } else if path.extension().is_some_and(|e| e == "yaml") {
                server.kubectl().ok(&["apply", "--dry-run=server", "-f", &path.display().to_string()]);
                seen += 1;
            }
        }
    }
    assert!(seen > 5);
}
