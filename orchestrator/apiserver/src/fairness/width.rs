//! How many seats a request needs: a list as many as it has bytes to go through (upstream's work
//! estimator), everything else one.

use crate::auth::Attributes;
use crate::limits;
use crate::registry::Caches;
use crate::request::Query;

/// Objects whose sizes are looked at to know how large they all are.
const SAMPLES: usize = 8;

/// The seats that a request needs, before its level's bound.
pub(crate) fn width(caches: &Caches, what: &Attributes, query: &Query) -> usize {
    // A watch that begins with all objects is a list until it has sent them.
    let lists = what.verb == "list" || (what.verb == "watch" && query.flag("sendInitialEvents"));
    if !lists || what.resource.is_empty() {
        return 1;
    }
    let catalog = caches.catalog();
    let kind = catalog.resource(&what.group, &what.version, &what.resource);
    let Some(cache) = kind.and_then(|kind| caches.of(kind).ok()) else { return 1 };
    let (objects, _, _) = cache.snapshot();
    let count = objects.len();
    let asked = query.number("limit").ok().flatten().and_then(|limit| usize::try_from(limit).ok()).unwrap_or_default();
    // A selector looks at all to find its page; without one the page is all that is looked at.
    let selects = !query.text("fieldSelector").is_empty() || !query.text("labelSelector").is_empty();
    let looked_at = if asked == 0 || selects || !what.name.is_empty() { count } else { asked.min(count) };
    let sampled = objects.values().take(SAMPLES).map(|object| object.size());
    let (number, bytes) = sampled.fold((0, 0), |(number, bytes), size| (number + 1, bytes + size));
    of_bytes(looked_at * bytes / number.max(1))
}

fn of_bytes(bytes: usize) -> usize {
    bytes.div_ceil(limits::SEAT_BYTES).clamp(1, limits::WIDTH_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_grow_with_bytes_up_to_a_bound() {
        let cases = [(0, 1), (1, 1), (100_000, 1), (100_001, 2), (950_000, 10), (90_000_000, 10)];
        for (bytes, expected) in cases {
            assert_eq!(of_bytes(bytes), expected, "{bytes}");
        }
    }
}
