//! PriorityLevelConfiguration: how many requests of a level run at once.

use super::fields::{default, int, object_mut, object_or_new, text};
use super::flow_schema::{GROUP, validate_status};
use super::{AGE, NAME, cells, cluster, columns, state, status};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use serde_json::{Value, json};

/// The row of PriorityLevelConfiguration.
pub fn kind() -> Kind {
    Kind {
        subresources: vec![status()],
        columns: columns(&[
            NAME,
            ("Type", "string", 0, "Whether its requests are limited."),
            ("NominalConcurrencyShares", "string", 0, "Its part of the server's concurrency."),
            ("Queues", "string", 0, "How many queues it has."),
            ("HandSize", "string", 0, "Over how many queues a flow is spread."),
            ("QueueLengthLimit", "string", 0, "How many requests wait in a queue."),
            AGE,
        ]),
        strategy: Strategy { default: fill, validate, cells: row, ..state::counted() },
        ..cluster(GROUP, "PriorityLevelConfiguration", "prioritylevelconfigurations")
    }
}

const SHARES: i64 = 30;
/// Fields of the queues, their defaults.
const QUEUING: [(&str, i64); 3] = [("handSize", 8), ("queues", 64), ("queueLengthLimit", 50)];
const QUEUES_MAX: i64 = 10_000_000;
/// Bits of a flow's hash that choose its hand.
const HASH_BITS_MAX: u32 = 60;
const NOT_NEGATIVE: &str = "must be a non-negative integer";

fn fill(object: &mut Value) {
    let spec = object_or_new(object, "spec");
    for (type_, shares) in [("exempt", 0), ("limited", SHARES)] {
        if let Some(level) = object_mut(spec, type_) {
            default(level, "nominalConcurrencyShares", shares);
            default(level, "lendablePercent", 0);
        }
    }
    let response = object_mut(spec, "limited").and_then(|limited| object_mut(limited, "limitResponse"));
    if let Some(queuing) = response.and_then(|response| object_mut(response, "queuing")) {
        for (field, value) in QUEUING {
            if int(queuing, field).unwrap_or(0) == 0 {
                queuing[field] = value.into();
            }
        }
    }
}

/// The spec that one of the levels has which the server cannot do without.
pub fn mandatory_spec(name: &str) -> Option<Value> {
    match name {
        "exempt" => Some(json!({"type": "Exempt", "exempt": {"nominalConcurrencyShares": 0, "lendablePercent": 0}})),
        "catch-all" => Some(json!({"type": "Limited", "limited": {
            "nominalConcurrencyShares": 5, "lendablePercent": 0, "limitResponse": {"type": "Reject"},
        }})),
        _ => None,
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    let (spec, path, name) = (&object["spec"], Path::new("spec"), crate::meta::name(object));
    let (type_, at) = (text(spec, "type"), path.child("type"));
    if (name == "exempt") != (type_ == "Exempt") {
        errors.invalid(&at, type_, "type must be 'Exempt' if and only if name is 'exempt'");
    }
    let (exempt, limited) = (&spec["exempt"], &spec["limited"]);
    match type_ {
        "Exempt" => {
            if !limited.is_null() {
                errors.forbidden(&path.child("limited"), "must be nil if the type is not Limited");
            }
            validate_shares(exempt, &path.child("exempt"), errors);
        }
        "Limited" => {
            if !exempt.is_null() {
                errors.forbidden(&path.child("exempt"), "must be nil if the type is Limited");
            }
            if limited.is_null() {
                errors.required(&path.child("limited"), "must not be empty when type is Limited");
            } else {
                validate_limited(limited, &path.child("limited"), errors);
            }
        }
        other => errors.not_supported(&at, other, &["Exempt", "Limited"]),
    }
    validate_mandatory(name, spec, &path, errors);
    validate_status(&object["status"], errors);
}

/// The levels that the server cannot do without are fixed, but for the shares of the exempt one.
fn validate_mandatory(name: &str, spec: &Value, path: &Path, errors: &mut Errors) {
    let Some(mandatory) = mandatory_spec(name) else { return };
    let except = if name == "exempt" { " except the 'spec.exempt' field" } else { "" };
    let differs = ["type", "limited", "exempt"]
        .iter()
        .any(|field| (name, *field) != ("exempt", "exempt") && mandatory[*field] != spec[*field]);
    if differs {
        errors.invalid(path, spec, &format!("spec of '{name}'{except} must equal the fixed value"));
    }
}

fn validate_shares(level: &Value, path: &Path, errors: &mut Errors) {
    if let Some(shares) = int(level, "nominalConcurrencyShares").filter(|shares| *shares < 0) {
        errors.invalid(&path.child("nominalConcurrencyShares"), shares, NOT_NEGATIVE);
    }
    if let Some(percent) = int(level, "lendablePercent").filter(|percent| !(0..=100).contains(percent)) {
        errors.invalid(&path.child("lendablePercent"), percent, "must be between 0 and 100, inclusive");
    }
}

fn validate_limited(limited: &Value, path: &Path, errors: &mut Errors) {
    validate_shares(limited, path, errors);
    if let Some(percent) = int(limited, "borrowingLimitPercent").filter(|percent| *percent < 0) {
        errors.invalid(&path.child("borrowingLimitPercent"), percent, NOT_NEGATIVE);
    }
    let (response, path) = (&limited["limitResponse"], path.child("limitResponse"));
    let (queuing, at) = (&response["queuing"], path.child("queuing"));
    match text(response, "type") {
        "Reject" if !queuing.is_null() => {
            errors.forbidden(&at, "must be nil if limited.limitResponse.type is not Limited");
        }
        "Queue" if queuing.is_null() => {
            errors.required(&at, "must not be empty if limited.limitResponse.type is Limited");
        }
        "Queue" => validate_queuing(queuing, &at, errors),
        "Reject" => {}
        other => errors.not_supported(&path.child("type"), other, &["Queue", "Reject"]),
    }
}

fn validate_queuing(queuing: &Value, path: &Path, errors: &mut Errors) {
    let number = |field| int(queuing, field).unwrap_or(0);
    let (limit, queues, hand) = (number("queueLengthLimit"), number("queues"), number("handSize"));
    if limit <= 0 {
        errors.invalid(&path.child("queueLengthLimit"), limit, "must be positive");
    }
    if queues <= 0 {
        errors.invalid(&path.child("queues"), queues, "must be positive");
    } else if queues > QUEUES_MAX {
        errors.invalid(&path.child("queues"), queues, &format!("must not be greater than {QUEUES_MAX}"));
    }
    let at = path.child("handSize");
    if hand <= 0 {
        errors.invalid(&at, hand, "must be positive");
    } else if hand > queues {
        errors.invalid(&at, hand, &format!("should not be greater than queues ({queues})"));
    } else if takes_too_many_bits(queues, hand) {
        let wrong = format!(
            "required entropy bits of deckSize {queues} and handSize {hand} should not be greater than {HASH_BITS_MAX}"
        );
        errors.invalid(&at, hand, &wrong);
    }
}

/// Whether there are more hands than a hash can choose from.
fn takes_too_many_bits(queues: i64, hand: i64) -> bool {
    let mut hands: i128 = 1;
    for dealt in 0..hand {
        hands = hands.saturating_mul(i128::from(queues - dealt));
        if hands > 1 << HASH_BITS_MAX {
            return true;
        }
    }
    false
}

fn row(object: &Value, now: i64) -> Vec<Value> {
    let spec = &object["spec"];
    let queuing = &spec["limited"]["limitResponse"]["queuing"];
    let shown = |value: &Value, field: &str| match int(value, field) {
        Some(number) => Value::from(number),
        None => cells::NONE.into(),
    };
    vec![
        cells::name(object),
        text(spec, "type").into(),
        shown(&spec["limited"], "nominalConcurrencyShares"),
        shown(queuing, "queues"),
        shown(queuing, "handSize"),
        shown(queuing, "queueLengthLimit"),
        cells::age(object, now),
    ]
}

#[cfg(test)]
mod tests;
