//! The key file: one line for each key, `ID BASE64`, the one that seals new values first.

use super::NONCE;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use runtime_base::Rng;
use runtime_base::path::write_atomic;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Bytes of a key of AES-256.
const KEY: usize = 32;
const HEADING: &str = "# Keys that Secrets are encrypted with. Keep a copy: without them Secrets cannot be read.\n";

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("cannot use {0}")]
    Io(PathBuf, #[source] io::Error),
    /// The file is not what was written.
    #[error("{path} is damaged at line {line}: put back a copy, or Secrets cannot be read")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Counted from one.
        line: usize,
    },
    /// There are as many keys as ids.
    #[error("{0} has no room for another key: remove keys that no Secret is encrypted with")]
    Full(PathBuf),
}

/// The keys that values are sealed and opened with.
pub struct Keys {
    /// Id and key, the first seals.
    keys: Vec<(u8, LessSafeKey)>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|(id, _)| id)).finish()
    }
}

impl Keys {
    /// The keys of a file, which is made with one key when it is missing. Mode 0600.
    pub fn load_or_create(path: &Path, rng: &Rng) -> Result<Self, KeyError> {
        let failed = |error| KeyError::Io(path.to_owned(), error);
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(path, &text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let text = format!("{HEADING}{}", new_line(1, rng));
                write_atomic(path, text.as_bytes(), 0o600).map_err(failed)?;
                Self::parse(path, &text)
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// One new key that is written nowhere, for stores in memory.
    pub fn fleeting(rng: &Rng) -> Self {
        let memory = Path::new("memory");
        Self::parse(memory, &new_line(1, rng)).expect("a line that was just made is whole")
    }

    /// Puts a new key in front of the others of a file; values are sealed with it from the next
    /// start on. Answers its id.
    pub fn rotate(path: &Path, rng: &Rng) -> Result<u8, KeyError> {
        let failed = |error| KeyError::Io(path.to_owned(), error);
        let text = fs::read_to_string(path).map_err(failed)?;
        let known = Self::parse(path, &text)?;
        let free = (1..=u8::MAX).find(|id| known.keys.iter().all(|(used, _)| used != id));
        let id = free.ok_or_else(|| KeyError::Full(path.to_owned()))?;
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
        let mut new = format!("{HEADING}{}", new_line(id, rng));
        for line in lines {
            let _ = writeln!(new, "{line}");
        }
        write_atomic(path, new.as_bytes(), 0o600).map_err(failed)?;
        Ok(id)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, KeyError> {
        let mut keys: Vec<(u8, LessSafeKey)> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            if line.starts_with('#') || line.trim().is_empty() {
                continue;
            }
            let damaged = || KeyError::Damaged { path: path.to_owned(), line: index + 1 };
            let (id, key) = line.trim().split_once(' ').ok_or_else(damaged)?;
            let id: u8 = id.parse().ok().filter(|id| *id > 0).ok_or_else(damaged)?;
            let key = BASE64_STANDARD.decode(key.trim()).map_err(|_| damaged())?;
            let key = UnboundKey::new(&AES_256_GCM, &key).map_err(|_| damaged())?;
            if keys.iter().any(|(used, _)| *used == id) {
                return Err(damaged());
            }
            keys.push((id, LessSafeKey::new(key)));
        }
        if keys.is_empty() {
            return Err(KeyError::Damaged { path: path.to_owned(), line: 1 });
        }
        Ok(Keys { keys })
    }

    /// The id of the key that seals.
    pub(super) fn first_id(&self) -> u8 {
        self.keys[0].0
    }

    /// Ciphertext and tag, bound to a store key.
    pub(super) fn encrypt(&self, key: &str, nonce: [u8; NONCE], plain: &[u8]) -> Vec<u8> {
        let mut sealed = plain.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.keys[0]
            .1
            .seal_in_place_append_tag(nonce, Aad::from(key.as_bytes()), &mut sealed)
            .expect("an object is far smaller than what a nonce may seal");
        sealed
    }

    /// The plaintext; `None` with the wrong key, place or bytes.
    pub(super) fn decrypt(&self, id: u8, key: &str, nonce: [u8; NONCE], sealed: &[u8]) -> Option<Vec<u8>> {
        let (_, with) = self.keys.iter().find(|(known, _)| *known == id)?;
        let mut bytes = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let plain = with.open_in_place(nonce, Aad::from(key.as_bytes()), &mut bytes).ok()?.len();
        bytes.truncate(plain);
        Some(bytes)
    }
}

fn new_line(id: u8, rng: &Rng) -> String {
    let mut key = [0; KEY];
    rng.fill(&mut key);
    format!("{id} {}\n", BASE64_STANDARD.encode(key))
}
