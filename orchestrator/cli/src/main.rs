//! The one binary `coracle`: a whole Kubernetes whose native workload is WebAssembly.
//!
//! In: a command line. Out: a running cluster, or one line that says what is wrong. Only this
//! crate composes the others ([`wire`]), reads arguments and prints.

mod args;
mod failure;
mod image;
mod logging;
mod paths;
mod run;
mod server;
mod store;
mod version;
mod wire;

use args::{Args, Command};
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(code) = wire::guest_compiler() {
        return code;
    }
    let args = Args::parse();
    match dispatch(args) {
        Ok(code) => code,
        Err(error) => {
            failure::print(&error);
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: Args) -> anyhow::Result<ExitCode> {
    logging::start(args.log.as_deref(), &args.command)?;
    match args.command {
        Command::Server(args) => server::main(*args),
        Command::Run(args) => run::main(args),
        Command::Image(args) => image::main(args),
        Command::Store(args) => store::main(args),
        Command::Version => {
            version::print();
            Ok(ExitCode::SUCCESS)
        }
    }
}
