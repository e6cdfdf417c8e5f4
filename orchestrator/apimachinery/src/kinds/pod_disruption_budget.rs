//! PodDisruptionBudget.

use super::checks::not_negative;
use super::fields::int;
use super::{AGE, NAME, cells, columns, int_or_percent, namespaced, selector, state, status, texts};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use serde_json::{Value, json};

/// The row of PodDisruptionBudget.
pub fn kind() -> Kind {
    Kind {
        short_names: texts(&["pdb"]),
        subresources: vec![status()],
        columns: columns(&[
            NAME,
            ("Min Available", "string", 0, "Pods that have to stay."),
            ("Max Unavailable", "string", 0, "Pods that may be missing."),
            ("Allowed Disruptions", "integer", 0, "Pods that may be evicted now."),
            AGE,
        ]),
        strategy: Strategy {
            prepare_create: |object| {
                state::create(object);
                let zeros = ["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"];
                object["status"] = zeros.into_iter().map(|field| (field.to_owned(), json!(0))).collect();
            },
            validate,
            cells: row,
            ..state::counted()
        },
        ..namespaced("policy", "PodDisruptionBudget", "poddisruptionbudgets")
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    let (spec, path) = (&object["spec"], Path::new("spec"));
    let both = ["minAvailable", "maxUnavailable"];
    if both.iter().all(|field| !spec[*field].is_null()) {
        errors.invalid(&path, spec, "minAvailable and maxUnavailable cannot be both set");
    }
    for field in both.into_iter().filter(|field| !spec[*field].is_null()) {
        int_or_percent::validate(&spec[field], &path.child(field), errors);
        int_or_percent::at_most_all(&spec[field], &path.child(field), errors);
    }
    selector::validate(&spec["selector"], &path.child("selector"), errors);
    if let Some(policy) = spec["unhealthyPodEvictionPolicy"].as_str()
        && !["IfHealthyBudget", "AlwaysAllow"].contains(&policy)
    {
        let at = path.child("unhealthyPodEvictionPolicy");
        errors.not_supported(&at, policy, &["AlwaysAllow", "IfHealthyBudget"]);
    }
    let counts = ["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"];
    not_negative(&object["status"], &counts, &Path::new("status"), errors);
}

fn row(object: &Value, now: i64) -> Vec<Value> {
    let amount = |field: &str| match &object["spec"][field] {
        Value::String(share) => share.clone(),
        Value::Number(number) => number.to_string(),
        _ => "N/A".to_owned(),
    };
    vec![
        cells::name(object),
        amount("minAvailable").into(),
        amount("maxUnavailable").into(),
        int(&object["status"], "disruptionsAllowed").unwrap_or(0).into(),
        cells::age(object, now),
    ]
}

#[cfg(test)]
mod tests;
