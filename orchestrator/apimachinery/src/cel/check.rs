//! Types and costs of an expression before it is evaluated.
//!
//! Cost is what upstream's estimator gives: 1 for each name, field and call, a tenth for each byte
//! of a text that is gone through, and all of a loop's body for each element that a list can have.

use super::decl::{Decl, Type};
use super::functions::{call, traversal};
use super::macros::Macro;
use super::{CelError, Expression, optional};
use kube_cel::cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SelectExpr, operators,
};
use std::sync::Arc;

mod loops;

/// What making a list and a map costs.
const LIST_COST: u64 = 10;
const MAP_COST: u64 = 30;

/// What an expression gives, and what it costs at most.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    pub decl: Decl,
    pub cost: u64,
}

impl Expression {
    /// Finds the type and the cost; an error says what does not fit together.
    pub(crate) fn check(&self, variables: &[(&str, Decl)]) -> Result<Checked, CelError> {
        let known = variables.iter().map(|(name, decl)| ((*name).to_owned(), decl.clone())).collect();
        let mut check = Check { source: &self.source, known };
        check.of(&self.tree)
    }
}

struct Check<'s> {
    source: &'s str,
    /// Innermost last.
    known: Vec<(String, Decl)>,
}

type Found = Result<Checked, CelError>;

fn found(decl: Decl, cost: u64) -> Found {
    Ok(Checked { decl, cost })
}

impl Check<'_> {
    fn of(&mut self, tree: &IdedExpr) -> Found {
        match &tree.expr {
            Expr::Literal(literal) => found(of_literal(literal), 0),
            Expr::Ident(name) => {
                let name = name.trim_start_matches('.');
                let decl = self.known.iter().rev().find(|(known, _)| known == name).map(|(_, decl)| decl.clone());
                found(decl.unwrap_or_else(Decl::unknown), 1)
            }
            Expr::Select(select) => self.select(select),
            Expr::Call(call) => self.call(call),
            Expr::List(list) => {
                let (mut item, mut cost) = (None::<Decl>, LIST_COST);
                for element in &list.elements {
                    let element = self.of(element)?;
                    cost = cost.saturating_add(element.cost);
                    item = Some(match item {
                        Some(item) => item.join(element.decl),
                        None => element.decl,
                    });
                }
                let size = list.elements.len() as u64;
                found(Decl::list(item.unwrap_or(Decl { kind: Type::Dyn, size: 0 }), size), cost)
            }
            Expr::Map(map) => {
                let (mut kinds, mut cost) = (None::<(Decl, Decl)>, MAP_COST);
                for entry in &map.entries {
                    let EntryExpr::MapEntry(entry) = &entry.expr else { continue };
                    let (key, one) = (self.of(&entry.key)?, self.of(&entry.value)?);
                    cost = cost.saturating_add(key.cost).saturating_add(one.cost);
                    kinds = Some(match kinds {
                        Some((keys, values)) => (keys.join(key.decl), values.join(one.decl)),
                        None => (key.decl, one.decl),
                    });
                }
                let size = map.entries.len() as u64;
                let (key, value) = kinds.unwrap_or_else(|| (Decl::unknown(), Decl::unknown()));
                found(Decl { kind: Type::Map(Arc::new(key), Arc::new(value)), size }, cost)
            }
            Expr::Comprehension(loops) => self.comprehension(loops),
            Expr::Struct(_) | Expr::Unspecified => found(Decl::unknown(), 1),
        }
    }

    fn select(&mut self, select: &SelectExpr) -> Found {
        let operand = self.of(&select.operand)?;
        let decl = self.field(&operand.decl, &select.field)?;
        let decl = if select.test { Decl::scalar(Type::Bool) } else { decl };
        // To ask whether there is a field costs nothing, as in Kubernetes.
        found(decl, operand.cost.saturating_add(u64::from(!select.test)))
    }

    fn field(&self, of: &Decl, name: &str) -> Result<Decl, CelError> {
        match &of.kind {
            Type::Object(fields) => match fields.get(name) {
                Some(decl) => Ok(decl.clone()),
                None => Err(self.error(&format!(".{name}"), &format!("undefined field '{name}'"))),
            },
            Type::Map(_, value) => Ok((**value).clone()),
            Type::Optional(value) => {
                let inner = self.field(value, name)?;
                Ok(match inner.kind {
                    Type::Optional(_) => inner,
                    _ => Decl { size: inner.size, kind: Type::Optional(Arc::new(inner)) },
                })
            }
            Type::Dyn | Type::Other(_) => Ok(Decl::unknown()),
            other => {
                let why = format!("type '{other}' does not support field selection");
                Err(self.error(&format!(".{name}"), &why))
            }
        }
    }

    fn call(&mut self, from: &CallExpr) -> Found {
        if let Some(what) = Macro::of(from) {
            return self.expanded(what, &from.args);
        }
        // `math.greatest(…)` is a function of a library, not of a value.
        if let Some(Expr::Ident(library)) = from.target.as_ref().map(|target| &target.expr)
            && let name = format!("{library}.{}", from.func_name)
            && !self.known.iter().any(|(known, _)| known == library)
            && call(&name, &[]).is_some()
        {
            let (operands, cost) = self.all(&from.args)?;
            let (decl, own) = call(&name, &operands).unwrap_or_else(|| (Decl::unknown(), 1));
            return found(decl, cost.saturating_add(own));
        }
        let mut operands: Vec<&IdedExpr> = from.target.iter().map(|target| &**target).collect();
        operands.extend(&from.args);
        let checked = operands.iter().map(|operand| self.of(operand)).collect::<Result<Vec<_>, _>>()?;
        let sum = checked.iter().fold(0_u64, |sum, one| sum.saturating_add(one.cost));
        let decls: Vec<Decl> = checked.iter().map(|one| one.decl.clone()).collect();
        let costs: Vec<u64> = checked.iter().map(|one| one.cost).collect();
        if let Some(answer) = self.operator(from, &decls, &costs, sum) {
            return answer;
        }
        self.operands_fit(&from.func_name, &decls)?;
        match call(&from.func_name, &decls) {
            Some((decl, own)) => found(decl, sum.saturating_add(own)),
            None => {
                let name = &from.func_name;
                let place = if from.target.is_some() { format!(".{name}") } else { name.clone() };
                Err(self.error(&place, &format!("undeclared reference to '{name}' (in container '')")))
            }
        }
    }

    fn all(&mut self, list: &[IdedExpr]) -> Result<(Vec<Decl>, u64), CelError> {
        let (mut decls, mut cost) = (Vec::with_capacity(list.len()), 0_u64);
        for one in list {
            let one = self.of(one)?;
            cost = cost.saturating_add(one.cost);
            decls.push(one.decl);
        }
        Ok((decls, cost))
    }

    /// `None` when the call is none of an operator.
    fn operator(&self, from: &CallExpr, decls: &[Decl], costs: &[u64], sum: u64) -> Option<Found> {
        let name = from.func_name.as_str();
        let bool_of = |cost: u64| Some(found(Decl::scalar(Type::Bool), cost));
        Some(match (name, decls) {
            (operators::LOGICAL_AND | operators::LOGICAL_OR, [one, other]) => {
                let fits = |decl: &Decl| Type::Bool.agrees(&decl.kind);
                match fits(one) && fits(other) {
                    true => found(Decl::scalar(Type::Bool), sum),
                    false => self.no_overload(name, decls),
                }
            }
            (operators::LOGICAL_NOT, [one]) => match Type::Bool.agrees(&one.kind) {
                true => return bool_of(sum.saturating_add(1)),
                false => self.no_overload(name, decls),
            },
            (operators::NOT_STRICTLY_FALSE, _) => return bool_of(sum.saturating_add(1)),
            (operators::CONDITIONAL, [condition, yes, no]) => match Type::Bool.agrees(&condition.kind) {
                true => {
                    let cost = costs[0].saturating_add(costs[1].max(costs[2]));
                    found(yes.clone().join(no.clone()), cost)
                }
                false => self.no_overload(name, decls),
            },
            (operators::EQUALS | operators::NOT_EQUALS, [one, other]) => match one.kind.agrees(&other.kind) {
                true => return bool_of(sum.saturating_add(traversal(one.size.min(other.size)))),
                false => self.no_overload(name, decls),
            },
            (
                operators::LESS | operators::LESS_EQUALS | operators::GREATER | operators::GREATER_EQUALS,
                [one, other],
            ) => match ordered(&one.kind, &other.kind) {
                true => return bool_of(sum.saturating_add(traversal(one.size.min(other.size)).max(1))),
                false => self.no_overload(name, decls),
            },
            (operators::IN, [one, list]) => match &list.kind {
                Type::List(item) if !item.kind.agrees(&one.kind) => self.no_overload(name, decls),
                Type::List(_) => return bool_of(sum.saturating_add(list.size)),
                Type::Map(..) | Type::Dyn => return bool_of(sum.saturating_add(1)),
                _ => self.no_overload(name, decls),
            },
            (operators::INDEX, [of, index]) => match self.indexed(name, of, index) {
                Ok(decl) => found(decl, sum.saturating_add(1)),
                Err(error) => Err(error),
            },
            (optional::INDEX, [of, index]) => {
                let inner = self.optional(operators::OPT_INDEX, of, index, from.args.last());
                inner.and_then(|decl| found(decl, sum.saturating_add(1)))
            }
            (optional::ELEMENT, [one]) => match &one.kind {
                Type::Optional(value) => found((**value).clone(), sum),
                Type::Dyn => found(Decl::unknown(), sum),
                other => {
                    let why = format!("expected type 'optional_type({other})' but found '{other}'");
                    Err(self.error("?", &why))
                }
            },
            ("hasValue" | "value" | "or" | "orValue", [one, ..])
                if !matches!(one.kind, Type::Optional(_) | Type::Dyn) =>
            {
                self.no_overload(name, decls)
            }
            (
                operators::ADD | operators::SUBSTRACT | operators::MULTIPLY | operators::DIVIDE | operators::MODULO,
                [one, other],
            ) => match arithmetic(name, one, other) {
                Some((decl, own)) => found(decl, sum.saturating_add(own)),
                None => self.no_overload(name, decls),
            },
            (operators::NEGATE, [one]) => match one.kind {
                Type::Int | Type::Double | Type::Dyn => found(one.clone(), sum.saturating_add(1)),
                _ => self.no_overload(name, decls),
            },
            _ => return None,
        })
    }

    /// `a.?b` and `a[?b]`, of a value or of one that may be missing.
    fn optional(&self, name: &str, of: &Decl, index: &Decl, written: Option<&IdedExpr>) -> Result<Decl, CelError> {
        let decl = match (&of.kind, written.map(|one| &one.expr)) {
            (Type::Optional(value), _) => return self.optional(name, value, index, written),
            (Type::Object(_), Some(Expr::Literal(LiteralValue::String(field)))) => self.field(of, field.inner())?,
            _ => self.indexed(name, of, index)?,
        };
        Ok(match decl.kind {
            Type::Optional(_) => decl,
            _ => Decl { size: decl.size, kind: Type::Optional(Arc::new(decl)) },
        })
    }

    fn indexed(&self, name: &str, of: &Decl, index: &Decl) -> Result<Decl, CelError> {
        let decls = [of.clone(), index.clone()];
        match &of.kind {
            Type::List(item) if Type::Int.agrees(&index.kind) || index.kind.is_number() => Ok((**item).clone()),
            Type::Map(key, value) if key.kind.agrees(&index.kind) => Ok((**value).clone()),
            Type::Optional(value) => self.indexed(name, value, index),
            Type::Dyn | Type::Other(_) => Ok(Decl::unknown()),
            _ => self.no_overload(name, &decls).map(|checked| checked.decl),
        }
    }

    /// Functions of texts take texts.
    fn operands_fit(&self, name: &str, decls: &[Decl]) -> Result<(), CelError> {
        let fits = |index: usize, kind: &Type| decls.get(index).is_none_or(|decl| decl.kind.agrees(kind));
        let wrong = match name {
            "startsWith" | "endsWith" | "matches" => !fits(0, &Type::String) || !fits(1, &Type::String),
            "contains" => {
                matches!(decls, [Decl { kind: Type::String, .. }, other] if !other.kind.agrees(&Type::String))
            }
            "size" => matches!(
                decls,
                [Decl { kind: Type::Bool | Type::Int | Type::Uint | Type::Double | Type::Object(_), .. }]
            ),
            _ => false,
        };
        match wrong {
            true => {
                let place = if name == "size" { format!("{name}(") } else { format!(".{name}(") };
                Err(self.error(&place, &overload_words(name, decls)))
            }
            false => Ok(()),
        }
    }

    fn no_overload(&self, name: &str, decls: &[Decl]) -> Found {
        let token = match name {
            operators::CONDITIONAL => "?",
            operators::INDEX | operators::OPT_INDEX => "[",
            operators::IN => " in ",
            other => other.trim_matches('_'),
        };
        Err(self.error(token, &overload_words(name, decls)))
    }

    fn error(&self, token: &str, why: &str) -> CelError {
        located(self.source, token, why)
    }

    fn comprehension(&mut self, loops: &ComprehensionExpr) -> Found {
        let range = self.of(&loops.iter_range)?;
        let start = self.of(&loops.accu_init)?;
        let (first, second) = self.elements(&range.decl)?;
        let depth = self.known.len();
        let is_map = matches!(range.decl.kind, Type::Map(..));
        match &loops.iter_var2 {
            Some(other) => {
                self.known.push((loops.iter_var.clone(), first));
                self.known.push((other.clone(), second));
            }
            None => self.known.push((loops.iter_var.clone(), if is_map { first } else { second })),
        }
        self.known.push((loops.accu_var.clone(), start.decl.clone()));
        let condition = self.of(&loops.loop_cond)?;
        let step = self.of(&loops.loop_step)?;
        self.known.truncate(depth);
        let gathered = match (&start.decl.kind, &step.decl.kind) {
            (Type::List(_), Type::List(item)) => Decl { kind: Type::List(item.clone()), size: range.decl.size },
            (Type::List(_), _) => Decl { kind: start.decl.kind.clone(), size: range.decl.size },
            _ => start.decl.clone().join(step.decl.clone()),
        };
        self.known.push((loops.accu_var.clone(), gathered));
        let result = self.of(&loops.result)?;
        self.known.truncate(depth);
        let turns = range.decl.size.saturating_mul(condition.cost.saturating_add(step.cost));
        let cost = [range.cost, start.cost, result.cost, turns].into_iter().fold(0, u64::saturating_add);
        found(result.decl, cost)
    }
}

fn of_literal(literal: &LiteralValue) -> Decl {
    match literal {
        LiteralValue::Boolean(_) => Decl::scalar(Type::Bool),
        LiteralValue::Bytes(bytes) => Decl { kind: Type::Bytes, size: bytes.inner().len() as u64 },
        LiteralValue::Double(_) => Decl::scalar(Type::Double),
        LiteralValue::Int(_) => Decl::scalar(Type::Int),
        LiteralValue::Null => Decl::scalar(Type::Null),
        LiteralValue::String(text) => Decl::text(text.inner().len() as u64),
        LiteralValue::UInt(_) => Decl::scalar(Type::Uint),
    }
}

fn ordered(one: &Type, other: &Type) -> bool {
    match (one, other) {
        (Type::Dyn, _) | (_, Type::Dyn) => true,
        (one, other) if one.is_number() && other.is_number() => true,
        (Type::String, Type::String)
        | (Type::Bool, Type::Bool)
        | (Type::Bytes, Type::Bytes)
        | (Type::Timestamp, Type::Timestamp)
        | (Type::Duration, Type::Duration) => true,
        _ => false,
    }
}

fn arithmetic(name: &str, one: &Decl, other: &Decl) -> Option<(Decl, u64)> {
    let size = one.size.saturating_add(other.size);
    match (name, &one.kind, &other.kind) {
        (_, Type::Dyn, _) | (_, _, Type::Dyn) => Some((Decl { kind: Type::Dyn, size }, 1)),
        (operators::ADD, Type::String, Type::String) => Some((Decl::text(size), traversal(size).max(1))),
        (operators::ADD, Type::Bytes, Type::Bytes) => Some((Decl { kind: Type::Bytes, size }, traversal(size).max(1))),
        (operators::ADD, Type::List(item), Type::List(more)) => {
            Some((Decl::list((**item).clone().join((**more).clone()), size), 1))
        }
        (operators::MODULO, Type::Double, _) => None,
        (_, one, other) if one.is_number() && one.agrees(other) => Some((Decl::scalar(one.clone()), 1)),
        (operators::ADD | operators::SUBSTRACT, Type::Timestamp, Type::Duration)
        | (operators::ADD, Type::Duration, Type::Timestamp) => Some((Decl::scalar(Type::Timestamp), 1)),
        (operators::ADD | operators::SUBSTRACT, Type::Duration, Type::Duration)
        | (operators::SUBSTRACT, Type::Timestamp, Type::Timestamp) => Some((Decl::scalar(Type::Duration), 1)),
        _ => None,
    }
}

fn overload_words(name: &str, decls: &[Decl]) -> String {
    let kinds: Vec<String> = decls.iter().map(|decl| decl.kind.to_string()).collect();
    let is_member = matches!(
        name,
        "startsWith"
            | "endsWith"
            | "matches"
            | "contains"
            | "hasValue"
            | "value"
            | "or"
            | "orValue"
            | "optMap"
            | "optFlatMap"
    );
    let applied = match kinds.split_first() {
        Some((target, rest)) if is_member => format!("{target}.({})", rest.join(", ")),
        _ => format!("({})", kinds.join(", ")),
    };
    format!("found no matching overload for '{name}' applied to '{applied}'")
}

/// Words as cel-go puts them, with the place in the source as far as it can be found.
pub(super) fn located(source: &str, token: &str, why: &str) -> CelError {
    let at = place(source, token).unwrap_or(0) + usize::from(token == " in ");
    let before = &source[..at];
    let line = before.matches('\n').count();
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
    let shown = source.lines().nth(line).unwrap_or_default();
    let (line, dots) = (line + 1, ".".repeat(column));
    let column = column + 1;
    CelError(format!("compilation failed: ERROR: <input>:{line}:{column}: {why}\n | {shown}\n | {dots}^"))
}

/// Where a word or sign stands first in a source, outside of its texts.
fn place(source: &str, token: &str) -> Option<usize> {
    let (mut quote, mut escaped) = (None, false);
    let is_word = token.chars().last().is_some_and(|c| c.is_alphanumeric() || c == '_');
    for (at, c) in source.char_indices() {
        match (quote, c) {
            (Some(_), '\\') if !escaped => {
                escaped = true;
                continue;
            }
            (Some(open), c) if c == open && !escaped => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, _) if !token.is_empty() && source[at..].starts_with(token) => {
                let after = source[at + token.len()..].chars().next();
                let goes_on = is_word && after.is_some_and(|c| c.is_alphanumeric() || c == '_');
                // `<` is no part of `<=`, nor `!` of `!=`.
                let longer = matches!(token, "<" | ">" | "!" | "-" | "=") && after == Some('=');
                if !goes_on && !longer {
                    return Some(at);
                }
            }
            _ => {}
        }
        escaped = false;
    }
    None
}
