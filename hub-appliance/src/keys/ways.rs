//! The ways to unlock, beside the recovery code, and how they are changed.
//!
//! There is one slot a way. A PIN alone, with a stick, and with the board's own key take each other's place: whoever wants
//! both to be asked for wants neither to be enough.

use super::board_key::BoardKey;
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
    /// The PIN, on the board whose key it was made with.
    PinAndBoard,
    /// That board alone, without a person.
    Board,
}

/// What a slot may ask for that nobody can type.
#[derive(Clone, Copy, Debug, Default)]
pub struct Held<'a> {
    /// The key of the stick that is in.
    pub usb: Option<&'a UsbKey>,
    /// The key of the board.
    pub board: Option<&'a BoardKey>,
}

impl<'a> Held<'a> {
    /// Neither.
    pub const NOTHING: Self = Self { usb: None, board: None };

    /// The key of a stick.
    #[must_use]
    pub const fn stick(usb: &'a UsbKey) -> Self {
        Self {
            usb: Some(usb),
            board: None,
        }
    }

    /// The key of the board.
    #[must_use]
    pub const fn board(board: &'a BoardKey) -> Self {
        Self {
            usb: None,
            board: Some(board),
        }
    }
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Pin,
        Self::PinAndStick,
        Self::Stick,
        Self::PinAndBoard,
        Self::Board,
    ];

    const fn factors(self) -> &'static [Factor] {
        match self {
            Self::Pin => &[Factor::Pin],
            Self::PinAndStick => &[Factor::Pin, Factor::Usb],
            Self::Stick => &[Factor::Usb],
            Self::PinAndBoard => &[Factor::Pin, Factor::Otp],
            Self::Board => &[Factor::Otp],
        }
    }

    /// Whether a PIN is typed.
    #[must_use]
    pub const fn has_pin(self) -> bool {
        matches!(self, Self::Pin | Self::PinAndStick | Self::PinAndBoard)
    }

    /// Whether the stick has to be in.
    #[must_use]
    pub const fn has_stick(self) -> bool {
        matches!(self, Self::PinAndStick | Self::Stick)
    }

    /// Whether it has to be on its board.
    #[must_use]
    pub const fn has_board(self) -> bool {
        matches!(self, Self::PinAndBoard | Self::Board)
    }

    /// How few digits a PIN may have where the hub opens in this way. Beside a key alone it opens by itself.
    #[must_use]
    pub const fn fewest_digits(self) -> usize {
        match self {
            Self::Pin | Self::Stick | Self::Board => Pin::MIN_DIGITS_ALONE,
            Self::PinAndStick | Self::PinAndBoard => Pin::MIN_DIGITS,
        }
    }

    /// A slot for it, by this PIN and these keys as far as it asks for them.
    pub(super) fn seal(
        self,
        pin: Option<&Pin>,
        held: Held<'_>,
        master: &MasterKey,
        cost: KdfCost,
        now: HubTime,
    ) -> Result<Slot, KeysError> {
        let typed = match (self.has_pin(), pin) {
            (true, Some(pin)) if pin.digits().len() < self.fewest_digits() => return Err(KeysError::PinTooShort),
            (true, Some(pin)) => pin.digits(),
            (true, None) => return Err(KeysError::NoSlot),
            (false, _) => &[],
        };
        // The least is enough for a key of 256 bits, and keeps the start of the box short.
        let cost = if self.has_pin() { cost } else { KdfCost::FLOOR };
        Slot::seal_for(self.factors(), Given { typed, held }, master, cost, now)
    }

    /// Whether a slot with these factors goes when this way is added.
    fn replaces(self, factors: &[Factor]) -> bool {
        factors == self.factors()
            || self.has_pin() && factors.contains(&Factor::Pin)
            // One that is enough alone would make the other's being asked for worth nothing.
            || self == Self::PinAndStick && factors == Self::Stick.factors()
            || matches!(self, Self::PinAndStick | Self::PinAndBoard) && factors == Self::Board.factors()
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
        self.open_way(Way::PinAndStick, pin.digits(), Held::stick(usb), brings_up)
    }

    /// Opens the slot for the key of a stick alone. It is no attempt: 256 random bits are not guessed. `brings_up`: see
    /// [`Renewal`](super::Renewal).
    ///
    /// # Errors
    /// [`UnlockError`], but never [`UnlockError::Wait`].
    pub fn unlock_with_stick(&self, usb: &UsbKey, brings_up: bool) -> Result<MasterKey, UnlockError> {
        self.has_way(Way::Stick)?;
        self.open_way(Way::Stick, &[], Held::stick(usb), brings_up)
    }

    /// Opens the slot for the PIN and the key of this board. Counts like a PIN alone. `brings_up`: see
    /// [`Renewal`](super::Renewal).
    ///
    /// # Errors
    /// [`UnlockError`]; [`KeysError::NeedsBoard`] without a key and [`KeysError::OtherBoard`] with another board's, with nothing
    /// counted.
    pub fn unlock_with_pin_and_board(
        &self,
        pin: &Pin,
        board: Option<&BoardKey>,
        brings_up: bool,
    ) -> Result<MasterKey, UnlockError> {
        let board = board.ok_or(KeysError::NeedsBoard)?;
        self.has_board_way(Way::PinAndBoard, board)?;
        self.count_attempt()?;
        self.open_way(Way::PinAndBoard, pin.digits(), Held::board(board), brings_up)
    }

    /// Opens the slot for the key of this board alone. It is no attempt, as with a stick. `brings_up`: see
    /// [`Renewal`](super::Renewal).
    ///
    /// # Errors
    /// [`UnlockError`], but never [`UnlockError::Wait`]; [`KeysError::OtherBoard`] where the slot is for another's.
    pub fn unlock_with_board(&self, board: &BoardKey, brings_up: bool) -> Result<MasterKey, UnlockError> {
        self.has_board_way(Way::Board, board)?;
        self.open_way(Way::Board, &[], Held::board(board), brings_up)
    }

    /// Whether there is a slot for this way, and for the key of this board.
    ///
    /// # Errors
    /// [`KeysError`] if the slots can't be read.
    pub fn is_for_board(&self, way: Way, board: &BoardKey) -> Result<bool, KeysError> {
        let slots = self.with_slots(|file| file.load())?;
        Ok(slots.of(way.factors()).any(|slot| slot.is_for_board(board.id())))
    }

    fn has_board_way(&self, way: Way, board: &BoardKey) -> Result<(), KeysError> {
        self.has_way(way)?;
        if self.is_for_board(way, board)? {
            Ok(())
        } else {
            Err(KeysError::OtherBoard)
        }
    }

    fn has_way(&self, way: Way) -> Result<(), KeysError> {
        if self.ways()?.contains(&way) {
            Ok(())
        } else {
            Err(KeysError::NoSlot)
        }
    }

    fn open_way(&self, way: Way, typed: &[u8], held: Held<'_>, brings_up: bool) -> Result<MasterKey, UnlockError> {
        let slots = self.with_slots(|file| file.load())?;
        let given = Given { typed, held };
        for slot in slots.of(way.factors()) {
            if let Some((master, _)) = slot.open_by(given)? {
                self.after_unlock(&slots, &master)?;
                if let Err(error) = self.bring_up(slot, given, &master, brings_up) {
                    tracing::warn!(%error, "a slot stays in its older form");
                }
                return Ok(master);
            }
        }
        Err(self.wrong())
    }

    /// From now on `way` opens the hub, by this PIN and these keys as far as it asks for them, and what it replaces does not.
    ///
    /// # Errors
    /// [`KeysError::PinTooShort`] for a PIN that is not enough for it, or another; then the ways are as they were.
    pub fn add_way(
        &self,
        master: &MasterKey,
        way: Way,
        pin: Option<&Pin>,
        held: Held<'_>,
        cost: KdfCost,
        now: HubTime,
    ) -> Result<(), KeysError> {
        let slot = way.seal(pin, held, master, cost, now)?;
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
