//! APIService: who serves a group version.

use super::admission::CATEGORY;
use super::checks::fits;
use super::fields::{default, indexed, int, is_true, list, object_mut, text};
use super::{AGE, NAME, cells, cluster, columns, conditions, domains, names, state, status, texts};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use base64::Engine;
use serde_json::{Value, json};

/// The row of APIService.
pub fn kind() -> Kind {
    Kind {
        categories: texts(&[CATEGORY]),
        subresources: vec![status()],
        schema_name: "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIService".into(),
        columns: columns(&[
            NAME,
            ("Service", "string", 0, "The Service that serves it, or this server."),
            ("Available", "string", 0, "Whether it can be reached."),
            AGE,
        ]),
        strategy: Strategy {
            name: |name, _| domains::segment(name),
            default: |object| {
                let spec = object_mut(object, "spec");
                if let Some(service) = spec.and_then(|spec| object_mut(spec, "service")) {
                    default(service, "port", HTTPS_PORT);
                }
            },
            prepare_create,
            validate,
            cells: row,
            ..state::uncounted()
        },
        ..cluster("apiregistration.k8s.io", "APIService", "apiservices")
    }
}

const HTTPS_PORT: i64 = 443;
const GROUP_PRIORITY_MAX: i64 = 20_000;
const VERSION_PRIORITY_MAX: i64 = 1000;

/// What this server serves itself is there from the start.
fn prepare_create(object: &mut Value) {
    object["status"] = json!({});
    if object["spec"]["service"].is_null() {
        object["status"]["conditions"] = json!([{
            "type": "Available",
            "status": "True",
            "lastTransitionTime": object["metadata"]["creationTimestamp"],
            "reason": "Local",
            "message": "Local APIServices are always available",
        }]);
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    let (spec, path, name) = (&object["spec"], Path::new("spec"), crate::meta::name(object));
    let (group, version) = (text(spec, "group"), text(spec, "version"));
    let wanted = format!("{version}.{group}");
    if domains::segment(name).is_empty() && name != wanted {
        let wrong = format!("must be `spec.version+\".\"+spec.group`: {wanted:?}");
        errors.invalid(&Path::new("metadata").child("name"), name, &wrong);
    }
    if group.is_empty() && version != "v1" {
        let wrong = "only v1 may have an empty group and it better be legacy kube";
        errors.required(&path.child("group"), wrong);
    }
    if !group.is_empty() {
        fits(names::dns_subdomain(group), group, &path.child("group"), errors);
    }
    fits(names::dns_1035_label(version), version, &path.child("version"), errors);
    for (field, max) in [("groupPriorityMinimum", GROUP_PRIORITY_MAX), ("versionPriority", VERSION_PRIORITY_MAX)] {
        let number = int(spec, field).unwrap_or(0);
        if !(1..=max).contains(&number) {
            errors.invalid(&path.child(field), number, &format!("must be positive and less than {max}"));
        }
    }
    validate_service(spec, &path, errors);
    for (index, condition) in indexed(&object["status"], "conditions") {
        let (state, path) = (text(condition, "status"), Path::new("status").child("conditions").index(index));
        if !conditions::STATUSES.contains(&state) {
            errors.not_supported(&path.child("status"), state, &conditions::STATUSES);
        }
    }
}

fn validate_service(spec: &Value, path: &Path, errors: &mut Errors) {
    let (service, bundle) = (&spec["service"], text(spec, "caBundle"));
    let (insecure, at) = (is_true(spec, "insecureSkipTLSVerify"), path.child("insecureSkipTLSVerify"));
    if service.is_null() {
        if !bundle.is_empty() {
            let bytes = base64::engine::general_purpose::STANDARD.decode(bundle).map_or(0, |bytes| bytes.len());
            let wrong = "local APIServices may not have a caBundle";
            errors.invalid(&path.child("caBundle"), format!("{bytes} bytes"), wrong);
        }
        if insecure {
            errors.invalid(&at, insecure, "local APIServices may not have insecureSkipTLSVerify");
        }
        return;
    }
    for field in ["namespace", "name"] {
        if text(service, field).is_empty() {
            errors.required(&path.child("service").child(field), "");
        }
    }
    let port = int(service, "port").unwrap_or(0);
    let wrong = names::port_number(port);
    if !wrong.is_empty() {
        let wrong = format!("port is not valid: {}", wrong.join(", "));
        errors.invalid(&path.child("service").child("port"), port, &wrong);
    }
    if insecure && !bundle.is_empty() {
        errors.invalid(&at, insecure, "may not be true if caBundle is present");
    }
}

fn row(object: &Value, now: i64) -> Vec<Value> {
    let service = &object["spec"]["service"];
    let shown = match service.is_null() {
        true => "Local".to_owned(),
        false => format!("{}/{}", text(service, "namespace"), text(service, "name")),
    };
    let condition = list(&object["status"], "conditions").iter().find(|one| text(one, "type") == "Available");
    let available = match condition.map(|one| (text(one, "status"), text(one, "reason"))) {
        None => "Unknown".to_owned(),
        Some(("True", _)) => "True".to_owned(),
        Some((state, reason)) => format!("{state} ({reason})"),
    };
    vec![cells::name(object), shown.into(), available.into(), cells::age(object, now)]
}

#[cfg(test)]
mod tests;
