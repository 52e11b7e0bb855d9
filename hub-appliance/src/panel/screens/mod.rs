//! One file a screen; here is which one is drawn when.

mod about;
mod backup;
mod change_pin;
mod cloud;
mod emergency;
mod errand;
mod fault;
mod help;
mod home;
mod keys;
mod language;
mod lock;
mod locked;
mod menu;
mod news;
mod no_network;
mod notice;
mod pad;
mod pair;
mod paired;
mod phones;
mod power_off;
mod question;
mod recovery;
mod set_clock;
mod set_up_pin;
mod set_up_recovery;
mod splash;
mod status;
mod usb;
mod wait;
mod working;

use std::time::Duration;

pub(super) use self::home::turns as home_turns;
pub(super) use self::pair::HINT_FOR;
pub(super) use self::status::turns as status_turns;

use super::canvas::Canvas;
use super::state::State;
use super::transitions::{asked_group, code_to_write};
use super::view::{Phase, Status};

/// What a picture needs to know of time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// How long the screen has been up.
    pub(super) shown_for: Duration,
    /// What is left of the wait or of pairing.
    pub(super) left: Duration,
    /// Whether a screen that the hub brought up takes buttons by now.
    pub(super) is_settled: bool,
}

impl Moment {
    /// Which turn a screen is at whose lines take turns.
    fn turn(self) -> usize {
        usize::try_from(self.shown_for.as_secs() / HINT_FOR.as_secs()).unwrap_or(0)
    }
}

/// Draws `state` and gives the screen's name. A state that `status` no longer goes with draws as far as it can: the
/// next update moves on from it.
pub(super) fn draw(canvas: &mut Canvas<'_>, state: &State, status: &Status, moment: Moment) -> &'static str {
    let strings = status.language.strings();
    match (state, &status.phase) {
        (State::Splash, _) => splash::draw(canvas, &status.about, strings),
        (State::Notice, _) => notice::draw(canvas, status.notice.clone(), moment, strings),
        (State::Welcome(chosen), _) => set_up_pin::welcome(canvas, *chosen, status.numerals),
        (State::FirstWay { at, choice }, _) => keys::first(canvas, *at, *choice, strings),
        (State::NoFirstWay, Phase::SetUp(chosen)) => keys::not_first(canvas, chosen, moment, strings),
        (State::ChoosePin(pad), Phase::Open(_)) => change_pin::choose(canvas, pad, strings),
        (State::RepeatPin { again, .. }, Phase::Open(_)) => change_pin::repeat(canvas, again, strings),
        (State::ChoosePin(pad), _) => set_up_pin::choose(canvas, pad, strings),
        (State::RepeatPin { again, .. }, _) => set_up_pin::repeat(canvas, again, strings),
        (State::ExplainCode, _) => set_up_recovery::explain(canvas, strings),
        (State::WriteCode { differs }, phase) => match code_to_write(phase) {
            Some((code, _)) => set_up_recovery::write(canvas, code, *differs, strings),
            None => working::between(canvas, moment, strings),
        },
        (State::CodeHidden, _) => set_up_recovery::hidden(canvas, strings),
        (State::CheckCode { step, pad }, phase) => match code_to_write(phase) {
            Some((_, ask)) => set_up_recovery::check(canvas, asked_group(ask, *step) + 1, pad, strings),
            None => working::between(canvas, moment, strings),
        },
        (State::EnterPin(pad), Phase::Locked { failures, lacks, .. }) => {
            locked::draw(canvas, pad, *failures, *lacks, strings)
        }
        (State::Keys(chosen), Phase::Open(open)) => keys::list(canvas, open.ways, *chosen, strings),
        (State::Key { at, choice }, Phase::Open(open)) => keys::one(canvas, open.ways, *at, *choice, strings),
        (State::Wait, Phase::Locked { failures, .. }) => wait::locked(canvas, moment.left, *failures, strings),
        (State::EnterCode(code), _) => recovery::draw(canvas, code, strings),
        (State::Home, Phase::Open(open)) => home::draw(canvas, open, status.about.is_development, moment, strings),
        (State::Menu(chosen), _) => menu::draw(canvas, *chosen, strings),
        (State::Phones(chosen), Phase::Open(open)) => phones::list(canvas, open, *chosen, strings),
        (State::Phone { number, choice }, Phase::Open(open)) => phones::one(canvas, open, *number, *choice, strings),
        (State::ConfirmRevoke { number, choice }, Phase::Open(open)) => {
            phones::revoke(canvas, open, *number, *choice, strings)
        }
        (State::Help(chosen), Phase::Open(open)) => help::list(canvas, open, *chosen, strings),
        (State::HelpOne { place, choice }, Phase::Open(open)) => help::one(canvas, open, *place, *choice, strings),
        (State::PresentPin(pad), _) => change_pin::present(canvas, pad, strings),
        (State::PinWait, _) => wait::open(canvas, moment.left, strings),
        (State::PinChanged, _) => change_pin::changed(canvas, strings),
        (State::PinKept, _) => change_pin::kept(canvas, strings),
        (State::ErrandPin(pad), Phase::Open(open)) => errand::pin(canvas, open, pad, strings),
        (State::Staff(choice), Phase::Open(open)) => errand::staff(canvas, open, *choice, strings),
        (State::SetClock(entry), _) => set_clock::draw(canvas, entry, strings),
        (State::ErrandEnded, Phase::Open(open)) => errand::ended(canvas, open, moment, strings),
        (State::ConfirmRestart(choice), _) => power_off::ask_restart(canvas, *choice, strings),
        (State::Restarting, _) => power_off::restarting(canvas, strings),
        (State::ChooseLanguage(chosen), _) => language::draw(canvas, *chosen, status.numerals),
        (State::ConfirmPowerOff(choice), _) => power_off::ask(canvas, *choice, strings),
        (State::Answering { question, choice }, _) => question::draw(canvas, question, *choice, moment, strings),
        (State::Formatting, Phase::Formatting { permille }) => working::formatting(canvas, *permille, strings),
        (State::Moving, Phase::Moving { permille }) => working::moving(canvas, *permille, strings),
        (State::Repairing, Phase::Repairing { permille }) => working::repairing(canvas, *permille, strings),
        (State::Restoring, Phase::RestoringBackup { permille }) => working::restoring(canvas, *permille, strings),
        (State::Off, _) => power_off::off(canvas, strings),
        (State::Unplug, _) => power_off::unplug(canvas, strings),
        (State::Facts, Phase::Open(open)) => status::draw(canvas, open, moment, strings),
        (State::Cloud(choice), Phase::Open(open)) => cloud::draw(canvas, open.cloud, *choice, moment, strings),
        (State::Backup(choice), Phase::Open(open)) => backup::draw(canvas, &open.backup, *choice, strings),
        (State::Usb(choice), Phase::Open(open)) => usb::draw(canvas, &open.usb, *choice, moment, strings),
        (State::BackupStick { choice, .. }, Phase::Open(open)) => backup::ask(canvas, &open.backup, *choice, strings),
        (State::About, _) => about::draw(canvas, &status.about, moment, strings),
        (State::ConfirmLock(choice), _) => lock::draw(canvas, *choice, strings),
        (State::NoNetwork, _) => no_network::draw(canvas, strings),
        (State::Pairing, Phase::Open(open)) => {
            pair::draw(canvas, open, status.about.identity.as_ref(), moment, strings)
        }
        (State::Paired { choice, .. }, Phase::Open(open)) => paired::draw(canvas, open, *choice, strings),
        (State::Emergency(choice), Phase::Open(open)) => emergency::open(canvas, open, *choice, strings),
        (State::EmergencyOver(chosen), Phase::Open(open)) => emergency::over(canvas, open, *chosen, moment, strings),
        (State::News(news), _) => news::draw(canvas, *news, moment, strings),
        (State::Fault(fault), _) => fault::draw(canvas, fault, status.about.help.as_deref(), moment, strings),
        (State::Working(work), _) => working::draw(canvas, work.job, moment, strings),
        _ => working::between(canvas, moment, strings),
    }
}
