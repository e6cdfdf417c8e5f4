//! The operations: what may be asked of each path, and what comes back.

mod parameters;

use super::schemas::{body_schema, identity, list_name, reference, schema_name};
use crate::kind::{Kind, Scope, Subresource, Verb};
use serde_json::{Map, Value, json};
use std::sync::Arc;

const JSON: &str = "application/json";
const YAML: &str = "application/yaml";
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
const PATCH: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";
const STATUS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Status";
const DELETE_OPTIONS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";

/// Subresources that connect to something else than the store.
pub(super) fn is_connection(sub: &Subresource) -> bool {
    matches!(&*sub.name, "attach" | "exec" | "log" | "portforward" | "proxy")
}

/// `paths` of the group version at `path`.
pub(super) fn of(kinds: &[&Arc<Kind>], path: &str) -> Value {
    let mut paths = Map::new();
    let resources = json_answer("OK", json!({"type": "object"}));
    let get = json!({
        "tags": [tag(path)], "description": "get available resources",
        "operationId": format!("get{}APIResources", capital(&tag(path))),
        "responses": {"200": resources, "401": {"description": "Unauthorized"}},
    });
    paths.insert(format!("/{path}/"), json!({"get": get}));
    for kind in kinds {
        let namespaced = kind.scope == Scope::Namespaced;
        let all = format!("/{path}/{}", kind.plural);
        let collection =
            if namespaced { format!("/{path}/namespaces/{{namespace}}/{}", kind.plural) } else { all.clone() };
        let item = format!("{collection}/{{name}}");
        if namespaced && kind.verbs.contains(&Verb::List) {
            let place = Place { path, kind, sub: None, all_namespaces: true };
            paths.insert(all, json!({"get": place.operation(Verb::List), "parameters": parameters::COMMON.all()}));
        }
        let verbs = |wanted: &[Verb]| -> Vec<Verb> {
            wanted.iter().copied().filter(|verb| kind.verbs.contains(verb)).collect()
        };
        let place = Place { path, kind, sub: None, all_namespaces: false };
        let of_collection = verbs(&[Verb::List, Verb::Create, Verb::DeleteCollection]);
        place.insert(&mut paths, collection, &of_collection);
        let of_item = verbs(&[Verb::Get, Verb::Update, Verb::Patch, Verb::Delete]);
        place.insert(&mut paths, item.clone(), &of_item);
        for sub in &kind.subresources {
            let place = Place { path, kind, sub: Some(sub), all_namespaces: false };
            place.insert(&mut paths, format!("{item}/{}", sub.name), &sub.verbs);
        }
    }
    Value::Object(paths)
}

/// `apps_v1`
fn tag(path: &str) -> String {
    let group = path.trim_start_matches("apis/").replace("api/", "core/");
    group.replace(".k8s.io", "").replace(['/', '.'], "_")
}

fn capital(text: &str) -> String {
    text.split(['_', '-']).map(|part| part[..1].to_uppercase() + &part[1..]).collect()
}

/// A description and a JSON schema as an answer.
pub(super) fn json_answer(description: &str, schema: Value) -> Value {
    json!({"description": description, "content": {JSON: {"schema": schema}}})
}

struct Place<'a> {
    path: &'a str,
    kind: &'a Kind,
    sub: Option<&'a Subresource>,
    all_namespaces: bool,
}

impl Place<'_> {
    fn insert(&self, paths: &mut Map<String, Value>, path: String, verbs: &[Verb]) {
        if verbs.is_empty() {
            return;
        }
        let mut parameters = Vec::new();
        if path.contains("{name}") {
            parameters.push(parameters::path("name", &format!("name of the {}", self.kind.kind)));
        }
        if self.kind.scope == Scope::Namespaced {
            let what = "object name and auth scope, such as for teams and projects";
            parameters.push(parameters::path("namespace", what));
        }
        parameters.extend(parameters::COMMON.all());
        let mut item = Map::new();
        for verb in verbs {
            item.insert(method(*verb).into(), self.operation(*verb));
        }
        item.insert("parameters".into(), Value::Array(parameters));
        paths.insert(path, Value::Object(item));
    }

    /// The schema of the body, and the kind behind the operation.
    fn body(&self) -> (String, Value) {
        match self.sub.and_then(|sub| sub.body.as_ref()) {
            Some((group, version, body)) => {
                (body_schema(group, version, body).unwrap_or(STATUS).to_owned(), identity(group, version, body))
            }
            None => (schema_name(self.kind), identity(&self.kind.group, &self.kind.version, &self.kind.kind)),
        }
    }

    fn operation(&self, verb: Verb) -> Value {
        let (schema, who) = self.body();
        let connects = self.sub.is_some_and(is_connection);
        let (parameters, body): (Vec<Value>, Option<Value>) = match verb {
            _ if connects => (parameters::of_connection(self.sub.map_or("", |sub| &sub.name)), None),
            Verb::Create | Verb::Update => (parameters::WRITE.all(), Some(content(&["*/*"], &schema, true))),
            Verb::Patch => (parameters::PATCH.all(), Some(content(&self.patch_types(), PATCH, true))),
            Verb::Delete => (parameters::DELETE.all(), Some(content(&["*/*"], DELETE_OPTIONS, false))),
            Verb::DeleteCollection => {
                let mut both = parameters::DELETE.all();
                both.extend(parameters::SELECT.all());
                (both, Some(content(&["*/*"], DELETE_OPTIONS, false)))
            }
            Verb::List => (parameters::LIST.all(), None),
            Verb::Get | Verb::Watch => (Vec::new(), None),
        };
        let mut operation = json!({
            "tags": [tag(self.path)], "description": self.description(verb), "operationId": self.id(verb),
            "parameters": parameters, "responses": self.responses(verb, &schema),
            "x-kubernetes-action": self.action(verb), "x-kubernetes-group-version-kind": who,
        });
        if let Some(body) = body {
            operation["requestBody"] = body;
        }
        operation
    }

    fn patch_types(&self) -> Vec<&'static str> {
        let mut types =
            vec!["application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json"];
        // Custom resources have no merge keys.
        if self.kind.openapi.is_none() {
            types.push("application/strategic-merge-patch+json");
        }
        types
    }

    fn responses(&self, verb: Verb, schema: &str) -> Value {
        let mut responses = Map::new();
        if self.sub.is_some_and(is_connection) {
            let text = json!({"text/plain": {"schema": {"type": "string"}}, "*/*": {"schema": {"type": "string"}}});
            responses.insert("200".into(), json!({"description": "OK", "content": text}));
        } else {
            let list = list_name(self.kind);
            let answer = match verb {
                Verb::List => list.as_str(),
                Verb::Delete | Verb::DeleteCollection => STATUS,
                _ => schema,
            };
            let mut types = vec![JSON, YAML];
            if self.kind.openapi.is_none() {
                types.push(PROTOBUF);
            }
            if verb == Verb::List {
                types.push("application/json;stream=watch");
            }
            let codes: &[(&str, &str)] = match verb {
                Verb::Create => &[("200", "OK"), ("201", "Created"), ("202", "Accepted")],
                Verb::Update | Verb::Patch => &[("200", "OK"), ("201", "Created")],
                Verb::Delete => &[("200", "OK"), ("202", "Accepted")],
                _ => &[("200", "OK")],
            };
            for (code, description) in codes {
                let mut answer = content(&types, answer, false);
                answer["description"] = json!(description);
                responses.insert((*code).into(), answer);
            }
        }
        responses.insert("401".into(), json!({"description": "Unauthorized"}));
        responses.insert("default".into(), json_answer("What went wrong", reference(STATUS)));
        Value::Object(responses)
    }

    /// Upstream's word for what an operation does.
    fn action(&self, verb: Verb) -> &'static str {
        match verb {
            _ if self.sub.is_some_and(|sub| is_connection(sub) && sub.name != "log") => "connect",
            Verb::DeleteCollection => "deletecollection",
            Verb::List => "list",
            other => method(other),
        }
    }

    fn description(&self, verb: Verb) -> String {
        let kind = &self.kind.kind;
        let of = self.sub.map(|sub| format!("{} of ", sub.name)).unwrap_or_default();
        match verb {
            _ if self.action(verb) == "connect" => {
                format!("connect {} requests to {of}{kind}", method(verb).to_uppercase())
            }
            Verb::List | Verb::Watch => format!("list or watch objects of kind {kind}"),
            Verb::Create => format!("create {of}a {kind}"),
            Verb::Get => format!("read {of}the specified {kind}"),
            Verb::Update => format!("replace {of}the specified {kind}"),
            Verb::Patch => format!("partially update {of}the specified {kind}"),
            Verb::Delete => format!("delete a {kind}"),
            Verb::DeleteCollection => format!("delete collection of {kind}"),
        }
    }

    /// `readAppsV1NamespacedDeploymentStatus`
    fn id(&self, verb: Verb) -> String {
        let word = match verb {
            _ if self.action(verb) == "connect" => match verb {
                Verb::Get => "connectGet",
                _ => "connectPost",
            },
            Verb::Create => "create",
            Verb::Delete => "delete",
            Verb::DeleteCollection => "deleteCollection",
            Verb::Get => "read",
            Verb::List | Verb::Watch => "list",
            Verb::Patch => "patch",
            Verb::Update => "replace",
        };
        let scope = if self.kind.scope == Scope::Namespaced && !self.all_namespaces { "Namespaced" } else { "" };
        let sub = self.sub.map(|sub| capital(&sub.name)).unwrap_or_default();
        let suffix = if self.all_namespaces { "ForAllNamespaces" } else { "" };
        format!("{word}{}{scope}{}{sub}{suffix}", capital(&tag(self.path)), self.kind.kind)
    }
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

fn content(types: &[&str], schema: &str, required: bool) -> Value {
    let content: Map<String, Value> =
        types.iter().map(|media_type| ((*media_type).to_owned(), json!({"schema": reference(schema)}))).collect();
    if required { json!({"content": content, "required": true}) } else { json!({"content": content}) }
}
