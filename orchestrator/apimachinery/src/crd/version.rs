//! The order of API versions: `v2`, `v1`, `v2beta1`, `v1beta2`, `v1alpha1`, then all others by name.
//!
//! Source: <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning/#version-priority>

use std::cmp::Ordering;

/// Stability (2 for stable), major and minor number.
fn parts(version: &str) -> Option<(u8, u64, u64)> {
    let rest = version.strip_prefix('v')?;
    let number = |text: &str| {
        let fits = !text.is_empty() && !text.starts_with('0') && text.chars().all(|c| c.is_ascii_digit());
        fits.then(|| text.parse::<u64>().ok()).flatten()
    };
    if let Some((major, minor)) = rest.split_once("beta") {
        return Some((1, number(major)?, number(minor)?));
    }
    if let Some((major, minor)) = rest.split_once("alpha") {
        return Some((0, number(major)?, number(minor)?));
    }
    Some((2, number(rest)?, 0))
}

/// The preferred version first.
pub fn compare(one: &str, other: &str) -> Ordering {
    match (parts(one), parts(other)) {
        (Some(one), Some(other)) => other.cmp(&one),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => one.cmp(other),
    }
}
