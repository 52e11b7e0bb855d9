//! The master key, the keys that are derived from it, and the one that takes its place.
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
const VOUCH_LABEL: &[u8] = b"hub slot vouch v1";

/// Bytes of a [`MasterKey::id`].
pub(super) const ID_LEN: usize = 16;

/// The random 256-bit key that every slot holds a sealed copy of; in memory, it exists only while it is needed.
///
/// While another one takes its place, a slot opens to both, and what lies on the disk is under either of them.
#[derive(Clone, Debug)]
pub struct MasterKey {
    key: Secret<32>,
    next: Option<Secret<32>>,
}

/// A public name of a master key: it tells nothing about the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MasterId(pub(super) [u8; ID_LEN]);

/// The key of the [`Vault`](super::Vault).
#[derive(Debug)]
pub struct VaultKey(Secret<32>);

impl MasterKey {
    pub(super) fn generate() -> Result<Self, getrandom::Error> {
        Secret::random().map(Self::from_secret)
    }

    pub(super) const fn from_secret(key: Secret<32>) -> Self {
        Self { key, next: None }
    }

    pub(super) fn secret(&self) -> &Secret<32> {
        &self.key
    }

    /// The same key, with the one that takes its place.
    pub(super) fn followed_by(self, next: Self) -> Self {
        Self {
            next: Some(next.key),
            ..self
        }
    }

    /// The key that takes the place of this one, if that has begun.
    #[must_use]
    pub fn next(&self) -> Option<Self> {
        self.next.clone().map(Self::from_secret)
    }

    /// The keys that something on the disk can be under, each alone: this one, and the one that takes its place.
    pub fn each(&self) -> impl Iterator<Item = Self> + use<> {
        let this = Self::from_secret(self.key.clone());
        std::iter::once(this).chain(self.next())
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

    /// The key that tells which slots an unlocked hub made.
    pub(super) fn vouch_key(&self) -> Secret<32> {
        self.derive(VOUCH_LABEL)
    }

    /// What it is known by.
    #[must_use]
    pub fn name(&self) -> MasterId {
        MasterId(self.id())
    }

    /// A public name of this key: tells which slots belong together, and nothing about the key.
    pub(super) fn id(&self) -> [u8; ID_LEN] {
        *self.derive(ID_LABEL).expose()
    }

    fn derive<const N: usize>(&self, label: &[u8]) -> Secret<N> {
        hkdf(self.key.expose(), &[], label)
    }
}

impl VaultKey {
    pub(super) fn secret(&self) -> &Secret<32> {
        &self.0
    }
}
