//! Secret.

use super::config_map::{DATA_BYTES_MAX, stays_as_it_is, validate_encoded};
use super::fields::{default_text, entries, object_or_new, remove, text};
use super::metadata::immutable;
use super::{AGE, NAME, cells, columns, namespaced, texts};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

/// The row of Secret.
pub fn kind() -> Kind {
    Kind {
        selectable_fields: texts(&["type"]),
        columns: columns(&[
            NAME,
            ("Type", "string", 0, "What its data is used for."),
            ("Data", "string", 0, "How many entries it holds."),
            AGE,
        ]),
        strategy: strategy(),
        ..namespaced("", "Secret", "secrets")
    }
}

fn strategy() -> Strategy {
    Strategy { default, validate, validate_update, cells: row, ..Strategy::default() }
}

fn default(object: &mut Value) {
    default_text(object, "type", "Opaque");
    let plain: Vec<(String, String)> = entries(object, "stringData")
        .map(|(key, value)| (key.clone(), BASE64_STANDARD.encode(value.as_str().unwrap_or(""))))
        .collect();
    remove(object, "stringData");
    if plain.is_empty() {
        return;
    }
    let data = object_or_new(object, "data");
    for (key, encoded) in plain {
        data[key] = encoded.into();
    }
}

/// What a Secret of a known type has to hold.
fn required_keys(type_: &str) -> &'static [&'static str] {
    match type_ {
        "kubernetes.io/dockercfg" => &[".dockercfg"],
        "kubernetes.io/dockerconfigjson" => &[".dockerconfigjson"],
        "kubernetes.io/ssh-auth" => &["ssh-privatekey"],
        "kubernetes.io/tls" => &["tls.crt", "tls.key"],
        _ => &[],
    }
}

/// Why bytes are no JSON object, without telling what they are.
fn not_a_map(json: &[u8]) -> Option<String> {
    let kind = match serde_json::from_slice::<Value>(json) {
        Ok(Value::Object(_) | Value::Null) => return None,
        Ok(Value::Array(_)) => "array",
        Ok(Value::String(_)) => "string",
        Ok(Value::Number(_)) => "number",
        Ok(Value::Bool(_)) => "bool",
        Err(wrong) if wrong.is_eof() => return Some("unexpected end of JSON input".to_owned()),
        Err(wrong) => return Some(format!("invalid JSON at line {} column {}", wrong.line(), wrong.column())),
    };
    Some(format!("json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"))
}

fn validate(object: &Value, errors: &mut Errors) {
    let path = Path::new("data");
    if validate_encoded(object, "data", errors) > DATA_BYTES_MAX {
        errors.too_long(&path, DATA_BYTES_MAX);
    }
    let (type_, data) = (text(object, "type"), &object["data"]);
    for key in required_keys(type_) {
        match data.get(*key).and_then(Value::as_str) {
            None => errors.required(&path.key(key), ""),
            Some("") if *key == "ssh-privatekey" => errors.required(&path.key(key), ""),
            Some(encoded) if key.starts_with(".docker") => {
                if let Some(wrong) = not_a_map(&BASE64_STANDARD.decode(encoded).unwrap_or_default()) {
                    errors.invalid(&path.key(key), "<secret contents redacted>", &wrong);
                }
            }
            Some(_) => {}
        }
    }
    if type_ == "kubernetes.io/basic-auth" && data.get("username").is_none() && data.get("password").is_none() {
        errors.required(&path.key("username"), "");
        errors.required(&path.key("password"), "");
    }
    const OWNER: &str = "kubernetes.io/service-account.name";
    if type_ == "kubernetes.io/service-account-token" && text(&object["metadata"]["annotations"], OWNER).is_empty() {
        errors.required(&Path::new("metadata").child("annotations").key(OWNER), "");
    }
}

fn validate_update(object: &Value, old: &Value, errors: &mut Errors) {
    immutable(&object["type"], &old["type"], &Path::new("type"), errors);
    stays_as_it_is(object, old, &["data"], errors);
}

fn row(object: &Value, now: i64) -> Vec<Value> {
    let count = entries(object, "data").count();
    vec![cells::name(object), text(object, "type").into(), count.into(), cells::age(object, now)]
}

#[cfg(test)]
mod tests;
