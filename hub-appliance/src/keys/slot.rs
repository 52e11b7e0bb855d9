//! One key slot: the master key, sealed under what one way of unlocking yields.
//!
//! ```text
//! a    = Argon2id(what was typed, salt, cost)                                  32 bytes; see kdf.rs
//! KEK  = HKDF-SHA256(a ‖ h, salt, "hub key slot v1" ‖ factors)                 h: the hardware factor's output, empty without one
//! slot = AES-256-GCM(KEK, nonce, master key, AAD = header)
//!
//! header  = version 1 (u8) ‖ count of factors (u8) ‖ factors ‖ KDF (u8, 1 = Argon2id 1.3)
//!         ‖ memory in KiB (u32) ‖ iterations (u32) ‖ lanes (u32) ‖ salt (16 bytes) ‖ created (i64, epoch ms)
//! factors = for each: length (u8) ‖ name in ASCII                              numbers are big-endian
//! ```
//!
//! In the file, byte strings are base64url without padding, `sealed` is ciphertext ‖ tag:
//!
//! ```json
//! {"factors":["pin"],"created":1700000000000,"kdf":"argon2id","memory_kib":65536,"iterations":3,"lanes":1,
//!  "salt":"…16 bytes…","nonce":"…12 bytes…","sealed":"…48 bytes…"}
//! ```

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::error::KeysError;
use super::kdf::{self, KdfCost, KdfError, SALT_LEN};
use super::master::MasterKey;
use super::sealing::{self, NONCE_LEN, TAG_LEN};
use crate::clock::HubTime;
use crate::secret::Secret;

const HEADER_VERSION: u8 = 1;
const KEK_LABEL: &[u8] = b"hub key slot v1";
const KDF_NAME: &str = "argon2id";
const KDF_CODE: u8 = 1;
const MASTER_LEN: usize = 32;

/// Something a slot asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Factor {
    Pin,
    Recovery,
}

impl Factor {
    fn name(self) -> &'static str {
        match self {
            Self::Pin => "pin",
            Self::Recovery => "recovery",
        }
    }

    /// `None` for a factor that this firmware does not know.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Pin, Self::Recovery]
            .into_iter()
            .find(|factor| factor.name() == name)
    }
}

/// A slot whose factors are all known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    header: Header,
    nonce: [u8; NONCE_LEN],
    sealed: [u8; MASTER_LEN],
    tag: [u8; TAG_LEN],
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Header {
    factors: Vec<Factor>,
    cost: KdfCost,
    salt: [u8; SALT_LEN],
    created: HubTime,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SlotJson {
    factors: Vec<String>,
    created: i64,
    kdf: String,
    memory_kib: u32,
    iterations: u32,
    lanes: u32,
    salt: String,
    nonce: String,
    sealed: String,
}

impl Slot {
    /// Seals `master` under `typed`, which `factor` asks for.
    pub(super) fn seal(
        factor: Factor,
        typed: &[u8],
        master: &MasterKey,
        cost: KdfCost,
        created: HubTime,
    ) -> Result<Self, KeysError> {
        let header = Header {
            factors: vec![factor],
            cost,
            salt: random()?,
            created,
        };
        let (kek, _) = header.kek(typed)?;
        let nonce = random()?;
        let mut buffer = Zeroizing::new(*master.secret().expose());
        let tag = sealing::seal(&kek, nonce, &header.bytes(), &mut *buffer);
        Ok(Self {
            header,
            nonce,
            sealed: *buffer,
            tag,
        })
    }

    /// The master key, and how much of the processor it took to find out; `None` if `typed` is wrong or the slot was
    /// changed.
    pub(super) fn open(&self, typed: &[u8]) -> Result<Option<(MasterKey, Duration)>, KdfError> {
        let (kek, took) = self.header.kek(typed)?;
        Ok(self.open_with(&kek).map(|master| (master, took)))
    }

    /// What one guess at it costs.
    pub(super) fn cost(&self) -> KdfCost {
        self.header.cost
    }

    fn open_with(&self, kek: &Secret<32>) -> Option<MasterKey> {
        let mut master = Secret::new(self.sealed);
        sealing::open(kek, self.nonce, &self.header.bytes(), master.expose_mut(), self.tag)?;
        Some(MasterKey::from_secret(master))
    }

    /// Whether it opens with `factor` and nothing else.
    pub(super) fn asks_for(&self, factor: Factor) -> bool {
        self.header.factors == [factor]
    }

    pub(super) fn to_json(&self) -> impl Serialize + use<> {
        let Header {
            factors,
            cost,
            salt,
            created,
        } = &self.header;
        SlotJson {
            factors: factors.iter().map(|factor| factor.name().to_owned()).collect(),
            created: created.millis(),
            kdf: KDF_NAME.to_owned(),
            memory_kib: cost.memory_kib(),
            iterations: cost.iterations(),
            lanes: cost.lanes(),
            salt: BASE64_URL_SAFE_NO_PAD.encode(salt),
            nonce: BASE64_URL_SAFE_NO_PAD.encode(self.nonce),
            sealed: BASE64_URL_SAFE_NO_PAD.encode([&self.sealed[..], &self.tag].concat()),
        }
    }

    /// Reads a slot; `None` if it is malformed or its cost is out of bounds.
    pub(super) fn from_json(text: &str) -> Option<Self> {
        let json: SlotJson = serde_json::from_str(text).ok()?;
        if json.kdf != KDF_NAME {
            return None;
        }
        let factors = json
            .factors
            .iter()
            .map(|name| Factor::from_name(name))
            .collect::<Option<_>>()?;
        let sealed: [u8; MASTER_LEN + TAG_LEN] = bytes(&json.sealed)?;
        let (sealed, tag) = sealed.split_at(MASTER_LEN);
        Some(Self {
            header: Header {
                factors,
                cost: KdfCost::new(json.memory_kib, json.iterations, json.lanes).ok()?,
                salt: bytes(&json.salt)?,
                created: HubTime::from_millis(json.created),
            },
            nonce: bytes(&json.nonce)?,
            sealed: sealed.try_into().ok()?,
            tag: tag.try_into().ok()?,
        })
    }
}

impl Header {
    /// The key, and how much of the processor it took.
    fn kek(&self, typed: &[u8]) -> Result<(Secret<32>, Duration), KdfError> {
        let (stretched, took) = kdf::timed(typed, &self.salt, self.cost)?;
        let info = [KEK_LABEL, &self.factor_bytes()].concat();
        Ok((kdf::hkdf(stretched.expose(), &self.salt, &info), took))
    }

    fn bytes(&self) -> Vec<u8> {
        let count = u8::try_from(self.factors.len()).unwrap_or(u8::MAX);
        let mut bytes = vec![HEADER_VERSION, count];
        bytes.extend(self.factor_bytes());
        bytes.push(KDF_CODE);
        for number in [self.cost.memory_kib(), self.cost.iterations(), self.cost.lanes()] {
            bytes.extend(number.to_be_bytes());
        }
        bytes.extend(self.salt);
        bytes.extend(self.created.millis().to_be_bytes());
        bytes
    }

    fn factor_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for factor in &self.factors {
            let name = factor.name().as_bytes();
            bytes.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
            bytes.extend(name);
        }
        bytes
    }
}

/// Exactly `N` bytes of base64url without padding.
pub(super) fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A slot and its KEK, so that a test can open thousands without paying for Argon2id each time.
    fn cheap_slot() -> (Slot, Secret<32>) {
        let header = Header {
            factors: vec![Factor::Pin],
            cost: KdfCost::new(65536, 3, 1).unwrap(),
            salt: [7; SALT_LEN],
            created: HubTime::from_millis(1_700_000_000_000),
        };
        let kek = Secret::new([9; 32]);
        let mut sealed = [5; MASTER_LEN];
        let nonce = [3; NONCE_LEN];
        let tag = sealing::seal(&kek, nonce, &header.bytes(), &mut sealed);
        (
            Slot {
                header,
                nonce,
                sealed,
                tag,
            },
            kek,
        )
    }

    fn text_of(slot: &Slot) -> String {
        serde_json::to_string(&slot.to_json()).unwrap()
    }

    #[test]
    fn is_read_back_and_opens() {
        let (slot, kek) = cheap_slot();
        let read = Slot::from_json(&text_of(&slot)).unwrap();
        assert_eq!(read, slot);
        assert_eq!(read.open_with(&kek).unwrap().secret().expose(), &[5; 32]);
        assert!(read.open_with(&Secret::new([8; 32])).is_none());
    }

    #[test]
    fn no_flipped_bit_yields_a_key() {
        let (slot, kek) = cheap_slot();
        let good = text_of(&slot);
        let mut read = 0;
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone().into_bytes();
                bad[at] ^= 1 << bit;
                let Some(bad) = std::str::from_utf8(&bad).ok().and_then(Slot::from_json) else {
                    continue;
                };
                read += 1;
                assert!(bad.open_with(&kek).is_none(), "byte {at}, bit {bit}");
            }
        }
        assert!(
            read > 300,
            "most flips in the values leave a slot that can be read: {read}"
        );
    }

    #[test]
    fn every_part_of_the_header_is_authenticated() {
        let (slot, kek) = cheap_slot();
        let changes: [fn(&mut Header); 6] = [
            |header| header.factors = vec![Factor::Recovery],
            |header| header.factors.push(Factor::Pin),
            |header| header.cost = KdfCost::MINIMUM,
            |header| header.cost = KdfCost::new(65537, 3, 1).unwrap(),
            |header| header.salt[15] ^= 1,
            |header| header.created = header.created.plus_millis(1),
        ];
        for change in changes {
            let mut changed = slot.clone();
            change(&mut changed.header);
            assert!(changed.open_with(&kek).is_none());
        }
    }

    #[test]
    fn a_weak_or_ruinous_cost_is_not_read() {
        let (slot, _) = cheap_slot();
        let good = text_of(&slot);
        for (from, to) in [
            ("65536", "65535"),
            ("65536", "4294967295"),
            ("\"iterations\":3", "\"iterations\":0"),
            ("\"iterations\":3", "\"iterations\":65"),
            ("\"lanes\":1", "\"lanes\":5"),
            ("argon2id", "argon2i"),
            ("\"pin\"", "\"pen\""),
        ] {
            let bad = good.replacen(from, to, 1);
            assert_ne!(bad, good);
            assert!(Slot::from_json(&bad).is_none(), "{to}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text: String) {
            prop_assert!(Slot::from_json(&text).is_none());
        }
    }
}
