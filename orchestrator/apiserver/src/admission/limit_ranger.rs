//! LimitRanges: defaults and bounds for what Pods and claims of a namespace ask for.
//!
//! Source: <https://kubernetes.io/docs/concepts/policy/limit-range/>

use super::{Admission, Operation, is_pod};
use crate::registry::ObjectReader;
use orchestrator_apimachinery::quantity::Quantity;
use orchestrator_apimachinery::{ApiError, meta};
use serde_json::{Value, json};

/// The items of one type (`Container`, `Pod`, `PersistentVolumeClaim`) of the namespace's LimitRanges.
fn items(admission: &Admission<'_>, type_: &str) -> Vec<Value> {
    let ranges = admission.registry.caches.list("", "limitranges", Some(&admission.writing.what.namespace));
    let ranges = ranges.iter().filter_map(|bytes| serde_json::from_slice::<Value>(bytes).ok());
    ranges
        .flat_map(|mut range| match range["spec"]["limits"].take() {
            Value::Array(items) => items,
            _ => Vec::new(),
        })
        .filter(|item| item["type"] == type_)
        .collect()
}

fn containers(pod: &mut Value) -> impl Iterator<Item = &mut Value> {
    let spec = pod["spec"].as_object_mut().into_iter().flatten();
    spec.filter(|(field, _)| matches!(field.as_str(), "containers" | "initContainers"))
        .filter_map(|(_, list)| list.as_array_mut())
        .flatten()
}

/// Fills in what the containers of a new Pod do not ask for.
pub(super) fn mutate(admission: &Admission<'_>, pod: &mut Value) -> Result<(), ApiError> {
    if !admission.creates_pod() {
        return Ok(());
    }
    for item in items(admission, "Container") {
        for container in containers(pod) {
            for (part, defaults) in [("limits", &item["default"]), ("requests", &item["defaultRequest"])] {
                for (resource, amount) in defaults.as_object().into_iter().flatten() {
                    fill(&mut container["resources"], part, resource, amount);
                }
            }
            // A limit is also a request, as the kind's own defaults have it.
            let limits = container["resources"]["limits"].clone();
            for (resource, amount) in limits.as_object().into_iter().flatten() {
                fill(&mut container["resources"], "requests", resource, amount);
            }
        }
    }
    Ok(())
}

fn fill(resources: &mut Value, part: &str, resource: &str, amount: &Value) {
    if !resources.is_object() {
        *resources = json!({});
    }
    if !resources[part].is_object() {
        resources[part] = json!({});
    }
    if resources[part].get(resource).is_none() {
        resources[part][resource] = amount.clone();
    }
}

fn amount(value: &Value) -> Option<Quantity> {
    Quantity::parse(value.as_str()?).ok()
}

/// What a thing asks for, by resource.
struct Asked<'a> {
    requests: &'a dyn Fn(&str) -> Option<Quantity>,
    limits: &'a dyn Fn(&str) -> Option<Quantity>,
}

/// The ways in which something leaves the bounds of an item.
fn excesses(item: &Value, type_: &str, asked: &Asked<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for (resource, bound) in item["min"].as_object().into_iter().flatten() {
        let Some(minimum) = amount(bound) else { continue };
        let text = minimum.canonical();
        match ((asked.requests)(resource), (asked.limits)(resource)) {
            (None, _) => {
                found.push(format!("minimum {resource} usage per {type_} is {text}.  No request is specified"))
            }
            (Some(request), _) if request < minimum => found.push(format!(
                "minimum {resource} usage per {type_} is {text}, but request is {}",
                request.canonical()
            )),
            (_, Some(limit)) if limit < minimum => {
                found.push(format!(
                    "minimum {resource} usage per {type_} is {text}, but limit is {}",
                    limit.canonical()
                ));
            }
            _ => {}
        }
    }
    for (resource, bound) in item["max"].as_object().into_iter().flatten() {
        let Some(maximum) = amount(bound) else { continue };
        let text = maximum.canonical();
        match ((asked.requests)(resource), (asked.limits)(resource)) {
            (_, None) => {
                found.push(format!("maximum {resource} usage per {type_} is {text}.  No limit is specified"));
            }
            (_, Some(limit)) if limit > maximum => {
                found.push(format!(
                    "maximum {resource} usage per {type_} is {text}, but limit is {}",
                    limit.canonical()
                ));
            }
            (Some(request), _) if request > maximum => found.push(format!(
                "maximum {resource} usage per {type_} is {text}, but request is {}",
                request.canonical()
            )),
            _ => {}
        }
    }
    for (resource, bound) in item["maxLimitRequestRatio"].as_object().into_iter().flatten() {
        let Some(most) = amount(bound) else { continue };
        let text = most.canonical();
        let (Some(request), Some(limit)) = ((asked.requests)(resource), (asked.limits)(resource)) else {
            found.push(format!(
                "{resource} max limit to request ratio per {type_} is {text}, but no request is specified or request is 0"
            ));
            continue;
        };
        let ratio = limit.millis() as f64 / (request.millis() as f64).max(f64::MIN_POSITIVE);
        if ratio > most.millis() as f64 / 1000.0 {
            found.push(format!(
                "{resource} max limit to request ratio per {type_} is {text}, but provided ratio is {ratio:.6}"
            ));
        }
    }
    found
}

/// Refuses Pods and claims that leave the bounds.
pub(super) fn validate(admission: &Admission<'_>, object: &Value) -> Result<(), ApiError> {
    let writing = admission.writing;
    let resize = is_pod(writing) && writing.what.subresource == "resize";
    let main = writing.what.subresource.is_empty();
    if admission.operation == Operation::Delete || !(main || resize) || meta::is_deleting(object) {
        return Ok(());
    }
    let claim = writing.kind.group.is_empty() && writing.kind.plural == "persistentvolumeclaims";
    let found = if resize || (is_pod(writing) && admission.operation == Operation::Create) {
        of_pod(admission, object)
    } else if claim {
        let request = |resource: &str| amount(&object["spec"]["resources"]["requests"][resource]);
        let asked = Asked { requests: &request, limits: &request };
        let items = items(admission, "PersistentVolumeClaim");
        items.iter().flat_map(|item| excesses(item, "PersistentVolumeClaim", &asked)).collect()
    } else {
        Vec::new()
    };
    match found.as_slice() {
        [] => Ok(()),
        [one] => Err(writing.forbidden(meta::name(object), one)),
        many => Err(writing.forbidden(meta::name(object), &format!("[{}]", many.join(", ")))),
    }
}

fn of_pod(admission: &Admission<'_>, pod: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let list = |field: &str| pod["spec"][field].as_array().cloned().unwrap_or_default();
    let (main, init) = (list("containers"), list("initContainers"));
    for item in items(admission, "Container") {
        for container in main.iter().chain(&init) {
            let of = |part: &'static str| move |resource: &str| amount(&container["resources"][part][resource]);
            let asked = Asked { requests: &of("requests"), limits: &of("limits") };
            found.extend(excesses(&item, "Container", &asked));
        }
    }
    for item in items(admission, "Pod") {
        let total = |part: &'static str| {
            let (main, init) = (&main, &init);
            move |resource: &str| {
                let of = |container: &Value| amount(&container["resources"][part][resource]);
                // A limit counts only where every container has one.
                let sum = main
                    .iter()
                    .map(of)
                    .collect::<Option<Vec<_>>>()
                    .or_else(|| (part == "requests").then(|| main.iter().filter_map(of).collect()))?;
                let sum = sum.into_iter().fold(Quantity::default(), |sum, one| sum + one);
                let largest = init
                    .iter()
                    .filter_map(of)
                    .fold(Quantity::default(), |most, one| if one > most { one } else { most });
                let total = if largest > sum { largest } else { sum };
                (!total.is_zero()).then_some(total)
            }
        };
        let asked = Asked { requests: &total("requests"), limits: &total("limits") };
        found.extend(excesses(&item, "Pod", &asked));
    }
    found
}
