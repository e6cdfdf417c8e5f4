//! The informers that all controllers share.

use crate::limits::CATCH_UP_MAX;
use crate::owner;
use futures::future::{BoxFuture, join_all};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Node, Pod, Service, ServiceAccount};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::api::Api;
use kube::{Client, Resource};
use orchestrator_client::Informer;
use orchestrator_client::informer::Filter;
use runtime_base::{Tasks, clock};
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;
use tracing::warn;

/// What can be asked of any cache, whatever its kind.
trait Follower: Send + Sync {
    /// Completes once the cache shows a write.
    fn shows(&self, written: Written) -> BoxFuture<'_, ()>;
    /// Completes once the first list is there.
    fn synced(&self) -> BoxFuture<'_, ()>;
}

/// A write whose effect a cache is to show.
#[derive(Clone, Debug)]
pub enum Written {
    /// An object at this resourceVersion.
    Version(u64),
    /// An object that is gone, or about to go: namespace, name, uid.
    Gone(String, String, String),
}

impl<K> Follower for Informer<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    fn shows(&self, written: Written) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            match written {
                Written::Version(version) => self.caught_up(version).await,
                Written::Gone(namespace, name, uid) => {
                    let still = |object: Arc<K>| {
                        let meta = object.meta();
                        meta.uid.as_deref() == Some(&uid) && meta.deletion_timestamp.is_none()
                    };
                    self.until(|| !self.get(&namespace, &name).is_some_and(still)).await;
                }
            }
        })
    }
    fn synced(&self) -> BoxFuture<'_, ()> {
        Box::pin(Informer::synced(self))
    }
}

/// The informers that the controllers share; they watch as `system:kube-controller-manager`.
#[derive(Clone)]
pub struct Caches {
    /// Deployments.
    pub deployments: Informer<Deployment>,
    /// ReplicaSets, with the index `owner`.
    pub replica_sets: Informer<ReplicaSet>,
    /// Pods, with the index `owner`.
    pub pods: Informer<Pod>,
    /// Jobs.
    pub jobs: Informer<Job>,
    /// Services.
    pub services: Informer<Service>,
    /// EndpointSlices, with the index `service` (`NAMESPACE/NAME`).
    pub endpoint_slices: Informer<EndpointSlice>,
    /// Namespaces.
    pub namespaces: Informer<Namespace>,
    /// ServiceAccounts.
    pub service_accounts: Informer<ServiceAccount>,
    /// ConfigMaps named `kube-root-ca.crt`.
    pub root_cas: Informer<ConfigMap>,
    /// ClusterRoles.
    pub cluster_roles: Informer<ClusterRole>,
    /// Nodes.
    pub nodes: Informer<Node>,
    /// Leases of `kube-node-lease`.
    pub node_leases: Informer<Lease>,
    followers: Arc<HashMap<&'static str, Arc<dyn Follower>>>,
}

/// The name of the ConfigMap that holds the cluster's certificate authority.
pub const ROOT_CA: &str = "kube-root-ca.crt";

impl Caches {
    /// Starts following the server.
    pub fn start(client: &Client, tasks: &Tasks) -> Self {
        fn all<K>(client: &Client, tasks: &Tasks) -> Informer<K>
        where
            K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
        {
            Informer::start(Api::all(client.clone()), Filter::default(), tasks)
        }
        let root_ca = Filter { fields: Some(format!("metadata.name={ROOT_CA}")), ..Filter::default() };
        let leases: Api<Lease> = Api::namespaced(client.clone(), "kube-node-lease");
        Self::of(Informers {
            deployments: all(client, tasks),
            replica_sets: all(client, tasks),
            pods: all(client, tasks),
            jobs: all(client, tasks),
            services: all(client, tasks),
            endpoint_slices: all(client, tasks),
            namespaces: all(client, tasks),
            service_accounts: all(client, tasks),
            root_cas: Informer::start(Api::all(client.clone()), root_ca, tasks),
            cluster_roles: all(client, tasks),
            nodes: all(client, tasks),
            node_leases: Informer::start(leases, Filter::default(), tasks),
        })
    }

    fn of(informers: Informers) -> Self {
        let replica_sets =
            informers.replica_sets.with_index("owner", |rs: &ReplicaSet| owner::owner_index(&rs.metadata));
        let pods = informers.pods.with_index("owner", |pod: &Pod| owner::owner_index(&pod.metadata));
        let endpoint_slices = informers.endpoint_slices.with_index("service", |slice: &EndpointSlice| {
            let labels = slice.metadata.labels.as_ref();
            let service = labels.and_then(|labels| labels.get("kubernetes.io/service-name"));
            let namespace = slice.metadata.namespace.as_deref().unwrap_or("");
            service.map(|service| format!("{namespace}/{service}")).into_iter().collect()
        });
        let mut followers: HashMap<&'static str, Arc<dyn Follower>> = HashMap::new();
        let mut follow = |resource, follower: Arc<dyn Follower>| followers.insert(resource, follower);
        follow("deployments", Arc::new(informers.deployments.clone()));
        follow("replicasets", Arc::new(replica_sets.clone()));
        follow("pods", Arc::new(pods.clone()));
        follow("jobs", Arc::new(informers.jobs.clone()));
        follow("services", Arc::new(informers.services.clone()));
        follow("endpointslices", Arc::new(endpoint_slices.clone()));
        follow("namespaces", Arc::new(informers.namespaces.clone()));
        follow("serviceaccounts", Arc::new(informers.service_accounts.clone()));
        follow("configmaps", Arc::new(informers.root_cas.clone()));
        follow("clusterroles", Arc::new(informers.cluster_roles.clone()));
        follow("nodes", Arc::new(informers.nodes.clone()));
        follow("leases", Arc::new(informers.node_leases.clone()));
        Caches {
            deployments: informers.deployments,
            replica_sets,
            pods,
            jobs: informers.jobs,
            services: informers.services,
            endpoint_slices,
            namespaces: informers.namespaces,
            service_accounts: informers.service_accounts,
            root_cas: informers.root_cas,
            cluster_roles: informers.cluster_roles,
            nodes: informers.nodes,
            node_leases: informers.node_leases,
            followers: Arc::new(followers),
        }
    }

    /// Completes once every cache holds its first list.
    pub async fn synced(&self) {
        join_all(self.followers.values().map(|follower| follower.synced())).await;
    }

    /// Waits until the cache of `resource` shows `written`, so that the next plan sees it; gives
    /// up after [`CATCH_UP_MAX`]. Resources without a cache need no waiting.
    pub async fn caught_up(&self, resource: &str, written: Written) {
        let Some(follower) = self.followers.get(resource) else { return };
        if clock::within(CATCH_UP_MAX, follower.shows(written.clone())).await.is_none() {
            warn!(resource, ?written, "cache does not show a write yet");
        }
    }
}

/// The informers before their indexes.
struct Informers {
    deployments: Informer<Deployment>,
    replica_sets: Informer<ReplicaSet>,
    pods: Informer<Pod>,
    jobs: Informer<Job>,
    services: Informer<Service>,
    endpoint_slices: Informer<EndpointSlice>,
    namespaces: Informer<Namespace>,
    service_accounts: Informer<ServiceAccount>,
    root_cas: Informer<ConfigMap>,
    cluster_roles: Informer<ClusterRole>,
    nodes: Informer<Node>,
    node_leases: Informer<Lease>,
}
