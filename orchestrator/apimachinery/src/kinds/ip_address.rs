//! IPAddress: an address of a Service that is taken.

use super::checks::{fits, required};
use super::fields::text;
use super::metadata::immutable;
use super::{AGE, NAME, addresses, cells, cluster, columns, domains, names, texts};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use serde_json::Value;

/// The row of IPAddress.
pub fn kind() -> Kind {
    Kind {
        short_names: texts(&["ip"]),
        columns: columns(&[NAME, ("ParentRef", "string", 0, "The object that has the address."), AGE]),
        strategy: strategy(),
        ..cluster("networking.k8s.io", "IPAddress", "ipaddresses")
    }
}

fn strategy() -> Strategy {
    Strategy {
        name: |name, _| addresses::canonical_ip(name),
        validate,
        validate_update: |object, old, errors| {
            let path = Path::new("spec").child("parentRef");
            immutable(&object["spec"]["parentRef"], &old["spec"]["parentRef"], &path, errors);
        },
        cells: row,
        ..Strategy::default()
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    let (parent, path) = (&object["spec"]["parentRef"], Path::new("spec").child("parentRef"));
    if parent.is_null() {
        errors.required(&path, "");
        return;
    }
    let (group, namespace) = (text(parent, "group"), text(parent, "namespace"));
    if !group.is_empty() {
        fits(names::dns_subdomain(group), group, &path.child("group"), errors);
    }
    for field in ["resource", "name"] {
        required(text(parent, field), domains::segment, &path.child(field), errors);
    }
    fits(domains::segment(namespace), namespace, &path.child("namespace"), errors);
}

fn row(object: &Value, now: i64) -> Vec<Value> {
    let parent = &object["spec"]["parentRef"];
    let (resource, group) = (text(parent, "resource"), text(parent, "group"));
    let group_resource = if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") };
    let parts = [&group_resource, text(parent, "namespace"), text(parent, "name")];
    let shown: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    vec![cells::name(object), cells::or(&shown.join("/"), cells::NONE).into(), cells::age(object, now)]
}

#[cfg(test)]
mod tests;
