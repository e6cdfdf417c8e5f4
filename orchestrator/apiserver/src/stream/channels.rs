//! Ports forwarded over the channels of a WebSocket (`v4.channel.k8s.io`, `v5.channel.k8s.io`).
//!
//! The n-th port has channel 2n for its bytes and 2n + 1 for an error text. A message is the
//! channel's number and its bytes; each channel opens with the port's number, little-endian.

use super::kubelet::Target;
use super::limits::CHUNKS_QUEUED_MAX;
use super::pump::{Outlet, pump_until_closed};
use super::websocket::Socket;
use bytes::Bytes;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;

/// In v5, `[CLOSE, channel]` ends the client's input of a channel.
const CLOSE: u8 = 255;

/// Serves a client until it closes the socket or all ports are done.
pub(super) async fn serve(socket: Socket, ports: Vec<u16>, can_close: bool, target: Target) {
    let (sink, source) = socket.split();
    let (queue, messages) = mpsc::channel(CHUNKS_QUEUED_MAX);
    let connections = target.tasks.child();
    let mut inputs = Vec::new();
    for (index, port) in ports.into_iter().enumerate() {
        let channel = 2 * index as u8;
        let (input, incoming) = mpsc::channel(CHUNKS_QUEUED_MAX);
        inputs.push(Some(input));
        connections.spawn("forwarded port", forward(target.clone(), port, channel, incoming, queue.clone()));
    }
    drop(queue);
    tokio::select! {
        () = send(messages, sink) => {}
        () = receive(source, inputs, can_close) => {}
    }
    connections.cancel();
}

fn message(channel: u8, bytes: &[u8]) -> Bytes {
    let mut message = Vec::with_capacity(1 + bytes.len());
    message.push(channel);
    message.extend_from_slice(bytes);
    message.into()
}

async fn forward(target: Target, port: u16, channel: u8, incoming: mpsc::Receiver<Bytes>, queue: mpsc::Sender<Bytes>) {
    for opened in [channel, channel + 1] {
        if queue.send(message(opened, &port.to_le_bytes())).await.is_err() {
            return;
        }
    }
    match target.connect(port).await {
        Ok(stream) => {
            let outlet = Outlet::new(queue, move |bytes| message(channel, bytes));
            pump_until_closed(stream, incoming, &outlet).await;
        }
        Err(text) => drop(queue.send(message(channel + 1, text.as_bytes())).await),
    }
}

async fn send(mut messages: mpsc::Receiver<Bytes>, mut sink: SplitSink<Socket, Message>) {
    while let Some(bytes) = messages.recv().await {
        if sink.send(Message::Binary(bytes)).await.is_err() {
            return;
        }
    }
    let _ = sink.close().await;
}

async fn receive(mut source: SplitStream<Socket>, mut inputs: Vec<Option<mpsc::Sender<Bytes>>>, can_close: bool) {
    while let Some(Ok(received)) = source.next().await {
        let mut bytes = match received {
            Message::Binary(bytes) if !bytes.is_empty() => bytes,
            Message::Close(_) => return,
            _ => continue,
        };
        if let [CLOSE, closed] = bytes[..]
            && can_close
        {
            if let Some(input) = inputs.get_mut(usize::from(closed / 2)) {
                *input = None;
            }
            continue;
        }
        let channel = bytes.split_to(1)[0];
        let input = inputs.get(usize::from(channel / 2)).and_then(Option::as_ref);
        if let Some(input) = input.filter(|_| channel.is_multiple_of(2) && !bytes.is_empty()) {
            // An error means that the Pod reads no more.
            let _ = input.send(bytes).await;
        }
    }
}
