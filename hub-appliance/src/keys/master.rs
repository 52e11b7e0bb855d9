//! The master key, and the keys that are derived from it.
//!
//! `key = HKDF-SHA256(master, no salt, label)` with one label for each use, all below. Changing a label makes existing
//! data unreadable.

use std::fmt::Write;

use zeroize::Zeroizing;

use super::kdf::hkdf;
use crate::secret::{Secret, SecretText};

const LUKS_LABEL: &[u8] = b"hub luks passphrase v1";
const STORE_LABEL: &[u8] = b"hub sqlcipher key v1";
const VAULT_LABEL: &[u8] = b"hub vault key v1";
const AUDIT_LABEL: &[u8] = b"hub audit key v1";
const FACTS_LABEL: &[u8] = b"hub facts key v1";
const BACKUP_LABEL: &[u8] = b"hub backup key v1";
const ID_LABEL: &[u8] = b"hub master id v1";

/// Bytes of a [`MasterKey::id`].
pub(super) const ID_LEN: usize = 16;

/// The random 256-bit key that every slot holds a sealed copy of; in memory, it exists only while the hub is open.
#[derive(Debug)]
pub struct MasterKey(Secret<32>);

/// The key of the [`Vault`](super::Vault).
#[derive(Debug)]
pub struct VaultKey(Secret<32>);

impl MasterKey {
    pub(super) fn generate() -> Result<Self, getrandom::Error> {
        Secret::random().map(Self)
    }

    pub(super) fn from_secret(secret: Secret<32>) -> Self {
        Self(secret)
    }

    pub(super) fn secret(&self) -> &Secret<32> {
        &self.0
    }

    /// The passphrase of the LUKS volume: 64 lower-case hexadecimal digits, no line feed.
    #[must_use]
    pub fn luks_passphrase(&self) -> SecretText {
        let key: Secret<32> = self.derive(LUKS_LABEL);
        let mut text = Zeroizing::new(String::with_capacity(64));
        for byte in key.expose() {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        SecretText::new(std::mem::take(&mut *text))
    }

    /// The raw key of the SQLCipher database.
    #[must_use]
    pub fn store_key(&self) -> Secret<32> {
        self.derive(STORE_LABEL)
    }

    /// The key of the vault.
    #[must_use]
    pub fn vault_key(&self) -> VaultKey {
        VaultKey(self.derive(VAULT_LABEL))
    }

    /// The key that chains the audit log.
    #[must_use]
    pub fn audit_key(&self) -> Secret<32> {
        self.derive(AUDIT_LABEL)
    }

    /// The key that seals what the public facts say.
    #[must_use]
    pub fn facts_key(&self) -> Secret<32> {
        self.derive(FACTS_LABEL)
    }

    /// The key that shows that an open hub wrote a backup.
    #[must_use]
    pub fn backup_key(&self) -> Secret<32> {
        self.derive(BACKUP_LABEL)
    }

    /// A public name of this key: tells which slots belong together, and nothing about the key.
    pub(super) fn id(&self) -> [u8; ID_LEN] {
        *self.derive(ID_LABEL).expose()
    }

    fn derive<const N: usize>(&self, label: &[u8]) -> Secret<N> {
        hkdf(self.0.expose(), &[], label)
    }
}

impl VaultKey {
    pub(super) fn secret(&self) -> &Secret<32> {
        &self.0
    }
}
