//! The cluster's own objects, written through the front door as the server's administrator.

mod service_range;

use crate::aggregation;
use crate::body::full;
use crate::bootstrap::{self, BootstrapConfig, ObjectWriter};
use crate::identity::Identity;
use crate::limits;
use crate::registry::ObjectReader;
use crate::server::ApiServer;
use async_trait::async_trait;
use futures::FutureExt;
use futures::future::select_all;
use http::Method;
use http_body_util::BodyExt;
use orchestrator_apimachinery::{ApiError, Kind, meta};
use runtime_base::clock::sleep;
use serde_json::Value;
use std::sync::Arc;
use tracing::{info, warn};

/// Writes as `system:apiserver`, the server's own identity (a member of `system:masters`).
struct FrontDoor(Arc<ApiServer>);

impl ApiServer {
    /// Makes and repairs the objects that every cluster has; returns how many were written. From
    /// then on those that the API is reached by are made again when somebody deletes them.
    pub async fn bootstrap(self: &Arc<Self>, config: &BootstrapConfig) -> Result<usize, ApiError> {
        let mut addresses = service_range::Keeper::new(FrontDoor(self.clone()));
        let mended = addresses.mend().await;
        let written = bootstrap::reconcile(&FrontDoor(self.clone()), config).await?;
        let (door, config) = (FrontDoor(self.clone()), config.clone());
        self.tasks.spawn("bootstrap objects", keep(door, config));
        self.tasks.spawn("addresses of Services", addresses.keep(mended));
        self.tasks.spawn("aggregation", aggregation::keep(self.clone()));
        Ok(written)
    }
}

/// Makes kept objects again that somebody deleted.
async fn keep(door: FrontDoor, config: BootstrapConfig) {
    let caches = door.0.caches();
    let kinds = [("", "namespaces"), ("", "services"), ("discovery.k8s.io", "endpointslices")];
    let mut changes = kinds.map(|(group, plural)| caches.changes(group, plural));
    let is_missing = |object: &Value| {
        let Ok(kind) = door.kind(object) else { return false };
        caches.get(&kind.group, &kind.plural, meta::namespace(object), meta::name(object)).is_none()
    };
    loop {
        changes.iter_mut().for_each(|kind| drop(kind.borrow_and_update()));
        let mut missing = bootstrap::kept(&config);
        missing.retain(&is_missing);
        if !missing.is_empty() {
            match bootstrap::write_all(&door, missing).await {
                Ok(written) => info!(written, "made objects again that every cluster has"),
                Err(error) => {
                    warn!(error = error.message, "cannot make an object that every cluster has, will try again");
                    sleep(limits::KEEP_RETRY_DELAY).await;
                    continue;
                }
            }
        }
        // A sender that is gone means that the server ends.
        if select_all(changes.iter_mut().map(|kind| kind.changed().boxed())).await.0.is_err() {
            return;
        }
    }
}

impl FrontDoor {
    fn kind(&self, object: &Value) -> Result<Arc<Kind>, ApiError> {
        let (api_version, kind) = (object["apiVersion"].as_str(), object["kind"].as_str());
        let (group, version) = meta::split_api_version(api_version.unwrap_or(""));
        let known = self.0.caches().catalog().kind(group, version, kind.unwrap_or("")).cloned();
        known.ok_or_else(|| ApiError::internal(format!("{} is not served", object["kind"])))
    }

    /// The URL of the object's collection.
    fn collection(&self, object: &Value) -> Result<String, ApiError> {
        Ok(self.kind(object)?.collection_path(meta::namespace(object)))
    }

    async fn send(&self, method: Method, path: String, body: &Value) -> Result<Value, ApiError> {
        let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::CONTENT_TYPE, "application/json")
            .header(http::header::USER_AGENT, "kube-apiserver")
            .body(full(bytes))
            .map_err(ApiError::internal)?;
        let who = Identity::user("system:apiserver", &["system:masters"]);
        let response = self.0.handle(who, request).await;
        let status = response.status();
        // Our own answer about one object, which the server bounds.
        let body = response.into_body().collect().await.map_err(ApiError::internal)?;
        let answer: Value = serde_json::from_slice(&body.to_bytes()).map_err(ApiError::internal)?;
        if status.is_success() {
            return Ok(answer);
        }
        let mut error = ApiError::internal(answer["message"].as_str().unwrap_or("no message"));
        error.code = status.as_u16();
        Err(error)
    }
}

#[async_trait]
impl ObjectWriter for FrontDoor {
    fn serves(&self, like: &Value) -> bool {
        self.kind(like).is_ok()
    }

    async fn read(&self, like: &Value) -> Result<Option<Value>, ApiError> {
        let path = format!("{}/{}", self.collection(like)?, meta::name(like));
        match self.send(Method::GET, path, &Value::Null).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.code == 404 => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn write(&self, object: Value) -> Result<(), ApiError> {
        let collection = self.collection(&object)?;
        let (method, path) = match meta::resource_version(&object) {
            "" => (Method::POST, collection),
            _ => (Method::PUT, format!("{collection}/{}", meta::name(&object))),
        };
        self.send(method, path, &object).await.map(drop)
    }
}
