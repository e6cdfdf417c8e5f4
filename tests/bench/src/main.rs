//! The benchmarks behind README's "Numbers": each starts servers of its own, measures them from
//! outside as a user would see them, and prints one table.
//!
//! In: `CORACLE_BIN` or the binary beside this one, the guests in examples/dist, `wrk` and
//! `wasmtime` for the comparison. Out: lines on standard output, with the machine's load beside
//! them. Must not touch: the crates of the product.
#![expect(clippy::print_stdout, reason = "the tables are what this program is for")]
#![expect(clippy::disallowed_methods, reason = "benchmarks run on the machine's clock")]

mod api;
mod cluster;
mod http;
mod idle;
mod machine;
mod ready;
mod samples;
mod start;

use clap::{Parser, Subcommand};

/// Benchmarks of coracle.
#[derive(Debug, Parser)]
#[command(name = "tests-bench")]
struct Args {
    #[command(subcommand)]
    name: Name,
}

#[derive(Debug, Subcommand)]
enum Name {
    /// From exec to the ready line: with an empty data directory, and with that directory again.
    Start(start::Args),
    /// Memory and CPU time of a server that has nothing to do.
    Idle(idle::Args),
    /// From POST of a Wasm Pod to the condition Ready, seen by a watch.
    Ready(ready::Args),
    /// Creates, gets, lists and watches of small ConfigMaps, with the server's CPU time of each.
    Api(api::Args),
    /// Requests per second through a NodePort, beside `wasmtime serve`.
    Http(http::Args),
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    println!("binary  {}", tests_kit::programs::coracle().display());
    println!("machine {}", machine::describe());
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        match args.name {
            Name::Start(args) => start::run(&args).await,
            Name::Idle(args) => idle::run(&args).await,
            Name::Ready(args) => ready::run(&args).await,
            Name::Api(args) => api::run(&args).await,
            Name::Http(args) => http::run(&args).await,
        }
    })?;
    println!("load    {} at the end", machine::load());
    Ok(())
}
