//! `ask-pin`, `staff` and `errand`: what takes the PIN at an open hub, what it would change, and how it ended.

use super::Moment;
use super::pad::{self, Show};
use crate::panel::canvas::Canvas;
use crate::panel::icons::Icon;
use crate::panel::pin_pad::Pad;
use crate::panel::state::Choice;
use crate::panel::strings::Strings;
use crate::panel::view::{Errand, ErrandEnd, ErrandStep, OpenStatus, StaffFigures};

/// What a person is about.
const fn title(open: &OpenStatus, strings: &Strings) -> &'static str {
    match &open.errand {
        Some((Errand::NewCode, _)) => strings.menu_new_code,
        Some((Errand::Unlocking(_), _)) => strings.keys,
        Some((Errand::Emergency, _)) => strings.emergency,
        Some((Errand::Clock, _)) => strings.set_clock,
        Some((Errand::LargerDisk, _)) => strings.larger_disk,
        Some((Errand::BackupStick(_), _)) => strings.backup,
        _ => strings.staff,
    }
}

pub(super) fn pin(canvas: &mut Canvas<'_>, open: &OpenStatus, pad: &Pad, strings: &Strings) -> &'static str {
    canvas.header(title(open, strings), Icon::KEY);
    pad::draw(canvas, strings.present_pin_text, pad, Show::Dots, strings);
    "ask-pin"
}

/// The figures that are not nothing, as many as there is room for; those that put somebody out come first.
pub(super) fn staff(canvas: &mut Canvas<'_>, open: &OpenStatus, choice: Choice, strings: &Strings) -> &'static str {
    let room = if canvas.is_tight() { 2 } else { 3 };
    canvas.header(strings.staff_title, Icon::INFO);
    let figures = match &open.errand {
        Some((_, ErrandStep::Staff(figures))) => *figures,
        _ => StaffFigures::default(),
    };
    let counts = [
        figures.leaves,
        figures.joins,
        figures.passwords,
        figures.others,
        figures.rows,
    ];
    let named = counts
        .into_iter()
        .zip(strings.staff_figures)
        .filter(|(count, _)| *count > 0);
    for (row, (count, name)) in named.take(room).enumerate() {
        canvas.pair(row, name, &count.min(9999).to_string());
    }
    canvas.buttons([strings.staff_take, strings.no], choice as usize);
    "staff"
}

pub(super) fn ended(canvas: &mut Canvas<'_>, open: &OpenStatus, moment: Moment, strings: &Strings) -> &'static str {
    canvas.take_turns(moment.turn());
    let end = match &open.errand {
        Some((_, ErrandStep::Ended(end))) => end.clone(),
        _ => ErrandEnd::Failed,
    };
    let is_good = matches!(
        end,
        ErrandEnd::StaffTaken
            | ErrandEnd::CodeRenewed
            | ErrandEnd::Unlocking(_)
            | ErrandEnd::EmergencyOpen
            | ErrandEnd::ClockSet
            | ErrandEnd::ClockKnown
            | ErrandEnd::BackupStick
    );
    canvas.header(title(open, strings), if is_good { Icon::CHECK } else { Icon::WARNING });
    let text = (strings.errand_ended)(end);
    canvas.paragraph(0, &text.each_ref().map(String::as_str));
    canvas.hint(strings.back);
    "errand"
}
