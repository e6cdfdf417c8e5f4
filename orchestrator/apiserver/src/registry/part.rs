//! The parts of objects that changes are about, and the rules of each.

use super::timestamp;
use orchestrator_apimachinery::Kind;
use orchestrator_apimachinery::field::Errors;
use orchestrator_apimachinery::kinds::{certificate_signing_request, pod};
use serde_json::{Value, json};

/// Which part of an object a change is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Everything but status.
    Main,
    /// Status alone.
    Status,
    /// The ephemeral containers of a Pod.
    Ephemeral,
    /// The resources of a Pod's containers.
    Resize,
    /// Who approved or denied a CertificateSigningRequest.
    Approval,
    /// What the server itself changes, unchecked (bindings, finalizers of namespaces).
    Raw,
}

impl Part {
    /// Takes over from the old object what is not of this part.
    pub fn prepare(self, kind: &Kind, new: &mut Value, old: &Value, now: i64) {
        let owners = new["metadata"].get("managedFields").cloned();
        match self {
            Part::Main => kind.prepare_update(new, old),
            Part::Status | Part::Raw => kind.prepare_status_update(new, old),
            Part::Ephemeral => pod::prepare_ephemeral(new, old),
            Part::Resize => pod::prepare_resize(new, old),
            Part::Approval => certificate_signing_request::prepare_approval(new, old),
        }
        if matches!(self, Part::Ephemeral | Part::Resize)
            && let Some(owners) = owners
        {
            new["metadata"]["managedFields"] = owners;
        }
        if &*kind.plural == "certificatesigningrequests" && self != Part::Main {
            date_conditions(new, old, &timestamp(now));
        }
    }

    /// Checks the new object.
    pub fn validate(self, kind: &Kind, new: &Value, old: &Value, errors: &mut Errors) {
        let own = match self {
            Part::Main | Part::Status | Part::Raw => return kind.validate_change(new, old, errors),
            Part::Ephemeral => pod::validate_ephemeral_update,
            Part::Resize => pod::validate_resize,
            Part::Approval => certificate_signing_request::validate_approval,
        };
        (kind.strategy.validate)(new, errors);
        own(new, old, errors);
    }
}

/// Fills in the times of conditions that a client left out.
fn date_conditions(new: &mut Value, old: &Value, now: &str) {
    let before = old["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let Some(conditions) = new["status"]["conditions"].as_array_mut() else { return };
    for condition in conditions {
        if condition["lastUpdateTime"].is_null() {
            condition["lastUpdateTime"] = json!(now);
        }
        if condition["lastTransitionTime"].is_null() {
            let same = |old: &&Value| old["type"] == condition["type"] && old["status"] == condition["status"];
            let since = before.iter().find(same).map(|old| old["lastTransitionTime"].clone());
            condition["lastTransitionTime"] = since.filter(|time| !time.is_null()).unwrap_or_else(|| json!(now));
        }
    }
}
