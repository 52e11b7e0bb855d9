//! What the hub does: where its status leads.

use crate::panel::pin_pad::{CodeEntry, PadMaker};
use crate::panel::state::{Choice, Job, State, Work};
use crate::panel::strings::Note;
use crate::panel::view::{Notice, OpenStatus, Phase, PinChange, Status};

/// Where the hub's `status` leads from `state`.
pub(in crate::panel) fn follow(state: State, status: &Status, pads: &mut PadMaker) -> State {
    let phase = &status.phase;
    match (phase, state) {
        (Phase::Starting, _) => State::Splash,
        (Phase::Fault(_), _) => State::Fault,
        (_, same @ (State::Splash | State::Notice)) => same,

        (Phase::SetUp, same) if same.is_set_up() => same,
        (Phase::SetUp, State::Working(work)) if work.is_asked(Job::SetUp, 0) => State::Working(work),
        (Phase::SetUp, State::Working(Work { job: Job::SetUp, .. })) => {
            State::ChoosePin(pads.new_pin().saying(Note::SetUpFailed))
        }
        (Phase::SetUp, _) => State::Welcome(status.language),
        (Phase::SettingUp, _) => Work::begun(Job::SetUp, 0),

        (Phase::Renewing, same @ (State::ChoosePin(_) | State::RepeatPin { .. })) => same,
        (Phase::Renewing, State::Working(work)) if work.is_asked(Job::RenewPin, 0) => State::Working(work),
        (Phase::Renewing, _) => State::ChoosePin(pads.new_pin()),
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

        (Phase::Open(_), state) if opened(&state) && status.notice.is_some_and(Notice::is_of_opening) => State::Notice,
        (Phase::Open(open), state) => follow_open(state, open, pads),
        (Phase::Locking, _) => Work::begun(Job::Lock, 0),
        (Phase::PoweringOff, _) => State::Off,
        (Phase::Asking(asked), State::Answering { question, choice }) if question == *asked => {
            State::Answering { question, choice }
        }
        (Phase::Asking(asked), _) => State::Answering {
            question: asked.clone(),
            choice: Choice::Second,
        },
        (Phase::Formatting { .. }, _) => State::Formatting,
        (Phase::Moving { .. }, _) => State::Moving,
    }
}

/// Whether the hub was opening until now.
const fn opened(before: &State) -> bool {
    match before {
        State::Formatting => true,
        State::Working(work) => matches!(
            work.job,
            Job::SetUp | Job::FinishSetUp | Job::RenewPin | Job::Unlock | Job::UnlockWithCode
        ),
        _ => false,
    }
}

fn follow_open(state: State, open: &OpenStatus, pads: &mut PadMaker) -> State {
    if let (Some(change), None) = (&open.pin_change, &open.paired) {
        return follow_pin_change(state, *change, pads);
    }
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
        (None, None, State::Phone { number, .. } | State::ConfirmRevoke { number, .. })
            if !open.phones.iter().any(|phone| phone.number == number) =>
        {
            State::Phones(0)
        }
        (None, None, State::Phones(at)) if at >= open.phones.len() => State::Phones(0),
        (None, None, same) if same.is_open() => same,
        (None, None, _) => State::Home,
    }
}

fn follow_pin_change(state: State, change: PinChange, pads: &mut PadMaker) -> State {
    match (change, state) {
        (PinChange::Ask { failures, .. }, State::Working(work)) if work.is_asked(Job::CheckPin, failures) => {
            State::Working(work)
        }
        (PinChange::Ask { wait, .. }, _) if !wait.is_zero() => State::PinWait,
        (PinChange::Ask { .. }, same @ State::PresentPin(_)) => same,
        (PinChange::Ask { tries_left, .. }, State::Working(Work { job: Job::CheckPin, .. })) => {
            State::PresentPin(pads.pin().saying(Note::WrongPin(tries_left)))
        }
        (PinChange::Ask { .. }, _) => State::PresentPin(pads.pin()),
        (PinChange::Checking, _) => Work::begun(Job::CheckPin, 0),
        (PinChange::Choose, same @ (State::ChoosePin(_) | State::RepeatPin { .. })) => same,
        (PinChange::Choose, State::Working(work)) if work.is_asked(Job::ChangePin, 0) => State::Working(work),
        (PinChange::Choose, _) => State::ChoosePin(pads.new_pin()),
        (PinChange::Changing, _) => Work::begun(Job::ChangePin, 0),
        (PinChange::Changed, _) => State::PinChanged,
        (PinChange::Failed, _) => State::PinKept,
    }
}

/// The first screen of `status`.
pub(super) fn start(status: &Status, pads: &mut PadMaker) -> State {
    follow(State::Home, status, pads)
}
