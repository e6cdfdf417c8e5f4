//! Uses up what it is told to, to see what a limit does.
//!
//!     stress idle                       says that it runs, then sleeps for ever
//!     stress memory MIB [SECONDS]       takes MIB mebibytes one by one, then sleeps SECONDS (for ever)
//!     stress cpu SECONDS                computes
//!     stress log LINES [BYTES]          writes LINES lines (0 is for ever) of BYTES characters (80)
//!     stress sleep SECONDS              sleeps, then succeeds
//!     stress crash                      panics

use std::env;
use std::io::{BufWriter, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

const USAGE: &str =
    "usage: stress idle | memory MIB [SECONDS] | cpu SECONDS | log LINES [BYTES] | sleep SECONDS | crash";

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let numbers: Option<Vec<u64>> = words.iter().skip(1).map(|word| word.parse().ok()).collect();
    match (words.first(), numbers.as_deref()) {
        (Some(&"idle"), Some([])) => idle(),
        (Some(&"memory"), Some(&[mebibytes])) => {
            let _kept = memory(mebibytes);
            idle()
        }
        (Some(&"memory"), Some(&[mebibytes, seconds])) => {
            let _kept = memory(mebibytes);
            std::thread::sleep(Duration::from_secs(seconds));
        }
        (Some(&"cpu"), Some(&[seconds])) => cpu(Duration::from_secs(seconds)),
        (Some(&"log"), Some(&[lines])) => return log(lines, 80),
        (Some(&"log"), Some(&[lines, bytes])) => return log(lines, bytes as usize),
        (Some(&"sleep"), Some(&[seconds])) => std::thread::sleep(Duration::from_secs(seconds)),
        (Some(&"crash"), Some([])) => panic!("crashing, as asked"),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    }
    println!("done");
    ExitCode::SUCCESS
}

fn idle() -> ! {
    println!("running");
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

/// Takes memory and writes to all of it, so that none of it is a promise.
fn memory(mebibytes: u64) -> Vec<Vec<u8>> {
    let mut kept = Vec::new();
    for count in 1..=mebibytes {
        kept.push(vec![count as u8 | 1; 1 << 20]);
        if count % 16 == 0 || count == mebibytes {
            println!("{count} MiB");
        }
    }
    kept
}

/// Keeps one thread busy for `time` and says how much it got done.
fn cpu(time: Duration) {
    let start = Instant::now();
    let (mut state, mut rounds) = (1u64, 0u64);
    while start.elapsed() < time {
        for _ in 0..1_000_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        }
        rounds += 1;
        // Printing the state keeps the loop from being optimized away.
        if rounds % 1000 == 0 {
            println!("{rounds} million rounds, state {state:x}");
        }
    }
    println!("{rounds} million rounds, state {state:x}");
}

fn log(lines: u64, bytes: usize) -> ExitCode {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut count = 0u64;
    while lines == 0 || count < lines {
        count += 1;
        let head = format!("{count} ");
        let fill = bytes.saturating_sub(head.len());
        if writeln!(out, "{head}{:x<fill$}", "").is_err() {
            return ExitCode::FAILURE;
        }
    }
    if out.flush().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
