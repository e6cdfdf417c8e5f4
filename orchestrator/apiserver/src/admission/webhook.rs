//! Mutating and validating admission webhooks.
//!
//! Source: <https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/>

use super::conditions::{self, Conditions, DECLARED};
use super::configurations::Configured;
use super::{Admission, Operation};
use crate::outbound::{CallError, Place, Trust};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures::future::join_all;
use orchestrator_apimachinery::patch::json_patch;
use orchestrator_apimachinery::selector::LabelSelector;
use orchestrator_apimachinery::{ApiError, meta};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tracing::warn;

/// One webhook of one configuration.
pub(crate) struct Webhook {
    name: String,
    place: Result<Place, CallError>,
    trust: Result<Trust, CallError>,
    rules: Value,
    namespaces: LabelSelector,
    objects: LabelSelector,
    conditions: Conditions,
    fails_closed: bool,
    reinvoked: bool,
    silent_on_dry_run: bool,
    timeout: Duration,
}

impl Configured for Webhook {
    fn compile(configuration: &Value) -> Vec<Self> {
        let hooks = configuration["webhooks"].as_array().into_iter().flatten();
        hooks.map(Webhook::new).collect()
    }
}

fn selector(value: &Value) -> LabelSelector {
    match value {
        Value::Null => LabelSelector::default(),
        // Validation refused what cannot be read.
        value => LabelSelector::from_object(value).unwrap_or_default(),
    }
}

impl Webhook {
    fn new(hook: &Value) -> Self {
        let client = &hook["clientConfig"];
        Webhook {
            name: hook["name"].as_str().unwrap_or_default().to_owned(),
            place: Place::of(client),
            trust: Trust::of_bundle(&client["caBundle"]),
            rules: hook["rules"].clone(),
            namespaces: selector(&hook["namespaceSelector"]),
            objects: selector(&hook["objectSelector"]),
            conditions: Conditions::compile(&hook["matchConditions"], &DECLARED),
            fails_closed: hook["failurePolicy"] != "Ignore",
            reinvoked: hook["reinvocationPolicy"] == "IfNeeded",
            silent_on_dry_run: matches!(hook["sideEffects"].as_str(), Some("None" | "NoneOnDryRun")),
            timeout: Duration::from_secs(hook["timeoutSeconds"].as_u64().unwrap_or(10).clamp(1, 30)),
        }
    }

    /// Whether it is to be called about this request.
    fn is_about(&self, admission: &Admission<'_>, object: &Value) -> Result<bool, ApiError> {
        let fits = admission.fits_rules(&self.rules, &admission.object_name(object))
            && admission.fits_namespace(&self.namespaces, object)
            && admission.fits_object(&self.objects, object);
        if !fits || self.conditions.is_empty() {
            return Ok(fits);
        }
        match self.conditions.hold(&conditions::scope(admission, object)) {
            Ok(holds) => Ok(holds),
            Err(_) if !self.fails_closed => Ok(false),
            Err(why) => Err(admission.writing.forbidden(meta::name(object), &why)),
        }
    }

    /// Calls it; the `response` of its AdmissionReview.
    async fn call(&self, admission: &Admission<'_>, object: &Value, uid: &str) -> Result<Value, String> {
        let place = self.place.as_ref().map_err(ToString::to_string)?;
        let trust = self.trust.as_ref().map_err(ToString::to_string)?;
        let mut request = admission.request(object);
        request["uid"] = json!(uid);
        let review = json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request});
        let answer = admission.registry.caller.post_json(place, trust, self.timeout, &review).await;
        let mut answer = answer.map_err(|error| format!("Post \"{place}\": {error}"))?;
        if answer["kind"] != "AdmissionReview" || answer["apiVersion"] != "admission.k8s.io/v1" {
            let (version, kind) = (&answer["apiVersion"], &answer["kind"]);
            return Err(format!(
                "expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got {version}, Kind={kind}"
            ));
        }
        let response = answer["response"].take();
        match response["uid"].as_str() {
            Some(own) if own == uid => Ok(response),
            other => Err(format!("expected response.uid={uid:?}, got {:?}", other.unwrap_or_default())),
        }
    }

    /// Calls it and reads the answer: the response, or `None` where failures are ignored.
    async fn ask(&self, admission: &Admission<'_>, object: &Value) -> Result<Option<Value>, ApiError> {
        if admission.writing.dry_run && !self.silent_on_dry_run {
            let text = format!("admission webhook {:?} does not support dry run", self.name);
            return Err(ApiError::bad_request(text));
        }
        let uid = admission.registry.rng.uid();
        let response = match self.call(admission, object, &uid).await {
            Ok(response) => response,
            Err(why) if !self.fails_closed => {
                warn!(webhook = self.name, why, "a webhook failed and was ignored");
                return Ok(None);
            }
            Err(why) => {
                let text = format!("failed calling webhook {:?}: failed to call webhook: {why}", self.name);
                return Err(ApiError::internal(text));
            }
        };
        let texts = response["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str);
        admission.warn(texts.map(str::to_owned));
        match response["allowed"] == true {
            true => Ok(Some(response)),
            false => Err(self.denial(&response["status"])),
        }
    }

    fn denial(&self, status: &Value) -> ApiError {
        let name = &self.name;
        let message = match (status["message"].as_str(), status["reason"].as_str()) {
            (Some(message), _) if !message.is_empty() => {
                format!("admission webhook {name:?} denied the request: {message}")
            }
            (_, Some(reason)) if !reason.is_empty() => {
                format!("admission webhook {name:?} denied the request: {reason}")
            }
            _ => format!("admission webhook {name:?} denied the request without explanation"),
        };
        let code = status["code"].as_u64().and_then(|code| u16::try_from(code).ok()).filter(|code| *code >= 400);
        let reason = status["reason"].as_str().unwrap_or_default().to_owned();
        let reason = if reason.is_empty() && code.is_none() { "Forbidden".to_owned() } else { reason };
        let mut error = ApiError::new(code.unwrap_or(403), reason, message);
        error.causes = super::causes(&status["details"]["causes"]);
        error
    }
}

/// The patched object of a mutating webhook's response; `None` when it changes nothing.
fn patched(hook: &Webhook, response: &Value, object: &Value) -> Result<Option<Value>, ApiError> {
    let Some(encoded) = response["patch"].as_str().filter(|text| !text.is_empty()) else { return Ok(None) };
    let failed = |why: String| ApiError::internal(format!("failed calling webhook {:?}: {why}", hook.name));
    if response["patchType"] != "JSONPatch" {
        return Err(failed(format!("unsupported patch type {}", response["patchType"])));
    }
    let patch = BASE64_STANDARD.decode(encoded).map_err(|error| failed(format!("invalid patch: {error}")))?;
    let patch: Value = serde_json::from_slice(&patch).map_err(|error| failed(format!("invalid patch: {error}")))?;
    let mut new = object.clone();
    json_patch(&mut new, &patch).map_err(|error| failed(error.message))?;
    for field in ["apiVersion", "kind"] {
        if new[field] != object[field] {
            return Err(failed(format!("the patch may not change {field}")));
        }
    }
    Ok((new != *object).then_some(new))
}

/// Runs the mutating webhooks one after the other; `settle` completes what one of them changed.
pub(super) async fn mutate(
    admission: &Admission<'_>,
    hooks: &[Arc<Webhook>],
    object: &mut Value,
    settle: &(dyn Fn(&mut Value) -> Result<(), ApiError> + Send + Sync),
) -> Result<(), ApiError> {
    // For each hook that wants to see later changes: the object as it left it.
    let mut seen: Vec<(&Arc<Webhook>, Value)> = Vec::new();
    for hook in hooks {
        if hook.is_about(admission, object)? {
            run(admission, hook, object, settle).await?;
            if hook.reinvoked {
                seen.push((hook, object.clone()));
            }
        }
    }
    for (hook, left) in seen {
        if *object != left && hook.is_about(admission, object)? {
            run(admission, hook, object, settle).await?;
        }
    }
    Ok(())
}

async fn run(
    admission: &Admission<'_>,
    hook: &Webhook,
    object: &mut Value,
    settle: &(dyn Fn(&mut Value) -> Result<(), ApiError> + Send + Sync),
) -> Result<(), ApiError> {
    let Some(response) = hook.ask(admission, object).await? else { return Ok(()) };
    if admission.operation == Operation::Delete {
        return Ok(());
    }
    match patched(hook, &response, object) {
        Ok(None) => Ok(()),
        Ok(Some(new)) => {
            *object = new;
            settle(object)
        }
        Err(error) if !hook.fails_closed => {
            warn!(webhook = hook.name, error = %error, "a webhook's patch was ignored");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Asks all validating webhooks at once.
pub(super) async fn validate(
    admission: &Admission<'_>,
    hooks: &[Arc<Webhook>],
    object: &Value,
) -> Result<(), ApiError> {
    let mut asked = Vec::new();
    for hook in hooks {
        if hook.is_about(admission, object)? {
            asked.push(hook.ask(admission, object));
        }
    }
    join_all(asked).await.into_iter().try_for_each(|answer| answer.map(|_| ()))
}
