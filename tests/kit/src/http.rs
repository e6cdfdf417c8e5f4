//! A plain HTTP/1.1 client for tests: one request, one connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The status and body of `GET path`, or what went wrong.
pub fn get(address: SocketAddr, path: &str) -> Result<(u16, String), String> {
    let limit = Duration::from_secs(10);
    let text = |error: std::io::Error| error.to_string();
    let mut stream = TcpStream::connect_timeout(&address, limit).map_err(text)?;
    stream.set_read_timeout(Some(limit)).map_err(text)?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(text)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).map_err(text)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(format!("no answer: {answer:?}"))?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or(format!("no status: {head:?}"))?;
    Ok((status, body.to_owned()))
}
