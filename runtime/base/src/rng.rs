//! Random numbers, names and uids.

use rand::{Rng as _, RngCore, SeedableRng};
use rand_chacha::ChaCha20Rng;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A shared source of random numbers; seeded, it replays.
#[derive(Clone)]
pub struct Rng(Arc<Mutex<ChaCha20Rng>>);

/// The letters of generated names: no vowels and no 0, 1, 3, so that no words appear
/// (Kubernetes' `generateName` uses the same alphabet).
const NAME_ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

impl Rng {
    /// Seeded by the operating system; fit for secrets.
    pub fn from_os() -> Self {
        Rng(Arc::new(Mutex::new(ChaCha20Rng::from_os_rng())))
    }

    /// Replays the same numbers for the same `seed`; for tests and simulations only.
    pub fn seeded(seed: u64) -> Self {
        Rng(Arc::new(Mutex::new(ChaCha20Rng::seed_from_u64(seed))))
    }

    fn with<T>(&self, draw: impl FnOnce(&mut ChaCha20Rng) -> T) -> T {
        draw(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Fills `bytes`.
    pub fn fill(&self, bytes: &mut [u8]) {
        self.with(|rng| rng.fill_bytes(bytes));
    }

    /// A number in `0..bound`; 0 when `bound` is 0.
    pub fn below(&self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.with(|rng| rng.random_range(0..bound)) }
    }

    /// A version 4 UUID (RFC 9562) in its hyphenated form.
    pub fn uid(&self) -> String {
        let mut b = [0u8; 16];
        self.fill(&mut b);
        b[6] = (b[6] & 0x0f) | 0x40;
        b[8] = (b[8] & 0x3f) | 0x80;
        let mut text = String::with_capacity(36);
        for (index, byte) in b.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                text.push('-');
            }
            for digit in [byte >> 4, byte & 0x0f] {
                text.push(char::from_digit(digit.into(), 16).unwrap_or_default());
            }
        }
        text
    }

    /// `length` characters fit for the end of a generated name.
    pub fn suffix(&self, length: usize) -> String {
        (0..length).map(|_| NAME_ALPHABET[self.below(NAME_ALPHABET.len() as u64) as usize] as char).collect()
    }

    /// `delay` made longer by up to `fraction` of itself (0.2 is up to 20 %).
    pub fn jitter(&self, delay: Duration, fraction: f64) -> Duration {
        let share = self.below(1 << 20) as f64 / (1u64 << 20) as f64;
        delay.mul_f64(1.0 + fraction * share)
    }
}

impl std::fmt::Debug for Rng {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rng")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_gives_the_same_names() {
        let (a, b) = (Rng::seeded(7), Rng::seeded(7));
        assert_eq!((a.uid(), a.suffix(5)), (b.uid(), b.suffix(5)));
        assert_eq!(a.uid().len(), 36);
    }
}
