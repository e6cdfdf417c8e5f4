//! ValidatingAdmissionPolicy and MutatingAdmissionPolicy: rules in CEL, bound to resources.
//!
//! Sources: <https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/>,
//! <https://kubernetes.io/docs/reference/access-authn-authz/mutating-admission-policy/>

mod mutating;
mod params;
mod validating;

pub(crate) use mutating::Mutation;
pub(super) use mutating::{mutate, mutate_again};
pub(crate) use validating::Validation;
pub(super) use validating::validate;

use super::Admission;
use super::conditions::Conditions;
use super::configurations::Configured;
use super::view::View;
use orchestrator_apimachinery::cel::{CelError, Expression, Scope};
use orchestrator_apimachinery::selector::LabelSelector;
use orchestrator_apimachinery::{ApiError, Kind, meta};
use serde_json::{Map, Value};
use std::sync::Arc;

/// The variables of an expression of a policy; `params` only with a `paramKind`.
const DECLARED: [&str; 7] = ["object", "oldObject", "request", "authorizer", "namespaceObject", "variables", "params"];

type Compiled = Result<Expression, CelError>;

/// A policy whose rules are of type `R`.
pub(crate) struct Policy<R> {
    pub name: String,
    matches: Matches,
    conditions: Conditions,
    variables: Vec<(String, Compiled)>,
    /// apiVersion and kind of its parameters.
    param_kind: Option<(String, String)>,
    fails_closed: bool,
    pub rules: R,
}

/// What a policy's rules are compiled from.
pub(crate) trait Rules: Sized {
    fn compile(spec: &Value, declared: &[&str]) -> Self;
}

impl<R: Rules> Configured for Policy<R> {
    fn compile(object: &Value) -> Vec<Self> {
        let spec = &object["spec"];
        let param_kind = spec["paramKind"].as_object().map(|kind| {
            let text = |field: &str| kind.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
            (text("apiVersion"), text("kind"))
        });
        let declared = if param_kind.is_some() { &DECLARED[..] } else { &DECLARED[..DECLARED.len() - 1] };
        let variables = spec["variables"].as_array().into_iter().flatten().map(|variable| {
            let text = |field: &str| variable[field].as_str().unwrap_or_default();
            (text("name").to_owned(), Expression::compile(text("expression"), declared))
        });
        vec![Policy {
            name: meta::name(object).to_owned(),
            matches: Matches::new(&spec["matchConstraints"]),
            conditions: Conditions::compile(&spec["matchConditions"], declared),
            variables: variables.collect(),
            param_kind,
            fails_closed: spec["failurePolicy"] != "Ignore",
            rules: R::compile(spec, declared),
        }]
    }
}

/// `MatchResources`
struct Matches {
    rules: Value,
    excluded: Value,
    /// Whether rules also mean the other versions of what they name.
    equivalent: bool,
    namespaces: LabelSelector,
    objects: LabelSelector,
}

impl Matches {
    fn new(value: &Value) -> Self {
        let selector = |field: &str| match &value[field] {
            Value::Null => LabelSelector::default(),
            selector => LabelSelector::from_object(selector).unwrap_or_default(),
        };
        Matches {
            rules: value["resourceRules"].clone(),
            excluded: value["excludeResourceRules"].clone(),
            equivalent: value["matchPolicy"] != "Exact",
            namespaces: selector("namespaceSelector"),
            objects: selector("objectSelector"),
        }
    }

    /// The version of the resource that the rules name, if this is about the request. `narrowing` is for
    /// bindings, where no rules mean all that the policy is about.
    fn version(&self, admission: &Admission<'_>, object: &Value, narrowing: bool) -> Option<Arc<Kind>> {
        let fits = admission.fits_namespace(&self.namespaces, object) && admission.fits_object(&self.objects, object);
        let name = admission.object_name(object);
        if !fits || admission.named_by(&self.excluded, &name, self.equivalent).is_some() {
            return None;
        }
        match narrowing && self.rules.as_array().is_none_or(Vec::is_empty) {
            true => Some(admission.writing.kind.clone()),
            false => admission.named_by(&self.rules, &name, self.equivalent),
        }
    }
}

/// A binding of either kind of policy.
pub(crate) struct Binding {
    name: String,
    policy: String,
    matches: Matches,
    param_ref: Option<Value>,
    actions: Vec<String>,
}

impl Configured for Binding {
    fn compile(object: &Value) -> Vec<Self> {
        let spec = &object["spec"];
        let actions = spec["validationActions"].as_array().into_iter().flatten().filter_map(Value::as_str);
        vec![Binding {
            name: meta::name(object).to_owned(),
            policy: spec["policyName"].as_str().unwrap_or_default().to_owned(),
            matches: Matches::new(&spec["matchResources"]),
            param_ref: spec["paramRef"].is_object().then(|| spec["paramRef"].clone()),
            actions: actions.map(str::to_owned).collect(),
        }]
    }
}

/// One evaluation: a policy, its binding and one of the binding's parameters.
pub(super) struct Evaluation<R> {
    policy: Arc<Policy<R>>,
    binding: Arc<Binding>,
    /// The version of the resource that the policy's rules name.
    version: Arc<Kind>,
    /// `None` for policies without parameters.
    params: Option<Value>,
}

impl<R> Evaluation<R> {
    /// The variables of the request for this evaluation.
    fn prepare<'s>(&self, view: &'s mut View<'_>) -> &'s mut Scope {
        let scope = view.policy_scope();
        if self.policy.param_kind.is_some() {
            scope.set("params", self.params.as_ref().unwrap_or(&Value::Null));
        }
        self.compose(scope);
        scope
    }

    /// Computes the policy's variables, of which later ones may use earlier ones. One that fails is
    /// absent: who reads it fails.
    fn compose(&self, scope: &mut Scope) {
        let mut values = Map::new();
        scope.set("variables", &Value::Object(Map::new()));
        for (name, expression) in &self.policy.variables {
            let Ok(expression) = expression else { continue };
            if let Ok(value) = scope.evaluate(expression) {
                values.insert(name.clone(), value);
                scope.set("variables", &Value::Object(values.clone()));
            }
        }
    }

    /// Who refuses, in upstream's words.
    fn denial(&self, kind: &str, why: &str) -> String {
        format!("{kind} '{}' with binding '{}' denied request: {why}", self.policy.name, self.binding.name)
    }
}

/// Policies and their bindings.
type Bound<'a, R> = (&'a [Arc<Policy<R>>], &'a [Arc<Binding>]);

/// Whatever the policies say of a request: the evaluations that are due, in order; the errors of
/// those that cannot be set up.
async fn evaluations<R>(
    admission: &Admission<'_>,
    (policies, bindings): Bound<'_, R>,
    object: &Value,
) -> Vec<(Evaluation<R>, Result<(), String>)> {
    let mut due = Vec::new();
    for policy in policies {
        let Some(version) = policy.matches.version(admission, object, false) else { continue };
        let bound = bindings.iter().filter(|binding| binding.policy == policy.name);
        for binding in bound.filter(|binding| binding.matches.version(admission, object, true).is_some()) {
            let one = |params: Option<Value>| Evaluation {
                policy: policy.clone(),
                binding: binding.clone(),
                version: version.clone(),
                params,
            };
            match params::of(admission, policy.param_kind.as_ref(), binding.param_ref.as_ref()).await {
                Ok(found) => due.extend(found.into_iter().map(|params| (one(params), Ok(())))),
                Err(why) => due.push((one(None), Err(why))),
            }
        }
    }
    due
}

/// 403 that becomes what a policy's `reason` says.
fn refusal(admission: &Admission<'_>, name: &str, reason: &str, message: String) -> ApiError {
    let mut error = admission.writing.forbidden(name, &message);
    let (code, reason) = match reason {
        "Unauthorized" => (401, "Unauthorized"),
        "Forbidden" => (403, "Forbidden"),
        "RequestEntityTooLarge" => (413, "RequestEntityTooLarge"),
        _ => (422, "Invalid"),
    };
    (error.code, error.reason) = (code, reason.into());
    error.causes.push(orchestrator_apimachinery::status::Cause {
        reason: String::new(),
        message,
        field: String::new(),
    });
    error
}
