//! Resource quantities: `100m`, `128Mi`, `1e3`.

/// A parsed quantity, in thousandths (rounded up).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Quantity {
    millis: i128,
}

impl Quantity {
    /// Parses upstream's grammar; the error is upstream's text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let _ = text;
        todo!()
    }
    /// Thousandths, rounded up (`cpu` in millicores).
    pub fn millis(self) -> i64 {
        i64::try_from(self.millis).unwrap_or(i64::MAX)
    }
    /// Whole units, rounded up (bytes).
    pub fn value(self) -> i64 {
        i64::try_from((self.millis + 999).div_euclid(1000)).unwrap_or(i64::MAX)
    }
}
