//! A configuration that a policy merges into an object, without owners.
//!
//! Source: <https://kubernetes.io/docs/reference/access-authn-authz/mutating-admission-policy/>, patch type
//! ApplyConfiguration

use super::config::restore_nulls;
use super::faults::Faults;
use super::form::{Form, Spot};
use super::merge::merge;
use crate::field::Errors;
use crate::schema::Schema;
use serde_json::Value;

/// Merges `config` into `object` as an apply does. As upstream, a configuration that would replace a list, map or
/// structure as a whole is refused, since it would take away what it does not name.
///
/// The error is a sentence for the client.
pub fn configure(schema: &Schema, object: &mut Value, config: &Value) -> Result<(), String> {
    if !config.is_object() {
        return Err("the configuration must be an object".into());
    }
    let mut checked = config.clone();
    let mut faults = Faults::of(schema, &checked);
    let unknown = schema.prune(&mut checked);
    if faults.is_empty() {
        let path = |text: &str| text.trim_start_matches("unknown field ").trim_matches('"').to_owned();
        faults.extend(unknown.iter().map(|text| format!(".{}: field not declared in schema", path(text))));
    }
    let mut errors = Errors::default();
    schema.check(&mut checked, &mut errors);
    faults.extend(errors.0.iter().map(|error| format!(".{}: {}", error.field, error.message)));
    if !faults.is_empty() {
        return Err(format!("failed to convert patch object to typed object: {}", faults.join("\n  ")));
    }
    restore_nulls(config, &mut checked);
    let root = Spot::root(&schema.root);
    let mut found = Vec::new();
    find_atomics(root, &checked, String::new(), &mut found);
    if !found.is_empty() {
        let found = found.join(", ");
        return Err(format!("invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: {found}"));
    }
    merge(root, object, &checked);
    Ok(())
}

/// The paths of what is replaced as a whole.
fn find_atomics(spot: Spot<'_>, value: &Value, path: String, found: &mut Vec<String>) {
    let form = spot.form(value);
    match (&form, value) {
        (Form::Struct(shape), Value::Object(fields)) => {
            for (name, value) in fields {
                find_atomics(shape.field(name).0, value, format!("{path}.{name}"), found);
            }
        }
        (Form::Map(entry), Value::Object(fields)) => {
            for (name, value) in fields {
                find_atomics(*entry, value, format!("{path}.{name}"), found);
            }
        }
        (Form::Items(items), Value::Array(list)) => {
            for (index, value) in list.iter().enumerate() {
                find_atomics(items.spot, value, format!("{path}[{index}]"), found);
            }
        }
        (Form::Leaf, Value::Array(_) | Value::Object(_)) => found.push(path),
        _ => {}
    }
}
