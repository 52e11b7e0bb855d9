//! The panel as a state machine: every way from one screen to another.
//!
//! [`step`] is what people and time-outs do, [`follow`] what the hub does. Neither draws, waits or reads a clock.

use super::input::{Action, Digits};
use super::pin_pad::{CodeEntry, Pad, PadEvent, PadMaker};
use super::state::{Choice, Event, Job, MENU, MenuEntry, State, Work};
use super::strings::Note;
use super::view::{OpenStatus, Phase, RecoveryCode};

/// Where `event` leads from `state`, and what the hub is to do.
#[allow(clippy::too_many_lines, reason = "every transition stands in one table")]
pub(super) fn step(state: State, event: Event, phase: &Phase, pads: &mut PadMaker) -> (State, Option<Action>) {
    use Choice::{First, Second};
    use PadEvent::{Held, Left, Taken};

    let next = match (state, event) {
        // Set-up: the PIN, twice.
        (State::Welcome, Event::Ok) => State::ChoosePin(pads.new_pin()),
        (State::Welcome, Event::Typed(digits)) => State::ChoosePin(typed(pads.new_pin(), &digits)),
        (State::ChoosePin(first), Event::Pad(Taken)) => State::RepeatPin {
            first,
            again: pads.new_pin(),
        },
        (State::ChoosePin(_), Event::Pad(Left | Held)) => State::Welcome,
        (State::RepeatPin { first, again }, Event::Pad(Taken)) if again.equals(&first) => {
            return (
                Work::asked(Job::SetUp, 0),
                Some(Action::SetUp { pin: first.to_secret() }),
            );
        }
        (State::RepeatPin { .. }, Event::Pad(Taken)) => State::ChoosePin(pads.new_pin().saying(Note::Mismatch)),
        (State::RepeatPin { .. }, Event::Pad(Left | Held)) => State::ChoosePin(pads.new_pin()),

        // Set-up: the recovery code, shown and then typed back in part.
        (State::WriteCode { .. }, Event::Ok) => State::CheckCode {
            step: 0,
            pad: pads.group(),
        },
        (State::WriteCode { .. }, Event::Typed(digits)) => State::CheckCode {
            step: 0,
            pad: typed(pads.group(), &digits),
        },
        (State::CheckCode { step, pad }, Event::Pad(Taken)) => match wrong_group(phase, step, &pad) {
            Some(group) => State::WriteCode { differs: Some(group) },
            None if step == 0 => State::CheckCode {
                step: 1,
                pad: pads.group(),
            },
            None => return (Work::asked(Job::FinishSetUp, 0), Some(Action::RecoveryConfirmed)),
        },
        (State::CheckCode { .. }, Event::Pad(Left | Held)) => State::WriteCode { differs: None },

        // Locked: the PIN, or the recovery code.
        (State::EnterPin(pad), Event::Pad(Taken)) => {
            let action = Action::Unlock { pin: pad.to_secret() };
            return (Work::asked(Job::Unlock, failures(phase)), Some(action));
        }
        (State::EnterPin(_), Event::Pad(Held)) | (State::Wait, Event::Back) => {
            State::EnterCode(CodeEntry::new(pads.group()))
        }
        (State::EnterPin(mut pad), Event::TimedOut) => {
            pad.clear(Note::Cleared);
            State::EnterPin(pad)
        }
        (State::EnterCode(code), Event::Pad(Taken)) => {
            let action = Action::UnlockWithRecovery { code: code.into_code() };
            return (Work::asked(Job::UnlockWithCode, failures(phase)), Some(action));
        }
        (State::EnterCode(code), Event::TimedOut) if !code.is_empty() => {
            State::EnterCode(CodeEntry::new(pads.group().saying(Note::Cleared)))
        }
        (State::EnterCode(_), Event::Pad(Left | Held) | Event::TimedOut) => start(phase, pads),
        (State::Working(_), Event::TimedOut) => start(phase, pads),

        // Open: the menu and what it leads to.
        (State::Home, Event::Ok) => State::Menu(0),
        (State::Menu(at), Event::Previous) => State::Menu((at + MENU.len() - 1) % MENU.len()),
        (State::Menu(at), Event::Next) => State::Menu((at + 1) % MENU.len()),
        (State::Menu(at), Event::Ok) => match MENU[at % MENU.len()] {
            MenuEntry::Pair if has_network(phase) => return (State::Menu(at), Some(Action::OpenPairing)),
            MenuEntry::Pair => State::NoNetwork,
            MenuEntry::Status => State::Facts,
            MenuEntry::Lock => State::ConfirmLock(First),
            MenuEntry::About => State::About,
        },
        (State::Facts | State::About | State::NoNetwork, Event::Ok | Event::Back) => State::Home,
        (State::ConfirmLock(choice), Event::Previous | Event::Next) => State::ConfirmLock(choice.other()),
        (State::ConfirmLock(First), Event::Ok) => return (Work::asked(Job::Lock, 0), Some(Action::Lock)),
        (State::ConfirmLock(Second), Event::Ok) | (State::ConfirmLock(_) | State::Menu(_), Event::Back) => State::Home,
        (State::Menu(_) | State::Facts | State::About | State::ConfirmLock(_) | State::NoNetwork, Event::TimedOut) => {
            State::Home
        }

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

        (unmoved, _) => unmoved,
    };
    (next, None)
}

/// Where the hub's `phase` leads from `state`.
pub(super) fn follow(state: State, phase: &Phase, pads: &mut PadMaker) -> State {
    match (phase, state) {
        (Phase::SetUp, same) if same.is_set_up() => same,
        (Phase::SetUp, State::Working(work)) if work.is_asked(Job::SetUp, 0) => State::Working(work),
        (Phase::SetUp, State::Working(Work { job: Job::SetUp, .. })) => {
            State::ChoosePin(pads.new_pin().saying(Note::SetUpFailed))
        }
        (Phase::SetUp, _) => State::Welcome,
        (Phase::SettingUp, _) => Work::begun(Job::SetUp, 0),

        (Phase::Confirming { .. }, same @ (State::WriteCode { .. } | State::CheckCode { .. })) => same,
        (Phase::Confirming { .. }, State::Working(work)) if work.is_asked(Job::FinishSetUp, 0) => State::Working(work),
        (Phase::Confirming { .. }, _) => State::WriteCode { differs: None },

        // Asked for during a wait: the hub refuses without a try, so nothing was wrong with the code.
        (Phase::Locked { wait, failures, .. }, State::Working(work))
            if !wait.is_zero() && work.failures == *failures =>
        {
            State::Wait
        }
        (Phase::Locked { failures, .. }, State::Working(work))
            if work.is_asked(Job::Unlock, *failures) || work.is_asked(Job::UnlockWithCode, *failures) =>
        {
            State::Working(work)
        }
        (
            Phase::Locked { .. },
            State::Working(Work {
                job: Job::UnlockWithCode,
                ..
            }),
        ) => State::EnterCode(CodeEntry::new(pads.group().saying(Note::WrongCode))),
        (Phase::Locked { .. }, same @ State::EnterCode(_)) => same,
        (Phase::Locked { wait, .. }, _) if !wait.is_zero() => State::Wait,
        (Phase::Locked { .. }, same @ State::EnterPin(_)) => same,
        (
            Phase::Locked {
                failures, tries_left, ..
            },
            State::Working(Work { job: Job::Unlock, .. }),
        ) if *failures > 0 => State::EnterPin(pads.pin().saying(Note::WrongPin(*tries_left))),
        (Phase::Locked { .. }, _) => State::EnterPin(pads.pin()),

        (
            Phase::Unlocking,
            State::Working(Work {
                job: Job::UnlockWithCode,
                failures,
                ..
            }),
        ) => Work::begun(Job::UnlockWithCode, failures),
        (Phase::Unlocking, _) => Work::begun(Job::Unlock, 0),

        (Phase::Open(open), state) => follow_open(state, open),
        (Phase::Locking, _) => Work::begun(Job::Lock, 0),
        (Phase::Fault(_), _) => State::Fault,
    }
}

fn follow_open(state: State, open: &OpenStatus) -> State {
    match (&open.paired, &open.pairing, state) {
        (_, _, State::Working(work)) if work.is_asked(Job::Lock, 0) => State::Working(work),
        (
            Some(phone),
            _,
            State::Paired {
                number,
                choice,
                answered,
            },
        ) if number == phone.number => State::Paired {
            number,
            choice,
            answered,
        },
        (Some(phone), _, _) => State::Paired {
            number: phone.number,
            choice: Choice::First,
            answered: false,
        },
        (None, Some(_), _) => State::Pairing,
        (None, None, same) if same.is_open() => same,
        (None, None, _) => State::Home,
    }
}

/// The first screen of `phase`.
fn start(phase: &Phase, pads: &mut PadMaker) -> State {
    follow(State::Home, phase, pads)
}

fn typed(mut pad: Pad, digits: &Digits) -> Pad {
    pad.add(digits.expose());
    pad
}

/// The number (1 to 8) of the group that was asked for, if what was typed is another.
fn wrong_group(phase: &Phase, step: usize, pad: &Pad) -> Option<usize> {
    let Phase::Confirming { code, ask } = phase else {
        return None;
    };
    let asked = asked_group(*ask, step);
    let right = RecoveryCode::parse_group(pad.expose()) == Some(code.numbers()[asked]);
    (!right).then_some(asked + 1)
}

/// The index (0 to 7) of the group that is asked for first or second.
pub(super) const fn asked_group(ask: [usize; 2], step: usize) -> usize {
    ask[step % ask.len()] % RecoveryCode::GROUPS
}

const fn failures(phase: &Phase) -> u32 {
    match phase {
        Phase::Locked { failures, .. } => *failures,
        _ => 0,
    }
}

const fn has_network(phase: &Phase) -> bool {
    matches!(phase, Phase::Open(OpenStatus { address: Some(_), .. }))
}

fn keeps_pairing_open(phase: &Phase) -> bool {
    matches!(phase, Phase::Open(open) if open.pairing.is_some_and(|pairing| pairing.keep_open))
}
