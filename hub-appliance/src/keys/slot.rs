//! One key slot: the master key, sealed under what one way of unlocking yields.
//!
//! ```text
//! a    = Argon2id(what was typed, salt, cost)                                  32 bytes; see kdf.rs
//! h    = HMAC-SHA256(key of the stick, a ‖ salt)                               for the factor usb; empty without it
//! KEK  = HKDF-SHA256(a ‖ h, salt, "hub key slot v1" ‖ factors)                 typed is empty where a stick is all
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
use super::usb_key::UsbKey;
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
    /// The key on a USB stick.
    Usb,
    Recovery,
}

impl Factor {
    fn name(self) -> &'static str {
        match self {
            Self::Pin => "pin",
            Self::Usb => "usb",
            Self::Recovery => "recovery",
        }
    }

    /// `None` for a factor that this firmware does not know.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Pin, Self::Usb, Self::Recovery]
            .into_iter()
            .find(|factor| factor.name() == name)
    }
}

/// What there is to open a slot with.
#[derive(Clone, Copy)]
pub(super) struct Given<'a> {
    /// What a person typed; empty where nothing was.
    pub(super) typed: &'a [u8],
    /// The key of the stick that is in.
    pub(super) usb: Option<&'a UsbKey>,
}

impl<'a> Given<'a> {
    const fn typed(typed: &'a [u8]) -> Self {
        Self { typed, usb: None }
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
        Self::seal_for(&[factor], Given::typed(typed), master, cost, created)
    }

    /// Seals `master` under what is given for `factors`.
    pub(super) fn seal_for(
        factors: &[Factor],
        given: Given<'_>,
        master: &MasterKey,
        cost: KdfCost,
        created: HubTime,
    ) -> Result<Self, KeysError> {
        let header = Header {
            factors: factors.to_vec(),
            cost,
            salt: random()?,
            created,
        };
        let (kek, _) = header.kek(given)?.ok_or(KeysError::NeedsStick)?;
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
        self.open_by(Given::typed(typed))
    }

    /// As [`Self::open`], by what is given for all of its factors; `None` too if one of them is missing.
    pub(super) fn open_by(&self, given: Given<'_>) -> Result<Option<(MasterKey, Duration)>, KdfError> {
        let opened = self.header.kek(given)?;
        Ok(opened.and_then(|(kek, took)| Some((self.open_with(&kek)?, took))))
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

    /// What it asks for.
    pub(super) fn factors(&self) -> &[Factor] {
        &self.header.factors
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
    /// The key, and how much of the processor it took; `None` where the stick is missing.
    fn kek(&self, given: Given<'_>) -> Result<Option<(Secret<32>, Duration)>, KdfError> {
        let usb = match (self.factors.contains(&Factor::Usb), given.usb) {
            (true, None) => return Ok(None),
            (true, usb) => usb,
            (false, _) => None,
        };
        let (stretched, took) = kdf::timed(given.typed, &self.salt, self.cost)?;
        let mut material = Zeroizing::new(Vec::with_capacity(2 * stretched.expose().len()));
        material.extend(stretched.expose());
        if let Some(usb) = usb {
            let mut message = Zeroizing::new(Vec::with_capacity(stretched.expose().len() + SALT_LEN));
            message.extend(stretched.expose());
            message.extend(self.salt);
            material.extend(usb.hmac(&message).expose());
        }
        let info = [KEK_LABEL, &self.factor_bytes()].concat();
        Ok(Some((kdf::hkdf(&material, &self.salt, &info), took)))
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
