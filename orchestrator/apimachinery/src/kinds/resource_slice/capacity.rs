//! How much of a device there is and how it may be shared.

use crate::field::{Errors, Path};
use crate::kinds::checks::{POSITIVE, quantity, too_many};
use crate::kinds::devices;
use crate::kinds::fields::{entries, list, text};
use crate::quantity::Quantity;
use serde_json::Value;

/// Amounts that may be asked for.
const OPTIONS_MAX: usize = 10;

/// Checks the capacities of a device.
pub fn validate(device: &Value, path: &Path, errors: &mut Errors) {
    for (name, capacity) in entries(device, "capacity") {
        devices::validate_qualified(name, path, errors);
        let (policy, path) = (&capacity["requestPolicy"], path.key(name).child("requestPolicy"));
        if policy.is_null() {
            continue;
        }
        if device["allowMultipleAllocations"] == true {
            validate_policy(capacity, policy, &path, errors);
        } else {
            errors.forbidden(&path, "allowMultipleAllocations must be true");
        }
    }
}

fn validate_policy(capacity: &Value, policy: &Value, path: &Path, errors: &mut Errors) {
    let (values, range) = (list(policy, "validValues"), &policy["validRange"]);
    let field = match (values.is_empty(), range.is_null()) {
        (false, false) => {
            let wrong = "exactly one policy can be specified, cannot specify \"validValues\" and \"validRange\" at the \
                         same time";
            errors.forbidden(path, wrong);
            return;
        }
        (true, true) => return,
        (false, true) => "validValues",
        (true, false) => "validRange",
    };
    let Some(default) = quantity(policy, "default") else {
        errors.required(&path.child("default"), &format!("required when {field} is defined"));
        return;
    };
    let amounts = Amounts { default, most: quantity(capacity, "value").unwrap_or_default() };
    let path = path.child(field);
    if field == "validValues" {
        amounts.validate_values(values, &path, errors)
    } else {
        amounts.validate_range(range, &path, errors)
    }
}

/// What is taken when nobody says how much, and what there is.
struct Amounts {
    default: Quantity,
    most: Quantity,
}

impl Amounts {
    fn validate_values(&self, values: &[Value], path: &Path, errors: &mut Errors) {
        let values: Vec<Quantity> =
            values.iter().filter_map(|value| Quantity::parse(value.as_str().unwrap_or("")).ok()).collect();
        for (index, pair) in values.windows(2).enumerate().filter(|(_, pair)| pair[0] > pair[1]) {
            errors.invalid(&path.index(index + 1), pair[1].canonical(), "values must be sorted in ascending order");
        }
        if !too_many(path, values.len(), OPTIONS_MAX, errors) {
            for (index, value) in values.iter().enumerate() {
                if *value > self.most {
                    let wrong = format!("option is larger than capacity value: {}", self.most.canonical());
                    errors.invalid(&path.index(index), value.canonical(), &wrong);
                }
                if values[..index].contains(value) {
                    errors.duplicate(&path.index(index), value.value().to_string());
                }
            }
        }
        if !values.contains(&self.default) {
            let wrong = "default value is not valid according to the requestPolicy";
            errors.invalid(path, self.default.canonical(), wrong);
        }
    }

    fn validate_range(&self, range: &Value, path: &Path, errors: &mut Errors) {
        let Some(min) = quantity(range, "min") else {
            errors.required(&path.child("min"), "required when validRange is defined");
            return;
        };
        let mut bound = |is_bad: bool, field: &str, value: Quantity, what: &str, than: Quantity| {
            if is_bad {
                errors.invalid(&path.child(field), value.canonical(), &format!("{what}: {}", than.canonical()));
            }
        };
        let max = quantity(range, "max");
        bound(min > self.most, "min", min, "min is larger than capacity value", self.most);
        bound(self.default < min, "default", self.default, "default is less than min", min);
        if let Some(max) = max {
            bound(min > max, "max", min, "min is larger than max", max);
            bound(max > self.most, "max", max, "max is larger than capacity value", self.most);
            bound(self.default > max, "default", self.default, "default is more than max", max);
        }
        let Some(step) = quantity(range, "step") else { return };
        let path = path.child("step");
        if step.is_zero() || step.is_negative() {
            errors.invalid(&path, text(range, "step"), POSITIVE);
            return;
        }
        let first = min.value().checked_add(step.value()).map(Quantity::from_bytes);
        if first.is_none_or(|first| first > self.most) {
            let (first, most) = (first.unwrap_or(step).canonical(), self.most.canonical());
            let wrong = format!("one step {first} is larger than capacity value: {most}");
            errors.invalid(&path, step.canonical(), &wrong);
        }
        for value in [Some(self.default), max].into_iter().flatten() {
            let rest = value.value().checked_sub(min.value()).and_then(|above| above.checked_rem(step.value()));
            if rest != Some(0) {
                let (step, min) = (step.canonical(), min.canonical());
                let wrong = format!("value is not a multiple of a given step ({step}) from ({min})");
                errors.invalid(&path, value.canonical(), &wrong);
            }
        }
    }
}
