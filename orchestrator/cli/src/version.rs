//! What this is.

/// The version, and the Kubernetes API that it serves.
pub const TEXT: &str = concat!(env!("CARGO_PKG_VERSION"), " (Kubernetes v1.36)");

/// The version as a Node reports it.
pub const KUBERNETES: &str = concat!("v1.36.0+coracle.", env!("CARGO_PKG_VERSION"));

/// Prints it.
#[expect(clippy::print_stdout, reason = "the command's output")]
pub fn print() {
    println!("coracle {TEXT}");
}
