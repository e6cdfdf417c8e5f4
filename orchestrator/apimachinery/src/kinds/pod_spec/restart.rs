//! Rules of what restarts and resizes a container: its restart policy, the rules beside it, its resize policy.

use crate::field::{Errors, Path};
use crate::kinds::checks::too_many;
use crate::kinds::fields::{indexed, list, text};
use serde_json::Value;
use std::collections::BTreeSet;

const POLICIES: [&str; 3] = ["Always", "Never", "OnFailure"];
const ACTIONS: [&str; 2] = ["Restart", "RestartAllContainers"];
const OPERATORS: [&str; 2] = ["In", "NotIn"];
const RULES_MAX: usize = 20;
const EXIT_CODES_MAX: usize = 255;

/// Checks `restartPolicy` and `restartPolicyRules` of a container or init container.
pub fn validate_policy(container: &Value, path: &Path, errors: &mut Errors) {
    let (rules, at) = (list(container, "restartPolicyRules"), path.child("restartPolicyRules"));
    match container["restartPolicy"].as_str() {
        None if rules.is_empty() => return,
        None => {
            let wrong = "must specify restartPolicy when restart rules are used";
            errors.required(&path.child("restartPolicy"), wrong);
        }
        Some(policy) if !POLICIES.contains(&policy) => {
            errors.not_supported(&path.child("restartPolicy"), policy, &POLICIES);
        }
        Some(_) => {}
    }
    too_many(&at, rules.len(), RULES_MAX, errors);
    for (index, rule) in rules.iter().enumerate() {
        let path = at.index(index);
        let (action, codes) = (text(rule, "action"), &rule["exitCodes"]);
        if !ACTIONS.contains(&action) {
            errors.not_supported(&path.child("action"), action, &ACTIONS);
        }
        let path = path.child("exitCodes");
        if codes.is_null() {
            errors.required(&path, "must be specified");
            continue;
        }
        if !OPERATORS.contains(&text(codes, "operator")) {
            errors.not_supported(&path.child("operator"), text(codes, "operator"), &OPERATORS);
        }
        too_many(&path.child("values"), list(codes, "values").len(), EXIT_CODES_MAX, errors);
    }
}

/// Checks `resizePolicy`; `pod_policy` is the Pod's restart policy.
pub fn validate_resize_policy(container: &Value, pod_policy: &str, path: &Path, errors: &mut Errors) {
    let path = path.child("resizePolicy");
    let mut seen = BTreeSet::new();
    for (index, policy) in indexed(container, "resizePolicy") {
        let (resource, restart) = (text(policy, "resourceName"), text(policy, "restartPolicy"));
        if !seen.insert(resource) {
            errors.duplicate(&path.index(index), resource);
        }
        for (given, supported) in [(resource, ["cpu", "memory"]), (restart, ["NotRequired", "RestartContainer"])] {
            match given {
                "" => errors.required(&path, ""),
                given if supported.contains(&given) => {}
                given => errors.not_supported(&path, given, &supported),
            }
        }
        if pod_policy == "Never" && restart != "NotRequired" {
            errors.invalid(&path, restart, "must be 'NotRequired' when pod `restartPolicy` is 'Never'");
        }
    }
}

/// An init container that ends before the others begin cannot be restarted for a new size.
pub fn ends_before_resize(container: &Value, path: &Path, errors: &mut Errors) {
    for (index, policy) in indexed(container, "resizePolicy") {
        if text(policy, "restartPolicy") == "RestartContainer" {
            let at = path.child("resizePolicy").index(index).child("restartPolicy");
            let wrong = "must not be set to 'RestartContainer' for non-sidecar initContainers";
            errors.invalid(&at, "RestartContainer", wrong);
        }
    }
}
