//! The kinds table: one row for each served kind; each kind's rules are in its own file below.

use crate::kind::Kind;

/// Every built-in kind that is served.
pub fn builtin() -> Vec<Kind> {
    Vec::new()
}
