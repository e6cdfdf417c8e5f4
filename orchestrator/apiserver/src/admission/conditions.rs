//! Match conditions: CEL that says whether a webhook or policy is about a request.

use orchestrator_apimachinery::cel::{CelError, Expression, Scope};
use serde_json::Value;

/// The variables of a match condition.
pub(super) const DECLARED: [&str; 4] = ["object", "oldObject", "request", "authorizer"];

/// Compiled `matchConditions`.
pub(super) struct Conditions(Vec<(String, Result<Expression, CelError>)>);

impl Conditions {
    /// From the list in a configuration.
    pub fn compile(list: &Value, declared: &[&str]) -> Self {
        let conditions = list.as_array().into_iter().flatten().map(|condition| {
            let text = |field: &str| condition[field].as_str().unwrap_or_default();
            (text("name").to_owned(), Expression::compile(text("expression"), declared))
        });
        Conditions(conditions.collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all hold: one that is false decides, else an error does.
    pub fn hold(&self, scope: &Scope) -> Result<bool, String> {
        let mut failed = None;
        for (name, condition) in &self.0 {
            let value = condition.as_ref().map_err(CelError::clone).and_then(|condition| scope.condition(condition));
            match value {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(error) => {
                    failed.get_or_insert_with(|| format!("expression '{name}' resulted in error: {error}"));
                }
            }
        }
        failed.map_or(Ok(true), Err)
    }
}
