//! `authorizer`: expressions that ask what the requester may do.
//!
//! Source: <https://kubernetes.io/docs/reference/using-api/cel/#kubernetes-authorizer-library>

use kube_cel::cel::extractors::This;
use kube_cel::cel::objects::{Key, Map};
use kube_cel::cel::{Context, ExecutionError, Value as Cel};
use std::collections::HashMap;
use std::sync::Arc;

/// What an expression asks authorization about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Check {
    /// `NAMESPACE:NAME` of the ServiceAccount that is asked about; "" for the requester.
    pub service_account: String,
    /// A path that is no resource.
    pub path: String,
    /// API group.
    pub group: String,
    /// Plural.
    pub resource: String,
    /// `status`, …
    pub subresource: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// The verb.
    pub verb: String,
}

/// Answers a check: `Ok` allows; `Err` tells why not.
pub type Checker = Arc<dyn Fn(&Check) -> Result<(), String> + Send + Sync>;

const FIELDS: [&str; 7] = ["serviceAccount", "path", "group", "resource", "subresource", "namespace", "name"];

fn text(value: &str) -> Cel {
    Cel::String(Arc::new(value.to_owned()))
}

fn map(entries: impl IntoIterator<Item = (String, Cel)>) -> Cel {
    let entries = entries.into_iter().map(|(name, value)| (Key::String(Arc::new(name)), value));
    Cel::Map(Map { map: Arc::new(entries.collect::<HashMap<_, _>>()) })
}

/// A copy of a map with one field set.
fn with(this: &Cel, field: &str, value: &str) -> Result<Cel, ExecutionError> {
    let Cel::Map(known) = this else { return Err(ExecutionError::NoSuchOverload) };
    let mut entries: HashMap<Key, Cel> = (*known.map).clone();
    entries.insert(Key::String(Arc::new(field.into())), text(value));
    Ok(Cel::Map(Map { map: Arc::new(entries) }))
}

fn get(this: &Cel, field: &str) -> String {
    match this {
        Cel::Map(known) => match known.map.get(&Key::String(Arc::new(field.into()))) {
            Some(Cel::String(text)) => text.to_string(),
            _ => String::new(),
        },
        _ => String::new(),
    }
}

fn check_of(this: &Cel, verb: &str) -> Check {
    Check {
        service_account: get(this, "serviceAccount"),
        path: get(this, "path"),
        group: get(this, "group"),
        resource: get(this, "resource"),
        subresource: get(this, "subresource"),
        namespace: get(this, "namespace"),
        name: get(this, "name"),
        verb: verb.to_owned(),
    }
}

/// Declares the variable and its functions.
pub(super) fn declare(context: &mut Context<'static>, checker: Checker, request: Check) {
    let own = [
        ("group", &request.group),
        ("resource", &request.resource),
        ("subresource", &request.subresource),
        ("namespace", &request.namespace),
        ("name", &request.name),
    ];
    let own = map(own.into_iter().map(|(name, value)| (name.to_owned(), text(value))));
    context.add_variable_from_value("authorizer", map([("requestResource".to_owned(), own)]));
    for field in FIELDS {
        if field == "serviceAccount" {
            continue;
        }
        context.add_function(field, move |This(this): This<Cel>, value: Arc<String>| with(&this, field, &value));
    }
    context.add_function("serviceAccount", |This(this): This<Cel>, namespace: Arc<String>, name: Arc<String>| {
        with(&this, "serviceAccount", &format!("{namespace}:{name}"))
    });
    context.add_function("check", move |This(this): This<Cel>, verb: Arc<String>| -> Result<Cel, ExecutionError> {
        let answer = checker(&check_of(&this, &verb));
        let reason = answer.as_ref().err().cloned().unwrap_or_default();
        Ok(map([("allowed".to_owned(), Cel::Bool(answer.is_ok())), ("reason".to_owned(), text(&reason))]))
    });
    let field = |name: &'static str| {
        move |This(this): This<Cel>| -> Result<Cel, ExecutionError> {
            let Cel::Map(known) = &this else { return Err(ExecutionError::NoSuchOverload) };
            known.map.get(&Key::String(Arc::new(name.into()))).cloned().ok_or(ExecutionError::NoSuchOverload)
        }
    };
    context.add_function("allowed", field("allowed"));
    context.add_function("reason", field("reason"));
    context.add_function("errored", |This(_): This<Cel>| false);
    context.add_function("error", |This(_): This<Cel>| Arc::new(String::new()));
}
