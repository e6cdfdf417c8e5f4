//! Mutating and validating admission webhooks.
//!
//! Source: <https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/>

use super::conditions::{Conditions, DECLARED};
use super::configurations::Configured;
use super::view::{View, Views};
use super::{Admission, Operation};
use crate::audit;
use crate::limits;
use crate::outbound::{CallError, Place, Trust};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures::future::join_all;
use orchestrator_apimachinery::patch::json_patch;
use orchestrator_apimachinery::selector::LabelSelector;
use orchestrator_apimachinery::{ApiError, Kind, meta};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;
use tracing::warn;

/// The versions of AdmissionReview that are spoken, which have the same fields.
const REVIEWS: [&str; 2] = ["v1", "v1beta1"];

/// One webhook of one configuration.
pub(crate) struct Webhook {
    configuration: String,
    name: String,
    place: Result<Place, CallError>,
    trust: Result<Trust, CallError>,
    /// `admission.k8s.io/v1`
    review: String,
    rules: Value,
    /// Whether it is also called about other versions than those that its rules name.
    equivalent: bool,
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
        let name = meta::name(configuration);
        let hooks = configuration["webhooks"].as_array().into_iter().flatten();
        hooks.map(|hook| Webhook::new(name, hook)).collect()
    }
}

fn selector(value: &Value) -> LabelSelector {
    match value {
        Value::Null => LabelSelector::default(),
        // Validation refused what cannot be read.
        value => LabelSelector::from_object(value).unwrap_or_default(),
    }
}

/// `AdmissionReview` as it is sent.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Review<'v> {
    kind: &'static str,
    api_version: &'v str,
    request: Request<'v>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'v> {
    uid: &'v str,
    #[serde(flatten)]
    about: &'v Map<String, Value>,
    object: &'v Value,
    old_object: &'v Value,
}

impl Webhook {
    fn new(configuration: &str, hook: &Value) -> Self {
        let client = &hook["clientConfig"];
        let versions = hook["admissionReviewVersions"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let version = versions.into_iter().find(|version| REVIEWS.contains(version)).unwrap_or(REVIEWS[0]);
        Webhook {
            configuration: configuration.to_owned(),
            name: hook["name"].as_str().unwrap_or_default().to_owned(),
            place: Place::of(client),
            trust: Trust::of_bundle(&client["caBundle"]),
            review: format!("admission.k8s.io/{version}"),
            rules: hook["rules"].clone(),
            equivalent: hook["matchPolicy"] != "Exact",
            namespaces: selector(&hook["namespaceSelector"]),
            objects: selector(&hook["objectSelector"]),
            conditions: Conditions::compile(&hook["matchConditions"], &DECLARED),
            fails_closed: hook["failurePolicy"] != "Ignore",
            reinvoked: hook["reinvocationPolicy"] == "IfNeeded",
            silent_on_dry_run: matches!(hook["sideEffects"].as_str(), Some("None" | "NoneOnDryRun")),
            timeout: Duration::from_secs(hook["timeoutSeconds"].as_u64().unwrap_or(10).clamp(1, 30)),
        }
    }

    /// The version of the resource in which it is to be told of this request, if its conditions hold.
    fn version(&self, admission: &Admission<'_>, object: &Value) -> Option<Arc<Kind>> {
        let fits = admission.fits_namespace(&self.namespaces, object) && admission.fits_object(&self.objects, object);
        if !fits {
            return None;
        }
        admission.named_by(&self.rules, &admission.object_name(object), self.equivalent)
    }

    /// Whether its conditions hold.
    fn holds(&self, admission: &Admission<'_>, view: &mut View<'_>) -> Result<bool, ApiError> {
        if self.conditions.is_empty() {
            return Ok(true);
        }
        match self.conditions.hold(view.scope()) {
            Ok(holds) => Ok(holds),
            Err(why) if !self.fails_closed => {
                warn!(webhook = self.name, why, "a webhook's conditions failed, it is not called");
                Ok(false)
            }
            Err(why) => Err(admission.writing.forbidden(&admission.object_name(view.subject()), &why)),
        }
    }

    /// Calls it; the `response` of its AdmissionReview.
    async fn call(&self, admission: &Admission<'_>, view: &View<'_>, mutating: bool) -> Result<Value, String> {
        let failed = |why: String| format!("failed to call webhook: {why}");
        let place = self.place.as_ref().map_err(|error| failed(error.to_string()))?;
        let trust = self.trust.as_ref().map_err(|error| failed(error.to_string()))?;
        let place = place.with_query(&format!("timeout={}s", self.timeout.as_secs()));
        let uid = admission.registry.rng.uid();
        let View { object, old, request, .. } = view;
        let request = Request { uid: &uid, about: request, object, old_object: old };
        let review = Review { kind: "AdmissionReview", api_version: &self.review, request };
        let body = serde_json::to_vec(&review).map_err(|error| error.to_string())?;
        let answer = admission.registry.caller.post_bytes(&place, trust, self.timeout, body.into()).await;
        let mut answer = answer.map_err(|error| failed(format!("Post \"{place}\": {error}")))?;
        let invalid = |why: String| format!("received invalid webhook response: {why}");
        // The older version asks for neither.
        let strict = self.review.ends_with("/v1");
        if strict && (answer["kind"] != "AdmissionReview" || answer["apiVersion"] != *self.review) {
            let text = |field: &str| answer[field].as_str().unwrap_or_default();
            let (version, kind) = (text("apiVersion"), text("kind"));
            return Err(invalid(format!(
                "expected webhook response of {}, Kind=AdmissionReview, got {version}, Kind={kind}",
                self.review
            )));
        }
        let mut response = answer.get_mut("response").map(Value::take).unwrap_or_default();
        if !response.is_object() {
            return Err("webhook response was absent".into());
        }
        let own = response["uid"].as_str().unwrap_or_default();
        if strict && own != uid {
            return Err(invalid(format!("expected response.uid={uid:?}, got {own:?}")));
        }
        let text = |field: &str| response[field].as_str().unwrap_or_default();
        let (patch, type_) = (!text("patch").is_empty(), text("patchType").to_owned());
        match (mutating && strict, patch, type_.as_str()) {
            (true, true, "") => Err(invalid("webhook returned response.patch but not response.patchType".into())),
            (true, false, type_) if !type_.is_empty() => {
                Err(invalid("webhook returned response.patchType but not response.patch".into()))
            }
            (_, true, "") => {
                response["patchType"] = json!("JSONPatch");
                Ok(response)
            }
            (_, true, type_) if mutating && type_ != "JSONPatch" => Err(format!("unsupported patch type {type_:?}")),
            _ => Ok(response),
        }
    }

    /// Calls it and reads the answer: the response, or `None` where failures are ignored. `index` is its place
    /// among all webhooks.
    async fn ask(
        &self,
        admission: &Admission<'_>,
        view: &View<'_>,
        mutating: bool,
        index: usize,
    ) -> Result<Option<Value>, ApiError> {
        if admission.writing.dry_run && !self.silent_on_dry_run {
            let text = format!("admission webhook {:?} does not support dry run", self.name);
            return Err(ApiError::bad_request(text));
        }
        let response = match self.call(admission, view, mutating).await {
            Ok(response) => response,
            Err(why) if !self.fails_closed => {
                warn!(webhook = self.name, why, "a webhook failed and was ignored");
                let way = if mutating { "mutating" } else { "validating" };
                let key = format!("failed-open.{way}.webhook.admission.k8s.io/round_0_index_{index}");
                audit::note(key, self.name.clone());
                return Ok(None);
            }
            Err(why) => {
                return Err(ApiError::internal(format!("failed calling webhook {:?}: {why}", self.name)));
            }
        };
        for (key, value) in response["auditAnnotations"].as_object().into_iter().flatten() {
            audit::note(format!("{}/{key}", self.name), value.as_str().unwrap_or_default().to_owned());
        }
        let texts = response["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let short = |text: &str| text.chars().take(limits::WARNING_CHARS_MAX).collect::<String>();
        admission.warn(texts.map(short));
        match response["allowed"] == true {
            true => Ok(Some(response)),
            false => Err(self.denial(&response["status"])),
        }
    }

    /// As upstream: 400 without a reason where the webhook gives none.
    fn denial(&self, status: &Value) -> ApiError {
        let name = &self.name;
        let text = |field: &str| status[field].as_str().unwrap_or_default();
        let message = match (text("message"), text("reason")) {
            ("", "") => format!("admission webhook {name:?} denied the request without explanation"),
            ("", why) | (why, _) => format!("admission webhook {name:?} denied the request: {why}"),
        };
        let code = status["code"].as_u64().and_then(|code| u16::try_from(code).ok());
        let code = code.filter(|code| (400..600).contains(code)).unwrap_or(400);
        let mut error = ApiError::new(code, text("reason").to_owned(), message);
        let details = &status["details"];
        let detail = |field: &str| details[field].as_str().unwrap_or_default().to_owned();
        (error.name, error.group, error.kind) = (detail("name"), detail("group"), detail("kind"));
        error.causes = super::causes(&details["causes"]);
        error.retry_after_seconds = details["retryAfterSeconds"].as_u64().and_then(|time| u32::try_from(time).ok());
        error
    }
}

/// The patched object of a mutating webhook's response; `None` when it changes nothing. A patch that cannot be
/// applied is no failure to call the webhook, and never ignored.
fn patched(hook: &Webhook, response: &Value, object: &Value) -> Result<Option<Value>, ApiError> {
    let Some(encoded) = response["patch"].as_str().filter(|text| !text.is_empty()) else { return Ok(None) };
    let failed = |why: String| ApiError::internal(format!("failed calling webhook {:?}: {why}", hook.name));
    let patch = BASE64_STANDARD.decode(encoded).map_err(|error| failed(format!("invalid patch: {error}")))?;
    let patch: Value = serde_json::from_slice(&patch).map_err(|error| failed(format!("invalid patch: {error}")))?;
    if patch.as_array().is_some_and(Vec::is_empty) {
        return Ok(None);
    }
    if object.is_null() {
        let name = &hook.name;
        return Err(ApiError::internal(format!(
            "admission webhook {name:?} attempted to modify the object, which is not supported for this operation"
        )));
    }
    let mut new = object.clone();
    json_patch(&mut new, &patch).map_err(|error| failed(error.message))?;
    for field in ["apiVersion", "kind"] {
        if new[field] != object[field] {
            return Err(failed(format!("the patch may not change {field}")));
        }
    }
    Ok((new != *object).then_some(new))
}

/// A webhook that wants to see later changes, its place among all, and the object as it left it.
pub(super) type Again = Vec<(Arc<Webhook>, usize, Value)>;

/// Runs the mutating webhooks one after the other.
pub(super) async fn mutate(
    admission: &Admission<'_>,
    hooks: &[Arc<Webhook>],
    object: &mut Value,
) -> Result<Again, ApiError> {
    let mut seen = Vec::new();
    for (index, hook) in hooks.iter().enumerate() {
        if run(admission, hook, (0, index), object).await? && hook.reinvoked {
            seen.push((hook.clone(), index, object.clone()));
        }
    }
    Ok(seen)
}

/// Runs those again that have not seen the object as it is now.
pub(super) async fn mutate_again(admission: &Admission<'_>, hooks: Again, object: &mut Value) -> Result<(), ApiError> {
    for (hook, index, left) in hooks {
        if *object != left {
            run(admission, &hook, (1, index), object).await?;
        }
    }
    Ok(())
}

/// Runs one webhook, if it is about the request; whether it is.
async fn run(
    admission: &Admission<'_>,
    hook: &Webhook,
    (round, index): (usize, usize),
    object: &mut Value,
) -> Result<bool, ApiError> {
    let Some(version) = hook.version(admission, object) else { return Ok(false) };
    let mut view = View::new(admission, object, &version).await?;
    if !hook.holds(admission, &mut view)? {
        return Ok(false);
    }
    let Some(response) = hook.ask(admission, &view, true, index).await? else { return Ok(true) };
    let changed = patched(hook, &response, &view.object)?;
    let note = json!({"configuration": hook.configuration, "webhook": hook.name, "mutated": changed.is_some()});
    audit::note(format!("mutation.webhook.admission.k8s.io/round_{round}_index_{index}"), note.to_string());
    match changed {
        // Nothing is written of a deleted object.
        Some(new) if admission.operation != Operation::Delete => view.settle(new, object).await?,
        _ => {}
    }
    Ok(true)
}

/// Asks all validating webhooks at once.
pub(super) async fn validate<'a>(
    admission: &'a Admission<'a>,
    hooks: &[Arc<Webhook>],
    object: &Value,
    views: &mut Views<'a>,
) -> Result<(), ApiError> {
    let mut asked = Vec::new();
    for (index, hook) in hooks.iter().enumerate() {
        let Some(version) = hook.version(admission, object) else { continue };
        let place = views.place(&version).await?;
        if hook.holds(admission, views.at_mut(place))? {
            asked.push((index, hook, place));
        }
    }
    let views = &*views;
    let asked = asked.into_iter().map(|(index, hook, place)| hook.ask(admission, views.at(place), false, index));
    join_all(asked).await.into_iter().try_for_each(|answer| answer.map(|_| ()))
}
