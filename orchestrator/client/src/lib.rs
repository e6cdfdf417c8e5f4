//! How components of the cluster talk to the API server: a `kube::Client` in memory or over
//! HTTPS, informers, work queues, the event recorder.
//!
//! In: a connection or an in-process handler. Out: typed, indexed, shared caches and keys to
//! look at. Must not touch: the server's own crates, the machine.

pub mod informer;
pub mod key;
pub mod limits;
pub mod queue;
pub mod recorder;
pub mod transport;

pub use informer::Informer;
pub use key::Key;
pub use queue::WorkQueue;
pub use recorder::Recorder;
pub use transport::in_memory;
