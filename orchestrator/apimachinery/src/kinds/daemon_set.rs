//! DaemonSet.

use super::checks::not_negative;
use super::fields::{default, default_text, object_or_new, text};
use super::metadata::immutable;
use super::replica_set::{changed_template_warnings, runs_for_ever, template_warnings};
use super::{
    AGE, CONTAINERS, IMAGES, NAME, SELECTOR, cells, columns, int_or_percent, namespaced, pod_spec, selector, state,
    status, texts,
};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use serde_json::{Value, json};

/// The row of DaemonSet.
pub fn kind() -> Kind {
    Kind {
        short_names: texts(&["ds"]),
        categories: texts(&["all"]),
        subresources: vec![status()],
        columns: columns(&[
            NAME,
            ("Desired", "integer", 0, "Nodes that should run a Pod of it."),
            ("Current", "integer", 0, "Nodes that run one, and should."),
            ("Ready", "integer", 0, "Nodes whose Pod is ready."),
            ("Up-to-date", "integer", 0, "Nodes whose Pod is of the latest template."),
            ("Available", "integer", 0, "Nodes whose Pod has been ready for long enough."),
            ("Node Selector", "string", 0, "The labels of nodes that should run one."),
            AGE,
            CONTAINERS,
            IMAGES,
            SELECTOR,
        ]),
        strategy: strategy(),
        ..namespaced("apps", "DaemonSet", "daemonsets")
    }
}

/// Where the number of templates so far is told; a field until apps/v1.
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

fn strategy() -> Strategy {
    Strategy {
        default: fill,
        prepare_create: |object| {
            state::create(object);
            let zeros = ["currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady"];
            object["status"] = zeros.into_iter().map(|field| (field.to_owned(), json!(0))).collect();
            set_template_generation(object, 1);
        },
        prepare_update,
        prepare_status_update: state::update_status,
        validate,
        validate_update: |object, old, errors| {
            let path = Path::new("spec").child("selector");
            immutable(&object["spec"]["selector"], &old["spec"]["selector"], &path, errors);
        },
        warnings: template_warnings,
        update_warnings: Some(changed_template_warnings),
        cells: row,
        ..Strategy::default()
    }
}

fn set_template_generation(object: &mut Value, generation: i64) {
    let annotations = object_or_new(&mut object["metadata"], "annotations");
    annotations[TEMPLATE_GENERATION] = generation.to_string().into();
}

fn prepare_update(object: &mut Value, old: &Value) {
    state::update(object, old);
    let before = text(&old["metadata"]["annotations"], TEMPLATE_GENERATION).parse::<i64>().unwrap_or(0);
    let changed = object["spec"]["template"] != old["spec"]["template"];
    if before > 0 || changed {
        set_template_generation(object, before + i64::from(changed));
    }
}

fn fill(object: &mut Value) {
    pod_spec::default_template(object);
    let spec = object_or_new(object, "spec");
    default(spec, "revisionHistoryLimit", 10);
    let strategy = object_or_new(spec, "updateStrategy");
    default_text(strategy, "type", "RollingUpdate");
    if text(strategy, "type") == "RollingUpdate" {
        let update = object_or_new(strategy, "rollingUpdate");
        default(update, "maxUnavailable", 1);
        default(update, "maxSurge", 0);
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    let (spec, path) = (&object["spec"], Path::new("spec"));
    selector::validate_with_template(spec, "daemonset", &path, errors);
    let at = path.child("template");
    pod_spec::validate_template(&spec["template"], &at, errors);
    runs_for_ever(&spec["template"], "DaemonSet", &at, errors);
    not_negative(spec, &["minReadySeconds", "revisionHistoryLimit"], &path, errors);
    let (strategy, at) = (&spec["updateStrategy"], path.child("updateStrategy"));
    match text(strategy, "type") {
        "RollingUpdate" => validate_rolling_update(&strategy["rollingUpdate"], &at.child("rollingUpdate"), errors),
        "OnDelete" => {}
        other => errors.not_supported(&at.child("type"), other, &["OnDelete", "RollingUpdate"]),
    }
    let counts = [
        "currentNumberScheduled",
        "numberMisscheduled",
        "desiredNumberScheduled",
        "numberReady",
        "observedGeneration",
        "updatedNumberScheduled",
        "numberAvailable",
        "numberUnavailable",
        "collisionCount",
    ];
    not_negative(&object["status"], &counts, &Path::new("status"), errors);
}

fn validate_rolling_update(update: &Value, path: &Path, errors: &mut Errors) {
    let (unavailable, surge) = (&update["maxUnavailable"], &update["maxSurge"]);
    let (unavailable_at, surge_at) = (path.child("maxUnavailable"), path.child("maxSurge"));
    int_or_percent::validate(unavailable, &unavailable_at, errors);
    int_or_percent::validate(surge, &surge_at, errors);
    int_or_percent::at_most_all(unavailable, &unavailable_at, errors);
    int_or_percent::at_most_all(surge, &surge_at, errors);
    let is_set = |amount: &Value| int_or_percent::number(amount) != Some(0);
    match (is_set(unavailable), is_set(surge)) {
        (true, true) => errors.invalid(&surge_at, surge, "may not be set when maxUnavailable is non-zero"),
        (false, false) => errors.required(&unavailable_at, "cannot be 0 when maxSurge is 0"),
        _ => {}
    }
}

fn row(object: &Value, now: i64) -> Vec<Value> {
    let status = &object["status"];
    let mut row = vec![
        cells::name(object),
        cells::number(&status["desiredNumberScheduled"]),
        cells::number(&status["currentNumberScheduled"]),
        cells::number(&status["numberReady"]),
        cells::number(&status["updatedNumberScheduled"]),
        cells::number(&status["numberAvailable"]),
        cells::labels(&object["spec"]["template"]["spec"], "nodeSelector").into(),
        cells::age(object, now),
    ];
    row.extend(cells::template(object));
    row
}

#[cfg(test)]
mod tests;
