//! CustomResourceDefinition.
//!
//! Source: <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/>

use super::checks::too_many;
use super::fields::{default, default_text, indexed, int, is_true, list, object_mut, object_or_new, text};
use super::metadata::immutable;
use super::{cluster, names, state, status, texts};
use crate::crd::{self, JsonPath, structural};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Approves, or says why not, a definition in a group of Kubernetes itself.
const APPROVED: &str = "api-approved.kubernetes.io";

/// The row of CustomResourceDefinition.
pub fn kind() -> Kind {
    Kind {
        short_names: texts(&["crd", "crds"]),
        categories: texts(&["api-extensions"]),
        subresources: vec![status()],
        schema_name: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition".into(),
        strategy: strategy(),
        ..cluster("apiextensions.k8s.io", "CustomResourceDefinition", "customresourcedefinitions")
    }
}

fn strategy() -> Strategy {
    Strategy {
        default: fill,
        prepare_create,
        prepare_update: state::update,
        prepare_status_update: |object, old| {
            let status = object.get("status").cloned();
            state::update_status(object, old);
            object["metadata"] = old["metadata"].clone();
            if let Some(status) = status {
                object["status"] = status;
            }
        },
        validate,
        validate_update,
        ..Strategy::default()
    }
}

fn fill(object: &mut Value) {
    let Some(spec) = object_mut(object, "spec") else { return };
    if let Some(names) = object_mut(spec, "names") {
        let kind = text(names, "kind").to_owned();
        if !kind.is_empty() {
            default_text(names, "singular", &kind.to_lowercase());
            default_text(names, "listKind", &format!("{kind}List"));
        }
    }
    let conversion = object_or_new(spec, "conversion");
    default_text(conversion, "strategy", "None");
    if let Some(webhook) = object_mut(conversion, "webhook")
        && let Some(client) = object_mut(webhook, "clientConfig")
        && let Some(service) = object_mut(client, "service")
    {
        default(service, "port", 443);
    }
}

fn prepare_create(object: &mut Value) {
    state::create(object);
    object["status"] = json!({
        "acceptedNames": {"kind": "", "plural": ""}, "conditions": [], "storedVersions": stored_version(object),
    });
}

fn stored_version(object: &Value) -> Vec<&str> {
    let versions = list(&object["spec"], "versions").iter();
    versions.filter(|version| is_true(version, "storage")).map(|version| text(version, "name")).collect()
}

fn validate(object: &Value, errors: &mut Errors) {
    let (spec, path) = (&object["spec"], Path::new("spec"));
    let wanted = format!("{}.{}", text(&spec["names"], "plural"), text(spec, "group"));
    let name = crate::meta::name(object);
    if !name.is_empty() && name != wanted {
        let path = Path::new("metadata").child("name");
        errors.invalid(&path, name, "must be spec.names.plural+\".\"+spec.group");
    }
    validate_group(object, errors);
    match text(spec, "scope") {
        "" => errors.required(&path.child("scope"), ""),
        "Cluster" | "Namespaced" => {}
        other => errors.not_supported(&path.child("scope"), other, &["Cluster", "Namespaced"]),
    }
    if is_true(spec, "preserveUnknownFields") {
        let why = "must be false in order to use defaults in the schema";
        errors.invalid(&path.child("preserveUnknownFields"), true, why);
    }
    validate_versions(spec, &path.child("versions"), errors);
    validate_names(&spec["names"], &path.child("names"), errors);
    validate_conversion(&spec["conversion"], &path.child("conversion"), errors);
    validate_content(spec, &path, errors);
    let stored = Path::new("status").child("storedVersions");
    for (index, version) in indexed(&object["status"], "storedVersions") {
        if !list(spec, "versions").iter().any(|known| known["name"] == *version) {
            errors.invalid(&stored.index(index), version, "must appear in spec.versions");
        }
    }
}

fn validate_group(object: &Value, errors: &mut Errors) {
    let (group, path) = (text(&object["spec"], "group"), Path::new("spec").child("group"));
    let wrong = names::dns_subdomain(group);
    if group.is_empty() {
        errors.required(&path, "");
    } else if !wrong.is_empty() {
        errors.invalid(&path, group, &wrong.join(","));
    } else if !group.contains('.') {
        errors.invalid(&path, group, "should be a domain with at least one dot");
    }
    let own = ["k8s.io", "kubernetes.io"];
    let is_own = own.iter().any(|domain| group == *domain || group.ends_with(&format!(".{domain}")));
    if !is_own {
        return;
    }
    let path = Path::new("metadata").child("annotations").key(APPROVED);
    let approved = text(&object["metadata"]["annotations"], APPROVED);
    let is_word = approved.starts_with("unapproved");
    let is_url = approved.starts_with("https://") || approved.starts_with("http://");
    if approved.is_empty() {
        let why = "protected groups must have approval annotation \"api-approved.kubernetes.io\", see \
                   https://github.com/kubernetes/enhancements/pull/1111";
        errors.required(&path, why);
    } else if !is_word && !is_url {
        let why = "protected groups must have approval annotation \"api-approved.kubernetes.io\" with either a URL or a \
                   reason starting with \"unapproved\", see https://github.com/kubernetes/enhancements/pull/1111";
        errors.invalid(&path, approved, why);
    }
}

fn validate_versions(spec: &Value, path: &Path, errors: &mut Errors) {
    let versions = list(spec, "versions");
    if versions.is_empty() {
        errors.required(path, "");
    }
    let mut seen = BTreeSet::new();
    for (index, version) in versions.iter().enumerate() {
        let (name, path) = (text(version, "name"), path.index(index));
        let wrong = names::dns_1035_label(name);
        if !wrong.is_empty() {
            errors.invalid(&path.child("name"), name, &wrong.join(","));
        }
        if let Some(warning) = version["deprecationWarning"].as_str() {
            if !is_true(version, "deprecated") {
                let why = "can only be set for deprecated versions";
                errors.invalid(&path.child("deprecationWarning"), warning, why);
            } else if warning.len() > 256 {
                errors.invalid(&path.child("deprecationWarning"), warning, "must be <= 256 UTF-8 bytes");
            }
        }
        if !version["schema"]["openAPIV3Schema"].is_object() {
            errors.required(&path.child("schema").child("openAPIV3Schema"), "schemas are required");
        }
        seen.insert(name);
    }
    if seen.len() < versions.len() {
        errors.invalid(path, versions, "must contain unique version names");
    }
    if versions.iter().filter(|version| is_true(version, "storage")).count() != 1 {
        errors.invalid(path, versions, "must have exactly one version marked as storage version");
    }
}

fn validate_names(all: &Value, path: &Path, errors: &mut Errors) {
    for field in ["plural", "singular", "kind", "listKind"] {
        let (name, path) = (text(all, field), path.child(field));
        let is_kind = matches!(field, "kind" | "listKind");
        if name.is_empty() {
            errors.required(&path, "");
            continue;
        }
        let wrong = names::dns_1035_label(&if is_kind { name.to_lowercase() } else { name.to_owned() });
        if !wrong.is_empty() {
            let intro = if is_kind { "may have mixed case, but should otherwise match: " } else { "" };
            errors.invalid(&path, name, &format!("{intro}{}", wrong.join(",")));
        }
    }
    for field in ["shortNames", "categories"] {
        for (index, name) in indexed(all, field) {
            let wrong = names::dns_1035_label(name.as_str().unwrap_or_default());
            if !wrong.is_empty() {
                errors.invalid(&path.child(field).index(index), name, &wrong.join(","));
            }
        }
    }
    let list_kind = text(all, "listKind");
    if !list_kind.is_empty() && list_kind == text(all, "kind") {
        errors.invalid(&path.child("listKind"), list_kind, "kind and listKind may not be the same");
    }
}

fn validate_conversion(conversion: &Value, path: &Path, errors: &mut Errors) {
    let (webhook, at) = (&conversion["webhook"], path.child("webhook"));
    match text(conversion, "strategy") {
        "None" => {
            if webhook.is_object() {
                errors.forbidden(&at, "should not be set when strategy is not set to Webhook");
            }
        }
        "Webhook" => {
            if !webhook.is_object() {
                errors.required(&at, "required when strategy is set to Webhook");
                return;
            }
            validate_webhook(webhook, &at, errors);
        }
        other => errors.not_supported(&path.child("strategy"), other, &["None", "Webhook"]),
    }
}

fn validate_webhook(webhook: &Value, path: &Path, errors: &mut Errors) {
    let (client, at) = (&webhook["clientConfig"], path.child("clientConfig"));
    let (url, service) = (text(client, "url"), &client["service"]);
    if !client.is_object() {
        errors.required(&at, "required when strategy is set to Webhook");
    } else if url.is_empty() != service.is_object() {
        errors.required(&at, "exactly one of url or service is required");
    } else if service.is_object() {
        for field in ["name", "namespace"] {
            if text(service, field).is_empty() {
                errors.required(&at.child("service").child(field), &format!("service {field} is required"));
            }
        }
        let port = int(service, "port").unwrap_or(443);
        if !names::port_number(port).is_empty() {
            let why = "port is not valid: must be between 1 and 65535, inclusive";
            errors.invalid(&at.child("service").child("port"), port, why);
        }
    } else if !url.starts_with("https://") {
        errors.invalid(&at.child("url"), url, "'https' is the only allowed URL scheme");
    }
    let versions = path.child("conversionReviewVersions");
    let listed = list(webhook, "conversionReviewVersions");
    if listed.is_empty() {
        errors.required(&versions, "");
    } else if !listed.iter().any(|version| *version == "v1" || *version == "v1beta1") {
        errors.invalid(&versions, listed, "must include at least one of v1, v1beta1");
    }
}

/// What versions say of their objects. When all say the same upstream tells of it once, above them.
fn validate_content(spec: &Value, path: &Path, errors: &mut Errors) {
    let versions = list(spec, "versions");
    let same = |key: &str| versions.windows(2).all(|two| two[0][key] == two[1][key]);
    let once = |key: &str| if same(key) { &versions[..versions.len().min(1)] } else { versions };
    let place = |key: &str, index: usize, above: &str, below: &str| match same(key) {
        true => path.child(above),
        false => path.child("versions").index(index).child(below),
    };
    for (index, version) in once("schema").iter().enumerate() {
        let schema = &version["schema"]["openAPIV3Schema"];
        if schema.is_object() {
            structural::check(schema, &place("schema", index, "validation", "schema").child("openAPIV3Schema"), errors);
        }
    }
    for (index, version) in once("subresources").iter().enumerate() {
        let path = place("subresources", index, "subresources", "subresources");
        validate_scale(&version["subresources"], &path.child("scale"), errors);
    }
    let columns = "additionalPrinterColumns";
    for (index, version) in once(columns).iter().enumerate() {
        let path = place(columns, index, columns, columns);
        for (index, column) in indexed(version, columns) {
            validate_column(column, &path.index(index), errors);
        }
    }
    for (index, version) in once("selectableFields").iter().enumerate() {
        let path = place("selectableFields", index, "selectableFields", "selectableFields");
        validate_selectable(version, &path, errors);
    }
}

fn validate_scale(parts: &Value, path: &Path, errors: &mut Errors) {
    let scale = &parts["scale"];
    if !scale.is_object() {
        return;
    }
    for (field, root, required) in [
        ("specReplicasPath", ".spec.", true),
        ("statusReplicasPath", ".status.", true),
        ("labelSelectorPath", ".spec. or .status.", false),
    ] {
        let (value, path) = (text(scale, field), path.child(field));
        let fits = root.split(" or ").any(|root| value.starts_with(root));
        if value.is_empty() {
            if required {
                errors.required(&path, "");
            }
        } else if value.contains('[') {
            errors.invalid(&path, value, "should be a simple json path without array notation");
        } else if !fits {
            let roots: Vec<&str> = root.split(" or ").map(|root| root.trim_end_matches('.')).collect();
            let why = match roots.as_slice() {
                [one] => format!("should be a json path under {one}"),
                _ => format!("should be a json path under either {}", roots.join(" or ")),
            };
            errors.invalid(&path, value, &why);
        }
    }
}

fn validate_column(column: &Value, path: &Path, errors: &mut Errors) {
    const TYPES: [&str; 5] = ["boolean", "date", "integer", "number", "string"];
    const FORMATS: [&str; 8] = ["byte", "date", "date-time", "double", "float", "int32", "int64", "password"];
    if text(column, "name").is_empty() {
        errors.required(&path.child("name"), "");
    }
    let type_ = text(column, "type");
    if type_.is_empty() {
        errors.required(&path.child("type"), &format!("must be one of {}", TYPES.join(",")));
    } else if !TYPES.contains(&type_) {
        errors.invalid(&path.child("type"), type_, &format!("must be one of {}", TYPES.join(",")));
    }
    let format = text(column, "format");
    if !format.is_empty() && !FORMATS.contains(&format) {
        errors.invalid(&path.child("format"), format, &format!("must be one of {}", FORMATS.join(",")));
    }
    let source = text(column, "jsonPath");
    if source.is_empty() {
        errors.required(&path.child("jsonPath"), "");
    } else {
        validate_path(source, &path.child("jsonPath"), errors);
    }
}

fn validate_path(source: &str, path: &Path, errors: &mut Errors) {
    let wrong = match source.strip_prefix('.') {
        None => Some("must be a valid json path: path must start with '.'".to_owned()),
        Some(_) => JsonPath::parse(source).err().map(|why| format!("must be a valid json path: {why}")),
    };
    if let Some(why) = wrong {
        errors.invalid(path, source, &why);
    }
}

fn validate_selectable(version: &Value, path: &Path, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    too_many(path, list(version, "selectableFields").len(), crate::limits::SELECTABLE_FIELDS_MAX, errors);
    for (index, field) in indexed(version, "selectableFields") {
        let (source, path) = (text(field, "jsonPath"), path.index(index).child("jsonPath"));
        if source.is_empty() {
            errors.required(&path, "");
            continue;
        }
        if !seen.insert(source) {
            errors.duplicate(&path, source);
        }
        if source.starts_with(".metadata") {
            errors.invalid(&path, source, "must not point to fields in metadata");
            continue;
        }
        let mut place = &version["schema"]["openAPIV3Schema"];
        for name in source.trim_start_matches('.').split('.') {
            place = &place["properties"][name];
        }
        let scalar = matches!(text(place, "type"), "string" | "integer" | "boolean");
        if !place.is_object() {
            errors.invalid(&path, source, "is an invalid path: does not refer to a valid field");
        } else if !scalar {
            let why = "must point to a field of type string, boolean or integer";
            errors.invalid(&path, source, why);
        }
    }
}

fn validate_update(object: &Value, old: &Value, errors: &mut Errors) {
    let (spec, before, path) = (&object["spec"], &old["spec"], Path::new("spec"));
    if crd::is_established(old) {
        immutable(&spec["scope"], &before["scope"], &path.child("scope"), errors);
        immutable(&spec["names"]["kind"], &before["names"]["kind"], &path.child("names").child("kind"), errors);
    }
    immutable(&spec["group"], &before["group"], &path.child("group"), errors);
    immutable(&spec["names"]["plural"], &before["names"]["plural"], &path.child("names").child("plural"), errors);
}

#[cfg(test)]
mod tests;
