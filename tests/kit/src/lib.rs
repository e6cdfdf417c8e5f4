//! The harness: starts the real binary, the real kubectl and a real registry, and waits for
//! things to become true.
//!
//! In: paths of programs by environment or by the places where tests/run.sh puts them. Out:
//! processes that end with their handles, directories that are kept when a test fails. Must not
//! touch: the crates under test; it knows the product as a user does.

#![expect(clippy::print_stdout, reason = "a failed test tells what it leaves behind")]

pub mod coracle;
pub mod etcd;
pub mod http;
pub mod kubectl;
pub mod process;
pub mod programs;
pub mod registry;
pub mod server;
pub mod wait;

pub use etcd::Etcd;
pub use kubectl::Kubectl;
pub use registry::Registry;
pub use server::Server;
pub use wait::wait_for;
