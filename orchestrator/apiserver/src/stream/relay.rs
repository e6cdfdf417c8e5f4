//! A client's WebSocket of an older protocol, and the node's: message by message.
//!
//! `base64.channel.k8s.io` and its v4 hold a channel's digit and base64 in text messages; before v4 the
//! error channel holds a text instead of a Status. None of them can end the client's input.

use super::limits::FLUSH_TIME_MAX;
use super::remote::plain_status;
use super::websocket::{self, Socket};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use runtime_base::clock;
use tokio_tungstenite::tungstenite::Message;

const ERROR: u8 = 3;
/// Channels of a process: 0 to 4.
const CHANNELS: u8 = 5;

/// How an older client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dialect {
    base64: bool,
    tells_status: bool,
}

impl Dialect {
    /// That of a protocol; `None` for those that nodes speak themselves.
    pub fn of(protocol: &str) -> Option<Self> {
        match protocol {
            "v5.channel.k8s.io" | "v4.channel.k8s.io" => None,
            protocol => {
                Some(Dialect { base64: protocol.contains("base64"), tells_status: protocol.starts_with("v4.") })
            }
        }
    }

    /// A client's message as the node's.
    pub fn to_node(self, message: &[u8]) -> Option<Bytes> {
        let (first, rest) = message.split_first()?;
        let channel = if self.base64 { first.checked_sub(b'0')? } else { *first };
        if channel >= CHANNELS || rest.is_empty() {
            return None;
        }
        let bytes = if self.base64 { BASE64_STANDARD.decode(rest).ok()? } else { rest.to_vec() };
        Some([&[channel], &bytes[..]].concat().into())
    }

    /// A node's message as the client's.
    pub fn to_client(self, message: &Bytes) -> Option<Message> {
        let channel = *message.first()?;
        let mut bytes = message.slice(1..);
        if channel == ERROR && !self.tells_status && !bytes.is_empty() {
            bytes = plain_status(&bytes)?;
        }
        Some(match self.base64 {
            true => {
                Message::text(format!("{}{}", char::from(b'0' + channel % CHANNELS), BASE64_STANDARD.encode(&bytes)))
            }
            false => Message::binary([&[channel], &bytes[..]].concat()),
        })
    }
}

/// Serves until either side ends; the node may say its last words.
pub(super) async fn serve(client: Upgraded, node: Upgraded, dialect: Dialect) {
    let (client, node) = (websocket::open(client).await, websocket::open_to_node(node).await);
    let ((mut to_client, mut from_client), (mut to_node, mut from_node)) = (client.split(), node.split());
    let up = async {
        while let Some(bytes) = next(&mut from_client).await {
            let Some(message) = dialect.to_node(&bytes) else { continue };
            if to_node.send(Message::Binary(message)).await.is_err() {
                return;
            }
        }
        let _ = to_node.close().await;
    };
    let down = async {
        while let Some(bytes) = next(&mut from_node).await {
            let Some(message) = dialect.to_client(&bytes) else { continue };
            if to_client.send(message).await.is_err() {
                return;
            }
        }
        let _ = to_client.close().await;
    };
    let mut down = Box::pin(down);
    tokio::select! {
        () = &mut down => {}
        () = up => drop(clock::within(FLUSH_TIME_MAX, down).await),
    }
}

/// The next message with content; `None` at the end.
async fn next(source: &mut futures::stream::SplitStream<Socket>) -> Option<Bytes> {
    loop {
        match source.next().await?.ok()? {
            Message::Binary(bytes) => return Some(bytes),
            Message::Text(text) => return Some(text.into()),
            Message::Close(_) => return None,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(protocol: &str, client: &[u8], node: Option<&[u8]>) {
        let dialect = Dialect::of(protocol).unwrap();
        assert_eq!(dialect.to_node(client).as_deref(), node, "{protocol} {client:?}");
    }

    #[test]
    fn what_clients_say_is_the_nodes_channels() {
        check("channel.k8s.io", b"\x00hi", Some(b"\x00hi"));
        check("", b"\x04{}", Some(b"\x04{}"));
        check("base64.channel.k8s.io", b"0aGk=", Some(b"\x00hi"));
        check("v4.base64.channel.k8s.io", b"4e30=", Some(b"\x04{}"));
        for odd in [&b""[..], b"0", b"9aGk=", b"\x00aGk=", b"0!!", b"/aGk="] {
            check("base64.channel.k8s.io", odd, None);
        }
        // There is no end of input before v5.
        check("channel.k8s.io", &[255, 0], None);
    }

    #[test]
    fn what_nodes_say_is_the_clients_form() {
        let shown = |protocol: &str, bytes: &'static [u8]| {
            Dialect::of(protocol).unwrap().to_client(&Bytes::from_static(bytes)).map(Message::into_data)
        };
        let failed = b"\x03{\"status\":\"Failure\",\"message\":\"exit 7\"}";
        assert_eq!(shown("channel.k8s.io", b"\x01out").unwrap(), &b"\x01out"[..]);
        assert_eq!(shown("channel.k8s.io", failed).unwrap(), &b"\x03exit 7"[..]);
        assert_eq!(shown("channel.k8s.io", b"\x03{\"status\":\"Success\"}"), None);
        assert_eq!(shown("base64.channel.k8s.io", b"\x02hi").unwrap(), "2aGk=");
        assert_eq!(shown("base64.channel.k8s.io", failed).unwrap(), "3ZXhpdCA3");
        assert_eq!(shown("v4.base64.channel.k8s.io", b"\x03{}").unwrap(), "3e30=");
        assert_eq!(Dialect::of("v4.channel.k8s.io"), None);
    }
}
