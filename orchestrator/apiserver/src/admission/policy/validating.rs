//! ValidatingAdmissionPolicy.

use super::{Binding, Compiled, Evaluation, Policy, Rules, evaluations, refusal};
use crate::admission::Admission;
use orchestrator_apimachinery::cel::{Expression, Scope};
use orchestrator_apimachinery::{ApiError, meta};
use serde_json::Value;
use std::sync::Arc;
use tracing::info;

/// `spec.validations` and `spec.auditAnnotations`.
pub(crate) struct Validation {
    validations: Vec<One>,
    annotations: Vec<(String, Compiled)>,
}

struct One {
    expression: Compiled,
    source: String,
    message: String,
    message_expression: Option<Compiled>,
    reason: String,
}

impl Rules for Validation {
    fn compile(spec: &Value, declared: &[&str]) -> Self {
        let text = |value: &Value, field: &str| value[field].as_str().unwrap_or_default().to_owned();
        let validations = spec["validations"].as_array().into_iter().flatten().map(|one| One {
            expression: Expression::compile(&text(one, "expression"), declared),
            source: text(one, "expression").trim().to_owned(),
            message: text(one, "message").trim().to_owned(),
            message_expression: one["messageExpression"].as_str().map(|text| Expression::compile(text, declared)),
            reason: text(one, "reason"),
        });
        let annotations = spec["auditAnnotations"].as_array().into_iter().flatten();
        let annotations =
            annotations.map(|one| (text(one, "key"), Expression::compile(&text(one, "valueExpression"), declared)));
        Validation { validations: validations.collect(), annotations: annotations.collect() }
    }
}

/// What one evaluation refuses: reason and message.
type Refused = Vec<(String, String)>;

impl Evaluation<'_, Validation> {
    fn run(&self, admission: &Admission<'_>, object: &Value) -> Refused {
        let mut scope = self.scope(admission, object);
        let failure = |why: String| match self.policy.fails_closed {
            true => vec![(String::new(), why)],
            false => Vec::new(),
        };
        self.compose(&mut scope);
        match self.policy.conditions.hold(&scope) {
            Ok(true) => {}
            Ok(false) => return Vec::new(),
            Err(why) => return failure(why),
        }
        let mut refused = Vec::new();
        for one in &self.policy.rules.validations {
            match one.expression.as_ref().map_err(Clone::clone).and_then(|expression| scope.condition(expression)) {
                Ok(true) => {}
                Ok(false) => refused.push((one.reason.clone(), one.words(&scope))),
                Err(error) => {
                    refused.extend(failure(format!("expression '{}' resulted in error: {error}", one.source)));
                }
            }
        }
        for (key, expression) in &self.policy.rules.annotations {
            let value = expression.as_ref().map_err(Clone::clone).and_then(|expression| scope.evaluate(expression));
            match value {
                Ok(Value::String(text)) => {
                    info!(policy = self.policy.name, key, value = %text.escape_debug(), "audit annotation of a policy");
                }
                Ok(_) => {}
                Err(error) => refused.extend(failure(format!("auditAnnotation '{key}' resulted in error: {error}"))),
            }
        }
        refused
    }
}

impl One {
    fn words(&self, scope: &Scope) -> String {
        if let Some(Ok(expression)) = &self.message_expression
            && let Ok(Value::String(text)) = scope.evaluate(expression)
            && !text.trim().is_empty()
            && !text.contains('\n')
        {
            return text.trim().to_owned();
        }
        if self.message.is_empty() { format!("failed expression: {}", self.source) } else { self.message.clone() }
    }
}

/// Asks the policies; bindings say whether a refusal denies, warns or is written down.
pub(in crate::admission) fn validate(
    admission: &Admission<'_>,
    policies: &[Arc<Policy<Validation>>],
    bindings: &[Arc<Binding>],
    object: &Value,
) -> Result<(), ApiError> {
    const PLURAL: &str = "ValidatingAdmissionPolicy";
    let mut denied = None;
    for (evaluation, ready) in evaluations(admission, policies, bindings, object) {
        let refused = match ready {
            Ok(()) => evaluation.run(admission, object),
            Err(why) if evaluation.policy.fails_closed => {
                vec![(String::new(), format!("failed to configure binding: {why}"))]
            }
            Err(_) => Vec::new(),
        };
        for (reason, why) in refused {
            for action in &evaluation.binding.actions {
                match action.as_str() {
                    "Deny" => {
                        denied.get_or_insert_with(|| (reason.clone(), evaluation.denial(PLURAL, &why)));
                    }
                    "Warn" => admission.warn([format!(
                        "Validation failed for {PLURAL} '{}' with binding '{}': {why}",
                        evaluation.policy.name, evaluation.binding.name
                    )]),
                    _ => info!(policy = evaluation.policy.name, why = %why.escape_debug(), "a policy's audit"),
                }
            }
        }
    }
    match denied {
        Some((reason, message)) => Err(refusal(admission, meta::name(object), &reason, message)),
        None => Ok(()),
    }
}
