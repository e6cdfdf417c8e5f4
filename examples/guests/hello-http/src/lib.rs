//! An HTTP service as a wasi:http component: no listening socket, one call for each request.
//!
//!     GET  /            the greeting: GREETING, or a default
//!     GET  /healthz     200, for probes
//!     GET  /fail        500
//!     GET  /env         the environment
//!     GET  /slow?MS     the greeting, MS milliseconds later
//!     POST any path     the request's body, sent back as it arrives
//!
//! With LOG_REQUESTS in the environment each request is a line on stdout.

use std::time::Duration;
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{
    Fields, IncomingBody, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

/// What one `blocking-write-and-flush` may take (wasi:io/streams).
const WRITE_BYTES_MAX: usize = 4096;

struct HelloHttp;

impl Guest for HelloHttp {
    fn handle(request: IncomingRequest, response: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_else(|| "/".to_owned());
        if std::env::var_os("LOG_REQUESTS").is_some() {
            println!("{} {target}", method_name(&request.method()));
        }
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        match (request.method(), path) {
            (Method::Post | Method::Put, _) => send_back(request, response),
            (Method::Get | Method::Head, "/") => answer(response, 200, &greeting()),
            (Method::Get | Method::Head, "/healthz") => answer(response, 200, "ok\n"),
            (Method::Get | Method::Head, "/fail") => answer(response, 500, "failing, as asked\n"),
            (Method::Get | Method::Head, "/env") => answer(response, 200, &environment()),
            (Method::Get | Method::Head, "/slow") => match query.trim_start_matches("ms=").parse() {
                Ok(delay_ms) => {
                    std::thread::sleep(Duration::from_millis(delay_ms));
                    answer(response, 200, &greeting());
                }
                Err(_) => answer(response, 400, "usage: /slow?MILLISECONDS\n"),
            },
            (Method::Get | Method::Head, _) => answer(response, 404, &format!("nothing at {path}\n")),
            _ => answer(response, 405, "GET, HEAD, POST or PUT\n"),
        }
    }
}

wasip2::http::proxy::export!(HelloHttp);

fn greeting() -> String {
    let mut text = std::env::var("GREETING").unwrap_or_else(|_| "Hello from Coracle".to_owned());
    text.push('\n');
    text
}

fn environment() -> String {
    std::env::vars().map(|(name, value)| format!("{name}={value}\n")).collect()
}

fn method_name(method: &Method) -> &str {
    match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Connect => "CONNECT",
        Method::Options => "OPTIONS",
        Method::Trace => "TRACE",
        Method::Patch => "PATCH",
        Method::Other(name) => name,
    }
}

/// Answers with `status` and `text`.
fn answer(response: ResponseOutparam, status: u16, text: &str) {
    with_body(response, status, "text/plain; charset=utf-8", |out| write_all(out, text.as_bytes()));
}

/// Answers with the body of the request, piece by piece.
fn send_back(request: IncomingRequest, response: ResponseOutparam) {
    let body = request.consume().expect("the body is taken once");
    let input = body.stream().expect("the stream is taken once");
    with_body(response, 200, "application/octet-stream", |out| copy(&input, out));
    drop(input);
    IncomingBody::finish(body);
}

/// Starts a response and lets `write` fill its body. A caller that hung up is no error of ours.
fn with_body(
    response: ResponseOutparam,
    status: u16,
    content_type: &str,
    write: impl FnOnce(&OutputStream) -> Result<(), StreamError>,
) {
    let headers = Fields::from_list(&[("content-type".to_owned(), content_type.as_bytes().to_vec())])
        .expect("content-type may be set");
    let message = OutgoingResponse::new(headers);
    message.set_status_code(status).expect("the status is a valid one");
    let body = message.body().expect("the body is taken once");
    ResponseOutparam::set(response, Ok(message));
    let stream = body.write().expect("the stream is taken once");
    let written = write(&stream);
    drop(stream);
    if written.is_ok() {
        let _ = OutgoingBody::finish(body, None);
    }
}

fn write_all(out: &OutputStream, bytes: &[u8]) -> Result<(), StreamError> {
    bytes.chunks(WRITE_BYTES_MAX).try_for_each(|piece| out.blocking_write_and_flush(piece))
}

fn copy(input: &InputStream, out: &OutputStream) -> Result<(), StreamError> {
    loop {
        match input.blocking_read(WRITE_BYTES_MAX as u64) {
            Ok(bytes) => write_all(out, &bytes)?,
            Err(StreamError::Closed) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
