//! The cluster's own objects, written through the front door as the server's administrator.

use crate::body::full;
use crate::bootstrap::{self, BootstrapConfig, ObjectWriter};
use crate::identity::Identity;
use crate::server::ApiServer;
use async_trait::async_trait;
use http::Method;
use http_body_util::BodyExt;
use orchestrator_apimachinery::{ApiError, meta};
use serde_json::Value;
use std::sync::Arc;

/// Writes as `system:apiserver`, the server's own identity (a member of `system:masters`).
struct FrontDoor(Arc<ApiServer>);

impl ApiServer {
    /// Makes and repairs the objects that every cluster has; returns how many were written.
    pub async fn bootstrap(self: &Arc<Self>, config: &BootstrapConfig) -> Result<usize, ApiError> {
        bootstrap::reconcile(&FrontDoor(self.clone()), config).await
    }
}

impl FrontDoor {
    /// The URL of the object's collection.
    fn collection(&self, object: &Value) -> Result<String, ApiError> {
        let (api_version, kind) = (object["apiVersion"].as_str(), object["kind"].as_str());
        let (group, version) = meta::split_api_version(api_version.unwrap_or(""));
        let known = self.0.caches().catalog().kind(group, version, kind.unwrap_or(""));
        let kind = known.ok_or_else(|| ApiError::internal(format!("{} is not served", object["kind"])))?;
        Ok(kind.collection_path(meta::namespace(object)))
    }

    async fn send(&self, method: Method, path: String, body: &Value) -> Result<Value, ApiError> {
        let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::CONTENT_TYPE, "application/json")
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
