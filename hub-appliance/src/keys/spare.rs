//! The keys that go with a backup: a slot for the recovery code and nothing else, for a PIN's slot on a stick that lies in a
//! drawer could be guessed; and how a hub gets slots for a master key that it had before.

use std::path::Path;

use super::error::{KeysError, UnlockError};
use super::kdf::KdfCost;
use super::key_store::{KeyStore, Prepared};
use super::master::{MasterId, MasterKey};
use super::pin::Pin;
use super::recovery::RecoveryCode;
use super::slot::Factor;
use super::slots_file::SlotsFile;
use super::ways::{Held, Way};
use crate::clock::HubTime;

impl KeyStore {
    /// The content of a `keyslots.json` that the present recovery code opens, and nothing else, for records under the
    /// master key of this id.
    ///
    /// # Errors
    /// [`KeysError::NoSlot`] if there is no recovery slot for it, or what reading the slots reports.
    pub fn spare(&self, master: &MasterId) -> Result<Vec<u8>, KeysError> {
        self.with_slots(|file| {
            let all = file.load()?;
            // A slot of the older form holds the present one.
            if all.master_id != master.0 && all.next_id != Some(master.0) {
                return Err(KeysError::OtherMaster);
            }
            let slots = all.only(Factor::Recovery, &master.0);
            if slots.asking_for(Factor::Recovery).next().is_none() {
                return Err(KeysError::NoSlot);
            }
            Ok(SlotsFile::encode(&slots)?)
        })
    }
}

/// Opens the `keyslots.json` in `folder` by the recovery code that it was made under. Writes nothing.
///
/// # Errors
/// [`UnlockError::Wrong`], or what reading the slots reports.
pub fn unlock_spare(folder: &Path, code: &RecoveryCode) -> Result<MasterKey, UnlockError> {
    let slots = SlotsFile::within(folder).load()?;
    for slot in slots.asking_for(Factor::Recovery) {
        if let Some((master, _)) = slot.open(code.bytes())? {
            if master.id() != slots.master_id {
                return Err(KeysError::Damaged.into());
            }
            return Ok(master);
        }
    }
    Err(UnlockError::Wrong {
        wait: std::time::Duration::ZERO,
        failures: 0,
    })
}

impl Prepared {
    /// As [`Self::new`], for a hub that gets the master key back which it had before, until another takes its place: who has
    /// an older file of slots has that too.
    ///
    /// # Errors
    /// [`KeysError::PinTooShort`], [`KeysError::Random`], [`KeysError::Kdf`].
    pub fn again(master: MasterKey, pin: &Pin, cost: KdfCost, now: HubTime) -> Result<Self, KeysError> {
        let mut prepared = Self::of(master, Way::Pin, pin, Held::NOTHING, cost, now)?;
        prepared.slots.is_due = true;
        Ok(prepared)
    }

    /// The key that the slots hold.
    #[must_use]
    pub const fn master(&self) -> &MasterKey {
        &self.master
    }
}
