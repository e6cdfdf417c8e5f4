//! Strategic merge over the schema arena.

use crate::schema::types::{Field, Node};
use crate::status::ApiError;
use serde_json::{Map, Value};

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const ELEMENT_ORDER: &str = "$setElementOrder/";
const DELETE_PRIMITIVE: &str = "$deleteFromPrimitiveList/";

type Object = Map<String, Value>;

pub(super) fn apply(root: &Node, target: &mut Value, patch: &Value) -> Result<(), ApiError> {
    let Value::Object(patch) = patch else {
        return Err(ApiError::bad_request("the patch must be a JSON object"));
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(fields) = target else { return Ok(()) };
    merge_object(root, fields, patch)
}

fn refuse(why: String) -> ApiError {
    ApiError::bad_request(format!("invalid strategic merge patch: {why}"))
}

/// How the value of one field merges.
struct Rule<'a> {
    node: &'a Node,
    replace: bool,
    /// Whether a list merges.
    merge: bool,
    /// The merge key of a list of objects; "" for lists of primitives.
    key: &'a str,
}

static ANY: Node = Node::Any;

/// A node's rule for a field of that name; unknown fields merge as objects and replace lists.
fn rule<'a>(node: &'a Node, name: &str) -> Rule<'a> {
    let plain = |node: &'a Node| Rule { node, replace: false, merge: false, key: "" };
    match node {
        Node::Object(shape) => match shape.field(name) {
            Some(Field { node, patch, .. }) => {
                Rule { node, replace: patch.replace, merge: patch.merge, key: &patch.key }
            }
            None => plain(&ANY),
        },
        Node::Map(values) => plain(values),
        Node::Either(shape, _) => rule(shape, name),
        _ => plain(&ANY),
    }
}

fn items(node: &Node) -> &Node {
    if let Node::List(items) = node { items } else { &ANY }
}

fn merge_object(node: &Node, target: &mut Object, patch: &Object) -> Result<(), ApiError> {
    match patch.get(DIRECTIVE) {
        None => {}
        Some(Value::String(directive)) => match directive.as_str() {
            "merge" => {}
            "replace" => {
                *target = clean(patch);
                return Ok(());
            }
            "delete" => {
                target.clear();
                return Ok(());
            }
            other => return Err(refuse(format!("unknown $patch directive {other:?}"))),
        },
        Some(_) => return Err(refuse("the $patch directive must be a string".into())),
    }
    if let Some(keys) = patch.get(RETAIN_KEYS) {
        retain_keys(target, patch, keys)?;
    }
    for (name, value) in patch {
        if name == DIRECTIVE || name == RETAIN_KEYS {
            continue;
        }
        if let Some(field) = name.strip_prefix(DELETE_PRIMITIVE) {
            delete_primitives(target, field, value)?;
        } else if let Some(field) = name.strip_prefix(ELEMENT_ORDER) {
            // With the list itself in the patch, the order is taken when that is merged.
            if !patch.contains_key(field) {
                let order = order_of(Some(value))?;
                reorder(&rule(node, field), target.get_mut(field), order, None);
            }
        } else {
            let order = order_of(patch.get(&format!("{ELEMENT_ORDER}{name}")))?;
            merge_field(&rule(node, name), target, name, value, order)?;
        }
    }
    Ok(())
}

fn merge_field(
    rule: &Rule<'_>,
    target: &mut Object,
    name: &str,
    value: &Value,
    order: Option<&Vec<Value>>,
) -> Result<(), ApiError> {
    if value.is_null() {
        target.remove(name);
        return Ok(());
    }
    match (target.get_mut(name), value) {
        (Some(Value::Object(fields)), Value::Object(patch)) if !rule.replace => merge_object(rule.node, fields, patch),
        (Some(Value::Array(list)), Value::Array(patch)) if rule.merge => {
            let before = order.map(|_| list.clone());
            merge_list(rule, name, list, patch)?;
            reorder(rule, target.get_mut(name), order, before.as_deref());
            Ok(())
        }
        (None, Value::Object(patch)) if patch.get(DIRECTIVE).is_some_and(|directive| directive == "delete") => Ok(()),
        (None, Value::Array(patch)) if rule.merge => {
            let mut list = Vec::new();
            merge_list(rule, name, &mut list, patch)?;
            target.insert(name.to_owned(), Value::Array(list));
            reorder(rule, target.get_mut(name), order, None);
            Ok(())
        }
        _ => {
            target.insert(name.to_owned(), clean_value(value));
            Ok(())
        }
    }
}

/// Drops what the patch does not retain; each field of the patch must be retained.
fn retain_keys(target: &mut Object, patch: &Object, keys: &Value) -> Result<(), ApiError> {
    let Some(keys) = keys.as_array() else { return Err(refuse("$retainKeys must be a list".into())) };
    let retained = |name: &str| keys.iter().any(|key| key.as_str() == Some(name));
    for (name, value) in patch {
        if !name.starts_with('$') && !value.is_null() && !retained(name) {
            return Err(refuse(format!("{name:?} is set but not in $retainKeys")));
        }
    }
    target.retain(|name, _| retained(name));
    Ok(())
}

fn delete_primitives(target: &mut Object, field: &str, values: &Value) -> Result<(), ApiError> {
    let Some(values) = values.as_array() else {
        return Err(refuse(format!("{DELETE_PRIMITIVE}{field} must be a list")));
    };
    if let Some(Value::Array(list)) = target.get_mut(field) {
        list.retain(|item| !values.contains(item));
    }
    Ok(())
}

fn merge_list(rule: &Rule<'_>, name: &str, list: &mut Vec<Value>, patch: &[Value]) -> Result<(), ApiError> {
    if rule.key.is_empty() {
        for item in patch {
            if !list.contains(item) {
                list.push(item.clone());
            }
        }
        return Ok(());
    }
    let directive = |item: &Value| item[DIRECTIVE].as_str().unwrap_or_default().to_owned();
    if patch.iter().any(|item| directive(item) == "replace") {
        *list = patch.iter().filter(|item| directive(item) != "replace").map(clean_value).collect();
        return Ok(());
    }
    for item in patch {
        let Value::Object(fields) = item else {
            return Err(refuse(format!("an element of {name:?} is not an object")));
        };
        let Some(key) = fields.get(rule.key) else {
            let shown = item.to_string();
            return Err(refuse(format!("an element of {name:?} lacks its merge key {:?}: {shown}", rule.key)));
        };
        match directive(item).as_str() {
            "delete" => list.retain(|one| one.get(rule.key) != Some(key)),
            "" | "merge" => match list.iter_mut().find(|one| one.get(rule.key) == Some(key)) {
                Some(Value::Object(found)) => merge_object(items(rule.node), found, fields)?,
                _ => {
                    let mut added = Map::new();
                    merge_object(items(rule.node), &mut added, fields)?;
                    list.push(Value::Object(added));
                }
            },
            other => return Err(refuse(format!("unknown $patch directive {other:?} in {name:?}"))),
        }
    }
    Ok(())
}

fn order_of(order: Option<&Value>) -> Result<Option<&Vec<Value>>, ApiError> {
    match order {
        None => Ok(None),
        Some(Value::Array(list)) => Ok(Some(list)),
        Some(_) => Err(refuse("$setElementOrder must be a list".into())),
    }
}

/// Puts the elements that `order` names into that order. The others keep their order and stand
/// before the first of the named ones that stood behind them in the list as it was (`before`).
fn reorder(rule: &Rule<'_>, list: Option<&mut Value>, order: Option<&Vec<Value>>, before: Option<&[Value]>) {
    let (Some(Value::Array(list)), Some(order), true) = (list, order, rule.merge) else { return };
    let identity = |item: &Value| if rule.key.is_empty() { item.clone() } else { item[rule.key].clone() };
    let before: Vec<Value> = before.unwrap_or(list).iter().map(identity).collect();
    let order: Vec<Value> = order.iter().map(identity).collect();
    let rank = |item: &Value| order.iter().position(|one| *one == identity(item));
    let place = |item: &Value| before.iter().position(|one| *one == identity(item));
    let (mut named, others): (Vec<Value>, Vec<Value>) = list.drain(..).partition(|item| rank(item).is_some());
    named.sort_by_key(rank);
    let mut named = named.into_iter().peekable();
    for other in others {
        let own = place(&other);
        // Both must have stood in the list to be compared.
        let precedes = |next: &Value| own.is_none() || place(next).is_none_or(|next| Some(next) < own);
        while let Some(next) = named.next_if(precedes) {
            list.push(next);
        }
        list.push(other);
    }
    list.extend(named);
}

/// A value of a patch as it goes into the object: without directives and nulls.
fn clean_value(value: &Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(clean(fields)),
        Value::Array(list) => {
            let deleted = |item: &&Value| item.get(DIRECTIVE).is_none_or(|directive| directive != "delete");
            Value::Array(list.iter().filter(deleted).map(clean_value).collect())
        }
        other => other.clone(),
    }
}

fn clean(fields: &Object) -> Object {
    let kept = |(name, value): &(&String, &Value)| {
        let directive = *name == DIRECTIVE
            || *name == RETAIN_KEYS
            || name.starts_with(ELEMENT_ORDER)
            || name.starts_with(DELETE_PRIMITIVE);
        !directive && !value.is_null()
    };
    fields.iter().filter(kept).map(|(name, value)| (name.clone(), clean_value(value))).collect()
}
