//! IngressClass.

use super::checks::{fits, one_of};
use super::fields::{default, object_mut, text};
use super::metadata::immutable;
use super::{AGE, NAME, cells, cluster, columns, domains, ingress, names, state};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use serde_json::Value;

/// The row of IngressClass.
pub fn kind() -> Kind {
    Kind {
        columns: columns(&[
            NAME,
            ("Controller", "string", 0, "Who serves Ingresses of the class."),
            ("Parameters", "string", 0, "The object with more settings."),
            AGE,
        ]),
        strategy: strategy(),
        ..cluster("networking.k8s.io", "IngressClass", "ingressclasses")
    }
}

const CONTROLLER_BYTES_MAX: usize = 250;
const SCOPES: [&str; 2] = ["Cluster", "Namespace"];

fn strategy() -> Strategy {
    Strategy {
        default: |object| {
            let spec = object_mut(object, "spec");
            if let Some(parameters) = spec.and_then(|spec| object_mut(spec, "parameters")) {
                default(parameters, "scope", "Cluster");
            }
        },
        validate,
        validate_update: |object, old, errors| {
            let path = Path::new("spec").child("controller");
            immutable(&object["spec"]["controller"], &old["spec"]["controller"], &path, errors);
        },
        cells: row,
        ..state::without_status()
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    let (spec, path) = (&object["spec"], Path::new("spec"));
    let controller = text(spec, "controller");
    if controller.len() > CONTROLLER_BYTES_MAX {
        errors.too_long(&path.child("controller"), CONTROLLER_BYTES_MAX);
    }
    domains::prefixed_path(controller, &path.child("controller"), errors);
    let (parameters, path) = (&spec["parameters"], path.child("parameters"));
    if parameters.is_null() {
        return;
    }
    ingress::validate_reference(parameters, &path, errors);
    let (scope, namespace) = (text(parameters, "scope"), parameters["namespace"].as_str());
    one_of(scope, &SCOPES, &path.child("scope"), errors);
    let path = path.child("namespace");
    match (scope, namespace) {
        ("Namespace", None) => errors.required(&path, "`parameters.scope` is set to 'Namespace'"),
        ("Namespace", Some(namespace)) => fits(names::dns_label(namespace), namespace, &path, errors),
        ("Cluster", Some(_)) => errors.forbidden(&path, "`parameters.scope` is set to 'Cluster'"),
        _ => {}
    }
}

fn row(object: &Value, now: i64) -> Vec<Value> {
    let parameters = &object["spec"]["parameters"];
    let shown = match (parameters.is_null(), parameters["apiGroup"].as_str()) {
        (true, _) => cells::NONE.to_owned(),
        (false, Some(group)) => format!("{}.{group}/{}", text(parameters, "kind"), text(parameters, "name")),
        (false, None) => format!("{}/{}", text(parameters, "kind"), text(parameters, "name")),
    };
    vec![cells::name(object), text(&object["spec"], "controller").into(), shown.into(), cells::age(object, now)]
}

#[cfg(test)]
mod tests;
