//! ValidatingAdmissionPolicy.

use super::{Bound, Compiled, Evaluation, Rules, evaluations, refusal};
use crate::admission::Admission;
use crate::admission::view::{View, Views};
use crate::audit;
use crate::limits;
use orchestrator_apimachinery::ApiError;
use orchestrator_apimachinery::cel::{Expression, Scope};
use serde_json::{Value, json};

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

/// What one evaluation refuses.
struct Refused {
    /// The place of the rule among all, where it is one that refuses.
    index: Option<usize>,
    reason: String,
    message: String,
}

impl Refused {
    fn setup(message: String) -> Self {
        Refused { index: None, reason: String::new(), message }
    }
}

impl Evaluation<Validation> {
    fn run(&self, view: &mut View<'_>) -> Vec<Refused> {
        let scope = &*self.prepare(view);
        match self.policy.conditions.hold(scope) {
            Ok(true) => {}
            Ok(false) => return Vec::new(),
            Err(why) => return if self.policy.fails_closed { vec![Refused::setup(why)] } else { Vec::new() },
        }
        let mut refused = Vec::new();
        for (index, one) in self.policy.rules.validations.iter().enumerate() {
            let held = one.expression.as_ref().map_err(Clone::clone).and_then(|expression| scope.condition(expression));
            let (reason, message) = match held {
                Ok(true) => continue,
                Ok(false) => (one.reason.clone(), one.words(scope)),
                Err(_) if !self.policy.fails_closed => continue,
                Err(error) => (String::new(), format!("expression '{}' resulted in error: {error}", one.source)),
            };
            refused.push(Refused { index: Some(index), reason, message });
        }
        refused.extend(self.annotate(scope));
        refused
    }

    /// Writes the policy's annotations into the audit log; what of them fails.
    fn annotate(&self, scope: &Scope) -> Vec<Refused> {
        let mut refused = Vec::new();
        for (key, expression) in &self.policy.rules.annotations {
            let value = expression.as_ref().map_err(Clone::clone).and_then(|expression| scope.evaluate(expression));
            match value {
                Ok(Value::String(text)) if !text.trim().is_empty() => {
                    let text = text.trim().chars().take(limits::AUDIT_NOTE_CHARS_MAX).collect();
                    audit::note(format!("{}/{key}", self.policy.name), text);
                }
                Ok(_) => {}
                Err(error) if self.policy.fails_closed => {
                    refused.push(Refused::setup(format!("auditAnnotation '{key}' resulted in error: {error}")));
                }
                Err(_) => {}
            }
        }
        refused
    }

    /// What the audit log holds of a refusal, as upstream.
    fn failure(&self, refused: &Refused) -> Value {
        json!({
            "message": refused.message, "policy": self.policy.name, "binding": self.binding.name,
            "expressionIndex": refused.index.unwrap_or_default(), "validationActions": self.binding.actions,
        })
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
pub(in crate::admission) async fn validate<'a>(
    admission: &'a Admission<'a>,
    bound: Bound<'_, Validation>,
    object: &Value,
    views: &mut Views<'a>,
) -> Result<(), ApiError> {
    const KIND: &str = "ValidatingAdmissionPolicy";
    let (mut denied, mut audited) = (None, Vec::new());
    for (evaluation, ready) in evaluations(admission, bound, object).await {
        let refused = match ready {
            Ok(()) => {
                let place = views.place(&evaluation.version).await?;
                evaluation.run(views.at_mut(place))
            }
            Err(why) if evaluation.policy.fails_closed => {
                vec![Refused::setup(format!("failed to configure binding: {why}"))]
            }
            Err(_) => Vec::new(),
        };
        for refused in refused {
            for action in &evaluation.binding.actions {
                match action.as_str() {
                    "Deny" => {
                        denied
                            .get_or_insert_with(|| (refused.reason.clone(), evaluation.denial(KIND, &refused.message)));
                    }
                    "Warn" => admission.warn([format!(
                        "Validation failed for {KIND} '{}' with binding '{}': {}",
                        evaluation.policy.name, evaluation.binding.name, refused.message
                    )]),
                    _ => audited.push(evaluation.failure(&refused)),
                }
            }
        }
    }
    if !audited.is_empty() {
        let key = "validation.policy.admission.k8s.io/validation_failure".to_owned();
        audit::note(key, Value::Array(audited).to_string());
    }
    match denied {
        Some((reason, message)) => Err(refusal(admission, &admission.object_name(object), &reason, message)),
        None => Ok(()),
    }
}
