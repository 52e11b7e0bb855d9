//! `setting-up`, `formatting`, `moving`, `repairing`, `restoring`, `checking`, `saving`, `unlocking`, `locking`: the hub is at work and
//! nothing can be pressed.

use super::Moment;
use crate::panel::canvas::Canvas;
use crate::panel::icons::Icon;
use crate::panel::state::Job;
use crate::panel::strings::Strings;

pub(super) fn draw(canvas: &mut Canvas<'_>, job: Job, moment: Moment, strings: &Strings) -> &'static str {
    let (name, title, icon, text) = match job {
        Job::SetUp => ("setting-up", strings.setting_up, Icon::KEY, strings.setting_up_text),
        Job::CheckPin => ("checking", strings.checking, Icon::KEY, strings.moment),
        Job::RenewPin | Job::ChangePin => ("saving", strings.changing, Icon::KEY, strings.moment),
        Job::FinishSetUp | Job::Unlock | Job::UnlockWithCode => {
            ("unlocking", strings.unlocking, Icon::KEY, strings.moment)
        }
        Job::FirstWay | Job::Errand => ("saving", strings.errand_at_work, Icon::CLOCK, strings.moment),
        Job::Lock => ("locking", strings.locking, Icon::LOCKED, strings.moment),
    };
    canvas.header(title, icon);
    canvas.centred(1, text);
    bar(canvas, moment);
    name
}

/// Between two screens: the hub has gone on and the panel has not been told yet.
pub(super) fn between(canvas: &mut Canvas<'_>, moment: Moment, strings: &Strings) -> &'static str {
    canvas.header(strings.unlocking, Icon::CLOCK);
    canvas.centred(1, strings.moment);
    bar(canvas, moment);
    "unlocking"
}

/// The data disk is being made, and how far that has come.
pub(super) fn formatting(canvas: &mut Canvas<'_>, permille: u16, strings: &Strings) -> &'static str {
    canvas.header(strings.formatting, Icon::DISK);
    canvas.centred(1, strings.formatting_text);
    canvas.progress(46, 0, permille.into());
    "formatting"
}

/// The records are being moved, and how far that has come.
pub(super) fn moving(canvas: &mut Canvas<'_>, permille: u16, strings: &Strings) -> &'static str {
    canvas.header(strings.moving, Icon::DISK);
    canvas.centred(1, strings.moving_text);
    canvas.progress(46, 0, permille.into());
    "moving"
}

/// The data disk is being repaired, and how far that has come.
pub(super) fn repairing(canvas: &mut Canvas<'_>, permille: u16, strings: &Strings) -> &'static str {
    canvas.header(strings.repairing, Icon::DISK);
    canvas.centred(1, strings.moving_text);
    canvas.progress(46, 0, permille.into());
    "repairing"
}

/// The records are being taken out of a backup, and how far that has come.
pub(super) fn restoring(canvas: &mut Canvas<'_>, permille: u16, strings: &Strings) -> &'static str {
    canvas.header(strings.restoring, Icon::DISK);
    canvas.centred(1, strings.moving_text);
    canvas.progress(46, 0, permille.into());
    "restoring"
}

/// How long it takes can't be known, so a piece of the bar wanders from end to end.
fn bar(canvas: &mut Canvas<'_>, moment: Moment) {
    const PIECE: u32 = 300;
    const STEPS: u32 = 8;
    let turn = u32::try_from(moment.shown_for.as_millis() / 250 % u128::from(2 * STEPS)).unwrap_or(0);
    let step = if turn < STEPS { turn } else { 2 * STEPS - turn };
    let from = step * (1000 - PIECE) / STEPS;
    canvas.progress(46, from, from + PIECE);
}
