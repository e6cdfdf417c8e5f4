//! Objects of kinds with several versions: how they lie in the store, and how they are shown.

use super::{Object, Registry};
use crate::limits;
use crate::outbound::{Caller, Place, Trust};
use orchestrator_apimachinery::crd::Custom;
use orchestrator_apimachinery::{ApiError, Convert, Kind, meta};
use runtime_base::Rng;
use serde_json::{Value, json};
use std::sync::Arc;

/// Turns objects of one version into another.
#[derive(Clone)]
pub(crate) struct Versions {
    caller: Caller,
    rng: Rng,
}

impl Registry {
    pub(crate) fn versions(&self) -> Versions {
        Versions { caller: self.caller.clone(), rng: self.rng.clone() }
    }
}

fn label(value: &mut Value, api_version: &str, kind: &Kind) {
    value["apiVersion"] = json!(api_version);
    value["kind"] = json!(kind.kind);
}

fn by_webhook(custom: &Custom) -> bool {
    custom.spec["conversion"]["strategy"] == "Webhook"
}

/// Makes an object of the store one of this kind, where that takes no webhook; answers whether it does.
pub(super) fn show_at_once(kind: &Kind, custom: &Custom, value: &mut Value) -> bool {
    let api_version = kind.api_version();
    if value["apiVersion"] != *api_version {
        if by_webhook(custom) {
            return false;
        }
        label(value, &api_version, kind);
    }
    custom.show(value);
    true
}

impl Versions {
    /// An object of the store as one of this kind.
    pub async fn show(&self, kind: &Kind, mut value: Value) -> Result<Value, ApiError> {
        if kind.stored.is_none() && kind.custom.is_none() {
            return Ok(value);
        }
        let Some(custom) = &kind.custom else {
            if let Some(Convert::Functions { from_stored, .. }) = kind.stored.as_ref().map(|stored| stored.convert) {
                from_stored(&mut value);
            }
            label(&mut value, &kind.api_version(), kind);
            return Ok(value);
        };
        if show_at_once(kind, custom, &mut value) {
            return Ok(value);
        }
        let shown = self.ask(kind, custom, &kind.api_version(), vec![value]).await?.pop();
        let mut shown = shown.ok_or_else(|| ApiError::internal("a converted object is missing"))?;
        custom.show(&mut shown);
        Ok(shown)
    }

    /// Objects of the cache as ones of this kind.
    pub async fn show_objects(&self, kind: &Kind, mut objects: Vec<Arc<Object>>) -> Result<Vec<Arc<Object>>, ApiError> {
        let all = kind.stored.is_some();
        if !all && !objects.iter().any(|object| object.is_foreign()) {
            return Ok(objects);
        }
        // Those that a webhook is asked about, all at once.
        let mut asked = Vec::new();
        for (index, object) in objects.iter_mut().enumerate() {
            if !all && !object.is_foreign() {
                continue;
            }
            let mut value: Value = serde_json::from_slice(&object.bytes()).map_err(ApiError::internal)?;
            match &kind.custom {
                Some(custom) => match show_at_once(kind, custom, &mut value) {
                    true => *object = Arc::new(object.shown_as(kind, &value)?),
                    false => asked.push((index, value)),
                },
                None => *object = Arc::new(object.shown_as(kind, &self.show(kind, value).await?)?),
            }
        }
        let Some(custom) = kind.custom.as_ref().filter(|_| !asked.is_empty()) else { return Ok(objects) };
        let (places, values): (Vec<usize>, Vec<Value>) = asked.into_iter().unzip();
        let shown = self.ask(kind, custom, &kind.api_version(), values).await?;
        for (index, mut value) in places.into_iter().zip(shown) {
            custom.show(&mut value);
            objects[index] = Arc::new(objects[index].shown_as(kind, &value)?);
        }
        Ok(objects)
    }

    /// An object of this kind as it is stored.
    pub async fn store(&self, kind: &Kind, mut value: Value) -> Result<Value, ApiError> {
        let Some(stored) = &kind.stored else { return Ok(value) };
        let api_version = match &*stored.group {
            "" => stored.version.to_string(),
            group => format!("{group}/{}", stored.version),
        };
        match (&kind.custom, stored.convert) {
            (Some(custom), Convert::Webhook) => {
                let converted = self.ask(kind, custom, &api_version, vec![value]).await?.pop();
                return converted.ok_or_else(|| ApiError::internal("a converted object is missing"));
            }
            (_, Convert::Functions { to_stored, .. }) => to_stored(&mut value),
            _ => {}
        }
        label(&mut value, &api_version, kind);
        Ok(value)
    }

    /// Asks the definition's webhook for objects of another version.
    async fn ask(
        &self,
        kind: &Kind,
        custom: &Custom,
        api_version: &str,
        objects: Vec<Value>,
    ) -> Result<Vec<Value>, ApiError> {
        let failed = |why: String| {
            ApiError::internal(format!(
                "conversion webhook for {}, Kind={} failed: {why}",
                kind.api_version(),
                kind.kind
            ))
        };
        let webhook = &custom.spec["conversion"]["webhook"];
        let listed = webhook["conversionReviewVersions"].as_array().into_iter().flatten();
        let known = listed.filter_map(Value::as_str).find(|version| matches!(*version, "v1" | "v1beta1"));
        let review = format!("apiextensions.k8s.io/{}", known.unwrap_or("v1"));
        let uid = self.rng.uid();
        let body = json!({
            "kind": "ConversionReview", "apiVersion": review,
            "request": {"uid": uid, "desiredAPIVersion": api_version, "objects": objects},
        });
        let client = &webhook["clientConfig"];
        let place = Place::of(client).map_err(|error| failed(error.to_string()))?;
        let trust = Trust::of_bundle(&client["caBundle"]).map_err(|error| failed(error.to_string()))?;
        let answer = self.caller.post_json(&place, &trust, limits::CONVERSION_TIME_MAX, &body).await;
        let answer = answer.map_err(|error| failed(error.to_string()))?;
        let response = &answer["response"];
        if response["uid"] != *uid {
            return Err(failed(format!("expected response.uid={uid:?}, got {}", response["uid"])));
        }
        if response["result"]["status"] != "Success" {
            let why = response["result"]["message"].as_str().unwrap_or("no message");
            return Err(failed(why.to_owned()));
        }
        let converted = response["convertedObjects"].as_array().cloned().unwrap_or_default();
        if converted.len() != objects.len() {
            let (wanted, found) = (objects.len(), converted.len());
            return Err(failed(format!("webhook returned {found} objects, expected {wanted}")));
        }
        let pairs = objects.iter().zip(converted);
        pairs.map(|(object, converted)| checked(object, converted, api_version).map_err(&failed)).collect()
    }
}

/// What a webhook made of an object: only its content, labels and annotations may differ.
fn checked(object: &Value, mut converted: Value, api_version: &str) -> Result<Value, String> {
    if converted["apiVersion"] != *api_version {
        return Err(format!(
            "invalid groupVersion (expected {api_version}, received {})",
            converted["apiVersion"].as_str().unwrap_or_default()
        ));
    }
    if converted["kind"] != object["kind"] {
        return Err(format!("invalid kind (expected {}, received {})", object["kind"], converted["kind"]));
    }
    if !converted["metadata"].is_object() {
        return Err("invalid metadata of type nil in the converted object".into());
    }
    for (field, word) in [("name", "name"), ("namespace", "namespace"), ("uid", "UID")] {
        let (before, after) = (meta::text(object, field), meta::text(&converted, field));
        if before != after {
            return Err(format!("invalid metadata: must have the same {word}: {before} != {after}"));
        }
    }
    let mut metadata = object["metadata"].clone();
    for field in ["labels", "annotations"] {
        match converted["metadata"].get(field) {
            Some(value) if !value.is_null() => metadata[field] = value.clone(),
            _ => super::remove_meta_of(&mut metadata, field),
        }
    }
    converted["metadata"] = metadata;
    Ok(converted)
}
