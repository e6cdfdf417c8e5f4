//! MutatingAdmissionPolicy.

use super::{Bound, Compiled, Evaluation, Rules, evaluations, refusal};
use crate::admission::Admission;
use crate::admission::view::View;
use orchestrator_apimachinery::cel::Expression;
use orchestrator_apimachinery::patch::json_patch;
use orchestrator_apimachinery::schema::Schema;
use orchestrator_apimachinery::{ApiError, apply};
use serde_json::Value;
use tracing::warn;

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

impl Evaluation<Mutation> {
    /// The object after the mutations, in the version of the view; `None` when the policy is not about it.
    fn run(&self, view: &mut View<'_>) -> Result<Option<Value>, String> {
        let (mut new, schema) = (view.object.clone(), view.schema());
        let scope = self.prepare(view);
        if !self.policy.conditions.hold(scope)? {
            return Ok(None);
        }
        for (index, one) in self.policy.rules.mutations.iter().enumerate() {
            if index > 0 {
                scope.set("object", &new);
                self.compose(scope);
            }
            let (One::Apply(expression) | One::Patch(expression)) = one;
            let expression = expression.as_ref().map_err(ToString::to_string)?;
            let value = scope.evaluate(expression).map_err(|error| error.to_string())?;
            change(&schema, one, &mut new, &value)?;
        }
        Ok(Some(new))
    }
}

fn change(schema: &Schema, one: &One, object: &mut Value, value: &Value) -> Result<(), String> {
    if matches!(one, One::Patch(_)) {
        let before = ["apiVersion", "kind"].map(|field| object[field].clone());
        json_patch(object, value).map_err(|error| error.message)?;
        return match ["apiVersion", "kind"].iter().zip(&before).find(|(field, before)| object[**field] != **before) {
            Some((field, _)) => Err(format!("error applying patch: {field} must not be changed")),
            None => Ok(()),
        };
    }
    let fixed = ["apiVersion", "kind"].into_iter().find(|field| value.get(*field).is_some());
    let fixed = fixed.or_else(|| value["metadata"].get("name").map(|_| "metadata.name"));
    if let Some(field) = fixed {
        return Err(format!("error applying patch: {field} must not be set"));
    }
    apply::configure(schema, object, value).map_err(|why| format!("error applying patch: {why}"))
}

/// Evaluations that want to see later changes, and the object as they left it.
pub(in crate::admission) type Again = Vec<(Evaluation<Mutation>, Value)>;

/// Lets the policies change an object.
pub(in crate::admission) async fn mutate(
    admission: &Admission<'_>,
    bound: Bound<'_, Mutation>,
    object: &mut Value,
) -> Result<Again, ApiError> {
    let mut again = Vec::new();
    for (evaluation, ready) in evaluations(admission, bound, object).await {
        if let Err(why) = ready {
            if evaluation.policy.fails_closed {
                return Err(failed(admission, &evaluation, object, &why));
            }
            continue;
        }
        run(admission, &evaluation, object).await?;
        if evaluation.policy.rules.reinvoked {
            again.push((evaluation, object.clone()));
        }
    }
    Ok(again)
}

/// Runs those again that have not seen the object as it is now.
pub(in crate::admission) async fn mutate_again(
    admission: &Admission<'_>,
    evaluations: Again,
    object: &mut Value,
) -> Result<(), ApiError> {
    for (evaluation, left) in evaluations {
        if *object != left {
            run(admission, &evaluation, object).await?;
        }
    }
    Ok(())
}

async fn run(admission: &Admission<'_>, evaluation: &Evaluation<Mutation>, object: &mut Value) -> Result<(), ApiError> {
    let mut view = View::new(admission, object, &evaluation.version).await?;
    match evaluation.run(&mut view) {
        Ok(Some(new)) if new != view.object => view.settle(new, object).await,
        Ok(_) => Ok(()),
        Err(why) if !evaluation.policy.fails_closed => {
            warn!(policy = evaluation.policy.name, why, "a policy failed and was ignored");
            Ok(())
        }
        Err(why) => Err(failed(admission, evaluation, object, &why)),
    }
}

fn failed(admission: &Admission<'_>, evaluation: &Evaluation<Mutation>, object: &Value, why: &str) -> ApiError {
    let message = evaluation.denial("MutatingAdmissionPolicy", why);
    refusal(admission, &admission.object_name(object), "Forbidden", message)
}
