//! Integration tests: the real binary, driven as its user would.

mod api;
mod images;
mod network;
mod run;
mod server;
mod tidy;
mod workloads;
