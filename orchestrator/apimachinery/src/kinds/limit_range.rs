//! LimitRange.

use super::fields::{self, entries, indexed, list_mut, object_or_new, text};
use super::{namespaced, pod_spec, texts};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use crate::quantity::Quantity;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The row of LimitRange.
pub fn kind() -> Kind {
    Kind {
        short_names: texts(&["limits"]),
        strategy: Strategy { default: fill, validate, ..Strategy::default() },
        ..namespaced("", "LimitRange", "limitranges")
    }
}

const TYPES: [&str; 3] = ["Pod", "Container", "PersistentVolumeClaim"];
const BOUNDS: [&str; 5] = ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"];

/// For containers, what is not given follows from what is: the default limit from the maximum, the
/// default request from the default limit or else from the minimum.
fn fill(object: &mut Value) {
    for limit in list_mut(object_or_new(object, "spec"), "limits") {
        for bound in BOUNDS {
            pod_spec::resources::canonicalize(limit, bound);
        }
        if text(limit, "type") != "Container" {
            continue;
        }
        for (from, to) in [("max", "default"), ("default", "defaultRequest"), ("min", "defaultRequest")] {
            let amounts: Vec<(String, Value)> =
                entries(limit, from).map(|(name, amount)| (name.clone(), amount.clone())).collect();
            if amounts.is_empty() {
                continue;
            }
            let amounts_to = object_or_new(limit, to);
            for (name, amount) in amounts {
                fields::default(amounts_to, &name, amount);
            }
        }
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, limit) in indexed(&object["spec"], "limits") {
        let path = Path::new("spec").child("limits").index(index);
        let (type_, at) = (text(limit, "type"), path.child("type"));
        let wrong = super::names::qualified(type_);
        for wrong in &wrong {
            errors.invalid(&at, type_, wrong);
        }
        if wrong.is_empty() && !type_.contains('/') && !TYPES.contains(&type_) {
            errors.invalid(&at, type_, "must be a standard limit type or fully qualified");
        }
        if !seen.insert(type_) {
            errors.duplicate(&at, type_);
        }
        validate_limit(limit, type_, &path, errors);
    }
}

/// The amounts of one bound, after their names were checked.
fn amounts(limit: &Value, bound: &str, path: &Path, errors: &mut Errors) -> BTreeMap<String, Quantity> {
    let of_containers = ["Pod", "Container"].contains(&text(limit, "type"));
    let mut amounts = BTreeMap::new();
    for (name, amount) in entries(limit, bound) {
        let at = path.child(bound).key(name);
        match of_containers {
            true => pod_spec::resources::validate_name(name, &at, errors),
            false => pod_spec::resources::validate_any_name(name, &at, errors),
        }
        match Quantity::parse(amount.as_str().unwrap_or("")) {
            Ok(quantity) => {
                amounts.insert(name.clone(), quantity);
            }
            Err(wrong) => errors.invalid(&at, amount, &wrong),
        }
    }
    amounts
}

/// The bounds of one type of object.
struct Bounds {
    max: BTreeMap<String, Quantity>,
    min: BTreeMap<String, Quantity>,
    default: BTreeMap<String, Quantity>,
    request: BTreeMap<String, Quantity>,
    ratio: BTreeMap<String, Quantity>,
}

fn validate_limit(limit: &Value, type_: &str, path: &Path, errors: &mut Errors) {
    let (max, min) = (amounts(limit, "max", path, errors), amounts(limit, "min", path, errors));
    let (mut default, mut request) = (BTreeMap::new(), BTreeMap::new());
    if type_ == "Pod" {
        for bound in ["default", "defaultRequest"] {
            if entries(limit, bound).next().is_some() {
                errors.forbidden(&path.child(bound), "may not be specified when `type` is 'Pod'");
            }
        }
    } else {
        default = amounts(limit, "default", path, errors);
        request = amounts(limit, "defaultRequest", path, errors);
    }
    if type_ == "PersistentVolumeClaim" && !min.contains_key("storage") && !max.contains_key("storage") {
        let wrong = "either minimum or maximum storage value is required, but neither was provided";
        errors.required(&path.child("limits"), wrong);
    }
    let ratio = amounts(limit, "maxLimitRequestRatio", path, errors);
    let bounds = Bounds { max, min, default, request, ratio };
    let all = [&bounds.max, &bounds.min, &bounds.default, &bounds.request, &bounds.ratio];
    let names: BTreeSet<&String> = all.into_iter().flat_map(BTreeMap::keys).collect();
    for name in names {
        compare(&bounds, name, path, errors);
    }
}

/// Checks that the bounds of one resource fit together.
fn compare(bounds: &Bounds, name: &str, path: &Path, errors: &mut Errors) {
    let (max, min) = (bounds.max.get(name), bounds.min.get(name));
    let (default, request) = (bounds.default.get(name), bounds.request.get(name));
    let named = [
        ("min", (min, "min value"), (max, "max value"), "min"),
        ("defaultRequest", (min, "min value"), (request, "default request value"), "high"),
        ("defaultRequest", (request, "default request value"), (max, "max value"), "low"),
        ("defaultRequest", (request, "default request value"), (default, "default limit value"), "low"),
        ("default", (min, "min value"), (default, "default value"), "low"),
        ("default", (default, "default value"), (max, "max value"), "high"),
    ];
    for (bound, (low, low_name), (high, high_name), shown) in named {
        if let (Some(low), Some(high)) = (low, high)
            && low > high
        {
            let value = if shown == "high" { high } else { low };
            let wrong = format!("{low_name} {low} is greater than {high_name} {high}");
            errors.invalid(&path.child(bound).key(name), value.canonical(), &wrong);
        }
    }
    if let Some(ratio) = bounds.ratio.get(name) {
        compare_ratio(*ratio, min, max, &path.child("maxLimitRequestRatio").key(name), errors);
    }
    if let (Some(default), Some(request)) = (default, request)
        && default != request
        && !pod_spec::resources::may_be_overcommitted(name)
    {
        let wrong = format!("default value {default} must equal to defaultRequest value {request} in {name}");
        errors.invalid(&path.child("defaultRequest").key(name), request.canonical(), &wrong);
    }
}

fn compare_ratio(ratio: Quantity, min: Option<&Quantity>, max: Option<&Quantity>, path: &Path, errors: &mut Errors) {
    if ratio < Quantity::from_millis(1000) {
        errors.invalid(path, ratio.canonical(), &format!("ratio {ratio} is less than 1"));
    }
    if let (Some(min), Some(max)) = (min, max) {
        let most = max.millis() as f64 / min.millis() as f64;
        if ratio.millis() as f64 / 1000.0 > most {
            let wrong = format!("ratio {ratio} is greater than max/min = {most:.6}");
            errors.invalid(path, ratio.canonical(), &wrong);
        }
    }
}

#[cfg(test)]
mod tests;
