//! APIServices: group versions that other servers answer.
//!
//! Source: <https://kubernetes.io/docs/tasks/extend-kubernetes/configure-aggregation-layer/>

mod availability;
mod documents;
mod forward;
mod local;
pub(crate) mod merge;
mod writer;

use crate::limits;
use crate::outbound::{CallError, Place, Trust};
use crate::registry::{Caches, ObjectReader};
use crate::server::ApiServer;
use arc_swap::ArcSwap;
use availability::Found;
use bytes::Bytes;
use documents::Documents;
use futures::future::select_all;
use futures::{FutureExt, StreamExt, stream};
use orchestrator_apimachinery::{ApiError, meta};
use runtime_base::clock::sleep;
use rustls_pki_types::CertificateDer;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use tracing::warn;

pub(crate) const GROUP: &str = "apiregistration.k8s.io";
pub(crate) const PLURAL: &str = "apiservices";

/// A certificate chain and its PKCS #8 key.
type ClientIdentity = (Vec<CertificateDer<'static>>, Vec<u8>);

/// A group version that another server answers.
#[derive(Clone)]
pub(crate) struct Remote {
    pub group: String,
    pub version: String,
    place: Place,
    trust: Trust,
    /// Whether it can be reached.
    available: bool,
    /// Higher is preferred, by `groupPriorityMinimum` and `versionPriority`.
    priority: (i64, i64),
    /// Its `APIResourceList`, as seen last.
    resources: Option<Value>,
    documents: Arc<Documents>,
    /// The APIService's uid and spec.
    uid: String,
    spec: Value,
    /// The revisions of what it hung on when it was looked at.
    backing: Vec<String>,
}

impl Remote {
    /// `apis/GROUP/VERSION`
    pub fn api_path(&self) -> String {
        format!("apis/{}/{}", self.group, self.version)
    }

    /// Its OpenAPI v3 and the hash of that.
    pub fn openapi(&self) -> Option<&(Bytes, String)> {
        self.documents.v3.as_ref()
    }

    /// Whether clients see the same of both.
    fn looks_like(&self, other: &Remote) -> bool {
        let same = |other: &Remote| Arc::ptr_eq(&self.documents, &other.documents);
        (&self.uid, &self.spec, self.available, &self.resources, &self.backing)
            == (&other.uid, &other.spec, other.available, &other.resources, &other.backing)
            && same(other)
    }
}

/// By group and version.
pub(crate) type Remotes = BTreeMap<(String, String), Arc<Remote>>;

/// The group versions of other servers.
pub(crate) struct Aggregation {
    remotes: ArcSwap<Remotes>,
    identity: ClientIdentity,
}

impl Aggregation {
    /// With the certificate that this server shows to others.
    pub fn new(identity: ClientIdentity) -> Self {
        Aggregation { remotes: ArcSwap::default(), identity }
    }

    /// Who answers a group version, when that is not this server.
    pub fn remote(&self, group: &str, version: &str) -> Option<Arc<Remote>> {
        self.remotes.load().get(&(group.to_owned(), version.to_owned())).cloned()
    }

    /// All that other servers answer; another one whenever something changes.
    pub fn all(&self) -> Arc<Remotes> {
        self.remotes.load_full()
    }

    /// What an APIService says; `None` when it is this server's own, or cannot be understood.
    fn remote_of(&self, service: &Value) -> Option<Result<Remote, CallError>> {
        let spec = &service["spec"];
        // Who answers a group version is always asked of this server.
        if !spec["service"].is_object() || spec["group"] == GROUP {
            return None;
        }
        let text = |key: &str| spec[key].as_str().unwrap_or_default().to_owned();
        let number = |key: &str| spec[key].as_i64().unwrap_or(0);
        let insecure = spec["insecureSkipTLSVerify"].as_bool().unwrap_or(false);
        let made = Place::of(spec).and_then(|place| {
            let trust = Trust::of_bundle(&spec["caBundle"])?;
            Ok(Remote {
                group: text("group"),
                version: text("version"),
                place,
                trust: Trust { insecure, identity: Some(self.identity.clone()), ..trust },
                available: false,
                priority: (number("groupPriorityMinimum"), number("versionPriority")),
                resources: None,
                documents: Arc::default(),
                uid: meta::uid(service).to_owned(),
                spec: spec.clone(),
                backing: Vec::new(),
            })
        });
        Some(made)
    }
}

fn all(caches: &Caches) -> Vec<Value> {
    caches.list(GROUP, PLURAL, None).iter().filter_map(|bytes| serde_json::from_slice(bytes).ok()).collect()
}

/// Follows APIServices, and whether those who answer them can be reached, until the server stops.
pub(crate) async fn keep(server: Arc<ApiServer>) {
    let caches = server.caches().clone();
    let mut catalogs = caches.catalog_changes();
    let mut timer = Box::pin(sleep(limits::AVAILABILITY_INTERVAL));
    let mut due = true;
    loop {
        let kinds = [(GROUP, PLURAL), ("", "services"), ("discovery.k8s.io", "endpointslices")];
        let mut changes = kinds.map(|(group, plural)| caches.changes(group, plural));
        changes.iter_mut().for_each(|kind| drop(kind.borrow_and_update()));
        catalogs.borrow_and_update();
        let mut again = false;
        if caches.cache(GROUP, PLURAL).is_some() {
            if let Err(error) = local::register(&server).boxed().await {
                warn!(error = error.message, "cannot register a group version of this server, will try again");
                again = true;
            }
            follow(&server, due).boxed().await;
        }
        again |= !server.aggregation.remotes.load().is_empty();
        if std::mem::replace(&mut due, false) {
            timer = Box::pin(sleep(limits::AVAILABILITY_INTERVAL));
        }
        // Senders of what is not served are gone at once: only the catalog tells of it.
        let served = caches.cache(GROUP, PLURAL).is_some();
        let changed = async {
            match served {
                true => select_all(changes.iter_mut().map(|kind| kind.changed().boxed())).await.0.is_err(),
                false => std::future::pending().await,
            }
        };
        let ended = tokio::select! {
            ended = changed => ended,
            ended = catalogs.changed() => ended.is_err(),
            () = &mut timer, if again => {
                due = true;
                false
            }
        };
        if ended {
            return;
        }
    }
}

/// What a look at an APIService of another server shows: the APIService, what is news, who answers.
type Looked = (Value, Option<Found>, Option<Arc<Remote>>);

/// Looks at each APIService of another server; at those alone whose Service changed, unless all are `due`.
async fn follow(server: &Arc<ApiServer>, due: bool) {
    let aggregation = &server.aggregation;
    let looks = stream::iter(all(server.caches())).map(|service| look_at(server, service, due).boxed());
    let looked: Vec<Looked> =
        looks.buffered(limits::AVAILABILITY_LOOKS_MAX).filter_map(std::future::ready).collect().await;
    let mut remotes = Remotes::new();
    for (_, _, remote) in &looked {
        if let Some(remote) = remote {
            remotes.insert((remote.group.clone(), remote.version.clone()), remote.clone());
        }
    }
    let before = aggregation.remotes.load();
    let known = |(key, remote): (&(String, String), &Arc<Remote>)| {
        before.get(key).is_some_and(|known| Arc::ptr_eq(known, remote))
    };
    if remotes.len() != before.len() || !remotes.iter().all(known) {
        // Whoever reads a condition finds requests answered by it.
        aggregation.remotes.store(Arc::new(remotes));
    }
    for (service, found, _) in looked {
        let Some(found) = found else { continue };
        if let Err(error) = availability::tell(server, &service, &found).boxed().await {
            warn!(error = error.message, "cannot tell whether an APIService can be reached");
        }
    }
}

/// Looks at one; `None` when this server answers it.
async fn look_at(server: &Arc<ApiServer>, service: Value, due: bool) -> Option<Looked> {
    let aggregation = &server.aggregation;
    let mut remote = match aggregation.remote_of(&service)? {
        Ok(remote) => remote,
        Err(error) => {
            let found = Found::failed("FailedDiscoveryCheck", error.to_string());
            return Some((service, Some(found), None));
        }
    };
    remote.backing = availability::backing(server, &service);
    let known = aggregation.remote(&remote.group, &remote.version);
    let known = known.filter(|known| known.uid == remote.uid && known.spec == remote.spec);
    if let Some(known) = known.as_ref().filter(|known| !due && known.backing == remote.backing) {
        return Some((service, None, Some(known.clone())));
    }
    let mut found = availability::look(server, &service, &remote).await;
    remote.available = found.available;
    let (resources, documents, before) = match &known {
        Some(known) => (known.resources.clone(), known.documents.clone(), known.available),
        None => (None, Arc::default(), false),
    };
    remote.resources = found.resources.take().or_else(|| resources.clone());
    // A server that had none when it started may have some later.
    let changed = !before || remote.resources != resources || (due && documents.is_empty());
    remote.documents = match remote.available && changed {
        true => {
            let found = documents::fetch(&server.registry.caller, &remote, &availability::asker()).await;
            if found.is_empty() && documents.is_empty() { documents } else { found }
        }
        false => documents,
    };
    let remote = match known {
        Some(known) if known.looks_like(&remote) => known,
        _ => Arc::new(remote),
    };
    Some((service, Some(found), Some(remote)))
}

/// 503 for a server that cannot be reached.
fn unreachable() -> ApiError {
    ApiError::unavailable("service unavailable")
}

pub(crate) use documents::into_second;
pub(crate) use forward::forward;
