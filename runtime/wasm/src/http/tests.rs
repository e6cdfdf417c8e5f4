use crate::tests::kit::Kit;
use crate::tests::wat::handler;
use http_body_util::{BodyExt, Empty};
use runtime_spec::{Container, ContainerState, HttpEndpoint, HttpError, HttpRequest, Limits, Workload};
use std::sync::Arc;
use std::time::Duration;

/// Answers with the path; traps for /t…, spins for /s…, never answers for /n…, asks for 64 MiB
/// for /m….
fn echoes_the_path() -> Vec<u8> {
    handler(
        r#"(func (export "handle") (param $request i32) (param $out i32)
          (local $response i32) (local $body i32) (local $stream i32) (local $at i32) (local $second i32)
          (call $path (local.get $request) (i32.const 128))
          (call $drop-request (local.get $request))
          (local.set $at (i32.load (i32.const 132)))
          (local.set $second (i32.load8_u (i32.add (local.get $at) (i32.const 1))))
          (if (i32.eq (local.get $second) (i32.const 0x74)) (then unreachable))
          (if (i32.eq (local.get $second) (i32.const 0x73)) (then (loop $l (br $l))))
          (if (i32.eq (local.get $second) (i32.const 0x6e)) (then (return)))
          (if (i32.eq (local.get $second) (i32.const 0x6d)) (then (drop (memory.grow (i32.const 1024)))))
          (local.set $response (call $response (call $fields)))
          (call $body (local.get $response) (i32.const 64))
          (local.set $body (i32.load (i32.const 68)))
          (call $set (local.get $out) (i32.const 0) (local.get $response) (i32.const 0) (i64.const 0)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
          (call $stream (local.get $body) (i32.const 64))
          (local.set $stream (i32.load (i32.const 68)))
          (call $write (local.get $stream) (local.get $at) (i32.load (i32.const 136)) (i32.const 64))
          (call $drop-output (local.get $stream))
          (call $finish (local.get $body) (i32.const 0) (i32.const 0) (i32.const 64)))"#,
    )
}

fn request(path: &str) -> HttpRequest {
    let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
    http::Request::get(format!("http://app.test{path}")).body(body).unwrap()
}

async fn get(endpoint: &dyn HttpEndpoint, path: &str) -> Result<String, HttpError> {
    let response = endpoint.handle(request(path)).await?;
    assert_eq!(response.status(), 200);
    Ok(String::from_utf8(response.into_body().collect().await?.to_bytes().to_vec()).unwrap())
}

async fn started(kit: &Kit, limits: Limits) -> (Arc<dyn Container>, Arc<dyn HttpEndpoint>) {
    let container = kit.start(Workload { limits, ..kit.workload(&echoes_the_path()) }).await;
    let endpoint = container.http().expect("it is a handler");
    (container, endpoint)
}

#[tokio::test]
async fn a_handler_answers_many_requests_at_once() {
    let kit = Kit::new();
    let (container, endpoint) = started(&kit, Limits::default()).await;
    assert_eq!(kit.backend.memory_bytes(), 0, "no instance before the first request");
    for _ in 0..20 {
        assert_eq!(get(&*endpoint, "/one").await.unwrap(), "/one");
    }
    // One instance has 17 pages. It is free a moment after its answer is, so there may be two.
    let used = kit.backend.memory_bytes();
    assert!((17 << 16..=3 * (17 << 16)).contains(&used), "{used}: instances are used again");
    let paths: Vec<String> = (0..300).map(|number| format!("/{number}")).collect();
    let answers = futures::future::join_all(paths.iter().map(|path| get(&*endpoint, path))).await;
    for (path, answer) in paths.iter().zip(answers) {
        assert_eq!(&answer.unwrap(), path);
    }
    assert!(container.stats().await.unwrap().cpu_ns > 0);
    container.stop(Duration::from_secs(10)).await.unwrap();
    assert!(matches!(get(&*endpoint, "/").await, Err(HttpError::Program(_))));
    assert_eq!(kit.backend.memory_bytes(), 0);
}

#[tokio::test]
async fn a_trap_fails_its_request_alone() {
    let kit = Kit::new();
    let (container, endpoint) = started(&kit, Limits::default()).await;
    let Err(HttpError::Program(reason)) = get(&*endpoint, "/trap").await else { panic!("it traps") };
    assert!(reason.contains("unreachable"), "{reason}");
    assert!(kit.log.stderr().contains("unreachable"), "{}", kit.log.stderr());
    let Err(HttpError::Program(reason)) = get(&*endpoint, "/never").await else { panic!("no answer") };
    assert_eq!(reason, "it returned without an answer");
    assert_eq!(get(&*endpoint, "/fine").await.unwrap(), "/fine");
    assert!(matches!(*container.state().borrow(), ContainerState::Running { .. }));
}

#[tokio::test]
async fn memory_over_the_limit_fails_its_request_alone() {
    let kit = Kit::new();
    let limits = Limits { memory_bytes_max: Some(8 << 20), ..Limits::default() };
    let (_container, endpoint) = started(&kit, limits).await;
    let Err(HttpError::Program(reason)) = get(&*endpoint, "/memory").await else { panic!("out of memory") };
    assert!(reason.contains("out of memory"), "{reason}");
    assert_eq!(get(&*endpoint, "/fine").await.unwrap(), "/fine");
}

#[tokio::test]
async fn stopping_waits_for_requests_up_to_the_grace() {
    let kit = Kit::new();
    let (container, endpoint) = started(&kit, Limits::default()).await;
    let spinning = async { get(&*endpoint, "/spin").await };
    let stopping = async {
        crate::tests::kit::wait_for("an instance runs", || kit.backend.memory_bytes() > 0).await;
        container.stop(Duration::from_millis(50)).await.unwrap();
    };
    let (answer, ()) = tokio::join!(spinning, stopping);
    assert!(matches!(answer, Err(HttpError::Program(_))), "{answer:?}");
    assert_eq!(kit.backend.memory_bytes(), 0);
}

#[tokio::test]
async fn a_handler_that_was_not_started_refuses() {
    use runtime_spec::Backend;
    let kit = Kit::new();
    let container = kit.backend.create(&kit.sandbox(1), kit.workload(&echoes_the_path())).await.unwrap();
    assert!(matches!(get(&*container.http().unwrap(), "/").await, Err(HttpError::Program(_))));
}

#[test]
fn only_so_many_requests_wait() {
    use super::{HTTP_WAITING_MAX, Waiting};
    let count = std::sync::atomic::AtomicUsize::new(0);
    let mut waiting: Vec<_> = (0..HTTP_WAITING_MAX).map(|_| Waiting::enter(&count).unwrap()).collect();
    assert!(Waiting::enter(&count).is_none());
    waiting.pop();
    assert!(Waiting::enter(&count).is_some());
}
