//! The one way to unlock that has a PIN, and what is at hand that it asks for beside the PIN.

use std::sync::Arc;

use super::Life;
use super::board_key::find_board;
use super::key_stick::find_key;
use crate::keys::{BoardKey, Held, KeyStore, MasterKey, Pin, UnlockError, UsbKey, Way};
use crate::system::board_key;
use crate::system::sticks::{Stick, Sticks};

/// The way, and where what it asks for is looked for.
pub(super) struct PinWay {
    pub(super) way: Way,
    sticks: Arc<dyn Sticks>,
    board: Arc<dyn board_key::BoardKey>,
    known: Option<Arc<BoardKey>>,
}

/// What was found of what a way asks for beside the PIN.
#[derive(Clone, Default)]
pub(super) struct AtHand {
    /// The stick, which the hub rests on then.
    pub(super) stick: Option<Stick>,
    pub(super) usb: Option<UsbKey>,
    pub(super) board: Option<Arc<BoardKey>>,
}

impl AtHand {
    pub(super) fn held(&self) -> Held<'_> {
        Held {
            usb: self.usb.as_ref(),
            board: self.board.as_deref(),
        }
    }
}

impl PinWay {
    /// What is at hand. Blocking.
    pub(super) fn look(&self) -> AtHand {
        let (stick, usb) = self.way.has_stick().then(|| find_key(&*self.sticks)).flatten().unzip();
        let known = self.known.clone();
        let board = self.way.has_board().then(|| find_board(&self.board, known)).flatten();
        AtHand { stick, usb, board }
    }

    /// Tries a PIN where it is not all that is asked for; `None` where it is. Blocking.
    pub(super) fn try_both(
        &self,
        keys: &KeyStore,
        pin: &Pin,
        found: &AtHand,
        brings_up: bool,
    ) -> Option<Result<MasterKey, UnlockError>> {
        let Held { usb, board } = found.held();
        match self.way {
            Way::PinAndStick => Some(keys.unlock_with_pin_and_stick(pin, usb, brings_up)),
            Way::PinAndBoard => Some(keys.unlock_with_pin_and_board(pin, board, brings_up)),
            Way::Pin | Way::Stick | Way::Board => None,
        }
    }
}

impl Life {
    /// The way that has a PIN; there is one.
    pub(super) fn pin_way(&self) -> PinWay {
        let way = self.ways().into_iter().find(|way| way.has_pin());
        PinWay {
            way: way.unwrap_or(Way::Pin),
            sticks: Arc::clone(&self.config.sticks),
            board: Arc::clone(&self.config.board_key),
            known: self.board(),
        }
    }
}
