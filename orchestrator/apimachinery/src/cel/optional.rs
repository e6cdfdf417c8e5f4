//! Values that may be missing: `optional.of(…)`, `a.?b`, `a[?b]` and what is done with them.
//!
//! The interpreter has a type for them that forgets, when it is copied, that it is optional; so
//! they are of a type of our own.
//!
//! Source: <https://pkg.go.dev/github.com/google/cel-go/cel#OptionalTypes>

use kube_cel::cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue};
use kube_cel::cel::common::value::Val;
use kube_cel::cel::extractors::This;
use kube_cel::cel::objects::{Opaque, OptionalValue};
use kube_cel::cel::{Context, ExecutionError, FunctionContext, Value as Cel};
use std::sync::Arc;

/// The function that `a.?b` and `a[?b]` become, and `a.b` and `a[b]` where `a` may be missing.
pub(super) const INDEX: &str = "@index";
/// The function around an item or entry that is left out when it is missing.
pub(super) const ELEMENT: &str = "@element";

type Answer = Result<Cel, ExecutionError>;

/// A value that may be missing.
#[derive(Debug, PartialEq)]
pub(super) struct Optional(pub Option<Cel>);

impl Eq for Optional {}

impl Opaque for Optional {
    fn runtime_type_name(&self) -> &str {
        "optional_type"
    }
}

/// A value that may be missing, as a value.
pub(crate) fn optional(value: Option<Cel>) -> Cel {
    Cel::Opaque(Arc::new(Optional(value)))
}

/// What is in a value that may be missing; an error for any other.
pub(super) fn inner(value: &Cel) -> Result<Option<&Cel>, ExecutionError> {
    match value {
        Cel::Opaque(opaque) => match opaque.downcast_ref::<Optional>() {
            Some(optional) => Ok(optional.0.as_ref()),
            None => Err(ExecutionError::NoSuchOverload),
        },
        _ => Err(ExecutionError::NoSuchOverload),
    }
}

/// Declares the functions.
pub(super) fn declare(context: &mut Context<'static>) {
    context.add_function("optional.of", |value: Cel| -> Answer { Ok(optional(Some(value))) });
    context.add_function("optional.none", || -> Answer { Ok(optional(None)) });
    context.add_function("optional.ofNonZeroValue", |value: Cel| -> Answer {
        let is_zero = matches!(value, Cel::Null) || value.is_zero();
        Ok(optional((!is_zero).then_some(value)))
    });
    context.add_function("hasValue", |This(this): This<Cel>| -> Answer { Ok(Cel::Bool(inner(&this)?.is_some())) });
    context.add_function("value", |This(this): This<Cel>| -> Answer {
        let missing = || ExecutionError::function_error("value", "optional.none() dereference");
        inner(&this)?.cloned().ok_or_else(missing)
    });
    context.add_function("or", or);
    context.add_function("orValue", or_value);
    context.add_function(INDEX, index);
    context.add_function(ELEMENT, element);
}

fn argument(call: &FunctionContext<'_, '_>, index: usize) -> Answer {
    let written = call.args.get(index).ok_or_else(ExecutionError::missing_argument_or_target)?;
    Cel::resolve(written, call.ptx)
}

fn or(call: &FunctionContext<'_, '_>) -> Answer {
    let this = call.this.clone().ok_or_else(ExecutionError::missing_argument_or_target)?;
    if inner(&this)?.is_some() {
        return Ok(this);
    }
    let other = argument(call, 0)?;
    inner(&other)?;
    Ok(other)
}

fn or_value(call: &FunctionContext<'_, '_>) -> Answer {
    let this = call.this.as_ref().ok_or_else(ExecutionError::missing_argument_or_target)?;
    match inner(this)? {
        Some(value) => Ok(value.clone()),
        None => argument(call, 0),
    }
}

fn index(call: &FunctionContext<'_, '_>) -> Answer {
    let [of, key] = call.args else { return Err(ExecutionError::missing_argument_or_target()) };
    let of = Cel::resolve_val(of, call.ptx)?;
    let key = Cel::resolve_val(key, call.ptx)?;
    if of.as_indexer().is_some() {
        return found(&*of, &*key);
    }
    match inner(&Cel::try_from(of.as_ref())?) {
        Ok(Some(value)) => {
            let value: Box<dyn Val> = value.clone().try_into()?;
            found(&*value, &*key)
        }
        // As upstream: a null has no fields, and neither has a number.
        Ok(None) | Err(_) => Ok(optional(None)),
    }
}

fn found(of: &dyn Val, key: &dyn Val) -> Answer {
    let Some(Ok(value)) = of.as_indexer().map(|indexer| indexer.get(key)) else { return Ok(optional(None)) };
    Ok(optional(Some(Cel::try_from(value.as_ref())?)))
}

/// The interpreter's own optional: it leaves out the item or entry.
fn element(call: &FunctionContext<'_, '_>) -> Answer {
    let value = argument(call, 0)?;
    let wrong = |_| {
        let why = "cannot initialize optional entry from non-optional value";
        ExecutionError::function_error("optional", why)
    };
    let inner = inner(&value).map_err(wrong)?.cloned();
    Ok(Cel::Opaque(Arc::new(inner.map_or_else(OptionalValue::none, OptionalValue::of))))
}

/// A call of [`INDEX`].
pub(super) fn index_of(of: IdedExpr, key: IdedExpr) -> Expr {
    Expr::Call(CallExpr { func_name: INDEX.into(), target: None, args: vec![of, key] })
}

/// A field's name as a key.
pub(super) fn key(id: u64, field: String) -> IdedExpr {
    IdedExpr { id, expr: Expr::Literal(LiteralValue::String(field.into())) }
}

/// An item or entry that is left out when it is missing.
pub(super) fn element_of(value: IdedExpr) -> IdedExpr {
    let id = value.id;
    IdedExpr { id, expr: Expr::Call(CallExpr { func_name: ELEMENT.into(), target: None, args: vec![value] }) }
}

/// Whether a rewritten expression gives a value that may be missing, as far as its own words tell.
pub(super) fn is_optional(tree: &IdedExpr) -> bool {
    let Expr::Call(call) = &tree.expr else { return false };
    match (call.func_name.as_str(), call.target.as_deref()) {
        (INDEX | "@optMap" | "@optFlatMap", None) => true,
        ("of" | "none" | "ofNonZeroValue", Some(target)) => {
            matches!(&target.expr, Expr::Ident(name) if name == "optional")
        }
        ("or", Some(target)) => is_optional(target),
        _ => false,
    }
}
