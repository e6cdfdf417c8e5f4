//! The operations. What clients look for in them: the kind behind a path, and on PATCH its media
//! types and the query parameters `dryRun` and `fieldValidation`.

use super::schemas::{body_schema, identity, reference};
use crate::kind::{Kind, Scope, Subresource, Verb};
use serde_json::{Map, Value, json};
use std::sync::Arc;

const OBJECT_TYPES: [&str; 2] = ["application/json", "application/yaml"];
const PATCH_TYPES: [&str; 4] = [
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
];
const PATCH: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";
const STATUS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Status";
const DELETE_OPTIONS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";
const LIST_PARAMETERS: [&str; 10] = [
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
    "watch",
];
const WRITE_PARAMETERS: [&str; 3] = ["dryRun", "fieldManager", "fieldValidation"];
const PATCH_PARAMETERS: [&str; 4] = ["dryRun", "fieldManager", "fieldValidation", "force"];
const DELETE_PARAMETERS: [&str; 4] = ["dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy"];

/// `paths` of the group version at `path`.
pub(super) fn of(kinds: &[&Arc<Kind>], path: &str) -> Value {
    let mut paths = Map::new();
    for kind in kinds {
        let namespaced = kind.scope == Scope::Namespaced;
        let all = format!("/{path}/{}", kind.plural);
        let collection =
            if namespaced { format!("/{path}/namespaces/{{namespace}}/{}", kind.plural) } else { all.clone() };
        let item = format!("{collection}/{{name}}");
        if namespaced && kind.verbs.contains(&Verb::List) {
            let list = operation(kind, None, Verb::List);
            paths.insert(all, json!({"get": list}));
        }
        let verbs = |wanted: &[Verb]| -> Vec<Verb> {
            wanted.iter().copied().filter(|verb| kind.verbs.contains(verb)).collect()
        };
        let of_collection = verbs(&[Verb::List, Verb::Create, Verb::DeleteCollection]);
        insert(&mut paths, collection, kind, None, &of_collection, namespaced);
        let of_item = verbs(&[Verb::Get, Verb::Update, Verb::Patch, Verb::Delete]);
        insert(&mut paths, item.clone(), kind, None, &of_item, namespaced);
        for sub in &kind.subresources {
            insert(&mut paths, format!("{item}/{}", sub.name), kind, Some(sub), &sub.verbs, namespaced);
        }
    }
    Value::Object(paths)
}

fn insert(
    paths: &mut Map<String, Value>,
    path: String,
    kind: &Kind,
    sub: Option<&Subresource>,
    verbs: &[Verb],
    namespaced: bool,
) {
    if verbs.is_empty() {
        return;
    }
    let parameter = |name: &str| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}});
    let mut parameters = Vec::new();
    if path.contains("{name}") {
        parameters.push(parameter("name"));
    }
    if namespaced {
        parameters.push(parameter("namespace"));
    }
    let mut item = Map::new();
    for verb in verbs {
        item.insert(method(*verb).into(), operation(kind, sub, *verb));
    }
    if !parameters.is_empty() {
        item.insert("parameters".into(), Value::Array(parameters));
    }
    paths.insert(path, Value::Object(item));
}

fn method(verb: Verb) -> &'static str {
    match verb {
        Verb::Create => "post",
        Verb::Delete | Verb::DeleteCollection => "delete",
        Verb::Get | Verb::List | Verb::Watch => "get",
        Verb::Patch => "patch",
        Verb::Update => "put",
    }
}

/// Upstream's word for what an operation does.
fn action(verb: Verb, sub: Option<&Subresource>) -> &'static str {
    match verb {
        Verb::Get if sub.is_some_and(|sub| sub.name == "log") => "get",
        Verb::DeleteCollection => "deletecollection",
        Verb::List => "list",
        other => method(other),
    }
}

fn operation(kind: &Kind, sub: Option<&Subresource>, verb: Verb) -> Value {
    let (own, list) = (kind.schema_name.to_string(), format!("{}List", kind.schema_name));
    let (schema, who) = match sub.and_then(|sub| sub.body.as_ref()) {
        Some((group, version, body)) => {
            (body_schema(group, version, body).unwrap_or(STATUS).to_owned(), identity(group, version, body))
        }
        None => (own, identity(&kind.group, &kind.version, &kind.kind)),
    };
    let answer = match verb {
        Verb::List => list.as_str(),
        Verb::Delete | Verb::DeleteCollection => STATUS,
        _ => schema.as_str(),
    };
    let (parameters, body): (&[&str], Option<Value>) = match verb {
        Verb::Create | Verb::Update => (&WRITE_PARAMETERS, Some(content(&["*/*"], &schema))),
        Verb::Patch => (&PATCH_PARAMETERS, Some(content(&PATCH_TYPES, PATCH))),
        Verb::Delete | Verb::DeleteCollection => (&DELETE_PARAMETERS, Some(content(&["*/*"], DELETE_OPTIONS))),
        Verb::List => (&LIST_PARAMETERS, None),
        Verb::Get | Verb::Watch => (&[], None),
    };
    let parameters: Vec<Value> = parameters.iter().map(|name| query(name)).collect();
    let title =
        format!("{} {}{}", verb.as_str(), kind.plural, sub.map(|sub| format!("/{}", sub.name)).unwrap_or_default());
    let mut operation = json!({
        "description": title, "parameters": parameters,
        "responses": {"200": {"description": "OK", "content": content(&OBJECT_TYPES, answer)["content"]}},
        "x-kubernetes-action": action(verb, sub), "x-kubernetes-group-version-kind": who,
    });
    if let Some(body) = body {
        operation["requestBody"] = body;
    }
    operation
}

fn content(types: &[&str], schema: &str) -> Value {
    let content: Map<String, Value> =
        types.iter().map(|media_type| ((*media_type).to_owned(), json!({"schema": reference(schema)}))).collect();
    json!({"content": content})
}

fn query(name: &str) -> Value {
    let kind = match name {
        "limit" | "timeoutSeconds" | "gracePeriodSeconds" => "integer",
        "watch" | "allowWatchBookmarks" | "sendInitialEvents" | "force" | "orphanDependents" => "boolean",
        _ => "string",
    };
    json!({"name": name, "in": "query", "schema": {"type": kind, "uniqueItems": true}})
}
