//! The store in an etcd cluster, 3.4 or later.
//!
//! Speaks etcd's gRPC API with a client of its own: the published crates need a protobuf compiler
//! to be built, and six calls are used. Reads of now and [`Store::fresh_revision`] are linearizable:
//! etcd asks its quorum. Nothing depends on etcd's progress notifications.

mod channel;
mod messages;
mod tls;
mod watch;

use crate::{Compare, Entry, Event, Op, Outcome, Page, Revision, Store, StoreError, Txn, limits};
use async_trait::async_trait;
use bytes::Bytes;
use channel::{CallError, Channel};
use futures::stream::BoxStream;
use messages::{
    CompactionRequest, CompactionResponse, DeleteRangeRequest, KeyValue, PutRequest, RangeRequest, RangeResponse,
    Request, RequestOp, ResponseHeader, TxnRequest, TxnResponse,
};
use runtime_base::error::chain;
use runtime_base::{Clock, Tasks};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tracing::warn;

const RANGE: &str = "/etcdserverpb.KV/Range";
const TXN: &str = "/etcdserverpb.KV/Txn";
const COMPACT: &str = "/etcdserverpb.KV/Compact";

/// Files for https endpoints.
#[derive(Clone, Debug, Default)]
pub struct EtcdTls {
    /// Certificates of the authority that signed etcd's; without it the machine's are trusted.
    pub ca_file: Option<PathBuf>,
    /// The client's certificate, if etcd asks for one.
    pub cert_file: Option<PathBuf>,
    /// Its key.
    pub key_file: Option<PathBuf>,
}

/// How an etcd is reached.
#[derive(Clone, Debug)]
pub struct EtcdOptions {
    /// `http://HOST:PORT` or `https://HOST:PORT`, tried in this order.
    pub endpoints: Vec<String>,
    /// Files for https.
    pub tls: EtcdTls,
    /// Tells when history is old.
    pub clock: Clock,
}

/// A store in etcd; see [`EtcdStore::connect`].
pub struct EtcdStore {
    inner: Arc<Inner>,
}

struct Inner {
    channel: Channel,
    /// The newest revision that an answer told.
    newest: AtomicU64,
}

impl EtcdStore {
    /// Connects, and forgets history older than [`limits::HISTORY_AGE_MIN`] from then on. Fails
    /// with [`StoreError::Broken`] when no endpoint answers or the files cannot be used.
    pub async fn connect(options: EtcdOptions) -> Result<Arc<dyn Store>, StoreError> {
        let tasks = Tasks::new();
        let inner = Arc::new(Inner { channel: Channel::new(&options, tasks.clone())?, newest: AtomicU64::new(0) });
        inner.fresh_revision().await.map_err(|error| {
            StoreError::Broken(format!("cannot use etcd at {}: {error}", options.endpoints.join(", ")))
        })?;
        let (compacting, clock) = (inner.clone(), options.clock);
        tasks.spawn("etcd history", async move { compacting.forget_history(&clock).await });
        Ok(Arc::new(EtcdStore { inner }))
    }
}

/// etcd's revisions are signed and never negative.
fn number(revision: Revision) -> i64 {
    i64::try_from(revision).unwrap_or(i64::MAX)
}

/// The first key of a prefix and the first behind it, as etcd writes ranges.
fn range_of(prefix: &str) -> (Vec<u8>, Vec<u8>) {
    if prefix.is_empty() {
        return (vec![0], vec![0]);
    }
    let mut end = prefix.as_bytes().to_vec();
    // UTF-8 has no byte 0xff.
    *end.last_mut().expect("it is not empty") += 1;
    (prefix.as_bytes().to_vec(), end)
}

/// A key; those of others who share the etcd may be no text.
fn key_of(kv: &KeyValue) -> Arc<str> {
    String::from_utf8_lossy(&kv.key).into()
}

fn entry(kv: KeyValue) -> Entry {
    Entry {
        key: key_of(&kv),
        create_revision: kv.create_revision.unsigned_abs(),
        mod_revision: kv.mod_revision.unsigned_abs(),
        // A copy: it would keep the whole answer in memory.
        value: Bytes::copy_from_slice(&kv.value),
    }
}

impl CallError {
    fn into_store(self, requested: Revision) -> StoreError {
        match self {
            CallError::Compacted => StoreError::Compacted { requested, oldest: requested + 1 },
            CallError::Future => StoreError::Future { requested, newest: requested.saturating_sub(1) },
            CallError::Store(error) => error,
        }
    }
}

fn get_of(key: &str) -> RangeRequest {
    RangeRequest { key: key.as_bytes().to_vec(), limit: 1, ..RangeRequest::default() }
}

/// The operations of a transaction; of several on one key the last counts.
fn operations(ops: Vec<Op>) -> Vec<RequestOp> {
    let key_of = |op: &Op| match op {
        Op::Put { key, .. } | Op::Delete { key } => key.clone(),
    };
    let mut last: Vec<Op> = Vec::with_capacity(ops.len());
    for op in ops {
        match last.iter_mut().find(|other| key_of(other) == key_of(&op)) {
            Some(other) => *other = op,
            None => last.push(op),
        }
    }
    let bytes = |key: Arc<str>| Bytes::copy_from_slice(key.as_bytes());
    let request = |op| match op {
        Op::Put { key, value } => Request::Put(PutRequest { key: bytes(key), value }),
        Op::Delete { key } => Request::Delete(DeleteRangeRequest { key: bytes(key) }),
    };
    last.into_iter().map(|op| RequestOp { request: Some(request(op)) }).collect()
}

fn condition(compare: &Compare) -> messages::Compare {
    messages::Compare {
        result: messages::EQUAL,
        target: messages::MOD,
        key: Bytes::copy_from_slice(compare.key.as_bytes()),
        mod_revision: Some(number(compare.mod_revision)),
    }
}

impl Inner {
    /// Notes a revision that an answer told.
    fn seen(&self, revision: Revision) {
        self.newest.fetch_max(revision, Ordering::AcqRel);
    }

    fn header(&self, header: Option<ResponseHeader>) -> Revision {
        let revision = header.unwrap_or_default().revision.unsigned_abs();
        self.seen(revision);
        revision
    }

    async fn range(&self, request: &RangeRequest) -> Result<RangeResponse, CallError> {
        self.channel.call(RANGE, request).await
    }

    async fn fresh_revision(&self) -> Result<Revision, StoreError> {
        // A linearizable read of one key; whether it exists does not matter.
        let request = RangeRequest { key: b"/registry/".to_vec(), count_only: true, ..RangeRequest::default() };
        let answer = self.range(&request).await.map_err(|error| error.into_store(0))?;
        Ok(self.header(answer.header))
    }

    /// The error of a call that asked for `requested`, with the revisions that there are.
    async fn explain(&self, error: CallError, requested: Revision) -> StoreError {
        match error {
            CallError::Compacted => match watch::oldest(&self.channel, requested).await {
                Ok(oldest) => StoreError::Compacted { requested, oldest },
                Err(error) => error,
            },
            CallError::Future => match self.fresh_revision().await {
                Ok(newest) => StoreError::Future { requested, newest },
                Err(error) => error,
            },
            CallError::Store(error) => error,
        }
    }

    async fn compact(&self, revision: Revision) -> Result<(), StoreError> {
        let request = CompactionRequest { revision: number(revision) };
        match self.channel.call::<_, CompactionResponse>(COMPACT, &request).await {
            // It was compacted that far before.
            Ok(_) | Err(CallError::Compacted) => Ok(()),
            Err(error) => Err(self.explain(error, revision).await),
        }
    }

    async fn forget_history(&self, clock: &Clock) {
        let mut then = None;
        loop {
            match (then, self.fresh_revision().await) {
                (Some(old), Ok(now)) => {
                    if let Err(error) = self.compact(old).await {
                        warn!(error = chain(&error), "etcd's history was not compacted");
                    }
                    then = Some(now);
                }
                (None, Ok(now)) => then = Some(now),
                (_, Err(error)) => warn!(error = chain(&error), "etcd's history was not compacted"),
            }
            clock.sleep(limits::HISTORY_AGE_MIN).await;
        }
    }
}

#[async_trait]
impl Store for EtcdStore {
    fn revision(&self) -> Revision {
        self.inner.newest.load(Ordering::Acquire)
    }

    async fn fresh_revision(&self) -> Result<Revision, StoreError> {
        self.inner.fresh_revision().await
    }

    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        let answer = self.inner.range(&get_of(key)).await.map_err(|error| error.into_store(0))?;
        self.inner.header(answer.header);
        Ok(answer.kvs.into_iter().next().map(entry))
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
        at: Option<Revision>,
    ) -> Result<Page, StoreError> {
        let (mut key, range_end) = range_of(prefix);
        if let Some(after) = after.filter(|after| *after >= prefix) {
            key = after_key(after.as_bytes());
        }
        let (mut revision, mut entries, mut more) = (at.unwrap_or(0), Vec::new(), true);
        while more && (limit == 0 || entries.len() < limit) {
            let left = if limit == 0 { i64::MAX } else { i64::try_from(limit - entries.len()).unwrap_or(i64::MAX) };
            let request = RangeRequest {
                key: key.clone(),
                range_end: range_end.clone(),
                limit: left.min(limits::ETCD_PAGE_MAX),
                revision: number(revision),
                count_only: false,
            };
            let answer = match self.inner.range(&request).await {
                Ok(answer) => answer,
                Err(error) => return Err(self.inner.explain(error, revision).await),
            };
            let now = self.inner.header(answer.header);
            if revision == 0 {
                revision = now;
            }
            if let Some(last) = answer.kvs.last() {
                key = after_key(&last.key);
            }
            more = answer.more && !answer.kvs.is_empty();
            entries.extend(answer.kvs.into_iter().map(entry));
        }
        Ok(Page { entries, revision, more })
    }

    async fn txn(&self, txn: Txn) -> Result<Outcome, StoreError> {
        let keys: Vec<(Arc<str>, Revision)> =
            txn.compare.iter().map(|compare| (compare.key.clone(), compare.mod_revision)).collect();
        let get = |(key, _): &(Arc<str>, Revision)| RequestOp { request: Some(Request::Range(get_of(key))) };
        let request = TxnRequest {
            compare: txn.compare.iter().map(condition).collect(),
            success: operations(txn.ops),
            failure: keys.iter().map(get).collect(),
        };
        let answer: TxnResponse = self.inner.channel.call(TXN, &request).await.map_err(|error| error.into_store(0))?;
        let revision = self.inner.header(answer.header);
        if answer.succeeded {
            return Ok(Outcome::Committed(revision));
        }
        let found = answer
            .responses
            .into_iter()
            .map(|response| response.range.and_then(|range| range.kvs.into_iter().next()).map(entry));
        for ((key, expected), current) in keys.into_iter().zip(found) {
            if current.as_ref().map_or(0, |entry| entry.mod_revision) != expected {
                return Ok(Outcome::Conflict { key, current });
            }
        }
        Err(StoreError::Unavailable("etcd refused a transaction whose conditions hold".into()))
    }

    async fn watch(
        &self,
        prefix: &str,
        after: Revision,
    ) -> Result<BoxStream<'static, Result<Event, StoreError>>, StoreError> {
        // etcd would wait for a revision that may never come, and takes 0 for now.
        let newest = self.inner.fresh_revision().await?;
        if after > newest {
            return Err(StoreError::Future { requested: after, newest });
        }
        if after == 0 {
            return Err(StoreError::Compacted { requested: 0, oldest: 1 });
        }
        watch::watch(self.inner.clone(), prefix, after).await
    }

    async fn compact(&self, revision: Revision) -> Result<(), StoreError> {
        self.inner.compact(revision).await
    }

    async fn close(&self) {
        self.inner.channel.close().await;
    }
}

/// The first key behind `key`.
fn after_key(key: &[u8]) -> Vec<u8> {
    let mut next = key.to_vec();
    next.push(0);
    next
}

#[cfg(test)]
pub(crate) mod tests;
