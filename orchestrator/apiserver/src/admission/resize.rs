//! PodResizeValidator: a Pod that runs does not grow beyond its node.

use super::{Admission, Operation, quota};
use orchestrator_apimachinery::quantity::Quantity;
use orchestrator_apimachinery::status::Cause;
use orchestrator_apimachinery::{ApiError, meta};
use serde_json::Value;

/// Checks `pods/resize` of a Pod that is bound to a node.
pub(super) fn validate(admission: &Admission<'_>, pod: &Value) -> Result<(), ApiError> {
    let about = super::is_pod(admission.writing) && admission.writing.what.subresource == "resize";
    let (true, Operation::Update, Some(old)) = (about, admission.operation, admission.old) else { return Ok(()) };
    let Some(name) = pod["spec"]["nodeName"].as_str().filter(|name| !name.is_empty()) else { return Ok(()) };
    if old["metadata"]["generation"] == pod["metadata"]["generation"] {
        return Ok(());
    }
    let refuse = |why: &str| admission.writing.forbidden(meta::name(pod), why);
    let with_cause = |why: String, reason: &str| {
        let mut error = refuse(&why);
        error.causes.push(Cause { reason: reason.to_owned(), message: String::new(), field: String::new() });
        Err(error)
    };
    let Some(node) = admission.read("", "nodes", "", name) else {
        return Err(refuse(&format!("node {name:?} not found")));
    };
    let requests = quota::requests_of_pod(pod);
    let lacking: Vec<String> = [("cpu", Quantity::millis as fn(Quantity) -> i64), ("memory", Quantity::value)]
        .into_iter()
        .filter_map(|(resource, amount)| {
            let allocatable = node["status"]["allocatable"][resource].as_str();
            let allocatable = allocatable.and_then(|text| Quantity::parse(text).ok()).unwrap_or_default();
            let requested = requests.get(&format!("requests.{resource}")).copied().unwrap_or_default();
            let (requested, allocatable) = (amount(requested), amount(allocatable));
            (requested > allocatable).then(|| format!("{resource}, requested: {requested}, allocatable: {allocatable}"))
        })
        .collect();
    if !lacking.is_empty() {
        let why = format!("Node didn't have enough allocatable resources: {}", lacking.join("; "));
        return with_cause(why, "NodeCapacity");
    }
    let os = node["metadata"]["labels"]["kubernetes.io/os"].as_str().unwrap_or_default();
    if os != "linux" {
        let why = format!("pod resize is only supported on linux nodes, node {name:?} is {os:?}");
        return with_cause(why, "UnsupportedPlatform");
    }
    Ok(())
}
