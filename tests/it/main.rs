//! Integration tests: the real binary, driven as its user would.

#![expect(clippy::unwrap_used, reason = "a test's helper may panic as the test may")]

mod api;
mod clients;
mod custom;
mod images;
mod matrix;
mod network;
mod run;
mod server;
mod store;
mod streams;
mod tidy;
mod workloads;
