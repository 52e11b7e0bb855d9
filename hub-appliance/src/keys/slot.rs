//! One key slot: a private key, sealed under what one way of unlocking yields, and the master key, sealed to its public key.
//!
//! ```text
//! a    = Argon2id(what was typed, salt, cost)                                  32 bytes; see kdf.rs
//! h    = HMAC-SHA256(key of the stick or the board, a ‖ salt)                  for the factors usb and otp; empty without
//! KEK  = HKDF-SHA256(a ‖ h, salt, "hub key slot v1" ‖ factors)                 typed is empty where no PIN is asked for
//! slot = AES-256-GCM(KEK, nonce, private key, AAD = header ‖ public key)       X25519; to it: see sealed_master.rs
//!
//! header  = version 2 (u8) ‖ count of factors (u8) ‖ factors ‖ KDF (u8, 1 = Argon2id 1.3)
//!         ‖ memory in KiB (u32) ‖ iterations (u32) ‖ lanes (u32) ‖ salt (16 bytes) ‖ created (i64, epoch ms)
//!         ‖ board (16 bytes)                                                  for the factor otp: which key it has to be
//! factors = for each: length (u8) ‖ name in ASCII                              numbers are big-endian
//! vouch   = HMAC-SHA256(vouch key of the newest master key, header ‖ public key)
//! ```
//!
//! By the vouch an unlocked hub tells its slots from one that somebody put into the file, before it seals a new master key
//! to them. In the file, byte strings are base64url without padding, `sealed` is ciphertext ‖ tag:
//!
//! ```json
//! {"factors":["pin"],"created":1700000000000,"kdf":"argon2id","memory_kib":65536,"iterations":3,"lanes":1,
//!  "salt":"…16 bytes…","nonce":"…12 bytes…","sealed":"…48 bytes…","public":"…32 bytes…","vouch":"…32 bytes…",
//!  "masters":[{"id":"…16 bytes…","ephemeral":"…32 bytes…","sealed":"…48 bytes…"}]}
//! ```
//!
//! A slot without the last three is of firmware that could not exchange the master key: that is sealed in the private key's
//! place, with `AAD = header`, in which the version is 1.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::board_key::BOARD_ID_LEN;
use super::error::KeysError;
use super::kdf::{self, KdfCost, SALT_LEN};
use super::master::{ID_LEN, MasterKey};
use super::sealed_master::{PUBLIC_LEN, SealedMaster, SealedMasterJson, SlotKey};
use super::sealing::{self, NONCE_LEN, TAG_LEN};
use super::ways::Held;
use crate::clock::HubTime;
use crate::secret::Secret;

/// The version of a header, by the slot's form.
const DIRECT: u8 = 1;
const PAIRED: u8 = 2;
const KEK_LABEL: &[u8] = b"hub key slot v1";
const KDF_NAME: &str = "argon2id";
const KDF_CODE: u8 = 1;
/// Bytes of a master key, and of a private key.
const SEALED_LEN: usize = 32;
/// Master keys that a slot holds: the present one and the one that takes its place.
const MAX_MASTERS: usize = 2;

/// Something a slot asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Factor {
    Pin,
    /// The key on a USB stick.
    Usb,
    /// The board's own key, in memory that is programmed once.
    Otp,
    Recovery,
}

impl Factor {
    fn name(self) -> &'static str {
        match self {
            Self::Pin => "pin",
            Self::Usb => "usb",
            Self::Otp => "otp",
            Self::Recovery => "recovery",
        }
    }

    /// `None` for a factor that this firmware does not know.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Pin, Self::Usb, Self::Otp, Self::Recovery]
            .into_iter()
            .find(|factor| factor.name() == name)
    }
}

/// What there is to open a slot with.
#[derive(Clone, Copy)]
pub(super) struct Given<'a> {
    /// What a person typed; empty where nothing was.
    pub(super) typed: &'a [u8],
    /// What nobody can type.
    pub(super) held: Held<'a>,
}

impl<'a> Given<'a> {
    pub(super) const fn typed(typed: &'a [u8]) -> Self {
        Self {
            typed,
            held: Held::NOTHING,
        }
    }
}

/// A slot whose factors are all known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    header: Header,
    nonce: [u8; NONCE_LEN],
    sealed: [u8; SEALED_LEN],
    tag: [u8; TAG_LEN],
    form: Form,
}

/// What is sealed in a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    /// The master key itself, as firmware did that could not exchange it.
    Direct,
    /// The private key of a pair.
    Paired(Pair),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pair {
    public: [u8; PUBLIC_LEN],
    vouch: [u8; 32],
    /// One, or two while one takes the place of the other: in this order.
    masters: Vec<SealedMaster>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Header {
    factors: Vec<Factor>,
    cost: KdfCost,
    salt: [u8; SALT_LEN],
    created: HubTime,
    /// For the factor otp: which board's key it is.
    board: Option<[u8; BOARD_ID_LEN]>,
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
    // With the factor otp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    board: Option<String>,
    // All three or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    public: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vouch: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    masters: Option<Vec<SealedMasterJson>>,
}

impl Slot {
    /// A slot for `master`, under `typed`, which `factor` asks for.
    pub(super) fn seal(
        factor: Factor,
        typed: &[u8],
        master: &MasterKey,
        cost: KdfCost,
        created: HubTime,
    ) -> Result<Self, KeysError> {
        Self::seal_for(&[factor], Given::typed(typed), master, cost, created)
    }

    /// A slot for `master`, and for the one that follows it, under what is given for `factors`.
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
            board: board_of(factors, given.held),
        };
        let (kek, _) = header.kek(given)?;
        let nonce = random()?;
        let mut private = Secret::random()?;
        let public = SlotKey::of(&private).public();
        let masters = master.each().map(|master| SealedMaster::seal(&master, &public));
        let masters = masters.collect::<Result<_, _>>()?;
        let form = Form::Paired(Pair {
            public,
            vouch: *vouch(&header, &public, master).expose(),
            masters,
        });
        let tag = sealing::seal(&kek, nonce, &header.aad(&form), private.expose_mut());
        Ok(Self {
            header,
            nonce,
            sealed: *private.expose(),
            tag,
            form,
        })
    }

    /// Whether another master key can be sealed to it.
    pub(super) const fn is_paired(&self) -> bool {
        matches!(self.form, Form::Paired(_))
    }

    /// Whether a hub that was open under `master` made it.
    pub(super) fn is_vouched_for(&self, master: &MasterKey) -> bool {
        match &self.form {
            Form::Direct => false,
            Form::Paired(pair) => Secret::new(pair.vouch) == vouch(&self.header, &pair.public, master),
        }
    }

    /// The same slot, which opens to `master` and to the one that follows it, and to nothing else.
    pub(super) fn sealed_to(&self, master: &MasterKey) -> Result<Self, KeysError> {
        let mut slot = self.clone();
        let Form::Paired(pair) = &mut slot.form else {
            return Err(KeysError::OldSlots);
        };
        let masters = master.each().map(|master| SealedMaster::seal(&master, &pair.public));
        pair.masters = masters.collect::<Result<_, _>>()?;
        pair.vouch = *vouch(&slot.header, &pair.public, master).expose();
        Ok(slot)
    }

    /// The same slot with what it holds of this master key alone; `None` where it holds nothing of it.
    pub(super) fn with_only(&self, id: &[u8; ID_LEN]) -> Option<Self> {
        let mut slot = self.clone();
        if let Form::Paired(pair) = &mut slot.form {
            pair.masters.retain(|master| master.id == *id);
            if pair.masters.is_empty() {
                return None;
            }
        }
        Some(slot)
    }

    /// What it opens with, sealed anew in the present form.
    pub(super) fn again(&self, given: Given<'_>, master: &MasterKey) -> Result<Self, KeysError> {
        Self::seal_for(
            &self.header.factors,
            given,
            master,
            self.header.cost,
            self.header.created,
        )
    }

    /// The master key, and how much of the processor it took to find out; `None` if `typed` is wrong or the slot was
    /// changed.
    pub(super) fn open(&self, typed: &[u8]) -> Result<Option<(MasterKey, Duration)>, KeysError> {
        self.open_by(Given::typed(typed))
    }

    /// As [`Self::open`], by what is given for all of its factors; `None` too if one of them is missing or another's. That a
    /// board's key does not answer is an error, for it says nothing of the PIN.
    pub(super) fn open_by(&self, given: Given<'_>) -> Result<Option<(MasterKey, Duration)>, KeysError> {
        match self.header.kek(given) {
            Ok((kek, took)) => Ok(self.open_with(&kek).map(|master| (master, took))),
            Err(KeysError::NeedsStick | KeysError::OtherBoard) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether it asks for the key of a board, and for this one's.
    pub(super) fn is_for_board(&self, id: &[u8; BOARD_ID_LEN]) -> bool {
        self.header.board.as_ref() == Some(id)
    }

    /// What one guess at it costs.
    pub(super) fn cost(&self) -> KdfCost {
        self.header.cost
    }

    fn open_with(&self, kek: &Secret<32>) -> Option<MasterKey> {
        let mut sealed = Secret::new(self.sealed);
        let aad = self.header.aad(&self.form);
        sealing::open(kek, self.nonce, &aad, sealed.expose_mut(), self.tag)?;
        match &self.form {
            Form::Direct => Some(MasterKey::from_secret(sealed)),
            Form::Paired(pair) => {
                let key = SlotKey::of(&sealed);
                let mut masters = pair.masters.iter().map(|master| master.open(&key));
                let master = masters.next()??;
                match masters.next() {
                    Some(next) => Some(master.followed_by(next?)),
                    None => Some(master),
                }
            }
        }
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
            board,
        } = &self.header;
        let pair = match &self.form {
            Form::Direct => None,
            Form::Paired(pair) => Some(pair),
        };
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
            board: board.map(|board| BASE64_URL_SAFE_NO_PAD.encode(board)),
            public: pair.map(|pair| BASE64_URL_SAFE_NO_PAD.encode(pair.public)),
            vouch: pair.map(|pair| BASE64_URL_SAFE_NO_PAD.encode(pair.vouch)),
            masters: pair.map(|pair| pair.masters.iter().map(SealedMaster::to_json).collect()),
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
            .collect::<Option<Vec<_>>>()?;
        let board = match (factors.contains(&Factor::Otp), &json.board) {
            (true, Some(board)) => Some(bytes(board)?),
            (false, None) => None,
            _ => return None,
        };
        let sealed: [u8; SEALED_LEN + TAG_LEN] = bytes(&json.sealed)?;
        let (sealed, tag) = sealed.split_at(SEALED_LEN);
        let form = match (&json.public, &json.vouch, &json.masters) {
            (None, None, None) => Form::Direct,
            (Some(public), Some(vouch), Some(masters)) => Form::Paired(Pair::read(public, vouch, masters)?),
            _ => return None,
        };
        Some(Self {
            header: Header {
                factors,
                cost: KdfCost::new(json.memory_kib, json.iterations, json.lanes).ok()?,
                salt: bytes(&json.salt)?,
                created: HubTime::from_millis(json.created),
                board,
            },
            nonce: bytes(&json.nonce)?,
            sealed: sealed.try_into().ok()?,
            tag: tag.try_into().ok()?,
            form,
        })
    }
}

impl Pair {
    fn read(public: &str, vouch: &str, masters: &[SealedMasterJson]) -> Option<Self> {
        if !(1..=MAX_MASTERS).contains(&masters.len()) {
            return None;
        }
        Some(Self {
            public: bytes(public)?,
            vouch: bytes(vouch)?,
            masters: masters.iter().map(SealedMaster::from_json).collect::<Option<_>>()?,
        })
    }
}

/// What tells that a hub which was open under the newest of these keys made a slot.
fn vouch(header: &Header, public: &[u8; PUBLIC_LEN], master: &MasterKey) -> Secret<32> {
    let newest = master.next().unwrap_or_else(|| master.clone());
    let mut mac = Hmac::<Sha256>::new_from_slice(newest.vouch_key().expose()).expect("HMAC takes keys of any length");
    mac.update(&header.bytes(PAIRED));
    mac.update(public);
    Secret::new(mac.finalize().into_bytes().into())
}

impl Header {
    /// The key, and how much of the processor it took. What is missing is told before anything is computed.
    fn kek(&self, given: Given<'_>) -> Result<(Secret<32>, Duration), KeysError> {
        let Held { usb, board } = given.held;
        let asks_for = |factor| self.factors.contains(&factor);
        let usb = usb.filter(|_| asks_for(Factor::Usb));
        let board = board.filter(|_| asks_for(Factor::Otp));
        match (usb, board) {
            (None, _) if asks_for(Factor::Usb) => return Err(KeysError::NeedsStick),
            (_, None) if asks_for(Factor::Otp) => return Err(KeysError::NeedsBoard),
            (_, Some(board)) if self.board.as_ref() != Some(board.id()) => return Err(KeysError::OtherBoard),
            _ => {}
        }
        let (stretched, took) = kdf::timed(given.typed, &self.salt, self.cost)?;
        let mut material = Zeroizing::new(Vec::with_capacity(3 * stretched.expose().len()));
        material.extend(stretched.expose());
        let mut message = Zeroizing::new(Vec::with_capacity(stretched.expose().len() + SALT_LEN));
        message.extend(stretched.expose());
        message.extend(self.salt);
        if let Some(usb) = usb {
            material.extend(usb.hmac(&message).expose());
        }
        if let Some(board) = board {
            material.extend(board.hmac(&message).ok_or(KeysError::NeedsBoard)?.expose());
        }
        let info = [KEK_LABEL, &self.factor_bytes()].concat();
        Ok((kdf::hkdf(&material, &self.salt, &info), took))
    }

    /// What is authenticated with what is sealed.
    fn aad(&self, form: &Form) -> Vec<u8> {
        match form {
            Form::Direct => self.bytes(DIRECT),
            Form::Paired(pair) => [&self.bytes(PAIRED)[..], &pair.public].concat(),
        }
    }

    fn bytes(&self, version: u8) -> Vec<u8> {
        let count = u8::try_from(self.factors.len()).unwrap_or(u8::MAX);
        let mut bytes = vec![version, count];
        bytes.extend(self.factor_bytes());
        bytes.push(KDF_CODE);
        for number in [self.cost.memory_kib(), self.cost.iterations(), self.cost.lanes()] {
            bytes.extend(number.to_be_bytes());
        }
        bytes.extend(self.salt);
        bytes.extend(self.created.millis().to_be_bytes());
        bytes.extend(self.board.iter().flatten());
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

/// Which board's key a slot with these factors is for; a factor without its key is told when the slot is sealed.
fn board_of(factors: &[Factor], held: Held<'_>) -> Option<[u8; BOARD_ID_LEN]> {
    let board = held.board.filter(|_| factors.contains(&Factor::Otp));
    board.map(|board| *board.id())
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

    /// A slot of either form and its KEK, so that a test can open thousands without paying for Argon2id each time.
    fn cheap_slots() -> [(Slot, Secret<32>); 2] {
        let header = Header {
            factors: vec![Factor::Pin],
            cost: KdfCost::new(65536, 3, 1).unwrap(),
            salt: [7; SALT_LEN],
            created: HubTime::from_millis(1_700_000_000_000),
            board: None,
        };
        let public = SlotKey::of(&Secret::new([6; 32])).public();
        let masters = both()
            .each()
            .map(|master| SealedMaster::seal(&master, &public).unwrap());
        let pair = Pair {
            public,
            vouch: *vouch(&header, &public, &both()).expose(),
            masters: masters.collect(),
        };
        [(Form::Direct, [5; SEALED_LEN]), (Form::Paired(pair), [6; SEALED_LEN])].map(|(form, mut sealed)| {
            let (kek, nonce) = (Secret::new([9; 32]), [3; NONCE_LEN]);
            let tag = sealing::seal(&kek, nonce, &header.aad(&form), &mut sealed);
            let slot = Slot {
                header: header.clone(),
                nonce,
                sealed,
                tag,
                form,
            };
            (slot, kek)
        })
    }

    /// A master key, and the one that takes its place.
    fn both() -> MasterKey {
        let [this, next] = [5, 4].map(|byte| MasterKey::from_secret(Secret::new([byte; 32])));
        this.followed_by(next)
    }

    fn text_of(slot: &Slot) -> String {
        serde_json::to_string(&slot.to_json()).unwrap()
    }

    #[test]
    fn is_read_back_and_opens() {
        for (slot, kek) in cheap_slots() {
            let read = Slot::from_json(&text_of(&slot)).unwrap();
            assert_eq!(read, slot);
            let master = read.open_with(&kek).unwrap();
            assert_eq!(master.secret().expose(), &[5; 32]);
            let next = master.next().map(|next| *next.secret().expose());
            assert_eq!(next, read.is_paired().then_some([4; 32]));
            assert!(read.open_with(&Secret::new([8; 32])).is_none());
        }
    }

    #[test]
    fn no_flipped_bit_yields_a_key_to_go_on_with() {
        for (slot, kek) in cheap_slots() {
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
                    // The vouch has no part in opening.
                    let is_good = bad.open_with(&kek).is_some() && (!bad.is_paired() || bad.is_vouched_for(&both()));
                    assert!(!is_good, "byte {at}, bit {bit}");
                }
            }
            assert!(
                read > 300,
                "most flips in the values leave a slot that can be read: {read}"
            );
        }
    }

    #[test]
    fn another_master_key_is_sealed_to_a_slot_without_what_opens_it() {
        let [(direct, _), (slot, kek)] = cheap_slots();
        let other = MasterKey::from_secret(Secret::new([3; 32]));
        let next = both().next().unwrap();
        assert!(slot.is_vouched_for(&next) && !slot.is_vouched_for(&other));
        let moved = slot.sealed_to(&next.clone().followed_by(other.clone())).unwrap();
        let opened = moved.open_with(&kek).unwrap();
        assert_eq!(opened.secret().expose(), &[4; 32]);
        assert_eq!(opened.next().unwrap().secret().expose(), &[3; 32]);
        assert!(moved.is_vouched_for(&other) && !moved.is_vouched_for(&next));
        let only = moved.with_only(&other.id()).unwrap().open_with(&kek).unwrap();
        assert_eq!(only.secret().expose(), &[3; 32]);
        assert!(only.next().is_none());
        assert_eq!(moved.with_only(&both().id()), None);
        assert!(matches!(direct.sealed_to(&next), Err(KeysError::OldSlots)));
    }

    #[test]
    fn every_part_of_the_header_is_authenticated() {
        let slots = cheap_slots();
        let changes: [fn(&mut Header); 6] = [
            |header| header.factors = vec![Factor::Recovery],
            |header| header.factors.push(Factor::Pin),
            |header| header.cost = KdfCost::MINIMUM,
            |header| header.cost = KdfCost::new(65537, 3, 1).unwrap(),
            |header| header.salt[15] ^= 1,
            |header| header.created = header.created.plus_millis(1),
        ];
        for (change, (slot, kek)) in changes
            .iter()
            .flat_map(|change| slots.iter().map(move |slot| (change, slot)))
        {
            let mut changed = slot.clone();
            change(&mut changed.header);
            assert!(changed.open_with(kek).is_none() && !changed.is_vouched_for(&both()));
        }
    }

    #[test]
    fn a_weak_or_ruinous_cost_is_not_read() {
        let [_, (slot, _)] = cheap_slots();
        let good = text_of(&slot);
        for (from, to) in [
            ("65536", "65535"),
            ("65536", "4294967295"),
            ("\"iterations\":3", "\"iterations\":0"),
            ("\"iterations\":3", "\"iterations\":65"),
            ("\"lanes\":1", "\"lanes\":5"),
            ("argon2id", "argon2i"),
            ("\"pin\"", "\"pen\""),
            ("\"public\":", "\"pablic\":"),
            ("\"masters\":[", "\"masters\":[],\"more\":["),
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
