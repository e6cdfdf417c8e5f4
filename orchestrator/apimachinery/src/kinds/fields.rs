//! Reading and defaulting fields of an object as JSON.

use serde_json::Value;

/// The text at a key; "" when absent.
pub fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or("")
}

/// The number at a key.
pub fn int(value: &Value, key: &str) -> Option<i64> {
    value[key].as_i64()
}

/// Whether the boolean at a key is true.
pub fn is_true(value: &Value, key: &str) -> bool {
    value[key].as_bool().unwrap_or(false)
}

/// The elements of the list at a key; none when absent.
pub fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

/// The same with the position of each.
pub fn indexed<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = (usize, &'a Value)> {
    list(value, key).iter().enumerate()
}

/// The elements of the list at a key, to be changed.
pub fn list_mut<'a>(value: &'a mut Value, key: &str) -> impl Iterator<Item = &'a mut Value> {
    value.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten()
}

/// The entries of the map at a key; none when absent.
pub fn entries<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    value[key].as_object().into_iter().flatten()
}

/// The object at a key, to be changed, if there is one.
pub fn object_mut<'a>(value: &'a mut Value, key: &str) -> Option<&'a mut Value> {
    value.get_mut(key).filter(|child| child.is_object())
}

/// The object at a key, made when absent.
pub fn object_or_new<'a>(value: &'a mut Value, key: &str) -> &'a mut Value {
    if !value[key].is_object() {
        value[key] = Value::Object(serde_json::Map::new());
    }
    &mut value[key]
}

/// Sets a field that is absent.
pub fn default(value: &mut Value, key: &str, to: impl Into<Value>) {
    if value.get(key).is_none_or(Value::is_null) {
        value[key] = to.into();
    }
}

/// Sets a text that is absent or empty.
pub fn default_text(value: &mut Value, key: &str, to: &str) {
    if text(value, key).is_empty() {
        value[key] = to.into();
    }
}

/// Removes a field.
pub fn remove(value: &mut Value, key: &str) {
    if let Some(map) = value.as_object_mut() {
        map.remove(key);
    }
}

/// Takes a field over from another object: its value, or its absence.
pub fn copy(to: &mut Value, from: &Value, key: &str) {
    match from.get(key) {
        Some(value) => to[key] = value.clone(),
        None => remove(to, key),
    }
}
