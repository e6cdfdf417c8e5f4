//! CRI's log lines: `TIME STREAM TAG TEXT`.

use k8s_openapi::jiff::Timestamp;
use runtime_spec::LogStream;

/// Bytes of a time as [`stamp`] writes it.
pub const STAMP_LENGTH: usize = 30;

/// `at` in RFC 3339 with nine digits of fraction: such times compare as text.
pub fn stamp(at: Timestamp) -> String {
    format!("{at:.9}")
}

/// Appends one line; `whole` is false when its text goes on in the next line.
pub fn write(out: &mut Vec<u8>, stamp: &str, stream: LogStream, whole: bool, text: &[u8]) {
    out.extend_from_slice(stamp.as_bytes());
    out.push(b' ');
    out.extend_from_slice(stream.as_str().as_bytes());
    out.extend_from_slice(if whole { b" F " } else { b" P " });
    out.extend_from_slice(text);
    out.push(b'\n');
}

/// A parsed line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its time as it is written.
    pub stamp: &'a [u8],
    /// Whether a line of the program ends here.
    pub whole: bool,
    /// What the program wrote.
    pub text: &'a [u8],
}

/// Parses a line without its newline; `None` for what no writer of ours made.
pub fn parse(line: &[u8]) -> Option<Line<'_>> {
    let mut parts = line.splitn(4, |byte| *byte == b' ');
    let (stamp, _stream, tag, text) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    (stamp.len() == STAMP_LENGTH).then_some(Line { stamp, whole: tag == b"F", text })
}
