//! Guests in the text format. A component is assembled from a prelude, which imports what tests
//! need of WASI and lowers it to core functions, and a core module that the test writes.

/// `wasi:io`.
const IO: &str = r#"
(import "wasi:io/error@0.2.0" (instance $error (export "error" (type (sub resource)))))
(alias export $error "error" (type $error))
(import "wasi:io/poll@0.2.0" (instance $poll
  (export "pollable" (type $p (sub resource)))
  (export "[method]pollable.block" (func (param "self" (borrow $p))))))
(alias export $poll "pollable" (type $pollable))
(import "wasi:io/streams@0.2.0" (instance $streams
  (export "input-stream" (type $in (sub resource)))
  (export "output-stream" (type $out (sub resource)))
  (alias outer 1 $error (type $e))
  (type $se (variant (case "last-operation-failed" (own $e)) (case "closed")))
  (export "stream-error" (type $stream-error (eq $se)))
  (export "[method]input-stream.blocking-read" (func (param "self" (borrow $in)) (param "len" u64)
    (result (result (list u8) (error $stream-error)))))
  (export "[method]output-stream.blocking-write-and-flush" (func (param "self" (borrow $out)) (param "contents" (list u8))
    (result (result (error $stream-error)))))))
(alias export $streams "input-stream" (type $input))
(alias export $streams "output-stream" (type $output))
"#;

/// `wasi:cli`.
const CLI: &str = r#"
(import "wasi:cli/exit@0.2.12" (instance $exit (export "exit-with-code" (func (param "status-code" u8)))))
(import "wasi:cli/stdout@0.2.0" (instance $stdout
  (alias outer 1 $output (type $o)) (export "output-stream" (type $out (eq $o)))
  (export "get-stdout" (func (result (own $out))))))
(import "wasi:cli/stderr@0.2.0" (instance $stderr
  (alias outer 1 $output (type $o)) (export "output-stream" (type $out (eq $o)))
  (export "get-stderr" (func (result (own $out))))))
(import "wasi:cli/environment@0.2.0" (instance $environment
  (export "get-environment" (func (result (list (tuple string string)))))
  (export "get-arguments" (func (result (list string))))
  (export "initial-cwd" (func (result (option string))))))
"#;

/// `wasi:sockets`.
const SOCKETS: &str = r#"
(import "wasi:sockets/network@0.2.0" (instance $network
  (export "network" (type (sub resource)))
  (type $ec (enum "unknown" "access-denied" "not-supported" "invalid-argument" "out-of-memory" "timeout"
    "concurrency-conflict" "not-in-progress" "would-block" "invalid-state" "new-socket-limit"
    "address-not-bindable" "address-in-use" "remote-unreachable" "connection-refused" "connection-reset"
    "connection-aborted" "datagram-too-large" "name-unresolvable" "temporary-resolver-failure"
    "permanent-resolver-failure"))
  (export "error-code" (type (eq $ec)))
  (type $f (enum "ipv4" "ipv6"))
  (export "ip-address-family" (type (eq $f)))
  (type $a4 (tuple u8 u8 u8 u8))
  (export "ipv4-address" (type $v4 (eq $a4)))
  (type $a6 (tuple u16 u16 u16 u16 u16 u16 u16 u16))
  (export "ipv6-address" (type $v6 (eq $a6)))
  (type $a (variant (case "ipv4" $v4) (case "ipv6" $v6)))
  (export "ip-address" (type (eq $a)))
  (type $s4 (record (field "port" u16) (field "address" $v4)))
  (export "ipv4-socket-address" (type $sa4 (eq $s4)))
  (type $s6 (record (field "port" u16) (field "flow-info" u32) (field "address" $v6) (field "scope-id" u32)))
  (export "ipv6-socket-address" (type $sa6 (eq $s6)))
  (type $s (variant (case "ipv4" $sa4) (case "ipv6" $sa6)))
  (export "ip-socket-address" (type (eq $s)))))
(alias export $network "network" (type $net))
(alias export $network "error-code" (type $code))
(alias export $network "ip-address-family" (type $family))
(alias export $network "ip-address" (type $ip))
(alias export $network "ip-socket-address" (type $address))
(import "wasi:sockets/instance-network@0.2.0" (instance $instance-network
  (alias outer 1 $net (type $n)) (export "network" (type $network (eq $n)))
  (export "instance-network" (func (result (own $network))))))
(import "wasi:sockets/ip-name-lookup@0.2.0" (instance $lookup
  (alias outer 1 $net (type $n)) (export "network" (type $network (eq $n)))
  (alias outer 1 $code (type $c)) (export "error-code" (type $ec (eq $c)))
  (alias outer 1 $ip (type $i)) (export "ip-address" (type $address (eq $i)))
  (alias outer 1 $pollable (type $p)) (export "pollable" (type $poll (eq $p)))
  (export "resolve-address-stream" (type $stream (sub resource)))
  (export "resolve-addresses" (func (param "network" (borrow $network)) (param "name" string)
    (result (result (own $stream) (error $ec)))))
  (export "[method]resolve-address-stream.resolve-next-address" (func (param "self" (borrow $stream))
    (result (result (option $address) (error $ec)))))
  (export "[method]resolve-address-stream.subscribe" (func (param "self" (borrow $stream)) (result (own $poll))))))
(import "wasi:sockets/tcp@0.2.0" (instance $tcp
  (alias outer 1 $net (type $n)) (export "network" (type $network (eq $n)))
  (alias outer 1 $code (type $c)) (export "error-code" (type $ec (eq $c)))
  (alias outer 1 $address (type $a)) (export "ip-socket-address" (type $addr (eq $a)))
  (alias outer 1 $pollable (type $p)) (export "pollable" (type $poll (eq $p)))
  (alias outer 1 $input (type $i)) (export "input-stream" (type $in (eq $i)))
  (alias outer 1 $output (type $o)) (export "output-stream" (type $out (eq $o)))
  (type $st (enum "receive" "send" "both"))
  (export "shutdown-type" (type $kind (eq $st)))
  (export "tcp-socket" (type $tcp (sub resource)))
  (export "[method]tcp-socket.start-bind" (func (param "self" (borrow $tcp)) (param "network" (borrow $network))
    (param "local-address" $addr) (result (result (error $ec)))))
  (export "[method]tcp-socket.finish-bind" (func (param "self" (borrow $tcp)) (result (result (error $ec)))))
  (export "[method]tcp-socket.start-connect" (func (param "self" (borrow $tcp)) (param "network" (borrow $network))
    (param "remote-address" $addr) (result (result (error $ec)))))
  (export "[method]tcp-socket.finish-connect" (func (param "self" (borrow $tcp))
    (result (result (tuple (own $in) (own $out)) (error $ec)))))
  (export "[method]tcp-socket.start-listen" (func (param "self" (borrow $tcp)) (result (result (error $ec)))))
  (export "[method]tcp-socket.finish-listen" (func (param "self" (borrow $tcp)) (result (result (error $ec)))))
  (export "[method]tcp-socket.accept" (func (param "self" (borrow $tcp))
    (result (result (tuple (own $tcp) (own $in) (own $out)) (error $ec)))))
  (export "[method]tcp-socket.subscribe" (func (param "self" (borrow $tcp)) (result (own $poll))))
  (export "[method]tcp-socket.shutdown" (func (param "self" (borrow $tcp)) (param "shutdown-type" $kind)
    (result (result (error $ec)))))))
(alias export $tcp "tcp-socket" (type $socket))
(import "wasi:sockets/tcp-create-socket@0.2.0" (instance $create
  (alias outer 1 $code (type $c)) (export "error-code" (type $ec (eq $c)))
  (alias outer 1 $family (type $f)) (export "ip-address-family" (type $fam (eq $f)))
  (alias outer 1 $socket (type $s)) (export "tcp-socket" (type $tcp (eq $s)))
  (export "create-tcp-socket" (func (param "address-family" $fam) (result (result (own $tcp) (error $ec)))))))
(import "wasi:sockets/udp@0.2.0" (instance $udp (export "udp-socket" (type (sub resource)))))
(alias export $udp "udp-socket" (type $udp-socket))
(import "wasi:sockets/udp-create-socket@0.2.0" (instance $create-udp
  (alias outer 1 $code (type $c)) (export "error-code" (type $ec (eq $c)))
  (alias outer 1 $family (type $f)) (export "ip-address-family" (type $fam (eq $f)))
  (alias outer 1 $udp-socket (type $s)) (export "udp-socket" (type $udp (eq $s)))
  (export "create-udp-socket" (func (param "address-family" $fam) (result (result (own $udp) (error $ec)))))))
"#;

/// `wasi:http`.
const HTTP: &str = r#"
(import "wasi:http/types@0.2.0" (instance $http
  (alias outer 1 $output (type $o)) (export "output-stream" (type $out (eq $o)))
  (export "fields" (type $fields (sub resource)))
  (export "incoming-request" (type $request (sub resource)))
  (export "response-outparam" (type $outparam (sub resource)))
  (export "outgoing-response" (type $response (sub resource)))
  (export "outgoing-body" (type $body (sub resource)))
  (type $dns (record (field "rcode" (option string)) (field "info-code" (option u16))))
  (export "DNS-error-payload" (type $dns-p (eq $dns)))
  (type $tls (record (field "alert-id" (option u8)) (field "alert-message" (option string))))
  (export "TLS-alert-received-payload" (type $tls-p (eq $tls)))
  (type $size (record (field "field-name" (option string)) (field "field-size" (option u32))))
  (export "field-size-payload" (type $size-p (eq $size)))
  (type $ec (variant (case "DNS-timeout") (case "DNS-error" $dns-p) (case "destination-not-found")
    (case "destination-unavailable") (case "destination-IP-prohibited") (case "destination-IP-unroutable")
    (case "connection-refused") (case "connection-terminated") (case "connection-timeout")
    (case "connection-read-timeout") (case "connection-write-timeout") (case "connection-limit-reached")
    (case "TLS-protocol-error") (case "TLS-certificate-error") (case "TLS-alert-received" $tls-p)
    (case "HTTP-request-denied") (case "HTTP-request-length-required") (case "HTTP-request-body-size" (option u64))
    (case "HTTP-request-method-invalid") (case "HTTP-request-URI-invalid") (case "HTTP-request-URI-too-long")
    (case "HTTP-request-header-section-size" (option u32)) (case "HTTP-request-header-size" (option $size-p))
    (case "HTTP-request-trailer-section-size" (option u32)) (case "HTTP-request-trailer-size" $size-p)
    (case "HTTP-response-incomplete") (case "HTTP-response-header-section-size" (option u32))
    (case "HTTP-response-header-size" $size-p) (case "HTTP-response-body-size" (option u64))
    (case "HTTP-response-trailer-section-size" (option u32)) (case "HTTP-response-trailer-size" $size-p)
    (case "HTTP-response-transfer-coding" (option string)) (case "HTTP-response-content-coding" (option string))
    (case "HTTP-response-timeout") (case "HTTP-upgrade-failed") (case "HTTP-protocol-error")
    (case "loop-detected") (case "configuration-error") (case "internal-error" (option string))))
  (export "error-code" (type $error-code (eq $ec)))
  (export "[constructor]fields" (func (result (own $fields))))
  (export "[method]incoming-request.path-with-query" (func (param "self" (borrow $request)) (result (option string))))
  (export "[constructor]outgoing-response" (func (param "headers" (own $fields)) (result (own $response))))
  (export "[method]outgoing-response.body" (func (param "self" (borrow $response)) (result (result (own $body)))))
  (export "[method]outgoing-body.write" (func (param "self" (borrow $body)) (result (result (own $out)))))
  (export "[static]outgoing-body.finish" (func (param "this" (own $body)) (param "trailers" (option (own $fields)))
    (result (result (error $error-code)))))
  (export "[static]response-outparam.set" (func (param "param" (own $outparam))
    (param "response" (result (own $response) (error $error-code)))))))
(alias export $http "incoming-request" (type $request))
(alias export $http "response-outparam" (type $outparam))
"#;

/// Memory, and an allocator that only grows.
const LIBC: &str = r#"
(core module $libc-module
  (memory (export "memory") 17)
  (global $next (mut i32) (i32.const 0x20000))
  (func (export "realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
    (global.set $next (i32.add (local.get $at) (local.get 3)))
    (local.get $at)))
(core instance $libc (instantiate $libc-module))
"#;

/// Core name, instance and function of the prelude, and its core type.
type Import = (&'static str, &'static str, &'static str, &'static str);

const ADDRESS: &str = "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)";

const COMMAND_IMPORTS: &[Import] = &[
    ("block", "$poll", "[method]pollable.block", "(param i32)"),
    ("read", "$streams", "[method]input-stream.blocking-read", "(param i32 i64 i32)"),
    ("write", "$streams", "[method]output-stream.blocking-write-and-flush", "(param i32 i32 i32 i32)"),
    ("exit", "$exit", "exit-with-code", "(param i32)"),
    ("stdout", "$stdout", "get-stdout", "(result i32)"),
    ("stderr", "$stderr", "get-stderr", "(result i32)"),
    ("environment", "$environment", "get-environment", "(param i32)"),
    ("arguments", "$environment", "get-arguments", "(param i32)"),
    ("initial-cwd", "$environment", "initial-cwd", "(param i32)"),
    ("network", "$instance-network", "instance-network", "(result i32)"),
    ("resolve", "$lookup", "resolve-addresses", "(param i32 i32 i32 i32)"),
    ("next-address", "$lookup", "[method]resolve-address-stream.resolve-next-address", "(param i32 i32)"),
    ("wait-address", "$lookup", "[method]resolve-address-stream.subscribe", "(param i32) (result i32)"),
    ("socket", "$create", "create-tcp-socket", "(param i32 i32)"),
    ("udp-socket", "$create-udp", "create-udp-socket", "(param i32 i32)"),
    ("start-bind", "$tcp", "[method]tcp-socket.start-bind", ADDRESS),
    ("finish-bind", "$tcp", "[method]tcp-socket.finish-bind", "(param i32 i32)"),
    ("start-connect", "$tcp", "[method]tcp-socket.start-connect", ADDRESS),
    ("finish-connect", "$tcp", "[method]tcp-socket.finish-connect", "(param i32 i32)"),
    ("start-listen", "$tcp", "[method]tcp-socket.start-listen", "(param i32 i32)"),
    ("finish-listen", "$tcp", "[method]tcp-socket.finish-listen", "(param i32 i32)"),
    ("accept", "$tcp", "[method]tcp-socket.accept", "(param i32 i32)"),
    ("subscribe", "$tcp", "[method]tcp-socket.subscribe", "(param i32) (result i32)"),
    ("shutdown", "$tcp", "[method]tcp-socket.shutdown", "(param i32 i32 i32)"),
];

const HTTP_IMPORTS: &[Import] = &[
    ("write", "$streams", "[method]output-stream.blocking-write-and-flush", "(param i32 i32 i32 i32)"),
    ("fields", "$http", "[constructor]fields", "(result i32)"),
    ("path", "$http", "[method]incoming-request.path-with-query", "(param i32 i32)"),
    ("response", "$http", "[constructor]outgoing-response", "(param i32) (result i32)"),
    ("body", "$http", "[method]outgoing-response.body", "(param i32 i32)"),
    ("stream", "$http", "[method]outgoing-body.write", "(param i32 i32)"),
    ("finish", "$http", "[static]outgoing-body.finish", "(param i32 i32 i32 i32)"),
    ("set", "$http", "[static]response-outparam.set", "(param i32 i32 i32 i32 i64 i32 i32 i32 i32)"),
];

/// Everything up to the instance of the test's core module, whose items are `main`.
fn body(imports: &[Import], drops: &[(&str, &str)], main: &str) -> String {
    let mut text = LIBC.to_owned();
    let (mut module, mut with) = (String::new(), String::new());
    for (name, instance, function, types) in imports {
        text += &format!(
            "(core func ${name} (canon lower (func {instance} \"{function}\") \
             (memory (core memory $libc \"memory\")) (realloc (core func $libc \"realloc\"))))\n"
        );
        module += &format!("(import \"host\" \"{name}\" (func ${name} {types}))\n");
        with += &format!("(export \"{name}\" (func ${name}))\n");
    }
    for (name, resource) in drops {
        text += &format!("(core func ${name} (canon resource.drop {resource}))\n");
        module += &format!("(import \"host\" \"{name}\" (func ${name} (param i32)))\n");
        with += &format!("(export \"{name}\" (func ${name}))\n");
    }
    text + &format!(
        "(core module $main-module (import \"libc\" \"memory\" (memory 17))\n{module}\n{main})\n\
         (core instance $main (instantiate $main-module (with \"libc\" (instance $libc)) (with \"host\" (instance {with}))))\n"
    )
}

/// A command; `main` exports `run`, which returns 0 (ok) or 1.
pub(crate) fn command(main: &str) -> Vec<u8> {
    let drops = [("drop-input", "$input"), ("drop-output", "$output"), ("drop-socket", "$socket")];
    let text = format!(
        "(component {IO} {CLI} {SOCKETS} {}\n\
         (func $run (result (result)) (canon lift (core func $main \"run\")))\n\
         (instance $exported (export \"run\" (func $run)))\n\
         (export \"wasi:cli/run@0.2.0\" (instance $exported)))",
        body(COMMAND_IMPORTS, &drops, main)
    );
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"))
}

/// An HTTP handler; `main` exports `handle` with the request and the outparam.
pub(crate) fn handler(main: &str) -> Vec<u8> {
    let drops = [("drop-output", "$output"), ("drop-request", "$request")];
    let text = format!(
        "(component {IO} {HTTP} {}\n\
         (type $request-arg (own $request)) (type $outparam-arg (own $outparam))\n\
         (func $handle (param \"request\" (own $request)) (param \"response-out\" (own $outparam))\n\
           (canon lift (core func $main \"handle\")))\n\
         (instance $exported (export \"handle\" (func $handle)))\n\
         (export \"wasi:http/incoming-handler@0.2.0\" (instance $exported)))",
        body(HTTP_IMPORTS, &drops, main)
    );
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"))
}

/// Any text.
pub(crate) fn parse(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"))
}

/// A core module of wasip1; `main` is the body of `_start`.
pub(crate) fn module(main: &str) -> Vec<u8> {
    parse(&format!(
        r#"(module
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "path_open"
          (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 1024) "filedata")
        (func (export "_start") {main}))"#
    ))
}

/// A command that returns at once.
pub(crate) fn returns(result: u32) -> Vec<u8> {
    command(&format!("(func (export \"run\") (result i32) (i32.const {result}))"))
}

/// A command that never returns and never calls the host.
pub(crate) fn spins() -> Vec<u8> {
    command("(func (export \"run\") (result i32) (loop $l (br $l)) (i32.const 0))")
}

/// A command that waits for a connection that never comes.
pub(crate) fn waits() -> Vec<u8> {
    command(&tcp("(call $listen (i32.const 9)) (call $block (call $subscribe (global.get $socket))) (i32.const 0)"))
}

/// A command whose `run` has the body `run`, with functions for TCP:
/// `$listen(port)`, `$accept`, `$connect(last address byte, port)`, `$recv -> length` (0 is the
/// end; the bytes are at `$at`), `$send(at, length)`, `$say(at, length)` to standard output, and
/// `$check`, which exits with 100 plus the error code when the result at 64 is an error.
pub(crate) fn tcp(run: &str) -> String {
    format!(
        r#"
      (data (i32.const 2048) "server")
      (global $socket (mut i32) (i32.const 0))
      (global $in (mut i32) (i32.const 0))
      (global $out (mut i32) (i32.const 0))
      (global $at (mut i32) (i32.const 0))
      (func $check (if (i32.load8_u (i32.const 64))
        (then (call $exit (i32.add (i32.const 100) (i32.load8_u (i32.const 65)))))))
      (func $check4 (if (i32.load8_u (i32.const 64))
        (then (call $exit (i32.add (i32.const 100) (i32.load8_u (i32.const 68)))))))
      (func $make (call $socket-new))
      (func $socket-new (call $socket (i32.const 0) (i32.const 64)) (call $check4)
        (global.set $socket (i32.load (i32.const 68))))
      (func $listen (param $port i32)
        (call $make)
        (call $start-bind (global.get $socket) (call $network) (i32.const 0) (local.get $port)
          (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
          (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64))
        (call $check)
        (call $finish-bind (global.get $socket) (i32.const 64)) (call $check)
        (call $start-listen (global.get $socket) (i32.const 64)) (call $check)
        (call $finish-listen (global.get $socket) (i32.const 64)) (call $check))
      (func $accept-one
        (local $p i32)
        (local.set $p (call $subscribe (global.get $socket)))
        (block $ok (loop $l
          (call $block (local.get $p))
          (call $accept (global.get $socket) (i32.const 64))
          (br_if $ok (i32.eqz (i32.load8_u (i32.const 64))))
          (br $l)))
        (global.set $in (i32.load (i32.const 72)))
        (global.set $out (i32.load (i32.const 76))))
      (func $connect (param $last i32) (param $port i32)
        (local $p i32)
        (call $make)
        (call $start-connect (global.get $socket) (call $network) (i32.const 0) (local.get $port)
          (i32.const 10) (i32.const 0) (i32.const 0) (local.get $last)
          (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64))
        (call $check)
        (local.set $p (call $subscribe (global.get $socket)))
        (block $ok (loop $l
          (call $block (local.get $p))
          (call $finish-connect (global.get $socket) (i32.const 64))
          (br_if $ok (i32.eqz (i32.load8_u (i32.const 64))))
          ;; anything but would-block is the end
          (if (i32.ne (i32.load8_u (i32.const 68)) (i32.const 8)) (then (call $check4)))
          (br $l)))
        (global.set $in (i32.load (i32.const 68)))
        (global.set $out (i32.load (i32.const 72))))
      (func $recv (result i32)
        (call $read (global.get $in) (i64.const 4096) (i32.const 64))
        (if (i32.load8_u (i32.const 64)) (then (return (i32.const 0))))
        (global.set $at (i32.load (i32.const 68)))
        (i32.load (i32.const 72)))
      (func $send (param i32 i32)
        (call $write (global.get $out) (local.get 0) (local.get 1) (i32.const 64)) (call $check4))
      (func $say (param i32 i32)
        (call $write (call $stdout) (local.get 0) (local.get 1) (i32.const 64)))
      (func (export "run") (result i32) (local $n i32) {run})"#
    )
}
