use crate::tests::kit::{Kit, exit, wait_for};
use crate::tests::wat::{command, module, parse, returns, spins, waits};
use runtime_spec::{Backend, BackendError, ContainerState, ExitReason, Limits, Mount, Workload};
use std::time::Duration;

/// Runs `wasm` and compares exit code and reason; gives the message.
async fn check(wasm: &[u8], code: i32, reason: ExitReason) -> String {
    let kit = Kit::new();
    let status = kit.run(kit.workload(wasm)).await;
    assert_eq!((status.code, status.reason), (code, reason), "{}", status.message);
    assert!(status.started_at <= status.finished_at);
    status.message
}

#[tokio::test]
async fn a_component_returns_ok() {
    check(&returns(0), 0, ExitReason::Completed).await;
}

#[tokio::test]
async fn a_component_returns_an_error() {
    check(&returns(1), 1, ExitReason::Error).await;
}

#[tokio::test]
async fn a_component_exits_with_a_code() {
    let main = "(func (export \"run\") (result i32) (call $exit (i32.const 42)) (i32.const 0))";
    check(&command(main), 42, ExitReason::Error).await;
    let main = "(func (export \"run\") (result i32) (call $exit (i32.const 0)) (i32.const 1))";
    check(&command(main), 0, ExitReason::Completed).await;
}

#[tokio::test]
async fn a_trap_ends_with_134_and_names_the_function() {
    let main = "(func $broken unreachable) (func (export \"run\") (result i32) (call $broken) (i32.const 0))";
    let message = check(&command(main), 134, ExitReason::Error).await;
    assert!(message.starts_with("wasm trap: wasm `unreachable` instruction executed"), "{message}");
    assert!(message.contains("\n  at broken") && message.lines().count() <= 7, "{message}");
}

#[tokio::test]
async fn a_module_keeps_its_exit_code() {
    check(&module(""), 0, ExitReason::Completed).await;
    check(&module("(call $exit (i32.const 7))"), 7, ExitReason::Error).await;
    check(&module("unreachable"), 134, ExitReason::Error).await;
}

#[tokio::test]
async fn memory_over_the_limit_is_oom_killed_even_when_the_guest_would_go_on() {
    let grow = "(func (export \"run\") (result i32)
        (loop $l (drop (memory.grow (i32.const 16))) (br $l)) (i32.const 0))";
    let kit = Kit::new();
    let limits = Limits { memory_bytes_max: Some(8 << 20), ..Limits::default() };
    for wasm in [command(grow), module("(loop $l (drop (memory.grow (i32.const 16))) (br $l))")] {
        let status = kit.run(Workload { limits, ..kit.workload(&wasm) }).await;
        assert_eq!((status.code, status.reason), (137, ExitReason::OomKilled), "{}", status.message);
        assert!(status.message.contains("8388608"), "{}", status.message);
    }
    assert_eq!(kit.backend.memory_bytes(), 0);
}

#[tokio::test]
async fn a_program_larger_than_its_limit_is_oom_killed_at_start() {
    let kit = Kit::new();
    let limits = Limits { memory_bytes_max: Some(1 << 20), ..Limits::default() };
    let status = kit.run(Workload { limits, ..kit.workload(&returns(0)) }).await;
    assert_eq!((status.code, status.reason), (137, ExitReason::OomKilled), "{}", status.message);
}

#[tokio::test]
async fn a_spinning_guest_stops_at_once_and_others_run_beside_it() {
    let kit = Kit::new();
    // More spinning guests than threads: each gives way at every tick.
    let mut spinning = Vec::new();
    for _ in 0..4 {
        spinning.push(kit.start(kit.workload(&spins())).await);
    }
    assert_eq!(kit.run(kit.workload(&returns(0))).await.code, 0);
    for (container, (grace, code)) in spinning.iter().zip([(0, 137), (1, 143), (30, 143), (0, 137)]) {
        let stopped = runtime_base::clock::within(Duration::from_secs(5), container.stop(Duration::from_secs(grace)));
        stopped.await.expect("stops soon").unwrap();
        assert_eq!(exit(&**container).await.code, code);
        assert!(container.stats().await.unwrap().cpu_ns > 0);
    }
}

#[tokio::test]
async fn a_waiting_guest_stops_at_once_and_its_port_is_free() {
    let kit = Kit::new();
    let container = kit.start(kit.workload(&waits())).await;
    wait_for("listening", || kit.net.is_listening(1, 9)).await;
    assert!(container.stats().await.unwrap().memory_bytes >= 17 << 16);
    container.stop(Duration::from_secs(30)).await.unwrap();
    assert_eq!(exit(&*container).await.code, 143);
    assert!(!kit.net.is_listening(1, 9));
    assert_eq!(kit.backend.memory_bytes(), 0);
}

#[tokio::test]
async fn dropping_the_last_handle_ends_the_run() {
    let kit = Kit::new();
    let container = kit.start(kit.workload(&waits())).await;
    let state = container.state();
    wait_for("listening", || kit.net.is_listening(1, 9)).await;
    drop(container);
    wait_for("killed", || matches!(&*state.borrow(), ContainerState::Exited(status) if status.code == 137)).await;
}

#[tokio::test]
async fn a_container_that_never_started_stops() {
    let kit = Kit::new();
    let container = kit.backend.create(&kit.sandbox(1), kit.workload(&returns(0))).await.unwrap();
    assert_eq!(*container.state().borrow(), ContainerState::Created);
    container.stop(Duration::from_secs(1)).await.unwrap();
    assert_eq!(exit(&*container).await.code, 143);
    assert!(matches!(container.start().await, Err(BackendError::Container { .. })));
}

#[tokio::test]
async fn a_quota_slows_a_guest_down() {
    let kit = Kit::new();
    let limits = Limits { cpu_millis_max: Some(100), ..Limits::default() };
    let container = kit.start(Workload { limits, ..kit.workload(&spins()) }).await;
    let clock = runtime_base::Clock::system();
    let start = clock.monotonic();
    clock.sleep(Duration::from_millis(1000)).await;
    let used = Duration::from_nanos(container.stats().await.unwrap().cpu_ns);
    let share = used.as_secs_f64() / start.elapsed().as_secs_f64();
    assert!(share < 0.3, "{share}");
    container.update(Limits::default()).await.unwrap();
    wait_for("the quota is gone", {
        let cpu = container.clone();
        move || futures::executor::block_on(cpu.stats()).unwrap().cpu_ns > used.as_nanos() as u64 + 100_000_000
    })
    .await;
}

/// Prints arguments, then environment, then the initial directory, one per line.
fn prints_surroundings() -> Vec<u8> {
    command(
        r#"(data (i32.const 1024) "\n=")
        (func $print (param i32 i32 i32)
          (call $write (call $stdout) (i32.load (local.get 0)) (i32.load (i32.add (local.get 0) (i32.const 4))) (i32.const 64))
          (call $write (call $stdout) (local.get 1) (local.get 2) (i32.const 64)))
        (func (export "run") (result i32) (local $at i32) (local $n i32)
          (call $arguments (i32.const 128))
          (local.set $at (i32.load (i32.const 128))) (local.set $n (i32.load (i32.const 132)))
          (block $done (loop $l
            (br_if $done (i32.eqz (local.get $n)))
            (call $print (local.get $at) (i32.const 1024) (i32.const 1))
            (local.set $at (i32.add (local.get $at) (i32.const 8)))
            (local.set $n (i32.sub (local.get $n) (i32.const 1)))
            (br $l)))
          (call $environment (i32.const 128))
          (local.set $at (i32.load (i32.const 128))) (local.set $n (i32.load (i32.const 132)))
          (block $done (loop $l
            (br_if $done (i32.eqz (local.get $n)))
            (call $print (local.get $at) (i32.const 1025) (i32.const 1))
            (call $print (i32.add (local.get $at) (i32.const 8)) (i32.const 1024) (i32.const 1))
            (local.set $at (i32.add (local.get $at) (i32.const 16)))
            (local.set $n (i32.sub (local.get $n) (i32.const 1)))
            (br $l)))
          (call $initial-cwd (i32.const 128))
          (if (i32.load8_u (i32.const 128)) (then (call $print (i32.const 132) (i32.const 1024) (i32.const 1))))
          (call $write (call $stderr) (i32.const 1025) (i32.const 1) (i32.const 64))
          (i32.const 0))"#,
    )
}

#[tokio::test]
async fn arguments_environment_and_outputs_reach_where_they_belong() {
    let kit = Kit::new();
    let env = [("A", "old"), ("B", "2"), ("A", "1")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let workload = Workload {
        args: Some(vec!["--flag".into(), "x y".into()]),
        env: env.to_vec(),
        working_dir: Some("/data".into()),
        ..kit.workload(&prints_surroundings())
    };
    assert_eq!(kit.run(workload).await.code, 0);
    assert_eq!(kit.log.stdout(), "app\n--flag\nx y\nHOSTNAME=pod-1\nB=2\nA=1\n/data\n");
    assert_eq!(kit.log.stderr(), "=");
}

/// Opens "file" in the first mount (the directory after `/`) for writing, making it; exits with the errno.
fn makes_a_file() -> Vec<u8> {
    module(
        "(call $exit (call $open (i32.const 4) (i32.const 0) (i32.const 1024) (i32.const 4) (i32.const 1)
          (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 128)))",
    )
}

#[tokio::test]
async fn mounts_are_writable_unless_read_only() {
    let kit = Kit::new();
    for (read_only, code) in [(true, 63), (false, 0)] {
        let volume = kit.dir.path().join(format!("volume-{read_only}"));
        std::fs::create_dir(&volume).unwrap();
        let mount = Mount { host_path: volume.clone(), container_path: "/data".into(), read_only };
        let status = kit.run(Workload { mounts: vec![mount], ..kit.workload(&makes_a_file()) }).await;
        // 63 is wasip1's errno for "not permitted".
        assert_eq!((status.code, volume.join("file").exists()), (code, !read_only));
    }
}

#[tokio::test]
async fn the_root_shows_the_mounts_and_takes_no_files() {
    let kit = Kit::new();
    let volume = kit.dir.path().join("volume");
    std::fs::create_dir(&volume).unwrap();
    let mount = Mount { host_path: volume, container_path: "/data".into(), read_only: false };
    // Directory 3 is `/`: opens the directory "data" there, or makes "file" there.
    for (path, flags, code) in [(1028, 2, 0), (1024, 1, 63)] {
        let wasm = module(&format!(
            "(call $exit (call $open (i32.const 3) (i32.const 0) (i32.const {path}) (i32.const 4) (i32.const {flags})
              (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 128)))"
        ));
        let status = kit.run(Workload { mounts: vec![mount.clone()], ..kit.workload(&wasm) }).await;
        assert_eq!(status.code, code, "{path}");
    }
    let mount = Mount { container_path: "/a/../../b".into(), ..mount };
    let workload = Workload { mounts: vec![mount], ..kit.workload(&returns(0)) };
    let container = kit.backend.create(&kit.sandbox(1), workload).await.unwrap();
    assert!(matches!(container.start().await, Err(BackendError::Container { .. })));
}

#[tokio::test]
async fn a_missing_mount_is_a_start_error_that_names_it() {
    let kit = Kit::new();
    let mount = Mount { host_path: "/nowhere/at/all".into(), container_path: "/data".into(), read_only: true };
    let workload = Workload { mounts: vec![mount], ..kit.workload(&returns(0)) };
    let container = kit.backend.create(&kit.sandbox(1), workload).await.unwrap();
    let error = container.start().await.unwrap_err().to_string();
    assert!(error.contains("/data") && error.contains("/nowhere/at/all"), "{error}");
    let status = exit(&*container).await;
    assert_eq!((status.code, status.reason), (128, ExitReason::StartError));
}

#[tokio::test]
async fn a_memory_that_shrinks_the_node_budget_is_given_back_after_a_trap() {
    let kit = Kit::new();
    let wasm = parse(r#"(module (memory (export "memory") 100) (func (export "_start") unreachable))"#);
    assert_eq!(kit.run(kit.workload(&wasm)).await.code, 134);
    assert_eq!(kit.backend.memory_bytes(), 0);
}
