//! Server-side apply: `PATCH` with `application/apply-patch+yaml`.

use super::{Asked, read_body};
use crate::auth::{self, Attributes};
use crate::body::{Request, Response};
use crate::limits;
use crate::registry::managed::Applying;
use crate::registry::{Answer, Change, Part, Writing};
use http::header::CONTENT_TYPE;
use orchestrator_apimachinery::apply::{Config, Realm};
use orchestrator_apimachinery::codec::{self, Format};
use orchestrator_apimachinery::{ApiError, patch, schema};
use serde_json::{Value, json};

/// Whether a request applies a configuration.
pub(crate) fn is_apply(request: &Request) -> bool {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    patch::is_apply(content_type)
}

impl Asked<'_> {
    /// Applies a configuration to an object, or makes the object of it.
    pub(super) async fn apply(&self, request: Request, part: Part) -> Result<Response, ApiError> {
        let config = self.read_config(request).await?;
        let registry = &self.server.registry;
        let mut writing = Writing { applied: true, ..self.writing()? };
        let applying = registry.applying(&writing, config, self.query.flag("force"))?;
        let (namespace, name) = (&*self.target.namespace, &*self.target.name);
        for _ in 0..limits::CONFLICT_RETRIES_MAX {
            match self.apply_to(&applying, &mut writing, part).await {
                Err(error) if part == Part::Main && error.code == 404 => {}
                answer => return self.written(200, &answer?, &writing.warnings),
            }
            let what = Attributes { verb: "create".into(), namespace: namespace.to_owned(), ..self.what.clone() };
            self.may(self.who, &what).await.map_err(|why| auth::forbidden(self.who, &what, &why))?;
            let mut writing = Writing { what: &what, applied: true, ..self.writing()? };
            let object = applying.created(&writing, name)?;
            match registry.create(&mut writing, object, Vec::new()).await {
                // Somebody was faster.
                Err(error) if error.reason == "AlreadyExists" => {}
                answer => return self.written(201, &answer?, &writing.warnings),
            }
        }
        Err(ApiError::modified(&self.kind.group, &self.kind.plural, name))
    }

    /// Applies an `autoscaling/v1 Scale`: of the object itself it names the replicas.
    pub(crate) async fn apply_scale(&self, request: Request, writing: &mut Writing<'_>) -> Result<Answer, ApiError> {
        let scale = self.read_config(request).await?;
        let schema = schema::builtin("io.k8s.api.autoscaling.v1.Scale");
        Config::new(schema, Realm::Whole, "autoscaling/v1", "Scale", scale.clone())?;
        let mut config = json!({
            "apiVersion": self.kind.api_version(), "kind": self.kind.kind, "metadata": {"name": self.target.name},
        });
        if let Some(replicas) = scale["spec"].get("replicas") {
            config["spec"] = json!({"replicas": replicas});
        }
        if let Some(revision) = scale["metadata"].get("resourceVersion") {
            config["metadata"]["resourceVersion"] = revision.clone();
        }
        writing.applied = true;
        let applying = self.server.registry.applying(writing, config, self.query.flag("force"))?;
        self.apply_to(&applying, writing, Part::Main).await
    }

    async fn apply_to(&self, applying: &Applying, writing: &mut Writing<'_>, part: Part) -> Result<Answer, ApiError> {
        let (manager, subresource) = (writing.manager.clone(), writing.what.subresource.clone());
        let mut make = |live: &Value| applying.applied(&manager, &subresource, live);
        let (namespace, name) = (&*self.target.namespace, &*self.target.name);
        let change = Change { namespace, name, part, make: &mut make, duplicates: Vec::new() };
        self.server.registry.change(writing, change).await
    }

    /// The body of an apply, which is YAML or JSON.
    async fn read_config(&self, request: Request) -> Result<Value, ApiError> {
        self.query.check_patch(true)?;
        let (_, body) = read_body(request).await?;
        let decoded = codec::decode(Format::Yaml, &body, &|_, _| None);
        decoded
            .map(|decoded| decoded.value)
            .map_err(|error| ApiError::bad_request(format!("error decoding YAML: {}", error.message)))
    }
}
