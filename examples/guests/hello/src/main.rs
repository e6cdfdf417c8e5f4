//! Shows what a container got, then exits with the code it was asked for.
//!
//!     hello [WORD...]
//!
//! Environment: CONFIG names a file or a folder to print, EXIT_CODE is the exit code (0).
//! A component for wasip2 can only say success (0) or failure (1); the same program built for
//! wasip1 keeps its code.

use std::path::{Path, PathBuf};
use std::{env, fs, io, process};

fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    println!("Hello from WebAssembly.");
    println!("args: {}", words.join(" "));
    let mut variables: Vec<(String, String)> = env::vars().collect();
    variables.sort();
    for (name, value) in variables {
        println!("env: {name}={value}");
    }
    if let Ok(path) = env::var("CONFIG")
        && let Err(error) = show(Path::new(&path))
    {
        eprintln!("{path}: {error}");
        process::exit(1);
    }
    process::exit(exit_code());
}

/// EXIT_CODE; what is no number counts as a failure.
fn exit_code() -> i32 {
    env::var("EXIT_CODE").map_or(0, |text| text.parse().unwrap_or(1))
}

/// Prints the file at `path`, or every file of the folder, in order of names.
fn show(path: &Path) -> io::Result<()> {
    if !fs::metadata(path)?.is_dir() {
        println!("file: {}: {}", path.display(), fs::read_to_string(path)?.trim_end());
        return Ok(());
    }
    let mut inside: Vec<PathBuf> =
        fs::read_dir(path)?.map(|entry| entry.map(|e| e.path())).collect::<io::Result<_>>()?;
    inside.sort();
    // Names with two dots are how Kubernetes swaps a volume's content at once.
    inside.retain(|path| path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with("..")));
    inside.iter().try_for_each(|path| show(path))
}
