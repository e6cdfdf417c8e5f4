//! Rules of a Job's status: what its conditions and counts may say together, and how they may change.

use super::rules::count_indexes;
use crate::field::{Errors, Path};
use crate::kinds::cells::{condition_is_true as is, seconds};
use crate::kinds::checks::not_negative;
use crate::kinds::fields::{indexed, int, is_true, list, text};
use serde_json::Value;
use std::collections::BTreeSet;

/// Checks a change of the status. Arguments: new, old.
pub(super) fn validate(object: &Value, old: &Value, errors: &mut Errors) {
    if object["status"] == old["status"] {
        return;
    }
    // What was wrong already may stay, as upstream.
    let mut known = Errors::default();
    consistent(old, &mut known);
    let mut found = Errors::default();
    consistent(object, &mut found);
    errors.0.extend(found.0.into_iter().filter(|error| !known.0.contains(error)));
    transitions(object, old, errors);
}

fn consistent(job: &Value, errors: &mut Errors) {
    let (status, path) = (&job["status"], Path::new("status"));
    not_negative(status, &["active", "succeeded", "failed", "ready", "terminating"], &path, errors);
    uncounted(status, &path.child("uncountedTerminatedPods"), errors);
    times(job, &path, errors);
    let (complete, failed) = (is(job, "Complete"), is(job, "Failed"));
    let (met, target) = (is(job, "SuccessCriteriaMet"), is(job, "FailureTarget"));
    for (wrong, what) in [
        (complete && failed, "cannot set Complete=True and Failed=true conditions"),
        (complete && target, "cannot set Complete=True and FailureTarget=true conditions"),
        (failed && !target, "cannot set Failed=True condition without the FailureTarget=true condition"),
        (complete && !met, "cannot set Complete=True condition without the SuccessCriteriaMet=true condition"),
        (met && failed, "cannot set SuccessCriteriaMet=True and Failed=true conditions"),
        (met && target, "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"),
    ] {
        if wrong {
            errors.invalid_whole(&path.child("conditions"), what);
        }
    }
    let count = |field: &str| int(status, field).unwrap_or(0);
    if complete || failed {
        for field in ["active", "terminating"] {
            if count(field) > 0 {
                let wrong = format!("{field}>0 is invalid for finished job");
                errors.invalid(&path.child(field), count(field), &wrong);
            }
        }
        if status["startTime"].is_null() {
            errors.required(&path.child("startTime"), "startTime is required for finished job");
        }
        let pods = &status["uncountedTerminatedPods"];
        if ["succeeded", "failed"].iter().any(|field| !list(pods, field).is_empty()) {
            let wrong = "uncountedTerminatedPods needs to be empty for finished job";
            errors.invalid(&path.child("uncountedTerminatedPods"), pods, wrong);
        }
    }
    if count("ready") > count("active") {
        errors.invalid(&path.child("ready"), count("ready"), "cannot set more ready pods than active");
    }
    indexes(job, &path, errors);
}

fn uncounted(status: &Value, path: &Path, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for field in ["succeeded", "failed"] {
        for (index, uid) in indexed(&status["uncountedTerminatedPods"], field) {
            let (uid, at) = (uid.as_str().unwrap_or(""), path.child(field).index(index));
            if uid.is_empty() {
                errors.invalid(&at, uid, "must not be empty");
            } else if !seen.insert(uid) {
                errors.duplicate(&at, uid);
            }
        }
    }
}

fn times(job: &Value, path: &Path, errors: &mut Errors) {
    let (end, at) = (&job["status"]["completionTime"], path.child("completionTime"));
    match (end.is_null(), is(job, "Complete")) {
        (true, true) => errors.required(&at, "completionTime is required for Complete jobs"),
        (false, false) => {
            errors.invalid(&at, end, "cannot set completionTime when there is no Complete=True condition");
        }
        _ => {}
    }
    if let (Some(start), Some(last)) = (seconds(&job["status"]["startTime"]), seconds(end))
        && last < start
    {
        errors.invalid(&at, end, "completionTime cannot be set before startTime");
    }
}

fn indexes(job: &Value, path: &Path, errors: &mut Errors) {
    let (spec, status) = (&job["spec"], &job["status"]);
    let (completed, at) = (text(status, "completedIndexes"), path.child("completedIndexes"));
    let completions = int(spec, "completions");
    if !completed.is_empty() && text(spec, "completionMode") != "Indexed" {
        let wrong = "cannot set non-empty completedIndexes when non-indexed completion mode";
        errors.invalid(&at, completed, wrong);
    } else if let Some(Err(wrong)) = completions.map(|most| count_indexes(completed, most)) {
        errors.invalid(&at, completed, &format!("error parsing completedIndexes: {wrong}"));
    }
    let Some(failed) = status["failedIndexes"].as_str() else { return };
    let at = path.child("failedIndexes");
    if spec["backoffLimitPerIndex"].is_null() {
        let wrong = "cannot set non-null failedIndexes when backoffLimitPerIndex is null";
        errors.invalid(&at, failed, wrong);
    } else if let Some(Err(wrong)) = completions.map(|most| count_indexes(failed, most)) {
        errors.invalid(&at, failed, &format!("error parsing failedIndexes: {wrong}"));
    } else if let Some(index) = overlap(completed, failed) {
        errors.invalid(&at, failed, &format!("failedIndexes and completedIndexes overlap at index: {index}"));
    }
}

/// The intervals of a text such as `1,3-5`, first and last index of each.
fn ranges(indexes: &str) -> impl Iterator<Item = (i64, i64)> {
    indexes.split(',').filter_map(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some((first.parse().ok()?, last.parse().ok()?))
    })
}

/// The first index that stands in both texts, whose intervals ascend.
fn overlap(completed: &str, failed: &str) -> Option<i64> {
    let (mut completed, mut failed) = (ranges(completed).peekable(), ranges(failed).peekable());
    while let (Some(one), Some(other)) = (completed.peek().copied(), failed.peek().copied()) {
        if one.0 <= other.1 && other.0 <= one.1 {
            return Some(one.0.max(other.0));
        }
        if one.1 < other.1 {
            completed.next()
        } else {
            failed.next()
        };
    }
    None
}

fn transitions(object: &Value, old: &Value, errors: &mut Errors) {
    let (new, before, path) = (&object["status"], &old["status"], Path::new("status"));
    for condition in ["Failed", "Complete", "FailureTarget"] {
        if is(old, condition) && !is(object, condition) {
            let wrong = format!("cannot disable the terminal {condition}=True condition");
            errors.invalid_whole(&path.child("conditions"), &wrong);
        }
    }
    let met = "SuccessCriteriaMet";
    if is(old, met) && !is(object, met) {
        errors.invalid_whole(&path.child("conditions"), "cannot disable the SuccessCriteriaMet=True condition");
    }
    if is(old, "Complete") && !is(old, met) && is(object, met) {
        let wrong = "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions";
        errors.invalid_whole(&path.child("conditions"), wrong);
    }
    for field in ["failed", "succeeded"] {
        let (after, was) = (int(new, field).unwrap_or(0), int(before, field).unwrap_or(0));
        if after < was {
            errors.invalid(&path.child(field), after, &format!("cannot decrease the {field} counter"));
        }
    }
    let changed = |field: &str| !before[field].is_null() && new[field] != before[field];
    if !new["completionTime"].is_null() && changed("completionTime") {
        errors.invalid(&path.child("completionTime"), &new["completionTime"], "completionTime cannot be mutated");
    }
    if changed("startTime") && !is_true(&object["spec"], "suspend") {
        errors.required(&path.child("startTime"), "startTime cannot be removed for unsuspended job");
    }
}
