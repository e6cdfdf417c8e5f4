use super::*;
use std::io::Read;

fn options(path: PathBuf, size_max: u64) -> LogOptions {
    LogOptions { path, size_max, age_max: Duration::ZERO, backups_max: 1 }
}

#[test]
fn a_queue_that_is_not_emptied_loses_lines_and_counts_them() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    // A pipe that nobody reads yet: the thread waits at its first write.
    let status = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(status.success());
    let mut reader = OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
    let writer = Writer::start(options(pipe, 0), Clock::system()).unwrap();
    let line = "x".repeat(1 << 20);
    let sent = (AUDIT_QUEUE_BYTES_MAX >> 20) as u64 * 2;
    (0..sent).for_each(|_| writer.write(line.clone()));
    let lost = writer.lost();
    assert!(lost >= sent / 4 && lost < sent, "{lost} of {sent}");
    assert!(writer.shared.waiting.load(Ordering::Relaxed) <= AUDIT_QUEUE_BYTES_MAX);
    // Once somebody reads, all that was taken comes.
    let mut byte = vec![0; 1 << 16];
    let mut lines = 0;
    while lines < sent - lost {
        let count = reader.read(&mut byte).unwrap();
        lines += byte[..count].iter().filter(|byte| **byte == b'\n').count() as u64;
    }
    assert_eq!((writer.lost(), lines), (lost, sent - lost));
}

#[test]
fn a_log_that_cannot_be_put_aside_grows_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.log");
    let mut log = Log::open(options(path.clone(), 8), Clock::system()).unwrap();
    assert!(log.told(|log| log.append("first!!")));
    // Its file is gone, so it cannot be renamed.
    std::fs::remove_file(&path).unwrap();
    assert!(log.told(|log| log.append("second")));
    assert!(log.told(|log| log.append("third")));
    assert!(log.failures > 0);
}
