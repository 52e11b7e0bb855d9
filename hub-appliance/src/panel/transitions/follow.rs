//! What the hub does: where its status leads.

use crate::panel::clock_entry::ClockEntry;
use crate::panel::pin_pad::{CodeEntry, PIN_ALONE, PadMaker};
use crate::panel::state::{Choice, Job, State, Work};
use crate::panel::strings::Note;
use crate::panel::transitions::FIRST_WAY;
use crate::panel::view::{
    ErrandStep, Notice, OpenStatus, Phase, PinChange, Question, Status, Unlocking, WithdrawnClinic,
};

/// Where the hub's `status` leads from `state`.
pub(in crate::panel) fn follow(state: State, status: &Status, pads: &mut PadMaker) -> State {
    let phase = &status.phase;
    match (phase, state) {
        (Phase::Starting, _) => State::Splash,
        (Phase::Fault(fault), _) => State::Fault(fault.clone()),
        (Phase::Unplug, _) => State::Unplug,
        (_, same @ (State::Splash | State::Notice)) => same,

        // The hub is at work.
        (Phase::SettingUp, state) => Work::begun(Job::SetUp, &state),
        (Phase::Unlocking, state) => match state {
            State::Working(Work { job, .. }) => Work::begun(job, &state),
            _ => Work::begun(Job::Unlock, &state),
        },
        (Phase::Open(open), state) if open.is_at_work() => follow_open(state, open, pads),
        (Phase::Locking, state) => Work::begun(Job::Lock, &state),
        (Phase::PoweringOff, _) => State::Off,
        (Phase::Restarting, _) => State::Restarting,
        (Phase::Formatting { .. }, _) => State::Formatting,
        (Phase::Moving { .. }, _) => State::Moving,
        (Phase::Repairing { .. }, _) => State::Repairing,
        (Phase::RestoringBackup { .. }, _) => State::Restoring,
        // Whatever it shows before it has dealt with what it was asked to, the outcome is still to come.
        (_, State::Working(work)) if !work.is_answered(status.answered) => Work::asked(work.job, work.request),

        (Phase::SetUp(_), same) if same.is_set_up() => same,
        (Phase::SetUp(chosen), State::Working(Work { job: Job::FirstWay, .. })) => match chosen.trouble {
            Some(_) => State::NoFirstWay,
            None => State::ChoosePin(pads.pin(chosen.fewest_digits())),
        },
        // Whether the box gets a key was asked, and decided, or given up.
        (
            Phase::SetUp(chosen),
            State::Answering {
                question: Question::BoxKey { .. },
                ..
            },
        ) => match (&chosen.trouble, chosen.unlocking) {
            (Some(_), _) => State::NoFirstWay,
            (None, Unlocking::PinAndBox | Unlocking::Box) => State::ChoosePin(pads.pin(chosen.fewest_digits())),
            (None, _) => FIRST_WAY,
        },
        (Phase::SetUp(chosen), State::Working(Work { job: Job::SetUp, .. })) => {
            State::ChoosePin(pads.pin(chosen.fewest_digits()).saying(Note::TooSimple))
        }
        // The language was chosen before.
        (
            Phase::SetUp(_),
            State::Answering {
                question: Question::Restore { .. },
                ..
            },
        ) => FIRST_WAY,
        (Phase::SetUp(_), _) => State::Welcome(status.language),

        (Phase::Renewing, same @ (State::ChoosePin(_) | State::RepeatPin { .. })) => same,
        (Phase::Renewing, State::Working(Work { job: Job::RenewPin, .. })) => {
            State::ChoosePin(pads.pin(PIN_ALONE).saying(Note::TooSimple))
        }
        (Phase::Renewing, _) => State::ChoosePin(pads.pin(PIN_ALONE)),
        (Phase::Confirming { .. }, same) if same.is_about_code() => same,
        (Phase::Confirming { .. }, _) => State::ExplainCode,

        (
            Phase::Locked { .. } | Phase::RestoreCode,
            State::Working(Work {
                job: Job::UnlockWithCode,
                ..
            }),
        ) => State::EnterCode(CodeEntry::new(pads.group().saying(Note::WrongCode))),
        (Phase::RestoreCode, same @ State::EnterCode(_)) => same,
        (Phase::RestoreCode, _) => State::EnterCode(CodeEntry::new(pads.group())),
        (Phase::Locked { .. }, same @ (State::EnterCode(_) | State::ChooseLanguage(_))) => same,
        (Phase::Locked { wait, .. }, _) if !wait.is_zero() => State::Wait,
        (Phase::Locked { .. }, same @ State::EnterPin(_)) => same,
        // A PIN was not tried where something was missing beside it. An empty field says what for as long as it is, which a
        // note would not.
        (
            Phase::Locked {
                lacks,
                tries_left,
                fewest_digits,
                ..
            },
            State::Working(Work { job: Job::Unlock, .. }),
        ) if !lacks.makes_pin_useless() => {
            State::EnterPin(pads.pin(*fewest_digits).saying(Note::WrongPin(*tries_left)))
        }
        (Phase::Locked { fewest_digits, .. }, _) => State::EnterPin(pads.pin(*fewest_digits)),

        (Phase::Open(_), state) if opened(&state) && status.notice.as_ref().is_some_and(Notice::is_of_opening) => {
            State::Notice
        }
        (Phase::Open(open), state) => follow_open(state, open, pads),
        (Phase::Asking(asked), State::Answering { question, choice }) if question == *asked => {
            State::Answering { question, choice }
        }
        (Phase::Asking(asked), _) => State::Answering {
            question: asked.clone(),
            choice: Choice::Second,
        },
    }
}

/// Whether the hub was opening until now.
const fn opened(before: &State) -> bool {
    match before {
        State::Formatting | State::Restoring => true,
        State::Working(work) => matches!(
            work.job,
            Job::SetUp | Job::FinishSetUp | Job::RenewPin | Job::Unlock | Job::UnlockWithCode
        ),
        _ => false,
    }
}

fn follow_open(state: State, open: &OpenStatus, pads: &mut PadMaker) -> State {
    if let Some(change) = open.pin_change
        && (open.paired.is_none() || change.is_at_work())
    {
        return follow_pin_change(state, change, open.ways.fewest_digits(), pads);
    }
    if let Some((_, step)) = &open.errand
        && (open.paired.is_none() || step.is_at_work())
    {
        return follow_errand(state, step, open.ways.fewest_digits(), pads);
    }
    match (&open.paired, &open.pairing, state) {
        (_, _, state) if open.news.is_some() => open.news.map_or(state, State::News),
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
        (None, None, State::EmergencyOver(at))
            if open.emergency_readers().is_some_and(|readers| at <= readers.len()) =>
        {
            State::EmergencyOver(at)
        }
        (None, None, _) if open.emergency_readers().is_some() => State::EmergencyOver(0),
        (None, None, State::Emergency(_)) if open.emergency_minutes().is_none() => State::Home,
        (None, None, state) if open.other_cloud.is_some() => ask(
            state,
            Question::OtherCloud {
                host: open.other_cloud.clone().unwrap_or_default(),
            },
        ),
        (None, None, state) if open.other_office.is_some() => ask(
            state,
            Question::OtherOffice {
                ending: open.other_office.clone().unwrap_or_default(),
            },
        ),
        (None, None, state) if open.offers_box => ask(state, Question::NewBox),
        // What became of the courier's stick is seen first: the question may follow from it.
        (None, None, state)
            if !matches!(state, State::Usb(_))
                && let Some(WithdrawnClinic { name, patients }) = &open.withdrawn =>
        {
            ask(
                state,
                Question::Withdrawn {
                    clinic: name.clone(),
                    patients: *patients,
                },
            )
        }
        (None, None, state) if open.other_organisation.is_some() => ask(
            state,
            Question::OtherOrganisation {
                ending: open.other_organisation.clone().unwrap_or_default(),
            },
        ),
        (None, None, State::Phone { number, .. } | State::ConfirmRevoke { number, .. })
            if !open.phones.iter().any(|phone| phone.number == number) =>
        {
            State::Phones(0)
        }
        (None, None, State::BackupStick { token, .. }) if offered_stick(open) != Some(token) => {
            State::Backup(Choice::First)
        }
        (None, None, State::Phones(at)) if at >= open.phones.len() => State::Phones(0),
        (None, None, same) if same.is_open() => same,
        (None, None, _) => State::Home,
    }
}

fn offered_stick(open: &OpenStatus) -> Option<u64> {
    open.backup.offered.as_ref().map(|stick| stick.token)
}

/// Nobody sends the records elsewhere without a person at the box.
fn ask(state: State, question: Question) -> State {
    match state {
        State::Answering {
            question: asked,
            choice,
        } if asked == question => State::Answering { question, choice },
        _ => State::Answering {
            question,
            choice: Choice::Second,
        },
    }
}

fn follow_pin_change(state: State, change: PinChange, fewest: usize, pads: &mut PadMaker) -> State {
    match (change, state) {
        (PinChange::Ask { wait, .. }, _) if !wait.is_zero() => State::PinWait,
        (PinChange::Ask { .. }, same @ State::PresentPin(_)) => same,
        (PinChange::Ask { tries_left, .. }, State::Working(Work { job: Job::CheckPin, .. })) => {
            State::PresentPin(pads.pin(fewest).saying(Note::WrongPin(tries_left)))
        }
        (PinChange::Ask { .. }, _) => State::PresentPin(pads.pin(fewest)),
        (PinChange::Choose, same @ (State::ChoosePin(_) | State::RepeatPin { .. })) => same,
        (
            PinChange::Choose,
            State::Working(Work {
                job: Job::ChangePin, ..
            }),
        ) => State::ChoosePin(pads.pin(fewest).saying(Note::TooSimple)),
        (PinChange::Choose, _) => State::ChoosePin(pads.pin(fewest)),
        (PinChange::Checking, state) => Work::begun(Job::CheckPin, &state),
        (PinChange::Changing, state) => Work::begun(Job::ChangePin, &state),
        (PinChange::Changed, _) => State::PinChanged,
        (PinChange::Failed, _) => State::PinKept,
    }
}

fn follow_errand(state: State, step: &ErrandStep, fewest: usize, pads: &mut PadMaker) -> State {
    match (step, state) {
        (ErrandStep::Ask { wait, .. }, _) if !wait.is_zero() => State::PinWait,
        (ErrandStep::Ask { .. }, same @ State::ErrandPin(_)) => same,
        (ErrandStep::Ask { tries_left, .. }, State::Working(Work { job: Job::CheckPin, .. })) => {
            State::ErrandPin(pads.pin(fewest).saying(Note::WrongPin(*tries_left)))
        }
        (ErrandStep::Ask { .. }, _) => State::ErrandPin(pads.pin(fewest)),
        (ErrandStep::Checking, state) => Work::begun(Job::CheckPin, &state),
        (ErrandStep::AtWork, state) => Work::begun(Job::Errand, &state),
        (ErrandStep::Staff(_), State::Staff(choice)) => State::Staff(choice),
        (ErrandStep::Staff(_), _) => State::Staff(Choice::Second),
        (ErrandStep::Code { .. }, same) if same.is_about_code() => same,
        (ErrandStep::Code { .. }, _) => State::ExplainCode,
        (ErrandStep::Clock(_), same @ State::SetClock(_)) => same,
        (ErrandStep::Clock(from), _) => State::SetClock(ClockEntry::from(*from)),
        (ErrandStep::Decide(asked), State::Answering { question, choice }) if question == *asked => {
            State::Answering { question, choice }
        }
        (ErrandStep::Decide(asked), _) => State::Answering {
            question: asked.clone(),
            choice: Choice::Second,
        },
        (ErrandStep::Ended(_), _) => State::ErrandEnded,
    }
}

/// The first screen of `status`.
pub(super) fn start(status: &Status, pads: &mut PadMaker) -> State {
    follow(State::Home, status, pads)
}
