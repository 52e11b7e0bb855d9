//! `status`: the figures of the home screen, in words.

use super::Moment;
use crate::panel::canvas::Canvas;
use crate::panel::icons::Icon;
use crate::panel::script::as_code;
use crate::panel::strings::Strings;
use crate::panel::text::{UNKNOWN, date};
use crate::panel::view::{Clock, OpenStatus, Room, Supply};

pub(super) fn draw(canvas: &mut Canvas<'_>, open: &OpenStatus, moment: Moment, strings: &Strings) -> &'static str {
    canvas.take_turns(moment.turn());
    canvas.header(strings.status, Icon::INFO);
    let count = |count: u32| count.min(999_999).to_string();
    let held = open.held_rows.map_or_else(|| UNKNOWN.to_owned(), count);
    canvas.pair(0, strings.phones_in_24_h, &count(open.phones_in_24_h));
    canvas.pair(1, strings.held, &held);
    canvas.pair(
        2,
        strings.clock,
        match open.clock {
            Clock::Right => strings.clock_good,
            Clock::ByHand => strings.clock_hand,
            Clock::NotSet => strings.clock_bad,
        },
    );
    let percent = open.disk_used_percent.map(|percent| percent.min(100));
    let used = percent.map_or_else(|| UNKNOWN.to_owned(), strings.disk_used);
    canvas.pair(3, strings.disk, &used);
    match (open.room(), open.supply) {
        (Room::Enough, Supply::Weak) => canvas.line(4, strings.weak_power),
        (Room::Enough, Supply::Hot) => canvas.line(4, strings.too_hot),
        // Whoever sets the clock of a hub without a network has to see what it thinks the time is. Where lines take turns
        // anyway, there are both.
        (Room::Enough, Supply::Good) => {
            let warning = backup(open, strings);
            let is_its_turn = canvas.is_tall() || moment.turn() % 2 == 1;
            if let Some(warning) = warning.filter(|_| is_its_turn) {
                canvas.line(4, warning);
            }
            if canvas.is_tall() || warning.is_none() || !is_its_turn {
                canvas.line(4, &as_code(&date(open.time_ms)));
            }
        }
        (Room::Little, _) => canvas.line(4, strings.disk_get_help),
        (Room::None, _) => canvas.line(4, strings.disk_takes_nothing),
    }
    "status"
}

/// That there is no backup, or that it is old.
fn backup(open: &OpenStatus, strings: &Strings) -> Option<&'static str> {
    let text = match open.backup.minutes_ago {
        None => strings.backup_none,
        Some(_) => strings.backup_old,
    };
    open.backup.is_late().then_some(text)
}

/// Whether there is more to say than fits at once.
pub(in crate::panel) fn turns(open: &OpenStatus) -> bool {
    open.backup.is_late()
}
