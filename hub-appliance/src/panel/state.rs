//! Which screen there is, and what can happen on it.

use std::time::Duration;

use super::input::{Button, Digits, Input};
use super::pin_pad::{CodeEntry, Pad, PadEvent, PadMaker};
use super::strings::Language;
use super::view::Question;

/// Which screen there is, with what a person has done on it so far.
#[derive(Clone, Debug)]
pub(super) enum State {
    Splash,
    /// Something that a person has to be told once.
    Notice,
    Welcome(Language),
    ChoosePin(Pad),
    RepeatPin {
        first: Pad,
        again: Pad,
    },
    WriteCode {
        differs: Option<usize>,
    },
    CheckCode {
        step: usize,
        pad: Pad,
    },
    EnterPin(Pad),
    Wait,
    EnterCode(CodeEntry),
    Working(Work),
    Home,
    Menu(usize),
    /// The phones, of which the one at this place is chosen.
    Phones(usize),
    Phone {
        number: u32,
        choice: Choice,
    },
    ConfirmRevoke {
        number: u32,
        choice: Choice,
    },
    Facts,
    PresentPin(Pad),
    /// Too many wrong PINs while the PIN was to be changed.
    PinWait,
    PinChanged,
    PinKept,
    ChooseLanguage(Language),
    ConfirmLock(Choice),
    ConfirmPowerOff(Choice),
    About,
    NoNetwork,
    Pairing,
    Paired {
        number: u32,
        choice: Choice,
        answered: bool,
    },
    Answering {
        question: Question,
        choice: Choice,
    },
    Formatting,
    Moving,
    Off,
    Fault,
}

/// Which of two buttons is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    First,
    Second,
}

impl Choice {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

/// Something the hub was asked to do, or is doing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work {
    pub(super) job: Job,
    /// Whether the hub's phase has shown that it began. Until then its phase is still the one before.
    begun: bool,
    /// Wrong PINs in a row when it was asked for.
    pub(super) failures: u32,
}

/// What the hub was asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Job {
    SetUp,
    RenewPin,
    FinishSetUp,
    CheckPin,
    ChangePin,
    Unlock,
    UnlockWithCode,
    Lock,
}

impl Work {
    pub(super) const fn asked(job: Job, failures: u32) -> State {
        State::Working(Self {
            job,
            begun: false,
            failures,
        })
    }

    pub(super) const fn begun(job: Job, failures: u32) -> State {
        State::Working(Self {
            job,
            begun: true,
            failures,
        })
    }

    /// Whether the hub may not have noticed yet that it was asked.
    pub(super) const fn is_asked(self, job: Job, failures: u32) -> bool {
        !self.begun && self.job as u8 == job as u8 && self.failures == failures
    }
}

/// An entry of the menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MenuEntry {
    Pair,
    Phones,
    Status,
    ChangePin,
    Language,
    Lock,
    PowerOff,
    About,
}

/// The menu, from top to bottom.
pub(super) const MENU: [MenuEntry; 8] = [
    MenuEntry::Pair,
    MenuEntry::Phones,
    MenuEntry::Status,
    MenuEntry::ChangePin,
    MenuEntry::Language,
    MenuEntry::Lock,
    MenuEntry::PowerOff,
    MenuEntry::About,
];

/// How long the version stands at the start.
const SPLASH: Duration = Duration::from_millis(1500);
const MINUTE: Duration = Duration::from_secs(60);

impl State {
    /// How long the screen may stand untouched before [`Event::TimedOut`].
    pub(super) fn time_limit(&self) -> Option<Duration> {
        match self {
            Self::Splash => Some(SPLASH),
            Self::Notice => Some(MINUTE),
            Self::Working(Work { begun: false, .. }) => Some(MINUTE / 2),
            Self::Paired { answered: false, .. } | Self::PinChanged | Self::PinKept => Some(MINUTE),
            Self::EnterPin(pad) if !pad.is_empty() => Some(MINUTE),
            Self::PresentPin(_) | Self::ChoosePin(_) | Self::RepeatPin { .. } => Some(2 * MINUTE),
            Self::EnterCode(_) => Some(5 * MINUTE),
            left if left.is_left_alone() => Some(MINUTE),
            _ => None,
        }
    }

    /// Whether somebody has to read, write or scan what is on the screen for as long as it takes.
    pub(super) const fn stays_lit(&self) -> bool {
        matches!(
            self,
            Self::Pairing | Self::Paired { .. } | Self::WriteCode { .. } | Self::CheckCode { .. }
        )
    }

    pub(super) const fn is_set_up(&self) -> bool {
        matches!(self, Self::Welcome(_) | Self::ChoosePin(_) | Self::RepeatPin { .. })
    }

    pub(super) const fn is_open(&self) -> bool {
        matches!(self, Self::Home) || self.is_left_alone()
    }

    /// Whether a screen of the open hub goes home when nobody touches it.
    pub(super) const fn is_left_alone(&self) -> bool {
        matches!(
            self,
            Self::Menu(_)
                | Self::Phones(_)
                | Self::Phone { .. }
                | Self::ConfirmRevoke { .. }
                | Self::Facts
                | Self::ChooseLanguage(_)
                | Self::ConfirmLock(_)
                | Self::ConfirmPowerOff(_)
                | Self::About
                | Self::NoNetwork
        )
    }
}

/// What can take the panel to another screen, besides the hub.
#[derive(Debug)]
pub(super) enum Event {
    /// Up or left; down or right.
    Previous,
    Next,
    /// Ok.
    Ok,
    /// Back, or a held button.
    Back,
    /// Digits, where there is no field.
    Typed(Digits),
    /// What the field on the screen made of a button.
    Pad(PadEvent),
    /// Nobody touched the panel for the screen's time limit.
    TimedOut,
}

impl Event {
    /// What `input` means on the screen: the field on it, if any, has dealt with it.
    pub(super) fn of(input: Input, state: &mut State, pads: &mut PadMaker) -> Self {
        match state {
            State::ChoosePin(pad)
            | State::RepeatPin { again: pad, .. }
            | State::CheckCode { pad, .. }
            | State::PresentPin(pad)
            | State::EnterPin(pad) => return Self::Pad(pad.press(&input)),
            State::EnterCode(code) => return Self::Pad(code.press(&input, pads)),
            _ => {}
        }
        match input {
            Input::Press(Button::Up | Button::Left) => Self::Previous,
            Input::Press(Button::Down | Button::Right) => Self::Next,
            Input::Press(Button::Ok) => Self::Ok,
            Input::Press(Button::Back) | Input::Hold(_) => Self::Back,
            Input::Type(digits) => Self::Typed(digits),
        }
    }
}
