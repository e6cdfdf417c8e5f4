//! Resources of a Pod as a whole: `spec.resources`, which bounds what its containers have together.

use super::is_sidecar;
use super::resources;
use crate::field::{Errors, Path};
use crate::kinds::fields::{entries, indexed, list, object_or_new, text};
use crate::quantity::Quantity;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const SUPPORTED: [&str; 3] = ["cpu", "hugepages-", "memory"];

fn is_supported(resource: &str) -> bool {
    ["cpu", "memory"].contains(&resource) || resource.starts_with("hugepages-")
}

/// Whether a Pod has resources as a whole.
pub fn is_set(spec: &Value) -> bool {
    ["limits", "requests"].iter().any(|kind| entries(&spec["resources"], kind).next().is_some())
}

/// What the containers ask for together. Init containers run one by one beside the sidecars that
/// started before them.
fn requests(spec: &Value) -> BTreeMap<String, Quantity> {
    let of = |container: &Value| -> Vec<(String, Quantity)> {
        let amounts = entries(&container["resources"], "requests");
        let amounts = amounts.filter(|(name, _)| is_supported(name));
        amounts.filter_map(|(name, amount)| Some((name.clone(), Quantity::parse(amount.as_str()?).ok()?))).collect()
    };
    let mut sum: BTreeMap<String, Quantity> = BTreeMap::new();
    let add = |sum: &mut BTreeMap<String, Quantity>, amounts: Vec<(String, Quantity)>| {
        for (name, amount) in amounts {
            let before = sum.get(&name).copied().unwrap_or_default();
            sum.insert(name, before + amount);
        }
    };
    for container in list(spec, "containers") {
        add(&mut sum, of(container));
    }
    let (mut sidecars, mut most) = (BTreeMap::<String, Quantity>::new(), BTreeMap::<String, Quantity>::new());
    for container in list(spec, "initContainers") {
        let (amounts, stays) = (of(container), is_sidecar(container));
        if stays {
            add(&mut sum, amounts.clone());
            add(&mut sidecars, amounts.clone());
        }
        // Of what it does not name itself there is no more than before.
        for (name, amount) in amounts {
            let beside = sidecars.get(&name).copied().unwrap_or_default();
            let now = if stays { beside } else { beside + amount };
            let before = most.get(&name).copied().unwrap_or_default();
            most.insert(name, before.max(now));
        }
    }
    for (name, amount) in most {
        let before = sum.get(&name).copied().unwrap_or_default();
        sum.insert(name, before.max(amount));
    }
    sum
}

/// Fills in the requests of a Pod that has limits: what its containers ask for together, or else the limits.
pub fn default(spec: &mut Value) {
    if entries(&spec["resources"], "limits").next().is_none() {
        return;
    }
    let together = requests(spec).into_iter().filter(|(name, _)| resources::may_be_overcommitted(name));
    let mut amounts: BTreeMap<String, Value> = together.map(|(name, sum)| (name, json!(sum.canonical()))).collect();
    for (name, limit) in entries(&spec["resources"], "limits").filter(|(name, _)| is_supported(name)) {
        amounts.entry(name.clone()).or_insert_with(|| limit.clone());
    }
    let own = object_or_new(&mut spec["resources"], "requests");
    for (name, amount) in amounts {
        crate::kinds::fields::default(own, &name, amount);
    }
}

/// Checks `resources` of a PodSpec.
pub fn validate(spec: &Value, path: &Path, errors: &mut Errors) {
    let (whole, path) = (&spec["resources"], path.child("resources"));
    if whole.is_null() {
        return;
    }
    if !list(whole, "claims").is_empty() {
        errors.forbidden(&path.child("claims"), "claims cannot be set for Resources at pod-level");
    }
    for kind in ["limits", "requests"] {
        for (name, _) in entries(whole, kind).filter(|(name, _)| !is_supported(name)) {
            errors.not_supported(&path.child(kind).key(name), name, &SUPPORTED);
        }
    }
    resources::validate(whole, &path, errors);
    let amount = |kind: &str, name: &str| Quantity::parse(text(&whole[kind], name)).ok();
    for (name, sum) in requests(spec) {
        let own = amount("requests", &name).unwrap_or_default();
        if sum > own {
            let wrong = format!("must be greater than or equal to aggregate container requests of {sum}");
            errors.invalid(&path.child("requests").key(&name), own.canonical(), &wrong);
        }
    }
    for (index, container) in indexed(spec, "containers") {
        for (name, limit) in entries(&container["resources"], "limits") {
            let limit = Quantity::parse(limit.as_str().unwrap_or("")).unwrap_or_default();
            if let Some(most) = amount("limits", name).filter(|most| limit > *most) {
                // The path is upstream's.
                let at = path.child("containers").index(index).key(name).child("limits");
                errors.invalid(&at, limit.canonical(), &format!("must be less than or equal to pod limits of {most}"));
            }
        }
    }
}
