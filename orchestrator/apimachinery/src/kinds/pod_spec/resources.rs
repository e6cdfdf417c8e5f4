//! Rules of resource amounts.

use crate::field::{Errors, Path};
use crate::kinds::checks::NOT_NEGATIVE;
use crate::kinds::fields::{entries, text};
use crate::kinds::names;
use crate::quantity::Quantity;
use serde_json::Value;

/// What a container may ask for without a domain in the name.
const CONTAINER_RESOURCES: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];
/// What quotas and limits may be set of without a domain in the name.
const STANDARD: [&str; 20] = [
    "cpu",
    "memory",
    "ephemeral-storage",
    "storage",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
    "requests.storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
];

/// Rewrites the amounts of a map in their canonical form, rounded up to thousandths; what is no quantity is left for
/// validation to find.
pub fn canonicalize(value: &mut Value, key: &str) {
    for amount in value.get_mut(key).and_then(Value::as_object_mut).into_iter().flat_map(|map| map.values_mut()) {
        let shown = match amount {
            Value::String(shown) => shown.clone(),
            Value::Number(number) => number.to_string(),
            _ => continue,
        };
        if let Ok(quantity) = Quantity::parse(&shown) {
            *amount = quantity.rounded_to_millis().canonical().into();
        }
    }
}

/// Checks that all amounts of a map are quantities and none is negative.
pub fn validate_list(list: &Value, path: &Path, errors: &mut Errors) {
    for (name, amount) in list.as_object().into_iter().flatten() {
        amount_of(amount, &path.key(name), errors);
    }
}

/// Checks that an amount is a quantity and not negative.
pub fn validate_amount_of(amount: &Value, path: &Path, errors: &mut Errors) {
    amount_of(amount, path, errors);
}

/// The quantity, unless it is none or negative.
fn amount_of(amount: &Value, path: &Path, errors: &mut Errors) -> Option<Quantity> {
    match Quantity::parse(amount.as_str().unwrap_or("")) {
        Err(wrong) => {
            errors.invalid(path, amount, &wrong);
            None
        }
        Ok(quantity) if quantity.is_negative() => {
            errors.invalid(path, amount, NOT_NEGATIVE);
            None
        }
        Ok(quantity) => Some(quantity),
    }
}

fn is_extended(name: &str) -> bool {
    name.contains('/') && !name.starts_with("kubernetes.io/") && !name.contains(".kubernetes.io/")
}

fn is_huge_page(name: &str) -> bool {
    name.starts_with("hugepages-")
}

/// Whether requests may be smaller than limits: not for devices and huge pages.
pub fn may_be_overcommitted(name: &str) -> bool {
    !is_extended(name) && !is_huge_page(name)
}

/// Checks the name of a resource that anything may have.
pub fn validate_any_name(name: &str, path: &Path, errors: &mut Errors) {
    let wrong = names::qualified(name);
    for wrong in &wrong {
        errors.invalid(path, name, wrong);
    }
    let is_standard = STANDARD.contains(&name) || name.starts_with("requests.hugepages-");
    if wrong.is_empty() && !name.contains('/') && !is_standard && !is_huge_page(name) {
        errors.invalid(path, name, "must be a standard resource type or fully qualified");
    }
}

/// Checks the name of a resource that a container may ask for.
pub fn validate_name(name: &str, path: &Path, errors: &mut Errors) {
    validate_any_name(name, path, errors);
    if !name.contains('/') && !CONTAINER_RESOURCES.contains(&name) && !is_huge_page(name) {
        errors.invalid(path, name, "must be a standard resource for containers");
    } else if is_extended(name) && name.starts_with("requests.") {
        errors.invalid(path, name, "doesn't follow extended resource name standard");
    }
}

/// Checks `resources` of a container.
pub fn validate(resources: &Value, path: &Path, errors: &mut Errors) {
    huge_pages_are_not_alone(resources, path, errors);
    let (limits_at, requests_at) = (path.child("limits"), path.child("requests"));
    for (name, amount) in entries(resources, "limits") {
        validate_amount(name, amount, &limits_at.key(name), errors);
    }
    for (name, amount) in entries(resources, "requests") {
        let Some(request) = validate_amount(name, amount, &requests_at.key(name), errors) else { continue };
        let limit = Quantity::parse(text(&resources["limits"], name)).ok();
        let fixed = is_extended(name) || is_huge_page(name);
        match limit {
            None if fixed => errors.required(&limits_at, "Limit must be set for non overcommitable resources"),
            Some(limit) if fixed && request != limit => {
                let wrong = format!("must be equal to {name} limit of {limit}");
                errors.invalid(&requests_at, request.canonical(), &wrong);
            }
            Some(limit) if request > limit => {
                let wrong = format!("must be less than or equal to {name} limit of {limit}");
                errors.invalid(&requests_at, request.canonical(), &wrong);
            }
            _ => {}
        }
    }
}

/// Huge pages need something beside them.
fn huge_pages_are_not_alone(resources: &Value, path: &Path, errors: &mut Errors) {
    let all = || ["limits", "requests"].into_iter().flat_map(|kind| entries(resources, kind)).map(|(name, _)| name);
    if all().any(|name| is_huge_page(name)) && !all().any(|name| name == "cpu" || name == "memory") {
        errors.forbidden(path, "HugePages require cpu or memory");
    }
}

fn validate_amount(name: &str, amount: &Value, path: &Path, errors: &mut Errors) -> Option<Quantity> {
    validate_name(name, path, errors);
    let quantity = amount_of(amount, path, errors)?;
    if is_extended(name) && !quantity.is_integer() {
        errors.invalid(path, amount, "must be an integer");
    }
    if let Some(size) = name.strip_prefix("hugepages-").and_then(|size| Quantity::parse(size).ok())
        && size.value() > 0
        && quantity.value() % size.value() != 0
    {
        errors.invalid(path, amount, &format!("{quantity} is not positive integer multiple of {name}"));
    }
    Some(quantity)
}
