//! HorizontalPodAutoscaler: autoscaling/v2, which is stored, and autoscaling/v1.

use super::fields::{default, default_text, int, list, list_mut, object_mut, object_or_new, text};
use super::{AGE, NAME, cells, columns, namespaced, state, status, texts};
use crate::kind::{Convert, Kind, Stored, Strategy};
use serde_json::{Value, json};

mod rules;
mod v1;

/// The rows of HorizontalPodAutoscaler, the preferred version first.
pub fn kinds() -> Vec<Kind> {
    let of_version = |version: &'static str, strategy, stored| Kind {
        version: version.into(),
        schema_name: format!("io.k8s.api.autoscaling.{version}.HorizontalPodAutoscaler").into(),
        short_names: texts(&["hpa"]),
        categories: texts(&["all"]),
        subresources: vec![status()],
        columns: columns(&[
            NAME,
            ("Reference", "string", 0, "What it scales."),
            ("Targets", "string", 0, "What its metrics are, and should be."),
            ("MinPods", "string", 0, "The fewest Pods."),
            ("MaxPods", "string", 0, "The most Pods."),
            ("Replicas", "string", 0, "Pods now."),
            AGE,
        ]),
        strategy,
        stored,
        ..namespaced("autoscaling", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
    };
    let stored = Stored {
        group: "autoscaling".into(),
        version: "v2".into(),
        plural: "horizontalpodautoscalers".into(),
        convert: Convert::Functions { to_stored: v1::to_v2, from_stored: v1::from_v2 },
    };
    vec![of_version("v2", strategy(), None), of_version("v1", v1::strategy(), Some(stored))]
}

/// Metrics that a cell shows.
const SHOWN_MAX: usize = 2;

fn strategy() -> Strategy {
    Strategy { default: fill, prepare_create, validate: rules::validate, cells: row, ..state::uncounted() }
}

fn prepare_create(object: &mut Value) {
    object["status"] = json!({"desiredReplicas": 0});
}

fn fill(object: &mut Value) {
    let spec = object_or_new(object, "spec");
    default(spec, "minReplicas", 1);
    if list(spec, "metrics").is_empty() {
        let target = json!({"type": "Utilization", "averageUtilization": 80});
        spec["metrics"] = json!([{"type": "Resource", "resource": {"name": "cpu", "target": target}}]);
    }
    for metric in list_mut(spec, "metrics") {
        for source in ["object", "pods", "resource", "containerResource", "external"] {
            if let Some(target) = object_mut(metric, source).and_then(|source| object_mut(source, "target")) {
                canonicalize(target);
            }
        }
    }
    if let Some(behavior) = object_mut(spec, "behavior") {
        fill_behavior(behavior);
    }
}

fn canonicalize(target: &mut Value) {
    for field in ["value", "averageValue"] {
        if let Ok(quantity) = crate::quantity::Quantity::parse(text(target, field)) {
            target[field] = quantity.canonical().into();
        }
    }
}

/// By default it grows by four Pods or to the double every 15 s, at once, and shrinks freely.
fn fill_behavior(behavior: &mut Value) {
    let percent = json!({"type": "Percent", "value": 100, "periodSeconds": 15});
    let up = object_or_new(behavior, "scaleUp");
    default(up, "stabilizationWindowSeconds", 0);
    default_text(up, "selectPolicy", "Max");
    if list(up, "policies").is_empty() {
        up["policies"] = json!([{"type": "Pods", "value": 4, "periodSeconds": 15}, percent]);
    }
    let down = object_or_new(behavior, "scaleDown");
    default_text(down, "selectPolicy", "Max");
    if list(down, "policies").is_empty() {
        down["policies"] = json!([percent]);
    }
}

/// `10%/80%` and the like: what a metric is now and should be.
fn target(metric: &Value, status: &Value) -> String {
    let (source, named) = match text(metric, "type") {
        "External" => ("external", false),
        "Pods" => ("pods", false),
        "Object" => ("object", false),
        "Resource" => ("resource", true),
        "ContainerResource" => ("containerResource", true),
        _ => return "<unknown type>".to_owned(),
    };
    let (target, current) = (&metric[source]["target"], &status[source]["current"]);
    let shown = |field: &str, otherwise: &str| match (&current[field], current.is_object()) {
        (Value::String(amount), _) => amount.clone(),
        (_, true) => otherwise.to_owned(),
        _ => cells::UNKNOWN.to_owned(),
    };
    let average = target["averageValue"].as_str();
    if named {
        let name = text(&metric[source], "name");
        if let Some(average) = average {
            return format!("{name}: {}/{average}", shown("averageValue", "<nil>"));
        }
        let percent = |value: &Value| value.as_i64().map(|share| format!("{share}%"));
        let current = percent(&current["averageUtilization"]).unwrap_or_else(|| cells::UNKNOWN.to_owned());
        let target = percent(&target["averageUtilization"]).unwrap_or_else(|| "<auto>".to_owned());
        return format!("{name}: {current}/{target}");
    }
    match average {
        Some(average) if source == "pods" => format!("{}/{average}", shown("averageValue", "<nil>")),
        Some(average) => format!("{}/{average} (avg)", shown("averageValue", cells::UNKNOWN)),
        None => format!("{}/{}", shown("value", "<nil>"), cells::or(text(target, "value"), "<nil>")),
    }
}

fn targets(object: &Value) -> String {
    let metrics = list(&object["spec"], "metrics");
    let statuses = list(&object["status"], "currentMetrics");
    let shown = metrics.iter().take(SHOWN_MAX).enumerate();
    let shown: Vec<String> =
        shown.map(|(index, metric)| target(metric, statuses.get(index).unwrap_or(&Value::Null))).collect();
    match metrics.len() {
        0 => cells::NONE.to_owned(),
        1..=SHOWN_MAX => shown.join(", "),
        count => format!("{} + {} more...", shown.join(", "), count - SHOWN_MAX),
    }
}

fn row(object: &Value, now: i64) -> Vec<Value> {
    let (spec, reference) = (&object["spec"], &object["spec"]["scaleTargetRef"]);
    let least = int(spec, "minReplicas").map_or_else(|| "<unset>".to_owned(), |least| least.to_string());
    vec![
        cells::name(object),
        format!("{}/{}", text(reference, "kind"), text(reference, "name")).into(),
        targets(object).into(),
        least.into(),
        cells::number(&spec["maxReplicas"]),
        cells::number(&object["status"]["currentReplicas"]),
        cells::age(object, now),
    ]
}

#[cfg(test)]
mod tests;
