use super::file::LogFile;
use super::read::{LogOptions, LogReader};
use super::*;
use crate::limits::{LOG_FILES_MAX, LOG_LINE_BYTES_MAX};
use runtime_spec::{LogSink, LogStream};
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;

fn pod() -> PodRef {
    PodRef { namespace: "ns".into(), name: "p".into(), uid: "u".into() }
}

fn logs() -> (tempfile::TempDir, Logs) {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::simulated(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000));
    let logs = Logs::open(dir.path().join("pods"), clock).unwrap();
    (dir, logs)
}

async fn text(reader: LogReader, options: LogOptions) -> String {
    let (sender, mut receiver) = mpsc::channel(1);
    let (result, text) = tokio::join!(reader.run(options, sender), async {
        let mut all = Vec::new();
        while let Some(bytes) = receiver.recv().await {
            all.extend_from_slice(&bytes);
        }
        String::from_utf8(all).unwrap()
    });
    result.unwrap();
    text
}

#[tokio::test(start_paused = true)]
async fn lines_are_written_as_cri_writes_them() {
    let (dir, logs) = logs();
    let log = logs.begin(&pod(), "c", 0).unwrap();
    log.write(LogStream::Stdout, b"one\ntw");
    log.write(LogStream::Stderr, b"err\n");
    log.write(LogStream::Stdout, b"o\nrest");
    logs.end(&pod(), "c", 0);
    let raw = fs::read_to_string(dir.path().join("pods/ns_p_u/c/0.log")).unwrap();
    let at = "2001-09-09T01:46:40.000000000Z";
    assert_eq!(raw, format!("{at} stdout F one\n{at} stderr F err\n{at} stdout F two\n{at} stdout P rest\n"));
    let reader = logs.reader(&pod(), "c", 0).unwrap();
    assert_eq!(text(reader, LogOptions::default()).await, "one\nerr\ntwo\nrest");
}

#[tokio::test(start_paused = true)]
async fn options_choose_lines() {
    let (_dir, logs) = logs();
    let log = logs.begin(&pod(), "c", 0).unwrap();
    for n in 1..=5 {
        log.write(LogStream::Stdout, format!("line {n}\n").as_bytes());
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    let read = |options: LogOptions| {
        let reader = logs.reader(&pod(), "c", 0).unwrap();
        text(reader, options)
    };
    let tail = |n| LogOptions { tail_lines: Some(n), ..LogOptions::default() };
    assert_eq!(read(tail(2)).await, "line 4\nline 5\n");
    assert_eq!(read(tail(0)).await, "");
    assert_eq!(read(tail(5)).await, read(tail(99)).await);
    let since = crate::pod::timestamp(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_003));
    assert_eq!(read(LogOptions { since: Some(since), ..LogOptions::default() }).await, "line 4\nline 5\n");
    assert_eq!(read(LogOptions { limit_bytes: Some(9), ..LogOptions::default() }).await, "line 1\nli");
    let stamped = read(LogOptions { timestamps: true, ..tail(1) }).await;
    assert_eq!(stamped, "2001-09-09T01:46:44.000000000Z line 5\n");
}

#[tokio::test]
async fn a_follower_sees_each_write_and_the_end() {
    let (_dir, logs) = logs();
    let log = logs.begin(&pod(), "c", 0).unwrap();
    log.write(LogStream::Stdout, b"before\n");
    let reader = logs.reader(&pod(), "c", 0).unwrap();
    let (sender, mut receiver) = mpsc::channel(1);
    let options = LogOptions { follow: true, ..LogOptions::default() };
    let writing = async {
        assert_eq!(receiver.recv().await.unwrap(), "before\n");
        log.write(LogStream::Stdout, b"after\n");
        assert_eq!(receiver.recv().await.unwrap(), "after\n");
        log.write(LogStream::Stdout, b"unfinished");
        logs.end(&pod(), "c", 0);
        assert_eq!(receiver.recv().await.unwrap(), "unfinished");
        assert_eq!(receiver.recv().await, None);
    };
    let (result, ()) = tokio::join!(reader.run(options, sender), writing);
    result.unwrap();
}

#[tokio::test]
async fn a_follower_ends_when_nobody_listens() {
    let (_dir, logs) = logs();
    let _log = logs.begin(&pod(), "c", 0).unwrap();
    let (sender, receiver) = mpsc::channel(1);
    drop(receiver);
    let reader = logs.reader(&pod(), "c", 0).unwrap();
    reader.run(LogOptions { follow: true, ..LogOptions::default() }, sender).await.unwrap();
}

#[tokio::test]
async fn rotation_bounds_a_flood_and_readers_cross_it() {
    let dir = tempfile::tempdir().unwrap();
    let log = LogFile::with_part_bytes_max(dir.path().to_owned(), 3, Clock::system(), 1000).unwrap();
    let reader = |follow: bool| {
        let reader = LogReader::new(dir.path().to_owned(), 3, Some(log.progress()));
        let (sender, receiver) = mpsc::channel(1);
        (reader.run(LogOptions { follow, ..LogOptions::default() }, sender), receiver)
    };
    let (following, mut lines) = reader(true);
    let writing = async {
        let mut seen = String::new();
        for n in 0..200 {
            log.write(LogStream::Stdout, format!("line {n}\n").as_bytes());
            // The follower keeps up, so it misses nothing.
            while !seen.ends_with(&format!("line {n}\n")) {
                seen += std::str::from_utf8(&lines.recv().await.unwrap()).unwrap();
            }
        }
        log.close();
        seen
    };
    let (result, seen) = tokio::join!(following, writing);
    result.unwrap();
    assert_eq!(seen, (0..200).map(|n| format!("line {n}\n")).collect::<String>());
    let files = fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(files, LOG_FILES_MAX);
    let reader = LogReader::new(dir.path().to_owned(), 3, None);
    let tail = text(reader, LogOptions { tail_lines: Some(50), ..LogOptions::default() }).await;
    assert_eq!(tail, (150..200).map(|n| format!("line {n}\n")).collect::<String>());
}

#[tokio::test]
async fn a_line_without_end_is_cut_into_parts_and_read_back_whole() {
    let (dir, logs) = logs();
    let log = logs.begin(&pod(), "c", 0).unwrap();
    let long = "x".repeat(3 * LOG_LINE_BYTES_MAX + 5);
    log.write(LogStream::Stdout, long.as_bytes());
    log.write(LogStream::Stdout, b"\n");
    let raw = fs::read_to_string(dir.path().join("pods/ns_p_u/c/0.log")).unwrap();
    assert_eq!(raw.lines().count(), 4);
    let read = text(logs.reader(&pod(), "c", 0).unwrap(), LogOptions::default()).await;
    assert_eq!(read, format!("{long}\n"));
}

#[test]
fn old_runs_and_gone_pods_leave_no_logs() {
    let (dir, logs) = logs();
    for attempt in 0..4 {
        logs.begin(&pod(), "c", attempt).unwrap().write(LogStream::Stdout, b"x\n");
    }
    assert!(logs.reader(&pod(), "c", 1).is_none());
    assert!(logs.reader(&pod(), "c", 2).is_some());
    logs.remove_orphans(|uid| uid == "u");
    assert!(logs.reader(&pod(), "c", 3).is_some());
    logs.remove(&pod());
    logs.remove(&pod());
    assert_eq!(fs::read_dir(dir.path().join("pods")).unwrap().count(), 0);
}

#[test]
fn foreign_bytes_are_no_lines() {
    for raw in [&b""[..], b"x", b"a b c d", b"2001-09-09T01:46:40Z stdout F x", &[0xff; 64]] {
        assert_eq!(line::parse(raw), None);
    }
}
