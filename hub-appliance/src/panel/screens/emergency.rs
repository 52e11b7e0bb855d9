//! `emergency`, `emergency-over`: how long staff may still read any record, and who did afterwards.

use std::time::Duration;

use super::Moment;
use super::phones::columns;
use crate::panel::canvas::Canvas;
use crate::panel::icons::Icon;
use crate::panel::script::as_name;
use crate::panel::state::Choice;
use crate::panel::strings::Strings;
use crate::panel::text::{minutes, printable_ends, short_count};
use crate::panel::view::{EmergencyReader, EmergencyStatus, OpenStatus};

/// Columns of an entry of a list that its mark and the count take.
const BESIDE_NAME: usize = 8;

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
        let max = columns(canvas) - BESIDE_NAME;
        let entries: Vec<String> = readers.iter().map(|reader| entry(reader, max)).collect();
        let entries = entries
            .iter()
            .map(String::as_str)
            .chain(moment.is_settled.then_some(strings.back_button));
        canvas.list(&entries.collect::<Vec<_>>(), chosen);
    }
    "emergency-over"
}

fn entry(reader: &EmergencyReader, max: usize) -> String {
    let name = as_name(&printable_ends(&reader.name, max));
    format!("{} {name}", short_count(reader.calls))
}
