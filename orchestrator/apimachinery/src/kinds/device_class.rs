//! DeviceClass.

use super::checks::too_many;
use super::fields::{indexed, list};
use super::{AGE, NAME, cells, cluster, columns, devices, names, state};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use serde_json::Value;

/// The row of DeviceClass.
pub fn kind() -> Kind {
    Kind {
        columns: columns(&[NAME, AGE]),
        strategy: Strategy {
            validate,
            cells: |object, now| vec![cells::name(object), cells::age(object, now)],
            ..state::without_status()
        },
        ..cluster(devices::GROUP, "DeviceClass", "deviceclasses")
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    let (spec, path) = (&object["spec"], Path::new("spec"));
    devices::validate_selectors(spec, &path, errors);
    let at = path.child("config");
    if !too_many(&at, list(spec, "config").len(), devices::CONFIGURATIONS_MAX, errors) {
        for (index, configuration) in indexed(spec, "config") {
            devices::validate_configuration(configuration, &at.index(index), errors);
        }
    }
    if let Some(name) = spec["extendedResourceName"].as_str().filter(|name| !is_extended(name)) {
        errors.invalid(&path.child("extendedResourceName"), name, "must be a valid extended resource name");
    }
}

/// Whether a resource of this name is neither Kubernetes' own nor part of a quota.
fn is_extended(name: &str) -> bool {
    let is_native = !name.contains('/') || name.contains("kubernetes.io/");
    !is_native && !name.starts_with("requests.") && names::qualified(&format!("requests.{name}")).is_empty()
}

#[cfg(test)]
mod tests;
