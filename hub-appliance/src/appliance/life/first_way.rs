//! How a new hub is to be unlocked: chosen at the first start, before there are any keys.

use std::sync::Arc;

use super::board_key::Seen;
use super::key_stick::make_key;
use super::pin_way::AtHand;
use super::{Life, State, blocking};
use crate::keys::Way;
use crate::panel::{ErrandEnd, Question, SetUp, Unlocking};
use crate::system::board_key::BoardKeyState;
use crate::system::sticks::Stick;

/// What a person chose.
#[derive(Default)]
pub(super) struct FirstWay {
    unlocking: Unlocking,
    /// What that takes.
    at_hand: AtHand,
    /// Why it can't be unlocked as was wished last.
    trouble: Option<ErrandEnd>,
    /// What takes a key of the board, which has none: whether it is to get one is asked, and whether for the second time.
    asks: Option<(Unlocking, bool)>,
    /// Whether the board has a key, or can get one, as the panel was told last.
    box_has_key: bool,
    /// Whether the board got its key here, to be written down as soon as there is a log.
    has_programmed: bool,
}

impl FirstWay {
    /// Nothing is chosen.
    fn begin_anew(&mut self) {
        *self = Self {
            box_has_key: self.box_has_key,
            has_programmed: self.has_programmed,
            ..Self::default()
        };
    }

    fn take(&mut self, unlocking: Unlocking, at_hand: AtHand) {
        self.begin_anew();
        (self.unlocking, self.at_hand) = (unlocking, at_hand);
    }

    fn fail(&mut self, end: ErrandEnd) {
        self.begin_anew();
        self.trouble = Some(end);
    }

    /// The way, and what it takes.
    pub(super) fn way(&self) -> (Way, AtHand) {
        let way = match self.unlocking {
            Unlocking::PinAndStick => Way::PinAndStick,
            Unlocking::Stick => Way::Stick,
            Unlocking::PinAndBox => Way::PinAndBoard,
            Unlocking::Box => Way::Board,
            Unlocking::Pin | Unlocking::NoStick | Unlocking::NoBox => Way::Pin,
        };
        (way, self.at_hand.clone())
    }

    /// The stick that the hub rests on when it opens, and whether the board got its key.
    pub(super) fn into_deeds(self) -> (Option<Stick>, bool) {
        (self.at_hand.stick, self.has_programmed)
    }

    /// What a person is asked before it can be unlocked so.
    pub(super) fn question(&self) -> Option<Question> {
        self.asks.map(|(_, again)| Question::BoxKey { again })
    }

    /// What the panel knows of it.
    pub(super) fn shown(&self) -> SetUp {
        SetUp {
            unlocking: self.unlocking,
            trouble: self.trouble.clone(),
            box_has_key: self.box_has_key,
        }
    }
}

impl Life {
    /// A new hub is to be unlocked so. What that takes is made at once: where there is none to be had, nobody has thought of a
    /// PIN in vain.
    pub(super) async fn choose_first_way(&mut self, wish: Unlocking) {
        if !matches!(self.state, State::SetUp) {
            return;
        }
        match wish {
            Unlocking::PinAndStick | Unlocking::Stick => self.first_way_by_stick(wish).await,
            Unlocking::PinAndBox | Unlocking::Box => self.first_way_by_board(wish).await,
            Unlocking::Pin | Unlocking::NoStick | Unlocking::NoBox => self.first_way.begin_anew(),
        }
    }

    /// Who begins again with the language has chosen nothing.
    pub(super) fn forget_first_way(&mut self) {
        self.first_way.begin_anew();
    }

    async fn first_way_by_stick(&mut self, wish: Unlocking) {
        let sticks = Arc::clone(&self.config.sticks);
        let made = blocking(move || Ok(make_key(&*sticks))).await;
        match made.unwrap_or(Err(ErrandEnd::Failed)) {
            Ok((stick, usb)) => self.first_way.take(
                wish,
                AtHand {
                    stick: Some(stick),
                    usb: Some(usb),
                    board: None,
                },
            ),
            Err(end) => self.first_way.fail(end),
        }
    }

    async fn first_way_by_board(&mut self, wish: Unlocking) {
        match self.ask_board().await {
            Seen::State(_, Some(key)) => self.first_way.take(
                wish,
                AtHand {
                    board: Some(key),
                    ..AtHand::default()
                },
            ),
            Seen::State(BoardKeyState::Blank, None) => {
                self.first_way.begin_anew();
                self.first_way.asks = Some((wish, false));
            }
            Seen::State(..) | Seen::Nothing | Seen::Silence => self.first_way.fail(ErrandEnd::BoxFailed),
        }
    }

    /// A person decided whether the board gets a key. It is asked twice, for it is for ever.
    pub(super) async fn answer_first_board_key(&mut self, yes: bool) {
        let Some((wish, again)) = self.first_way.asks.take() else {
            return;
        };
        match (yes, again) {
            (false, _) => self.first_way.begin_anew(),
            (true, false) => self.first_way.asks = Some((wish, true)),
            (true, true) if self.program_board().await => {
                self.first_way.has_programmed = true;
                self.first_way_by_board(wish).await;
            }
            (true, true) => self.first_way.fail(ErrandEnd::BoxFailed),
        }
    }

    /// What the board says of its key may come after the panel was told what there is to choose from.
    pub(super) fn board_is_told_of(&mut self) {
        let has_key = self.board_watch.is_usable();
        let had_key = std::mem::replace(&mut self.first_way.box_has_key, has_key);
        if has_key != had_key && matches!(self.state, State::SetUp) {
            self.show();
        }
    }
}
