//! The server: who asks, whether they may, and where the request goes.

use crate::admission::Dynamic;
use crate::auth::{self, Attributes, Authentication, Authenticator, Authorizer, Rbac, TokenIssuer, impersonate};
use crate::body::{Request, Response};
use crate::identity::Identity;
use crate::metrics::Metrics;
use crate::node::NodeDialer;
use crate::outbound::Caller;
use crate::paths::Paths;
use crate::pki::{Pki, PkiError};
use crate::registry::{Caches, Registry};
use crate::request::{Query, Route, attributes};
use crate::{limits, resources, respond};
use futures::FutureExt;
use http::Method;
use ipnet::Ipv4Net;
use orchestrator_apimachinery::{ApiError, Catalog};
use orchestrator_store::{Store, StoreError};
use runtime_base::clock::within;
use runtime_base::{Clock, Rng, Tasks};
use std::ops::RangeInclusive;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tracing::{Instrument, debug, debug_span, error, warn};

const PLAIN_TEXT: &str = "text/plain; charset=utf-8";

/// What a server is told from outside.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Time.
    pub clock: Clock,
    /// Random names, uids and addresses.
    pub rng: Rng,
    /// What the server starts; watches and connections end when it stops.
    pub tasks: Tasks,
    /// The range of Services' addresses.
    pub service_cidr: Ipv4Net,
    /// The range of node ports (upstream's 30000 to 32767).
    pub node_ports: RangeInclusive<u16>,
    /// `host:port` that legacy discovery names.
    pub advertised: String,
}

/// Why a server could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store cannot be read.
    #[error("cannot fill the watch caches")]
    Store(#[from] StoreError),
    /// The keys cannot be used.
    #[error("cannot use the cluster's keys")]
    Pki(#[from] PkiError),
}

/// The API server.
pub struct ApiServer {
    pub(crate) registry: Registry,
    pub(crate) authenticator: Authenticator,
    pub(crate) tokens: Arc<TokenIssuer>,
    pub(crate) dialer: Arc<dyn NodeDialer>,
    pub(crate) tasks: Tasks,
    pub(crate) paths: Paths,
    pub(crate) metrics: Metrics,
    reads: Semaphore,
    writes: Semaphore,
}

impl ApiServer {
    /// A server over a store, with these keys; ready to answer when this returns.
    pub async fn start(
        config: ServerConfig,
        store: Arc<dyn Store>,
        pki: &Pki,
        dialer: Arc<dyn NodeDialer>,
    ) -> Result<Arc<Self>, StartError> {
        let caches = Caches::start(store.clone(), Arc::new(Catalog::builtin()), &config.tasks).await?;
        let tokens = Arc::new(TokenIssuer::new(pki, config.clock.clone(), config.rng.clone()));
        let authenticator = Authenticator::new(pki, tokens.clone(), caches.clone(), config.clock.clone())?;
        let rbac = Arc::new(Rbac::new(caches.clone()));
        let registry = Registry {
            store,
            caches: caches.clone(),
            rbac,
            caller: Caller::new(caches.clone(), dialer.clone(), config.tasks.clone()),
            dynamic: Dynamic::default(),
            clock: config.clock,
            rng: config.rng,
            service_cidr: config.service_cidr,
            node_ports: config.node_ports,
            allocation: tokio::sync::Mutex::new(()),
        };
        Ok(Arc::new(ApiServer {
            registry,
            authenticator,
            tokens,
            dialer,
            tasks: config.tasks,
            paths: Paths::new(caches.catalog().clone(), config.advertised),
            metrics: Metrics::default(),
            reads: Semaphore::new(limits::READS_IN_FLIGHT_MAX),
            writes: Semaphore::new(limits::WRITES_IN_FLIGHT_MAX),
        }))
    }

    /// The watch caches, for parts of the process that look objects up as the server does.
    pub fn caches(&self) -> &Arc<Caches> {
        &self.registry.caches
    }

    /// The authorizer.
    pub fn authorizer(&self) -> &Arc<Rbac> {
        &self.registry.rbac
    }

    /// Finds out who tells a token or shows a certificate; for the kubelet API of an agent.
    pub fn authenticator(&self) -> &Authenticator {
        &self.authenticator
    }

    /// Answers a request from a connection whose client showed these certificates (DER, its own first).
    pub async fn handle_from_outside(self: &Arc<Self>, certificates: &[Vec<u8>], request: Request) -> Response {
        let head_only = request.method() == Method::HEAD;
        let response = self.handle_stranger(certificates, request).await;
        if head_only { respond::without_body(response) } else { response }
    }

    async fn handle_stranger(self: &Arc<Self>, certificates: &[Vec<u8>], request: Request) -> Response {
        let who = match self.authenticator.authenticate(request.headers(), certificates).await {
            Authentication::Known(identity) => identity,
            Authentication::Anonymous => Identity::anonymous(),
            Authentication::Refused(why) => {
                warn!(why, path = request.uri().path(), "refused credentials");
                return respond::error(&ApiError::unauthorized());
            }
        };
        match impersonate(who, request.headers(), &*self.registry.rbac).await {
            Ok(who) => self.handle(who, request).await,
            Err(error) => respond::error(&error),
        }
    }

    /// Answers a request of somebody who is known: authorization and admission follow.
    pub async fn handle(self: &Arc<Self>, identity: Identity, request: Request) -> Response {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let span = debug_span!("request", %method, path, user = identity.name);
        let serving = AssertUnwindSafe(self.serve(&identity, request)).catch_unwind().instrument(span);
        let (what, result) = match serving.await {
            Ok(served) => served,
            Err(_) => {
                error!(%method, path, "a request handler failed");
                (Attributes::default(), Err(ApiError::internal("the request handler failed")))
            }
        };
        let response = result.unwrap_or_else(|error| respond::error(&error));
        self.metrics.count(&what, response.status().as_u16());
        debug!(%method, path, user = identity.name, code = response.status().as_u16(), "answered");
        response
    }

    async fn serve(self: &Arc<Self>, who: &Identity, request: Request) -> (Attributes, Result<Response, ApiError>) {
        let (uri, method) = (request.uri().clone(), request.method().clone());
        let parsed = Query::parse(uri.query().unwrap_or_default())
            .and_then(|query| Ok((query, Route::parse(uri.path())?)))
            .and_then(|parsed| match uri.query().map_or(0, str::len) > limits::URI_BYTES_MAX {
                true => Err(ApiError::new(414, "", "the query is too long")),
                false => Ok(parsed),
            });
        let (query, route) = match parsed {
            Ok(parsed) => parsed,
            Err(error) => return (Attributes::default(), Err(error)),
        };
        let what = attributes(&method, uri.path(), &route, &query);
        let result = self.serve_parsed(who, &what, &route, &query, request).await;
        (what, result)
    }

    async fn serve_parsed(
        self: &Arc<Self>,
        who: &Identity,
        what: &Attributes,
        route: &Route,
        query: &Query,
        request: Request,
    ) -> Result<Response, ApiError> {
        if what.verb.is_empty() {
            return Err(ApiError::method_not_allowed());
        }
        if let Err(why) = self.registry.rbac.authorize(who, what).await {
            return Err(auth::forbidden(who, what, &why));
        }
        let serving = async {
            match route {
                Route::Other => self.serve_path(request).await,
                Route::Resource(target) => resources::serve(self, who, what, target, query, request).await,
            }
        };
        if what.verb == "watch" || matches!(&*what.subresource, "log" | "portforward") {
            return serving.await;
        }
        let reads = matches!(&*what.verb, "get" | "list") || what.resource.is_empty();
        let turns = if reads { &self.reads } else { &self.writes };
        let Some(Ok(_turn)) = within(limits::TURN_TIME_MAX, turns.acquire()).await else {
            return Err(ApiError::too_many_requests("too many requests, please try again later", 1));
        };
        match within(limits::REQUEST_TIME_MAX, serving).await {
            Some(result) => result,
            None => Err(ApiError::timeout("the request did not finish within the allotted time")),
        }
    }

    async fn serve_path(&self, request: Request) -> Result<Response, ApiError> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(ApiError::method_not_allowed());
        }
        let uri = request.uri().clone();
        match uri.path() {
            "/metrics" => {
                let text = self.metrics.text(self.registry.store.revision(), self.registry.caches.progress());
                Ok(respond::bytes(200, "text/plain; version=0.0.4", text))
            }
            "/.well-known/openid-configuration" => Ok(respond::json(200, &self.tokens.openid_configuration())),
            "/openid/v1/jwks" => Ok(respond::bytes(200, "application/jwk-set+json", self.tokens.jwks().to_string())),
            path @ ("/healthz" | "/livez" | "/readyz") => Ok(self.health(path, uri.query()).await),
            "/healthz/ping" | "/livez/ping" | "/readyz/ping" => Ok(respond::bytes(200, PLAIN_TEXT, "ok")),
            _ => self.paths.serve(uri.path(), request.headers()),
        }
    }

    async fn health(&self, path: &str, query: Option<&str>) -> Response {
        let fresh = self.registry.caches.fresh().await.is_ok();
        let well = path == "/livez" || fresh;
        let verbose = query.is_some_and(|query| query.split('&').any(|part| part.starts_with("verbose")));
        let name = path.trim_start_matches('/');
        let text = match (well, verbose) {
            (true, false) => "ok".to_owned(),
            (true, true) => format!("[+]ping ok\n[+]store ok\n[+]watch-cache ok\n{name} check passed\n"),
            (false, _) => format!("[+]ping ok\n[-]watch-cache failed: behind the store\n{name} check failed\n"),
        };
        respond::bytes(if well { 200 } else { 500 }, PLAIN_TEXT, text)
    }
}

#[cfg(test)]
mod tests;
