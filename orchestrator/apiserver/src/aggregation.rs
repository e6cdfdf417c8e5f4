//! APIServices: group versions that other servers answer.
//!
//! Source: <https://kubernetes.io/docs/tasks/extend-kubernetes/configure-aggregation-layer/>

mod availability;
mod forward;
mod local;
pub(crate) mod merge;

use crate::limits;
use crate::outbound::{CallError, Place, Trust};
use crate::registry::{Caches, ObjectReader};
use crate::server::ApiServer;
use arc_swap::ArcSwap;
use futures::FutureExt;
use futures::future::select_all;
use orchestrator_apimachinery::ApiError;
use runtime_base::clock::within;
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
}

/// By group and version.
type Remotes = BTreeMap<(String, String), Arc<Remote>>;

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

    /// All that other servers answer.
    pub fn all(&self) -> Vec<Arc<Remote>> {
        self.remotes.load().values().cloned().collect()
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
            follow(&server).boxed().await;
        }
        again |= !server.aggregation.remotes.load().is_empty();
        // Senders of what is not served are gone at once: only the catalog tells of it.
        let served = caches.cache(GROUP, PLURAL).is_some();
        let changed = async {
            match served {
                true => select_all(changes.iter_mut().map(|kind| kind.changed().boxed())).await.0.is_err(),
                false => std::future::pending().await,
            }
        };
        let waiting = async {
            tokio::select! {
                ended = changed => ended,
                ended = catalogs.changed() => ended.is_err(),
            }
        };
        let ended = match again {
            true => within(limits::AVAILABILITY_INTERVAL, waiting).await.unwrap_or(false),
            false => waiting.await,
        };
        if ended {
            return;
        }
    }
}

/// Looks at each APIService of another server.
async fn follow(server: &Arc<ApiServer>) {
    let aggregation = &server.aggregation;
    let mut remotes = Remotes::new();
    let mut news = Vec::new();
    for service in all(server.caches()) {
        let Some(made) = aggregation.remote_of(&service) else { continue };
        let mut found = availability::Found::failed("FailedDiscoveryCheck", String::new());
        let remote = match made {
            Ok(mut remote) => {
                found = availability::look(server, &service, &remote).boxed().await;
                let known = aggregation.remote(&remote.group, &remote.version);
                remote.available = found.available;
                remote.resources = found.resources.take().or_else(|| known.and_then(|known| known.resources.clone()));
                Some(remote)
            }
            Err(error) => {
                found.message = error.to_string();
                None
            }
        };
        if let Some(remote) = remote {
            remotes.insert((remote.group.clone(), remote.version.clone()), Arc::new(remote));
        }
        news.push((service, found));
    }
    // Whoever reads a condition finds requests answered by it.
    aggregation.remotes.store(Arc::new(remotes));
    for (service, found) in news {
        if let Err(error) = availability::tell(server, &service, &found).boxed().await {
            warn!(error = error.message, "cannot tell whether an APIService can be reached");
        }
    }
}

/// 503 for a server that cannot be reached.
fn unreachable() -> ApiError {
    ApiError::unavailable("service unavailable")
}

pub(crate) use forward::forward;
