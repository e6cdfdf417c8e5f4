use crate::tests::kit::{Kit, exit, wait_for};
use crate::tests::wat::{command, tcp};

/// Accepts one connection and sends back what comes until its end.
fn echo_server() -> Vec<u8> {
    command(&tcp("(call $listen (i32.const 7)) (call $accept-one)
         (block $done (loop $l
           (local.set $n (call $recv))
           (br_if $done (i32.eqz (local.get $n)))
           (call $send (global.get $at) (local.get $n))
           (br $l)))
         (i32.const 0)"))
}

#[tokio::test]
async fn two_pods_talk_over_tcp_and_half_close() {
    let kit = Kit::new();
    let server = kit.start_in(1, kit.workload(&echo_server())).await;
    wait_for("listening", || kit.net.is_listening(1, 7)).await;
    // Sends two parts, ends its direction, and prints all that comes back until the end.
    let client = command(&tcp("(call $connect (i32.const 1) (i32.const 7))
         (call $send (i32.const 2048) (i32.const 3)) (call $send (i32.const 2051) (i32.const 3))
         (call $shutdown (global.get $socket) (i32.const 1) (i32.const 64)) (call $check)
         (block $done (loop $l
           (local.set $n (call $recv))
           (br_if $done (i32.eqz (local.get $n)))
           (call $say (global.get $at) (local.get $n))
           (br $l)))
         (i32.const 0)"));
    let client = kit.start_in(2, kit.workload(&client)).await;
    assert_eq!(exit(&*client).await.code, 0);
    assert_eq!(kit.log.stdout(), "server");
    assert_eq!(exit(&*server).await.code, 0);
}

/// Runs `main` in the Pod 10.0.0.2 and compares its exit code; 100 and more is an error code.
async fn check(kit: &Kit, main: &str, code: i32) {
    let container = kit.start_in(2, kit.workload(&command(&tcp(main)))).await;
    assert_eq!(exit(&*container).await.code, code, "{main}");
}

#[tokio::test]
async fn errors_have_the_codes_of_wasi() {
    let kit = Kit::new();
    // Nobody listens: connection-refused is 14.
    check(&kit, "(call $connect (i32.const 1) (i32.const 7)) (i32.const 0)", 114).await;
    // Bound twice: address-in-use is 12.
    check(&kit, "(call $listen (i32.const 7)) (call $listen (i32.const 7)) (i32.const 0)", 112).await;
    // Port 0 to connect to: invalid-argument is 3.
    check(&kit, "(call $connect (i32.const 1) (i32.const 0)) (i32.const 0)", 103).await;
    // Listening without an address: invalid-state is 9.
    check(
        &kit,
        "(call $make) (call $start-listen (global.get $socket) (i32.const 64)) (call $check) (i32.const 0)",
        109,
    )
    .await;
    // Finished before started: not-in-progress is 7.
    check(
        &kit,
        "(call $make) (call $finish-connect (global.get $socket) (i32.const 64)) (call $check4) (i32.const 0)",
        107,
    )
    .await;
    // UDP: not-supported is 2.
    check(&kit, "(call $udp-socket (i32.const 0) (i32.const 64)) (call $check4) (i32.const 0)", 102).await;
}

/// Looks up the name of `length` bytes at 2048 and exits with the last byte of its address.
fn lookup(length: u32) -> String {
    format!(
        "(local $lookup i32)
         (call $resolve (call $network) (i32.const 2048) (i32.const {length}) (i32.const 64)) (call $check4)
         (local.set $lookup (i32.load (i32.const 68)))
         (call $block (call $wait-address (local.get $lookup)))
         (call $next-address (local.get $lookup) (i32.const 64))
         ;; result<option<variant>>: the error or the option is at 66
         (if (i32.load8_u (i32.const 64)) (then (call $exit (i32.add (i32.const 100) (i32.load8_u (i32.const 66))))))
         (call $exit (i32.load8_u (i32.const 73)))
         (i32.const 0)"
    )
}

#[tokio::test]
async fn names_are_resolved_by_the_pod() {
    let kit = Kit::new();
    kit.net.name("server", 77);
    check(&kit, &lookup(6), 77).await;
    // "serv": name-unresolvable is 18.
    check(&kit, &lookup(4), 118).await;
}
