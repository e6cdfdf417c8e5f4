//! What is wrong with a text that is not JSON, in the words that Kubernetes' own decoder has.
//!
//! Source: <https://pkg.go.dev/encoding/json#SyntaxError>

use crate::limits::DEPTH_MAX;

/// Characters of a number that a message shows.
const NUMBER_SHOWN_MAX: usize = 64;

struct Scan<'b> {
    bytes: &'b [u8],
    at: usize,
    depth: usize,
}

/// Why a text cannot be decoded; for a text that is well formed, that a number has no place.
pub(super) fn fault(bytes: &[u8]) -> String {
    let mut scan = Scan { bytes, at: 0, depth: 0 };
    let scanned = scan.value("looking for beginning of value").and_then(|()| scan.end());
    match scanned {
        Err(why) => why,
        Ok(()) if std::str::from_utf8(bytes).is_err() => "invalid UTF-8".into(),
        Ok(()) => out_of_range(bytes),
    }
}

/// The first number that no float holds.
fn out_of_range(bytes: &[u8]) -> String {
    let (mut at, mut quoted) = (0, false);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' if quoted => at += 1,
            b'"' => quoted = !quoted,
            b'-' | b'0'..=b'9' if !quoted => {
                let is_part = |byte: &u8| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
                let length = bytes[at..].iter().take_while(|byte| is_part(byte)).count();
                let text = String::from_utf8_lossy(&bytes[at..at + length]);
                if text.parse::<f64>().is_ok_and(f64::is_infinite) {
                    let shown: String = text.chars().take(NUMBER_SHOWN_MAX).collect();
                    let dots = if shown.len() < text.len() { "..." } else { "" };
                    return format!("json: cannot unmarshal number {shown}{dots} into Go value of type float64");
                }
                at += length;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    "the value cannot be decoded".into()
}

/// A character as Go quotes it.
fn quoted(byte: u8) -> String {
    match byte {
        b'\'' => r"'\''".into(),
        b'"' => "'\"'".into(),
        b'\n' => r"'\n'".into(),
        b'\r' => r"'\r'".into(),
        b'\t' => r"'\t'".into(),
        b'\\' => r"'\\'".into(),
        0x20..=0x7e => format!("'{}'", char::from(byte)),
        0..=0x1f | 0x7f => format!("'\\x{byte:02x}'"),
        _ => format!("'{}'", char::from(byte)),
    }
}

impl Scan<'_> {
    fn peek(&self) -> Result<u8, String> {
        self.bytes.get(self.at).copied().ok_or_else(|| "unexpected end of JSON input".into())
    }

    fn wrong<T>(&self, context: &str) -> Result<T, String> {
        let byte = self.peek()?;
        Err(format!("invalid character {} {context}", quoted(byte)))
    }

    fn skip_space(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn end(&mut self) -> Result<(), String> {
        self.skip_space();
        match self.at == self.bytes.len() {
            true => Ok(()),
            false => self.wrong("after top-level value"),
        }
    }

    fn value(&mut self, context: &str) -> Result<(), String> {
        self.skip_space();
        match self.peek()? {
            b'{' => self.nested(Self::object),
            b'[' => self.nested(Self::array),
            b'"' => self.text(),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            _ => self.wrong(context),
        }
    }

    fn nested(&mut self, of: fn(&mut Self) -> Result<(), String>) -> Result<(), String> {
        self.depth += 1;
        if self.depth >= DEPTH_MAX {
            return Err("exceeded max depth".into());
        }
        self.at += 1;
        of(self)?;
        self.depth -= 1;
        Ok(())
    }

    fn object(&mut self) -> Result<(), String> {
        self.skip_space();
        if self.peek()? == b'}' {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.skip_space();
            if self.peek()? != b'"' {
                return self.wrong("looking for beginning of object key string");
            }
            self.text()?;
            self.skip_space();
            if self.peek()? != b':' {
                return self.wrong("after object key");
            }
            self.at += 1;
            self.value("looking for beginning of value")?;
            self.skip_space();
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return self.wrong("after object key:value pair"),
            }
        }
    }

    fn array(&mut self) -> Result<(), String> {
        self.skip_space();
        if self.peek()? == b']' {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value("looking for beginning of value")?;
            self.skip_space();
            match self.peek()? {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return self.wrong("after array element"),
            }
        }
    }

    fn text(&mut self) -> Result<(), String> {
        self.at += 1;
        loop {
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => {
                    self.at += 1;
                    match self.peek()? {
                        b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"' => self.at += 1,
                        b'u' => {
                            self.at += 1;
                            for _ in 0..4 {
                                if !self.peek()?.is_ascii_hexdigit() {
                                    return self.wrong("in \\u hexadecimal character escape");
                                }
                                self.at += 1;
                            }
                        }
                        _ => return self.wrong("in string escape code"),
                    }
                }
                0..=0x1f => return self.wrong("in string literal"),
                _ => self.at += 1,
            }
        }
    }

    fn digits(&mut self) -> usize {
        let count = self.bytes[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        count
    }

    fn number(&mut self) -> Result<(), String> {
        if self.peek()? == b'-' {
            self.at += 1;
        }
        if self.bytes.get(self.at) == Some(&b'0') {
            self.at += 1;
        } else if self.digits() == 0 {
            return self.wrong("in numeric literal");
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return self.wrong("after decimal point in numeric literal");
            }
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.bytes.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if self.digits() == 0 {
                return self.wrong("in exponent of numeric literal");
            }
        }
        Ok(())
    }

    fn literal(&mut self, word: &str) -> Result<(), String> {
        for expected in word.bytes() {
            if self.peek()? != expected {
                let context = format!("in literal {word} (expecting {})", quoted(expected));
                return self.wrong(&context);
            }
            self.at += 1;
        }
        Ok(())
    }
}

/// The start of a body that a message shows: as text when it begins as an object, else in hexadecimal.
pub fn summary(body: &[u8]) -> String {
    const SHOWN: usize = 30;
    let start = &body[..body.len().min(SHOWN)];
    let dots = if body.len() > SHOWN { " ..." } else { "" };
    match body.first() {
        None => "<empty>".into(),
        Some(b'{') => format!("{}{dots}", String::from_utf8_lossy(start)),
        Some(_) => format!("{}{dots}", hex::encode(start)),
    }
}
