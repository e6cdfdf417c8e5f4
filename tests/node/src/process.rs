//! One process behind a WebSocket with channels.

use bytes::Bytes;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::process::{ExitStatus, Stdio};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, Command};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
const RESIZE: u8 = 4;
const CLOSE: u8 = 255;
const CHUNK_BYTES: usize = 32 * 1024;
const CHUNKS_QUEUED_MAX: usize = 16;

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// What is to run, and which channels it has.
pub struct Wish {
    pub command: Vec<String>,
    pub stdin: bool,
    pub stdout: bool,
    pub stderr: bool,
    pub tty: bool,
}

/// Where the output of a main process goes too.
pub type Log = Option<crate::log::Log>;

/// Runs the process to its end, or kills it when the client goes; its exit code.
pub async fn serve(socket: Socket, wish: Wish, log: Log) -> Option<i32> {
    let (sink, source) = socket.split();
    let (queue, messages) = mpsc::channel(CHUNKS_QUEUED_MAX);
    tokio::join!(send(messages, sink), run(wish, source, queue, log)).1
}

async fn send(mut messages: mpsc::Receiver<Bytes>, mut sink: SplitSink<Socket, Message>) {
    while let Some(bytes) = messages.recv().await {
        if sink.send(Message::Binary(bytes)).await.is_err() {
            return;
        }
    }
    // kubectl takes any other end for a failure.
    let _ = sink.send(Message::Close(Some(CloseFrame { code: CloseCode::Normal, reason: "".into() }))).await;
}

fn message(channel: u8, bytes: &[u8]) -> Bytes {
    [&[channel], bytes].concat().into()
}

async fn run(wish: Wish, source: SplitStream<Socket>, queue: mpsc::Sender<Bytes>, log: Log) -> Option<i32> {
    let mut command = Command::new(wish.command.first().map_or("", String::as_str));
    let pipe = |wanted: bool| if wanted { Stdio::piped() } else { Stdio::null() };
    command.args(&wish.command[1..]).stdin(pipe(wish.stdin)).stdout(pipe(wish.stdout)).stderr(pipe(wish.stderr));
    if wish.tty {
        command.env("TERM", "dumb");
    }
    let mut code = None;
    let status = match command.kill_on_drop(true).spawn() {
        Ok(mut child) => {
            let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
            let finished = async {
                tokio::join!(output(STDOUT, stdout, &queue, &log), output(STDERR, stderr, &queue, &log));
                child.wait().await
            };
            tokio::select! {
                ended = finished => {
                    code = ended.as_ref().ok().and_then(ExitStatus::code);
                    of_exit(ended.ok())
                }
                () = input(source, stdin, wish.tty, &queue) => return None,
            }
        }
        Err(error) => failure(&error.to_string(), "InternalError", &Value::Null),
    };
    let _ = queue.send(message(ERROR, status.to_string().as_bytes())).await;
    code
}

async fn output(channel: u8, stream: Option<impl AsyncRead + Unpin>, queue: &mpsc::Sender<Bytes>, log: &Log) {
    let Some(mut stream) = stream else { return };
    let mut buffer = vec![0; CHUNK_BYTES];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        if let Some(log) = log {
            log.send_modify(|text| text.extend_from_slice(&buffer[..count]));
        }
        if queue.send(message(channel, &buffer[..count])).await.is_err() {
            return;
        }
    }
}

/// Ends when the client goes. New sizes of a terminal are told as output, for tests to see.
async fn input(mut source: SplitStream<Socket>, mut stdin: Option<ChildStdin>, tty: bool, queue: &mpsc::Sender<Bytes>) {
    while let Some(Ok(received)) = source.next().await {
        let bytes = match received {
            Message::Binary(bytes) => bytes,
            // PyPI's client sends what it has as text.
            Message::Text(text) => text.into(),
            Message::Close(_) => return,
            _ => continue,
        };
        match &bytes[..] {
            [CLOSE, STDIN] => stdin = None,
            [STDIN, rest @ ..] => {
                if let Some(pipe) = &mut stdin
                    && pipe.write_all(rest).await.is_err()
                {
                    stdin = None;
                }
            }
            [RESIZE, rest @ ..] if tty => {
                let size: Value = serde_json::from_slice(rest).unwrap_or_default();
                let text = format!("size {}x{}\n", size["Width"], size["Height"]);
                let _ = queue.send(message(STDOUT, text.as_bytes())).await;
            }
            _ => {}
        }
    }
}

fn of_exit(status: Option<ExitStatus>) -> Value {
    match status.and_then(|status| status.code()) {
        Some(0) => json!({"metadata": {}, "status": "Success"}),
        Some(code) => {
            let causes = json!({"causes": [{"reason": "ExitCode", "message": code.to_string()}]});
            let text = format!("command terminated with non-zero exit code: exit status {code}");
            failure(&text, "NonZeroExitCode", &causes)
        }
        None => failure("the command was killed", "InternalError", &Value::Null),
    }
}

fn failure(message: &str, reason: &str, details: &Value) -> Value {
    let mut status = json!({"metadata": {}, "status": "Failure", "message": message, "reason": reason});
    if !details.is_null() {
        status["details"] = details.clone();
    }
    status
}
