//! What claims and volumes get and may not do: the default class, protection, growth.

use super::{Admission, Operation};
use crate::registry::ObjectReader;
use orchestrator_apimachinery::quantity::Quantity;
use orchestrator_apimachinery::{ApiError, meta};
use serde_json::{Value, json};

const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";
const GROUP: &str = "storage.k8s.io";

fn is_claim(admission: &Admission<'_>) -> bool {
    let kind = admission.writing.kind;
    kind.group.is_empty() && kind.plural == "persistentvolumeclaims" && admission.writing.what.subresource.is_empty()
}

/// The marked default among classes: the newest, of equally old ones the first by name.
pub(super) fn default_class(classes: &[bytes::Bytes], annotation: &str) -> Option<String> {
    let marked = classes.iter().filter_map(|bytes| serde_json::from_slice::<Value>(bytes).ok());
    let marked = marked.filter(|class| class["metadata"]["annotations"][annotation] == "true");
    let key = |class: &Value| {
        let created = class["metadata"]["creationTimestamp"].as_str().unwrap_or_default().to_owned();
        (created, std::cmp::Reverse(meta::name(class).to_owned()))
    };
    marked.max_by_key(key).map(|class| meta::name(&class).to_owned())
}

/// DefaultStorageClass: a new claim that names no class gets the default one.
pub(super) fn mutate_class(admission: &Admission<'_>, claim: &mut Value) -> Result<(), ApiError> {
    let named = claim["spec"]["storageClassName"].is_string()
        || claim["metadata"]["annotations"]["volume.beta.kubernetes.io/storage-class"].is_string();
    if !is_claim(admission) || admission.operation != Operation::Create || named {
        return Ok(());
    }
    let classes = admission.registry.caches.list(GROUP, "storageclasses", None);
    if let Some(class) = default_class(&classes, DEFAULT_CLASS) {
        claim["spec"]["storageClassName"] = json!(class);
    }
    Ok(())
}

/// PersistentVolumeClaimResize: a bound claim grows only where its class lets it.
pub(super) fn validate_growth(admission: &Admission<'_>, claim: &Value) -> Result<(), ApiError> {
    let (true, Operation::Update, Some(old)) = (is_claim(admission), admission.operation, admission.old) else {
        return Ok(());
    };
    let size = |claim: &Value| Quantity::parse(claim["spec"]["resources"]["requests"]["storage"].as_str()?).ok();
    if size(claim) <= size(old) {
        return Ok(());
    }
    let refuse = |why: &str| Err(admission.writing.forbidden(meta::name(claim), why));
    if old["status"]["phase"] != "Bound" {
        return refuse("Only bound persistent volume claims can be expanded");
    }
    let class = claim["spec"]["storageClassName"].as_str().unwrap_or_default();
    let class = admission.read(GROUP, "storageclasses", "", class);
    if class.is_some_and(|class| class["allowVolumeExpansion"] == true) {
        return Ok(());
    }
    refuse(
        "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize",
    )
}
