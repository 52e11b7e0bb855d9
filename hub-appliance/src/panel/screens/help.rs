//! `help`, `help-one`: what phones sent and the hub could not take; why, whose it is, and trying again. Never what it says.

use super::phones::label;
use crate::panel::canvas::{COLUMNS, Canvas};
use crate::panel::icons::Icon;
use crate::panel::state::Choice;
use crate::panel::strings::Strings;
use crate::panel::text::Ago;
use crate::panel::view::{HeldRow, OpenStatus};

/// Characters of an entry in the list.
const ENTRY: usize = 19;

pub(super) fn list(canvas: &mut Canvas<'_>, open: &OpenStatus, chosen: usize, strings: &Strings) -> &'static str {
    canvas.header(strings.help, Icon::TRAY);
    if open.held.is_empty() {
        canvas.paragraph(0, &strings.help_none);
        canvas.hint(strings.back);
    } else {
        let entries: Vec<String> = open.held.iter().map(|row| entry(row, strings)).collect();
        let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
        canvas.list(&entries, chosen);
    }
    "help"
}

pub(super) fn one(
    canvas: &mut Canvas<'_>,
    open: &OpenStatus,
    place: usize,
    choice: Choice,
    strings: &Strings,
) -> &'static str {
    canvas.header(strings.help, Icon::TRAY);
    if let Some(row) = open.held.get(place) {
        let (kind, age) = what(row, strings);
        canvas.pair(0, kind, &age);
        canvas.line(1, (strings.help_reason)(row.reason));
        canvas.line(2, &label(row.phone, row.user.as_deref(), COLUMNS, strings));
    }
    canvas.buttons([strings.back_button, strings.help_try], choice as usize);
    "help-one"
}

/// What kind of record, and how old, at the two ends.
fn entry(row: &HeldRow, strings: &Strings) -> String {
    let (kind, age) = what(row, strings);
    let gap = ENTRY.saturating_sub(kind.chars().count() + age.chars().count());
    format!("{kind}{:gap$}{age}", "")
}

fn what(row: &HeldRow, strings: &Strings) -> (&'static str, String) {
    let age = (strings.age)(Ago::of_minutes(row.minutes_ago));
    ((strings.help_kind)(row.kind), age)
}
