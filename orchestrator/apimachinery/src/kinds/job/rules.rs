//! Rules of a Job's spec, for Jobs and for the templates of CronJobs.

use crate::field::{Errors, Path};
use crate::kinds::checks::{not_negative, too_many};
use crate::kinds::fields::{indexed, int, list, text};
use crate::kinds::{names, pod_spec};
use serde_json::Value;
use std::collections::BTreeSet;

/// Pods that an indexed Job may run at once, and indexes of it that may fail.
const INDEXED_MAX: i64 = 100_000;
/// Pods at once, and indexes that may fail, when there are more completions than that.
const HIGH_COMPLETIONS_MAX: i64 = 10_000;
const RULES_MAX: usize = 20;
const EXIT_CODES_MAX: usize = 255;
const PATTERNS_MAX: usize = 20;
const SUCCEEDED_INDEXES_BYTES_MAX: usize = 64 * 1024;
const MANAGED_BY_BYTES_MAX: usize = 63;
const ACTIONS: [&str; 4] = ["Count", "FailIndex", "FailJob", "Ignore"];
const OPERATORS: [&str; 2] = ["In", "NotIn"];
const STATUSES: [&str; 3] = ["False", "True", "Unknown"];

/// Checks everything of a JobSpec but its selector.
pub(in crate::kinds) fn validate_spec(spec: &Value, path: &Path, errors: &mut Errors) {
    let numbers = [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    ];
    not_negative(spec, &numbers, path, errors);
    if !spec["maxFailedIndexes"].is_null() && spec["backoffLimitPerIndex"].is_null() {
        errors.required(&path.child("backoffLimitPerIndex"), "when maxFailedIndexes is specified");
    }
    if let Some(manager) = spec["managedBy"].as_str() {
        validate_manager(manager, &path.child("managedBy"), errors);
    }
    validate_completion(spec, path, errors);
    if !spec["podFailurePolicy"].is_null() {
        validate_failure_policy(spec, &path.child("podFailurePolicy").child("rules"), errors);
    }
    validate_success_policy(spec, &path.child("successPolicy"), errors);
    let replacement = text(spec, "podReplacementPolicy");
    let supported =
        if spec["podFailurePolicy"].is_null() { &["Failed", "TerminatingOrFailed"][..] } else { &["Failed"] };
    if !replacement.is_empty() && !supported.contains(&replacement) {
        errors.not_supported(&path.child("podReplacementPolicy"), replacement, supported);
    }
    let (template, at) = (&spec["template"], path.child("template"));
    pod_spec::validate_template(template, &at, errors);
    let at = at.child("spec").child("restartPolicy");
    match text(&template["spec"], "restartPolicy") {
        "Always" | "" => errors.required(&at, "valid values: \"OnFailure\", \"Never\""),
        "OnFailure" if !spec["podFailurePolicy"].is_null() => {
            errors.invalid(&at, "OnFailure", "only \"Never\" is supported when podFailurePolicy is specified");
        }
        "OnFailure" | "Never" => {}
        other => errors.not_supported(&at, other, &["OnFailure", "Never"]),
    }
}

fn validate_manager(manager: &str, path: &Path, errors: &mut Errors) {
    match manager.split_once('/') {
        _ if manager.is_empty() => errors.required(path, ""),
        Some((domain, rest)) if !domain.is_empty() && !rest.is_empty() => {
            for wrong in names::dns_subdomain(domain) {
                errors.invalid(path, domain, &wrong);
            }
            let fits = |b: u8| b.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:".contains(&b);
            if !rest.bytes().all(fits) {
                errors.invalid(
                    path,
                    rest,
                    "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')",
                );
            }
        }
        _ => errors.invalid(path, manager, "must be a domain-prefixed path (such as \"acme.io/foo\")"),
    }
    if manager.len() > MANAGED_BY_BYTES_MAX {
        errors.too_long(path, MANAGED_BY_BYTES_MAX);
    }
}

fn validate_completion(spec: &Value, path: &Path, errors: &mut Errors) {
    match text(spec, "completionMode") {
        "" | "NonIndexed" => {
            for field in ["backoffLimitPerIndex", "maxFailedIndexes"] {
                if !spec[field].is_null() {
                    errors.invalid(&path.child(field), &spec[field], "requires indexed completion mode");
                }
            }
        }
        "Indexed" => validate_indexed(spec, path, errors),
        other => errors.not_supported(&path.child("completionMode"), other, &["Indexed", "NonIndexed"]),
    }
}

fn validate_indexed(spec: &Value, path: &Path, errors: &mut Errors) {
    let (completions, failed) = (int(spec, "completions"), int(spec, "maxFailedIndexes"));
    let parallelism = int(spec, "parallelism").unwrap_or(0);
    let (parallelism_at, failed_at) = (path.child("parallelism"), path.child("maxFailedIndexes"));
    if completions.is_none() {
        errors.required(&path.child("completions"), "when completion mode is Indexed");
    }
    if parallelism > INDEXED_MAX {
        let wrong = format!("must be less than or equal to {INDEXED_MAX} when completion mode is Indexed");
        errors.invalid(&parallelism_at, parallelism, &wrong);
    }
    if let (Some(failed), Some(completions)) = (failed, completions)
        && failed > completions
    {
        errors.invalid(&failed_at, failed, "must be less than or equal to completions");
    }
    if let Some(failed) = failed.filter(|failed| *failed > INDEXED_MAX) {
        errors.invalid(&failed_at, failed, &format!("must be less than or equal to {INDEXED_MAX}"));
    }
    if completions.is_none_or(|completions| completions <= INDEXED_MAX) || spec["backoffLimitPerIndex"].is_null() {
        return;
    }
    if failed.is_none() {
        let wrong = format!("must be specified when completions is above {INDEXED_MAX}");
        errors.required(&failed_at, &wrong);
    }
    let wrong = format!(
        "must be less than or equal to {HIGH_COMPLETIONS_MAX} when completions are above {INDEXED_MAX} and used with \
         backoff limit per index"
    );
    if parallelism > HIGH_COMPLETIONS_MAX {
        errors.invalid(&parallelism_at, parallelism, &wrong);
    }
    if let Some(failed) = failed.filter(|failed| *failed > HIGH_COMPLETIONS_MAX) {
        errors.invalid(&failed_at, failed, &wrong);
    }
}

/// `valid values: ["a" "b"]`
fn valid_values(values: &[&str]) -> String {
    let values: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
    format!("valid values: [{}]", values.join(" "))
}

fn one_of(value: &Value, field: &str, supported: &[&str], path: &Path, errors: &mut Errors) {
    match text(value, field) {
        "" => errors.required(&path.child(field), &valid_values(supported)),
        other if supported.contains(&other) => {}
        other => errors.not_supported(&path.child(field), other, supported),
    }
}

fn validate_failure_policy(spec: &Value, path: &Path, errors: &mut Errors) {
    let pod = &spec["template"]["spec"];
    let containers = list(pod, "containers").iter().chain(list(pod, "initContainers"));
    let containers: BTreeSet<&str> = containers.map(|container| text(container, "name")).collect();
    too_many(path, list(&spec["podFailurePolicy"], "rules").len(), RULES_MAX, errors);
    for (index, rule) in indexed(&spec["podFailurePolicy"], "rules") {
        let path = path.index(index);
        one_of(rule, "action", &ACTIONS, &path, errors);
        if text(rule, "action") == "FailIndex" && spec["backoffLimitPerIndex"].is_null() {
            let wrong = "requires the backoffLimitPerIndex to be set";
            errors.invalid(&path.child("action"), "FailIndex", wrong);
        }
        let (codes, patterns) = (&rule["onExitCodes"], list(rule, "onPodConditions"));
        if !codes.is_null() {
            validate_exit_codes(codes, &containers, &path.child("onExitCodes"), errors);
        }
        let at = path.child("onPodConditions");
        too_many(&at, patterns.len(), PATTERNS_MAX, errors);
        for (index, pattern) in patterns.iter().enumerate() {
            for wrong in names::qualified(text(pattern, "type")) {
                errors.invalid(&at.index(index).child("type"), text(pattern, "type"), &wrong);
            }
            one_of(pattern, "status", &STATUSES, &at.index(index), errors);
        }
        match (codes.is_null(), patterns.is_empty()) {
            (false, false) => {
                let wrong = "specifying both OnExitCodes and OnPodConditions is not supported";
                errors.invalid_whole(&path, wrong);
            }
            (true, true) => {
                let wrong = "specifying one of OnExitCodes and OnPodConditions is required";
                errors.invalid_whole(&path, wrong);
            }
            _ => {}
        }
    }
}

fn validate_exit_codes(codes: &Value, containers: &BTreeSet<&str>, path: &Path, errors: &mut Errors) {
    one_of(codes, "operator", &OPERATORS, path, errors);
    if let Some(name) = codes["containerName"].as_str().filter(|name| !containers.contains(name)) {
        let wrong = "must be one of the container or initContainer names in the pod template";
        errors.invalid(&path.child("containerName"), name, wrong);
    }
    let (values, at) = (list(codes, "values"), path.child("values"));
    if values.is_empty() {
        errors.invalid(&at, values, "at least one value is required");
    }
    too_many(&at, values.len(), EXIT_CODES_MAX, errors);
    let numbers: Vec<i64> = values.iter().map(|value| value.as_i64().unwrap_or(0)).collect();
    let mut seen = BTreeSet::new();
    for (index, number) in numbers.iter().enumerate() {
        if *number == 0 && text(codes, "operator") == "In" {
            errors.invalid(&at.index(index), number, "must not be 0 for the In operator");
        }
        if !seen.insert(number) {
            errors.duplicate(&at.index(index), number);
        }
    }
    if !numbers.is_sorted() {
        errors.invalid(&at, values, "must be ordered");
    }
}

fn validate_success_policy(spec: &Value, path: &Path, errors: &mut Errors) {
    let policy = &spec["successPolicy"];
    if policy.is_null() {
        return;
    }
    if text(spec, "completionMode") != "Indexed" {
        errors.invalid(path, policy, "requires indexed completion mode");
        return;
    }
    let (rules, path) = (list(policy, "rules"), path.child("rules"));
    if rules.is_empty() {
        errors.required(&path, "at least one rules must be specified when the successPolicy is specified");
    }
    too_many(&path, rules.len(), RULES_MAX, errors);
    let completions = int(spec, "completions").unwrap_or(0);
    for (index, rule) in rules.iter().enumerate() {
        validate_success_rule(rule, completions, &path.index(index), errors);
    }
}

fn validate_success_rule(rule: &Value, completions: i64, path: &Path, errors: &mut Errors) {
    let (count, indexes) = (int(rule, "succeededCount"), rule["succeededIndexes"].as_str());
    if count.is_none() && indexes.is_none() {
        errors.required(path, "at least one of succeededCount or succeededIndexes must be specified");
    }
    let mut total = 0;
    if let Some(indexes) = indexes {
        let at = path.child("succeededIndexes");
        if indexes.len() > SUCCEEDED_INDEXES_BYTES_MAX {
            errors.too_long(&at, SUCCEEDED_INDEXES_BYTES_MAX);
        }
        match count_indexes(indexes, completions) {
            Ok(count) => total = count,
            Err(wrong) => errors.invalid(&at, indexes, &format!("error parsing succeededIndexes: {wrong}")),
        }
    }
    let Some(count) = count else { return };
    let at = path.child("succeededCount");
    not_negative(rule, &["succeededCount"], path, errors);
    if count > completions {
        let wrong = format!("must be less than or equal to {completions} (the number of specified completions)");
        errors.invalid(&at, count, &wrong);
    }
    if indexes.is_some() && count > total {
        let wrong = format!(
            "must be less than or equal to {total} (the number of indexes in the specified succeededIndexes field)"
        );
        errors.invalid(&at, count, &wrong);
    }
}

/// The number of indexes in a text such as `1,3-5,7`.
pub(super) fn count_indexes(indexes: &str, completions: i64) -> Result<i64, String> {
    let number = |text: &str| {
        let number =
            text.parse::<i64>().map_err(|_| format!("cannot convert string to integer for index: {text:?}"))?;
        if number >= completions { Err(format!("too large index: {text:?}")) } else { Ok(number) }
    };
    let order = |before: i64, after: i64| format!("non-increasing order, previous: {before}, current: {after}");
    let (mut last, mut total) = (None, 0);
    for interval in indexes.split(',').filter(|_| !indexes.is_empty()) {
        let ends: Vec<&str> = interval.split('-').collect();
        let (first, end) = match ends.as_slice() {
            [only] => (number(only)?, number(only)?),
            [first, end] => match (number(first)?, number(end)?) {
                (first, end) if first >= end => return Err(order(first, end)),
                both => both,
            },
            _ => {
                return Err(format!(
                    "the fragment {interval:?} violates the requirement that an index interval can have at most two \
                     parts separated by '-'"
                ));
            }
        };
        if let Some(last) = last.filter(|last| *last >= first) {
            return Err(order(last, first));
        }
        last = Some(end);
        total += end - first + 1;
    }
    Ok(total)
}
