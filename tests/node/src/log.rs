//! What the main processes of containers said.

use bytes::Bytes;
use futures::Stream;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// A log that grows.
pub type Log = Arc<watch::Sender<Vec<u8>>>;

/// The logs of all containers, by Pod and container.
#[derive(Default)]
pub struct Logs(Mutex<BTreeMap<(String, String), Log>>);

impl Logs {
    /// Where a container's main process writes.
    pub fn writer(&self, pod: &str, container: &str) -> Log {
        let mut logs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = || Arc::new(watch::Sender::new(format!("the log of {container}\n").into_bytes()));
        logs.entry((pod.to_owned(), container.to_owned())).or_insert_with(first).clone()
    }

    /// A container's log.
    pub fn of(&self, pod: &str, container: &str) -> watch::Receiver<Vec<u8>> {
        self.writer(pod, container).subscribe()
    }
}

/// A log from its start, and all that comes.
pub fn followed(log: watch::Receiver<Vec<u8>>) -> impl Stream<Item = Bytes> + Send {
    futures::stream::unfold((log, 0), |(mut log, told)| async move {
        let more = log.wait_for(|text| text.len() > told).await.ok()?[told..].to_vec();
        let told = told + more.len();
        Some((Bytes::from(more), (log, told)))
    })
}
