//! PodSecurity: a Namespace's labels say which of the Pod Security Standards its Pods keep.
//!
//! Source: <https://kubernetes.io/docs/concepts/security/pod-security-admission/>

mod checks;
#[cfg(test)]
mod tests;

use super::{Admission, Operation, is_pod};
use crate::audit;
use orchestrator_apimachinery::field::{Errors, Path};
use orchestrator_apimachinery::{ApiError, meta};
use serde_json::Value;

const PREFIX: &str = "pod-security.kubernetes.io/";

/// A level of the standards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Privileged,
    Baseline,
    Restricted,
}

impl Level {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "privileged" => Some(Level::Privileged),
            "baseline" => Some(Level::Baseline),
            "restricted" => Some(Level::Restricted),
            _ => None,
        }
    }
}

/// A mode's level, and how the label and its version spell it.
fn policy(namespace: &Value, mode: &str) -> (Level, String) {
    let labels = &namespace["metadata"]["labels"];
    let text = |suffix: &str| labels[format!("{PREFIX}{mode}{suffix}")].as_str();
    let level = text("").unwrap_or("privileged");
    let version = text("-version").unwrap_or("latest");
    // What cannot be read is the strictest, as upstream has it.
    (Level::parse(level).unwrap_or(Level::Restricted), format!("{level}:{version}"))
}

/// Fields of a Pod that may change without asking again.
fn is_unchanged(admission: &Admission<'_>, pod: &Value) -> bool {
    admission.old.is_some_and(|old| old["spec"] == pod["spec"])
}

pub(super) fn validate(admission: &Admission<'_>, object: &Value) -> Result<(), ApiError> {
    let writing = admission.writing;
    if admission.operation == Operation::Delete {
        return Ok(());
    }
    if writing.kind.group.is_empty() && writing.kind.plural == "namespaces" {
        return validate_labels(admission, object);
    }
    let part = &*writing.what.subresource;
    if is_pod(writing) {
        if !matches!(part, "" | "ephemeralcontainers") || is_unchanged(admission, object) {
            return Ok(());
        }
        return validate_pod(admission, object);
    }
    if part.is_empty() {
        warn_of_template(admission, object);
    }
    Ok(())
}

fn validate_pod(admission: &Admission<'_>, pod: &Value) -> Result<(), ApiError> {
    let Some(namespace) = admission.namespace_object() else { return Ok(()) };
    let (level, name) = policy(namespace, "enforce");
    let violations = checks::violations(level, &pod["spec"], &pod["metadata"]);
    audit::note(format!("{PREFIX}enforce-policy"), name.clone());
    if !violations.is_empty() {
        let why = format!("violates PodSecurity {name:?}: {}", violations.join(", "));
        return Err(admission.writing.forbidden(meta::name(pod), &why));
    }
    warn(admission, namespace, &pod["spec"], &pod["metadata"]);
    Ok(())
}

/// Tells, in a warning and in the audit log, what would not be let in at other levels.
fn warn(admission: &Admission<'_>, namespace: &Value, spec: &Value, metadata: &Value) {
    let would_violate = |mode: &str| {
        let (level, name) = policy(namespace, mode);
        let violations = checks::violations(level, spec, metadata);
        (!violations.is_empty()).then(|| format!("would violate PodSecurity {name:?}: {}", violations.join(", ")))
    };
    admission.warn(would_violate("warn"));
    if let Some(text) = would_violate("audit") {
        audit::note(format!("{PREFIX}audit-violations"), text);
    }
}

/// Who makes Pods is warned of what its template violates.
fn warn_of_template(admission: &Admission<'_>, object: &Value) {
    let templates =
        [&object["spec"]["template"], &object["spec"]["jobTemplate"]["spec"]["template"], &object["template"]];
    let Some(template) = templates.into_iter().find(|template| template["spec"]["containers"].is_array()) else {
        return;
    };
    if let Some(namespace) = admission.namespace_object() {
        warn(admission, namespace, &template["spec"], &template["metadata"]);
    }
}

/// The labels of a Namespace must name levels.
fn validate_labels(admission: &Admission<'_>, namespace: &Value) -> Result<(), ApiError> {
    let mut errors = Errors::default();
    let labels = &namespace["metadata"]["labels"];
    for mode in ["enforce", "audit", "warn"] {
        let key = format!("{PREFIX}{mode}");
        let path = Path::new("metadata").child("labels").key(&key);
        let unchanged = admission.old.is_some_and(|old| old["metadata"]["labels"][&key] == labels[&key]);
        if let Some(text) = labels[&key].as_str().filter(|text| Level::parse(text).is_none() && !unchanged) {
            errors.invalid(&path, text, "must be one of privileged, baseline, restricted");
        }
        let key = format!("{key}-version");
        if let Some(text) = labels[&key].as_str().filter(|text| !is_version(text)) {
            let path = Path::new("metadata").child("labels").key(&key);
            errors.invalid(&path, text, "must be \"latest\" or \"v1.x\"");
        }
    }
    if errors.is_empty() {
        return Ok(());
    }
    Err(ApiError::invalid("", "Namespace", meta::name(namespace), &errors))
}

fn is_version(text: &str) -> bool {
    text == "latest" || text.strip_prefix("v1.").is_some_and(|minor| minor.parse::<u32>().is_ok())
}
