//! Claims on devices: `resourceClaims` of a Pod, and the uses that containers make of them.

use crate::field::{Errors, FieldError, Path, Reason};
use crate::kinds::fields::{indexed, text};
use crate::kinds::names;
use crate::limits::{FIELD_REPORTS_MAX, NAMES_SHOWN_MAX};
use serde_json::Value;
use std::collections::BTreeSet;

/// Checks `resourceClaims` of a PodSpec and returns their names.
pub fn validate(spec: &Value, path: &Path, errors: &mut Errors) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for (index, claim) in indexed(spec, "resourceClaims") {
        let (name, path) = (text(claim, "name"), path.child("resourceClaims").index(index));
        if name.is_empty() {
            errors.required(&path.child("name"), "");
        } else {
            if !seen.insert(name.to_owned()) {
                errors.duplicate(&path.child("name"), name);
            }
            for wrong in names::dns_label(name) {
                errors.invalid(&path.child("name"), name, &wrong);
            }
        }
        let given = ["resourceClaimName", "resourceClaimTemplateName"];
        match given.into_iter().filter(|field| !claim[*field].is_null()).count() {
            0 => {
                let wrong = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`";
                errors.invalid(&path, claim, wrong);
            }
            1 => {}
            _ => {
                let wrong = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified";
                errors.invalid(&path, claim, wrong);
            }
        }
        for field in given {
            if let Some(name) = claim[field].as_str() {
                for wrong in names::dns_subdomain(name) {
                    errors.invalid(&path.child(field), name, &wrong);
                }
            }
        }
    }
    seen
}

/// Checks `claims` of a container's resources against the Pod's.
pub fn validate_uses(resources: &Value, claims: &BTreeSet<String>, path: &Path, errors: &mut Errors) {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for (index, used) in indexed(resources, "claims") {
        if errors.0.len() >= FIELD_REPORTS_MAX {
            return;
        }
        let (name, request, path) = (text(used, "name"), text(used, "request"), path.child("claims").index(index));
        if name.is_empty() {
            errors.required(&path, "");
            continue;
        }
        if !request.is_empty() {
            for wrong in names::dns_label(request) {
                errors.invalid(&path.child("request"), request, &wrong);
            }
        }
        let key = if request.is_empty() { name.to_owned() } else { format!("{name}/{request}") };
        let whole = request.is_empty();
        let parts = format!("{name}/");
        let overlaps = || seen.range(parts.clone()..).next().is_some_and(|other| other.starts_with(&parts));
        if seen.contains(name) || (whole && overlaps()) {
            errors.duplicate(&path, name);
        } else if seen.contains(&key) {
            errors.duplicate(&path, &key);
        }
        seen.insert(key);
        if !claims.contains(name) {
            let shown: Vec<&str> = claims.iter().map(String::as_str).take(NAMES_SHOWN_MAX).collect();
            let rest = if shown.is_empty() { " which is empty".to_owned() } else { format!(": {}", shown.join(", ")) };
            let message = format!("Not found: {name:?}: must be one of the names in pod.spec.resourceClaims{rest}");
            errors.0.push(FieldError { reason: Reason::NotFound, field: path.to_string(), message });
        }
    }
}
