//! Subresources: status, scale, and those of single kinds.

mod connect;

use crate::admission::{self, Operation};
use crate::body::{Request, Response};
use crate::registry::{self, Change, DeleteOptions, Part};
use crate::resources::{Asked, is_apply, read_object, read_patch_of, success};
use crate::respond;
use crate::stream::{self, RemoteCommand};
use futures::FutureExt;
use orchestrator_apimachinery::field::{Errors, Path};
use orchestrator_apimachinery::{ApiError, meta, schema};
use serde_json::Value;

/// Answers a request for a subresource.
pub(crate) async fn serve(asked: &Asked<'_>, request: Request) -> Result<Response, ApiError> {
    let (name, verb) = (asked.target.subresource.as_str(), asked.what.verb.as_str());
    if asked.kind.subresource(name).is_none() || asked.target.name.is_empty() {
        return Err(ApiError::no_such_path());
    }
    if !asked.has_verb(name, verb) && name != "proxy" {
        return Err(ApiError::method_not_allowed());
    }
    match (&*asked.kind.plural, name, verb) {
        (_, "status", "get") => asked.get().boxed().await,
        (_, "status", "update") => asked.update(request, Part::Status).boxed().await,
        (_, "status", "patch") => asked.patch(request, Part::Status).boxed().await,
        (_, "scale", "get") => asked.respond(200, &registry::scale::of(asked.kind, &current(asked).await?)?),
        (_, "scale", _) => scale(asked, request).boxed().await,
        ("pods", "ephemeralcontainers" | "resize", "get") => asked.get().boxed().await,
        ("pods", "ephemeralcontainers", _) => write_part(asked, request, Part::Ephemeral).boxed().await,
        ("pods", "resize", _) => write_part(asked, request, Part::Resize).boxed().await,
        ("certificatesigningrequests", "approval", "get") => asked.get().boxed().await,
        ("certificatesigningrequests", "approval", _) => write_part(asked, request, Part::Approval).boxed().await,
        ("pods" | "services" | "nodes", "proxy", _) => connect::proxy(asked, request).boxed().await,
        ("namespaces", "finalize", _) => finalize(asked, request).boxed().await,
        ("pods", "binding", _) => bind(asked, request).boxed().await,
        ("pods", "eviction", _) => evict(asked, request).boxed().await,
        ("pods", "log", _) => log(asked, request.uri().clone().query().unwrap_or_default()).boxed().await,
        ("pods", "portforward", _) => connect::port_forward(asked, request).boxed().await,
        ("pods", "exec", _) => connect::remote_command(asked, request, RemoteCommand::Exec).boxed().await,
        ("pods", "attach", _) => connect::remote_command(asked, request, RemoteCommand::Attach).boxed().await,
        ("serviceaccounts", "token", _) => token(asked, request).boxed().await,
        _ => Err(ApiError::no_such_path()),
    }
}

/// The object itself.
async fn current(asked: &Asked<'_>) -> Result<Value, ApiError> {
    let object = asked.server.registry.get(asked.kind, &asked.target.namespace, &asked.target.name).await?;
    serde_json::from_slice(&object.bytes()).map_err(ApiError::internal)
}

async fn scale(asked: &Asked<'_>, request: Request) -> Result<Response, ApiError> {
    let mut writing = asked.writing()?;
    let (namespace, name) = (&*asked.target.namespace, &*asked.target.name);
    let answer = if asked.what.verb == "update" {
        let body = read_object(request, "Scale").await?.value;
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
    let body = read_object(request, "Namespace").await?.value;
    let name = &*asked.target.name;
    let mut make = |old: &Value| {
        let wanted = meta::resource_version(&body);
        if !wanted.is_empty() && wanted != meta::resource_version(old) {
            return Err(ApiError::modified("", "namespaces", name));
        }
        registry::namespace::finalize(&body, old)
    };
    asked.change(Part::Raw, Vec::new(), &mut make).await
}

/// Writes one part of an object, as the method says.
async fn write_part(asked: &Asked<'_>, request: Request, part: Part) -> Result<Response, ApiError> {
    match asked.what.verb.as_str() {
        "update" => asked.update(request, part).await,
        _ => asked.patch(request, part).await,
    }
}

/// A Binding in the namespace: the same as `pods/NAME/binding` of the Pod that it names.
pub(crate) async fn bind_by_name(asked: &Asked<'_>, request: Request) -> Result<Response, ApiError> {
    let binding = read_object(request, "Binding").await?.value;
    let name = meta::name(&binding).to_owned();
    if name.is_empty() {
        let mut errors = Errors::default();
        errors.required(&Path::new("metadata").child("name"), "name or generateName is required");
        return Err(ApiError::invalid("", "Binding", "", &errors));
    }
    let catalog = asked.server.registry.caches.catalog();
    let kind = catalog.resource("", "v1", "pods").ok_or_else(ApiError::no_such_path)?;
    let mut target = asked.target.clone();
    (target.plural, target.name, target.subresource) = ("pods".into(), name.clone(), "binding".into());
    let mut what = asked.what.clone();
    (what.resource, what.name, what.subresource) = ("pods".into(), name, "binding".into());
    let Asked { server, who, query, shape, media, .. } = *asked;
    let of_pod =
        Asked { server, who, what: &what, target: &target, kind, query, shape, media, agent: asked.agent.clone() };
    bind_to(&of_pod, binding).boxed().await
}

async fn bind(asked: &Asked<'_>, request: Request) -> Result<Response, ApiError> {
    let binding = read_object(request, "Binding").await?.value;
    bind_to(asked, binding).boxed().await
}

async fn bind_to(asked: &Asked<'_>, mut binding: Value) -> Result<Response, ApiError> {
    let own = meta::name(&binding);
    if !own.is_empty() && own != asked.target.name {
        return Err(ApiError::bad_request("name in URL does not match name in Binding object"));
    }
    registry::pod::check_metadata(&binding)?;
    label(asked, &mut binding);
    let writing = asked.writing()?;
    let warnings = admission::admit(&asked.server.registry, &writing, Operation::Create, &mut binding).await?;
    let now = asked.server.registry.now();
    let mut make = |old: &Value| registry::pod::bind(old, &binding, now);
    asked.change(Part::Raw, Vec::new(), &mut make).await?;
    succeeded(asked, &warnings)
}

/// What admission is told to be of the subresource's kind says so.
fn label(asked: &Asked<'_>, body: &mut Value) {
    let part = asked.kind.subresource(&asked.target.subresource);
    if let (Some((group, version, kind)), true) = (part.and_then(|part| part.body.as_ref()), body.is_object()) {
        let api_version = if group.is_empty() { version.to_string() } else { format!("{group}/{version}") };
        (body["apiVersion"], body["kind"]) = (api_version.into(), kind.to_string().into());
    }
}

fn succeeded(asked: &Asked<'_>, warnings: &[String]) -> Result<Response, ApiError> {
    Ok(respond::warned(asked.respond(201, &success(None))?, warnings))
}

async fn evict(asked: &Asked<'_>, request: Request) -> Result<Response, ApiError> {
    let mut eviction = read_object(request, "Eviction").await?.value;
    let own = meta::name(&eviction);
    if !own.is_empty() && own != asked.target.name {
        return Err(ApiError::bad_request("name in URL does not match name in Eviction object"));
    }
    let options = DeleteOptions::parse(&eviction["deleteOptions"], asked.query)?;
    let mut writing = asked.writing()?;
    writing.dry_run |= options.dry_run;
    label(asked, &mut eviction);
    let warnings = admission::admit(&asked.server.registry, &writing, Operation::Create, &mut eviction).await?;
    let options = DeleteOptions::parse(&eviction["deleteOptions"], asked.query)?;
    asked.server.registry.evict(&mut writing, &asked.target.namespace, &asked.target.name, &options).await?;
    succeeded(asked, &warnings)
}

async fn token(asked: &Asked<'_>, request: Request) -> Result<Response, ApiError> {
    let mut body = read_object(request, "TokenRequest").await?.value;
    let account = current(asked).await?;
    let caches = &asked.server.registry.caches;
    label(asked, &mut body);
    let writing = asked.writing()?;
    let warnings = admission::admit(&asked.server.registry, &writing, Operation::Create, &mut body).await?;
    let response = asked.respond(201, &asked.server.tokens.token_request(&**caches, &account, &body)?)?;
    Ok(respond::warned(response, &warnings))
}

async fn log(asked: &Asked<'_>, query: &str) -> Result<Response, ApiError> {
    stream::log(&asked.streams(), &current(asked).await?, query).await
}
