//! `status`: the figures of the home screen, in words.

use crate::panel::canvas::Canvas;
use crate::panel::icons::Icon;
use crate::panel::strings::Strings;
use crate::panel::view::{OpenStatus, Room};

pub(super) fn draw(canvas: &mut Canvas<'_>, open: &OpenStatus, strings: &Strings) -> &'static str {
    canvas.header(strings.status, Icon::INFO);
    canvas.pair(0, strings.phones_today, &open.phones_today.min(999_999).to_string());
    canvas.pair(1, strings.held, &open.held_rows.min(999_999).to_string());
    canvas.pair(
        2,
        strings.clock,
        if open.clock_trusted {
            strings.clock_good
        } else {
            strings.clock_bad
        },
    );
    let percent = open.disk_used_percent.min(100);
    canvas.pair(3, strings.disk, &(strings.disk_used)(percent));
    match open.room() {
        Room::Enough => canvas.progress(53, 0, u32::from(percent) * 10),
        Room::Little => canvas.line(4, strings.disk_get_help),
        Room::None => canvas.line(4, strings.disk_takes_nothing),
    }
    "status"
}
