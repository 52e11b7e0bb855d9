//! AES-256-GCM (NIST SP 800-38D) in place, with a 96-bit nonce and a 128-bit tag.

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Key, Nonce, Tag};

use crate::secret::Secret;

/// Bytes of a nonce.
pub(super) const NONCE_LEN: usize = 12;
/// Bytes of a tag.
pub(super) const TAG_LEN: usize = 16;

/// Encrypts `buffer` in place and returns its tag. A key must see each nonce once.
pub(super) fn seal(key: &Secret<32>, nonce: [u8; NONCE_LEN], aad: &[u8], buffer: &mut [u8]) -> [u8; TAG_LEN] {
    cipher(key)
        .encrypt_inout_detached(&Nonce::from(nonce), aad, buffer.into())
        .expect("what the keys room seals is far below the cipher's limit of 64 GiB")
        .into()
}

/// Decrypts `buffer` in place; `None`, with `buffer` as it was, if the tag does not fit.
pub(super) fn open(
    key: &Secret<32>,
    nonce: [u8; NONCE_LEN],
    aad: &[u8],
    buffer: &mut [u8],
    tag: [u8; TAG_LEN],
) -> Option<()> {
    cipher(key)
        .decrypt_inout_detached(&Nonce::from(nonce), aad, buffer.into(), &Tag::from(tag))
        .ok()
}

fn cipher(key: &Secret<32>) -> Aes256Gcm {
    Aes256Gcm::new(<&Key<Aes256Gcm>>::from(key.expose()))
}
