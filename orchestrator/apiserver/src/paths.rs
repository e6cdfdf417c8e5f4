//! Paths that are no resources: discovery, version, OpenAPI.

use crate::aggregation::{self, Aggregation, Remote, Remotes, merge};
use crate::body::Response;
use crate::registry::Caches;
use crate::request::{Media, Shape, negotiate};
use crate::respond;
use bytes::Bytes;
use http::HeaderMap;
use http::header::{ACCEPT, CACHE_CONTROL, ETAG, HeaderValue, IF_NONE_MATCH, LOCATION, VARY};
use orchestrator_apimachinery::{ApiError, Catalog, discovery, openapi, yaml};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The Kubernetes version whose API is served.
pub(crate) const VERSION: (&str, &str, &str) = ("1", "36", "v1.36.0");
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const AGGREGATED_BETA: &str = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";

/// How a document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    Json,
    Yaml,
    Aggregated,
    AggregatedBeta,
    /// OpenAPI v2 as protobuf.
    Protobuf,
}

impl Form {
    fn content_type(self) -> &'static str {
        match self {
            Form::Json => respond::JSON,
            Form::Yaml => Media::Yaml.content_type(),
            Form::Aggregated => AGGREGATED,
            Form::AggregatedBeta => AGGREGATED_BETA,
            Form::Protobuf => openapi::v2::MEDIA_TYPE,
        }
    }

    /// The form that a client asks for. What is no API object is JSON, whatever is asked.
    fn of(path: &str, accept: Option<&str>) -> Result<Self, ApiError> {
        if path == "/openapi/v2" {
            let first = accept.unwrap_or_default().split(',').map(str::trim).find_map(|range| {
                let media = range.split(';').next().unwrap_or_default().trim_end();
                match media {
                    openapi::v2::ASKED_TYPE | openapi::v2::MEDIA_TYPE => Some(Form::Protobuf),
                    "" | "application/json" | "application/*" | "*/*" => Some(Form::Json),
                    _ => None,
                }
            });
            return first.ok_or_else(|| ApiError::not_acceptable(openapi::v2::ASKED_TYPE));
        }
        let discovery = path == "/api" || path == "/apis" || path.starts_with("/api/") || path.starts_with("/apis/");
        if !discovery {
            return Ok(Form::Json);
        }
        let root = matches!(path, "/api" | "/apis");
        Ok(match negotiate(accept, false)? {
            (Shape::Discovery, _) if root => Form::Aggregated,
            (Shape::DiscoveryBeta, _) if root => Form::AggregatedBeta,
            (_, Media::Yaml) => Form::Yaml,
            _ => Form::Json,
        })
    }
}

/// A finished document.
#[derive(Clone)]
struct Made {
    body: Bytes,
    tag: HeaderValue,
}

impl Made {
    fn new(body: Bytes) -> Result<Self, ApiError> {
        let tag = format!("\"{}\"", hex::encode_upper(Sha256::digest(&body)));
        Ok(Made { body, tag: HeaderValue::from_str(&tag).map_err(ApiError::internal)? })
    }
}

/// Finished documents by path and form; all are of one catalog and of the same other servers.
#[derive(Default)]
struct Documents {
    of: Arc<Catalog>,
    remotes: Arc<Remotes>,
    made: BTreeMap<(String, Form), Made>,
}

/// Documents about the API itself, made on first use and forgotten when kinds come or go.
pub(crate) struct Paths {
    caches: Arc<Caches>,
    aggregation: Arc<Aggregation>,
    advertised: String,
    documents: Mutex<Documents>,
}

impl Paths {
    pub fn new(caches: Arc<Caches>, aggregation: Arc<Aggregation>, advertised: String) -> Self {
        Paths { caches, aggregation, advertised, documents: Mutex::default() }
    }

    /// Answers a GET of `path`, whose query is `query`.
    pub async fn serve(&self, path: &str, query: Option<&str>, headers: &HeaderMap) -> Result<Response, ApiError> {
        let path = if path.len() > 1 { path.trim_end_matches('/') } else { path };
        let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
        let form = Form::of(path, accept)?;
        let (catalog, remotes) = (self.caches.catalog(), self.aggregation.all());
        let made = self.document(&catalog, &remotes, path, form)?.ok_or_else(ApiError::no_such_path)?;
        let wanted = query.and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("hash=")));
        let hashed = path.strip_prefix("/openapi/v3/").zip(wanted);
        if let Some((document, wanted)) = hashed {
            let remote = remotes.values().find(|remote| remote.api_path() == document);
            let hash = match remote.and_then(|remote| remote.openapi()) {
                Some((_, hash)) => hash.clone(),
                None => openapi::hash(&catalog, document),
            };
            if wanted != hash {
                let mut response = respond::bytes(301, respond::JSON, Bytes::new());
                let place = HeaderValue::from_str(&format!("{path}?hash={hash}")).map_err(ApiError::internal)?;
                response.headers_mut().insert(LOCATION, place);
                return Ok(response);
            }
        }
        let known = headers.get_all(IF_NONE_MATCH).iter().any(|value| matches_tag(value, &made.tag));
        let mut response = match known {
            true => respond::bytes(304, form.content_type(), Bytes::new()),
            false => respond::bytes(200, form.content_type(), made.body),
        };
        response.headers_mut().insert(ETAG, made.tag);
        response.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
        if hashed.is_some() {
            // Its content is named by its hash and never changes.
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, immutable"));
        }
        Ok(if respond::takes_gzip(headers) { respond::compress(response).await } else { response })
    }

    fn document(
        &self,
        catalog: &Arc<Catalog>,
        remotes: &Arc<Remotes>,
        path: &str,
        form: Form,
    ) -> Result<Option<Made>, ApiError> {
        let key = (path.to_owned(), form);
        let lock = || self.documents.lock().unwrap_or_else(PoisonError::into_inner);
        let current =
            |documents: &Documents| Arc::ptr_eq(&documents.of, catalog) && Arc::ptr_eq(&documents.remotes, remotes);
        {
            let mut documents = lock();
            if !current(&documents) {
                *documents = Documents { of: catalog.clone(), remotes: remotes.clone(), made: BTreeMap::new() };
            }
            if let Some(made) = documents.made.get(&key) {
                return Ok(Some(made.clone()));
            }
        }
        let others: Vec<Arc<Remote>> = remotes.values().cloned().collect();
        let Some(body) = self.make(catalog, path, form, &others) else { return Ok(None) };
        let made = Made::new(body)?;
        let mut documents = lock();
        if current(&documents) {
            documents.made.insert(key, made.clone());
        }
        Ok(Some(made))
    }

    fn make(&self, catalog: &Catalog, path: &str, form: Form, remotes: &[Arc<Remote>]) -> Option<Bytes> {
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let value = match parts.as_slice() {
            [root @ ("api" | "apis")] if matches!(form, Form::Aggregated | Form::AggregatedBeta) => {
                let mut value = discovery::aggregated(catalog, *root == "api");
                merge::into_discovery(&mut value, remotes);
                if form == Form::AggregatedBeta {
                    value["apiVersion"] = json!("apidiscovery.k8s.io/v2beta1");
                }
                value
            }
            ["api"] => discovery::api_versions(&self.advertised),
            ["apis"] => {
                let mut list = discovery::group_list(catalog);
                merge::into_groups(&mut list, remotes);
                list
            }
            ["apis", group] => merge::into_group(discovery::group(catalog, group), group, remotes)?,
            ["api", version] => discovery::resource_list(catalog, "", version)?,
            ["apis", group, version] => discovery::resource_list(catalog, group, version)?,
            ["version"] => version(),
            ["openapi", "v2"] => {
                let mut document = openapi::v2::document(catalog);
                aggregation::into_second(&mut document, remotes);
                if form == Form::Protobuf {
                    return Some(openapi::v2::protobuf(&document));
                }
                document
            }
            ["openapi", "v3"] => Self::openapi_index(catalog, remotes),
            ["openapi", "v3", rest @ ..] => {
                let path = rest.join("/");
                let remote = remotes.iter().find(|remote| remote.api_path() == path);
                let document = remote.and_then(|remote| remote.openapi()).map(|(document, _)| document.clone());
                return document.or_else(|| openapi::document(catalog, &path));
            }
            [""] => Self::root(catalog, remotes),
            _ => return None,
        };
        Some(if form == Form::Yaml { yaml::to_string(&value).into() } else { value.to_string().into() })
    }

    fn openapi_index(catalog: &Catalog, remotes: &[Arc<Remote>]) -> Value {
        let mut paths = Map::new();
        let own = openapi::group_version_paths(catalog).into_iter().map(|path| {
            let hash = openapi::hash(catalog, &path);
            (path, hash)
        });
        let others = remotes.iter().filter_map(|remote| Some((remote.api_path(), remote.openapi()?.1.clone())));
        for (path, hash) in own.chain(others) {
            paths.insert(path.clone(), json!({"serverRelativeURL": format!("/openapi/v3/{path}?hash={hash}")}));
        }
        json!({"paths": paths})
    }

    fn root(catalog: &Catalog, remotes: &[Arc<Remote>]) -> Value {
        let mut paths: Vec<String> = [
            "/.well-known/openid-configuration",
            "/api",
            "/apis",
            "/healthz",
            "/healthz/etcd",
            "/healthz/log",
            "/healthz/ping",
            "/livez",
            "/livez/etcd",
            "/livez/log",
            "/livez/ping",
            "/metrics",
            "/openapi/v2",
            "/openapi/v3",
            "/openid/v1/jwks",
            "/readyz",
            "/readyz/etcd",
            "/readyz/informer-sync",
            "/readyz/log",
            "/readyz/ping",
            "/readyz/shutdown",
            "/version",
        ]
        .map(str::to_owned)
        .into();
        for (group, versions) in catalog.groups() {
            let base = if group.is_empty() { "/api".to_owned() } else { format!("/apis/{group}") };
            paths.extend(versions.iter().map(|version| format!("{base}/{version}")));
            paths.push(base);
        }
        for path in openapi::group_version_paths(catalog) {
            paths.push(format!("/openapi/v3/{path}"));
        }
        for remote in remotes {
            paths.extend([format!("/apis/{}", remote.group), format!("/{}", remote.api_path())]);
            paths.extend(remote.openapi().map(|_| format!("/openapi/v3/{}", remote.api_path())));
        }
        paths.sort();
        paths.dedup();
        json!({"paths": paths})
    }
}

/// Whether a value of If-None-Match names the tag.
fn matches_tag(value: &HeaderValue, tag: &HeaderValue) -> bool {
    let (Ok(value), Ok(tag)) = (value.to_str(), tag.to_str()) else { return false };
    value.split(',').map(|one| one.trim().trim_start_matches("W/")).any(|one| one == tag || one == "*")
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
