//! The ways to unlock, beside the recovery code, and how they are changed.
//!
//! There is one slot a way. A PIN alone and a PIN with a stick take each other's place: whoever wants both to be asked for
//! wants neither to be enough.

use super::error::{KeysError, UnlockError};
use super::kdf::KdfCost;
use super::key_store::KeyStore;
use super::master::MasterKey;
use super::pin::Pin;
use super::slot::{Factor, Given, Slot};
use super::usb_key::UsbKey;
use crate::clock::HubTime;

/// A way to unlock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The PIN alone.
    Pin,
    /// The PIN, with the stick in.
    PinAndStick,
    /// The stick alone, without a person.
    Stick,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pin, Self::PinAndStick, Self::Stick];

    const fn factors(self) -> &'static [Factor] {
        match self {
            Self::Pin => &[Factor::Pin],
            Self::PinAndStick => &[Factor::Pin, Factor::Usb],
            Self::Stick => &[Factor::Usb],
        }
    }

    /// Whether a PIN is typed.
    #[must_use]
    pub const fn has_pin(self) -> bool {
        matches!(self, Self::Pin | Self::PinAndStick)
    }

    /// Whether the stick has to be in.
    #[must_use]
    pub const fn has_stick(self) -> bool {
        matches!(self, Self::PinAndStick | Self::Stick)
    }

    /// How few digits a PIN may have where it opens in this way; none is typed for the stick alone.
    #[must_use]
    pub const fn fewest_digits(self) -> usize {
        match self {
            Self::Pin => Pin::MIN_DIGITS_ALONE,
            Self::PinAndStick | Self::Stick => Pin::MIN_DIGITS,
        }
    }

    /// Whether a slot with these factors goes when this way is added.
    fn replaces(self, factors: &[Factor]) -> bool {
        factors == self.factors()
            || self.has_pin() && factors.contains(&Factor::Pin)
            // One that is enough alone would make the other's being asked for worth nothing.
            || self == Self::PinAndStick && factors == Self::Stick.factors()
    }
}

impl KeyStore {
    /// The ways in which this hub is unlocked.
    ///
    /// # Errors
    /// [`KeysError`] if the slots can't be read.
    pub fn ways(&self) -> Result<Vec<Way>, KeysError> {
        let slots = self.with_slots(|file| file.load())?;
        let is_there = |way: &Way| slots.of(way.factors()).next().is_some();
        Ok(Way::ALL.into_iter().filter(is_there).collect())
    }

    /// Opens the slot for the PIN and the key of the stick that is in. Counts like a PIN alone. `brings_up`: see [`Renewal`](super::Renewal).
    ///
    /// # Errors
    /// [`UnlockError`]; [`KeysError::NeedsStick`], with nothing counted, without a key.
    pub fn unlock_with_pin_and_stick(
        &self,
        pin: &Pin,
        usb: Option<&UsbKey>,
        brings_up: bool,
    ) -> Result<MasterKey, UnlockError> {
        let usb = usb.ok_or(KeysError::NeedsStick)?;
        self.has_way(Way::PinAndStick)?;
        self.count_attempt()?;
        self.open_way(Way::PinAndStick, pin.digits(), usb, brings_up)
    }

    /// Opens the slot for the key of a stick alone. It is no attempt: 256 random bits are not guessed. `brings_up`: see
    /// [`Renewal`](super::Renewal).
    ///
    /// # Errors
    /// [`UnlockError`], but never [`UnlockError::Wait`].
    pub fn unlock_with_stick(&self, usb: &UsbKey, brings_up: bool) -> Result<MasterKey, UnlockError> {
        self.has_way(Way::Stick)?;
        self.open_way(Way::Stick, &[], usb, brings_up)
    }

    fn has_way(&self, way: Way) -> Result<(), KeysError> {
        if self.ways()?.contains(&way) {
            Ok(())
        } else {
            Err(KeysError::NoSlot)
        }
    }

    fn open_way(&self, way: Way, typed: &[u8], usb: &UsbKey, brings_up: bool) -> Result<MasterKey, UnlockError> {
        let slots = self.with_slots(|file| file.load())?;
        let given = Given { typed, usb: Some(usb) };
        for slot in slots.of(way.factors()) {
            if let Some((master, _)) = slot.open_by(given).map_err(KeysError::Kdf)? {
                self.after_unlock(&slots, &master)?;
                if let Err(error) = self.bring_up(slot, given, &master, brings_up) {
                    tracing::warn!(%error, "a slot stays in its older form");
                }
                return Ok(master);
            }
        }
        Err(self.wrong())
    }

    /// From now on `way` opens the hub, by this PIN and this key as far as it asks for them, and what it replaces does not.
    ///
    /// # Errors
    /// [`KeysError::PinTooShort`] for a PIN that is not enough for it, or another; then the ways are as they were.
    pub fn add_way(
        &self,
        master: &MasterKey,
        way: Way,
        pin: Option<&Pin>,
        usb: Option<&UsbKey>,
        cost: KdfCost,
        now: HubTime,
    ) -> Result<(), KeysError> {
        let typed = match (way.has_pin(), pin) {
            (true, Some(pin)) if pin.digits().len() < way.fewest_digits() => return Err(KeysError::PinTooShort),
            (true, Some(pin)) => pin.digits(),
            (true, None) => return Err(KeysError::NoSlot),
            (false, _) => &[],
        };
        // The least is enough for a key of 256 bits, and keeps the start of the box short.
        let cost = if way.has_pin() { cost } else { KdfCost::FLOOR };
        let slot = Slot::seal_for(way.factors(), Given { typed, usb }, master, cost, now)?;
        self.change(master, Some(slot), |factors| way.replaces(factors))
    }

    /// From now on `way` does not open the hub.
    ///
    /// # Errors
    /// [`KeysError::LastWay`], or another; then the ways are as they were.
    pub fn remove_way(&self, master: &MasterKey, way: Way) -> Result<(), KeysError> {
        if self.ways()?.iter().all(|there| *there == way) {
            return Err(KeysError::LastWay);
        }
        self.change(master, None, |factors| factors == way.factors())
    }
}
