//! Public facts beside the key slots: what a locked hub has to know, and nothing that is secret.
//!
//! Whoever holds the disk can write them. So what could do lasting harm, the clock that never goes back, is believed only
//! once the hub is unlocked, if it is sealed by a key that only an open hub has, and is not beyond what can be:
//! `seal = HMAC-SHA256(facts key, "hub facts v1" ‖ hub id ‖ clock)`, as base64url.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{ApplianceError, VERSION, built_at};
use crate::atomic_file;
use crate::clock::HubTime;
use crate::panel::Language;
use crate::secret::Secret;
use crate::store::SCHEMA_VERSION;
use crate::system::data_disk::{FACTS_FILE, MAX_FACTS};
use crate::system::ntp::BELIEVED_MS;

/// Characters of the hub's name that are written down.
const MAX_NAME: usize = 64;

/// A firmware, by what it makes of the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Writer {
    /// Its version.
    pub(super) firmware: String,
    /// The version of its schema.
    pub(super) schema: i64,
}

impl Writer {
    /// This firmware.
    fn present() -> Self {
        Self {
            firmware: VERSION.to_owned(),
            schema: SCHEMA_VERSION,
        }
    }
}

/// The facts. A file that is missing or cannot be read counts as an empty one: none of them is needed to unlock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Facts {
    /// The hub's id.
    pub(super) hub_id: Option<String>,
    /// The firmware that writes the store. One with an older schema keeps off it.
    pub(super) writer: Option<Writer>,
    /// One that was about to open the store. Whether it changed it before the power was cut, only the store can tell.
    pub(super) next: Option<Writer>,
    /// The one before it, until the store was opened well once with this one: whose store the migration's copy is.
    pub(super) before: Option<Writer>,
    /// A time that the hub clock has shown, epoch ms.
    clock: i64,
    /// Shows that an open hub wrote the clock, this hub.
    seal: Option<String>,
    /// What the hub is called, for a person who has to tell its disk from another.
    hub_name: Option<String>,
    /// How many phones it knows, for the same.
    phones: Option<u32>,
    /// The address that the phones know.
    pub(super) address: Option<Ipv4Addr>,
    /// The address that the hub has instead, until all phones know that one.
    pub(super) moved: Option<Moved>,
    /// What time by the hub clock the newest backup is of, epoch ms.
    pub(super) backed_up_at: Option<i64>,
    /// The code of the language that the panel speaks, if a person chose one.
    pub(super) language: Option<String>,
}

/// Another address than the phones know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Moved {
    to: Ipv4Addr,
    /// When the hub had it first, epoch ms.
    at: i64,
}

impl Facts {
    pub(super) fn load(keys_folder: &Path) -> Self {
        let bytes = atomic_file::read(&path(keys_folder), MAX_FACTS).ok().flatten();
        bytes
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default()
    }

    pub(super) fn save(&self, keys_folder: &Path) -> Result<(), ApplianceError> {
        let json = serde_json::to_vec(self).map_err(|error| ApplianceError::System(error.into()))?;
        atomic_file::write(&path(keys_folder), &json).map_err(ApplianceError::System)
    }

    /// Whether the hub was open once, so that there have to be records.
    pub(super) const fn has_records(&self) -> bool {
        self.hub_id.is_some()
    }

    /// Of a hub that had records before, and has them here from now on.
    pub(super) fn of_hub(hub_id: &str) -> Self {
        Self {
            hub_id: Some(hub_id.to_owned()),
            ..Self::default()
        }
    }

    /// Forgets a hub that was: another one is set up, under another key.
    pub(super) fn begin_anew(&mut self) {
        (self.hub_id, self.writer, self.next, self.before) = (None, None, None, None);
        (self.backed_up_at, self.hub_name, self.phones) = (None, None, None);
    }

    /// Takes notice of what a person tells the hub's disk from another by.
    pub(super) fn set_use(&mut self, hub_name: &str, phones: u32) {
        self.hub_name = Some(hub_name.chars().take(MAX_NAME).collect());
        self.phones = Some(phones);
    }

    /// The firmware that is needed, if the store is newer than this one.
    pub(super) fn needed(&self) -> Option<&str> {
        let writer = self.writer.as_ref()?;
        (writer.schema > SCHEMA_VERSION).then_some(&writer.firmware)
    }

    /// Notes that this firmware is about to open the store, so that an older one that finds a newer schema there can name it.
    pub(super) fn announce(&mut self) {
        let is_newer = |next: &Writer| next.schema > SCHEMA_VERSION;
        if !self.next.as_ref().is_some_and(is_newer) {
            self.next = Some(Writer::present());
        }
    }

    /// Takes notice of the schema that the store was found to have after that. A firmware that did not change it leaves
    /// nothing here.
    pub(super) fn found(&mut self, schema: i64) {
        let next = self.next.take().filter(|next| next.schema == schema);
        if schema == SCHEMA_VERSION {
            self.before = self.writer_before();
            self.writer = Some(Writer::present());
        } else if next.is_some() {
            self.writer = next;
        }
    }

    /// The firmware before, if this one migrates the store, or did and has not opened it well yet.
    pub(super) fn writer_before(&self) -> Option<Writer> {
        let older = self.writer.as_ref().filter(|writer| writer.schema < SCHEMA_VERSION);
        self.before.as_ref().or(older).cloned()
    }

    /// The store is again as the firmware before left it.
    pub(super) fn take_back(&mut self) -> Option<Writer> {
        let before = self.before.take();
        if before.is_some() {
            self.writer.clone_from(&before);
        }
        before
    }

    /// The hub is at `address`, and its phones were last heard of at these times. A phone that was heard of since the hub
    /// came there knows it. Gives whether there is something to be written down.
    pub(super) fn follow_address(
        &mut self,
        address: Ipv4Addr,
        now: HubTime,
        mut heard: impl Iterator<Item = HubTime>,
    ) -> bool {
        let moved = self.address.filter(|known| *known != address).and_then(|_| {
            let moved = self.moved.filter(|moved| moved.to == address);
            let moved = moved.unwrap_or(Moved {
                to: address,
                at: now.millis(),
            });
            heard.any(|heard| heard.millis() <= moved.at).then_some(moved)
        });
        let known = if moved.is_some() { self.address } else { Some(address) };
        let changes = (self.address, self.moved) != (known, moved);
        (self.address, self.moved) = (known, moved);
        changes
    }

    /// The language that a person chose, if this firmware speaks it.
    pub(super) fn language(&self) -> Option<Language> {
        self.language.as_deref().and_then(Language::of_code)
    }

    /// Takes notice of the hub clock and of whose it is. `key` is [`facts_key`](crate::keys::MasterKey::facts_key).
    pub(super) fn set_clock(&mut self, clock: HubTime, key: &Secret<32>) {
        self.clock = clock.millis();
        self.seal = Some(BASE64_URL_SAFE_NO_PAD.encode(self.mac(key).finalize().into_bytes()));
    }

    /// A time that the hub clock has shown; none if no open hub wrote it, or it can't be.
    pub(super) fn clock(&self, key: &Secret<32>) -> Option<HubTime> {
        let seal = BASE64_URL_SAFE_NO_PAD.decode(self.seal.as_ref()?).ok()?;
        self.mac(key).verify_slice(&seal).ok()?;
        let is_possible = self.clock <= built_at().millis().saturating_add(BELIEVED_MS);
        is_possible.then_some(HubTime::from_millis(self.clock))
    }

    fn mac(&self, key: &Secret<32>) -> Hmac<Sha256> {
        // A key shorter than SHA-256's block is padded with zeros (RFC 2104, section 2).
        let mut block = Zeroizing::new([0; 64]);
        block[..32].copy_from_slice(key.expose());
        let mut mac = Hmac::<Sha256>::new((&*block).into());
        let hub_id = self.hub_id.as_deref().unwrap_or_default();
        mac.update(b"hub facts v1");
        mac.update(hub_id.as_bytes());
        mac.update(&self.clock.to_be_bytes());
        mac
    }
}

fn path(keys_folder: &Path) -> PathBuf {
    keys_folder.join(FACTS_FILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Secret<32> {
        Secret::new([7; 32])
    }

    #[test]
    fn a_clock_is_believed_only_as_an_open_hub_wrote_it_and_if_it_can_be() {
        let folder = tempfile::tempdir().unwrap();
        let mut facts = Facts {
            hub_id: Some("h".into()),
            ..Facts::default()
        };
        let time = built_at().plus_millis(1000);
        facts.set_clock(time, &key());
        facts.save(folder.path()).unwrap();
        let read = Facts::load(folder.path());
        assert_eq!(read.clock(&key()), Some(time));
        assert_eq!(read.clock(&Secret::new([8; 32])), None);
        let spoilt = |change: fn(&mut Facts)| {
            let mut facts = read.clone();
            change(&mut facts);
            facts.clock(&key())
        };
        assert_eq!(spoilt(|facts| facts.clock += 1), None);
        assert_eq!(spoilt(|facts| facts.hub_id = Some("i".into())), None);
        assert_eq!(spoilt(|facts| facts.seal = None), None);
        assert_eq!(spoilt(|facts| facts.seal = Some("no base64".into())), None);
        // What a locked hub may write takes nothing from it.
        assert_eq!(spoilt(|facts| facts.language = Some("fr".into())), Some(time));

        let last = built_at().plus_millis(BELIEVED_MS);
        facts.set_clock(last, &key());
        assert_eq!(facts.clock(&key()), Some(last));
        facts.set_clock(last.plus_millis(1), &key());
        assert_eq!(facts.clock(&key()), None);
    }

    fn written_by(schema: i64) -> Facts {
        Facts {
            writer: Some(Writer {
                firmware: "0.0.9".into(),
                schema,
            }),
            ..Facts::default()
        }
    }

    #[test]
    fn read_back_and_do_without_what_older_firmware_did_not_write() {
        let folder = tempfile::tempdir().unwrap();
        let facts = written_by(3);
        facts.save(folder.path()).unwrap();
        assert_eq!(Facts::load(folder.path()), facts);
        std::fs::write(path(folder.path()), br#"{"clock":7,"unknown":[]}"#).unwrap();
        assert_eq!(Facts::load(folder.path()).clock, 7);
        assert_eq!(Facts::load(folder.path()).clock(&key()), None, "nobody answers for it");
        std::fs::write(path(folder.path()), b"{").unwrap();
        assert_eq!(Facts::load(folder.path()), Facts::default());
    }

    #[test]
    fn an_address_is_known_when_every_phone_was_heard_of_there() {
        let [before, after]: [Ipv4Addr; 2] = ["192.168.1.50".parse().unwrap(), "192.168.1.77".parse().unwrap()];
        let mut facts = Facts::default();
        let mut follow = |address, now, heard: &[i64]| {
            let heard = heard.iter().copied().map(HubTime::from_millis);
            let changes = facts.follow_address(address, HubTime::from_millis(now), heard);
            (changes, facts.address)
        };
        assert_eq!(follow(before, 10, &[]), (true, Some(before)));
        assert_eq!(follow(before, 20, &[15, 18]), (false, Some(before)));
        assert_eq!(follow(after, 30, &[15, 18]), (true, Some(before)));
        assert_eq!(
            follow(after, 40, &[15, 35]),
            (false, Some(before)),
            "one does not know it"
        );
        assert_eq!(follow(before, 50, &[15, 35]), (true, Some(before)), "back again");
        assert_eq!(follow(after, 60, &[45, 48]), (true, Some(before)));
        assert_eq!(follow(after, 70, &[62, 65]), (true, Some(after)));
        assert_eq!(
            follow(before, 80, &[]),
            (true, Some(before)),
            "there is no phone to tell"
        );
    }

    #[test]
    fn a_newer_store_needs_the_firmware_that_wrote_it() {
        assert_eq!(written_by(SCHEMA_VERSION + 1).needed(), Some("0.0.9"));
        assert_eq!(written_by(SCHEMA_VERSION).needed(), None);
        assert_eq!(Facts::default().needed(), None);
    }

    #[test]
    fn the_firmware_before_is_remembered_until_a_good_start() {
        let mut facts = written_by(SCHEMA_VERSION - 1);
        let before = facts.writer.clone();
        // The power is cut twice, before and after the store was migrated.
        facts.announce();
        assert_eq!((&facts.writer, facts.writer_before()), (&before, before.clone()));
        facts.announce();
        facts.found(SCHEMA_VERSION);
        assert_eq!(facts.writer, Some(Writer::present()));
        assert_eq!((&facts.before, facts.writer_before()), (&before, before.clone()));
        facts.announce();
        facts.found(SCHEMA_VERSION);
        assert_eq!(facts.before, before);
        assert_eq!(facts.take_back(), before);
        assert_eq!((facts.writer, facts.before), (before, None));

        let mut same = written_by(SCHEMA_VERSION);
        same.announce();
        same.found(SCHEMA_VERSION);
        assert_eq!((same.before, same.next), (None, None));
    }

    #[test]
    fn a_firmware_that_did_not_change_the_store_leaves_nothing() {
        let before = written_by(SCHEMA_VERSION - 1);
        let mut facts = before.clone();
        facts.announce();
        facts.found(SCHEMA_VERSION - 1);
        assert_eq!(facts, before);
    }

    #[test]
    fn what_a_newer_firmware_was_about_to_do_is_told_by_the_store() {
        let newer = written_by(SCHEMA_VERSION + 1).writer;
        let cut = || {
            let mut facts = written_by(SCHEMA_VERSION);
            facts.next.clone_from(&newer);
            assert_eq!(facts.needed(), None, "it is not known yet");
            facts.announce();
            facts
        };
        let mut changed = cut();
        changed.found(SCHEMA_VERSION + 1);
        assert_eq!((changed.needed(), &changed.next), (Some("0.0.9"), &None));
        let mut as_it_was = cut();
        as_it_was.found(SCHEMA_VERSION);
        assert_eq!((as_it_was.writer, as_it_was.next), (Some(Writer::present()), None));
    }
}
