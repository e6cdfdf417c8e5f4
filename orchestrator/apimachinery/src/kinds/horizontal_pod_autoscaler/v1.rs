//! autoscaling/v1, which knows no metric but the CPU: the rest lies in annotations, as upstream has it.

use super::strategy as stored_strategy;
use crate::field::Errors;
use crate::kind::Strategy;
use crate::kinds::fields::{copy, default, int, list, object_or_new, remove, text};
use serde_json::{Map, Value, json};

const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const CURRENT_METRICS: &str = "autoscaling.alpha.kubernetes.io/current-metrics";
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";

/// The rules of the stored version, looked at through the conversion.
pub fn strategy() -> Strategy {
    Strategy {
        default: |object| through(object, |object| (stored_strategy().default)(object)),
        prepare_create: |object| through(object, |object| (stored_strategy().prepare_create)(object)),
        prepare_update: |object, old| {
            through(object, |object| (stored_strategy().prepare_update)(object, &stored(old)));
        },
        prepare_status_update: |object, old| {
            through(object, |object| (stored_strategy().prepare_status_update)(object, &stored(old)));
        },
        validate: |object, errors: &mut Errors| (stored_strategy().validate)(&stored(object), errors),
        cells: |object, now| (stored_strategy().cells)(&stored(object), now),
        ..Strategy::default()
    }
}

fn through(object: &mut Value, change: impl FnOnce(&mut Value)) {
    to_v2(object);
    change(object);
    from_v2(object);
}

fn stored(object: &Value) -> Value {
    let mut object = object.clone();
    to_v2(&mut object);
    object
}

/// The parsed annotation, which is taken away when it can be read.
fn take_annotation(object: &mut Value, name: &str) -> Option<Value> {
    let annotations = object["metadata"].get_mut("annotations")?;
    let parsed = serde_json::from_str(annotations.get(name)?.as_str()?).ok()?;
    remove(annotations, name);
    if annotations.as_object().is_some_and(Map::is_empty) {
        remove(&mut object["metadata"], "annotations");
    }
    Some(parsed)
}

fn annotate(object: &mut Value, name: &str, value: &Value) {
    object_or_new(object_or_new(object, "metadata"), "annotations")[name] = value.to_string().into();
}

fn cpu(key: &str, inner: Value) -> Value {
    json!({"type": "Resource", "resource": {"name": "cpu", key: inner}})
}

/// Whether a metric or its status is of the CPU of whole Pods, in percent.
fn cpu_share(metric: &Value, key: &str) -> Option<i64> {
    let is_cpu = text(metric, "type") == "Resource" && text(&metric["resource"], "name") == "cpu";
    int(&metric["resource"][key], "averageUtilization").filter(|_| is_cpu)
}

/// From autoscaling/v1 to the stored autoscaling/v2.
pub fn to_v2(object: &mut Value) {
    let metrics = take_annotation(object, METRICS);
    let current = take_annotation(object, CURRENT_METRICS);
    let (conditions, behavior) = (take_annotation(object, CONDITIONS), take_annotation(object, BEHAVIOR));
    if let Some(spec) = object.get_mut("spec").filter(|spec| spec.is_object()) {
        let mut all: Vec<Value> = metrics.iter().flat_map(Value::as_array).flatten().map(metric_to_v2).collect();
        if let Some(share) = int(spec, "targetCPUUtilizationPercentage") {
            all.push(cpu("target", json!({"type": "Utilization", "averageUtilization": share})));
        }
        remove(spec, "targetCPUUtilizationPercentage");
        if !all.is_empty() {
            spec["metrics"] = all.into();
        }
        if let Some(behavior) = behavior {
            spec["behavior"] = without_nulls(&renamed(&behavior, char::to_lowercase));
        }
    }
    let has_status = object["status"].is_object();
    if has_status || current.is_some() || conditions.is_some() {
        let status = object_or_new(object, "status");
        let share = int(status, "currentCPUUtilizationPercentage");
        remove(status, "currentCPUUtilizationPercentage");
        if let Some(current) = current {
            status["currentMetrics"] = current.as_array().into_iter().flatten().map(status_to_v2).collect();
        } else if let Some(share) = share {
            status["currentMetrics"] = json!([cpu("current", json!({"averageUtilization": share}))]);
        }
        if let Some(conditions) = conditions {
            status["conditions"] = conditions;
        }
    }
}

/// From the stored autoscaling/v2 to autoscaling/v1.
pub fn from_v2(object: &mut Value) {
    let (mut others, mut share) = (Vec::new(), None);
    for metric in list(&object["spec"], "metrics") {
        match cpu_share(metric, "target") {
            Some(of_cpu) => share = Some(of_cpu),
            None => others.push(metric_to_v1(metric)),
        }
    }
    let behavior = object["spec"]["behavior"].clone();
    if let Some(spec) = object.get_mut("spec").filter(|spec| spec.is_object()) {
        remove(spec, "metrics");
        remove(spec, "behavior");
        if let Some(share) = share {
            spec["targetCPUUtilizationPercentage"] = share.into();
        }
    }
    if !others.is_empty() {
        annotate(object, METRICS, &others.into());
    }
    if behavior.is_object() {
        annotate(object, BEHAVIOR, &renamed(&behavior, char::to_uppercase));
    }
    let current: Vec<Value> = list(&object["status"], "currentMetrics").to_vec();
    let conditions = object["status"]["conditions"].clone();
    if let Some(status) = object.get_mut("status").filter(|status| status.is_object()) {
        remove(status, "currentMetrics");
        remove(status, "conditions");
        default(status, "currentReplicas", 0);
        default(status, "desiredReplicas", 0);
        if let Some(share) = current.iter().find_map(|metric| cpu_share(metric, "current")) {
            status["currentCPUUtilizationPercentage"] = share.into();
        }
    }
    if !current.is_empty() {
        annotate(object, CURRENT_METRICS, &current.iter().map(status_to_v1).collect());
    }
    if conditions.as_array().is_some_and(|conditions| !conditions.is_empty()) {
        annotate(object, CONDITIONS, &conditions);
    }
}

/// Behavior is written with the names of Go's fields, which begin with a capital.
fn renamed<I: Iterator<Item = char>>(value: &Value, first: fn(char) -> I) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| {
                let mut chars = key.chars();
                let key: String = chars.next().into_iter().flat_map(first).chain(chars).collect();
                (key, renamed(value, first))
            })
            .collect(),
        Value::Array(list) => list.iter().map(|value| renamed(value, first)).collect(),
        other => other.clone(),
    }
}

/// Go writes what is not set as null.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let given = map.iter().filter(|(_, value)| !value.is_null());
            given.map(|(key, value)| (key.clone(), without_nulls(value))).collect()
        }
        Value::Array(list) => list.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

/// Which field of v1 a field of v2 is, below the source of a metric. The paths of v2 have two parts.
struct Names {
    source: &'static str,
    /// Field of v1 and path in v2.
    spec: &'static [(&'static str, &'static [&'static str])],
    status: &'static [(&'static str, &'static [&'static str])],
}

const NAMES: [Names; 5] = [
    Names {
        source: "object",
        spec: &[
            ("target", &["describedObject"]),
            ("metricName", &["metric", "name"]),
            ("selector", &["metric", "selector"]),
            ("targetValue", &["target", "value"]),
            ("averageValue", &["target", "averageValue"]),
        ],
        status: &[
            ("target", &["describedObject"]),
            ("metricName", &["metric", "name"]),
            ("selector", &["metric", "selector"]),
            ("currentValue", &["current", "value"]),
            ("averageValue", &["current", "averageValue"]),
        ],
    },
    Names {
        source: "pods",
        spec: &[
            ("metricName", &["metric", "name"]),
            ("selector", &["metric", "selector"]),
            ("targetAverageValue", &["target", "averageValue"]),
        ],
        status: &[
            ("metricName", &["metric", "name"]),
            ("selector", &["metric", "selector"]),
            ("currentAverageValue", &["current", "averageValue"]),
        ],
    },
    Names {
        source: "resource",
        spec: &[
            ("name", &["name"]),
            ("targetAverageUtilization", &["target", "averageUtilization"]),
            ("targetAverageValue", &["target", "averageValue"]),
        ],
        status: &[
            ("name", &["name"]),
            ("currentAverageUtilization", &["current", "averageUtilization"]),
            ("currentAverageValue", &["current", "averageValue"]),
        ],
    },
    Names {
        source: "containerResource",
        spec: &[
            ("name", &["name"]),
            ("container", &["container"]),
            ("targetAverageUtilization", &["target", "averageUtilization"]),
            ("targetAverageValue", &["target", "averageValue"]),
        ],
        status: &[
            ("name", &["name"]),
            ("container", &["container"]),
            ("currentAverageUtilization", &["current", "averageUtilization"]),
            ("currentAverageValue", &["current", "averageValue"]),
        ],
    },
    Names {
        source: "external",
        spec: &[
            ("metricName", &["metric", "name"]),
            ("metricSelector", &["metric", "selector"]),
            ("targetValue", &["target", "value"]),
            ("targetAverageValue", &["target", "averageValue"]),
        ],
        status: &[
            ("metricName", &["metric", "name"]),
            ("metricSelector", &["metric", "selector"]),
            ("currentValue", &["current", "value"]),
            ("currentAverageValue", &["current", "averageValue"]),
        ],
    },
];

type Fields = fn(&Names) -> &'static [(&'static str, &'static [&'static str])];

fn to_v1(metric: &Value, fields: Fields) -> Value {
    let mut converted = json!({"type": metric["type"]});
    for names in NAMES.iter().filter(|names| metric[names.source].is_object()) {
        let source = &metric[names.source];
        let mut flat = Map::new();
        for (field, path) in fields(names) {
            let value = path.iter().fold(source, |value, key| &value[*key]);
            if !value.is_null() {
                flat.insert((*field).to_owned(), value.clone());
            }
        }
        converted[names.source] = flat.into();
    }
    converted
}

fn to_nested(metric: &Value, fields: Fields) -> Value {
    let mut converted = json!({"type": metric["type"]});
    for names in NAMES.iter().filter(|names| metric[names.source].is_object()) {
        let (source, mut nested) = (&metric[names.source], json!({}));
        for (field, path) in fields(names).iter().filter(|(field, _)| !source[*field].is_null()) {
            match path {
                [key] => copy_as(&mut nested, key, &source[*field]),
                [outer, key] => copy_as(object_or_new(&mut nested, outer), key, &source[*field]),
                _ => {}
            }
        }
        converted[names.source] = nested;
    }
    converted
}

fn copy_as(to: &mut Value, key: &str, value: &Value) {
    to[key] = value.clone();
}

/// The fields of targets that v1 has no place for; kept beside the others so that nothing is lost.
const TARGET_TYPE: &str = "targetType";

fn metric_to_v1(metric: &Value) -> Value {
    let mut converted = to_v1(metric, |names| names.spec);
    for names in &NAMES {
        let target = &metric[names.source]["target"];
        if target.is_object() && text(target, "type") != implied_type(target) {
            converted[names.source][TARGET_TYPE] = target["type"].clone();
        }
        if names.spec.iter().all(|(_, path)| *path != ["target", "value"]) && !target["value"].is_null() {
            copy(&mut converted[names.source], target, "value");
        }
    }
    converted
}

fn metric_to_v2(metric: &Value) -> Value {
    let mut converted = to_nested(metric, |names| names.spec);
    for names in NAMES.iter().filter(|names| metric[names.source].is_object()) {
        let source = &metric[names.source];
        let target = object_or_new(&mut converted[names.source], "target");
        if !source["value"].is_null() {
            copy(target, source, "value");
        }
        target["type"] = match source[TARGET_TYPE].as_str() {
            Some(type_) => type_.into(),
            None => implied_type(target).into(),
        };
    }
    converted
}

/// The type of a target that upstream infers from what is given.
fn implied_type(target: &Value) -> &'static str {
    match () {
        () if !target["averageUtilization"].is_null() => "Utilization",
        () if !target["averageValue"].is_null() => "AverageValue",
        () => "Value",
    }
}

fn status_to_v1(metric: &Value) -> Value {
    to_v1(metric, |names| names.status)
}

fn status_to_v2(metric: &Value) -> Value {
    let mut converted = to_nested(metric, |names| names.status);
    for names in NAMES.iter().filter(|names| metric[names.source].is_object()) {
        object_or_new(&mut converted[names.source], "current");
    }
    converted
}
