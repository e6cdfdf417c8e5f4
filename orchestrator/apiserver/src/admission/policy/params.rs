//! The parameters of a policy's binding.

use crate::admission::Admission;
use crate::registry::ObjectReader;
use orchestrator_apimachinery::selector::LabelSelector;
use orchestrator_apimachinery::{Scope, meta};
use serde_json::Value;

/// One entry for each evaluation; `Some(Null)`-like absence (`None`) where there are no parameters.
pub(super) async fn of(
    admission: &Admission<'_>,
    kind: Option<&(String, String)>,
    reference: Option<&Value>,
) -> Result<Vec<Option<Value>>, String> {
    let (Some((api_version, kind_name)), Some(reference)) = (kind, reference) else { return Ok(vec![None]) };
    let (group, version) = meta::split_api_version(api_version);
    let catalog = admission.registry.caches.catalog();
    let kind = catalog.kind(group, version, kind_name);
    let kind = kind
        .ok_or_else(|| format!("failed to find resource referenced by paramKind: '{api_version}, Kind={kind_name}'"))?;
    let namespace = match (kind.scope, reference["namespace"].as_str().unwrap_or_default()) {
        (Scope::Cluster, "") => String::new(),
        (Scope::Cluster, _) => {
            return Err("paramRef.namespace must not be provided for a cluster-scoped `paramKind`".into());
        }
        (Scope::Namespaced, "") => match admission.writing.what.namespace.as_str() {
            "" => {
                return Err(
                    "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources".into()
                );
            }
            namespace => namespace.to_owned(),
        },
        (Scope::Namespaced, namespace) => namespace.to_owned(),
    };
    let caches = &admission.registry.caches;
    let (group, plural) = kind.stored_resource();
    let read = |bytes: bytes::Bytes| serde_json::from_slice::<Value>(&bytes).ok();
    let stored: Vec<Value> = match reference["name"].as_str().filter(|name| !name.is_empty()) {
        Some(name) => caches.get(group, plural, &namespace, name).and_then(read).into_iter().collect(),
        None => {
            let selector = LabelSelector::from_object(&reference["selector"]).map_err(|error| error.message)?;
            let scope = (!namespace.is_empty()).then_some(namespace.as_str());
            let all = caches.list(group, plural, scope).into_iter().filter_map(read);
            all.filter(|object| selector.matches_object(object)).collect()
        }
    };
    let mut found = Vec::with_capacity(stored.len());
    for object in stored {
        let shown = admission.versions().show(kind, object).await;
        found.push(Some(shown.map_err(|error| error.message)?));
    }
    match (found.is_empty(), reference["parameterNotFoundAction"].as_str()) {
        (true, Some("Allow")) => Ok(Vec::new()),
        (true, _) => Err("no params found for policy binding with `Deny` parameterNotFoundAction".into()),
        (false, _) => Ok(found),
    }
}
