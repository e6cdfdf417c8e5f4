//! Bytes between one client stream and one connection to a Pod, each direction on its own.

use super::limits::CHUNK_BYTES;
use bytes::Bytes;
use runtime_base::ByteStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::mpsc;

/// Makes a message of the client's protocol of plain bytes.
type Pack = Box<dyn Fn(&[u8]) -> Bytes + Send + Sync>;

/// Where bytes for the client go, once they are packed for its protocol.
pub(super) struct Outlet {
    queue: mpsc::Sender<Bytes>,
    pack: Pack,
}

impl Outlet {
    pub fn new(queue: mpsc::Sender<Bytes>, pack: impl Fn(&[u8]) -> Bytes + Send + Sync + 'static) -> Self {
        Outlet { queue, pack: Box::new(pack) }
    }

    /// False once the client is gone.
    pub async fn send(&self, bytes: &[u8]) -> bool {
        self.queue.send((self.pack)(bytes)).await.is_ok()
    }
}

/// Runs until both directions have ended: `incoming` was closed by the client and passed on as
/// the end of input, and the Pod closed its side; then `ended` goes to the client.
pub(super) async fn pump(port: ByteStream, incoming: mpsc::Receiver<Bytes>, outlet: &Outlet, ended: Option<&Bytes>) {
    let (read, write) = tokio::io::split(port);
    let down = async {
        deliver(read, outlet).await;
        if let Some(message) = ended {
            let _ = outlet.queue.send(message.clone()).await;
        }
    };
    tokio::join!(upload(incoming, write), down);
}

/// The same for protocols in which the end of the Pod's bytes cannot be told but by the end of the
/// whole: ends once the Pod has closed its side.
pub(super) async fn pump_until_closed(port: ByteStream, incoming: mpsc::Receiver<Bytes>, outlet: &Outlet) {
    let (read, write) = tokio::io::split(port);
    let mut down = Box::pin(deliver(read, outlet));
    tokio::select! {
        () = &mut down => {}
        () = upload(incoming, write) => down.await,
    }
}

async fn upload(mut incoming: mpsc::Receiver<Bytes>, mut port: WriteHalf<ByteStream>) {
    while let Some(bytes) = incoming.recv().await {
        if port.write_all(&bytes).await.is_err() || port.flush().await.is_err() {
            return;
        }
    }
    let _ = port.shutdown().await;
}

async fn deliver(mut port: ReadHalf<ByteStream>, outlet: &Outlet) {
    let mut buffer = vec![0; CHUNK_BYTES];
    // A reset by the Pod ends the connection like a close: an error here would end all of
    // kubectl's connections.
    while let Ok(count @ 1..) = port.read(&mut buffer).await {
        if !outlet.send(&buffer[..count]).await {
            return;
        }
    }
}
