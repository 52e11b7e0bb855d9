//! The key disk: set-up, unlocking, and changing how the hub is unlocked.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::attempts::{Attempts, Refused};
use super::error::{KeysError, UnlockError};
use super::kdf::KdfCost;
use super::master::MasterKey;
use super::pin::Pin;
use super::recovery::RecoveryCode;
use super::slot::{Factor, Given, Slot};
use super::slots_file::{Slots, SlotsFile};
use super::ways::{Held, Way};
use crate::atomic_file;
use crate::clock::HubTime;
use crate::secret::SecretText;

/// The folder of the `HUBKEYS` partition: key slots and attempt counter. One value a folder; it can be shared by threads.
///
/// Unlocking, [`Prepared::new`] and the changes run Argon2id: they take about a second and 64 MiB, so no async thread may
/// call them.
#[derive(Debug)]
pub struct KeyStore {
    folder: PathBuf,
    pub(super) attempts: Attempts,
    /// Held while the files are changed.
    slots: Mutex<SlotsFile>,
    /// Shared with each [`InHand`](super::InHand) that there is.
    pub(super) in_hand: Arc<()>,
}

/// When a slot is sealed anew by what opens it.
#[derive(Clone, Copy, Debug)]
pub struct Renewal {
    /// How long the key derivation is to take.
    pub target: Duration,
    /// Whether slots of an older form are brought up to the present one, which older firmware can't read.
    pub brings_up: bool,
    /// Now.
    pub now: HubTime,
}

/// A set-up that exists in memory only, until the person has confirmed the recovery code.
#[derive(Debug)]
pub struct Prepared {
    pub(super) master: MasterKey,
    recovery: RecoveryCode,
    pub(super) slots: Slots,
}

/// A slot that was opened.
struct Opened {
    master: MasterKey,
    slot: Slot,
    /// How much of the processor that took.
    took: Duration,
}

impl Prepared {
    /// Makes a master key and a recovery code, and seals the one under `pin`, at `cost`, and under the other, for whose 128
    /// random bits the least is enough. Writes nothing.
    ///
    /// # Errors
    /// [`KeysError::PinTooShort`], [`KeysError::Random`], [`KeysError::Kdf`].
    pub fn new(pin: &Pin, cost: KdfCost, now: HubTime) -> Result<Self, KeysError> {
        Self::unlocked_by(Way::Pin, pin, Held::NOTHING, cost, now)
    }

    /// The same for a hub that opens by `way`, with what that takes of `held`. Where a key alone opens it, so does the PIN.
    ///
    /// # Errors
    /// As [`Self::new`]; [`KeysError::NeedsStick`] and [`KeysError::NeedsBoard`] without the key.
    pub fn unlocked_by(way: Way, pin: &Pin, held: Held<'_>, cost: KdfCost, now: HubTime) -> Result<Self, KeysError> {
        Self::of(MasterKey::generate()?, way, pin, held, cost, now)
    }

    pub(super) fn of(
        master: MasterKey,
        way: Way,
        pin: &Pin,
        held: Held<'_>,
        cost: KdfCost,
        now: HubTime,
    ) -> Result<Self, KeysError> {
        let recovery = RecoveryCode::generate()?;
        let with_pin = if way.has_pin() { way } else { Way::Pin };
        let mut slots = vec![
            with_pin.seal(Some(pin), held, &master, cost, now)?,
            Slot::seal(Factor::Recovery, recovery.bytes(), &master, KdfCost::FLOOR, now)?,
        ];
        if !way.has_pin() {
            slots.push(way.seal(None, held, &master, cost, now)?);
        }
        Ok(Self {
            slots: Slots::new(master.id(), slots),
            master,
            recovery,
        })
    }

    /// The code to show to the person.
    #[must_use]
    pub fn recovery(&self) -> &RecoveryCode {
        &self.recovery
    }

    /// The passphrase of the disk that the slots are to be written to.
    #[must_use]
    pub fn luks_passphrase(&self) -> SecretText {
        self.master.luks_passphrase()
    }

    /// Writes the slots: from now on the hub is set up.
    ///
    /// # Errors
    /// [`KeysError::AlreadySetUp`], with nothing changed, if there are key slots, damaged ones too; [`KeysError::Io`].
    pub fn commit(self, store: &KeyStore) -> Result<MasterKey, KeysError> {
        store.with_slots(|file| {
            if file.exists()? {
                return Err(KeysError::AlreadySetUp);
            }
            atomic_file::private_folder(&store.folder)?;
            // First, because slots without a counter look like a counter that somebody deleted.
            store.attempts.reset()?;
            file.save(&self.slots)?;
            Ok(())
        })?;
        Ok(self.master)
    }
}

impl KeyStore {
    /// The key store in `folder`, the mounted `HUBKEYS` partition. Reads nothing yet.
    #[must_use]
    pub fn at(folder: PathBuf) -> Self {
        Self {
            attempts: Attempts::within(&folder),
            slots: Mutex::new(SlotsFile::within(&folder)),
            in_hand: Arc::default(),
            folder,
        }
    }

    /// Whether there are key slots, readable or not.
    ///
    /// # Errors
    /// [`KeysError::Io`] if the disk does not tell.
    pub fn is_set_up(&self) -> Result<bool, KeysError> {
        self.with_slots(|file| Ok(file.exists()?))
    }

    /// Opens the PIN slot.
    ///
    /// # Errors
    /// [`UnlockError`]. An attempt is counted from the moment it is recorded, even if the check then fails for want of memory.
    pub fn unlock_with_pin(&self, pin: &Pin) -> Result<MasterKey, UnlockError> {
        self.try_pin(pin).map(|opened| opened.master)
    }

    /// Opens the PIN slot, and seals it anew where a guess at it costs less than one that takes about the target of this
    /// board's processor: it was made on a slower board, by firmware that measured worse, or at a bad moment; and where it is
    /// of an older form. Where that can't be done the hub opens all the same, and the next time brings the next try.
    ///
    /// # Errors
    /// As [`Self::unlock_with_pin`].
    pub fn unlock_and_strengthen(&self, pin: &Pin, renewal: Renewal) -> Result<MasterKey, UnlockError> {
        let opened = self.try_pin(pin)?;
        if let Err(error) = self.strengthen(&opened, pin, renewal) {
            tracing::warn!(%error, "the PIN's slot stays as it is, though it should be made anew");
        }
        Ok(opened.master)
    }

    fn strengthen(&self, opened: &Opened, pin: &Pin, renewal: Renewal) -> Result<(), KeysError> {
        let Opened { master, slot, took } = opened;
        if !slot.is_paired() && !renewal.brings_up {
            return Ok(());
        }
        if slot.cost().is_too_cheap(*took, renewal.target) {
            let cost = KdfCost::calibrate(renewal.target)?;
            if cost.work() > slot.cost().work() {
                let new = Slot::seal(Factor::Pin, pin.digits(), master, cost, renewal.now)?;
                return self.put_in_place(slot, new);
            }
        }
        self.bring_up(slot, Given::typed(pin.digits()), master, renewal.brings_up)
    }

    /// Seals a slot of an older form anew, by what has just opened it.
    pub(super) fn bring_up(
        &self,
        slot: &Slot,
        given: Given<'_>,
        master: &MasterKey,
        is_allowed: bool,
    ) -> Result<(), KeysError> {
        if slot.is_paired() || !is_allowed {
            return Ok(());
        }
        self.put_in_place(slot, slot.again(given, master)?)
    }

    fn put_in_place(&self, old: &Slot, new: Slot) -> Result<(), KeysError> {
        self.with_slots(|file| {
            let mut slots = file.load()?;
            // Another thread may have put a slot for another PIN there meanwhile.
            if slots.replace(old, new) {
                file.save(&slots)?;
            }
            Ok(())
        })
    }

    fn try_pin(&self, pin: &Pin) -> Result<Opened, UnlockError> {
        let slots = self.slots_asking_for(Factor::Pin)?;
        self.count_attempt()?;
        self.open(&slots, Factor::Pin, pin.digits())
    }

    /// Writes an attempt down before it is made.
    pub(super) fn count_attempt(&self) -> Result<(), UnlockError> {
        self.attempts.record().map_err(|refused| match refused {
            Refused::Wait(remaining) => UnlockError::Wait { remaining },
            Refused::Io(error) => KeysError::Io(error).into(),
        })?;
        Ok(())
    }

    /// Opens the recovery slot, also while a PIN would have to wait: 128 random bits can't be guessed, and the wait is for
    /// those who guess. A wrong code is no attempt, and leaves the wait as it is; the right one ends it. Afterwards the
    /// appliance asks for a new PIN and makes a new code.
    ///
    /// # Errors
    /// [`UnlockError`], but never [`UnlockError::Wait`].
    pub fn unlock_with_recovery(&self, code: &RecoveryCode) -> Result<MasterKey, UnlockError> {
        let slots = self.slots_asking_for(Factor::Recovery)?;
        self.open(&slots, Factor::Recovery, code.bytes())
            .map(|opened| opened.master)
    }

    /// Puts a slot for `pin` in the place of the one with a PIN, with or without a stick; the old PIN opens no slot any more.
    /// No data is touched: that an older file of slots is worth nothing takes [`Self::begin_rotation`].
    ///
    /// # Errors
    /// [`KeysError`]; the old PIN is then still good.
    pub fn change_pin(&self, master: &MasterKey, pin: &Pin, cost: KdfCost, now: HubTime) -> Result<(), KeysError> {
        self.add_way(master, Way::Pin, Some(pin), Held::NOTHING, cost, now)
    }

    /// Puts a slot for `code` in the place of the recovery slot, as [`Self::change_pin`] does; the old code opens no slot any
    /// more. To be called once the person has confirmed the new code.
    ///
    /// # Errors
    /// [`KeysError`]; the old code is then still good.
    pub fn change_recovery(&self, master: &MasterKey, code: &RecoveryCode, now: HubTime) -> Result<(), KeysError> {
        let slot = Slot::seal(Factor::Recovery, code.bytes(), master, KdfCost::FLOOR, now)?;
        self.change(master, Some(slot), |factors| factors == [Factor::Recovery])
    }

    /// How long until the next attempt is allowed; zero on a hub that is not set up.
    #[must_use]
    pub fn wait_remaining(&self) -> Duration {
        if self.has_counter() {
            self.attempts.wait()
        } else {
            Duration::ZERO
        }
    }

    /// Wrong PINs in a row. From ten on, the panel points to the recovery code.
    #[must_use]
    pub fn failures(&self) -> u32 {
        if self.has_counter() {
            self.attempts.failures()
        } else {
            0
        }
    }

    /// Takes `elapsed`, time that passed under power since the last call, off the wait, and returns what is left. To be
    /// called every second or so while the hub is locked; it writes only each ten seconds of waiting and at its end.
    ///
    /// # Errors
    /// [`KeysError::Io`] if the disk refuses; the time counts nevertheless, until the power is cut.
    pub fn serve_wait(&self, elapsed: Duration) -> Result<Duration, KeysError> {
        if self.has_counter() {
            Ok(self.attempts.serve(elapsed)?)
        } else {
            Ok(Duration::ZERO)
        }
    }

    /// Where the disk does not tell whether the hub is set up, it is taken to be.
    fn has_counter(&self) -> bool {
        self.is_set_up().unwrap_or(true)
    }

    /// The slots, of which one or more ask for `factor`.
    fn slots_asking_for(&self, factor: Factor) -> Result<Slots, KeysError> {
        let slots = self.with_slots(|file| file.load())?;
        if slots.asking_for(factor).next().is_none() {
            return Err(KeysError::NoSlot);
        }
        Ok(slots)
    }

    fn open(&self, slots: &Slots, factor: Factor, typed: &[u8]) -> Result<Opened, UnlockError> {
        for slot in slots.asking_for(factor) {
            if let Some((master, took)) = slot.open(typed)? {
                self.after_unlock(slots, &master)?;
                return Ok(Opened {
                    master,
                    slot: slot.clone(),
                    took,
                });
            }
        }
        Err(self.wrong())
    }

    pub(super) fn wrong(&self) -> UnlockError {
        UnlockError::Wrong {
            wait: self.attempts.wait(),
            failures: self.attempts.failures(),
        }
    }

    /// Ends the series of failures, and mends what the files lack. Neither is worth keeping the hub locked for.
    pub(super) fn after_unlock(&self, slots: &Slots, master: &MasterKey) -> Result<(), KeysError> {
        if slots.fitting(master).is_none() {
            return Err(KeysError::Damaged);
        }
        if let Err(error) = self.attempts.reset() {
            tracing::warn!(%error, "the attempt counter could not be reset");
        }
        let mended = self.with_slots(|file| {
            // Read again: another thread may have changed a slot meanwhile.
            let slots = file.load()?;
            Ok(file.save(&slots)?)
        });
        if let Err(error) = mended {
            tracing::warn!(%error, "the key slots could not be checked and mended");
        }
        Ok(())
    }

    /// Takes the slots away that are to go, by their factors, and adds one. Where one goes, the master key is to be another.
    pub(super) fn change(
        &self,
        master: &MasterKey,
        slot: Option<Slot>,
        is_to_go: impl Fn(&[Factor]) -> bool,
    ) -> Result<(), KeysError> {
        self.with_slots(|file| {
            let mut slots = file.load()?;
            let master = slots.fitting(master).ok_or(KeysError::OtherMaster)?;
            slots.is_due |= slots.take_away(is_to_go);
            if let Some(slot) = slot {
                // Since it was made, another master key may have begun to take the place.
                slots.add(slot.sealed_to(&master)?);
            }
            Ok(file.save(&slots)?)
        })
    }

    pub(super) fn with_slots<T>(&self, work: impl FnOnce(&SlotsFile) -> Result<T, KeysError>) -> Result<T, KeysError> {
        work(&self.slots.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
