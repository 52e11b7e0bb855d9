//! Which screen there is, and what can happen on it.

use std::mem::Discriminant;
use std::time::Duration;

use super::clock_entry::ClockEntry;
use super::input::{Button, Digits, HeldButton, Input};
use super::pin_pad::{CodeEntry, Pad, PadEvent};
use super::strings::Language;
use super::view::{Fault, News, Question};

/// Which screen there is, with what a person has done on it so far.
#[derive(Clone, Debug)]
pub(super) enum State {
    Splash,
    /// Something that a person has to be told once.
    Notice,
    Welcome(Language),
    /// What the way to unlock at this place means for a new hub.
    FirstWay {
        at: usize,
        choice: Choice,
    },
    /// Why a new hub can't be unlocked as was wished.
    NoFirstWay,
    ChoosePin(Pad),
    RepeatPin {
        first: Pad,
        again: Pad,
    },
    /// What the recovery code is for.
    ExplainCode,
    WriteCode {
        differs: Option<usize>,
    },
    CheckCode {
        step: usize,
        pad: Pad,
    },
    /// Nobody went on writing the recovery code down.
    CodeHidden,
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
    /// What asks for help, of which the one at this place is chosen.
    Help(usize),
    HelpOne {
        place: usize,
        choice: Choice,
    },
    ConfirmRevoke {
        number: u32,
        choice: Choice,
    },
    /// The ways to unlock, of which the one at this place is chosen.
    Keys(usize),
    Key {
        at: usize,
        choice: Choice,
    },
    Facts,
    PresentPin(Pad),
    /// Too many wrong PINs while the PIN was to be changed.
    PinWait,
    PinChanged,
    PinKept,
    /// The PIN, for an errand.
    ErrandPin(Pad),
    /// What a file of staff would change.
    Staff(Choice),
    /// The date and time, being set.
    SetClock(ClockEntry),
    /// How an errand ended.
    ErrandEnded,
    ChooseLanguage(Language),
    Cloud(Choice),
    Backup(Choice),
    /// What is carried by hand.
    Usb(Choice),
    /// Whether the stick of this token is to be the one for backups.
    BackupStick {
        token: u64,
        choice: Choice,
    },
    ConfirmLock(Choice),
    ConfirmPowerOff(Choice),
    ConfirmRestart(Choice),
    About,
    NoNetwork,
    Pairing,
    Paired {
        number: u32,
        choice: Choice,
        answered: bool,
    },
    /// Emergency access, while it is open.
    Emergency(Choice),
    /// Who read by it, of whom the one at this place is chosen; the place after the last leads on.
    EmergencyOver(usize),
    /// Something about phones that a person has to see.
    News(News),
    Answering {
        question: Question,
        choice: Choice,
    },
    Formatting,
    Moving,
    Repairing,
    /// The records are being taken out of a backup.
    Restoring,
    Off,
    Unplug,
    Restarting,
    Fault(Fault),
}

/// Which screen a [`State`] is, and what it is about: another fault is another screen, another chosen button is not.
#[derive(PartialEq, Eq)]
pub(super) struct Screen(Discriminant<State>, Subject);

#[derive(PartialEq, Eq)]
enum Subject {
    Nothing,
    Fault(Fault),
    Question(Question),
    Phone(u32),
    News(News),
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
    /// Which of the panel's actions asked for it, from 1; 0 where none did.
    pub(super) request: u64,
}

/// What the hub was asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Job {
    /// How a new hub is to be unlocked.
    FirstWay,
    SetUp,
    RenewPin,
    FinishSetUp,
    CheckPin,
    ChangePin,
    Unlock,
    UnlockWithCode,
    Lock,
    /// An errand.
    Errand,
}

impl Work {
    /// Asked for by the action of this number.
    pub(super) const fn asked(job: Job, request: u64) -> State {
        State::Working(Self {
            job,
            begun: false,
            request,
        })
    }

    /// The hub is at it, as it was asked to in `state` or by itself.
    pub(super) const fn begun(job: Job, state: &State) -> State {
        let request = match state {
            State::Working(asked) => asked.request,
            _ => 0,
        };
        State::Working(Self {
            job,
            begun: true,
            request,
        })
    }

    /// Whether the outcome is in a status that has dealt with so many actions.
    pub(super) const fn is_answered(self, answered: u64) -> bool {
        self.request <= answered
    }
}

/// An entry of the menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MenuEntry {
    Pair,
    Phones,
    Status,
    Cloud,
    Backup,
    Usb,
    Help,
    Staff,
    ChangePin,
    NewCode,
    Keys,
    Language,
    Lock,
    Restart,
    PowerOff,
    Clock,
    LargerDisk,
    About,
    Emergency,
}

/// The menu, from top to bottom.
pub(super) const MENU: [MenuEntry; 19] = [
    MenuEntry::Pair,
    MenuEntry::Phones,
    MenuEntry::Status,
    MenuEntry::Cloud,
    MenuEntry::Help,
    MenuEntry::Backup,
    MenuEntry::Usb,
    MenuEntry::Staff,
    MenuEntry::ChangePin,
    MenuEntry::NewCode,
    MenuEntry::Keys,
    MenuEntry::Language,
    MenuEntry::Lock,
    MenuEntry::Restart,
    MenuEntry::PowerOff,
    MenuEntry::Clock,
    MenuEntry::LargerDisk,
    MenuEntry::About,
    // One press up from the top.
    MenuEntry::Emergency,
];

/// How long the version stands at the start.
const SPLASH: Duration = Duration::from_millis(1500);
const MINUTE: Duration = Duration::from_secs(60);
/// When a screen dims and goes dark.
const READING: (Duration, Duration) = (MINUTE, Duration::from_secs(5 * 60));
const WRITING: (Duration, Duration) = (Duration::from_secs(5 * 60), Duration::from_secs(15 * 60));
/// How long a screen that the hub brought up takes no answer: who presses so soon means the screen before.
pub(super) const SETTLE: Duration = Duration::from_millis(400);

impl State {
    /// Whether the hub brings the screen up while somebody may be about to press.
    pub(super) const fn is_brought_up(&self) -> bool {
        matches!(
            self,
            Self::Pairing | Self::Paired { .. } | Self::News(_) | Self::EmergencyOver(_) | Self::Answering { .. }
        )
    }

    /// Whether `input`, as soon as such a screen is up, may have been meant for the one before.
    pub(super) const fn mistakes(&self, input: &Input) -> bool {
        match self {
            // Closing what was opened by mistake can't be done too soon.
            Self::Pairing => matches!(input, Input::Press(Button::Ok)),
            _ => self.is_brought_up(),
        }
    }

    /// How long the screen may stand untouched before [`Event::TimedOut`].
    pub(super) fn time_limit(&self) -> Option<Duration> {
        match self {
            Self::Splash => Some(SPLASH),
            Self::Notice => Some(MINUTE),
            Self::Working(Work { begun: false, .. }) | Self::Paired { answered: true, .. } => Some(MINUTE / 2),
            Self::Paired { answered: false, .. } | Self::PinChanged => Some(MINUTE),
            Self::ExplainCode | Self::WriteCode { .. } | Self::CheckCode { .. } => Some(15 * MINUTE),
            Self::EnterPin(pad) if !pad.is_empty() => Some(MINUTE),
            Self::EnterPin(pad) if pad.note().is_some() => Some(5 * MINUTE),
            Self::PresentPin(_) | Self::ErrandPin(_) | Self::ChoosePin(_) | Self::RepeatPin { .. } => Some(2 * MINUTE),
            Self::Staff(_) | Self::SetClock(_) | Self::ErrandEnded => Some(5 * MINUTE),
            Self::EnterCode(_) => Some(5 * MINUTE),
            left if left.is_left_alone() => Some(MINUTE),
            _ => None,
        }
    }

    /// How long the screen may stand untouched before it dims, and before it goes dark; none where somebody has to scan it
    /// or to answer for as long as that takes.
    pub(super) const fn light(&self) -> Option<(Duration, Duration)> {
        match self {
            Self::Pairing | Self::Paired { .. } => None,
            // Writing takes longer than reading.
            Self::ExplainCode | Self::WriteCode { .. } | Self::CheckCode { .. } => Some(WRITING),
            _ => Some(READING),
        }
    }

    /// Which screen this is.
    pub(super) fn screen(&self) -> Screen {
        let subject = match self {
            Self::Fault(fault) => Subject::Fault(fault.clone()),
            Self::Answering { question, .. } => Subject::Question(question.clone()),
            Self::Paired { number, .. } => Subject::Phone(*number),
            Self::News(news) => Subject::News(*news),
            _ => Subject::Nothing,
        };
        Screen(std::mem::discriminant(self), subject)
    }

    /// Whether it belongs to writing the recovery code down.
    pub(super) const fn is_about_code(&self) -> bool {
        matches!(
            self,
            Self::ExplainCode | Self::WriteCode { .. } | Self::CheckCode { .. } | Self::CodeHidden
        )
    }

    pub(super) const fn is_set_up(&self) -> bool {
        matches!(
            self,
            Self::Welcome(_) | Self::FirstWay { .. } | Self::NoFirstWay | Self::ChoosePin(_) | Self::RepeatPin { .. }
        )
    }

    pub(super) const fn is_open(&self) -> bool {
        matches!(self, Self::Home) || self.is_left_alone()
    }

    /// Whether its lines take turns where a script leaves room for few of them.
    pub(super) const fn takes_turns(&self) -> bool {
        matches!(
            self,
            Self::Home
                | Self::Facts
                | Self::About
                | Self::Cloud(_)
                | Self::Usb(_)
                | Self::Notice
                | Self::News(_)
                | Self::ErrandEnded
                | Self::NoFirstWay
                | Self::Fault(_)
                | Self::Answering {
                    question: Question::WhichDisk(_),
                    ..
                }
        )
    }

    /// Whether a screen of the open hub goes home when nobody touches it.
    pub(super) const fn is_left_alone(&self) -> bool {
        matches!(
            self,
            Self::Menu(_)
                | Self::Phones(_)
                | Self::Phone { .. }
                | Self::ConfirmRevoke { .. }
                | Self::Help(_)
                | Self::HelpOne { .. }
                | Self::Keys(_)
                | Self::Key { .. }
                | Self::Facts
                | Self::Emergency(_)
                | Self::Cloud(_)
                | Self::Backup(_)
                | Self::Usb(_)
                | Self::BackupStick { .. }
                | Self::ChooseLanguage(_)
                | Self::ConfirmLock(_)
                | Self::ConfirmPowerOff(_)
                | Self::ConfirmRestart(_)
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
    /// Ok, held where that is not for going back.
    HeldOk,
    /// Digits, where there is no field.
    Typed(Digits),
    /// What the field on the screen made of a button.
    Pad(PadEvent),
    /// Nobody touched the panel for the screen's time limit.
    TimedOut,
}

impl Event {
    /// What `input` means on the screen: the field on it, if any, has dealt with it.
    pub(super) fn of(input: Input, state: &mut State) -> Self {
        match state {
            State::ChoosePin(pad)
            | State::RepeatPin { again: pad, .. }
            | State::CheckCode { pad, .. }
            | State::PresentPin(pad)
            | State::ErrandPin(pad)
            | State::EnterPin(pad) => return Self::Pad(pad.press(&input)),
            State::EnterCode(code) => return Self::Pad(code.press(&input)),
            _ => {}
        }
        match input {
            Input::Press(Button::Up | Button::Left) => Self::Previous,
            Input::Press(Button::Down | Button::Right) => Self::Next,
            Input::Press(Button::Ok) => Self::Ok,
            Input::Hold(HeldButton::Ok) if matches!(state, State::Cloud(Choice::First)) => Self::HeldOk,
            Input::Press(Button::Back) | Input::Hold(_) => Self::Back,
            Input::Type(digits) => Self::Typed(digits),
        }
    }
}
