//! Names of field managers.

use crate::field::{Errors, Path};
use crate::limits::FIELD_MANAGER_BYTES_MAX;

/// Nobody that we know.
const UNKNOWN: &str = "unknown";

/// Whether a character shows, as Go's `unicode.IsPrint` has it: of spaces only the plain one.
fn is_printable(c: char) -> bool {
    c == ' '
        || !(c.is_whitespace()
            || c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{feff}'))
}

/// What is wrong with the parameter `fieldManager`.
pub fn check_manager(name: &str, errors: &mut Errors) {
    let path = Path::new("fieldManager");
    if name.len() > FIELD_MANAGER_BYTES_MAX {
        errors.too_long(&path, FIELD_MANAGER_BYTES_MAX);
    }
    for (position, c) in name.char_indices().filter(|(_, c)| !is_printable(*c)).take(1) {
        let code = u32::from(c);
        errors.invalid(&path, name, &format!("invalid character U+{code:04X} (at position {position})"));
    }
}

/// The manager of a request that names none: its User-Agent up to the first slash.
pub fn manager_of_agent(agent: &str) -> String {
    let mut name = String::new();
    for c in agent.split('/').next().unwrap_or_default().chars().filter(|c| is_printable(*c)) {
        if name.len() + c.len_utf8() > FIELD_MANAGER_BYTES_MAX {
            break;
        }
        name.push(c);
    }
    if name.is_empty() { UNKNOWN.to_owned() } else { name }
}
