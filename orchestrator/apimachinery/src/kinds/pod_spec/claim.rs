//! Claims on devices: `resourceClaims` of a Pod, and the uses that containers make of them.

use crate::field::{Errors, Path};
use crate::kinds::fields::{indexed, text};
use crate::kinds::names;
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
    let mut seen = BTreeSet::new();
    for (index, used) in indexed(resources, "claims") {
        let (name, path) = (text(used, "name"), path.child("claims").index(index));
        if name.is_empty() {
            errors.required(&path, "");
            continue;
        }
        if !seen.insert((name, text(used, "request"))) {
            errors.duplicate(&path, name);
        }
        if !claims.contains(name) {
            errors.not_found(&path, name);
        }
    }
}
