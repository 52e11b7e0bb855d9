//! `status`: the figures of the home screen, in words.

use super::Moment;
use crate::panel::canvas::Canvas;
use crate::panel::icons::Icon;
use crate::panel::script::as_code;
use crate::panel::strings::{Language, Strings};
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
    // Whoever sets the clock of a hub without a network has to see what it thinks the time is, whatever else is the matter.
    let is_later = usize::from(open.room() == Room::Enough && open.supply == Supply::Good);
    let warning = warning(open, strings);
    let is_its_turn = canvas.is_tall() || moment.turn() % 2 == is_later;
    if let Some(warning) = warning.filter(|_| is_its_turn) {
        canvas.line(4, warning);
    }
    if canvas.is_tall() || warning.is_none() || !is_its_turn {
        canvas.line(4, &as_code(&date(open.time_ms)));
    }
    "status"
}

/// What somebody has to see to.
fn warning(open: &OpenStatus, strings: &Strings) -> Option<&'static str> {
    match (open.room(), open.supply) {
        (Room::None, _) => Some(strings.disk_takes_nothing),
        (Room::Little, _) => Some(strings.disk_get_help),
        (Room::Enough, Supply::Weak) => Some(strings.weak_power),
        (Room::Enough, Supply::Hot) => Some(strings.too_hot),
        (Room::Enough, Supply::Good) => {
            let of_keys = open.key_change.and_then(|change| strings.key_trouble(change));
            of_keys.or_else(|| open.backup.trouble().map(|trouble| strings.backup_trouble(trouble)))
        }
    }
}

/// Whether there is more to say than fits at once.
pub(in crate::panel) fn turns(open: &OpenStatus) -> bool {
    warning(open, Language::default().strings()).is_some()
}
