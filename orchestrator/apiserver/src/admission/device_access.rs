//! Claims for devices that others use may be made only in namespaces whose label allows that.
//!
//! Source: <https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/>, admin access

use super::{Admission, Operation};
use orchestrator_apimachinery::field::{Errors, Path};
use orchestrator_apimachinery::{ApiError, meta};
use serde_json::Value;

const LABEL: &str = "resource.kubernetes.io/admin-access";

/// Checks new ResourceClaims and ResourceClaimTemplates.
pub(super) fn validate(admission: &Admission<'_>, object: &Value) -> Result<(), ApiError> {
    let kind = admission.writing.kind;
    if kind.group != "resource.k8s.io" || admission.operation != Operation::Create {
        return Ok(());
    }
    let spec = match &*kind.plural {
        "resourceclaims" => &object["spec"],
        "resourceclaimtemplates" => &object["spec"]["spec"],
        _ => return Ok(()),
    };
    let mut requests = spec["devices"]["requests"].as_array().into_iter().flatten();
    let Some(index) = requests.position(|request| request["exactly"]["adminAccess"] == true) else { return Ok(()) };
    let namespace = admission.namespace_object();
    if namespace.is_some_and(|namespace| namespace["metadata"]["labels"][LABEL] == "true") {
        return Ok(());
    }
    let path = Path::new("spec").child("devices").child("requests").index(index).child("adminAccess");
    let mut errors = Errors::default();
    let why = format!("admin access to devices requires the `{LABEL}: true` label on the containing namespace");
    errors.forbidden(&path, &why);
    Err(ApiError::invalid(&kind.group, &kind.kind, meta::name(object), &errors))
}
