//! Where log lines go: standard error.

use crate::args::Command;
use anyhow::Context;
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Starts logging; `server` logs from `info` on, other commands from `error` on.
pub fn start(filter: Option<&str>, command: &Command) -> anyhow::Result<()> {
    let default = match command {
        Command::Server(_) => "info",
        _ => "error",
    };
    let text = filter.unwrap_or(default);
    let filter = EnvFilter::try_new(text).with_context(|| format!("--log {text:?} is not a log filter"))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    Ok(())
}
