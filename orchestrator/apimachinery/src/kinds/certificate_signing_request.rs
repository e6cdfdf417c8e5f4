//! CertificateSigningRequest.
//!
//! The server itself fills `spec.username`, `uid`, `groups` and `extra` at creation from whoever
//! asks, and the times of conditions; both need more than the object, so they are not done here.

use super::checks::{fits, texts as values, unique};
use super::fields::{copy, indexed, int, list, remove, text};
use super::{AGE, NAME, PART_VERBS, cells, cluster, columns, conditions, domains, state, status, subresource, texts};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use crate::table::human_duration;
use serde_json::{Value, json};
use std::collections::BTreeSet;

mod pem;

/// The row of CertificateSigningRequest.
pub fn kind() -> Kind {
    Kind {
        short_names: texts(&["csr"]),
        subresources: vec![subresource("approval", &PART_VERBS), status()],
        selectable_fields: texts(&["spec.signerName"]),
        columns: columns(&[
            NAME,
            AGE,
            ("SignerName", "string", 0, "Who is to sign."),
            ("Requestor", "string", 0, "Who asked."),
            ("RequestedDuration", "string", 0, "For how long the certificate shall be good."),
            ("Condition", "string", 0, "How far it is."),
        ]),
        strategy: strategy(),
        ..cluster("certificates.k8s.io", "CertificateSigningRequest", "certificatesigningrequests")
    }
}

const USAGES: [&str; 23] = [
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
];
const EXPIRATION_SECONDS_MIN: i64 = 600;
const LEGACY_SIGNER: &str = "kubernetes.io/legacy-unknown";
/// Conditions that stay once they are there, and can only be true.
const DECISIONS: [&str; 3] = ["Approved", "Denied", "Failed"];
/// Those of them that only `approval` may write.
const APPROVALS: [&str; 2] = ["Approved", "Denied"];

fn strategy() -> Strategy {
    Strategy {
        name: super::names::path_segment,
        prepare_create: |object| object["status"] = json!({}),
        prepare_update: |object, old| {
            copy(object, old, "spec");
            copy(object, old, "status");
        },
        prepare_status_update: state::update_status,
        validate,
        validate_update: |object, old, errors| {
            decisions_stay(object, old, errors);
            approvals_stay(object, old, errors);
            certificate_stays(object, old, errors);
        },
        cells: row,
        ..Strategy::default()
    }
}

/// Prepares a write of the subresource `approval`: of the status, only conditions are taken from it. Arguments: new, old.
pub fn prepare_approval(object: &mut Value, old: &Value) {
    state::update_status(object, old);
    match old["status"].get("certificate") {
        Some(certificate) => object["status"]["certificate"] = certificate.clone(),
        None => remove(&mut object["status"], "certificate"),
    }
}

/// Checks a write of the subresource `approval`, in the place of the row's `validate_update`. Arguments: new, old.
pub fn validate_approval(object: &Value, old: &Value, errors: &mut Errors) {
    decisions_stay(object, old, errors);
}

fn validate(object: &Value, errors: &mut Errors) {
    let (spec, path) = (&object["spec"], Path::new("spec"));
    if let Err(wrong) = pem::validate_request(text(spec, "request")) {
        errors.invalid(&path.child("request"), &spec["request"], &wrong);
    }
    let (usages, at) = (values(spec, "usages"), path.child("usages"));
    if usages.is_empty() {
        errors.required(&at, "");
    }
    for (index, usage) in usages.iter().enumerate().filter(|(_, usage)| !USAGES.contains(usage)) {
        errors.not_supported(&at.index(index), usage, &USAGES);
    }
    unique(usages, &at, errors);
    let (signer, at) = (text(spec, "signerName"), path.child("signerName"));
    if signer == LEGACY_SIGNER {
        errors.invalid(&at, signer, "the legacy signerName is not allowed via this API version");
    } else {
        domains::signer(signer, &at, errors);
    }
    if let Some(seconds) = int(spec, "expirationSeconds").filter(|seconds| *seconds < EXPIRATION_SECONDS_MIN) {
        let wrong = "may not specify a duration less than 600 seconds (10 minutes)";
        errors.invalid(&path.child("expirationSeconds"), seconds, wrong);
    }
    validate_conditions(&object["status"], &Path::new("status").child("conditions"), errors);
    if let Some(certificate) = object["status"]["certificate"].as_str()
        && let Err(wrong) = pem::validate_certificates(certificate)
    {
        errors.invalid(&Path::new("status").child("certificate"), "<certificate data>", &wrong);
    }
}

fn validate_conditions(status: &Value, path: &Path, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, condition) in indexed(status, "conditions") {
        let (path, type_, state) = (path.index(index), text(condition, "type"), text(condition, "status"));
        if type_.is_empty() {
            errors.required(&path.child("type"), "");
        }
        let allowed: &[&str] = if DECISIONS.contains(&type_) { &["True"] } else { &conditions::STATUSES };
        if state.is_empty() {
            errors.required(&path.child("status"), "");
        } else if !allowed.contains(&state) {
            errors.not_supported(&path.child("status"), state, allowed);
        }
        let other = match type_ {
            "Approved" => "Denied",
            "Denied" => "Approved",
            _ => "",
        };
        if seen.contains(other) {
            let wrong = vec!["Approved and Denied conditions are mutually exclusive".to_owned()];
            fits(wrong, type_, &path.child("type"), errors);
        }
        if !seen.insert(type_) {
            errors.duplicate(&path.child("type"), type_);
        }
    }
}

fn of_type<'a>(object: &'a Value, type_: &str) -> Vec<&'a Value> {
    list(&object["status"], "conditions").iter().filter(|condition| text(condition, "type") == type_).collect()
}

/// What was decided is not taken back.
fn decisions_stay(object: &Value, old: &Value, errors: &mut Errors) {
    for type_ in DECISIONS {
        if of_type(object, type_).len() < of_type(old, type_).len() {
            let wrong = format!("updates may not remove a condition of type {type_:?}");
            errors.forbidden(&Path::new("status").child("conditions"), &wrong);
        }
    }
}

fn approvals_stay(object: &Value, old: &Value, errors: &mut Errors) {
    for type_ in APPROVALS {
        let (new, old) = (of_type(object, type_), of_type(old, type_));
        let what = match new.len() {
            count if count > old.len() => "add",
            count if count == old.len() && new != old => "modify",
            _ => continue,
        };
        let wrong = format!("updates may not {what} a condition of type {type_:?}");
        errors.forbidden(&Path::new("status").child("conditions"), &wrong);
    }
}

/// A certificate is given once.
fn certificate_stays(object: &Value, old: &Value, errors: &mut Errors) {
    let (new, old) = (text(&object["status"], "certificate"), text(&old["status"], "certificate"));
    if new != old && !old.is_empty() {
        let wrong = "updates may not modify existing certificate content";
        errors.forbidden(&Path::new("status").child("certificate"), wrong);
    }
}

fn condition(object: &Value) -> String {
    let has = |type_| !of_type(object, type_).is_empty();
    let mut shown = match (has("Denied"), has("Approved")) {
        (true, _) => "Denied",
        (false, true) => "Approved",
        (false, false) => "Pending",
    }
    .to_owned();
    if has("Failed") {
        shown += ",Failed";
    }
    if !text(&object["status"], "certificate").is_empty() {
        shown += ",Issued";
    }
    shown
}

fn row(object: &Value, now: i64) -> Vec<Value> {
    let spec = &object["spec"];
    let duration = int(spec, "expirationSeconds").map_or_else(|| cells::NONE.to_owned(), human_duration);
    vec![
        cells::name(object),
        cells::age(object, now),
        cells::or(text(spec, "signerName"), cells::NONE).into(),
        text(spec, "username").into(),
        duration.into(),
        condition(object).into(),
    ]
}

#[cfg(test)]
mod tests;
