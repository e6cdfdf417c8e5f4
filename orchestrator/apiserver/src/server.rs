//! The server: who asks, whether they may, and where the request goes.

use crate::admission::Dynamic;
use crate::admission::quota::Turns;
use crate::aggregation::{self, Aggregation};
use crate::audit::{self, Audit, AuditConfig, AuditError, Trail};
use crate::auth::{
    self, Attributes, Authentication, Authenticator, Authorizer, Oidc, OidcConfig, OidcError, Rbac, TokenIssuer,
    impersonate,
};
use crate::body::{Request, Response};
use crate::fairness::{self, Fairness};
use crate::identity::Identity;
use crate::metrics::{Gauges, Metrics};
use crate::node::NodeDialer;
use crate::outbound::Caller;
use crate::paths::Paths;
use crate::pki::{Pki, PkiError};
use crate::registry::{Caches, Registry};
use crate::request::{Query, Route, attributes};
use crate::vault::{Keys, Vault};
use crate::{crd, health, limits, resources, respond};
use futures::FutureExt;
use http::Method;
use http::header::{HeaderName, HeaderValue};
use ipnet::Ipv4Net;
use orchestrator_apimachinery::ApiError;
use orchestrator_store::{Store, StoreError};
use runtime_base::clock::within;
use runtime_base::{Clock, Rng, Tasks};
use std::ops::RangeInclusive;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::UNIX_EPOCH;
use tracing::{Instrument, debug, debug_span, error, warn};

/// Names a request in the audit log.
const AUDIT_ID: HeaderName = HeaderName::from_static("audit-id");

/// What a server is told from outside.
#[derive(Debug)]
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
    /// What Secrets are encrypted with at rest.
    pub encryption: Keys,
    /// Writes down who does what.
    pub audit: Option<AuditConfig>,
    /// Whose ID tokens are believed, besides the cluster's own.
    pub oidc: Option<OidcConfig>,
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
    /// The audit log cannot be written.
    #[error("cannot write the audit log")]
    Audit(#[from] AuditError),
    /// The OpenID Connect issuer cannot be asked.
    #[error("cannot believe ID tokens")]
    Oidc(#[from] OidcError),
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
    audit: Option<Arc<Audit>>,
    fairness: Arc<Fairness>,
    /// Seconds since 1970.
    started: u64,
    /// Requests that read, and requests that change something, without watches and streams.
    in_flight: [AtomicUsize; 2],
    pub(crate) definitions: crd::Adopted,
    /// What other servers answer.
    pub(crate) aggregation: Arc<Aggregation>,
}

impl ApiServer {
    /// A server over a store, with these keys; ready to answer when this returns.
    pub async fn start(
        config: ServerConfig,
        store: Arc<dyn Store>,
        pki: &Pki,
        dialer: Arc<dyn NodeDialer>,
    ) -> Result<Arc<Self>, StartError> {
        let vault = Vault::new(store, config.encryption, config.rng.clone());
        let store: Arc<dyn Store> = vault.clone();
        let definitions = crd::Definitions::load(&store).await?;
        let caches = Caches::start(store.clone(), definitions.catalog(), &config.tasks).await?;
        config.tasks.spawn("vault", async move {
            if let Err(error) = vault.renew().await {
                error!(%error, "Secrets are not all encrypted with the first key; the next start tries again");
            }
        });
        let tokens = Arc::new(TokenIssuer::new(pki, config.clock.clone(), config.rng.clone()));
        let authenticator = Authenticator::new(pki, tokens.clone(), caches.clone(), config.clock.clone())?;
        let oidc = config.oidc.map(|oidc| Oidc::new(oidc, config.clock.clone(), config.tasks.clone())).transpose()?;
        let authenticator = authenticator.with_oidc(oidc);
        let rbac = Arc::new(Rbac::new(caches.clone()));
        let audit = config.audit.map(|audit| Audit::start(audit, config.clock.clone())).transpose()?;
        let turns_clock = config.clock.clone();
        let started = config.clock.now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
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
            quota_turns: Turns::default(),
        };
        let aggregation = Arc::new(Aggregation::new(pki.front_proxy_client()?));
        let server = Arc::new(ApiServer {
            registry,
            authenticator,
            tokens,
            dialer,
            tasks: config.tasks,
            paths: Paths::new(caches.clone(), aggregation.clone(), config.advertised),
            metrics: Metrics::default(),
            audit,
            fairness: Fairness::new(caches.clone(), turns_clock),
            started,
            in_flight: Default::default(),
            definitions: crd::Adopted::default(),
            aggregation,
        });
        server.tasks.spawn("custom resources", crd::keep(server.clone(), definitions));
        Ok(server)
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
            Authentication::Anonymous if auth::may_be_anonymous(request.uri().path()) => Identity::anonymous(),
            Authentication::Anonymous => {
                return self.refuse(&Identity::anonymous(), request, &ApiError::unauthorized());
            }
            Authentication::Refused(why) => {
                warn!(why, path = request.uri().path(), "refused credentials");
                return self.refuse(&Identity::default(), request, &ApiError::unauthorized());
            }
        };
        match impersonate(who.clone(), request.headers(), &*self.registry.rbac).await {
            Ok(other) => self.handle_as(&who, &other, request).await,
            // As upstream, the attempt is that of who made it.
            Err(error) => self.refuse(&who, request, &error),
        }
    }

    /// Answers with an error, and writes that down.
    fn refuse(&self, who: &Identity, mut request: Request, error: &ApiError) -> Response {
        let what = match (Query::parse(request.uri().query().unwrap_or_default()), Route::parse(request.uri().path())) {
            (Ok(query), Ok(route)) => attributes(request.method(), request.uri().path(), &route, &query),
            _ => Attributes::default(),
        };
        let id = self.audit_id(&request);
        let trail = self.trail(&id, (who, who), &what, &mut request);
        self.finish(&id, trail, respond::error(error))
    }

    /// The id under which a request is written down: the client's, or a new one.
    fn audit_id(&self, request: &Request) -> String {
        let sent = request.headers().get(AUDIT_ID).and_then(|value| value.to_str().ok());
        sent.filter(|id| (1..=limits::AUDIT_ID_CHARS_MAX).contains(&id.len()))
            .map_or_else(|| self.registry.rng.uid(), str::to_owned)
    }

    fn trail(&self, id: &str, who: (&Identity, &Identity), what: &Attributes, request: &mut Request) -> Option<Trail> {
        Trail::begin(self.audit.as_ref()?, id, who, what, request)
    }

    fn finish(&self, id: &str, trail: Option<Trail>, mut response: Response) -> Response {
        if let Ok(id) = HeaderValue::from_str(id) {
            response.headers_mut().insert(AUDIT_ID, id);
        }
        match trail {
            Some(trail) => trail.answer(response),
            None => response,
        }
    }

    /// Answers a request of somebody who is known: authorization and admission follow.
    pub async fn handle(self: &Arc<Self>, identity: Identity, request: Request) -> Response {
        self.handle_as(&identity, &identity, request).await
    }

    /// Answers a request that `original` sends as `who`.
    async fn handle_as(self: &Arc<Self>, original: &Identity, who: &Identity, mut request: Request) -> Response {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let began = self.registry.clock.monotonic();
        let span = debug_span!("request", %method, path, user = who.name);
        let id = self.audit_id(&request);
        let parsed = parse(&request);
        let (what, trail, result) = match parsed {
            Err(error) => (Attributes::default(), None, Ok(Err(error))),
            Ok((query, route)) => {
                let what = attributes(&method, &path, &route, &query);
                let mut trail = self.trail(&id, (original, who), &what, &mut request);
                let serving = self.serve(who, &what, &route, &query, request, trail.as_mut());
                let (result, notes) = audit::noting(AssertUnwindSafe(serving).catch_unwind().instrument(span)).await;
                if let Some(trail) = &mut trail {
                    notes.iter().for_each(|(key, value)| trail.annotate(key, value));
                }
                (what, trail, result)
            }
        };
        let response = match result {
            Ok(result) => {
                let response = result.unwrap_or_else(|error| respond::error(&error));
                self.finish(&id, trail, response)
            }
            Err(_) => {
                error!(%method, path, "a request handler failed");
                if let Some(trail) = trail {
                    trail.panicked();
                }
                self.finish(&id, None, respond::error(&ApiError::internal("the request handler failed")))
            }
        };
        let took = self.registry.clock.monotonic().duration_since(began);
        self.metrics.count(&what, response.status().as_u16(), took);
        debug!(%method, path, user = who.name, code = response.status().as_u16(), "answered");
        response
    }

    async fn serve(
        self: &Arc<Self>,
        who: &Identity,
        what: &Attributes,
        route: &Route,
        query: &Query,
        request: Request,
        trail: Option<&mut Trail>,
    ) -> Result<Response, ApiError> {
        // Whoever is behind a proxy may know more methods than there are verbs.
        if what.verb.is_empty() && what.subresource != "proxy" {
            return Err(ApiError::method_not_allowed());
        }
        let decision = self.registry.rbac.authorize(who, what).await;
        if let Some(trail) = trail {
            let (word, why) = match &decision {
                Ok(()) => ("allow", self.registry.rbac.reason(who, what)),
                Err(why) => ("forbid", why.clone()),
            };
            trail.annotate("authorization.k8s.io/decision", word);
            trail.annotate("authorization.k8s.io/reason", &why);
        }
        if let Err(why) = decision {
            return Err(auth::forbidden(who, what, &why));
        }
        let serving = async {
            if let Some(remote) = self.remote(route, request.uri().path()) {
                return aggregation::forward(&self.registry.caller, &remote, who, request).await;
            }
            match route {
                Route::Other => self.serve_path(request).await,
                Route::Resource(target) => resources::serve(self, who, what, target, query, request).await,
            }
        };
        if fairness::is_long_running(what) {
            return serving.await;
        }
        let width = fairness::width(&self.registry.caches, what, query);
        let turn = self.fairness.turn(who, what, width).await;
        let _counted = InFlight::new(&self.in_flight[usize::from(!matches!(&*what.verb, "get" | "list"))]);
        let mut result = match turn.has_seat() {
            false => Err(ApiError::too_many_requests("too many requests, please try again later.", 1)),
            true if what.verb == "watch" => serving.await,
            true => within(limits::REQUEST_TIME_MAX, serving)
                .await
                .unwrap_or_else(|| Err(ApiError::timeout("the request did not finish within the allotted time"))),
        }
        .unwrap_or_else(|error| respond::error(&error));
        turn.mark(result.headers_mut());
        Ok(result)
    }

    /// The other server that answers a path, if it is not for this one.
    fn remote(&self, route: &Route, path: &str) -> Option<Arc<aggregation::Remote>> {
        match route {
            Route::Resource(target) => self.aggregation.remote(&target.group, &target.version),
            Route::Other => {
                let (group, version) = path.strip_prefix("/apis/")?.trim_end_matches('/').split_once('/')?;
                self.aggregation.remote(group, version)
            }
        }
    }

    async fn serve_path(&self, request: Request) -> Result<Response, ApiError> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(ApiError::method_not_allowed());
        }
        let uri = request.uri().clone();
        match uri.path() {
            "/metrics" => Ok(respond::bytes(200, "text/plain; version=0.0.4; charset=utf-8", self.metrics())),
            "/.well-known/openid-configuration" => Ok(respond::json(200, &self.tokens.openid_configuration())),
            "/openid/v1/jwks" => Ok(respond::bytes(200, "application/jwk-set+json", self.tokens.jwks().to_string())),
            path => match health::endpoint(path) {
                Some((endpoint, check)) => self.health(endpoint, check, uri.query().unwrap_or_default()).await,
                None => self.paths.serve(path, uri.query(), request.headers()).await,
            },
        }
    }

    async fn health(&self, endpoint: &str, check: &str, query: &str) -> Result<Response, ApiError> {
        use health::Check;
        let fresh = self.registry.caches.fresh().await.is_ok();
        let mut checks = vec![Check::new("ping", true, ""), Check::new("log", true, "")];
        if endpoint != "livez" || check == "etcd" {
            checks.push(Check::new("etcd", fresh, "the watch caches are behind the store"));
        }
        if endpoint == "readyz" {
            checks.push(Check::new("informer-sync", fresh, "the watch caches are behind the store"));
            checks.push(Check::new("shutdown", !self.tasks.is_stopping(), "the server is shutting down"));
        }
        health::answer(endpoint, check, &Query::parse(query)?, &checks).ok_or_else(ApiError::no_such_path)
    }

    fn metrics(&self) -> String {
        let caches = &self.registry.caches;
        let catalog = caches.catalog();
        let objects = catalog.all().iter().filter(|kind| kind.stored.is_none()).filter_map(|kind| {
            let count = caches.of(kind).ok()?.snapshot().0.len();
            Some((kind.group.to_string(), kind.plural.to_string(), count))
        });
        let mut text = self.metrics.text(&Gauges {
            in_flight: self.in_flight.each_ref().map(|count| count.load(Ordering::Relaxed)),
            objects: objects.collect(),
            revisions: [self.registry.store.revision(), caches.progress()],
            started: self.started,
        });
        self.fairness.write_metrics(&mut text);
        if let Some(audit) = &self.audit {
            audit.write_metrics(&mut text);
        }
        text
    }
}

/// A request while it is counted.
struct InFlight<'a>(&'a AtomicUsize);

impl<'a> InFlight<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        InFlight(count)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Reads where a request goes.
fn parse(request: &Request) -> Result<(Query, Route), ApiError> {
    let uri = request.uri();
    let query = uri.query().unwrap_or_default();
    if query.len() > limits::URI_BYTES_MAX {
        return Err(ApiError::new(414, "", "the query is too long"));
    }
    Ok((Query::parse(query)?, Route::parse(uri.path())?))
}

#[cfg(test)]
mod tests;
