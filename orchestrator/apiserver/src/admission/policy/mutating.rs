//! MutatingAdmissionPolicy.

use super::{Binding, Compiled, Evaluation, Policy, Rules, evaluations, refusal};
use crate::admission::Admission;
use orchestrator_apimachinery::cel::Expression;
use orchestrator_apimachinery::patch::{json_patch, strategic_merge};
use orchestrator_apimachinery::{ApiError, meta};
use serde_json::Value;
use std::sync::Arc;

/// `spec.mutations`
pub(crate) struct Mutation {
    mutations: Vec<One>,
    reinvoked: bool,
}

enum One {
    /// Gives the fields that the object is to have.
    Apply(Compiled),
    /// Gives the operations of a JSON patch.
    Patch(Compiled),
}

impl Rules for Mutation {
    fn compile(spec: &Value, declared: &[&str]) -> Self {
        let mutations = spec["mutations"].as_array().into_iter().flatten().map(|one| {
            let compile =
                |field: &str| Expression::compile(one[field]["expression"].as_str().unwrap_or_default(), declared);
            match one["patchType"].as_str() {
                Some("JSONPatch") => One::Patch(compile("jsonPatch")),
                _ => One::Apply(compile("applyConfiguration")),
            }
        });
        Mutation { mutations: mutations.collect(), reinvoked: spec["reinvocationPolicy"] == "IfNeeded" }
    }
}

impl Evaluation<'_, Mutation> {
    /// The object after the mutations; `None` when the policy is not about it.
    fn run(&self, admission: &Admission<'_>, object: &Value) -> Result<Option<Value>, String> {
        let mut scope = self.scope(admission, object);
        self.compose(&mut scope);
        if !self.policy.conditions.hold(&scope)? {
            return Ok(None);
        }
        let mut new = object.clone();
        for one in &self.policy.rules.mutations {
            scope.set("object", &new);
            self.compose(&mut scope);
            let (One::Apply(expression) | One::Patch(expression)) = one;
            let expression = expression.as_ref().map_err(ToString::to_string)?;
            let value = scope.evaluate(expression).map_err(|error| error.to_string())?;
            apply(admission, one, &mut new, &value)?;
        }
        Ok(Some(new))
    }
}

fn apply(admission: &Admission<'_>, one: &One, object: &mut Value, value: &Value) -> Result<(), String> {
    if matches!(one, One::Patch(_)) {
        return json_patch(object, value).map_err(|error| error.message);
    }
    let fixed = ["apiVersion", "kind"].into_iter().find(|field| value.get(*field).is_some());
    let fixed = fixed.or_else(|| value["metadata"].get("name").map(|_| "metadata.name"));
    if let Some(field) = fixed {
        return Err(format!("error applying patch: {field} must not be set"));
    }
    let schema = admission.writing.kind.schema();
    strategic_merge(&schema, object, value).map_err(|error| format!("error applying patch: {}", error.message))
}

/// Lets the policies change an object; `settle` completes what one of them changed.
pub(in crate::admission) fn mutate(
    admission: &Admission<'_>,
    policies: &[Arc<Policy<Mutation>>],
    bindings: &[Arc<Binding>],
    object: &mut Value,
    settle: &(dyn Fn(&mut Value) -> Result<(), ApiError> + Send + Sync),
) -> Result<(), ApiError> {
    let mut again = Vec::new();
    let due = evaluations(admission, policies, bindings, object);
    for (evaluation, ready) in &due {
        if let Err(why) = ready {
            if evaluation.policy.fails_closed {
                return Err(failed(admission, evaluation, object, why));
            }
            continue;
        }
        run(admission, evaluation, object, settle)?;
        if evaluation.policy.rules.reinvoked {
            again.push((evaluation, object.clone()));
        }
    }
    for (evaluation, left) in again {
        if *object != left {
            run(admission, evaluation, object, settle)?;
        }
    }
    Ok(())
}

fn run(
    admission: &Admission<'_>,
    evaluation: &Evaluation<'_, Mutation>,
    object: &mut Value,
    settle: &(dyn Fn(&mut Value) -> Result<(), ApiError> + Send + Sync),
) -> Result<(), ApiError> {
    match evaluation.run(admission, object) {
        Ok(Some(new)) if new != *object => {
            *object = new;
            settle(object)
        }
        Ok(_) => Ok(()),
        Err(_) if !evaluation.policy.fails_closed => Ok(()),
        Err(why) => Err(failed(admission, evaluation, object, &why)),
    }
}

fn failed(admission: &Admission<'_>, evaluation: &Evaluation<'_, Mutation>, object: &Value, why: &str) -> ApiError {
    let message = evaluation.denial("MutatingAdmissionPolicy", why);
    refusal(admission, meta::name(object), "Forbidden", message)
}
