//! Another master key in the place of the present one, so that an older file of slots is worth nothing any more.
//!
//! A slot that goes leaves the master key as it is: whoever copied `keyslots.json` before, and knows the PIN or the code of
//! then, would still open the hub by it. So each change that takes a way to unlock away makes another master key **due**.
//! An open hub then goes these steps, each of which can be cut short and is gone again at the next unlock:
//!
//! | step | the slots | the disk | opens by an older file |
//! |---|---|---|---|
//! | a way goes | present key, due | under the present key | yes |
//! | [`KeyStore::begin_rotation`] | both keys, for each slot | under the present key | yes |
//! | whoever owns the disk brings it under the next key, part by part, and takes the present one off | both | under either | less and less |
//! | [`KeyStore::finish_rotation`] | the next key | under the next key | no |
//!
//! As long as the slots hold both, whatever is on the disk opens by one of them.
//!
//! To seal the next key to a slot takes the slot's public key alone (see [`super::sealed_master`]); only slots get it that the
//! hub itself made. Slots of the older form have no public key: with one of those the rotation waits until the slot was
//! opened once, or is made anew.

use std::sync::Arc;

use super::error::KeysError;
use super::key_store::KeyStore;
use super::master::MasterKey;
use super::slot::{Factor, Slot};

/// How it is with the master key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// It is the one that it is to be.
    Settled,
    /// Another is to take its place, or is about to.
    Due,
    /// As [`Self::Due`]; before that a slot of an older form has to be made anew.
    Waits {
        /// Whether a new recovery code is all that it takes.
        for_code: bool,
    },
}

/// As long as there is one, a master key that was opened since is the one to change something with: none begins to take its
/// place, and none that has begun to is the only one. Who proved to know the PIN may think about what comes next meanwhile.
#[derive(Debug)]
pub struct InHand {
    _shared: Arc<()>,
}

impl KeyStore {
    /// From now on the master key is in somebody's hand; to be called before it is opened.
    #[must_use]
    pub fn in_hand(&self) -> InHand {
        InHand {
            _shared: Arc::clone(&self.in_hand),
        }
    }

    /// To be called while the slots are held: who takes the master key in hand later opens slots that are as this leaves them.
    fn is_in_nobodys_hand(&self) -> Result<(), KeysError> {
        if Arc::strong_count(&self.in_hand) > 1 {
            return Err(KeysError::InHand);
        }
        Ok(())
    }

    /// How it is with the master key.
    ///
    /// # Errors
    /// [`KeysError`] if the slots can't be read.
    pub fn rotation(&self) -> Result<Rotation, KeysError> {
        let slots = self.with_slots(|file| file.load())?;
        let mut old = slots.known().filter(|slot| !slot.is_paired()).peekable();
        Ok(match (slots.is_due, slots.next_id.is_some(), old.peek()) {
            (false, false, _) => Rotation::Settled,
            (true, false, Some(_)) => Rotation::Waits {
                for_code: old.all(|slot| slot.asks_for(Factor::Recovery)),
            },
            _ => Rotation::Due,
        })
    }

    /// Has every slot open to another master key too, where one is due, and gives both. Gives them too where that was begun
    /// before, and none where nothing is to be done, or nothing can be.
    ///
    /// # Errors
    /// [`KeysError::InHand`] for as long as somebody is using the master key, with nothing done.
    /// [`KeysError`]; then the slots are as they were, or one of the two files of slots has both keys already: nothing may be
    /// brought under the next one before the other has them too.
    pub fn begin_rotation(&self, master: &MasterKey) -> Result<Option<MasterKey>, KeysError> {
        self.with_slots(|file| {
            let mut slots = file.load()?;
            let master = slots.fitting(master).ok_or(KeysError::OtherMaster)?;
            if slots.next_id.is_some() {
                file.save_both(&slots)?;
                return Ok(Some(master));
            }
            if !slots.is_due || !slots.known().all(Slot::is_paired) {
                return Ok(None);
            }
            self.is_in_nobodys_hand()?;
            let next = MasterKey::generate()?;
            slots.next_id = Some(next.id());
            slots.is_due = false;
            let (ours, others): (Vec<_>, Vec<_>) = slots.known().partition(|slot| slot.is_vouched_for(&master));
            if !others.is_empty() {
                tracing::error!(
                    count = others.len(),
                    "key slots that no hub of this key made are left out"
                );
            }
            let both = master.followed_by(next);
            let sealed = ours.into_iter().map(|slot| slot.sealed_to(&both));
            let sealed = sealed.collect::<Result<_, _>>()?;
            slots.replace_all(sealed);
            file.save_both(&slots)?;
            Ok(Some(both))
        })
    }

    /// Has every slot open to the next master key alone, and gives that. To be called when nothing on the disk is under the
    /// present one any more.
    ///
    /// # Errors
    /// [`KeysError::InHand`] for as long as somebody is using the master key, or another; then the slots are as they were.
    pub fn finish_rotation(&self, master: &MasterKey) -> Result<MasterKey, KeysError> {
        self.with_slots(|file| {
            let mut slots = file.load()?;
            let master = slots.fitting(master).ok_or(KeysError::OtherMaster)?;
            let next = master.next().ok_or(KeysError::OtherMaster)?;
            self.is_in_nobodys_hand()?;
            let kept = slots.known().filter_map(|slot| slot.with_only(&next.id())).collect();
            slots.replace_all(kept);
            slots.master_id = next.id();
            slots.next_id = None;
            file.save(&slots)?;
            Ok(next)
        })
    }
}
