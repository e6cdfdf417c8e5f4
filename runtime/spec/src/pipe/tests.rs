use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn bytes_arrive_in_order_and_the_end_is_seen() {
    let (mut a, mut b) = PipeStream::pair();
    a.write_all(b"hello ").await.unwrap();
    a.write_all(b"world").await.unwrap();
    a.shutdown().await.unwrap();
    let mut text = String::new();
    b.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "hello world");
    b.write_all(b"back").await.unwrap();
    drop(b);
    let mut back = Vec::new();
    a.read_to_end(&mut back).await.unwrap();
    assert_eq!(back, b"back");
}

#[tokio::test]
async fn a_full_pipe_makes_the_writer_wait_and_a_gone_reader_fails_it() {
    let (mut a, b) = PipeStream::pair();
    let big = vec![7u8; PIPE_BYTES_MAX];
    a.write_all(&big).await.unwrap();
    assert_eq!(a.writer.room(), Ok(0));
    drop(b);
    assert_eq!(a.write(b"x").await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

#[test]
fn a_dropped_writer_is_a_reset_after_what_it_sent() {
    let (writer, reader) = pipe();
    writer.write(Bytes::from_static(b"abc")).unwrap();
    drop(writer);
    assert_eq!(reader.try_read(2).unwrap(), Some(Bytes::from_static(b"ab")));
    assert_eq!(reader.try_read(9).unwrap(), Some(Bytes::from_static(b"c")));
    assert_eq!(reader.try_read(9), Err(Reset));
}

#[test]
fn a_breaker_resets_both_ends_and_knows_when_they_are_gone() {
    let (writer, reader) = pipe();
    let breaker = writer.breaker();
    writer.write(Bytes::from_static(b"abc")).unwrap();
    breaker.reset();
    assert_eq!(writer.write(Bytes::from_static(b"d")), Err(Reset));
    assert_eq!(reader.try_read(9).unwrap(), Some(Bytes::from_static(b"abc")));
    assert_eq!(reader.try_read(9), Err(Reset));
    assert!(!breaker.is_gone());
    drop((writer, reader));
    assert!(breaker.is_gone());
}

#[tokio::test]
async fn a_writer_can_wait_for_its_reader_to_leave() {
    let (writer, reader) = pipe();
    let wait = std::future::poll_fn(|cx| writer.poll_closed(cx));
    tokio::join!(wait, async move { drop(reader) });
}
