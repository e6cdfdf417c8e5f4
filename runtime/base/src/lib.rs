//! What the standard library lacks, under its own noun, for every other crate.
//!
//! In: nothing. Out: time, random numbers, joined tasks, back-off, error chains, confined
//! paths, byte streams. Must not touch: any other crate of this workspace, any policy.
//!
//! Time, random numbers and tasks come from here alone, so that a test (or a simulation) can
//! replace all three.

pub mod backoff;
pub mod clock;
pub mod error;
pub mod path;
pub mod rng;
pub mod stream;
pub mod task;

pub use backoff::Backoff;
pub use clock::Clock;
pub use rng::Rng;
pub use stream::ByteStream;
pub use task::Tasks;
