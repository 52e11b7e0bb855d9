//! Secret bytes and text: wiped when dropped, compared in constant time, printed as `[secret]`.
//!
//! Heap memory is wiped when it is freed ([`crate::system::memory`]). What calls leave behind on the stack of a thread
//! that goes on living is wiped by [`wipe_stack`], before that thread sleeps.

use std::cell::Cell;
use std::fmt;
use std::hint::black_box;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A key of `N` bytes. It has one place on the heap, so that moving it leaves no copy behind.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret<const N: usize>(Box<[u8; N]>);

impl<const N: usize> Secret<N> {
    /// Takes over `bytes`, which the caller must not keep.
    #[must_use]
    pub fn new(bytes: [u8; N]) -> Self {
        mark_stack();
        Self(Box::new(bytes))
    }

    /// Fills a new secret from the operating system's random source.
    ///
    /// # Errors
    /// [`getrandom::Error`] if that source cannot be read.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut secret = Self(Box::new([0; N]));
        getrandom::fill(&mut *secret.0)?;
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
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
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

impl PartialEq for SecretText {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for SecretText {}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// How far below a mark calls may have used the stack: what a cipher, a hash or the database need, several times over.
const REACH: usize = 64 * 1024;

/// Bytes that one call of [`wipe_down`] overwrites.
const STEP: usize = 8 * 1024;

thread_local! {
    /// The lowest mark since this thread's stack was wiped; none is the highest address.
    static LOWEST_MARK: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// Notes that from here on downwards this thread's stack may hold secrets: to be called by whoever handles a key, or
/// calls what does.
///
/// A cipher may spill its round keys to the stack (AES with wide vector instructions keeps copies of them there), and
/// nobody owns what is left when it returns.
#[inline(never)]
pub fn mark_stack() {
    let here = black_box(0_u8);
    let address = std::ptr::from_ref(&here).addr();
    LOWEST_MARK.with(|lowest| lowest.set(lowest.get().min(address)));
}

/// Overwrites what finished calls have left on this thread's stack, down to well below the lowest mark; does nothing
/// where there is none. To be called before the thread sleeps, from as high up as possible.
///
/// Best effort, for the stack's layout is the compiler's. What it promises is tested from outside, by reading the whole
/// memory of a locked hub.
pub fn wipe_stack() {
    let lowest = LOWEST_MARK.with(|lowest| lowest.replace(usize::MAX));
    if lowest != usize::MAX {
        wipe_down(lowest.saturating_sub(REACH));
    }
}

#[inline(never)]
fn wipe_down(to: usize) {
    let mut used = [0_u64; STEP / size_of::<u64>()];
    used.zeroize();
    if black_box(&used).as_ptr().addr() > to {
        wipe_down(to);
    }
    // Used after the call too, which keeps it from becoming a loop over one place.
    black_box(&used);
}

/// Runs `work` with its stack marked, and wipes the stack afterwards: for work on a thread that others use after it.
pub fn wiping_stack<T>(work: impl FnOnce() -> T) -> T {
    let outcome = marked(work);
    wipe_stack();
    outcome
}

/// A frame of its own for `work`, so that its variables lie where the wiping reaches.
#[inline(never)]
fn marked<T>(work: impl FnOnce() -> T) -> T {
    mark_stack();
    work()
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
