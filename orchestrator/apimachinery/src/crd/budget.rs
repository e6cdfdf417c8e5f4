//! Rules in CEL when they are written down: their types, and what they may cost.
//!
//! Source: <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#resource-use-by-validation-functions>

use super::decl::{bytes_min, count_max, decl, entries_max, items_max};
use super::rule::VARIABLES;
use super::shape::{Additional, List, Shape};
use crate::cel::{Checked, Decl, Expression, Type};
use crate::field::{Errors, Path};
use crate::limits::{CEL_RULE_COST_MAX, CEL_RULES_COST_MAX};
use std::sync::Arc;

const RULES: &str = "x-kubernetes-validations";
/// How many of the rules that make a total too large are named.
const NAMED_MAX: usize = 4;

/// Where in a schema a rule stands.
#[derive(Clone)]
struct Spot<'p> {
    path: Path,
    /// How often the value can be in one object; `None` when a list or map above has no limit.
    count: Option<u64>,
    /// The list above whose items cannot be told from each other.
    uncorrelated: Option<&'p Path>,
}

/// What the rules of a schema cost together.
#[derive(Default)]
struct Total {
    cost: u64,
    /// Those that cost much.
    much: Vec<(u64, Path)>,
}

impl Total {
    fn add(&mut self, cost: u64, path: &Path) {
        self.cost = self.cost.saturating_add(cost);
        if cost >= CEL_RULES_COST_MAX / 100 {
            self.much.push((cost, path.clone()));
        }
    }
}

/// Judges the rules of a schema and of all below.
pub(super) fn check(shape: &Shape, path: &Path, errors: &mut Errors) {
    if !shape.has_rules() {
        return;
    }
    let mut total = Total::default();
    node(shape, true, &Spot { path: path.clone(), count: Some(1), uncorrelated: None }, &mut total, errors);
    if total.cost > CEL_RULES_COST_MAX {
        total.much.sort_by_key(|(cost, _)| std::cmp::Reverse(*cost));
        for (_, path) in total.much.iter().take(NAMED_MAX) {
            let why = "contributed to estimated rule & messageExpression cost total exceeding cost limit for entire \
                       OpenAPIv3 schema";
            errors.forbidden(path, why);
        }
        let what = "x-kubernetes-validations estimated rule & messageExpression cost total for entire OpenAPIv3 schema";
        errors.forbidden(path, &words(what, total.cost, CEL_RULES_COST_MAX));
    }
}

fn words(what: &str, cost: u64, limit: u64) -> String {
    #[allow(clippy::cast_precision_loss, reason = "a factor is shown to one digit")]
    let factor = cost as f64 / limit as f64;
    let factor = if factor > 100.0 {
        "more than 100x".to_owned()
    } else if factor < 1.5 {
        format!("{factor:.6}x")
    } else {
        format!("{factor:.1}x")
    };
    format!(
        "{what} exceeds budget by factor of {factor} (try simplifying the rule, or adding maxItems, maxProperties, and \
         maxLength where arrays, maps, and strings are declared)"
    )
}

fn node(shape: &Shape, is_root: bool, spot: &Spot<'_>, total: &mut Total, errors: &mut Errors) {
    if !shape.has_rules() {
        return;
    }
    if !shape.rules.is_empty() {
        let declared = decl(shape, is_root || shape.embedded);
        // As often as the limits above say, else as often as a request can hold it.
        let count = spot.count.unwrap_or_else(|| count_max(bytes_min(shape)));
        for rule in &shape.rules {
            let path = spot.path.child(RULES).index(rule.index);
            if let (true, Some(list)) = (rule.expression.uses("oldSelf"), spot.uncorrelated) {
                let why = format!("oldSelf cannot be used on the uncorrelatable portion of the schema within {list}");
                errors.invalid(&path.child("rule"), &rule.text, &why);
            }
            let old = match rule.optional_old {
                true => Decl { size: declared.size, kind: Type::Optional(Arc::new(declared.clone())) },
                false => declared.clone(),
            };
            let variables = [(VARIABLES[0], declared.clone()), (VARIABLES[1], old)];
            expressions(rule, &variables, count, &path, total, errors);
        }
    }
    below(shape, spot, total, errors);
}

fn expressions(
    rule: &super::rule::Rule,
    variables: &[(&str, Decl)],
    count: u64,
    path: &Path,
    total: &mut Total,
    errors: &mut Errors,
) {
    let mut judge = |expression: &Expression, field: &str, count: u64, wanted: &Type, errors: &mut Errors| {
        let (path, is_rule) = (path.child(field), field == "rule");
        let Checked { decl, cost } = match expression.check(variables) {
            Ok(checked) => checked,
            Err(why) => {
                let prefix = if is_rule { "" } else { "messageExpression " };
                return errors.invalid(&path, &rule.source, &format!("{prefix}{why}"));
            }
        };
        if !wanted.agrees(&decl.kind) {
            let why = if is_rule {
                "cel expression must evaluate to a bool"
            } else {
                "messageExpression must evaluate to a string"
            };
            return errors.invalid(&path, &rule.source, why);
        }
        let cost = cost.saturating_mul(count);
        if cost > CEL_RULE_COST_MAX {
            let what = if is_rule { "estimated rule cost" } else { "estimated messageExpression cost" };
            errors.forbidden(&path, &words(what, cost, CEL_RULE_COST_MAX));
        }
        total.add(cost, &path);
    };
    judge(&rule.expression, "rule", count, &Type::Bool, errors);
    if let Some(message) = &rule.message_expression {
        judge(message, "messageExpression", 1, &Type::String, errors);
    }
}

fn below(shape: &Shape, spot: &Spot<'_>, total: &mut Total, errors: &mut Errors) {
    let times = |most: Option<u64>| spot.count.zip(most).map(|(count, most)| count.saturating_mul(most));
    for (name, property) in &shape.properties {
        let path = spot.path.child("properties").key(name);
        node(property, false, &Spot { path, ..spot.clone() }, total, errors);
    }
    if let Some(items) = &shape.items {
        let uncorrelated = match (spot.uncorrelated, shape.list) {
            (Some(list), _) => Some(list),
            (None, List::Map) => None,
            (None, _) => Some(&spot.path),
        };
        let count = times(shape.sizes.max_items.map(|_| items_max(shape)));
        node(items, false, &Spot { path: spot.path.child("items"), count, uncorrelated }, total, errors);
    }
    if let Some(Additional::Of(values)) = &shape.additional {
        let path = spot.path.child("additionalProperties");
        let count = times(shape.sizes.max_properties.map(|_| entries_max(shape, values)));
        node(values, false, &Spot { path, count, uncorrelated: spot.uncorrelated }, total, errors);
    }
}

#[cfg(test)]
mod tests;
