//! How a failure is told: one line, no panic, no secrets.

/// Prints `error` and its causes as one line on standard error.
#[expect(clippy::print_stderr, reason = "the one home of error output")]
pub fn print(error: &anyhow::Error) {
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        if parts.last().is_none_or(|last| !last.contains(&text)) {
            parts.push(text);
        }
    }
    eprintln!("error: {}", parts.join(": "));
}
