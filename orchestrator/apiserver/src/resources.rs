//! Requests for resources: which verb on which part, and how the answer looks.

use crate::auth::{Attributes, Authorizer};
use crate::body::{Request, Response};
use crate::identity::Identity;
use crate::limits::DELETES_MAX;
use crate::registry::{
    Answer, Change, DeleteOptions, ListOptions, Object, Part, WatchOptions, Writing, include_object,
};
use crate::registry::{component, hooks};
use crate::request::{Media, Query, Shape, Target, negotiate};
use crate::server::ApiServer;
use crate::{crd, respond, reviews, subresources};
use bytes::{Bytes, BytesMut};
use futures::future::{BoxFuture, join_all};
use futures::{FutureExt, StreamExt};
use http::Method;
use http::header::{ACCEPT, USER_AGENT};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use orchestrator_apimachinery::apply::manager_of_agent;
use orchestrator_apimachinery::codec::{self, Format, protobuf};
use orchestrator_apimachinery::patch::PatchType;
use orchestrator_apimachinery::{ApiError, Kind, Scope, Verb, meta, schema, table};
use serde_json::{Value, json};
use std::sync::Arc;

mod apply;
mod body;

pub(crate) use apply::is_apply;
use body::{read_body, read_patch};
pub(crate) use body::{read_object, read_own};
/// Patches of custom resources, whose types know no strategies.
const PATCHES_OF_CUSTOM_RESOURCES: &str =
    "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";

/// A request for a resource that is served.
pub(crate) struct Asked<'a> {
    pub server: &'a Arc<ApiServer>,
    pub who: &'a Identity,
    pub what: &'a Attributes,
    pub target: &'a Target,
    pub kind: &'a Arc<Kind>,
    pub query: &'a Query,
    pub shape: Shape,
    /// The User-Agent header, "" when there is none.
    pub agent: String,
    pub media: Media,
}

/// Answers a request for a resource, once it is authorized. Boxed, because the futures of all
/// verbs together are large.
pub(crate) fn serve<'a>(
    server: &'a Arc<ApiServer>,
    who: &'a Identity,
    what: &'a Attributes,
    target: &'a Target,
    query: &'a Query,
    request: Request,
) -> BoxFuture<'a, Result<Response, ApiError>> {
    async move {
        let asked_for = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let gzip = respond::takes_gzip(request.headers());
        match serve_verb(server, who, what, target, query, request).await {
            Ok(response) if gzip => Ok(respond::compress(response).await),
            Ok(response) => Ok(response),
            // A failure is told in the media type that was asked for first.
            Err(error) => match negotiate(asked_for.as_deref(), true) {
                Ok((_, media @ (Media::Protobuf | Media::Yaml))) => Ok(respond::error_as(&error, media)),
                _ => Err(error),
            },
        }
    }
    .boxed()
}

/// Whether what is answered has a protobuf form: the kind itself, or the body of its subresource.
fn has_protobuf(kind: &Kind, target: &Target) -> bool {
    let body = kind.subresource(&target.subresource).and_then(|sub| sub.body.as_ref());
    match body {
        Some((group, version, body)) if group.is_empty() => protobuf::is_known(version, body),
        Some((group, version, body)) => protobuf::is_known(&format!("{group}/{version}"), body),
        None => protobuf::is_known(&kind.api_version(), &kind.kind),
    }
}

async fn serve_verb(
    server: &Arc<ApiServer>,
    who: &Identity,
    what: &Attributes,
    target: &Target,
    query: &Query,
    request: Request,
) -> Result<Response, ApiError> {
    let catalog = server.registry.caches.catalog();
    let kind = catalog.resource(&target.group, &target.version, &target.plural).ok_or_else(ApiError::no_such_path)?;
    let accept = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok());
    let (shape, media) = match (&*target.subresource, negotiate(accept, has_protobuf(kind, target))) {
        // Streams say themselves what they are.
        ("attach" | "exec" | "log" | "portforward" | "proxy", _) => (Shape::Plain, Media::Json),
        (_, agreed) => agreed?,
    };
    let agent = request.headers().get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let asked = Asked { server, who, what, target, kind, query, shape, media, agent };
    let placed = target.namespace.is_empty() != (kind.scope == Scope::Namespaced);
    if !placed && (!target.namespace.is_empty() || !target.name.is_empty()) {
        return Err(ApiError::no_such_path());
    }
    if !target.subresource.is_empty() {
        return subresources::serve(&asked, request).boxed().await;
    }
    let verb = what.verb.as_str();
    let listed = kind.verbs.iter().any(|known| known.as_str() == verb);
    let of_all_namespaces = !placed && !matches!(verb, "list" | "watch");
    let misplaced = matches!(*request.method(), Method::POST) && !target.name.is_empty()
        || matches!(*request.method(), Method::PUT | Method::PATCH) && target.name.is_empty();
    if !listed || misplaced || (of_all_namespaces && !reviews::is_review(kind)) {
        return Err(ApiError::method_not_allowed());
    }
    let answer = match verb {
        "get" if is_component(kind) => asked.component(),
        "list" if is_component(kind) => asked.components(),
        "get" => asked.get().boxed().await,
        "list" => asked.list().boxed().await,
        "watch" => asked.watch().boxed().await,
        "create" if kind.group.is_empty() && kind.plural == "bindings" => {
            subresources::bind_by_name(&asked, request).boxed().await
        }
        "create" if reviews::is_review(kind) => reviews::create(&asked, request).boxed().await,
        "create" => asked.create(request).boxed().await,
        "update" => asked.update(request, Part::Main).boxed().await,
        "patch" => asked.patch(request, Part::Main).boxed().await,
        "delete" => asked.delete(request).boxed().await,
        "deletecollection" => asked.delete_collection(request).boxed().await,
        _ => Err(ApiError::method_not_allowed()),
    };
    let mut answer = answer?;
    if crd::is_definition(kind) && !matches!(verb, "get" | "list" | "watch") {
        crd::settled(server).await;
    }
    if let Some(warning) = &kind.deprecation {
        respond::warn(answer.headers_mut(), &[warning.to_string()]);
    }
    Ok(answer)
}

fn is_component(kind: &Kind) -> bool {
    kind.group.is_empty() && kind.plural == "componentstatuses"
}

/// What applies a patch to a view of an object.
pub(crate) type Apply = Box<dyn Fn(&mut Value) -> Result<(), ApiError> + Send + Sync>;

/// Reads a patch of a view that has this schema.
pub(crate) async fn read_patch_of(request: Request, schema: Arc<schema::Schema>) -> Result<Apply, ApiError> {
    let (type_, patch) = read_patch(request).await?;
    Ok(Box::new(move |view: &mut Value| {
        if patch_names_no_revision(type_, &patch) {
            crate::registry::remove_meta(view, "resourceVersion");
        }
        type_.apply(&schema, view, &patch)
    }))
}

impl<'a> Asked<'a> {
    pub fn writing(&self) -> Result<Writing<'a>, ApiError> {
        let options = match &*self.what.verb {
            "create" => "CreateOptions",
            "update" => "UpdateOptions",
            _ => "PatchOptions",
        };
        let manager = match self.query.field_manager(options)? {
            Some(manager) => manager.to_owned(),
            None => manager_of_agent(&self.agent),
        };
        Ok(Writing {
            kind: self.kind,
            who: self.who,
            what: self.what,
            dry_run: self.query.dry_run(options)?,
            validation: self.query.field_validation(options)?,
            manager,
            applied: false,
            warnings: Vec::new(),
        })
    }

    /// An object in the shape that was asked for.
    pub fn object(&self, code: u16, object: &Value) -> Result<Response, ApiError> {
        match self.shape {
            Shape::Plain | Shape::Discovery | Shape::DiscoveryBeta => self.respond(code, object),
            Shape::Partial => self.respond(code, &table::partial_metadata(object)),
            Shape::Table => {
                let row = table::row(self.kind, object, include_object(self.query)?, self.server.registry.now());
                let metadata = json!({"resourceVersion": meta::resource_version(object)});
                self.respond(code, &table::table(self.kind, vec![row], metadata, true))
            }
        }
    }

    /// Any object as it is, in the media type that was agreed on.
    pub fn respond(&self, code: u16, object: &Value) -> Result<Response, ApiError> {
        respond::object(code, self.media, object)
    }

    /// A written object, with warnings.
    pub fn written(&self, code: u16, answer: &Answer, warnings: &[String]) -> Result<Response, ApiError> {
        let response = match &answer.json {
            Some(json) if self.shape == Shape::Plain && self.media == Media::Json => {
                respond::bytes(code, respond::JSON, json.clone())
            }
            _ => self.object(code, &answer.object)?,
        };
        Ok(respond::warned(response, warnings))
    }

    pub async fn get(&self) -> Result<Response, ApiError> {
        let object = self.server.registry.get(self.kind, &self.target.namespace, &self.target.name).await?;
        if self.shape == Shape::Plain && self.media == Media::Json {
            return Ok(respond::bytes(200, respond::JSON, object.bytes()));
        }
        self.object(200, &serde_json::from_slice(&object.bytes()).map_err(ApiError::internal)?)
    }

    async fn list(&self) -> Result<Response, ApiError> {
        self.query.check_numbers()?;
        let options = ListOptions::parse(self.query, self.kind)?;
        let list = self.server.registry.list(self.kind, &self.target.namespace, &options).await?;
        let mut metadata = json!({"resourceVersion": list.revision.to_string()});
        if let Some(token) = &list.continue_token {
            metadata["continue"] = json!(token);
        }
        if let Some(remaining) = list.remaining {
            metadata["remainingItemCount"] = json!(remaining);
        }
        self.items(&metadata, list.objects.iter())
    }

    /// A list in the shape that was asked for.
    fn items<'i>(
        &self,
        metadata: &Value,
        items: impl Iterator<Item = &'i (impl respond::Item + 'i)> + Clone,
    ) -> Result<Response, ApiError> {
        let plain = !matches!(self.shape, Shape::Table | Shape::Partial);
        if plain && self.media == Media::Protobuf {
            let mut list = protobuf::List::start(&self.kind.api_version(), &self.kind.kind, metadata)?;
            for item in items {
                list.push_json(&item.json())?;
            }
            return Ok(respond::bytes(200, self.media.content_type(), list.finish()));
        }
        if plain {
            let body = respond::list(&self.kind.api_version(), &self.kind.kind, metadata, items);
            if self.media == Media::Yaml {
                return self.respond(200, &serde_json::from_slice(&body).map_err(ApiError::internal)?);
            }
            return Ok(respond::bytes(200, respond::JSON, body));
        }
        if self.shape == Shape::Partial && self.media == Media::Json {
            let partial: Option<Vec<Bytes>> =
                items.map(|item| table::partial_metadata_json(&item.json()).map(Bytes::from)).collect();
            let partial = partial.ok_or_else(|| ApiError::internal("an object has no metadata"))?;
            let body = respond::list("meta.k8s.io/v1", "PartialObjectMetadata", metadata, partial.iter());
            return Ok(respond::bytes(200, respond::JSON, body));
        }
        let include = include_object(self.query)?;
        let now = self.server.registry.now();
        let mut rows = Vec::new();
        for item in items {
            let object: Value = serde_json::from_slice(&item.json()).map_err(ApiError::internal)?;
            rows.push(match self.shape {
                Shape::Table => table::row(self.kind, &object, include, now),
                _ => table::partial_metadata(&object),
            });
        }
        let shaped = match self.shape {
            Shape::Table => table::table(self.kind, rows, metadata.clone(), true),
            _ => json!({
                "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
                "metadata": metadata, "items": rows,
            }),
        };
        self.respond(200, &shaped)
    }

    fn component(&self) -> Result<Response, ApiError> {
        let name = &*self.target.name;
        let found = component::named(name);
        self.object(200, &found.ok_or_else(|| ApiError::not_found("", "componentstatuses", name))?)
    }

    fn components(&self) -> Result<Response, ApiError> {
        let all: Vec<Bytes> = component::all().iter().map(|one| one.to_string().into()).collect();
        self.items(&json!({}), all.iter())
    }

    async fn watch(&self) -> Result<Response, ApiError> {
        if self.media == Media::Yaml {
            const STREAMED: &str = "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch";
            return Err(ApiError::not_acceptable(STREAMED));
        }
        self.query.check_numbers()?;
        let options = WatchOptions::parse(self.query, self.kind, self.shape)?;
        let registry = &self.server.registry;
        let lines = registry.watch(self.kind, &self.target.namespace, options, &self.server.tasks).await?;
        let counted = self.server.metrics.watch(self.kind);
        let (content_type, framed): (_, fn(Bytes) -> Bytes) = match self.media {
            Media::Protobuf => ("application/vnd.kubernetes.protobuf;stream=watch", protobuf_events),
            _ => (respond::JSON, |lines| lines),
        };
        let mut response = respond::bytes(200, content_type, Bytes::new());
        let frames = lines.map(move |lines| {
            counted.events(&lines);
            Ok(Frame::data(framed(lines)))
        });
        *response.body_mut() = StreamBody::new(frames).boxed_unsync();
        Ok(response)
    }

    async fn create(&self, request: Request) -> Result<Response, ApiError> {
        let mut writing = self.writing()?;
        let body = read_own(request, self.kind).await?;
        let answer = self.server.registry.create(&mut writing, body.value, body.duplicates).await?;
        self.written(201, &answer, &writing.warnings)
    }

    pub async fn update(&self, request: Request, part: Part) -> Result<Response, ApiError> {
        let body = read_own(request, self.kind).await?;
        let mut make = |_: &Value| Ok(body.value.clone());
        self.change(part, body.duplicates.clone(), &mut make).await
    }

    pub async fn patch(&self, request: Request, part: Part) -> Result<Response, ApiError> {
        if is_apply(&request) {
            return self.apply(request, part).await;
        }
        self.query.check_patch(false)?;
        let (type_, patch) = read_patch(request).await?;
        if self.kind.custom.is_some() && type_ == PatchType::Strategic {
            return Err(ApiError::unsupported_media_type(PATCHES_OF_CUSTOM_RESOURCES));
        }
        let schema = self.kind.schema();
        let mut make = |old: &Value| {
            let mut new = old.clone();
            type_.apply(&schema, &mut new, &patch)?;
            // The old revision is not what the client asked for.
            if patch_names_no_revision(type_, &patch) {
                crate::registry::remove_meta(&mut new, "resourceVersion");
            }
            Ok(new)
        };
        self.change(part, Vec::new(), &mut make).await
    }

    pub async fn change(
        &self,
        part: Part,
        duplicates: Vec<String>,
        make: &mut crate::registry::Make<'_>,
    ) -> Result<Response, ApiError> {
        let mut writing = self.writing()?;
        let Target { namespace, name, .. } = self.target;
        let change = Change { namespace, name, part, make, duplicates };
        let answer = self.server.registry.change(&mut writing, change).await?;
        self.written(200, &answer, &writing.warnings)
    }

    async fn delete_options(&self, request: Request) -> Result<DeleteOptions, ApiError> {
        let (content_type, body) = read_body(request).await?;
        if body.is_empty() {
            return DeleteOptions::parse(&Value::Null, self.query);
        }
        let format = Format::from_content_type(content_type.as_deref())?;
        let body = codec::decode(format, &body, &|api_version, kind| schema::of_kind(api_version, kind))?.value;
        match body["kind"].as_str() {
            None | Some("" | "DeleteOptions") => DeleteOptions::parse(&body, self.query),
            Some(other) => Err(ApiError::bad_request(format!("the body must be DeleteOptions, not {other}"))),
        }
    }

    async fn delete(&self, request: Request) -> Result<Response, ApiError> {
        let options = self.delete_options(request).await?;
        let mut writing = self.writing()?;
        writing.dry_run |= options.dry_run;
        let Target { namespace, name, .. } = self.target;
        let answer = self.server.registry.delete(&mut writing, namespace, name, &options).await?;
        if !answer.deleted || hooks::of(self.kind).answers_with_deleted {
            return self.object(200, &answer.object);
        }
        let mut details = json!({"name": name, "kind": self.kind.plural, "uid": meta::uid(&answer.object)});
        if !self.kind.group.is_empty() {
            details["group"] = json!(self.kind.group);
        }
        self.respond(200, &success(Some(details)))
    }

    async fn delete_collection(&self, request: Request) -> Result<Response, ApiError> {
        let options = self.delete_options(request).await?;
        let list_options = ListOptions::parse(self.query, self.kind)?;
        let registry = &self.server.registry;
        let list = registry.list(self.kind, &self.target.namespace, &list_options).await?;
        let protected = hooks::of(self.kind).name_is_protected;
        let mut deleted: Vec<Bytes> = Vec::new();
        for some in list.objects.chunks(DELETES_MAX) {
            let mut deletes = Vec::with_capacity(some.len());
            for object in some {
                if !protected(object.name()) {
                    deletes.push(self.delete_one(object, &options).boxed());
                }
            }
            for done in join_all(deletes).await {
                deleted.extend(done?);
            }
        }
        let metadata = json!({"resourceVersion": registry.store.revision().to_string()});
        self.items(&metadata, deleted.iter())
    }

    /// Deletes one of a collection; `None` when it is gone already.
    async fn delete_one(&self, object: &Object, options: &DeleteOptions) -> Result<Option<Bytes>, ApiError> {
        let mut writing = self.writing()?;
        writing.dry_run |= options.dry_run;
        match self.server.registry.delete(&mut writing, object.namespace(), object.name(), options).await {
            Ok(answer) => Ok(Some(answer.object.to_string().into())),
            Err(error) if error.code == 404 => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks authorization about something else than the request itself.
    pub async fn may(&self, who: &Identity, what: &Attributes) -> Result<(), String> {
        self.server.registry.rbac.authorize(who, what).await
    }

    pub fn has_verb(&self, subresource: &str, verb: &str) -> bool {
        let found = self.kind.subresource(subresource);
        found.is_some_and(|sub| sub.verbs.iter().copied().map(Verb::as_str).any(|known| known == verb))
    }
}

/// Events as JSON lines, framed as protobuf.
fn protobuf_events(lines: Bytes) -> Bytes {
    let mut frames = BytesMut::new();
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let event = serde_json::from_slice(line).unwrap_or(Value::Null);
        match protobuf::frame(event["type"].as_str().unwrap_or_default(), &event["object"]) {
            Ok(frame) => frames.extend_from_slice(&frame),
            Err(error) => tracing::error!(%error, "an event cannot be written as protobuf and is not sent"),
        }
    }
    frames.freeze()
}

/// Whether the old revision in the result of a patch only came along.
fn patch_names_no_revision(type_: PatchType, patch: &Value) -> bool {
    match type_ {
        PatchType::Json => !patch
            .as_array()
            .into_iter()
            .flatten()
            .any(|operation| operation["path"] == "/metadata/resourceVersion" && operation["op"] != "test"),
        _ => meta::resource_version(patch).is_empty(),
    }
}

/// A `Status` that tells success.
pub(crate) fn success(details: Option<Value>) -> Value {
    let mut status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"});
    if let Some(details) = details {
        status["details"] = details;
    }
    status
}
