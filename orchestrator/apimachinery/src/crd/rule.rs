//! `x-kubernetes-validations`: rules in CEL about a value and what it was before.
//!
//! Source: <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation-rules>

use super::prune::below;
use super::shape::Shape;
use super::validate::{child, counterpart};
use crate::cel::{Expression, Scope, optional};
use crate::field::{Errors, Path, Reason};
use kube_cel::cel::Value as Cel;
use kube_cel::cel::objects::{Key, Map};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// What rules may speak of.
pub(super) const VARIABLES: [&str; 2] = ["self", "oldSelf"];

/// One rule.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// Its place in the list.
    pub index: usize,
    /// As it was written.
    pub source: Value,
    pub text: String,
    pub expression: Expression,
    message: String,
    pub message_expression: Option<Expression>,
    reason: Reason,
    /// Where errors point, below the place of the rule.
    field: String,
    pub optional_old: bool,
}

impl Rule {
    /// The rules of a list that compile; the others were refused with their definition.
    pub fn compile_all(list: &Value) -> Vec<Rule> {
        list.as_array().into_iter().flatten().enumerate().filter_map(Rule::compile).collect()
    }

    fn compile((index, rule): (usize, &Value)) -> Option<Rule> {
        let text = rule["rule"].as_str()?;
        let message_expression = rule["messageExpression"].as_str().filter(|text| !text.is_empty());
        Some(Rule {
            index,
            source: rule.clone(),
            text: text.to_owned(),
            expression: Expression::compile(text, &VARIABLES).ok()?,
            message: rule["message"].as_str().unwrap_or_default().to_owned(),
            message_expression: message_expression.and_then(|text| Expression::compile(text, &VARIABLES).ok()),
            reason: match rule["reason"].as_str() {
                Some("FieldValueForbidden") => Reason::Forbidden,
                Some("FieldValueRequired") => Reason::Required,
                Some("FieldValueDuplicate") => Reason::Duplicate,
                _ => Reason::Invalid,
            },
            field: rule["fieldPath"].as_str().unwrap_or_default().to_owned(),
            optional_old: rule["optionalOldSelf"].as_bool().unwrap_or(false),
        })
    }

    fn judge(&self, scope: &Scope, type_: &str, path: &str, errors: &mut Errors) {
        let found = scope.condition(&self.expression);
        let place = Path::from_text(format!("{path}{}", self.field).trim_start_matches('.').to_owned());
        match found {
            Ok(true) => {}
            Ok(false) => {
                let detail = self.detail(scope);
                match self.reason {
                    Reason::Forbidden => errors.forbidden(&place, &detail),
                    Reason::Required => errors.required(&place, &detail),
                    Reason::Duplicate => errors.duplicate(&place, type_),
                    _ => errors.invalid(&place, type_, &detail),
                }
            }
            Err(why) => {
                let detail = format!("{why} evaluating rule: {}", self.static_detail());
                errors.invalid(&Path::from_text(path.to_owned()), type_, &detail);
            }
        }
    }

    fn static_detail(&self) -> String {
        match self.message.trim() {
            "" => self.text.clone(),
            message => message.to_owned(),
        }
    }

    fn detail(&self, scope: &Scope) -> String {
        let made = self.message_expression.as_ref().and_then(|expression| scope.evaluate(expression).ok());
        let made = made.as_ref().and_then(Value::as_str).map(str::trim);
        if let Some(message) = made.filter(|message| !message.is_empty() && !message.contains('\n')) {
            return message.to_owned();
        }
        match self.message.trim() {
            "" => format!("failed rule: {}", self.text.trim()),
            message => message.to_owned(),
        }
    }
}

/// Judges a value by all rules of its shape and below.
pub(super) fn check(shape: &Shape, value: &Value, old: Option<&Value>, errors: &mut Errors) {
    node(&mut Scope::new(), shape, value, old, "", errors);
}

fn node(scope: &mut Scope, shape: &Shape, value: &Value, old: Option<&Value>, path: &str, errors: &mut Errors) {
    if !shape.has_rules() || value.is_null() {
        return;
    }
    if !shape.rules.is_empty() {
        scope.set_value("self", to_cel(shape, value));
        let mut previous = old.map(|old| to_cel(shape, old));
        for rule in &shape.rules {
            let about_change = rule.expression.uses("oldSelf");
            let known = old == Some(value);
            if (about_change && old.is_none() && !rule.optional_old) || (!about_change && known) {
                continue;
            }
            let previous = match rule.optional_old {
                true => Some(optional(previous.clone())),
                false => previous.take().inspect(|value| previous = Some(value.clone())),
            };
            scope.set_value("oldSelf", previous.unwrap_or(Cel::Null));
            rule.judge(scope, type_of(shape), path, errors);
        }
    }
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                if let Some(shape) = below(shape, name) {
                    let old = old.and_then(|old| old.get(name)).filter(|old| !old.is_null());
                    node(scope, shape, value, old, &child(path, name), errors);
                }
            }
        }
        Value::Array(list) => {
            let Some(items) = &shape.items else { return };
            for (index, item) in list.iter().enumerate() {
                node(scope, items, item, counterpart(shape, item, old), &format!("{path}[{index}]"), errors);
            }
        }
        _ => {}
    }
}

/// What an error shows in place of the value.
fn type_of(shape: &Shape) -> &str {
    if shape.int_or_string { "" } else { &shape.type_ }
}

/// A value as rules see it: times and bytes are what their format says.
fn to_cel(shape: &Shape, value: &Value) -> Cel {
    match value {
        Value::Object(map) => {
            let entry = |(name, value): (&String, &Value)| {
                let value = below(shape, name).map_or_else(|| crate::cel::to_cel(value), |shape| to_cel(shape, value));
                (Key::String(Arc::new(name.clone())), value)
            };
            Cel::Map(Map { map: Arc::new(map.iter().map(entry).collect::<HashMap<_, _>>()) })
        }
        Value::Array(list) => {
            let item = |item: &Value| match &shape.items {
                Some(items) => to_cel(items, item),
                None => crate::cel::to_cel(item),
            };
            Cel::List(Arc::new(list.iter().map(item).collect()))
        }
        Value::String(text) => of_format(&shape.format, text).unwrap_or_else(|| crate::cel::to_cel(value)),
        Value::Number(number) if shape.type_ == "number" => Cel::Float(number.as_f64().unwrap_or(f64::NAN)),
        _ => crate::cel::to_cel(value),
    }
}

fn of_format(format: &str, text: &str) -> Option<Cel> {
    match format {
        "date-time" => text.parse().ok().map(Cel::Timestamp),
        "date" => format!("{text}T00:00:00Z").parse().ok().map(Cel::Timestamp),
        "duration" => {
            let mut scope = Scope::new();
            scope.set("self", &Value::String(text.to_owned()));
            scope.value(&Expression::compile("duration(self)", &VARIABLES).ok()?).ok()
        }
        "byte" => {
            use base64::Engine;
            base64::engine::general_purpose::STANDARD.decode(text).ok().map(|bytes| Cel::Bytes(Arc::new(bytes)))
        }
        _ => None,
    }
}
