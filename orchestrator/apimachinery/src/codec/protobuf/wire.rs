//! The wire format of <https://protobuf.dev/programming-guides/encoding/>.

use std::fmt;

/// What is wrong with a message, and in which field.
#[derive(Debug)]
pub(super) struct Fault {
    path: String,
    what: &'static str,
}

impl Fault {
    pub(super) fn new(what: &'static str) -> Self {
        Fault { path: String::new(), what }
    }
    /// The same fault, told from the message around.
    pub(super) fn within(mut self, field: &str) -> Self {
        self.path = if self.path.is_empty() { field.to_owned() } else { format!("{field}.{}", self.path) };
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { f.write_str(self.what) } else { write!(f, "{}: {}", self.path, self.what) }
    }
}

/// The value of a field before its type is known.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scalar<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

impl<'a> Scalar<'a> {
    pub(super) fn bytes(&self) -> Result<&'a [u8], Fault> {
        match self {
            Scalar::Bytes(bytes) => Ok(bytes),
            _ => Err(Fault::new("it has the wrong wire type")),
        }
    }
    pub(super) fn text(&self) -> Result<&'a str, Fault> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Fault::new("a text is not UTF-8"))
    }
    pub(super) fn integer(&self) -> Result<i64, Fault> {
        match self {
            Scalar::Varint(number) => Ok(number.cast_signed()),
            _ => Err(Fault::new("it has the wrong wire type")),
        }
    }
    pub(super) fn number(&self) -> Result<f64, Fault> {
        match self {
            Scalar::Fixed64(bits) => Ok(f64::from_bits(*bits)),
            Scalar::Fixed32(bits) => Ok(f64::from(f32::from_bits(*bits))),
            _ => Err(Fault::new("it has the wrong wire type")),
        }
    }
}

/// The fields of a message, in the order of the bytes; ends after the first fault.
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Fields { rest: bytes }
    }

    fn field(&mut self) -> Result<(u32, Scalar<'a>), Fault> {
        let key = varint(&mut self.rest)?;
        let number = u32::try_from(key >> 3).ok().filter(|number| *number > 0);
        let number = number.ok_or_else(|| Fault::new("a field number is out of range"))?;
        let scalar = match key & 7 {
            0 => Scalar::Varint(varint(&mut self.rest)?),
            1 => Scalar::Fixed64(u64::from_le_bytes(self.fixed()?)),
            2 => {
                let length = usize::try_from(varint(&mut self.rest)?).unwrap_or(usize::MAX);
                Scalar::Bytes(self.take(length)?)
            }
            5 => Scalar::Fixed32(u32::from_le_bytes(self.fixed()?)),
            _ => return Err(Fault::new("a wire type is unknown")),
        };
        Ok((number, scalar))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(|| Fault::new("it is cut short"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let bytes = self.take(N)?;
        bytes.try_into().map_err(|_| Fault::new("it is cut short"))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Scalar<'a>), Fault>;
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

/// Takes a number of at most ten bytes.
pub(super) fn varint(rest: &mut &[u8]) -> Result<u64, Fault> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first().ok_or_else(|| Fault::new("it is cut short"))?;
        *rest = after;
        number |= u64::from(byte & 127) << shift;
        if byte & 128 == 0 {
            return Ok(number);
        }
    }
    Err(Fault::new("a number is too long"))
}

/// A message under construction.
pub(super) struct Writer {
    out: Vec<u8>,
}

impl Writer {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Writer { out: Vec::with_capacity(capacity) }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// Bytes as they are.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.out.push(value.to_le_bytes()[0]);
    }

    fn key(&mut self, number: u32, wire_type: u64) {
        self.varint(u64::from(number) << 3 | wire_type);
    }

    pub(super) fn number(&mut self, number: u32, value: u64) {
        self.key(number, 0);
        self.varint(value);
    }

    pub(super) fn double(&mut self, number: u32, value: f64) {
        self.key(number, 1);
        self.raw(&value.to_bits().to_le_bytes());
    }

    pub(super) fn bytes(&mut self, number: u32, bytes: &[u8]) {
        self.key(number, 2);
        self.varint(bytes.len() as u64);
        self.raw(bytes);
    }

    /// A message; its length is put before it once it is known.
    pub(super) fn message(
        &mut self,
        number: u32,
        write: impl FnOnce(&mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.key(number, 2);
        let start = self.out.len();
        write(self)?;
        let end = self.out.len();
        self.varint((end - start) as u64);
        let width = self.out.len() - end;
        self.out[start..].rotate_right(width);
        Ok(())
    }
}
