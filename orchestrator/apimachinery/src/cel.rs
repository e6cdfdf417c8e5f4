//! Expressions of the Common Expression Language with Kubernetes' libraries, for admission
//! policies and match conditions.
//!
//! The interpreter is the crate `cel` as `kube-cel` brings it. What it lacks is added here:
//! structures (`Object{…}`, `JSONPatch{…}`) become maps, macros over keys and values and over
//! optional values become functions, names that nobody declared are found
//! when an expression is compiled,
//! types are values that can be compared, and each turn of a loop is counted against a limit.
//!
//! Source: <https://kubernetes.io/docs/reference/using-api/cel/>

mod authorizer;
mod check;
mod convert;
mod decl;
mod fold;
mod functions;
mod macros;
mod optional;
mod rewrite;
mod standard;
#[cfg(test)]
mod tests;

pub use authorizer::{Check, Checker};
pub(crate) use check::Checked;
pub(crate) use convert::to_cel;
pub(crate) use decl::{Decl, SIZE_UNKNOWN, Type};
pub(crate) use optional::optional;

use crate::limits::{CEL_DEPTH_MAX, CEL_EXPRESSION_BYTES_MAX, CEL_SHALLOW_DEPTH_MAX, CEL_STACK_BYTES};
use kube_cel::KubeCelExt;
use kube_cel::cel::common::ast::IdedExpr;
use kube_cel::cel::parser::Parser;
use kube_cel::cel::{Context, ExecutionError, Value as CelValue};
use serde_json::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Why an expression cannot be compiled, or gives no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CelError(pub String);

/// A compiled expression.
#[derive(Clone, Debug)]
pub struct Expression {
    source: Arc<str>,
    tree: Arc<IdedExpr>,
    depth: usize,
}

impl Expression {
    /// Compiles an expression that may use the variables `declared`.
    pub fn compile(source: &str, declared: &[&str]) -> Result<Self, CelError> {
        if source.len() > CEL_EXPRESSION_BYTES_MAX || rewrite::nests_deeply(source) {
            return Err(CelError(format!(
                "compilation failed: the expression is over {CEL_EXPRESSION_BYTES_MAX} bytes long, or nests too deeply"
            )));
        }
        let (tree, depth) = parse(source)?;
        let undeclared = rewrite::free_names(&tree).into_iter().find(|name| !declared.contains(&&**name));
        if let Some(name) = undeclared {
            let why = format!("undeclared reference to '{name}' (in container '')");
            return Err(check::located(source, &name, &why));
        }
        Ok(Expression { source: source.into(), tree: Arc::new(tree), depth })
    }

    /// The text that was compiled.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it reads the variable.
    pub fn uses(&self, variable: &str) -> bool {
        rewrite::free_names(&self.tree).contains(variable)
    }
}

/// The variables that expressions see.
pub struct Scope {
    context: Context<'static>,
    steps: Arc<AtomicU32>,
}

impl Default for Scope {
    fn default() -> Self {
        Scope::new()
    }
}

impl Scope {
    /// A scope with all functions and no variables.
    pub fn new() -> Self {
        let mut context = Context::default().with_all();
        let steps = Arc::new(AtomicU32::new(0));
        let counted = steps.clone();
        context.add_function(rewrite::STEP, move || -> Result<bool, ExecutionError> {
            fold::step(&counted).map(|()| true)
        });
        fold::declare(&mut context, &steps);
        optional::declare(&mut context);
        standard::declare(&mut context);
        context.add_function("type", |value: CelValue| -> Result<CelValue, ExecutionError> {
            Ok(CelValue::String(Arc::new(convert::type_name(&value))))
        });
        Scope { context, steps }
    }

    /// Declares a variable.
    pub fn set(&mut self, name: &str, value: &Value) {
        self.context.add_variable_from_value(name, convert::to_cel(value));
    }

    /// Declares a variable that is a value of CEL already.
    pub(crate) fn set_value(&mut self, name: &str, value: CelValue) {
        self.context.add_variable_from_value(name, value);
    }

    /// The value of an expression, as CEL has it.
    pub(crate) fn value(&self, expression: &Expression) -> Result<CelValue, CelError> {
        self.resolve(expression)
    }

    /// Declares `authorizer` (and `authorizer.requestResource` as `request`), which asks `checker`.
    pub fn set_authorizer(&mut self, checker: Checker, request: Check) {
        authorizer::declare(&mut self.context, checker, request);
    }

    /// The value of an expression.
    pub fn evaluate(&self, expression: &Expression) -> Result<Value, CelError> {
        convert::to_json(&self.resolve(expression)?)
    }

    /// The value of a condition; anything but true and false is an error.
    pub fn condition(&self, expression: &Expression) -> Result<bool, CelError> {
        match self.resolve(expression)? {
            CelValue::Bool(value) => Ok(value),
            other => Err(CelError(format!("expression does not evaluate to bool but {}", other.type_of()))),
        }
    }

    fn resolve(&self, expression: &Expression) -> Result<CelValue, CelError> {
        self.steps.store(0, Ordering::Relaxed);
        let resolve = || CelValue::resolve(&expression.tree, &self.context);
        let resolved = match expression.depth > CEL_SHALLOW_DEPTH_MAX {
            true => on_a_deep_stack(resolve),
            false => catch_unwind(AssertUnwindSafe(resolve)).ok(),
        };
        match resolved {
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) => Err(CelError(words(&error))),
            None => Err(CelError("internal error: the expression cannot be evaluated".into())),
        }
    }
}

/// Parses and rewrites. The parser takes kilobytes of stack for each bracket and term, so it runs
/// on a thread of its own; what comes back is shallow enough to be evaluated anywhere.
fn parse(source: &str) -> Result<(IdedExpr, usize), CelError> {
    let broken = || CelError("compilation failed: the expression cannot be parsed".into());
    let parsing = || {
        let parsed = Parser::new().enable_optional_syntax(true).parse(source);
        let parsed =
            parsed.map_err(|errors| CelError(format!("compilation failed: {errors}").replace("\n| ", "\n | ")))?;
        let depth = rewrite::depth(&parsed);
        if depth > CEL_DEPTH_MAX {
            return Err(CelError(format!("compilation failed: the expression is over {CEL_DEPTH_MAX} levels deep")));
        }
        let mut tree = rewrite::expression(&parsed)?;
        rewrite::name_types(&mut tree, &mut Vec::new());
        Ok((tree, depth))
    };
    on_a_deep_stack(parsing).unwrap_or_else(|| Err(broken()))
}

/// Runs on a thread with much stack; `None` when that failed.
fn on_a_deep_stack<T: Send>(run: impl FnOnce() -> T + Send) -> Option<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("cel".into()).stack_size(CEL_STACK_BYTES);
        thread.spawn_scoped(scope, run).ok()?.join().ok()
    })
}

/// Upstream's words for what goes wrong most.
fn words(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!("no such key: {key}"),
        ExecutionError::NoSuchOverload => "no such overload".into(),
        ExecutionError::UndeclaredReference(name) => format!("undeclared reference to '{name}'"),
        ExecutionError::DivisionByZero(_) => "division by zero".into(),
        ExecutionError::FunctionError { message, .. } => message.clone(),
        other => other.to_string(),
    }
}

/// Compiles arbitrary bytes and evaluates what compiles; must not panic.
pub fn fuzz(bytes: &[u8]) {
    let Ok(source) = std::str::from_utf8(bytes) else { return };
    if let Ok(expression) = Expression::compile(source, &["object"]) {
        let mut scope = Scope::new();
        scope.set("object", &serde_json::json!({"a": [1, 2], "b": "c"}));
        let _ = scope.evaluate(&expression);
    }
}
