//! Printing errors at the edge.

use std::error::Error;

/// `error` and its sources, outermost first, joined by ": ".
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let step = source.to_string();
        // Errors of other crates often repeat their source; say it once.
        if !text.ends_with(&step) {
            text.push_str(": ");
            text.push_str(&step);
        }
        next = source.source();
    }
    text
}
