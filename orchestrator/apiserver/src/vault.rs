//! Secrets encrypted at rest: a store in front of the store, which seals the values of chosen
//! resources and opens them again, so that nobody else has to know.
//!
//! A value is AES-256-GCM with a random nonce, bound to its key in the store: it cannot be put
//! in another object's place. Key ids are in the envelope, so several keys can be in use; new
//! values are sealed with the first.
//!
//! Source: <https://kubernetes.io/docs/tasks/administer-cluster/encrypt-data/>

mod keys;
#[cfg(test)]
mod tests;

pub use keys::{KeyError, Keys};

use crate::limits;
use async_trait::async_trait;
use bytes::{BufMut, Bytes, BytesMut};
use futures::StreamExt;
use futures::stream::BoxStream;
use orchestrator_store::{Compare, Entry, Event, Op, Outcome, Page, Revision, Store, StoreError, Txn};
use runtime_base::Rng;
use std::sync::Arc;
use tracing::{error, info};

/// Resources whose values are sealed.
const SEALED: [&str; 1] = ["/registry/core/secrets/"];
/// The envelope's format, as `registry::envelope` writes it.
const FORMAT: u8 = 1;
/// Bytes of a nonce.
const NONCE: usize = 12;

/// A store that seals and opens.
pub struct Vault {
    inner: Arc<dyn Store>,
    keys: Arc<Keys>,
    rng: Rng,
}

fn is_sealed(key: &str) -> bool {
    SEALED.iter().any(|prefix| key.starts_with(prefix))
}

impl Vault {
    /// In front of `inner`.
    pub fn new(inner: Arc<dyn Store>, keys: Keys, rng: Rng) -> Arc<Self> {
        Arc::new(Vault { inner, keys: Arc::new(keys), rng })
    }

    /// Seals again, with the first key, whatever is not sealed with it: after a rotation, and where
    /// encryption is new. Answers how many values that were.
    pub async fn renew(&self) -> Result<usize, StoreError> {
        let mut renewed = 0;
        for prefix in SEALED {
            let mut after: Option<String> = None;
            loop {
                let page = self.inner.list(prefix, after.as_deref(), limits::RENEW_PAGE, None).await?;
                for entry in &page.entries {
                    if entry.value.get(..2) == Some(&[FORMAT, self.keys.first_id()]) {
                        continue;
                    }
                    let Some(value) = self.keys.open(&entry.key, &entry.value) else { continue };
                    let compare = vec![Compare { key: entry.key.clone(), mod_revision: entry.mod_revision }];
                    let put = Op::Put { key: entry.key.clone(), value };
                    // A conflict means that somebody has just written it, sealed with the first key.
                    self.txn(Txn { compare, ops: vec![put] }).await?;
                    renewed += 1;
                }
                match (page.more, page.entries.last()) {
                    (true, Some(last)) => after = Some(last.key.to_string()),
                    _ => break,
                }
            }
        }
        if renewed > 0 {
            info!(renewed, "sealed Secrets with the first encryption key");
        }
        Ok(renewed)
    }
}

/// An entry with its value opened. What cannot be opened stays as it is: its reader finds it
/// damaged, and everything else goes on.
fn opened(keys: &Keys, mut entry: Entry) -> Entry {
    if is_sealed(&entry.key) {
        match keys.open(&entry.key, &entry.value) {
            Some(value) => entry.value = value,
            None => error!(
                key = %entry.key,
                key_id = entry.value.get(1).copied().unwrap_or_default(),
                "cannot decrypt a stored object: its encryption key is not in the key file"
            ),
        }
    }
    entry
}

fn opened_event(keys: &Keys, event: Event) -> Event {
    Event {
        entry: event.entry.map(|entry| opened(keys, entry)),
        previous: event.previous.map(|entry| opened(keys, entry)),
        ..event
    }
}

#[async_trait]
impl Store for Vault {
    fn revision(&self) -> Revision {
        self.inner.revision()
    }

    async fn fresh_revision(&self) -> Result<Revision, StoreError> {
        self.inner.fresh_revision().await
    }

    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        Ok(self.inner.get(key).await?.map(|entry| opened(&self.keys, entry)))
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
        at: Option<Revision>,
    ) -> Result<Page, StoreError> {
        let page = self.inner.list(prefix, after, limit, at).await?;
        let entries = page.entries.into_iter().map(|entry| opened(&self.keys, entry)).collect();
        Ok(Page { entries, ..page })
    }

    async fn txn(&self, mut txn: Txn) -> Result<Outcome, StoreError> {
        for op in &mut txn.ops {
            if let Op::Put { key, value } = op
                && is_sealed(key)
            {
                *value = self.keys.seal(key, value, &self.rng);
            }
        }
        Ok(match self.inner.txn(txn).await? {
            Outcome::Conflict { key, current } => {
                Outcome::Conflict { key, current: current.map(|entry| opened(&self.keys, entry)) }
            }
            committed => committed,
        })
    }

    async fn watch(
        &self,
        prefix: &str,
        after: Revision,
    ) -> Result<BoxStream<'static, Result<Event, StoreError>>, StoreError> {
        let keys = self.keys.clone();
        let events = self.inner.watch(prefix, after).await?;
        Ok(events.map(move |event| event.map(|event| opened_event(&keys, event))).boxed())
    }

    async fn compact(&self, revision: Revision) -> Result<(), StoreError> {
        self.inner.compact(revision).await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

impl Keys {
    /// A value sealed with the first key: format, key id, nonce, ciphertext and tag.
    fn seal(&self, key: &str, value: &[u8], rng: &Rng) -> Bytes {
        // The plain header's format and key id are replaced; the rest is the secret.
        let plain = value.get(2..).unwrap_or_default();
        let mut nonce = [0; NONCE];
        rng.fill(&mut nonce);
        let mut out = BytesMut::with_capacity(plain.len() + 2 + NONCE + 16);
        out.put_slice(&[FORMAT, self.first_id()]);
        out.put_slice(&nonce);
        out.put_slice(&self.encrypt(key, nonce, plain));
        out.freeze()
    }

    /// The plain value; `None` when it cannot be opened. A value that was never sealed is plain.
    fn open(&self, key: &str, value: &Bytes) -> Option<Bytes> {
        let (header, rest) = value.split_at_checked(2)?;
        if header[0] != FORMAT {
            return None;
        }
        if header[1] == 0 {
            return Some(value.clone());
        }
        let (nonce, sealed) = rest.split_at_checked(NONCE)?;
        let plain = self.decrypt(header[1], key, nonce.try_into().ok()?, sealed)?;
        let mut out = BytesMut::with_capacity(plain.len() + 2);
        out.put_slice(&[FORMAT, 0]);
        out.put_slice(&plain);
        Some(out.freeze())
    }
}
