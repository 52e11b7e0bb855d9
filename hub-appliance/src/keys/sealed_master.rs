//! A master key, sealed so that only a slot's private key opens it: to seal it takes no more than the slot's public key.
//!
//! So another master key can take the place of one while the recovery code lies in a drawer and the stick is out. It has
//! to be a pair of keys: what seals by a secret that the hub keeps would give that secret to whoever has the old master key.
//!
//! ```text
//! shared = X25519(ephemeral private key, slot's public key)                    refused where it is all zeros
//! key    = HKDF-SHA256(shared, salt = ephemeral public key ‖ slot's public key, "hub master key to a slot v1")
//! sealed = AES-256-GCM(key, nonce of zeros, master key, AAD = id of the master key)
//! ```
//!
//! An ephemeral key is used once, and with it the nonce.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use x25519_dalek::{PublicKey, SharedSecret, StaticSecret};

use super::error::KeysError;
use super::kdf::hkdf;
use super::master::{ID_LEN, MasterKey};
use super::sealing::{self, NONCE_LEN, TAG_LEN};
use super::slot::bytes;
use crate::secret::{Secret, mark_stack};

const LABEL: &[u8] = b"hub master key to a slot v1";
const MASTER_LEN: usize = 32;
/// Bytes of a public key.
pub(super) const PUBLIC_LEN: usize = 32;

/// A slot's private key. It is in memory only while the slot is opened or made.
pub(super) struct SlotKey(Box<StaticSecret>);

impl SlotKey {
    pub(super) fn of(secret: &Secret<32>) -> Self {
        mark_stack();
        Self(Box::new(StaticSecret::from(*secret.expose())))
    }

    pub(super) fn public(&self) -> [u8; PUBLIC_LEN] {
        PublicKey::from(&*self.0).to_bytes()
    }
}

/// One master key, sealed to a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SealedMaster {
    /// Which one it is.
    pub(super) id: [u8; ID_LEN],
    ephemeral: [u8; PUBLIC_LEN],
    sealed: [u8; MASTER_LEN],
    tag: [u8; TAG_LEN],
}

/// As it stands in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SealedMasterJson {
    id: String,
    ephemeral: String,
    sealed: String,
}

impl SealedMaster {
    /// Seals `master`, without the one that follows it, to the slot with this public key.
    ///
    /// # Errors
    /// [`KeysError::Random`]; [`KeysError::Damaged`] for what is no public key.
    pub(super) fn seal(master: &MasterKey, public: &[u8; PUBLIC_LEN]) -> Result<Self, KeysError> {
        let ephemeral = SlotKey::of(&Secret::random()?);
        let sender = ephemeral.public();
        let shared = ephemeral.0.diffie_hellman(&PublicKey::from(*public));
        let key = key(&shared, &sender, public).ok_or(KeysError::Damaged)?;
        let id = master.id();
        let mut sealed = Secret::new(*master.secret().expose());
        let tag = sealing::seal(&key, [0; NONCE_LEN], &id, sealed.expose_mut());
        Ok(Self {
            id,
            ephemeral: sender,
            sealed: *sealed.expose(),
            tag,
        })
    }

    /// The master key; `None` if it was sealed to another slot, or changed.
    pub(super) fn open(&self, slot: &SlotKey) -> Option<MasterKey> {
        let shared = slot.0.diffie_hellman(&PublicKey::from(self.ephemeral));
        let key = key(&shared, &self.ephemeral, &slot.public())?;
        let mut master = Secret::new(self.sealed);
        sealing::open(&key, [0; NONCE_LEN], &self.id, master.expose_mut(), self.tag)?;
        let master = MasterKey::from_secret(master);
        (master.id() == self.id).then_some(master)
    }

    pub(super) fn to_json(&self) -> SealedMasterJson {
        SealedMasterJson {
            id: BASE64_URL_SAFE_NO_PAD.encode(self.id),
            ephemeral: BASE64_URL_SAFE_NO_PAD.encode(self.ephemeral),
            sealed: BASE64_URL_SAFE_NO_PAD.encode([&self.sealed[..], &self.tag].concat()),
        }
    }

    pub(super) fn from_json(json: &SealedMasterJson) -> Option<Self> {
        let sealed: [u8; MASTER_LEN + TAG_LEN] = bytes(&json.sealed)?;
        let (sealed, tag) = sealed.split_at(MASTER_LEN);
        Some(Self {
            id: bytes(&json.id)?,
            ephemeral: bytes(&json.ephemeral)?,
            sealed: sealed.try_into().ok()?,
            tag: tag.try_into().ok()?,
        })
    }
}

fn key(shared: &SharedSecret, ephemeral: &[u8; PUBLIC_LEN], slot: &[u8; PUBLIC_LEN]) -> Option<Secret<32>> {
    mark_stack();
    shared
        .was_contributory()
        .then(|| hkdf(shared.as_bytes(), &[&ephemeral[..], slot].concat(), LABEL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_slot_that_it_was_sealed_to_opens_it() {
        let master = MasterKey::generate().unwrap();
        let [slot, other] = [(); 2].map(|()| SlotKey::of(&Secret::random().unwrap()));
        let sealed = SealedMaster::seal(&master, &slot.public()).unwrap();
        assert_eq!(sealed.open(&slot).unwrap().secret(), master.secret());
        assert!(sealed.open(&other).is_none());
        assert_ne!(
            SealedMaster::seal(&master, &slot.public()).unwrap(),
            sealed,
            "never sealed alike"
        );
        let changes: [fn(&mut SealedMaster); 4] = [
            |sealed| sealed.id[0] ^= 1,
            |sealed| sealed.ephemeral[31] ^= 1,
            |sealed| sealed.sealed[5] ^= 1,
            |sealed| sealed.tag[0] ^= 1,
        ];
        for change in changes {
            let mut changed = sealed.clone();
            change(&mut changed);
            assert!(changed.open(&slot).is_none());
        }
    }

    #[test]
    fn a_point_of_small_order_is_refused_either_way() {
        let master = MasterKey::generate().unwrap();
        assert!(matches!(SealedMaster::seal(&master, &[0; 32]), Err(KeysError::Damaged)));
        let slot = SlotKey::of(&Secret::random().unwrap());
        let mut sealed = SealedMaster::seal(&master, &slot.public()).unwrap();
        sealed.ephemeral = [0; 32];
        assert!(sealed.open(&slot).is_none());
    }
}
