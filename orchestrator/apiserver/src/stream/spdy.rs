//! SPDY/3.1 frames, as far as port forwarding needs them (SPDY Protocol Draft 3.1).

use super::dictionary::{CHECKSUM, DICTIONARY};
use super::limits::{CONTROL_BYTES_MAX, DATA_BYTES_MAX, HEADER_BYTES_MAX, HEADERS_MAX};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use flate2::{Decompress, FlushDecompress, Status};

/// Bytes before a frame's payload.
const HEAD_BYTES: usize = 8;
const VERSION: u16 = 3;
/// The flag of a stream's last frame.
const FIN: u8 = 1;

const SYN_STREAM: u16 = 1;
const SYN_REPLY: u16 = 2;
const RST_STREAM: u16 = 3;
const PING: u16 = 6;
const GOAWAY: u16 = 7;
const HEADERS: u16 = 8;

/// Why a stream is ended by force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reset {
    Protocol = 1,
    Refused = 3,
}

/// What a client says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// A new stream; header names are in lower case.
    Open { stream: u32, headers: Vec<(String, String)>, fin: bool },
    /// Bytes of a stream.
    Data { stream: u32, bytes: Bytes, fin: bool },
    /// A stream ends at once.
    Reset { stream: u32 },
    /// To be sent back.
    Ping { id: u32 },
    /// The client opens no more streams.
    GoAway,
    /// Anything else; nothing follows from it.
    Other,
}

/// A client that does not speak SPDY/3.1, or asks for too much.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FrameError {
    #[error("version {0} is not 3")]
    Version(u16),
    #[error("a frame of {0} bytes is too long")]
    TooLong(usize),
    #[error("frame of type {0} is too short")]
    TooShort(u16),
    #[error("header block cannot be inflated")]
    Inflate,
    #[error("header block is too long")]
    HeadersTooLong,
    #[error("header block is cut or has too many entries")]
    Headers,
}

/// Cuts the client's bytes into frames. The bytes may come in any pieces.
pub(super) struct Decoder {
    buffer: BytesMut,
    /// One stream for all header blocks of the connection.
    inflate: Decompress,
}

impl Decoder {
    pub fn new() -> Self {
        Decoder { buffer: BytesMut::new(), inflate: Decompress::new(true) }
    }

    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame. After an error the connection is of no use any more.
    pub fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        let Some(head) = self.buffer.first_chunk::<HEAD_BYTES>() else { return Ok(None) };
        let word = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
        let (flags, length) = (head[4], u32::from_be_bytes([0, head[5], head[6], head[7]]) as usize);
        let control = word & 0x8000_0000 != 0;
        if length > if control { CONTROL_BYTES_MAX } else { DATA_BYTES_MAX } {
            return Err(FrameError::TooLong(length));
        }
        if self.buffer.len() < HEAD_BYTES + length {
            self.buffer.reserve(HEAD_BYTES + length - self.buffer.len());
            return Ok(None);
        }
        self.buffer.advance(HEAD_BYTES);
        let payload = self.buffer.split_to(length).freeze();
        if !control {
            return Ok(Some(Frame::Data { stream: word, bytes: payload, fin: flags & FIN != 0 }));
        }
        let (version, kind) = ((word >> 16) as u16 & 0x7fff, word as u16);
        if version != VERSION {
            return Err(FrameError::Version(version));
        }
        self.control(kind, flags, payload).map(Some)
    }

    fn control(&mut self, kind: u16, flags: u8, mut payload: Bytes) -> Result<Frame, FrameError> {
        let needed = match kind {
            SYN_STREAM => 10,
            RST_STREAM => 8,
            PING | SYN_REPLY | HEADERS => 4,
            _ => 0,
        };
        if payload.len() < needed {
            return Err(FrameError::TooShort(kind));
        }
        Ok(match kind {
            SYN_STREAM => {
                let stream = payload.get_u32() & 0x7fff_ffff;
                // The associated stream, the priority and the slot say nothing here.
                payload.advance(6);
                Frame::Open { stream, headers: parse_headers(&self.inflate(&payload)?)?, fin: flags & FIN != 0 }
            }
            RST_STREAM => Frame::Reset { stream: payload.get_u32() & 0x7fff_ffff },
            PING => Frame::Ping { id: payload.get_u32() },
            GOAWAY => Frame::GoAway,
            SYN_REPLY | HEADERS => {
                // Unwanted, but the next header block continues this one's compression.
                payload.advance(4);
                self.inflate(&payload)?;
                Frame::Other
            }
            _ => Frame::Other,
        })
    }

    fn inflate(&mut self, mut input: &[u8]) -> Result<Vec<u8>, FrameError> {
        let zlib = &mut self.inflate;
        let (mut output, mut filled) = (vec![0; HEADER_BYTES_MAX], 0);
        while !input.is_empty() {
            let (read, written) = (zlib.total_in(), zlib.total_out());
            let result = zlib.decompress(input, &mut output[filled..], FlushDecompress::Sync);
            let (read, written) = ((zlib.total_in() - read) as usize, (zlib.total_out() - written) as usize);
            (input, filled) = (&input[read..], filled + written);
            match result {
                Err(error) if error.needs_dictionary().is_some() => {
                    zlib.set_dictionary(&DICTIONARY).map_err(|_| FrameError::Inflate)?;
                }
                Ok(Status::Ok) if read + written > 0 => {}
                _ if filled == output.len() => {}
                _ => return Err(FrameError::Inflate),
            }
            if filled == output.len() {
                return Err(FrameError::HeadersTooLong);
            }
        }
        output.truncate(filled);
        Ok(output)
    }
}

fn parse_headers(mut block: &[u8]) -> Result<Vec<(String, String)>, FrameError> {
    let count = block.try_get_u32().map_err(|_| FrameError::Headers)? as usize;
    if count > HEADERS_MAX {
        return Err(FrameError::Headers);
    }
    let mut text = || -> Result<String, FrameError> {
        let length = block.try_get_u32().map_err(|_| FrameError::Headers)? as usize;
        let (text, rest) = block.split_at_checked(length).ok_or(FrameError::Headers)?;
        block = rest;
        Ok(String::from_utf8_lossy(text).into_owned())
    };
    (0..count).map(|_| Ok((text()?.to_ascii_lowercase(), text()?))).collect()
}

fn control(kind: u16, payload: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(HEAD_BYTES + payload.len());
    frame.put_u16(0x8000 | VERSION);
    frame.put_u16(kind);
    frame.put_u32(payload.len() as u32);
    frame.put_slice(payload);
    frame.freeze()
}

/// Bytes of a stream; `fin` ends this direction.
pub(super) fn data(stream: u32, bytes: &[u8], fin: bool) -> Bytes {
    let mut frame = BytesMut::with_capacity(HEAD_BYTES + bytes.len());
    frame.put_u32(stream);
    frame.put_u32(bytes.len() as u32 | if fin { u32::from(FIN) << 24 } else { 0 });
    frame.put_slice(bytes);
    frame.freeze()
}

/// Accepts a stream, without headers. Header blocks of a connection are one zlib stream that opens
/// with `first`; this one needs no compressor: it holds the block as it is, and ends with
/// a sync flush, without which clients wait for more.
pub(super) fn reply(stream: u32, first: bool) -> Bytes {
    let mut payload = BytesMut::new();
    payload.put_u32(stream);
    if first {
        // Deflate, a window of 32 KiB, a dictionary follows by name.
        payload.put_slice(&[0x78, 0xf9]);
        payload.put_slice(&CHECKSUM);
    }
    // A stored block of four bytes: no headers.
    payload.put_slice(&[0, 4, 0, 0xfb, 0xff, 0, 0, 0, 0]);
    payload.put_slice(&[0, 0, 0, 0xff, 0xff]);
    control(SYN_REPLY, &payload)
}

/// Ends a stream by force.
pub(super) fn reset(stream: u32, why: Reset) -> Bytes {
    let mut payload = stream.to_be_bytes().to_vec();
    payload.extend((why as u32).to_be_bytes());
    control(RST_STREAM, &payload)
}

/// The answer to a ping.
pub(super) fn pong(id: u32) -> Bytes {
    control(PING, &id.to_be_bytes())
}

/// The last words to a client that made a protocol error; `stream` is the last one that was served.
pub(super) fn go_away(stream: u32) -> Bytes {
    let mut payload = stream.to_be_bytes().to_vec();
    payload.extend(1u32.to_be_bytes());
    control(GOAWAY, &payload)
}

/// Reads arbitrary bytes as a client's: whole, and again byte by byte; both must agree.
pub fn fuzz(bytes: &[u8]) {
    let read = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let (mut decoder, mut seen) = (Decoder::new(), Vec::new());
        for piece in pieces {
            decoder.feed(piece);
            loop {
                match decoder.next() {
                    Ok(Some(frame)) => seen.push(frame),
                    Ok(None) => break,
                    Err(error) => return (seen, Some(error)),
                }
            }
        }
        (seen, None)
    };
    let whole = read(&mut std::iter::once(bytes));
    assert_eq!(whole, read(&mut bytes.chunks(1)), "frames must not depend on how the bytes arrive");
}
