//! Evaluating macros over keys and values, and over optional values.

use super::macros::Macro;
use super::optional::{inner, optional};
use crate::limits::CEL_STEPS_MAX;
use kube_cel::cel::common::ast::IdedExpr;
use kube_cel::cel::objects::{Key, Map};
use kube_cel::cel::{Context, ExecutionError, FunctionContext, Value as Cel};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Counts one turn of a loop; an error when there were too many.
pub(super) fn step(steps: &AtomicU32) -> Result<(), ExecutionError> {
    charge(steps, 1)
}

fn charge(steps: &AtomicU32, weight: u32) -> Result<(), ExecutionError> {
    match steps.fetch_add(weight.min(CEL_STEPS_MAX), Ordering::Relaxed) {
        done if done >= CEL_STEPS_MAX => {
            Err(ExecutionError::function_error("loop", "operation cancelled: actual cost limit exceeded"))
        }
        _ => Ok(()),
    }
}

/// Declares the functions that macros become; each turn of theirs is counted in `steps`.
pub(super) fn declare(context: &mut Context<'static>, steps: &Arc<AtomicU32>) {
    for one in Macro::EVERY {
        let steps = steps.clone();
        let run = move |call: &FunctionContext<'_, '_>| -> Result<Cel, ExecutionError> { evaluate(one, call, &steps) };
        context.add_function(one.function(), run);
    }
}

fn evaluate(what: Macro, call: &FunctionContext<'_, '_>, steps: &AtomicU32) -> Result<Cel, ExecutionError> {
    let broken = || ExecutionError::function_error(what.name(), "internal error: the macro has lost its parts");
    let (range, names, bodies) = what.parts(call.args).ok_or_else(broken)?;
    let range = Cel::resolve(range, call.ptx)?;
    if let [name] = names.as_slice() {
        let Some(value) = inner(&range)? else { return Ok(optional(None)) };
        let mut scope = call.ptx.new_inner_scope();
        scope.add_variable_from_value(*name, value.clone());
        let value = Cel::resolve(bodies.first().ok_or_else(broken)?, &scope)?;
        return match what {
            Macro::OptFlatMap => inner(&value).map(|_| ()).map(|()| value),
            _ => Ok(optional(Some(value))),
        };
    }
    let [first, second] = names.as_slice() else { return Err(broken()) };
    let mut gathered = Gathered { what, truth: what == Macro::All, ..Gathered::default() };
    let mut turn = |key: Key, value: &Cel| {
        step(steps)?;
        let mut scope = call.ptx.new_inner_scope();
        scope.add_variable_from_value(*first, of_key(&key));
        scope.add_variable_from_value(*second, value.clone());
        gathered.turn(key, bodies, &scope, steps)
    };
    match &range {
        Cel::List(items) => {
            for (index, item) in items.iter().enumerate() {
                let index = i64::try_from(index).map_err(|_| ExecutionError::NoSuchOverload)?;
                if turn(Key::Int(index), item)? == Turn::Last {
                    break;
                }
            }
        }
        Cel::Map(map) => {
            let mut entries: Vec<(&Key, &Cel)> = map.map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            for (key, value) in entries {
                if turn(key.clone(), value)? == Turn::Last {
                    break;
                }
            }
        }
        _ => return Err(ExecutionError::NoSuchOverload),
    }
    gathered.result()
}

/// What a value that a loop keeps weighs against the limit of steps: each turn may copy a whole object.
fn weight(value: &Cel) -> u32 {
    let bytes = |length: usize| u32::try_from(length / 64).unwrap_or(CEL_STEPS_MAX);
    let below = match value {
        Cel::List(items) => items.iter().map(weight).fold(0, u32::saturating_add),
        Cel::Map(map) => map.map.values().map(weight).fold(0, u32::saturating_add),
        Cel::String(text) => bytes(text.len()),
        Cel::Bytes(content) => bytes(content.len()),
        _ => 0,
    };
    below.saturating_add(1)
}

fn of_key(key: &Key) -> Cel {
    match key {
        Key::Int(value) => Cel::Int(*value),
        Key::Uint(value) => Cel::UInt(*value),
        Key::Bool(value) => Cel::Bool(*value),
        Key::String(text) => Cel::String(text.clone()),
    }
}

fn truth(body: &IdedExpr, scope: &Context<'_>) -> Result<bool, ExecutionError> {
    match Cel::resolve(body, scope)? {
        Cel::Bool(value) => Ok(value),
        _ => Err(ExecutionError::NoSuchOverload),
    }
}

/// Whether a loop goes on.
#[derive(PartialEq, Eq)]
enum Turn {
    Next,
    Last,
}

/// What the turns of a loop have made so far.
struct Gathered {
    what: Macro,
    truth: bool,
    /// The first that went wrong; it counts unless another turn decides.
    error: Option<ExecutionError>,
    count: usize,
    list: Vec<Cel>,
    map: HashMap<Key, Cel>,
}

impl Default for Gathered {
    fn default() -> Self {
        let (list, map) = (Vec::new(), HashMap::new());
        Gathered { what: Macro::All, truth: false, error: None, count: 0, list, map }
    }
}

impl Gathered {
    fn turn(
        &mut self,
        key: Key,
        bodies: &[IdedExpr],
        scope: &Context<'_>,
        steps: &AtomicU32,
    ) -> Result<Turn, ExecutionError> {
        let Some((last, filters)) = bodies.split_last() else { return Ok(Turn::Last) };
        match self.what {
            Macro::All | Macro::Exists => {
                let decides = self.what == Macro::Exists;
                match truth(last, scope) {
                    Ok(found) if found == decides => {
                        (self.truth, self.error) = (found, None);
                        return Ok(Turn::Last);
                    }
                    Ok(_) => {}
                    Err(error) => {
                        self.error.get_or_insert(error);
                    }
                }
                return Ok(Turn::Next);
            }
            Macro::ExistsOne => {
                self.count += usize::from(truth(last, scope)?);
                return Ok(Turn::Next);
            }
            _ => {}
        }
        for filter in filters {
            if !truth(filter, scope)? {
                return Ok(Turn::Next);
            }
        }
        let value = Cel::resolve(last, scope)?;
        charge(steps, weight(&value))?;
        match (self.what, value) {
            (Macro::List, value) => self.list.push(value),
            (Macro::MapEntry, Cel::Map(entries)) => {
                for (key, value) in entries.map.iter() {
                    self.insert(key.clone(), value.clone())?;
                }
            }
            (Macro::Map, value) => self.insert(key, value)?,
            _ => return Err(ExecutionError::NoSuchOverload),
        }
        Ok(Turn::Next)
    }

    fn insert(&mut self, key: Key, value: Cel) -> Result<(), ExecutionError> {
        if self.map.contains_key(&key) {
            let why = format!("insert failed: key {key} already exists");
            return Err(ExecutionError::function_error("cel.@mapInsert", why));
        }
        self.map.insert(key, value);
        Ok(())
    }

    fn result(self) -> Result<Cel, ExecutionError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        Ok(match self.what {
            Macro::List => Cel::List(Arc::new(self.list)),
            Macro::Map | Macro::MapEntry => Cel::Map(Map { map: Arc::new(self.map) }),
            Macro::ExistsOne => Cel::Bool(self.count == 1),
            _ => Cel::Bool(self.truth),
        })
    }
}
