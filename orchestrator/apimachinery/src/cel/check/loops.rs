//! Types and costs of macros over keys and values, and over optional values.
//!
//! Costs are those of the loops that cel-go writes in their place.

use super::{Check, Checked, Found, LIST_COST, MAP_COST, found};
use crate::cel::CelError;
use crate::cel::decl::{Decl, Type};
use crate::cel::macros::Macro;
use kube_cel::cel::common::ast::{IdedExpr, operators};
use std::sync::Arc;

impl Check<'_> {
    /// What a macro gives and costs.
    pub(super) fn expanded(&mut self, what: Macro, arguments: &[IdedExpr]) -> Found {
        let Some((range, names, bodies)) = what.parts(arguments) else { return found(Decl::unknown(), 1) };
        let range = self.of(range)?;
        let kinds = match (what, &range.decl.kind) {
            (Macro::OptMap | Macro::OptFlatMap, Type::Optional(value)) => vec![(**value).clone()],
            (Macro::OptMap | Macro::OptFlatMap, Type::Dyn) => vec![Decl::unknown()],
            (Macro::OptMap | Macro::OptFlatMap, _) => return self.no_overload(what.name(), &[range.decl]),
            _ => {
                let (key, value) = self.elements(&range.decl)?;
                vec![key, value]
            }
        };
        let depth = self.known.len();
        self.known.extend(names.iter().map(|name| (*name).to_owned()).zip(kinds.iter().cloned()));
        let bodies = bodies.iter().map(|body| self.of(body)).collect::<Result<Vec<_>, _>>()?;
        self.known.truncate(depth);
        let Some((last, filters)) = bodies.split_last() else { return found(Decl::unknown(), 1) };
        for filter in filters {
            self.must_be_true_or_false(operators::CONDITIONAL, filter)?;
        }
        let decl = self.made(what, &kinds[0], last, range.decl.size)?;
        found(decl, cost(what, &range, last, filters))
    }

    /// The keys and values that a loop goes through.
    pub(super) fn elements(&self, range: &Decl) -> Result<(Decl, Decl), CelError> {
        match &range.kind {
            Type::List(item) => Ok((Decl::scalar(Type::Int), (**item).clone())),
            Type::Map(key, value) => Ok(((**key).clone(), (**value).clone())),
            Type::Dyn | Type::Optional(_) | Type::Other(_) => Ok((Decl::unknown(), Decl::unknown())),
            other => {
                let why = format!(
                    "expression of type '{other}' cannot be range of a comprehension (must be list, map, or dynamic)"
                );
                Err(self.error("", &why))
            }
        }
    }

    fn must_be_true_or_false(&self, operator: &str, body: &Checked) -> Result<(), CelError> {
        if Type::Bool.agrees(&body.decl.kind) {
            return Ok(());
        }
        let decls = match operator {
            operators::CONDITIONAL => vec![body.decl.clone()],
            _ => vec![Decl::scalar(Type::Bool), body.decl.clone()],
        };
        self.no_overload(operator, &decls).map(|_| ())
    }

    fn made(&self, what: Macro, key: &Decl, last: &Checked, size: u64) -> Result<Decl, CelError> {
        let optional = |decl: Decl| Decl { size: decl.size, kind: Type::Optional(Arc::new(decl)) };
        match what {
            Macro::All => self.must_be_true_or_false(operators::LOGICAL_AND, last)?,
            Macro::Exists => self.must_be_true_or_false(operators::LOGICAL_OR, last)?,
            Macro::ExistsOne => self.must_be_true_or_false(operators::CONDITIONAL, last)?,
            Macro::List => return Ok(Decl::list(last.decl.clone(), size)),
            Macro::Map => {
                let kind = Type::Map(Arc::new(key.clone()), Arc::new(last.decl.clone()));
                return Ok(Decl { kind, size });
            }
            Macro::MapEntry => {
                return match &last.decl.kind {
                    Type::Map(..) => Ok(Decl { size, ..last.decl.clone() }),
                    Type::Dyn => Ok(Decl::unknown()),
                    _ => {
                        self.no_overload("cel.@mapInsert", std::slice::from_ref(&last.decl)).map(|checked| checked.decl)
                    }
                };
            }
            Macro::OptMap => return Ok(optional(last.decl.clone())),
            Macro::OptFlatMap => {
                return match &last.decl.kind {
                    Type::Optional(_) | Type::Dyn => Ok(last.decl.clone()),
                    _ => self.no_overload(what.name(), std::slice::from_ref(&last.decl)).map(|checked| checked.decl),
                };
            }
        }
        Ok(Decl::scalar(Type::Bool))
    }
}

fn cost(what: Macro, range: &Checked, last: &Checked, filters: &[Checked]) -> u64 {
    // What stands before and after the turns, and what a turn costs beside its bodies.
    let (around, turn) = match what {
        Macro::All => (1, 3),
        Macro::Exists => (1, 4),
        Macro::ExistsOne => (2, 2),
        Macro::List => (LIST_COST + 1, LIST_COST + 2),
        Macro::Map => (MAP_COST + 1, 3),
        Macro::MapEntry => (MAP_COST + 1, 2),
        // The optional value is asked whether there is one, then taken, then made anew.
        Macro::OptMap => (range.cost + LIST_COST + 3, 0),
        Macro::OptFlatMap => (range.cost + LIST_COST + 2, 0),
    };
    let bodies = filters.iter().fold(last.cost, |sum, filter| sum.saturating_add(filter.cost));
    let turns = if what.variables() == 1 { 1 } else { range.decl.size };
    let body = turns.saturating_mul(bodies.saturating_add(turn));
    [range.cost, around, body].into_iter().fold(0, u64::saturating_add)
}
