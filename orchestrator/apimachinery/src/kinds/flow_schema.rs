//! FlowSchema: which requests belong to which priority level.

use super::checks::{fits, star_is_alone, texts};
use super::fields::{default, indexed, int, is_true, list, object_or_new, text};
use super::{AGE, NAME, cells, cluster, columns, names, state, status};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The group of priority and fairness.
pub(super) const GROUP: &str = "flowcontrol.apiserver.k8s.io";

/// The row of FlowSchema.
pub fn kind() -> Kind {
    Kind {
        subresources: vec![status()],
        columns: columns(&[
            NAME,
            ("PriorityLevel", "string", 0, "The priority level of its requests."),
            ("MatchingPrecedence", "string", 0, "The lowest number is asked first."),
            ("DistinguisherMethod", "string", 0, "What tells its flows apart."),
            AGE,
            ("MissingPL", "string", 0, "Whether its priority level does not exist."),
        ]),
        strategy: Strategy {
            default: |object| {
                let spec = object_or_new(object, "spec");
                if int(spec, "matchingPrecedence").unwrap_or(0) == 0 {
                    spec["matchingPrecedence"] = PRECEDENCE.into();
                }
                default(spec, "priorityLevelConfiguration", json!({"name": ""}));
            },
            validate,
            cells: row,
            ..state::counted()
        },
        ..cluster(GROUP, "FlowSchema", "flowschemas")
    }
}

const PRECEDENCE: i64 = 1000;
const PRECEDENCE_MAX: i64 = 10_000;
const DISTINGUISHERS: [&str; 2] = ["ByNamespace", "ByUser"];
const VERBS: [&str; 9] = ["create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"];
/// The kinds of subjects, and where each is described.
const SUBJECTS: [(&str, &str); 3] = [("Group", "group"), ("ServiceAccount", "serviceAccount"), ("User", "user")];

/// The spec that one of the schemas has which the server cannot do without.
pub fn mandatory_spec(name: &str) -> Option<Value> {
    let group = |name: &str| json!({"kind": "Group", "group": {"name": name}});
    let rules = |subjects: Value| {
        json!([{
            "subjects": subjects,
            "resourceRules": [{
                "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "clusterScope": true, "namespaces": ["*"],
            }],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
        }])
    };
    match name {
        "exempt" => Some(json!({
            "priorityLevelConfiguration": {"name": "exempt"},
            "matchingPrecedence": 1,
            "rules": rules(json!([group("system:masters")])),
        })),
        "catch-all" => Some(json!({
            "priorityLevelConfiguration": {"name": "catch-all"},
            "matchingPrecedence": PRECEDENCE_MAX,
            "distinguisherMethod": {"type": "ByUser"},
            "rules": rules(json!([group("system:unauthenticated"), group("system:authenticated")])),
        })),
        _ => None,
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    let (spec, path, name) = (&object["spec"], Path::new("spec"), crate::meta::name(object));
    let (precedence, at) = (int(spec, "matchingPrecedence").unwrap_or(0), path.child("matchingPrecedence"));
    if precedence <= 0 {
        errors.invalid(&at, precedence, "must be a positive value");
    }
    if precedence > PRECEDENCE_MAX {
        errors.invalid(&at, precedence, &format!("must not be greater than {PRECEDENCE_MAX}"));
    }
    if precedence == 1 && name != "exempt" {
        errors.invalid(&at, precedence, "only the schema named 'exempt' may have matchingPrecedence 1");
    }
    let distinguisher = &spec["distinguisherMethod"];
    if !distinguisher.is_null() && !DISTINGUISHERS.contains(&text(distinguisher, "type")) {
        let at = path.child("distinguisherMethod").child("type");
        errors.not_supported(&at, text(distinguisher, "type"), &DISTINGUISHERS);
    }
    let (level, at) = (text(&spec["priorityLevelConfiguration"], "name"), path.child("priorityLevelConfiguration"));
    if level.is_empty() {
        errors.required(&at.child("name"), "must reference a priority level");
    } else {
        fits(names::dns_subdomain(level), level, &at.child("name"), errors);
    }
    for (index, rule) in indexed(spec, "rules") {
        validate_rule(rule, &path.child("rules").index(index), errors);
    }
    if mandatory_spec(name).is_some_and(|mandatory| mandatory != *spec) {
        errors.invalid(&path, spec, &format!("spec of '{name}' must equal the fixed value"));
    }
    validate_status(&object["status"], errors);
}

/// Checks the conditions of a FlowSchema or a PriorityLevelConfiguration.
pub(super) fn validate_status(status: &Value, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, condition) in indexed(status, "conditions") {
        let path = Path::new("status").child("conditions").index(index).child("type");
        let type_ = text(condition, "type");
        if !seen.insert(type_) {
            errors.duplicate(&path, type_);
        }
        if type_.is_empty() {
            errors.required(&path, "must not be empty");
        }
    }
}

fn validate_rule(rule: &Value, path: &Path, errors: &mut Errors) {
    if list(rule, "subjects").is_empty() {
        errors.required(&path.child("subjects"), "subjects must contain at least one value");
    }
    for (index, subject) in indexed(rule, "subjects") {
        validate_subject(subject, &path.child("subjects").index(index), errors);
    }
    if list(rule, "resourceRules").is_empty() && list(rule, "nonResourceRules").is_empty() {
        errors.required(path, "at least one of resourceRules and nonResourceRules has to be non-empty");
    }
    for (index, rule) in indexed(rule, "resourceRules") {
        validate_resource_rule(rule, &path.child("resourceRules").index(index), errors);
    }
    for (index, rule) in indexed(rule, "nonResourceRules") {
        let path = path.child("nonResourceRules").index(index);
        validate_verbs(rule, &path, errors);
        validate_urls(rule, &path.child("nonResourceURLs"), errors);
    }
}

fn validate_subject(subject: &Value, path: &Path, errors: &mut Errors) {
    let kind = text(subject, "kind");
    if !SUBJECTS.iter().any(|(known, _)| *known == kind) {
        errors.not_supported(&path.child("kind"), kind, &SUBJECTS.map(|(kind, _)| kind));
        return;
    }
    for (known, field) in SUBJECTS {
        let (value, path) = (&subject[field], path.child(field));
        if known != kind {
            if !value.is_null() {
                errors.forbidden(&path, &format!("{field} is forbidden when subject kind is not '{known}'"));
            }
            continue;
        }
        if value.is_null() {
            errors.required(&path, &format!("{field} is required when subject kind is '{known}'"));
            continue;
        }
        let name = text(value, "name");
        if name.is_empty() {
            errors.required(&path.child("name"), "");
        }
        if known == "ServiceAccount" {
            if !name.is_empty() && name != "*" {
                fits(names::dns_subdomain(name), name, &path.child("name"), errors);
            }
            let (namespace, path) = (text(value, "namespace"), path.child("namespace"));
            if namespace.is_empty() {
                errors.required(&path, "must specify namespace for service account");
            } else {
                fits(names::dns_label(namespace), namespace, &path, errors);
            }
        }
    }
}

fn validate_verbs(rule: &Value, path: &Path, errors: &mut Errors) {
    let (verbs, path) = (texts(rule, "verbs"), path.child("verbs"));
    if verbs.is_empty() {
        errors.required(&path, "verbs must contain at least one value");
    } else if verbs.contains(&"*") {
        star_is_alone(rule, "verbs", "verbs", &path, errors);
    } else if let Some(verb) = verbs.iter().find(|verb| !VERBS.contains(verb)) {
        errors.not_supported(&path, verb, &VERBS);
    }
}

fn validate_resource_rule(rule: &Value, path: &Path, errors: &mut Errors) {
    validate_verbs(rule, path, errors);
    for (field, one, many) in [("apiGroups", "api group", "api groups"), ("resources", "resource", "resources")] {
        let path = path.child(field);
        if list(rule, field).is_empty() {
            errors.required(&path, &format!("resource rules must supply at least one {one}"));
        }
        star_is_alone(rule, field, many, &path, errors);
    }
    let (namespaces, path) = (texts(rule, "namespaces"), path.child("namespaces"));
    if namespaces.is_empty() && !is_true(rule, "clusterScope") {
        let wrong = "resource rules that are not cluster scoped must supply at least one namespace";
        errors.required(&path, wrong);
    } else if namespaces.contains(&"*") {
        star_is_alone(rule, "namespaces", "namespaces", &path, errors);
    } else {
        for (index, namespace) in namespaces.iter().enumerate() {
            for wrong in names::dns_label(namespace) {
                let wrong = format!("each member of this list must be '*' or a DNS-1123 label; {wrong}");
                errors.invalid(&path.index(index), namespace, &wrong);
            }
        }
    }
}

fn validate_urls(rule: &Value, path: &Path, errors: &mut Errors) {
    let urls = texts(rule, "nonResourceURLs");
    if urls.is_empty() {
        errors.required(path, "nonResourceURLs must contain at least one value");
    } else if urls.contains(&"*") {
        star_is_alone(rule, "nonResourceURLs", "non-resource URLs", path, errors);
    } else {
        for (index, url) in urls.iter().enumerate() {
            let stars = url.matches('*').count();
            let wrong = match *url {
                "" => "must not be empty",
                "/" => continue,
                url if !url.starts_with('/') => "must start with slash",
                url if url.contains(' ') => "must not contain white-space",
                url if url.contains("//") => "must not contain double slash",
                url if stars > 1 || (stars == 1 && !url.ends_with("/*")) => "wildcard can only do suffix matching",
                _ => continue,
            };
            errors.invalid(&path.index(index), url, wrong);
        }
    }
}

fn row(object: &Value, now: i64) -> Vec<Value> {
    let spec = &object["spec"];
    let dangling = list(&object["status"], "conditions").iter().find(|one| text(one, "type") == "Dangling");
    vec![
        cells::name(object),
        text(&spec["priorityLevelConfiguration"], "name").into(),
        cells::number(&spec["matchingPrecedence"]),
        cells::or(text(&spec["distinguisherMethod"], "type"), cells::NONE).into(),
        cells::age(object, now),
        dangling.map_or("?", |condition| text(condition, "status")).into(),
    ]
}

#[cfg(test)]
mod tests;
