//! Calls of the API server to webhooks and extension servers: by URL, or by Service.
//!
//! A Service's Pods live in the virtual network, which the server reaches through the node that
//! runs them ([`NodeDialer`]); endpoints without a Pod are dialled as they stand.

mod insecure;

use crate::body::{self, Body};
use crate::limits;
use crate::node::NodeDialer;
use crate::pki::provider;
use crate::registry::{Caches, ObjectReader};
use crate::stream::{PodTarget, StreamContext};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};
use http::Uri;
use http::header::{ACCEPT, CONTENT_TYPE, HOST};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use runtime_base::{ByteStream, Tasks, clock};
use rustls::RootCertStore;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Why a call failed; the text is what the client of the API is told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// The configuration names no place that can be called.
    #[error("{0}")]
    Configuration(String),
    /// The Service has nobody who answers.
    #[error("{0}")]
    NoEndpoint(String),
    /// No connection.
    #[error("dial {0}: {1}")]
    Connect(String, String),
    /// No TLS with it.
    #[error("tls: {0}")]
    Tls(String),
    /// No answer over HTTP.
    #[error("{0}")]
    Http(String),
    /// Too slow.
    #[error("context deadline exceeded")]
    Timeout,
}

/// Where a webhook or an extension server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// An absolute https URL.
    Url(Uri),
    /// A port of a Service, and the path there.
    Service {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Its port (of the Service, not of the Pod).
        port: u16,
        /// Path, starting with `/`.
        path: String,
    },
}

impl Place {
    /// Reads `url` or `service` of a `WebhookClientConfig`.
    pub fn of(config: &Value) -> Result<Self, CallError> {
        if let Some(url) = config["url"].as_str() {
            let wrong =
                |error: http::uri::InvalidUri| CallError::Configuration(format!("invalid URL {url:?}: {error}"));
            let uri: Uri = url.parse().map_err(wrong)?;
            if uri.scheme_str() != Some("https") || uri.host().is_none() {
                return Err(CallError::Configuration(format!("{url:?} is no https URL")));
            }
            return Ok(Place::Url(uri));
        }
        let service = &config["service"];
        let (Some(namespace), Some(name)) = (service["namespace"].as_str(), service["name"].as_str()) else {
            return Err(CallError::Configuration("neither url nor service is set".into()));
        };
        let port = service["port"].as_u64().and_then(|port| u16::try_from(port).ok()).unwrap_or(443);
        let path = service["path"].as_str().unwrap_or("/");
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Place::Service { namespace: namespace.into(), name: name.into(), port, path })
    }

    /// The same with a query.
    pub fn with_query(&self, query: &str) -> Self {
        match self {
            Place::Url(uri) => {
                let mark = if uri.query().is_some() { '&' } else { '?' };
                format!("{uri}{mark}{query}").parse().map_or_else(|_| self.clone(), Place::Url)
            }
            Place::Service { namespace, name, port, path } => {
                let (namespace, name, port) = (namespace.clone(), name.clone(), *port);
                Place::Service { namespace, name, port, path: format!("{path}?{query}") }
            }
        }
    }

    /// The name that its certificate must show.
    pub fn server_name(&self) -> String {
        match self {
            Place::Url(uri) => uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned(),
            Place::Service { namespace, name, .. } => format!("{name}.{namespace}.svc"),
        }
    }

    /// The port of the URL or of the Service.
    fn port(&self) -> u16 {
        match self {
            Place::Url(uri) => uri.port_u16().unwrap_or(443),
            Place::Service { port, .. } => *port,
        }
    }

    /// What a request line and the Host header say.
    fn request_parts(&self) -> (String, String) {
        match self {
            Place::Url(uri) => {
                let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str).to_owned();
                (path, uri.authority().map_or_else(String::new, ToString::to_string))
            }
            Place::Service { port, path, .. } => (path.clone(), format!("{}:{port}", self.server_name())),
        }
    }
}

/// Whom the caller trusts, and how it shows who it is.
#[derive(Clone, Default)]
pub(crate) struct Trust {
    /// PEM roots; the machine's own when there are none.
    pub roots: Option<Vec<u8>>,
    /// Whether any certificate will do.
    pub insecure: bool,
    /// A client certificate chain and its PKCS #8 key.
    pub identity: Option<(Vec<CertificateDer<'static>>, Vec<u8>)>,
    /// Made of the above at the first call; it also remembers sessions, so that later handshakes are short.
    pub made: OnceLock<Arc<rustls::ClientConfig>>,
}

impl Trust {
    /// From a base64 `caBundle`; empty means the machine's roots.
    pub fn of_bundle(bundle: &Value) -> Result<Self, CallError> {
        let roots = match bundle.as_str().filter(|text| !text.is_empty()) {
            Some(text) => {
                let wrong = |_| CallError::Configuration("caBundle is no base64".into());
                Some(BASE64_STANDARD.decode(text).map_err(wrong)?)
            }
            None => None,
        };
        Ok(Trust { roots, ..Trust::default() })
    }

    /// Whether the certificates can be used.
    pub fn check(&self) -> Result<(), CallError> {
        client_config(self).map(drop)
    }
}

/// Calls others.
#[derive(Clone)]
pub(crate) struct Caller {
    caches: Arc<Caches>,
    dialer: Arc<dyn NodeDialer>,
    tasks: Tasks,
    /// Connections to Services so far; they go to the endpoints by turns.
    turns: Arc<AtomicUsize>,
}

impl Caller {
    pub fn new(caches: Arc<Caches>, dialer: Arc<dyn NodeDialer>, tasks: Tasks) -> Self {
        Caller { caches, dialer, tasks, turns: Arc::default() }
    }

    /// Where its connections live.
    pub fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// A connection to a place, still without TLS.
    pub async fn connect(&self, place: &Place) -> Result<ByteStream, CallError> {
        match place {
            Place::Url(_) => tcp(&place.server_name(), place.port()).await,
            Place::Service { namespace, name, port, .. } => self.connect_service(namespace, name, *port).await,
        }
    }

    /// A connection to one of the ready endpoints of a Service's port.
    pub async fn connect_service(&self, namespace: &str, name: &str, port: u16) -> Result<ByteStream, CallError> {
        let service = self.read("", "services", namespace, name);
        let service =
            service.ok_or_else(|| CallError::NoEndpoint(format!("service {name:?} not found in {namespace:?}")))?;
        if service["spec"]["type"] == "ExternalName" {
            return tcp(service["spec"]["externalName"].as_str().unwrap_or_default(), port).await;
        }
        let ports = service["spec"]["ports"].as_array().into_iter().flatten();
        let known = ports.into_iter().find(|known| known["port"] == port);
        let known = known
            .ok_or_else(|| CallError::NoEndpoint(format!("service {name:?} in {namespace:?} has no port {port}")))?;
        let port_name = known["name"].as_str().unwrap_or_default();
        let endpoints = self.endpoints(namespace, name, port_name);
        let mut failed = CallError::NoEndpoint(format!("no endpoints available for service {name:?}"));
        let first = self.turns.fetch_add(1, Ordering::Relaxed) % endpoints.len().max(1);
        let (before, after) = endpoints.split_at(first);
        for (endpoint, port) in after.iter().chain(before).take(limits::ENDPOINT_TRIES_MAX) {
            match self.connect_endpoint(namespace, endpoint, *port).await {
                Ok(stream) => return Ok(stream),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    /// The ready endpoints of a Service, each with the number of the named port there.
    fn endpoints(&self, namespace: &str, service: &str, port_name: &str) -> Vec<(Value, u16)> {
        let slices = self.caches.list("discovery.k8s.io", "endpointslices", Some(namespace));
        let slices = slices.iter().filter_map(|bytes| serde_json::from_slice::<Value>(bytes).ok());
        let own = slices.filter(|slice| slice["metadata"]["labels"]["kubernetes.io/service-name"] == service);
        let of_slice = |mut slice: Value| {
            let mut ports = slice["ports"].as_array().into_iter().flatten();
            let port = ports.find(|port| port["name"].as_str().unwrap_or_default() == port_name);
            let port = port.and_then(|port| u16::try_from(port["port"].as_u64()?).ok());
            let endpoints = slice["endpoints"].take();
            let endpoints = match endpoints {
                Value::Array(endpoints) => endpoints,
                _ => Vec::new(),
            };
            let ready = endpoints.into_iter().filter(|one| one["conditions"]["ready"].as_bool() != Some(false));
            ready.filter_map(move |endpoint| Some((endpoint, port?)))
        };
        own.flat_map(of_slice).collect()
    }

    async fn connect_endpoint(&self, namespace: &str, endpoint: &Value, port: u16) -> Result<ByteStream, CallError> {
        let pod = &endpoint["targetRef"];
        if pod["kind"] == "Pod" {
            let name = pod["name"].as_str().unwrap_or_default();
            let found = self.read("", "pods", namespace, name);
            let context = StreamContext { dialer: &self.dialer, tasks: &self.tasks };
            let target = found.and_then(|pod| PodTarget::new(&context, &pod));
            let target = target.ok_or_else(|| CallError::NoEndpoint(format!("pod {name:?} is not running")))?;
            return target.connect(port).await.map_err(|why| CallError::Connect(format!("{name}:{port}"), why));
        }
        tcp(endpoint["addresses"][0].as_str().unwrap_or_default(), port).await
    }

    fn read(&self, group: &str, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        serde_json::from_slice(&self.caches.get(group, plural, namespace, name)?).ok()
    }

    /// A connection with TLS.
    pub async fn connect_tls(&self, place: &Place, trust: &Trust) -> Result<ByteStream, CallError> {
        // What cannot work is told before anybody is dialled.
        let (connector, server_name) = connector(&place.server_name(), trust)?;
        let connecting = async {
            let stream = self.connect(place).await?;
            shake(&connector, server_name, stream).await
        };
        clock::within(limits::CALL_CONNECT_TIME_MAX, connecting).await.unwrap_or(Err(CallError::Timeout))
    }

    /// Posts JSON and returns the JSON that is answered with 200.
    pub async fn post_json(
        &self,
        place: &Place,
        trust: &Trust,
        limit: Duration,
        body: &Value,
    ) -> Result<Value, CallError> {
        self.post_bytes(place, trust, limit, body.to_string().into()).await
    }

    /// The same with JSON that is written already.
    pub async fn post_bytes(
        &self,
        place: &Place,
        trust: &Trust,
        limit: Duration,
        body: Bytes,
    ) -> Result<Value, CallError> {
        let call = self.post(place, trust, body);
        clock::within(limit, call).await.unwrap_or(Err(CallError::Timeout))
    }

    /// Sends any request on and returns the answer, whose body is streamed.
    pub async fn forward(
        &self,
        place: &Place,
        trust: &Trust,
        mut request: body::Request,
    ) -> Result<body::Response, CallError> {
        let stream = self.connect_tls(place, trust).await?;
        let http = |error: hyper::Error| CallError::Http(error.to_string());
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(http)?;
        self.tasks.spawn("forwarded request", async move {
            // The error is the body's, which tells it.
            let _ = connection.with_upgrades().await;
        });
        let (_, host) = place.request_parts();
        let host = http::HeaderValue::from_str(&host).map_err(|error| CallError::Configuration(error.to_string()))?;
        request.headers_mut().insert(HOST, host);
        let answer = sender.send_request(request).await.map_err(http)?;
        Ok(answer.map(|body| body.map_err(Into::into).boxed_unsync()))
    }

    async fn post(&self, place: &Place, trust: &Trust, body: Bytes) -> Result<Value, CallError> {
        let stream = self.connect_tls(place, trust).await?;
        let (path, host) = place.request_parts();
        let request = http::Request::post(path)
            .header(HOST, host)
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/json")
            .body(body::full(body))
            .map_err(|error| CallError::Configuration(error.to_string()))?;
        exchange(&self.tasks, stream, request).await
    }
}

/// Gets JSON from an https URL, which may well be outside the cluster; it must answer itself, with 200.
pub(crate) async fn get_json(tasks: &Tasks, url: &str, trust: &Trust, limit: Duration) -> Result<Value, CallError> {
    let place = Place::of(&json!({"url": url}))?;
    let (connector, server_name) = connector(&place.server_name(), trust)?;
    let call = async {
        let stream = tcp(&place.server_name(), place.port()).await?;
        let stream = shake(&connector, server_name, stream).await?;
        let (path, host) = place.request_parts();
        let request = http::Request::get(path)
            .header(HOST, host)
            .header(ACCEPT, "application/json")
            .body(body::full(Bytes::new()))
            .map_err(|error| CallError::Configuration(error.to_string()))?;
        exchange(tasks, stream, request).await
    };
    clock::within(limit, call).await.unwrap_or(Err(CallError::Timeout))
}

fn connector(name: &str, trust: &Trust) -> Result<(TlsConnector, ServerName<'static>), CallError> {
    let config = client_config(trust)?;
    let wrong = |_| CallError::Configuration(format!("{name:?} is no host name"));
    let server_name = ServerName::try_from(name.to_owned()).map_err(wrong)?;
    Ok((TlsConnector::from(config), server_name))
}

async fn shake(
    connector: &TlsConnector,
    name: ServerName<'static>,
    stream: ByteStream,
) -> Result<ByteStream, CallError> {
    let failed = |error: std::io::Error| CallError::Tls(error.to_string());
    Ok(Box::new(connector.connect(name, stream).await.map_err(failed)?))
}

/// Sends one request over a connection and returns the JSON that is answered.
async fn exchange(tasks: &Tasks, stream: ByteStream, request: http::Request<Body>) -> Result<Value, CallError> {
    let http = |error: hyper::Error| CallError::Http(error.to_string());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(http)?;
    let connection = tasks.spawn("call", async move {
        // The error is the request's, which tells it.
        let _ = connection.await;
    });
    let answer = sender.send_request(request).await.map_err(http)?;
    let status = answer.status();
    let bytes = collect(answer.into_body()).await;
    connection.abort();
    let bytes = bytes?;
    if !status.is_success() {
        let text = String::from_utf8_lossy(&bytes).chars().take(limits::CALL_ERROR_CHARS_MAX).collect::<String>();
        return Err(CallError::Http(format!("the server answered {status}: {}", text.trim())));
    }
    serde_json::from_slice(&bytes).map_err(|error| CallError::Http(format!("the answer is no JSON: {error}")))
}

async fn collect(mut body: hyper::body::Incoming) -> Result<Bytes, CallError> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| CallError::Http(error.to_string()))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > limits::CALL_ANSWER_BYTES_MAX {
            return Err(CallError::Http(format!("the answer is over {} bytes", limits::CALL_ANSWER_BYTES_MAX)));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
}

/// TLS over a stream, with whom the name names.
pub(crate) async fn secure(stream: ByteStream, name: &str, trust: &Trust) -> Result<ByteStream, CallError> {
    let (connector, server_name) = connector(name, trust)?;
    shake(&connector, server_name, stream).await
}

/// A TCP connection.
pub(crate) async fn tcp(host: &str, port: u16) -> Result<ByteStream, CallError> {
    let stream = TcpStream::connect((host, port)).await;
    let stream = stream.map_err(|error| CallError::Connect(format!("tcp {host}:{port}"), error.to_string()))?;
    // Small requests; a failure costs some milliseconds at most.
    let _ = stream.set_nodelay(true);
    Ok(Box::new(stream))
}

fn client_config(trust: &Trust) -> Result<Arc<rustls::ClientConfig>, CallError> {
    match trust.made.get() {
        Some(made) => Ok(made.clone()),
        None => {
            let made = Arc::new(make_config(trust)?);
            Ok(trust.made.get_or_init(|| made).clone())
        }
    }
}

fn make_config(trust: &Trust) -> Result<rustls::ClientConfig, CallError> {
    let failed = |error: rustls::Error| CallError::Tls(error.to_string());
    let builder = rustls::ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(failed)?;
    let builder = if trust.insecure {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(insecure::AnyCertificate(provider())))
    } else {
        builder.with_root_certificates(roots(trust)?)
    };
    match &trust.identity {
        Some((chain, key)) => {
            let key = rustls_pki_types::PrivatePkcs8KeyDer::from(key.clone());
            builder.with_client_auth_cert(chain.clone(), key.into()).map_err(failed)
        }
        None => Ok(builder.with_no_client_auth()),
    }
}

fn roots(trust: &Trust) -> Result<RootCertStore, CallError> {
    let mut roots = RootCertStore::empty();
    match &trust.roots {
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let wrong = |what: String| CallError::Configuration(format!("caBundle cannot be used: {what}"));
                let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
                roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err(CallError::Configuration("there is no certificate to trust, set caBundle".into()));
    }
    Ok(roots)
}

/// Name and namespace in texts for the log.
impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Url(uri) => write!(f, "{uri}"),
            Place::Service { port, path, .. } => write!(f, "https://{}:{port}{path}", self.server_name()),
        }
    }
}
