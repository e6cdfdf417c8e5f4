//! What the kernel knows of this process, under the names of Prometheus' client libraries.
//!
//! Source: proc(5).

use super::Text;

/// Ticks of processor time in a second; Linux has shown 100 to programs on every platform.
const TICKS: f64 = 100.0;
const PAGE: u64 = 4096;

/// Fields of `/proc/self/stat` behind the command's name.
const USER_TICKS: usize = 11;
const SYSTEM_TICKS: usize = 12;
const VIRTUAL_BYTES: usize = 20;
const RESIDENT_PAGES: usize = 21;

/// `process_*`; nothing where there is no `/proc`.
pub(super) fn write(out: &mut Text, started: u64) {
    out.head("process_start_time_seconds", "gauge", "Start of the process in seconds since 1970.");
    out.line("process_start_time_seconds", "", started);
    if let Ok(stat) = std::fs::read_to_string("/proc/self/stat") {
        of_stat(out, &stat);
    }
    if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
        out.head("process_open_fds", "gauge", "Open file descriptors.");
        out.line("process_open_fds", "", files.count());
    }
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let open_files = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    if let Some(most) = open_files.and_then(|rest| rest.split_whitespace().next()) {
        out.head("process_max_fds", "gauge", "Most file descriptors that may be open.");
        out.line("process_max_fds", "", if most == "unlimited" { "+Inf" } else { most });
    }
}

pub(super) fn of_stat(out: &mut Text, stat: &str) {
    // The command's name may hold anything, blanks and parentheses too.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let number = |index: usize| fields.get(index).and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
    out.head("process_cpu_seconds_total", "counter", "Processor time in seconds.");
    out.line("process_cpu_seconds_total", "", (number(USER_TICKS) + number(SYSTEM_TICKS)) as f64 / TICKS);
    out.head("process_resident_memory_bytes", "gauge", "Resident memory in bytes.");
    out.line("process_resident_memory_bytes", "", number(RESIDENT_PAGES) * PAGE);
    out.head("process_virtual_memory_bytes", "gauge", "Virtual memory in bytes.");
    out.line("process_virtual_memory_bytes", "", number(VIRTUAL_BYTES));
}
