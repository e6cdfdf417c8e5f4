//! Macros that bind variables and that the parser does not know: those over keys and values, and
//! those over optional values.
//!
//! Each becomes a call of a function that no expression can name: its first argument is what is
//! gone through, then come the names of the variables as texts, then what is evaluated in their sight.
//!
//! Source: <https://pkg.go.dev/github.com/google/cel-go/ext#TwoVarComprehensions>,
//! <https://pkg.go.dev/github.com/google/cel-go/cel#OptionalTypes>

use super::CelError;
use kube_cel::cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue};

/// What a macro makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Macro {
    All,
    Exists,
    ExistsOne,
    List,
    Map,
    MapEntry,
    OptMap,
    OptFlatMap,
}

impl Macro {
    pub const EVERY: [Macro; 8] = [
        Macro::All,
        Macro::Exists,
        Macro::ExistsOne,
        Macro::List,
        Macro::Map,
        Macro::MapEntry,
        Macro::OptMap,
        Macro::OptFlatMap,
    ];

    /// The name that expressions have for it.
    pub fn name(self) -> &'static str {
        self.function().trim_start_matches('@')
    }

    /// The function that it becomes.
    pub fn function(self) -> &'static str {
        match self {
            Macro::All => "@all",
            Macro::Exists => "@exists",
            Macro::ExistsOne => "@existsOne",
            Macro::List => "@transformList",
            Macro::Map => "@transformMap",
            Macro::MapEntry => "@transformMapEntry",
            Macro::OptMap => "@optMap",
            Macro::OptFlatMap => "@optFlatMap",
        }
    }

    /// How many variables it binds.
    pub fn variables(self) -> usize {
        match self {
            Macro::OptMap | Macro::OptFlatMap => 1,
            _ => 2,
        }
    }

    fn takes(self, arguments: usize) -> bool {
        let filters = matches!(self, Macro::List | Macro::Map | Macro::MapEntry);
        let least = self.variables() + 1;
        arguments == least || (filters && arguments == least + 1)
    }

    /// The macro that a parsed call is.
    pub fn written(call: &CallExpr) -> Option<Macro> {
        call.target.as_ref()?;
        Macro::EVERY.into_iter().find(|one| one.name() == call.func_name && one.takes(call.args.len()))
    }

    /// The macro that a rewritten call is.
    pub fn of(call: &CallExpr) -> Option<Macro> {
        Macro::EVERY.into_iter().find(|one| one.function() == call.func_name)
    }

    /// The range, the names and the bodies of a rewritten call.
    pub fn parts(self, arguments: &[IdedExpr]) -> Option<(&IdedExpr, Vec<&str>, &[IdedExpr])> {
        let (range, rest) = arguments.split_first()?;
        let (names, bodies) = rest.split_at_checked(self.variables())?;
        let names = names.iter().map(|name| match &name.expr {
            Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
            _ => None,
        });
        Some((range, names.collect::<Option<_>>()?, bodies))
    }

    /// A parsed call as the call of the function that it becomes; `rewrite` is asked for its parts.
    pub fn expand(
        self,
        call: &CallExpr,
        rewrite: impl Fn(&IdedExpr) -> Result<IdedExpr, CelError>,
    ) -> Result<CallExpr, CelError> {
        let refuse = |why: String| Err(CelError(format!("compilation failed: ERROR: <input>: {why}")));
        let mut args = Vec::with_capacity(call.args.len() + 1);
        if let Some(target) = &call.target {
            args.push(rewrite(target)?);
        }
        let (names, bodies) = call.args.split_at(self.variables());
        let mut known: Vec<&str> = Vec::new();
        for name in names {
            let Expr::Ident(text) = &name.expr else { return refuse("argument must be a simple name".into()) };
            if known.contains(&&**text) {
                return refuse(format!("duplicate variable name: {text}"));
            }
            known.push(text);
            let literal = Expr::Literal(LiteralValue::String(text.clone().into()));
            args.push(IdedExpr { id: name.id, expr: literal });
        }
        for body in bodies {
            args.push(rewrite(body)?);
        }
        Ok(CallExpr { func_name: self.function().into(), target: None, args })
    }
}
