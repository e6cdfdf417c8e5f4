//! The tokens that a node asks for: of ServiceAccounts of its Pods, for audiences that these need.

use super::super::node::claims;
use super::super::{Attributes, read};
use crate::registry::reader::ObjectReader;
use orchestrator_apimachinery::meta;
use serde_json::Value;

/// Why a node must not ask for this token.
pub(super) fn refusal(
    node: &str,
    what: &Attributes,
    object: Option<&Value>,
    objects: &dyn ObjectReader,
    may: &dyn Fn(&Attributes) -> bool,
) -> Option<String> {
    let spec = &object?["spec"];
    let reference = &spec["boundObjectRef"];
    let text = |field: &str| reference[field].as_str().unwrap_or("");
    if (text("apiVersion"), text("kind")) != ("v1", "Pod") || text("name").is_empty() {
        return Some("node requested token not bound to a pod".into());
    }
    if text("uid").is_empty() {
        return Some("node requested token with a pod binding without a uid".into());
    }
    let Some(pod) = read(objects, "", "pods", &what.namespace, text("name")) else {
        return Some(format!("pod {:?} not found", text("name")));
    };
    if meta::uid(&pod) != text("uid") {
        return Some(format!("the UID in the bound object reference ({}) does not match the pod's", text("uid")));
    }
    if pod["spec"]["nodeName"] != node {
        return Some("node requested token bound to a pod scheduled on a different node".into());
    }
    let audience = match spec["audiences"].as_array().map_or(&[][..], Vec::as_slice) {
        [] => "",
        [one] => one.as_str().unwrap_or_default(),
        _ => return Some("node may only request 0 or 1 audiences".into()),
    };
    // A plugin that fetches images may need others; a role allows them by their names.
    let leave = Attributes {
        verb: "request-serviceaccounts-token-audience".into(),
        version: "v1".into(),
        resource: audience.into(),
        namespace: what.namespace.clone(),
        name: what.name.clone(),
        ..Attributes::default()
    };
    let allowed = needs(&pod, &what.namespace, audience, objects) || (!audience.is_empty() && may(&leave));
    (!allowed).then(|| format!("audience {audience:?} not found in pod spec volume"))
}

/// Whether a volume of the Pod holds a token for the audience, or is of a driver that asks for one.
fn needs(pod: &Value, namespace: &str, audience: &str, objects: &dyn ObjectReader) -> bool {
    let is = |value: &Value| value.as_str().unwrap_or_default() == audience;
    let each = |list: &Value| list.as_array().cloned().unwrap_or_default();
    let by_driver = |driver: &Value| {
        let driver = driver.as_str().and_then(|name| read(objects, "storage.k8s.io", "csidrivers", "", name));
        driver.is_some_and(|driver| each(&driver["spec"]["tokenRequests"]).iter().any(|one| is(&one["audience"])))
    };
    let projected = |volume: &Value| {
        let tokens = each(&volume["projected"]["sources"]);
        tokens.iter().map(|source| &source["serviceAccountToken"]).any(|one| one.is_object() && is(&one["audience"]))
    };
    let by_claim = |name: String| {
        let claim = read(objects, "", "persistentvolumeclaims", namespace, &name)?;
        let volume = read(objects, "", "persistentvolumes", "", claim["spec"]["volumeName"].as_str()?)?;
        Some(by_driver(&volume["spec"]["csi"]["driver"]))
    };
    each(&pod["spec"]["volumes"]).iter().any(|volume| projected(volume) || by_driver(&volume["csi"]["driver"]))
        || claims(pod).filter_map(by_claim).any(|needed| needed)
}
