//! Subresources: status, scale, and those of single kinds.

use crate::auth::{self, Attributes};
use crate::body::{Request, Response};
use crate::registry::{self, Change, DeleteOptions, Part};
use crate::resources::{Asked, is_apply, read_object, read_patch_of, success};
use crate::stream::{self, StreamContext};
use orchestrator_apimachinery::{ApiError, meta, schema};
use serde_json::Value;

/// Answers a request for a subresource.
pub(crate) async fn serve(asked: &Asked<'_>, request: Request) -> Result<Response, ApiError> {
    let (name, verb) = (asked.target.subresource.as_str(), asked.what.verb.as_str());
    if asked.kind.subresource(name).is_none() || asked.target.name.is_empty() {
        return Err(not_served(asked));
    }
    if !asked.has_verb(name, verb) {
        return Err(ApiError::method_not_allowed());
    }
    match (&*asked.kind.plural, name, verb) {
        (_, "status", "get") => asked.get().await,
        (_, "status", "update") => asked.update(request, Part::Status).await,
        (_, "status", "patch") => asked.patch(request, Part::Status).await,
        (_, "scale", "get") => asked.respond(200, &registry::scale::of(asked.kind, &current(asked).await?)?),
        (_, "scale", _) => scale(asked, request).await,
        ("namespaces", "finalize", _) => finalize(asked, request).await,
        ("pods", "binding", _) => bind(asked, request).await,
        ("pods", "eviction", _) => evict(asked, request).await,
        ("pods", "log", _) => log(asked, request.uri().clone().query().unwrap_or_default()).await,
        ("pods", "portforward", _) => port_forward(asked, request).await,
        ("serviceaccounts", "token", _) => token(asked, request).await,
        _ => Err(ApiError::no_such_path()),
    }
}

/// 404; of what users know from elsewhere it says that it is not there.
fn not_served(asked: &Asked<'_>) -> ApiError {
    let mut error = ApiError::no_such_path();
    let (plural, name) = (&asked.kind.plural, &asked.target.subresource);
    if matches!(name.as_str(), "attach" | "ephemeralcontainers" | "exec" | "proxy") {
        error.message = format!("{plural}/{name} is not served by this version of the server");
    }
    error
}

/// The object itself.
async fn current(asked: &Asked<'_>) -> Result<Value, ApiError> {
    let object = asked.server.registry.get(asked.kind, &asked.target.namespace, &asked.target.name).await?;
    serde_json::from_slice(object.bytes()).map_err(ApiError::internal)
}

async fn scale(asked: &Asked<'_>, request: Request) -> Result<Response, ApiError> {
    let mut writing = asked.writing()?;
    let (namespace, name) = (&*asked.target.namespace, &*asked.target.name);
    let answer = if asked.what.verb == "update" {
        let body = read_object(request).await?.value;
        let mut make = |old: &Value| registry::scale::apply(asked.kind, &body, old);
        let change = Change { namespace, name, part: Part::Main, make: &mut make, duplicates: Vec::new() };
        asked.server.registry.change(&mut writing, change).await?
    } else if is_apply(&request) {
        asked.apply_scale(request, &mut writing).await?
    } else {
        asked.query.check_patch(false)?;
        let schema = schema::builtin("io.k8s.api.autoscaling.v1.Scale");
        let patch = read_patch_of(request, schema).await?;
        let mut make = |old: &Value| {
            let mut scale = registry::scale::of(asked.kind, old)?;
            patch(&mut scale)?;
            registry::scale::apply(asked.kind, &scale, old)
        };
        let change = Change { namespace, name, part: Part::Main, make: &mut make, duplicates: Vec::new() };
        asked.server.registry.change(&mut writing, change).await?
    };
    asked.respond(200, &registry::scale::of(asked.kind, &answer.object)?)
}

async fn finalize(asked: &Asked<'_>, request: Request) -> Result<Response, ApiError> {
    let body = read_object(request).await?.value;
    let name = &*asked.target.name;
    let mut make = |old: &Value| {
        let wanted = meta::resource_version(&body);
        if !wanted.is_empty() && wanted != meta::resource_version(old) {
            return Err(ApiError::modified("", "namespaces", name));
        }
        Ok(registry::namespace::finalize(&body, old))
    };
    asked.change(Part::Raw, Vec::new(), &mut make).await
}

async fn bind(asked: &Asked<'_>, request: Request) -> Result<Response, ApiError> {
    let binding = read_object(request).await?.value;
    let own = meta::name(&binding);
    if !own.is_empty() && own != asked.target.name {
        return Err(ApiError::bad_request("name in URL does not match name in Binding object"));
    }
    let now = asked.server.registry.now();
    let mut make = |old: &Value| registry::pod::bind(old, &binding, now);
    asked.change(Part::Raw, Vec::new(), &mut make).await?;
    asked.respond(201, &success(None))
}

async fn evict(asked: &Asked<'_>, request: Request) -> Result<Response, ApiError> {
    let eviction = read_object(request).await?.value;
    let own = meta::name(&eviction);
    if !own.is_empty() && own != asked.target.name {
        return Err(ApiError::bad_request("name in URL does not match name in Eviction object"));
    }
    let options = DeleteOptions::parse(&eviction["deleteOptions"], asked.query)?;
    let mut writing = asked.writing()?;
    writing.dry_run |= options.dry_run;
    asked.server.registry.evict(&mut writing, &asked.target.namespace, &asked.target.name, &options).await?;
    asked.respond(201, &success(None))
}

async fn token(asked: &Asked<'_>, request: Request) -> Result<Response, ApiError> {
    let body = read_object(request).await?.value;
    let account = current(asked).await?;
    let caches = &asked.server.registry.caches;
    auth::restrict_node(asked.who, asked.what, Some(&body), None, &**caches)?;
    asked.respond(201, &asked.server.tokens.token_request(&**caches, &account, &body)?)
}

async fn log(asked: &Asked<'_>, query: &str) -> Result<Response, ApiError> {
    let context = StreamContext { dialer: &asked.server.dialer, tasks: &asked.server.tasks };
    stream::log(&context, &current(asked).await?, query).await
}

async fn port_forward(asked: &Asked<'_>, request: Request) -> Result<Response, ApiError> {
    // WebSockets start with a GET, which must not make a right to read one to connect.
    let connect = Attributes { verb: "create".into(), ..asked.what.clone() };
    asked.may(asked.who, &connect).await.map_err(|why| auth::forbidden(asked.who, &connect, &why))?;
    let context = StreamContext { dialer: &asked.server.dialer, tasks: &asked.server.tasks };
    stream::port_forward(&context, &current(asked).await?, request).await
}
