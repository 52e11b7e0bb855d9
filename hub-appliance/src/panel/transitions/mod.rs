//! The panel as a state machine: every way from one screen to another.
//!
//! [`step`] is what people and time-outs do, [`follow()`] what the hub does. Neither draws, waits or reads a clock.

mod follow;
mod look_up;

pub(super) use self::follow::follow;
pub(super) use self::look_up::{asked_group, code_to_write, has_moved};

use self::follow::start;
use self::look_up::{
    around, can_carry, can_revoke, first_ways, has_cloud, has_network, held, is_emergency, is_on_an_errand,
    keeps_pairing_open, offered_stick, phones, place, readers, ways, wrong_group,
};
use super::input::{Action, Digits};
use super::pin_pad::{CodeEntry, PIN_ALONE, Pad, PadEvent, PadMaker};
use super::state::{Choice, Event, Job, MENU, MenuEntry, State, Work};
use super::strings::Note;
use super::view::{Errand, Phase, Status, Unlocking, Ways};

/// The way to unlock that a new hub is offered first.
pub(super) const FIRST_WAY: State = State::FirstWay {
    at: 0,
    choice: Choice::First,
};

/// Where `event` leads from `state`, and what the hub is to do. `request` is the number that this action has, if there is
/// one.
#[allow(clippy::too_many_lines, reason = "every transition stands in one table")]
pub(super) fn step(
    state: State,
    event: Event,
    status: &Status,
    pads: &mut PadMaker,
    request: u64,
) -> (State, Option<Action>) {
    use Choice::{First, Second};
    use PadEvent::{Held, Left, Taken};

    let phase = &status.phase;
    let next = match (state, event) {
        // The version, until somebody touches the panel or it has been seen; then what has to be told, if anything.
        (State::Splash | State::Notice, Event::Typed(digits)) => match start(status, pads) {
            State::EnterPin(pad) => State::EnterPin(typed(pad, &digits)),
            other => other,
        },
        (State::Splash, _) if status.notice.as_ref().is_some_and(|notice| !notice.is_of_opening()) => State::Notice,
        (State::Splash, _) | (State::Notice, Event::Ok | Event::Back | Event::TimedOut) => start(status, pads),

        // Set-up: the language.
        (State::Welcome(language), Event::Previous) => State::Welcome(language.previous()),
        (State::Welcome(language), Event::Next) => State::Welcome(language.next()),
        (State::Welcome(language), Event::Ok) => {
            return (FIRST_WAY, Some(Action::SetLanguage(language)));
        }
        (State::Welcome(language), Event::Typed(digits)) => {
            let pad = typed(pads.pin(PIN_ALONE), &digits);
            return (State::ChoosePin(pad), Some(Action::SetLanguage(language)));
        }

        // Set-up: how it is to be unlocked, with what each way means; the first is the one that most want.
        (State::FirstWay { at, choice }, Event::Previous | Event::Next) => State::FirstWay {
            at,
            choice: choice.other(),
        },
        (State::FirstWay { at, choice: First }, Event::Ok) => {
            let action = Action::ChooseUnlocking(Ways::ALL[at % first_ways(phase)]);
            return (Work::asked(Job::FirstWay, request), Some(action));
        }
        (State::FirstWay { at, .. }, Event::Ok) => State::FirstWay {
            at: around(at, first_ways(phase), true),
            choice: First,
        },
        (State::FirstWay { .. }, Event::Back) => State::Welcome(status.language),
        (State::FirstWay { .. }, Event::Typed(digits)) => {
            let pad = typed(pads.pin(PIN_ALONE), &digits);
            return (State::ChoosePin(pad), Some(Action::ChooseUnlocking(Unlocking::Pin)));
        }
        (State::NoFirstWay, Event::Ok | Event::Back) => FIRST_WAY,

        // A new PIN, twice: at set-up, after the recovery code, or because somebody changes it.
        (State::ChoosePin(mut pad), Event::Pad(Taken)) if pad.is_one_digit() => {
            pad.clear(Note::TooSimple);
            State::ChoosePin(pad)
        }
        (State::ChoosePin(first), Event::Pad(Taken)) => State::RepeatPin {
            again: first.another(),
            first,
        },
        (State::ChoosePin(pad), Event::Pad(Left | Held)) => match phase {
            Phase::SetUp(_) => FIRST_WAY,
            Phase::Open(_) => return (State::ChoosePin(pad), Some(Action::EndPinChange)),
            _ => State::ChoosePin(pad),
        },
        (State::ChoosePin(mut pad), Event::TimedOut) if !pad.is_empty() => {
            pad.clear(Note::Cleared);
            State::ChoosePin(pad)
        }
        (State::ChoosePin(pad), Event::TimedOut) if matches!(phase, Phase::Open(_)) => {
            return (State::ChoosePin(pad), Some(Action::AbandonPinChange));
        }
        (State::RepeatPin { first, .. }, Event::TimedOut) => State::ChoosePin(first.another().saying(Note::Cleared)),
        (State::RepeatPin { first, again }, Event::Pad(Taken)) if again.equals(&first) => {
            let pin = first.to_secret();
            return match phase {
                Phase::Open(_) => (Work::asked(Job::ChangePin, request), Some(Action::ChangePin { pin })),
                Phase::Renewing => (Work::asked(Job::RenewPin, request), Some(Action::RenewPin { pin })),
                _ => (Work::asked(Job::SetUp, request), Some(Action::SetUp { pin })),
            };
        }
        (State::RepeatPin { first, .. }, Event::Pad(Taken)) => State::ChoosePin(first.another().saying(Note::Mismatch)),
        (State::RepeatPin { first, .. }, Event::Pad(Left | Held)) => State::ChoosePin(first.another()),

        // Set-up: the recovery code, shown and then typed back in part.
        (State::ExplainCode, Event::Ok) => State::WriteCode { differs: None },
        (State::WriteCode { .. }, Event::Back) => State::ExplainCode,
        (left @ State::ExplainCode, Event::Back) if matches!(phase, Phase::Open(_)) => {
            return (left, Some(Action::EndErrand));
        }
        (State::WriteCode { .. }, Event::Ok) => State::CheckCode {
            step: 0,
            pad: pads.group(),
        },
        (State::ExplainCode | State::WriteCode { .. }, Event::Typed(digits)) => State::CheckCode {
            step: 0,
            pad: typed(pads.group(), &digits),
        },
        (State::CheckCode { step, pad }, Event::Pad(Taken)) => match wrong_group(phase, step, &pad) {
            Some(group) => State::WriteCode { differs: Some(group) },
            None if step == 0 => State::CheckCode {
                step: 1,
                pad: pad.another(),
            },
            None if matches!(phase, Phase::Open(_)) => {
                return (Work::asked(Job::Errand, request), Some(Action::RecoveryConfirmed));
            }
            None => return (Work::asked(Job::FinishSetUp, request), Some(Action::RecoveryConfirmed)),
        },
        (State::CheckCode { .. }, Event::Pad(Left | Held)) | (State::CodeHidden, Event::Ok | Event::Back) => {
            State::WriteCode { differs: None }
        }
        (State::ExplainCode | State::WriteCode { .. } | State::CheckCode { .. }, Event::TimedOut) => State::CodeHidden,

        // Locked: the PIN, or the recovery code.
        (State::EnterPin(pad), Event::Pad(Taken)) => {
            let action = Action::Unlock { pin: pad.to_secret() };
            return (Work::asked(Job::Unlock, request), Some(action));
        }
        (State::EnterPin(_), Event::Pad(Left)) => State::ChooseLanguage(status.language),
        (State::EnterPin(_), Event::Pad(Held)) | (State::Wait, Event::Back) => {
            State::EnterCode(CodeEntry::new(pads.group()))
        }
        (State::EnterPin(mut pad), Event::TimedOut) => {
            if pad.is_empty() {
                pad.hush();
            } else {
                pad.clear(Note::Cleared);
            }
            State::EnterPin(pad)
        }
        (State::EnterCode(code), Event::Pad(Taken)) => {
            let action = Action::UnlockWithRecovery { code: code.into_code() };
            return (Work::asked(Job::UnlockWithCode, request), Some(action));
        }
        (State::EnterCode(code), Event::TimedOut) if !code.is_empty() => {
            State::EnterCode(CodeEntry::new(pads.group().saying(Note::Cleared)))
        }
        (State::EnterCode(code), Event::TimedOut) => match (start(status, pads), code.pad().note()) {
            (State::EnterPin(pad), Some(Note::Cleared)) => State::EnterPin(pad.saying(Note::Cleared)),
            (other, _) => other,
        },
        (left @ State::EnterCode(_), Event::Pad(Left | Held)) if matches!(phase, Phase::RestoreCode) => {
            return (left, Some(Action::LeaveRestore));
        }
        (State::EnterCode(_), Event::Pad(Left | Held)) => start(status, pads),
        (State::Working(_), Event::TimedOut) => start(status, pads),

        // Open: the menu and what it leads to.
        (State::Home, Event::Ok) => State::Menu(0),
        (State::Home, Event::Back) if has_moved(phase) => return (State::Home, Some(Action::AddressSeen)),
        (State::Menu(at), Event::Previous) => State::Menu((at + MENU.len() - 1) % MENU.len()),
        (State::Menu(at), Event::Next) => State::Menu((at + 1) % MENU.len()),
        (State::Menu(at), Event::Ok) => match MENU[at % MENU.len()] {
            MenuEntry::Pair if has_network(phase) => return (State::Menu(at), Some(Action::OpenPairing)),
            MenuEntry::Pair => State::NoNetwork,
            MenuEntry::Phones => State::Phones(0),
            MenuEntry::Status => State::Facts,
            MenuEntry::Cloud => State::Cloud(First),
            MenuEntry::Backup => State::Backup(First),
            MenuEntry::Usb => State::Usb(First),
            MenuEntry::ChangePin => return (State::Menu(at), Some(Action::BeginPinChange)),
            MenuEntry::Staff => return (State::Menu(at), Some(Action::BeginErrand(Errand::Staff))),
            MenuEntry::NewCode => return (State::Menu(at), Some(Action::BeginErrand(Errand::NewCode))),
            MenuEntry::Keys => State::Keys(0),
            MenuEntry::Emergency if is_emergency(phase) => State::Emergency(First),
            MenuEntry::Emergency => return (State::Menu(at), Some(Action::BeginErrand(Errand::Emergency))),
            MenuEntry::Clock => return (State::Menu(at), Some(Action::BeginErrand(Errand::Clock))),
            MenuEntry::LargerDisk => {
                return (State::Menu(at), Some(Action::BeginErrand(Errand::LargerDisk)));
            }
            MenuEntry::Language => State::ChooseLanguage(status.language),
            MenuEntry::Lock => State::ConfirmLock(First),
            MenuEntry::Restart => State::ConfirmRestart(Second),
            MenuEntry::PowerOff => State::ConfirmPowerOff(Second),
            MenuEntry::About => State::About,
            MenuEntry::Help => State::Help(0),
        },
        (State::Facts | State::About | State::NoNetwork, Event::Ok | Event::Back) => State::Home,
        (State::ConfirmLock(choice), Event::Previous | Event::Next) => State::ConfirmLock(choice.other()),
        (State::ConfirmLock(First), Event::Ok) => return (Work::asked(Job::Lock, request), Some(Action::Lock)),
        (State::ConfirmPowerOff(choice), Event::Previous | Event::Next) => State::ConfirmPowerOff(choice.other()),
        (State::ConfirmPowerOff(First), Event::Ok) => return (Work::asked(Job::Lock, request), Some(Action::PowerOff)),
        (State::ConfirmRestart(choice), Event::Previous | Event::Next) => State::ConfirmRestart(choice.other()),
        (State::ConfirmRestart(First), Event::Ok) => return (Work::asked(Job::Lock, request), Some(Action::Restart)),
        (State::ConfirmLock(Second) | State::ConfirmPowerOff(Second) | State::ConfirmRestart(Second), Event::Ok)
        | (
            State::ConfirmLock(_) | State::ConfirmPowerOff(_) | State::ConfirmRestart(_) | State::Menu(_),
            Event::Back,
        ) => State::Home,
        (State::ChooseLanguage(language), Event::Previous) => State::ChooseLanguage(language.previous()),
        (State::ChooseLanguage(language), Event::Next) => State::ChooseLanguage(language.next()),
        // It is reached from the locked hub too.
        (State::ChooseLanguage(language), Event::Ok) => {
            return (start(status, pads), Some(Action::SetLanguage(language)));
        }
        (State::ChooseLanguage(_), Event::Back | Event::TimedOut) => start(status, pads),

        // The ways to unlock: a list, and one of them.
        (State::Keys(at), Event::Previous) => State::Keys(around(at, Ways::COUNT, false)),
        (State::Keys(at), Event::Next) => State::Keys(around(at, Ways::COUNT, true)),
        (State::Keys(at), Event::Ok) => State::Key { at, choice: Second },
        (State::Keys(_), Event::Back) => State::Home,
        (State::Key { at, choice }, Event::Previous | Event::Next) if ways(phase).wish(at).is_some() => State::Key {
            at,
            choice: choice.other(),
        },
        (State::Key { at, choice: First }, Event::Ok) if ways(phase).wish(at).is_some() => {
            let begin = |wish| Action::BeginErrand(Errand::Unlocking(wish));
            return (State::Keys(at), ways(phase).wish(at).map(begin));
        }
        (State::Key { at, .. }, Event::Ok | Event::Back) => State::Keys(at),

        // The phones: a list, one of them, and whether to refuse it.
        (State::Phones(at), Event::Previous) => State::Phones(around(at, phones(phase).len(), false)),
        (State::Phones(at), Event::Next) => State::Phones(around(at, phones(phase).len(), true)),
        (State::Phones(at), Event::Ok) => match phones(phase).get(at) {
            Some(phone) => State::Phone {
                number: phone.number,
                choice: First,
            },
            None => State::Home,
        },
        (State::Phones(_), Event::Back) => State::Home,
        (State::Phone { number, choice }, Event::Previous | Event::Next) => State::Phone {
            number,
            choice: choice.other(),
        },
        (State::Phone { number, choice: Second }, Event::Ok) if can_revoke(phase, number) => {
            State::ConfirmRevoke { number, choice: Second }
        }
        (State::Phone { number, .. }, Event::Ok | Event::Back) => State::Phones(place(phase, number)),
        (State::ConfirmRevoke { number, choice }, Event::Previous | Event::Next) => State::ConfirmRevoke {
            number,
            choice: choice.other(),
        },
        (State::ConfirmRevoke { number, choice: First }, Event::Ok) => {
            let list = State::Phones(place(phase, number));
            return (list, Some(Action::RevokePhone(number)));
        }
        (State::ConfirmRevoke { number, .. }, Event::Ok | Event::Back) => State::Phone { number, choice: First },

        // What asks for help: a list, one of it, and trying again.
        (State::Help(at), Event::Previous) => State::Help(around(at, held(phase), false)),
        (State::Help(at), Event::Next) => State::Help(around(at, held(phase), true)),
        (State::Help(place), Event::Ok) if place < held(phase) => State::HelpOne { place, choice: First },
        (State::Help(_), Event::Ok | Event::Back) => State::Home,
        (State::HelpOne { place, choice }, Event::Previous | Event::Next) => State::HelpOne {
            place,
            choice: choice.other(),
        },
        (State::HelpOne { choice: Second, .. }, Event::Ok) => return (State::Help(0), Some(Action::TryHeldAgain)),
        (State::HelpOne { place, .. }, Event::Ok | Event::Back) => State::Help(place),
        (left, Event::TimedOut) if left.is_left_alone() => State::Home,

        // The PIN is changed with the hub, step by step: it ends when the hub says so, not by being left.
        (State::PresentPin(pad), Event::Pad(Taken)) => {
            let action = Action::CheckPin { pin: pad.to_secret() };
            return (Work::asked(Job::CheckPin, request), Some(action));
        }
        (State::PresentPin(mut pad), Event::TimedOut) if !pad.is_empty() => {
            pad.clear(Note::Cleared);
            State::PresentPin(pad)
        }
        (left @ State::PresentPin(_), Event::TimedOut) => return (left, Some(Action::AbandonPinChange)),
        (ended @ State::PinWait, Event::Back) if is_on_an_errand(phase) => return (ended, Some(Action::EndErrand)),
        (
            ended @ (State::PresentPin(_) | State::PinWait | State::PinChanged | State::PinKept),
            Event::Pad(Left | Held) | Event::Back | Event::Ok | Event::TimedOut,
        ) => return (ended, Some(Action::EndPinChange)),

        // What takes the PIN beside that ends with the hub too.
        (State::ErrandPin(pad), Event::Pad(Taken)) => {
            let action = Action::CheckPin { pin: pad.to_secret() };
            return (Work::asked(Job::CheckPin, request), Some(action));
        }
        (State::ErrandPin(mut pad), Event::TimedOut) if !pad.is_empty() => {
            pad.clear(Note::Cleared);
            State::ErrandPin(pad)
        }
        (State::Staff(choice), Event::Previous | Event::Next) => State::Staff(choice.other()),
        (State::Staff(First), Event::Ok) => return (Work::asked(Job::Errand, request), Some(Action::TakeStaff)),
        (State::SetClock(entry), Event::Previous) => State::SetClock(entry.turn(true)),
        (State::SetClock(entry), Event::Next) => State::SetClock(entry.turn(false)),
        (State::SetClock(entry), Event::Ok) => {
            let millis = entry.millis();
            match entry.step(true) {
                Some(next) => State::SetClock(next),
                None => return (Work::asked(Job::Errand, request), Some(Action::SetClock(millis))),
            }
        }
        (State::SetClock(entry), Event::Back) => match entry.clone().step(false) {
            Some(before) => State::SetClock(before),
            None => return (State::SetClock(entry), Some(Action::EndErrand)),
        },
        (
            ended @ (State::ErrandPin(_) | State::Staff(_) | State::SetClock(_) | State::ErrandEnded),
            Event::Pad(Left | Held) | Event::Back | Event::Ok | Event::TimedOut,
        ) => return (ended, Some(Action::EndErrand)),

        // A question of the hub's: it goes on when it has the answer.
        (State::Answering { question, choice }, Event::Previous | Event::Next) => State::Answering {
            question,
            choice: choice.other(),
        },
        (State::Answering { question, choice }, Event::Ok) => {
            let answer = Action::Answer(question.clone(), choice == First);
            return (State::Answering { question, choice }, Some(answer));
        }
        (State::Answering { question, .. }, Event::Back) => {
            let answer = Action::Answer(question.clone(), false);
            let choice = Second;
            return (State::Answering { question, choice }, Some(answer));
        }

        // The cloud: a run now, held long one that compares everything.
        (State::Cloud(choice), Event::Previous | Event::Next) if has_cloud(phase) => State::Cloud(choice.other()),
        (State::Cloud(First), Event::Ok) if has_cloud(phase) => {
            return (State::Cloud(First), Some(Action::SyncNow { whole: false }));
        }
        (State::Cloud(First), Event::HeldOk) if has_cloud(phase) => {
            return (State::Cloud(First), Some(Action::SyncNow { whole: true }));
        }
        (State::Cloud(_), Event::Ok | Event::HeldOk | Event::Back) => State::Home,

        // Emergency access: ended by a person, or over and who read by it.
        (State::Emergency(choice), Event::Previous | Event::Next) => State::Emergency(choice.other()),
        (State::Emergency(Second), Event::Ok) => return (State::Home, Some(Action::EndEmergency)),
        (State::Emergency(First), Event::Ok) | (State::Emergency(_), Event::Back) => State::Home,
        (State::EmergencyOver(at), Event::Previous) => State::EmergencyOver(around(at, readers(phase) + 1, false)),
        (State::EmergencyOver(at), Event::Next) => State::EmergencyOver(around(at, readers(phase) + 1, true)),
        (State::EmergencyOver(at), Event::Ok) if at >= readers(phase) => {
            return (State::EmergencyOver(at), Some(Action::EmergencySeen));
        }
        (State::EmergencyOver(at), Event::Back) => return (State::EmergencyOver(at), Some(Action::EmergencySeen)),

        // The backups: one now, or a stick for them.
        (State::Backup(choice), Event::Previous | Event::Next) => State::Backup(choice.other()),
        (State::Backup(First), Event::Ok) => match offered_stick(phase) {
            Some(token) => State::BackupStick { token, choice: Second },
            None => return (State::Backup(First), Some(Action::BackUpNow)),
        },
        (State::Backup(_), Event::Ok | Event::Back) => State::Home,
        (State::BackupStick { token, choice }, Event::Previous | Event::Next) => State::BackupStick {
            token,
            choice: choice.other(),
        },
        (State::BackupStick { token, choice: First }, Event::Ok) => {
            return (
                State::Backup(First),
                Some(Action::BeginErrand(Errand::BackupStick(token))),
            );
        }
        (State::BackupStick { .. }, Event::Ok | Event::Back) => State::Backup(First),

        // What is carried by hand: begin, unless it is under way.
        (State::Usb(choice), Event::Previous | Event::Next) if can_carry(phase) => State::Usb(choice.other()),
        (State::Usb(First), Event::Ok) if can_carry(phase) => {
            return (State::Usb(First), Some(Action::ExchangeByUsb));
        }
        (State::Usb(_), Event::Ok | Event::Back) => State::Home,

        (State::News(news), Event::Ok | Event::Back) => return (State::News(news), Some(Action::NewsSeen(news))),

        // Pairing closes when the hub says so, not by being left.
        (State::Pairing, Event::Ok) => {
            return (
                State::Pairing,
                Some(Action::KeepPairingOpen(!keeps_pairing_open(phase))),
            );
        }
        (State::Pairing, Event::Back) => return (State::Pairing, Some(Action::ClosePairing)),
        (
            State::Paired {
                number,
                choice,
                answered: false,
            },
            Event::Previous | Event::Next,
        ) => State::Paired {
            number,
            choice: choice.other(),
            answered: false,
        },
        (
            State::Paired {
                number,
                choice: Second,
                answered: false,
            },
            Event::Ok,
        ) => {
            let answered = State::Paired {
                number,
                choice: Second,
                answered: true,
            };
            return (answered, Some(Action::UndoPhone(number)));
        }
        (
            State::Paired {
                number,
                answered: false,
                ..
            },
            Event::Ok | Event::Back | Event::TimedOut,
        ) => {
            let answered = State::Paired {
                number,
                choice: First,
                answered: true,
            };
            return (answered, Some(Action::KeepPhone(number)));
        }

        // The hub has not acted on the answer, so it is asked for again.
        (State::Paired { number, .. }, Event::TimedOut) => State::Paired {
            number,
            choice: First,
            answered: false,
        },

        (unmoved, _) => unmoved,
    };
    (next, None)
}

fn typed(mut pad: Pad, digits: &Digits) -> Pad {
    pad.add(digits.expose());
    pad
}
