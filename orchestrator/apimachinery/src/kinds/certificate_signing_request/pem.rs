//! The form of PEM and DER in requests and certificates. Whether a signature is right is for whoever has the keys'
//! algorithms.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;
/// Blocks of one certificate chain; stops a body full of them from being decoded.
const BLOCKS_MAX: usize = 1000;

struct Block<'a> {
    label: &'a str,
    has_headers: bool,
    bytes: Vec<u8>,
    rest: &'a str,
}

/// The first block of a text, with what follows it.
fn block(text: &str) -> Option<Block<'_>> {
    let begin = text.find("-----BEGIN ")?;
    let (label, body) = text[begin + "-----BEGIN ".len()..].split_once("-----")?;
    let (body, rest) = body.split_once(&format!("-----END {label}-----"))?;
    let has_headers = body.contains(':');
    let body = if has_headers { body.split_once("\n\n").map_or("", |(_, body)| body) } else { body };
    let digits: String = body.split_ascii_whitespace().collect();
    Some(Block { label, has_headers, bytes: STANDARD.decode(digits).ok()?, rest })
}

/// An element of DER: its tag, its content and what follows.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(*length), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

/// Whether the bytes are a sequence of what is signed, the algorithm and the signature.
fn is_signed(bytes: &[u8]) -> bool {
    let parts = || {
        let (outer, content, rest) = element(bytes)?;
        let (signed, _, after) = element(content)?;
        let (algorithm, _, after) = element(after)?;
        let (signature, _, end) = element(after)?;
        let is_whole = rest.is_empty() && end.is_empty();
        Some(is_whole && (outer, signed, algorithm, signature) == (SEQUENCE, SEQUENCE, SEQUENCE, BIT_STRING))
    };
    parts().unwrap_or(false)
}

fn decoded(base64: &str) -> String {
    STANDARD.decode(base64).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// Checks `spec.request`, which is PEM in base64.
pub fn validate_request(base64: &str) -> Result<(), String> {
    match block(&decoded(base64)) {
        Some(block) if block.label == "CERTIFICATE REQUEST" => {
            if is_signed(&block.bytes) {
                return Ok(());
            }
            Err("asn1: structure error: malformed certificate request".to_owned())
        }
        _ => Err("PEM block type must be CERTIFICATE REQUEST".to_owned()),
    }
}

/// Checks `status.certificate`, which is PEM in base64, or nothing.
pub fn validate_certificates(base64: &str) -> Result<(), String> {
    if base64.is_empty() {
        return Ok(());
    }
    let text = decoded(base64);
    let (mut rest, mut count) = (text.as_str(), 0);
    while let Some(block) = block(rest).filter(|_| count < BLOCKS_MAX) {
        if block.label != "CERTIFICATE" {
            return Err(format!("only CERTIFICATE PEM blocks are allowed, found {:?}", block.label));
        }
        if block.has_headers {
            return Err("no PEM block headers are permitted".to_owned());
        }
        if block.bytes.is_empty() {
            return Err("found CERTIFICATE PEM block containing 0 certificates".to_owned());
        }
        if !is_signed(&block.bytes) {
            return Err("x509: malformed certificate".to_owned());
        }
        (rest, count) = (block.rest, count + 1);
    }
    if count == 0 { Err("must contain at least one CERTIFICATE PEM block".to_owned()) } else { Ok(()) }
}
