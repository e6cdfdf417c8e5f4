//! The OpenAPI of extension servers, fetched when they become available and shown as part of this server's own.

use super::{Remote, forward};
use crate::body::full;
use crate::identity::Identity;
use crate::limits;
use crate::outbound::Caller;
use bytes::Bytes;
use futures::FutureExt;
use runtime_base::clock::within;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tracing::debug;

/// What an extension server publishes of its group version.
#[derive(Clone, Default)]
pub(super) struct Documents {
    /// OpenAPI v3 with its hash.
    pub v3: Option<(Bytes, String)>,
    /// The paths of OpenAPI v2, and all definitions.
    pub v2: Option<Value>,
}

impl Documents {
    /// Whether the server publishes nothing.
    pub fn is_empty(&self) -> bool {
        self.v3.is_none() && self.v2.is_none()
    }
}

/// Asks for both; what a server does not have, it does not have.
pub(super) async fn fetch(caller: &Caller, remote: &Remote, who: &Identity) -> Arc<Documents> {
    let asking = async {
        let v3 = third(caller, remote, who).await;
        let v2 = second(caller, remote, who).await;
        (v3, v2)
    };
    let (v3, v2) = within(limits::OPENAPI_TIME_MAX, asking.boxed()).await.unwrap_or_else(|| {
        let late = || "context deadline exceeded".to_owned();
        (Err(late()), Err(late()))
    });
    let told = |version: &str, why: String| debug!(group = remote.group, version, why, "no OpenAPI of an APIService");
    Arc::new(Documents { v3: v3.map_err(|why| told("v3", why)).ok(), v2: v2.map_err(|why| told("v2", why)).ok() })
}

async fn get(caller: &Caller, remote: &Remote, who: &Identity, path: &str) -> Result<Bytes, String> {
    let request = http::Request::get(path).header(http::header::ACCEPT, "application/json").body(full(""));
    let request = request.map_err(|error| error.to_string())?;
    let answer = forward::send(caller, remote, who, request).await.map_err(|error| error.message)?;
    if answer.status() != http::StatusCode::OK {
        return Err(format!("{path}: {}", answer.status()));
    }
    forward::collect(answer.into_body(), limits::OPENAPI_BYTES_MAX).await
}

async fn third(caller: &Caller, remote: &Remote, who: &Identity) -> Result<(Bytes, String), String> {
    let index = get(caller, remote, who, "/openapi/v3").await?;
    let index: Value = serde_json::from_slice(&index).map_err(|error| error.to_string())?;
    let found = &index["paths"][remote.api_path()]["serverRelativeURL"];
    let place = found.as_str().filter(|place| place.starts_with('/') && !place.starts_with("//"));
    let place = place.ok_or_else(|| format!("the index has no {}", remote.api_path()))?;
    let body = get(caller, remote, who, place).await?;
    let document: Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
    if !document["openapi"].is_string() || !document["paths"].is_object() {
        return Err("the document is no OpenAPI v3".into());
    }
    let hash = hex::encode_upper(Sha256::digest(&body));
    Ok((body, hash))
}

async fn second(caller: &Caller, remote: &Remote, who: &Identity) -> Result<Value, String> {
    let body = get(caller, remote, who, "/openapi/v2").await?;
    let document: Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
    let wrong = "the document is no OpenAPI v2";
    let Value::Object(mut document) = document else { return Err(wrong.into()) };
    let Some(Value::Object(mut paths)) = document.remove("paths") else { return Err(wrong.into()) };
    let prefix = format!("/{}/", remote.api_path());
    paths.retain(|path, _| format!("{path}/").starts_with(&prefix));
    Ok(json!({"paths": paths, "definitions": document.remove("definitions")}))
}

/// Adds to OpenAPI v2. Of definitions with the same name this server's own stays.
pub(crate) fn into_second(document: &mut Value, remotes: &[Arc<Remote>]) {
    for more in remotes.iter().filter_map(|remote| remote.documents.v2.as_ref()) {
        for part in ["paths", "definitions"] {
            let Some(own) = document[part].as_object_mut() else { continue };
            for (name, value) in more[part].as_object().into_iter().flatten() {
                own.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
    }
}
