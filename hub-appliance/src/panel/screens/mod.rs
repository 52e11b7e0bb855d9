//! One file a screen; here is which one is drawn when.

mod about;
mod fault;
mod home;
mod lock;
mod locked;
mod menu;
mod no_network;
mod pad;
mod pair;
mod paired;
mod recovery;
mod set_up_pin;
mod set_up_recovery;
mod status;
mod wait;
mod working;

use std::time::Duration;

pub(super) use self::pair::HINT_FOR;

use super::canvas::Canvas;
use super::state::State;
use super::strings::Strings;
use super::transitions::asked_group;
use super::view::{Phase, Status};

/// What a picture needs to know of time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// How long the screen has been up.
    pub(super) shown_for: Duration,
    /// What is left of the wait or of pairing.
    pub(super) left: Duration,
}

/// Draws `state` and gives the screen's name. A state that `status` no longer goes with draws as far as it can: the
/// next update moves on from it.
pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    state: &State,
    status: &Status,
    moment: Moment,
    strings: &Strings,
) -> &'static str {
    match (state, &status.phase) {
        (State::Welcome, _) => set_up_pin::welcome(canvas, strings),
        (State::ChoosePin(pad), _) => set_up_pin::choose(canvas, pad, strings),
        (State::RepeatPin { again, .. }, _) => set_up_pin::repeat(canvas, again, strings),
        (State::WriteCode { differs }, Phase::Confirming { code, .. }) => {
            set_up_recovery::write(canvas, code, *differs, strings)
        }
        (State::CheckCode { step, pad }, Phase::Confirming { ask, .. }) => {
            set_up_recovery::check(canvas, asked_group(*ask, *step) + 1, pad, strings)
        }
        (State::EnterPin(pad), Phase::Locked { failures, .. }) => locked::draw(canvas, pad, *failures, strings),
        (State::Wait, Phase::Locked { failures, .. }) => wait::draw(canvas, moment.left, *failures, strings),
        (State::EnterCode(code), _) => recovery::draw(canvas, code, strings),
        (State::Home, Phase::Open(open)) => home::draw(canvas, open, strings),
        (State::Menu(chosen), _) => menu::draw(canvas, *chosen, strings),
        (State::Facts, Phase::Open(open)) => status::draw(canvas, open, strings),
        (State::About, _) => about::draw(canvas, &status.about, strings),
        (State::ConfirmLock(choice), _) => lock::draw(canvas, *choice, strings),
        (State::NoNetwork, _) => no_network::draw(canvas, strings),
        (State::Pairing, Phase::Open(open)) => pair::draw(canvas, open, moment, strings),
        (State::Paired { choice, .. }, Phase::Open(open)) => paired::draw(canvas, open, *choice, strings),
        (State::Fault, Phase::Fault(fault)) => fault::draw(canvas, fault, strings),
        (State::Working(work), _) => working::draw(canvas, work.job, moment, strings),
        _ => working::between(canvas, moment, strings),
    }
}
