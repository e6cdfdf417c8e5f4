//! Evictions: deletes of Pods that ask the Pod's PodDisruptionBudget first.

use super::delete::check_preconditions;
use super::{Change, DeleteOptions, Part, Registry, Writing, key, timestamp};
use crate::auth::Attributes;
use crate::limits;
use crate::registry::ObjectReader;
use orchestrator_apimachinery::selector::LabelSelector;
use orchestrator_apimachinery::status::Cause;
use orchestrator_apimachinery::{ApiError, meta};
use serde_json::{Value, json};

const GROUP: &str = "policy";
const BUDGETS: &str = "poddisruptionbudgets";
const VIOLATES: &str = "Cannot evict pod as it would violate the pod's disruption budget.";
const SEVERAL: &str =
    "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
/// Who is written down as the owner of a budget's counts.
const MANAGER: &str = "kube-apiserver";
/// Evictions of one budget that its controller has not seen yet (upstream's 2000).
const DISRUPTED_PODS_MAX: usize = 2000;
/// When a client may ask again while a budget is not up to date (upstream's 10 s).
const RETRY_SECONDS: u32 = 10;

/// How a Pod may go.
enum Way {
    /// As the client asked.
    Free,
    /// Only in the state that was looked at.
    AsSeen,
    /// Unready, and so of no account, as long as it stays so.
    Unready(String),
    /// At the cost of one disruption.
    Costs(Value),
}

impl Registry {
    /// Deletes a Pod if its budget has room for that.
    pub(crate) async fn evict(
        &self,
        writing: &mut Writing<'_>,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<(), ApiError> {
        let key = key(writing.kind, namespace, name);
        for _ in 0..limits::CONFLICT_RETRIES_MAX {
            let Some((pod, revision)) = self.load(&key).await? else {
                return Err(ApiError::not_found("", "pods", name));
            };
            check_preconditions(writing, name, options, &pod, revision)?;
            let (way, mut options) = (self.way(namespace, &pod).await?, options.clone());
            match &way {
                Way::Free => {}
                Way::Costs(budget) => self.spend(writing, budget, name).await?,
                Way::AsSeen | Way::Unready(_) => options.revision = Some(revision.to_string()),
            }
            match (self.delete(writing, namespace, name, &options).await, way) {
                (Err(error), Way::AsSeen) if error.reason == "Conflict" => {}
                (Err(error), Way::Unready(budget)) if error.reason == "Conflict" => return Err(not_ready(&budget)),
                (done, _) => return done.map(drop),
            }
        }
        Err(ApiError::modified("", "pods", name))
    }

    async fn way(&self, namespace: &str, pod: &Value) -> Result<Way, ApiError> {
        let phase = pod["status"]["phase"].as_str().unwrap_or_default();
        if matches!(phase, "Succeeded" | "Failed") || meta::is_deleting(pod) {
            return Ok(Way::Free);
        }
        if phase == "Pending" {
            return Ok(Way::AsSeen);
        }
        let mut budgets = self.budgets(namespace, pod).await?;
        let Some(budget) = budgets.pop() else { return Ok(Way::Free) };
        if !budgets.is_empty() {
            return Err(ApiError::new(500, "", SEVERAL));
        }
        if !is_ready(pod) {
            let always = budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow";
            let (healthy, desired) = (count(&budget, "currentHealthy"), count(&budget, "desiredHealthy"));
            if always || (healthy >= desired && desired > 0) {
                return Ok(Way::Unready(meta::name(&budget).to_owned()));
            }
        }
        Ok(Way::Costs(budget))
    }

    /// The budgets that count a Pod.
    async fn budgets(&self, namespace: &str, pod: &Value) -> Result<Vec<Value>, ApiError> {
        if pod["metadata"]["labels"].as_object().is_none_or(serde_json::Map::is_empty) {
            return Ok(Vec::new());
        }
        self.caches.fresh().await?;
        let mut found = Vec::new();
        for bytes in self.caches.list(GROUP, BUDGETS, Some(namespace)) {
            let budget: Value = serde_json::from_slice(&bytes).map_err(ApiError::internal)?;
            let selector = &budget["spec"]["selector"];
            if !selector.is_null() && LabelSelector::from_object(selector)?.matches_object(pod) {
                found.push(budget);
            }
        }
        Ok(found)
    }

    /// Takes one disruption from a budget.
    async fn spend(&self, writing: &Writing<'_>, budget: &Value, pod: &str) -> Result<(), ApiError> {
        let catalog = self.caches.catalog();
        let kind = catalog.resource(GROUP, "v1", BUDGETS);
        let kind = kind.ok_or_else(|| ApiError::internal("PodDisruptionBudgets are not served"))?;
        let (namespace, name) = (meta::namespace(budget), meta::name(budget));
        let what = Attributes {
            verb: "update".into(),
            group: GROUP.into(),
            version: "v1".into(),
            resource: BUDGETS.into(),
            subresource: "status".into(),
            namespace: namespace.into(),
            name: name.into(),
            ..Attributes::default()
        };
        let mut own = Writing {
            kind,
            who: writing.who,
            what: &what,
            dry_run: writing.dry_run,
            validation: writing.validation,
            manager: MANAGER.into(),
            applied: false,
            warnings: Vec::new(),
        };
        let now = timestamp(self.now());
        let mut make = |budget: &Value| spent(budget, pod, &now);
        let change = Change { namespace, name, part: Part::Raw, make: &mut make, duplicates: Vec::new() };
        match self.change(&mut own, change).await {
            Err(error) if error.reason == "Conflict" => {
                Err(ApiError::timeout(format!("couldn't update PodDisruptionBudget {name:?} due to conflicts")))
            }
            done => done.map(drop),
        }
    }
}

/// The budget after one more disruption.
fn spent(budget: &Value, pod: &str, now: &str) -> Result<Value, ApiError> {
    let name = meta::name(budget);
    let generation = budget["metadata"]["generation"].as_i64().unwrap_or(0);
    if count(budget, "observedGeneration") < generation {
        return Err(not_ready(name));
    }
    let forbidden = |why: &str| Err(ApiError::forbidden(GROUP, "poddisruptionbudget", name, why));
    let disrupted = budget["status"]["disruptedPods"].as_object().map_or(0, serde_json::Map::len);
    let allowed = count(budget, "disruptionsAllowed");
    if allowed < 0 {
        return forbidden("pdb disruptions allowed is negative");
    }
    if disrupted > DISRUPTED_PODS_MAX {
        return forbidden("DisruptedPods map too big - too many evictions not confirmed by PDB controller");
    }
    if allowed == 0 {
        let mut error = ApiError::new(429, "TooManyRequests", VIOLATES);
        error.causes.push(cause(why_none(budget)));
        return Err(error);
    }
    let mut budget = budget.clone();
    super::remove_meta(&mut budget, "resourceVersion");
    let status = &mut budget["status"];
    status["disruptionsAllowed"] = json!(allowed - 1);
    if !status["disruptedPods"].is_object() {
        status["disruptedPods"] = json!({});
    }
    status["disruptedPods"][pod] = json!(now);
    if allowed == 1 {
        set_insufficient(status, now);
    }
    Ok(budget)
}

fn set_insufficient(status: &mut Value, now: &str) {
    if !status["conditions"].is_array() {
        status["conditions"] = json!([]);
    }
    let mut new = json!({
        "type": "DisruptionAllowed", "status": "False", "reason": "InsufficientPods", "message": "",
        "lastTransitionTime": now,
    });
    if let Some(observed) = status["observedGeneration"].as_i64() {
        new["observedGeneration"] = json!(observed);
    }
    let Some(conditions) = status["conditions"].as_array_mut() else { return };
    match conditions.iter_mut().find(|condition| condition["type"] == new["type"]) {
        Some(condition) => {
            if condition["status"] == new["status"] {
                new["lastTransitionTime"] = condition["lastTransitionTime"].clone();
            }
            *condition = new;
        }
        None => conditions.push(new),
    }
}

/// Why a budget allows nothing.
fn why_none(budget: &Value) -> String {
    let name = meta::name(budget);
    let conditions = budget["status"]["conditions"].as_array().into_iter().flatten();
    let allowed = conditions.filter(|condition| condition["type"] == "DisruptionAllowed");
    let failed =
        allowed.into_iter().find(|condition| condition["status"] == "False" && condition["reason"] == "SyncFailed");
    let (healthy, desired) = (count(budget, "currentHealthy"), count(budget, "desiredHealthy"));
    match failed {
        Some(condition) => {
            let text = condition["message"].as_str().unwrap_or_default();
            format!(
                "The disruption budget {name} does not allow evicting pods currently because it failed sync: {text}"
            )
        }
        None if healthy <= desired => {
            format!("The disruption budget {name} needs {desired} healthy pods and has {healthy} currently")
        }
        None => format!("The disruption budget {name} does not allow evicting pods currently"),
    }
}

/// 429 while a budget's controller has not seen all.
fn not_ready(budget: &str) -> ApiError {
    let mut error = ApiError::too_many_requests(VIOLATES, RETRY_SECONDS);
    error.causes.push(cause(format!("The disruption budget {budget} is still being processed by the server.")));
    error
}

fn cause(message: String) -> Cause {
    Cause { reason: "DisruptionBudget".into(), message, field: String::new() }
}

fn count(budget: &Value, field: &str) -> i64 {
    budget["status"][field].as_i64().unwrap_or(0)
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}
