//! The generic registry: every kind's objects over the store, through one code path.

pub mod reader;

pub use reader::ObjectReader;
