//! Who may ask for, approve and sign certificates (upstream's CertificateSubjectRestriction,
//! CertificateApproval and CertificateSigning), and who is written down as the requester.

use super::{Admission, Operation};
use crate::auth::{Attributes, is_signed_by_its_key, request_of_pem};
use orchestrator_apimachinery::field::{Errors, Path};
use orchestrator_apimachinery::{ApiError, meta};
use serde_json::{Value, json};

const GROUP: &str = "certificates.k8s.io";
const CLIENT_SIGNER: &str = "kubernetes.io/kube-apiserver-client";
const SUPERUSERS: &str = "system:masters";

fn is_request(admission: &Admission<'_>) -> bool {
    let kind = admission.writing.kind;
    kind.group == GROUP && kind.plural == "certificatesigningrequests"
}

/// The requester is who asks, whatever the body says.
pub(super) fn mutate(admission: &Admission<'_>, request: &mut Value) -> Result<(), ApiError> {
    if !is_request(admission) || admission.operation != Operation::Create {
        return Ok(());
    }
    let who = admission.writing.who;
    let spec = &mut request["spec"];
    spec["username"] = json!(who.name);
    spec["groups"] = json!(who.groups);
    for (field, value, empty) in
        [("uid", json!(who.uid), who.uid.is_empty()), ("extra", json!(who.extra), who.extra.is_empty())]
    {
        match (empty, spec.as_object_mut()) {
            (true, Some(fields)) => {
                fields.remove(field);
            }
            _ => spec[field] = value,
        }
    }
    Ok(())
}

pub(super) fn validate(admission: &Admission<'_>, request: &Value) -> Result<(), ApiError> {
    if !is_request(admission) {
        return Ok(());
    }
    match (admission.operation, admission.writing.what.subresource.as_str()) {
        (Operation::Create, _) => {
            check_signature(request)?;
            restrict_subject(admission, request)
        }
        (Operation::Update, "approval") => may(admission, request, "approve"),
        (Operation::Update, "status") => {
            let before = admission.old.unwrap_or(&Value::Null);
            let signs = request["status"]["certificate"] != before["status"]["certificate"]
                || conditions(request, "Failed") != conditions(before, "Failed");
            if signs { may(admission, request, "sign") } else { Ok(()) }
        }
        _ => Ok(()),
    }
}

fn conditions(request: &Value, type_: &str) -> usize {
    let conditions = request["status"]["conditions"].as_array().into_iter().flatten();
    conditions.filter(|condition| condition["type"] == type_).count()
}

/// Asks for the verb on the signer itself, or on all signers of its domain.
fn may(admission: &Admission<'_>, request: &Value, verb: &str) -> Result<(), ApiError> {
    let signer = request["spec"]["signerName"].as_str().unwrap_or_default();
    let domain = signer.split_once('/').map_or(signer, |(domain, _)| domain);
    let allowed = [signer.to_owned(), format!("{domain}/*")].into_iter().any(|name| {
        let what = Attributes {
            verb: verb.into(),
            group: GROUP.into(),
            version: "*".into(),
            resource: "signers".into(),
            name,
            ..Attributes::default()
        };
        admission.registry.rbac.decide(admission.writing.who, &what).is_ok()
    });
    if allowed {
        return Ok(());
    }
    let why = format!("user not permitted to {verb} requests with signerName {signer:?}");
    Err(admission.writing.forbidden(meta::name(request), &why))
}

/// Nobody gets a client certificate of the superusers' group this way.
fn restrict_subject(admission: &Admission<'_>, request: &Value) -> Result<(), ApiError> {
    if request["spec"]["signerName"] != CLIENT_SIGNER {
        return Ok(());
    }
    let asked = request_of_pem(request["spec"]["request"].as_str().unwrap_or_default());
    if asked.is_some_and(|asked| asked.organizations.iter().any(|group| group == SUPERUSERS)) {
        let why = format!("use of {CLIENT_SIGNER} signer with {SUPERUSERS} group is not allowed");
        return Err(admission.writing.forbidden(meta::name(request), &why));
    }
    Ok(())
}

/// Who asks must hold the key; what is no request at all, the kind's own rules refuse.
fn check_signature(request: &Value) -> Result<(), ApiError> {
    let text = request["spec"]["request"].as_str().unwrap_or_default();
    if is_signed_by_its_key(text) != Some(false) {
        return Ok(());
    }
    let mut errors = Errors::default();
    errors.invalid(&Path::new("spec").child("request"), text, "x509: the signature of the request is not its key's");
    Err(ApiError::invalid(GROUP, "CertificateSigningRequest", meta::name(request), &errors))
}
