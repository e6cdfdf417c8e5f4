//! Joins what is known of the API types into one table of Rust statics (`types.rs` in OUT_DIR):
//! the OpenAPI schemas of k8s-openapi, the protobuf field numbers that probing k8s-pb gives, those
//! of `numbers.txt` that it lacks, and the merge facts of `facts.txt`. The server then parses and compiles nothing when it starts.

mod emit;
mod facts;
mod numbers;
mod protobuf;
mod resources;

use std::path::PathBuf;

fn main() {
    let collected = resources::collect();
    let mut tags = protobuf::probe(&collected.definitions);
    numbers::add(include_str!("numbers.txt"), &collected.definitions, &mut tags);
    let facts = facts::parse(include_str!("facts.txt"));
    let text = emit::types(&collected, &tags, &facts);
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    std::fs::write(out.join("types.rs"), text).expect("OUT_DIR can be written");
}
