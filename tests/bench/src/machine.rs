//! What the numbers were measured on.

use std::fs;

/// The load average over the last minute.
pub fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("?").to_owned()
}

/// Processor, number of CPUs and load.
pub fn describe() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| line.split_once(": ")).map_or("unknown CPU", |(_, name)| name);
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{model}, {count} CPUs, load {} before", load())
}
