//! Paths that are no resources: discovery, version, OpenAPI.

use crate::body::Response;
use crate::request::{Shape, negotiate};
use crate::respond;
use bytes::Bytes;
use http::HeaderMap;
use http::header::{ACCEPT, ETAG, HeaderValue, IF_NONE_MATCH, VARY};
use orchestrator_apimachinery::{ApiError, Catalog, discovery, openapi};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The Kubernetes version whose API is served.
const VERSION: (&str, &str, &str) = ("1", "36", "v1.36.0");
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// Documents about the API itself, made on first use.
pub(crate) struct Paths {
    catalog: Arc<Catalog>,
    advertised: String,
    /// Finished documents by path and shape, each with its tag.
    made: Mutex<BTreeMap<(String, bool), (Bytes, String)>>,
}

impl Paths {
    pub fn new(catalog: Arc<Catalog>, advertised: String) -> Self {
        Paths { catalog, advertised, made: Mutex::default() }
    }

    /// Answers a GET of `path`.
    pub fn serve(&self, path: &str, headers: &HeaderMap) -> Result<Response, ApiError> {
        let path = if path.len() > 1 { path.trim_end_matches('/') } else { path };
        let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
        if path == "/openapi/v2" && !accept.is_some_and(|accept| accept.contains(openapi::v2::ASKED_TYPE)) {
            return Err(ApiError::not_acceptable(openapi::v2::ASKED_TYPE));
        }
        let aggregated = matches!(path, "/api" | "/apis") && negotiate(accept)? == Shape::Discovery;
        let (body, tag) = self.document(path, aggregated).ok_or_else(ApiError::no_such_path)?;
        let tag = HeaderValue::from_str(&tag).map_err(ApiError::internal)?;
        let known = headers.get(IF_NONE_MATCH).is_some_and(|value| *value == tag);
        let content_type = match path {
            "/openapi/v2" => openapi::v2::MEDIA_TYPE,
            _ if aggregated => AGGREGATED,
            _ => respond::JSON,
        };
        let mut response = match known {
            true => respond::bytes(304, content_type, Bytes::new()),
            false => respond::bytes(200, content_type, body),
        };
        response.headers_mut().insert(ETAG, tag);
        response.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
        Ok(response)
    }

    fn document(&self, path: &str, aggregated: bool) -> Option<(Bytes, String)> {
        let key = (path.to_owned(), aggregated);
        if let Some(made) = self.made.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Some(made.clone());
        }
        let body = self.make(path, aggregated)?;
        let tag = format!("\"{}\"", hex::encode_upper(Sha256::digest(&body)));
        let made = (body, tag);
        self.made.lock().unwrap_or_else(PoisonError::into_inner).insert(key, made.clone());
        Some(made)
    }

    fn make(&self, path: &str, aggregated: bool) -> Option<Bytes> {
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let value = match parts.as_slice() {
            ["api"] if aggregated => discovery::aggregated(&self.catalog, true),
            ["apis"] if aggregated => discovery::aggregated(&self.catalog, false),
            ["api"] => discovery::api_versions(&self.advertised),
            ["apis"] => discovery::group_list(&self.catalog),
            ["apis", group] => discovery::group(&self.catalog, group)?,
            ["api", version] => discovery::resource_list(&self.catalog, "", version)?,
            ["apis", group, version] => discovery::resource_list(&self.catalog, group, version)?,
            ["version"] => version(),
            ["openapi", "v2"] => return Some(openapi::v2::document(&self.catalog)),
            ["openapi", "v3"] => self.openapi_index(),
            ["openapi", "v3", rest @ ..] => return openapi::document(&self.catalog, &rest.join("/")),
            [""] => self.root(),
            _ => return None,
        };
        Some(value.to_string().into())
    }

    fn openapi_index(&self) -> Value {
        let mut paths = Map::new();
        for path in openapi::group_version_paths(&self.catalog) {
            let hash = openapi::hash(&self.catalog, &path);
            paths.insert(path.clone(), json!({"serverRelativeURL": format!("/openapi/v3/{path}?hash={hash}")}));
        }
        json!({"paths": paths})
    }

    fn root(&self) -> Value {
        let mut paths = vec!["/api".to_owned(), "/apis".to_owned()];
        for (group, versions) in self.catalog.groups() {
            let base = if group.is_empty() { "/api".to_owned() } else { format!("/apis/{group}") };
            paths.extend(versions.iter().map(|version| format!("{base}/{version}")));
        }
        paths.extend(
            ["/healthz", "/livez", "/metrics", "/openapi/v2", "/openapi/v3", "/readyz", "/version"].map(str::to_owned),
        );
        json!({"paths": paths})
    }
}

fn version() -> Value {
    let (major, minor, git) = VERSION;
    json!({
        "major": major,
        "minor": minor,
        "gitVersion": format!("{git}+coracle.{}", env!("CARGO_PKG_VERSION")),
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        }),
    })
}
