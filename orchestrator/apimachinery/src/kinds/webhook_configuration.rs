//! MutatingWebhookConfiguration and ValidatingWebhookConfiguration: two kinds, one set of rules.

use super::admission::{self, CATEGORY, FAILURE_POLICIES, GROUP, MATCH_POLICIES, REINVOCATION_POLICIES};
use super::checks::{one_of_or_empty, texts};
use super::fields::{default, default_text, indexed, int, list, list_mut, object_mut, text};
use super::{AGE, NAME, cells, cluster, columns, domains, names, state};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use serde_json::Value;
use std::collections::BTreeSet;

mod address;

/// The rows of the two kinds.
pub fn kinds() -> Vec<Kind> {
    let row = |kind, default| Kind {
        categories: super::texts(&[CATEGORY]),
        columns: columns(&[NAME, ("Webhooks", "integer", 0, "How many webhooks it registers."), AGE]),
        strategy: Strategy {
            default,
            prepare_create: state::first_generation,
            prepare_update: |object, old| state::raise_generation(object, old, &["webhooks"]),
            validate,
            cells: |object, now| {
                vec![cells::name(object), list(object, "webhooks").len().into(), cells::age(object, now)]
            },
            ..Strategy::default()
        },
        ..kind
    };
    vec![
        row(cluster(GROUP, "MutatingWebhookConfiguration", "mutatingwebhookconfigurations"), |object| {
            fill(object);
            list_mut(object, "webhooks").for_each(|hook| default_text(hook, "reinvocationPolicy", "Never"));
        }),
        row(cluster(GROUP, "ValidatingWebhookConfiguration", "validatingwebhookconfigurations"), fill),
    ]
}

/// Versions of the AdmissionReview that the server speaks.
const REVIEW_VERSIONS: [&str; 2] = ["v1", "v1beta1"];
const SIDE_EFFECTS: [&str; 2] = ["None", "NoneOnDryRun"];
const TIMEOUT_SECONDS: i64 = 10;
const TIMEOUT_SECONDS_MAX: i64 = 30;
const HTTPS_PORT: i64 = 443;

fn fill(object: &mut Value) {
    for hook in list_mut(object, "webhooks") {
        default_text(hook, "failurePolicy", "Fail");
        admission::default_selectors(hook);
        default(hook, "timeoutSeconds", TIMEOUT_SECONDS);
        admission::default_rules(hook, "rules");
        let client = object_mut(hook, "clientConfig");
        if let Some(service) = client.and_then(|client| object_mut(client, "service")) {
            default(service, "port", HTTPS_PORT);
        }
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, hook) in indexed(object, "webhooks") {
        let (path, name) = (Path::new("webhooks").index(index), text(hook, "name"));
        validate_hook(hook, &path, errors);
        validate_review_versions(hook, &path.child("admissionReviewVersions"), errors);
        if !name.is_empty() && !seen.insert(name) {
            errors.duplicate(&path.child("name"), name);
        }
    }
}

fn validate_hook(hook: &Value, path: &Path, errors: &mut Errors) {
    domains::fully_qualified(text(hook, "name"), &path.child("name"), errors);
    admission::validate_rules(hook, "rules", path, errors);
    for (field, allowed) in [("failurePolicy", FAILURE_POLICIES), ("matchPolicy", MATCH_POLICIES)] {
        one_of_or_empty(text(hook, field), &allowed, &path.child(field), errors);
    }
    let (side_effects, at) = (text(hook, "sideEffects"), path.child("sideEffects"));
    if side_effects.is_empty() {
        errors.required(&at, &format!("must specify one of {}", SIDE_EFFECTS.join(", ")));
    }
    one_of_or_empty(side_effects, &SIDE_EFFECTS, &at, errors);
    let timeout = int(hook, "timeoutSeconds");
    if let Some(timeout) = timeout.filter(|timeout| !(1..=TIMEOUT_SECONDS_MAX).contains(timeout)) {
        let wrong = "the timeout value must be between 1 and 30 seconds";
        errors.invalid(&path.child("timeoutSeconds"), timeout, wrong);
    }
    admission::validate_selectors(hook, path, errors);
    let at = path.child("reinvocationPolicy");
    one_of_or_empty(text(hook, "reinvocationPolicy"), &REINVOCATION_POLICIES, &at, errors);
    let (client, at) = (&hook["clientConfig"], path.child("clientConfig"));
    match (client["url"].as_str(), &client["service"]) {
        (Some(url), Value::Null) => address::validate_url(url, &at.child("url"), errors),
        (None, service) if !service.is_null() => address::validate_service(service, &at.child("service"), errors),
        _ => errors.required(&at, "exactly one of url or service is required"),
    }
    admission::validate_conditions(hook, path, errors);
}

fn validate_review_versions(hook: &Value, path: &Path, errors: &mut Errors) {
    let versions = texts(hook, "admissionReviewVersions");
    if versions.is_empty() {
        errors.required(path, &format!("must specify one of {}", REVIEW_VERSIONS.join(", ")));
        return;
    }
    let mut seen = BTreeSet::new();
    for (index, version) in versions.iter().enumerate() {
        if !seen.insert(version) {
            errors.invalid(&path.index(index), version, "duplicate version");
            continue;
        }
        for wrong in names::dns_1035_label(version) {
            errors.invalid(&path.index(index), version, &wrong);
        }
    }
    if !versions.iter().any(|version| REVIEW_VERSIONS.contains(version)) {
        let wrong = format!("must include at least one of {}", REVIEW_VERSIONS.join(", "));
        errors.invalid(path, &versions, &wrong);
    }
}

#[cfg(test)]
mod tests;
