//! `help`, `help-one`: what phones sent and the hub could not take; why, whose it is, and trying again. Never what it says.

use super::phones::label;
use crate::panel::canvas::Canvas;
use crate::panel::icons::Icon;
use crate::panel::names::Space;
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
        // Letters of different widths leave no columns to keep.
        let gap = if canvas.is_tall() { 2 } else { ENTRY };
        let entries: Vec<String> = open.held.iter().map(|row| entry(row, gap, strings)).collect();
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
    let held = open.held.get(place);
    match held.map(|row| what(row, strings)) {
        // What it is takes the title's place where there are lines for no more than why and whose.
        Some((kind, age)) if canvas.is_tight() => canvas.marked_header(kind, &age),
        Some((kind, age)) => {
            canvas.header(strings.help, Icon::TRAY);
            canvas.pair(0, kind, &age);
        }
        None => canvas.header(strings.help, Icon::TRAY),
    }
    if let Some(row) = held {
        canvas.line(1, (strings.help_reason)(row.reason));
        canvas.line(2, &label(canvas, row.phone, row.user.as_deref(), Space::LINE, strings));
    }
    canvas.buttons([strings.back_button, strings.help_try], choice as usize);
    "help-one"
}

/// What kind of record, and how old, at the two ends.
fn entry(row: &HeldRow, most: usize, strings: &Strings) -> String {
    let (kind, age) = what(row, strings);
    let gap = ENTRY
        .saturating_sub(kind.chars().count() + age.chars().count())
        .min(most);
    format!("{kind}{:gap$}{age}", "")
}

fn what(row: &HeldRow, strings: &Strings) -> (&'static str, String) {
    let age = (strings.age)(Ago::of_minutes(row.minutes_ago));
    ((strings.help_kind)(row.kind), age)
}
