use crate::stream::dictionary::{CHECKSUM, DICTIONARY};
use crate::stream::fuzz;
use crate::stream::limits::{CONTROL_BYTES_MAX, DATA_BYTES_MAX, HEADER_BYTES_MAX};
use crate::stream::spdy::{self, Decoder, Frame, FrameError, Reset};
use bytes::Bytes;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};

/// A client's compressor.
pub struct Packer(Compress);

impl Packer {
    pub fn new() -> Self {
        let mut zlib = Compress::new(Compression::default(), true);
        zlib.set_dictionary(&DICTIONARY).unwrap();
        Packer(zlib)
    }

    fn deflate(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len() + 1024);
        self.0.compress_vec(bytes, &mut out, FlushCompress::Sync).unwrap();
        out
    }

    pub fn open(&mut self, stream: u32, headers: &[(&str, &str)]) -> Vec<u8> {
        let mut block = (headers.len() as u32).to_be_bytes().to_vec();
        for text in headers.iter().flat_map(|(name, value)| [name, value]) {
            block.extend((text.len() as u32).to_be_bytes());
            block.extend(text.as_bytes());
        }
        let mut payload = stream.to_be_bytes().to_vec();
        payload.extend([0; 6]);
        payload.extend(self.deflate(&block));
        control(1, &payload)
    }
}

pub fn control(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80, 3];
    frame.extend(kind.to_be_bytes());
    frame.extend((payload.len() as u32).to_be_bytes());
    frame.extend(payload);
    frame
}

fn read(bytes: &[u8]) -> Result<Vec<Frame>, FrameError> {
    let mut decoder = Decoder::new();
    decoder.feed(bytes);
    std::iter::from_fn(|| decoder.next().transpose()).collect()
}

#[test]
fn the_dictionary_is_the_one_that_zlib_knows_by_its_checksum() {
    let (mut a, mut b) = (1u32, 0u32);
    for byte in DICTIONARY.iter() {
        a = (a + u32::from(*byte)) % 65521;
        b = (b + a) % 65521;
    }
    assert_eq!((b << 16 | a).to_be_bytes(), CHECKSUM);
    assert_eq!(DICTIONARY.len(), 1423);
}

#[test]
fn frames_are_read_in_any_pieces() {
    let mut packer = Packer::new();
    let headers = [("streamtype", "error"), ("port", "80"), ("requestid", "0")];
    let mut bytes = packer.open(1, &headers);
    bytes.extend(packer.open(3, &[("StreamType", "data"), ("port", "80"), ("requestid", "0")]));
    bytes.extend(spdy::data(3, b"hello", false));
    bytes.extend(spdy::data(3, b"", true));
    bytes.extend(spdy::pong(5));
    bytes.extend(spdy::reset(3, Reset::Protocol));
    bytes.extend(spdy::go_away(3));
    bytes.extend(control(4, &[0; 4]));
    let owned = |list: &[(&str, &str)]| list.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect::<Vec<_>>();
    let expected = vec![
        Frame::Open { stream: 1, headers: owned(&headers), fin: false },
        Frame::Open { stream: 3, headers: owned(&[("streamtype", "data"), headers[1], headers[2]]), fin: false },
        Frame::Data { stream: 3, bytes: Bytes::from_static(b"hello"), fin: false },
        Frame::Data { stream: 3, bytes: Bytes::new(), fin: true },
        Frame::Ping { id: 5 },
        Frame::Reset { stream: 3 },
        Frame::GoAway,
        Frame::Other,
    ];
    assert_eq!(read(&bytes).unwrap(), expected);
    fuzz(&bytes);
}

#[test]
fn our_replies_inflate_to_empty_header_blocks() {
    let mut zlib = Decompress::new(true);
    for (stream, first) in [(1, true), (3, false), (5, false)] {
        let frame = spdy::reply(stream, first);
        assert_eq!(frame[..4], [0x80, 3, 0, 2]);
        assert_eq!(frame[8..12], u32::to_be_bytes(stream));
        let (mut out, mut input) = (vec![0; 64], &frame[12..]);
        let before = zlib.total_out();
        if first {
            let error = zlib.decompress(input, &mut out, FlushDecompress::Sync).unwrap_err();
            assert!(error.needs_dictionary().is_some());
            zlib.set_dictionary(&DICTIONARY).unwrap();
            input = &input[zlib.total_in() as usize..];
        }
        zlib.decompress(input, &mut out, FlushDecompress::Sync).unwrap();
        assert_eq!(out[..(zlib.total_out() - before) as usize], [0; 4]);
    }
}

#[test]
fn bad_frames_end_the_connection() {
    let long = |head: [u8; 5], length: usize| [&head[..], &(length as u32).to_be_bytes()[1..]].concat();
    assert_eq!(read(&long([0x80, 3, 0, 1, 0], CONTROL_BYTES_MAX + 1)), Err(FrameError::TooLong(CONTROL_BYTES_MAX + 1)));
    assert_eq!(read(&long([0, 0, 0, 1, 0], DATA_BYTES_MAX + 1)), Err(FrameError::TooLong(DATA_BYTES_MAX + 1)));
    assert_eq!(read(&long([0, 0, 0, 1, 0], DATA_BYTES_MAX)), Ok(vec![]));
    assert_eq!(read(&[0x80, 2, 0, 1, 0, 0, 0, 0]), Err(FrameError::Version(2)));
    assert_eq!(read(&control(1, &[0; 9])), Err(FrameError::TooShort(1)));
    assert_eq!(read(&control(6, &[0; 3])), Err(FrameError::TooShort(6)));
    assert_eq!(read(&control(1, b"0123456789 this is not zlib")), Err(FrameError::Inflate));
    let open = |block: &[u8]| {
        let payload = [&[0, 0, 0, 1][..], &[0; 6], &Packer::new().deflate(block)].concat();
        read(&control(1, &payload))
    };
    assert_eq!(open(&vec![0; HEADER_BYTES_MAX + 1]), Err(FrameError::HeadersTooLong), "a bomb");
    assert_eq!(open(&[0, 0, 1, 0]), Err(FrameError::Headers), "too many");
    assert_eq!(open(&[0, 0, 0, 1, 0, 0, 0, 9, b'x']), Err(FrameError::Headers), "cut");
    assert_eq!(open(&[0, 0, 0, 1, 255, 255, 255, 255]), Err(FrameError::Headers));
    assert_eq!(open(&[0]), Err(FrameError::Headers));
}

#[test]
fn arbitrary_bytes_do_no_harm() {
    let rng = runtime_base::Rng::seeded(3);
    let mut packer = Packer::new();
    let good = [packer.open(1, &[("port", "80")]), spdy::data(1, b"abc", true).to_vec()].concat();
    for round in 0..2000 {
        let mut bytes = good.clone();
        for _ in 0..1 + rng.below(4) {
            let at = rng.below(bytes.len() as u64) as usize;
            bytes[at] = rng.below(256) as u8;
        }
        if round % 3 == 0 {
            bytes.truncate(rng.below(bytes.len() as u64) as usize);
        }
        fuzz(&bytes);
    }
    fuzz(b"");
}
