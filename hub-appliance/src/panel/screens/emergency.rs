//! `emergency`, `emergency-over`: how long staff may still read any record, and who did afterwards.

use std::time::Duration;

use super::Moment;
use crate::panel::canvas::Canvas;
use crate::panel::icons::Icon;
use crate::panel::names::{Space, drawable, shortened};
use crate::panel::script::is_tall;
use crate::panel::state::Choice;
use crate::panel::strings::Strings;
use crate::panel::text::{minutes, short_count};
use crate::panel::view::{EmergencyReader, EmergencyStatus, OpenStatus};

pub(super) fn open(canvas: &mut Canvas<'_>, open: &OpenStatus, choice: Choice, strings: &Strings) -> &'static str {
    canvas.header(strings.emergency, Icon::WARNING);
    let left = match &open.emergency {
        Some(EmergencyStatus::Open { seconds_left }) => *seconds_left,
        _ => 0,
    };
    canvas.pair(0, strings.emergency_left, &minutes(Duration::from_secs(left.into())));
    canvas.line(1, strings.emergency_logged);
    canvas.buttons([strings.back_button, strings.emergency_end], choice as usize);
    "emergency"
}

/// The last entry leads on, as soon as it would be taken.
pub(super) fn over(
    canvas: &mut Canvas<'_>,
    open: &OpenStatus,
    chosen: usize,
    moment: Moment,
    strings: &Strings,
) -> &'static str {
    canvas.header(strings.emergency_over, Icon::INFO);
    let readers = open.emergency_readers().unwrap_or_default();
    if readers.is_empty() {
        canvas.paragraph(0, &strings.emergency_nobody);
        canvas.hint(strings.back);
    } else {
        let has_tall = readers.iter().any(|reader| is_tall(&reader.name));
        let len = readers.len() + usize::from(moment.is_settled);
        canvas.list_of(len, chosen, has_tall, |canvas, index| match readers.get(index) {
            Some(reader) => entry(canvas, reader, strings),
            None => strings.back_button.to_owned(),
        });
    }
    "emergency-over"
}

/// Somebody whose name can't be drawn is one of the staff; the log has the name.
fn entry(canvas: &Canvas<'_>, reader: &EmergencyReader, strings: &Strings) -> String {
    let count = short_count(reader.calls);
    match drawable(&reader.name) {
        Some(name) => shortened(canvas, &name, Space::ENTRY, |name| format!("{count} {name}")),
        None => format!("{count} {}", strings.staff),
    }
}
