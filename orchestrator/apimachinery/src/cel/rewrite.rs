//! What is changed in a parsed expression before it is checked and evaluated.

use super::macros::Macro;
use super::{CelError, optional};
use crate::limits::CEL_NESTING_MAX;
use kube_cel::cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedEntryExpr, IdedExpr, ListExpr, LiteralValue, MapEntryExpr,
    MapExpr, SelectExpr, StructExpr, operators,
};
use std::collections::BTreeSet;

/// The function that each turn of a loop calls; no expression can name it.
pub(super) const STEP: &str = "@step";
/// The variable that stands for a key or value of a map or list in a macro's result.
const ACCUMULATOR: &str = "@result";
/// Types as values, which are no variables.
const TYPES: [&str; 15] = [
    "bool",
    "bytes",
    "double",
    "duration",
    "dyn",
    "int",
    "list",
    "map",
    "null_type",
    "optional",
    "optional_type",
    "string",
    "timestamp",
    "type",
    "uint",
];
/// Libraries whose functions are called by `library.function(…)`.
const LIBRARIES: [&str; 8] = ["base64", "cel", "format", "jsonpatch", "math", "optional", "sets", "strings"];
/// Characters of an escaped field name, as Kubernetes escapes what CEL cannot spell.
const ESCAPES: [(&str, &str); 4] = [("__dot__", "."), ("__dash__", "-"), ("__slash__", "/"), ("__underscores__", "__")];

/// The expression with structures as maps, field names as they are in JSON and counted loops.
pub(super) fn expression(from: &IdedExpr) -> Result<IdedExpr, CelError> {
    let expr = match &from.expr {
        Expr::Call(call) => self::call(from.id, call)?,
        Expr::Comprehension(loops) => Expr::Comprehension(Box::new(comprehension(loops)?)),
        Expr::List(list) => {
            let optional_indices = list.optional_indices.clone();
            let element = |(index, one): (usize, &IdedExpr)| {
                let element = expression(one)?;
                Ok(if optional_indices.contains(&index) { optional::element_of(element) } else { element })
            };
            let elements = list.elements.iter().enumerate().map(element).collect::<Result<_, CelError>>()?;
            Expr::List(ListExpr { elements, optional_indices })
        }
        Expr::Map(map) => {
            let mut entries = Vec::with_capacity(map.entries.len());
            for entry in &map.entries {
                let EntryExpr::MapEntry(known) = &entry.expr else {
                    return Err(CelError("compilation failed: a map has fields".into()));
                };
                entries.push(map_entry(entry.id, expression(&known.key)?, expression(&known.value)?, known.optional));
            }
            Expr::Map(MapExpr { entries })
        }
        Expr::Select(select) => {
            let (operand, field) = (expression(&select.operand)?, unescaped(&select.field));
            match optional::is_optional(&operand) {
                // `has(a.?b.c)` asks whether there is one.
                true if select.test => {
                    let found = optional::index_of(operand, optional::key(from.id, field));
                    let target = Some(Box::new(IdedExpr { id: from.id, expr: found }));
                    Expr::Call(CallExpr { func_name: "hasValue".into(), target, args: Vec::new() })
                }
                true => optional::index_of(operand, optional::key(from.id, field)),
                false => Expr::Select(SelectExpr { operand: Box::new(operand), field, test: select.test }),
            }
        }
        Expr::Struct(structure) => self::structure(structure)?,
        other => other.clone(),
    };
    Ok(IdedExpr { id: from.id, expr })
}

/// A call; a macro that the parser does not know becomes one of a function of ours.
fn call(id: u64, from: &CallExpr) -> Result<Expr, CelError> {
    if let Some(what) = Macro::written(from) {
        return Ok(Expr::Call(what.expand(from, expression)?));
    }
    let mut args = from.args.iter().map(expression).collect::<Result<Vec<_>, _>>()?;
    match (from.func_name.as_str(), args.as_mut_slice()) {
        // The name of a field is written in the argument.
        (operators::OPT_SELECT, [of, field]) => {
            let of = std::mem::take(of);
            let key = match &field.expr {
                Expr::Literal(LiteralValue::String(name)) => optional::key(id, unescaped(name.inner())),
                _ => std::mem::take(field),
            };
            return Ok(optional::index_of(of, key));
        }
        (operators::OPT_INDEX, [of, key]) => return Ok(optional::index_of(std::mem::take(of), std::mem::take(key))),
        (operators::INDEX, [of, key]) if optional::is_optional(of) => {
            return Ok(optional::index_of(std::mem::take(of), std::mem::take(key)));
        }
        _ => {}
    }
    let target = from.target.as_deref().map(expression).transpose()?.map(Box::new);
    Ok(Expr::Call(CallExpr { func_name: from.func_name.clone(), target, args }))
}

fn map_entry(id: u64, key: IdedExpr, value: IdedExpr, optional: bool) -> IdedEntryExpr {
    let value = if optional { self::optional::element_of(value) } else { value };
    IdedEntryExpr { id, expr: EntryExpr::MapEntry(MapEntryExpr { key, value, optional }) }
}

/// `Object.spec{replicas: 1}` and `JSONPatch{op: "add"}`.
fn structure(from: &StructExpr) -> Result<Expr, CelError> {
    let name = from.type_name.trim_start_matches('.');
    if name != "JSONPatch" && name != "Object" && !name.starts_with("Object.") {
        return Err(CelError(format!(
            "compilation failed: ERROR: <input>: undeclared reference to '{name}' (in container '')"
        )));
    }
    let mut entries = Vec::with_capacity(from.entries.len());
    for entry in &from.entries {
        let EntryExpr::StructField(field) = &entry.expr else {
            return Err(CelError(format!("compilation failed: {name} has keys that are no fields")));
        };
        let literal = Expr::Literal(LiteralValue::String(unescaped(&field.field).into()));
        let key = IdedExpr { id: entry.id, expr: literal };
        entries.push(map_entry(entry.id, key, expression(&field.value)?, field.optional));
    }
    Ok(Expr::Map(MapExpr { entries }))
}

fn comprehension(from: &ComprehensionExpr) -> Result<ComprehensionExpr, CelError> {
    let step = Expr::Call(CallExpr { func_name: STEP.into(), target: None, args: Vec::new() });
    let counted = Expr::Call(CallExpr {
        func_name: operators::LOGICAL_AND.into(),
        target: None,
        args: vec![IdedExpr { id: from.loop_cond.id, expr: step }, expression(&from.loop_cond)?],
    });
    Ok(ComprehensionExpr {
        iter_range: expression(&from.iter_range)?,
        iter_var: from.iter_var.clone(),
        iter_var2: from.iter_var2.clone(),
        accu_var: from.accu_var.clone(),
        accu_init: expression(&from.accu_init)?,
        loop_cond: IdedExpr { id: from.loop_cond.id, expr: counted },
        loop_step: expression(&from.loop_step)?,
        result: expression(&from.result)?,
    })
}

fn unescaped(field: &str) -> String {
    let whole = field.strip_prefix("__").and_then(|rest| rest.strip_suffix("__"));
    // `__namespace__` is a word that CEL keeps for itself.
    if let Some(word) = whole
        && !word.is_empty()
        && word.chars().all(|c| c.is_ascii_lowercase())
        && !ESCAPES.iter().any(|(escape, _)| *escape == field)
    {
        return word.to_owned();
    }
    ESCAPES.iter().fold(field.to_owned(), |text, (escape, plain)| text.replace(escape, plain))
}

/// Puts a value in place of each type that is named where a value stands: `type(x) == int`.
pub(super) fn name_types(tree: &mut IdedExpr, bound: &mut Vec<String>) {
    match &mut tree.expr {
        Expr::Ident(name) => {
            let plain = name.trim_start_matches('.');
            if TYPES.contains(&plain) && !bound.iter().any(|known| known == plain) {
                tree.expr = Expr::Literal(LiteralValue::String(super::convert::type_value(plain).into()));
            }
        }
        Expr::Select(select) => match dotted(select) {
            Some(name) if !bound.iter().any(|known| known == "google") => {
                tree.expr = Expr::Literal(LiteralValue::String(super::convert::type_value(name).into()));
            }
            _ => name_types(&mut select.operand, bound),
        },
        Expr::Call(call) if Macro::of(call).is_some() => {
            let Some(what) = Macro::of(call) else { return };
            let names = what.parts(&call.args).map(|(_, names, _)| names).unwrap_or_default();
            let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
            let before = bound.len();
            if let Some((range, rest)) = call.args.split_first_mut() {
                name_types(range, bound);
                bound.extend(names);
                rest.iter_mut().for_each(|one| name_types(one, bound));
            }
            bound.truncate(before);
        }
        Expr::Call(call) => {
            if let Some(target) = call.target.as_deref_mut().filter(|target| !is_library(target)) {
                name_types(target, bound);
            }
            call.args.iter_mut().for_each(|one| name_types(one, bound));
        }
        Expr::List(list) => list.elements.iter_mut().for_each(|one| name_types(one, bound)),
        Expr::Map(map) => {
            for entry in &mut map.entries {
                if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                    name_types(&mut entry.key, bound);
                    name_types(&mut entry.value, bound);
                }
            }
        }
        Expr::Comprehension(loops) => {
            let loops = &mut **loops;
            name_types(&mut loops.iter_range, bound);
            name_types(&mut loops.accu_init, bound);
            let before = bound.len();
            bound.push(loops.iter_var.clone());
            bound.push(loops.accu_var.clone());
            bound.extend(loops.iter_var2.clone());
            for one in [&mut loops.loop_cond, &mut loops.loop_step, &mut loops.result] {
                name_types(one, bound);
            }
            bound.truncate(before);
        }
        _ => {}
    }
}

/// `google.protobuf.Timestamp` and `google.protobuf.Duration`, which are written with dots.
fn dotted(select: &SelectExpr) -> Option<&'static str> {
    let Expr::Select(package) = &select.operand.expr else { return None };
    let Expr::Ident(google) = &package.operand.expr else { return None };
    match (google.as_str(), package.field.as_str(), select.field.as_str()) {
        ("google", "protobuf", "Timestamp") => Some("google.protobuf.Timestamp"),
        ("google", "protobuf", "Duration") => Some("google.protobuf.Duration"),
        _ => None,
    }
}

/// The variables that an expression reads and does not bind itself.
pub(super) fn free_names(tree: &IdedExpr) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    gather(tree, &mut Vec::new(), &mut names);
    names
}

fn gather<'e>(tree: &'e IdedExpr, bound: &mut Vec<&'e str>, names: &mut BTreeSet<String>) {
    match &tree.expr {
        Expr::Ident(name) => {
            let plain = name.trim_start_matches('.');
            if !bound.contains(&plain) && !TYPES.contains(&plain) && plain != ACCUMULATOR {
                names.insert(plain.to_owned());
            }
        }
        Expr::Call(call) if Macro::of(call).is_some() => {
            let parts = Macro::of(call).and_then(|what| what.parts(&call.args));
            let Some((range, variables, bodies)) = parts else { return };
            gather(range, bound, names);
            let before = bound.len();
            bound.extend(variables);
            bodies.iter().for_each(|one| gather(one, bound, names));
            bound.truncate(before);
        }
        Expr::Call(call) if call.target.as_deref().is_some_and(is_library) => {
            call.args.iter().for_each(|one| gather(one, bound, names));
        }
        Expr::Call(call) => {
            call.target.iter().map(|target| &**target).chain(&call.args).for_each(|one| gather(one, bound, names))
        }
        Expr::List(list) => list.elements.iter().for_each(|one| gather(one, bound, names)),
        Expr::Map(map) => {
            for entry in &map.entries {
                if let EntryExpr::MapEntry(entry) = &entry.expr {
                    gather(&entry.key, bound, names);
                    gather(&entry.value, bound, names);
                }
            }
        }
        Expr::Select(select) => gather(&select.operand, bound, names),
        Expr::Comprehension(loops) => {
            gather(&loops.iter_range, bound, names);
            gather(&loops.accu_init, bound, names);
            let before = bound.len();
            bound.push(&loops.accu_var);
            bound.push(&loops.iter_var);
            bound.extend(loops.iter_var2.as_deref());
            [&loops.loop_cond, &loops.loop_step, &loops.result].into_iter().for_each(|one| gather(one, bound, names));
            bound.truncate(before);
        }
        _ => {}
    }
}

fn is_library(target: &IdedExpr) -> bool {
    matches!(&target.expr, Expr::Ident(name) if LIBRARIES.contains(&&**name))
}

/// Whether brackets or signs of a text nest deeper than the parser's stack bears.
pub(super) fn nests_deeply(source: &str) -> bool {
    let (mut depth, mut signs, mut quote) = (0_usize, 0_usize, None);
    for c in source.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            _ => {}
        }
        signs = match c {
            '!' | '-' | '?' => signs + 1,
            c if c.is_whitespace() => signs,
            _ => 0,
        };
        if depth > CEL_NESTING_MAX || signs > CEL_NESTING_MAX {
            return true;
        }
    }
    false
}

/// How many levels a tree has.
pub(super) fn depth(tree: &IdedExpr) -> usize {
    let deepest = match &tree.expr {
        Expr::Call(call) => call.target.iter().map(|target| &**target).chain(&call.args).map(depth).max(),
        Expr::List(list) => list.elements.iter().map(depth).max(),
        Expr::Map(map) => map.entries.iter().map(entry_depth).max(),
        Expr::Struct(structure) => structure.entries.iter().map(entry_depth).max(),
        Expr::Select(select) => Some(depth(&select.operand)),
        Expr::Comprehension(loops) => {
            let ComprehensionExpr { iter_range, accu_init, loop_cond, loop_step, result, .. } = &**loops;
            [iter_range, accu_init, loop_cond, loop_step, result].into_iter().map(depth).max()
        }
        _ => None,
    };
    deepest.unwrap_or(0) + 1
}

fn entry_depth(entry: &IdedEntryExpr) -> usize {
    match &entry.expr {
        EntryExpr::MapEntry(entry) => depth(&entry.key).max(depth(&entry.value)),
        EntryExpr::StructField(field) => depth(&field.value),
    }
}
