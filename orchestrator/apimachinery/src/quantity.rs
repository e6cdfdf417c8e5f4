//! Resource quantities: `100m`, `128Mi`, `1e3`.
//!
//! Follows the grammar and the canonical form of `k8s.io/apimachinery/pkg/api/resource`.

use std::cmp::Ordering;
use std::ops::{Add, Sub};

/// How a quantity was written, and so how it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum Notation {
    /// `m`, `k`, `M`
    #[default]
    Decimal,
    /// `Ki`, `Mi`
    Binary,
    /// `e3`
    Exponent,
}

/// A parsed quantity; exact to 10⁻⁹, finer digits are rounded away from zero as upstream does.
///
/// Equality and order are those of the value: `1` equals `1000m`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quantity {
    nanos: i128,
    notation: Notation,
}

const NANOS: i128 = 1_000_000_000;
/// The largest magnitude upstream keeps: 2⁶³-1 units.
const NANOS_MAX: i128 = i64::MAX as i128 * NANOS;
const DECIMAL_SUFFIXES: [(&str, i32); 10] =
    [("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];
const BINARY_SUFFIXES: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

const FORMAT_WRONG: &str =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const NUMBER_WRONG: &str = "unable to parse numeric part of quantity";
const SUFFIX_WRONG: &str = "unable to parse quantity's suffix";

impl Quantity {
    /// Parses upstream's grammar; the error is upstream's text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let negative = text.starts_with('-');
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(end);
        if number.is_empty() || !suffix.bytes().all(|b| b"eEinumkKMGTP+-0123456789".contains(&b)) {
            return Err(FORMAT_WRONG.to_owned());
        }
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if fraction.contains('.') || (whole.is_empty() && fraction.is_empty()) {
            return Err(NUMBER_WRONG.to_owned());
        }
        let (notation, base, power) = suffix_of(suffix).ok_or_else(|| SUFFIX_WRONG.to_owned())?;
        let nanos = scaled(whole, fraction, base, power);
        Ok(Quantity { nanos: if negative { -nanos } else { nanos }, notation })
    }

    /// A number of thousandths, printed in decimal notation.
    pub fn from_millis(millis: i64) -> Self {
        Quantity { nanos: i128::from(millis) * 1_000_000, notation: Notation::Decimal }
    }

    /// A number of bytes, printed in binary notation (`128Mi`).
    pub fn from_bytes(bytes: i64) -> Self {
        Quantity { nanos: i128::from(bytes) * NANOS, notation: Notation::Binary }
    }

    /// Thousandths, rounded up (`cpu` in millicores).
    pub fn millis(self) -> i64 {
        saturate(ceil_div(self.nanos, 1_000_000))
    }

    /// Whole units, rounded up (bytes).
    pub fn value(self) -> i64 {
        saturate(ceil_div(self.nanos, NANOS))
    }

    /// The next whole thousandth, as upstream stores resources of Pods and nodes.
    pub fn rounded_to_millis(self) -> Self {
        Quantity { nanos: ceil_div(self.nanos, 1_000_000) * 1_000_000, ..self }
    }

    /// Whether it is nought.
    pub fn is_zero(self) -> bool {
        self.nanos == 0
    }

    /// Whether it is below nought.
    pub fn is_negative(self) -> bool {
        self.nanos < 0
    }

    /// Whether it is a whole number of units.
    pub fn is_integer(self) -> bool {
        self.nanos % NANOS == 0
    }

    /// The text that upstream stores: the largest suffix that needs no fraction.
    pub fn canonical(self) -> String {
        if self.nanos == 0 {
            return "0".to_owned();
        }
        let small = self.nanos.abs() < 1024 * NANOS;
        match self.notation {
            Notation::Binary if !small && self.is_integer() => self.canonical_binary(),
            notation => self.canonical_decimal(notation),
        }
    }

    fn canonical_binary(self) -> String {
        let (mut units, mut index) = (self.nanos / NANOS, 0);
        while units % 1024 == 0 && index + 1 < BINARY_SUFFIXES.len() {
            (units, index) = (units / 1024, index + 1);
        }
        format!("{units}{}", BINARY_SUFFIXES[index])
    }

    fn canonical_decimal(self, notation: Notation) -> String {
        let (mut mantissa, mut index) = (self.nanos, 0);
        while mantissa % 1000 == 0 && index + 1 < DECIMAL_SUFFIXES.len() {
            (mantissa, index) = (mantissa / 1000, index + 1);
        }
        let (suffix, power) = DECIMAL_SUFFIXES[index];
        match notation {
            Notation::Exponent if power != 0 => format!("{mantissa}e{power}"),
            _ => format!("{mantissa}{suffix}"),
        }
    }
}

/// Feeds any bytes to the parser; what it takes must survive its canonical form.
pub fn fuzz(bytes: &[u8]) {
    if let Ok(quantity) = Quantity::parse(&String::from_utf8_lossy(bytes)) {
        assert_eq!(Quantity::parse(&quantity.canonical()), Ok(quantity));
    }
}

/// Notation, base and power of a suffix; none when there is no such suffix.
fn suffix_of(suffix: &str) -> Option<(Notation, i128, i32)> {
    if let Some(&(_, power)) = DECIMAL_SUFFIXES.iter().find(|(name, _)| *name == suffix) {
        return Some((Notation::Decimal, 10, power));
    }
    if let Some(power) = BINARY_SUFFIXES.iter().skip(1).position(|name| *name == suffix) {
        return Some((Notation::Binary, 1024, power as i32 + 1));
    }
    let power = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    Some((Notation::Exponent, 10, power))
}

/// `whole.fraction` times `base` to the `power`, in 10⁻⁹, rounded up and capped.
fn scaled(whole: &str, fraction: &str, base: i128, power: i32) -> i128 {
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    let mut tens = 9 - fraction.len() as i64 + if base == 10 { i64::from(power) } else { 0 };
    if digits.len() as i64 + tens > 30 {
        return if digits.is_empty() { 0 } else { NANOS_MAX };
    }
    let multiplier = if base == 10 { 1 } else { base.pow(power as u32) };
    let mut nanos: i128 = 0;
    let mut rest = false;
    // At most 30 digits before the point in 10⁻⁹; those behind it only decide about rounding.
    let kept = (digits.len() as i64 + tens.min(0) + if base == 10 { 0 } else { 10 }).clamp(0, 30) as usize;
    for (index, digit) in digits.bytes().enumerate() {
        if index < kept {
            nanos = nanos * 10 + i128::from(digit - b'0');
        } else {
            rest |= digit != b'0';
        }
    }
    tens += digits.len().saturating_sub(kept) as i64;
    let Some(mut nanos) = nanos.checked_mul(multiplier) else { return NANOS_MAX };
    for _ in 0..tens.max(0) {
        nanos = nanos.saturating_mul(10);
    }
    for _ in 0..(-tens).clamp(0, 60) {
        rest |= nanos % 10 != 0;
        nanos /= 10;
    }
    (nanos + i128::from(rest)).min(NANOS_MAX)
}

fn ceil_div(number: i128, by: i128) -> i128 {
    number.div_euclid(by) + i128::from(number.rem_euclid(by) != 0)
}

fn saturate(number: i128) -> i64 {
    i64::try_from(number).unwrap_or(if number < 0 { i64::MIN } else { i64::MAX })
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}
impl Eq for Quantity {}
impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

impl Add for Quantity {
    type Output = Self;
    /// The sum, in the notation of the first that is not nought.
    fn add(self, other: Self) -> Self {
        let notation = if self.is_zero() { other.notation } else { self.notation };
        Quantity { nanos: self.nanos.saturating_add(other.nanos), notation }
    }
}

impl Sub for Quantity {
    type Output = Self;
    /// The difference, in the notation of the first that is not nought.
    fn sub(self, other: Self) -> Self {
        let notation = if self.is_zero() { other.notation } else { self.notation };
        Quantity { nanos: self.nanos.saturating_sub(other.nanos), notation }
    }
}

impl std::iter::Sum for Quantity {
    fn sum<I: Iterator<Item = Self>>(quantities: I) -> Self {
        quantities.fold(Quantity::default(), Add::add)
    }
}

impl std::fmt::Display for Quantity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.canonical())
    }
}

#[cfg(test)]
mod tests;
