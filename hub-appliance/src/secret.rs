//! Secret bytes and text: wiped when dropped, compared in constant time, printed as `[secret]`.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A key of `N` bytes.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret<const N: usize>([u8; N]);

impl<const N: usize> Secret<N> {
    /// Takes over `bytes`, which the caller must not keep.
    #[must_use]
    pub fn new(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    /// Fills a new secret from the operating system's random source.
    ///
    /// # Errors
    /// [`getrandom::Error`] if that source cannot be read.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut secret = Self([0; N]);
        getrandom::fill(&mut secret.0)?;
        Ok(secret)
    }

    /// The bytes themselves; the name makes each use stand out in review.
    #[must_use]
    pub fn expose(&self) -> &[u8; N] {
        &self.0
    }

    /// The bytes, for filling in place.
    pub fn expose_mut(&mut self) -> &mut [u8; N] {
        &mut self.0
    }
}

impl<const N: usize> PartialEq for Secret<N> {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl<const N: usize> Eq for Secret<N> {}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// A secret of text: a password, a token, a PIN.
#[derive(Clone, Default, Zeroize, ZeroizeOnDrop)]
pub struct SecretText(String);

impl SecretText {
    /// Takes over `text`, which the caller must not keep.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Words that [`wipe_stack`] overwrites: 16 KiB, well more than a cipher's frames take.
const WIPED_WORDS: usize = 2048;

/// Overwrites the part of the stack that finished calls have just used.
///
/// A cipher may spill its round keys to the stack (AES with wide vector instructions keeps copies of them there), and
/// nobody owns what is left when it returns: without this, it stays in the memory of a worker thread after the lock.
/// Best effort, for the stack's layout is the compiler's; to be called by the function that called the cipher.
#[inline(never)]
pub fn wipe_stack() {
    let mut used = [0_u64; WIPED_WORDS];
    used.zeroize();
    std::hint::black_box(&used);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_nothing_of_itself() {
        assert_eq!(format!("{:?}", Secret::new([7; 32])), "[secret]");
        assert_eq!(format!("{:?}", SecretText::new("1234".into())), "[secret]");
    }
}
