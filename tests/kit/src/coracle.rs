//! The binary as a command that ends.

use crate::programs;
use std::process::{Command, Output};

/// Runs it to its end.
///
/// # Panics
/// When it cannot be started.
pub fn coracle(args: &[&str]) -> Output {
    Command::new(programs::coracle()).args(args).output().expect("coracle runs")
}

/// One line on standard error that has these words, no panic, a non-zero exit.
///
/// # Panics
/// When it is otherwise.
#[track_caller]
pub fn fails_in_one_line(output: &Output, words: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr);
    let errors: Vec<&str> = text.lines().filter(|line| line.starts_with("error: ")).collect();
    assert!(!output.status.success(), "it fails: {text}");
    assert_eq!(errors.len(), 1, "one line: {text}");
    assert!(!text.contains("panicked"), "{text}");
    for word in words {
        assert!(errors[0].contains(word), "{word:?} in {text}");
    }
}
