//! `keyslots.json`: all slots, in two files of which one is whole at any moment.
//!
//! The frame is that of [`checked_file`], version 2, with the body
//!
//! ```json
//! {"master_id":"…16 bytes, base64url…","next_id":"…the same…","due":true,"slots":[…]}
//! ```
//!
//! `master_id` names the master key: HKDF-SHA256(master, no salt, "hub master id v1", 16 bytes); `next_id` the one that takes
//! its place, while it does; `due` says that one has to (see [`super::rotation`]). Slots: see [`slot`]. A slot with a factor
//! that this firmware does not know is kept as it stands and skipped, until the master key is another. Version 1 knows
//! neither of the two, nor slots of the present form; a file that needs nothing of them is left in it, so that the firmware
//! of before can read it as long as the records may be put back for that.
//!
//! A change is written to `keyslots.json`, and once that is safe also to `keyslots.previous.json`. Until then the latter
//! holds the generation before; afterwards it is a second copy against bit rot. It is brought level because a generation
//! that stayed behind would still open with the PIN or the recovery code that the change took away.

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::checked_file;
use super::error::KeysError;
use super::master::{ID_LEN, MasterKey};
use super::slot::{self, Factor, Slot};
use crate::atomic_file;

/// The newest version of `keyslots.json` that this firmware reads, and writes.
pub(super) const VERSION: u32 = 2;
const FIRST_VERSION: u32 = 1;
const MAX_BYTES: usize = 64 * 1024;
const MAX_SLOTS: usize = 16;

/// Both files.
#[derive(Debug)]
pub(super) struct SlotsFile {
    current: PathBuf,
    previous: PathBuf,
}

/// What is in the file.
#[derive(Debug)]
pub(super) struct Slots {
    pub(super) master_id: [u8; ID_LEN],
    /// The master key that takes its place.
    pub(super) next_id: Option<[u8; ID_LEN]>,
    /// Whether another one has to.
    pub(super) is_due: bool,
    entries: Vec<Entry>,
}

#[allow(clippy::large_enum_variant, reason = "a file has a few of them, and most are known")]
#[derive(Debug)]
enum Entry {
    Known(Slot),
    Foreign(Box<RawValue>),
}

#[derive(Serialize, Deserialize)]
struct BodyJson {
    master_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_id: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    due: bool,
    slots: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
struct FactorsJson {
    factors: Vec<String>,
}

/// What became of one of the two files.
enum Generation {
    Whole(Slots),
    Newer(u32),
    Damaged,
    Unreadable(io::Error),
    Absent,
}

impl SlotsFile {
    pub(super) fn within(folder: &Path) -> Self {
        Self {
            current: folder.join("keyslots.json"),
            previous: folder.join("keyslots.previous.json"),
        }
    }

    pub(super) fn exists(&self) -> io::Result<bool> {
        Ok(self.current.try_exists()? || self.previous.try_exists()?)
    }

    /// The newest generation that is whole.
    pub(super) fn load(&self) -> Result<Slots, KeysError> {
        use Generation::{Absent, Damaged, Newer, Unreadable, Whole};
        let current = match generation(&self.current) {
            Whole(slots) => return Ok(slots),
            Newer(found) => return Err(KeysError::NewerVersion { found }),
            gone => gone,
        };
        match (current, generation(&self.previous)) {
            (_, Whole(slots)) => Ok(slots),
            (_, Newer(found)) => Err(KeysError::NewerVersion { found }),
            (Absent, Absent) => Err(KeysError::NotSetUp),
            (Unreadable(error), _) | (_, Unreadable(error)) => Err(error.into()),
            (Damaged, _) | (_, Damaged) | (Whole(_) | Newer(_), Absent) => Err(KeysError::Damaged),
        }
    }

    /// The content of a file with these slots.
    pub(super) fn encode(slots: &Slots) -> io::Result<Vec<u8>> {
        checked_file::encode(slots.version(), &slots.to_json()?)
    }

    /// Writes whichever of the two files does not hold `slots` yet, the current one first. An error means that the
    /// current one could not be written.
    pub(super) fn save(&self, slots: &Slots) -> io::Result<()> {
        let bytes = Self::encode(slots)?;
        level(&self.current, &bytes)?;
        if let Err(error) = level(&self.previous, &bytes) {
            // The change itself is safe, and the next unlock saves again.
            tracing::warn!(%error, "the second copy of the key slots could not be written");
        }
        Ok(())
    }

    /// As [`Self::save`], but an error means that either of the two could not be written: for slots without which what is on
    /// the disk would open no more, of which there have to be two copies.
    pub(super) fn save_both(&self, slots: &Slots) -> io::Result<()> {
        let bytes = Self::encode(slots)?;
        level(&self.current, &bytes)?;
        level(&self.previous, &bytes)
    }
}

fn level(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match atomic_file::read(path, MAX_BYTES) {
        Ok(Some(there)) if there == bytes => Ok(()),
        _ => atomic_file::write(path, bytes),
    }
}

fn generation(path: &Path) -> Generation {
    let bytes = match atomic_file::read(path, MAX_BYTES) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Generation::Absent,
        Err(error) if error.kind() == io::ErrorKind::InvalidData => return Generation::Damaged,
        Err(error) => return Generation::Unreadable(error),
    };
    content(&bytes)
}

fn content(bytes: &[u8]) -> Generation {
    match checked_file::decode(bytes) {
        Some((FIRST_VERSION..=VERSION, body)) => {
            Slots::from_json(body.get()).map_or(Generation::Damaged, Generation::Whole)
        }
        Some((newer, _)) if newer > VERSION => Generation::Newer(newer),
        _ => Generation::Damaged,
    }
}

/// How many ways to unlock the content of a `keyslots.json` has, those of newer firmware among them. Nothing is opened.
///
/// # Errors
/// [`KeysError::Damaged`], [`KeysError::NewerVersion`].
pub fn count_slots(bytes: &[u8]) -> Result<usize, KeysError> {
    match content(bytes) {
        Generation::Whole(slots) => Ok(slots.entries.len()),
        Generation::Newer(found) => Err(KeysError::NewerVersion { found }),
        _ => Err(KeysError::Damaged),
    }
}

impl Slots {
    pub(super) fn new(master_id: [u8; ID_LEN], slots: impl IntoIterator<Item = Slot>) -> Self {
        Self {
            master_id,
            next_id: None,
            is_due: false,
            entries: slots.into_iter().map(Entry::Known).collect(),
        }
    }

    /// The first version that can hold this.
    fn version(&self) -> u32 {
        let is_of_the_first = self.next_id.is_none() && !self.is_due && !self.known().any(Slot::is_paired);
        if is_of_the_first { FIRST_VERSION } else { VERSION }
    }

    /// The slots whose factors are known.
    pub(super) fn known(&self) -> impl Iterator<Item = &Slot> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Known(slot) => Some(slot),
            Entry::Foreign(_) => None,
        })
    }

    /// What of `master` the slots hold: that which they are for, and the one that takes its place, if one does. `None` if
    /// they are another's.
    pub(super) fn fitting(&self, master: &MasterKey) -> Option<MasterKey> {
        let of = |id: &[u8; ID_LEN]| master.each().find(|master| master.id() == *id);
        let present = of(&self.master_id)?;
        match &self.next_id {
            None => Some(present),
            Some(next) => Some(present.followed_by(of(next)?)),
        }
    }

    /// Puts others in the place of all slots. Those with unknown factors go.
    pub(super) fn replace_all(&mut self, slots: Vec<Slot>) {
        self.entries = slots.into_iter().map(Entry::Known).collect();
    }

    /// The slots that open with `factor` alone.
    pub(super) fn asking_for(&self, factor: Factor) -> impl Iterator<Item = &Slot> {
        self.entries.iter().filter_map(move |entry| match entry {
            Entry::Known(slot) if slot.asks_for(factor) => Some(slot),
            _ => None,
        })
    }

    /// Those of them that open with `factor` alone, as far as they hold the master key of this id.
    pub(super) fn only(&self, factor: Factor, id: &[u8; ID_LEN]) -> Self {
        let slots = self.asking_for(factor).filter_map(|slot| slot.with_only(id));
        Self::new(*id, slots.collect::<Vec<_>>())
    }

    /// The slots that ask for these factors and no others.
    pub(super) fn of(&self, factors: &[Factor]) -> impl Iterator<Item = &Slot> {
        self.entries.iter().filter_map(move |entry| match entry {
            Entry::Known(slot) if slot.factors() == factors => Some(slot),
            _ => None,
        })
    }

    /// Takes the slots away that are to go, by their factors, and says whether there was one. Those with unknown ones stay.
    pub(super) fn take_away(&mut self, is_to_go: impl Fn(&[Factor]) -> bool) -> bool {
        let before = self.entries.len();
        self.entries
            .retain(|entry| !matches!(entry, Entry::Known(slot) if is_to_go(slot.factors())));
        self.entries.len() < before
    }

    /// One more slot.
    pub(super) fn add(&mut self, slot: Slot) {
        self.entries.push(Entry::Known(slot));
    }

    /// Puts `new` in the place of `old`, and says whether that was there.
    pub(super) fn replace(&mut self, old: &Slot, new: Slot) -> bool {
        let place = self.entries.iter_mut().find_map(|entry| match entry {
            Entry::Known(slot) if slot == old => Some(slot),
            _ => None,
        });
        place.map(|slot| *slot = new).is_some()
    }

    fn to_json(&self) -> io::Result<BodyJson> {
        let slots = self.entries.iter().map(|entry| match entry {
            Entry::Known(slot) => to_raw_value(&slot.to_json()),
            Entry::Foreign(raw) => Ok(raw.clone()),
        });
        Ok(BodyJson {
            master_id: BASE64_URL_SAFE_NO_PAD.encode(self.master_id),
            next_id: self.next_id.map(|id| BASE64_URL_SAFE_NO_PAD.encode(id)),
            due: self.is_due,
            slots: slots.collect::<Result<_, _>>()?,
        })
    }

    fn from_json(text: &str) -> Option<Self> {
        let json: BodyJson = serde_json::from_str(text).ok()?;
        if json.slots.len() > MAX_SLOTS {
            return None;
        }
        Some(Self {
            master_id: slot::bytes(&json.master_id)?,
            next_id: match &json.next_id {
                Some(id) => Some(slot::bytes(id)?),
                None => None,
            },
            is_due: json.due,
            entries: json.slots.into_iter().map(Entry::from_raw).collect::<Option<_>>()?,
        })
    }
}

impl Entry {
    fn from_raw(raw: Box<RawValue>) -> Option<Self> {
        let FactorsJson { factors } = serde_json::from_str(raw.get()).ok()?;
        if factors.iter().all(|name| Factor::from_name(name).is_some()) {
            Slot::from_json(raw.get()).map(Self::Known)
        } else {
            Some(Self::Foreign(raw))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn load(folder: &Path, body: &str) -> Result<Slots, KeysError> {
        let body = RawValue::from_string(body.to_owned()).unwrap();
        let file = SlotsFile::within(folder);
        std::fs::write(&file.current, checked_file::encode(VERSION, &body).unwrap()).unwrap();
        file.load()
    }

    /// The checksum is made to fit, so what is refused is refused for its content.
    #[test]
    fn a_body_of_another_shape_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let id = "A".repeat(22);
        let slots = |slots: &str| format!(r#"{{"master_id":"{id}","slots":{slots}}}"#);
        assert!(load(folder.path(), &slots("[]")).is_ok());
        assert!(load(folder.path(), &slots(r#"[{"factors":["iris"]}]"#)).is_ok());
        for bad in [
            "null".to_owned(),
            "[]".to_owned(),
            "{}".to_owned(),
            slots("null"),
            slots("[null]"),
            slots("[{}]"),
            slots(r#"[{"factors":"pin"}]"#),
            slots(r#"[{"factors":[]}]"#),
            slots(r#"[{"factors":["pin"]}]"#),
            slots(r#"[{"factors":[1]}]"#),
            slots(&"[".repeat(200)).replace('}', &("]".repeat(200) + "}")),
        ] {
            assert!(matches!(load(folder.path(), &bad), Err(KeysError::Damaged)), "{bad}");
        }
    }

    #[test]
    fn a_disk_that_cannot_be_read_is_not_taken_for_one_without_slots() {
        let folder = tempfile::tempdir().unwrap();
        let file = SlotsFile::within(folder.path());
        assert!(matches!(file.load(), Err(KeysError::NotSetUp)));
        std::fs::create_dir(&file.current).unwrap();
        assert!(file.exists().unwrap());
        assert!(matches!(file.load(), Err(KeysError::Io(_))));
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let folder = tempfile::tempdir().unwrap();
            let file = SlotsFile::within(folder.path());
            std::fs::write(&file.current, &bytes).unwrap();
            prop_assert!(matches!(file.load(), Err(KeysError::Damaged)));
        }
    }
}
