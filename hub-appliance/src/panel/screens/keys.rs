//! `keys` and `key`: the ways to unlock, and what one of them means for a box that is stolen; `setup-way`: the same at the first
//! start, one after the other; `setup-no-way`: why one of them can't be had.

use super::Moment;
use crate::panel::canvas::Canvas;
use crate::panel::icons::Icon;
use crate::panel::state::Choice;
use crate::panel::strings::Strings;
use crate::panel::view::{ErrandEnd, SetUp, Unlocking, Ways};

/// Those that open the hub have a mark.
pub(super) fn list(canvas: &mut Canvas<'_>, ways: Ways, chosen: usize, strings: &Strings) -> &'static str {
    canvas.header(strings.keys, Icon::KEY);
    let names: [String; Ways::COUNT] = std::array::from_fn(|at| {
        let mark = if ways.has(at) { " *" } else { "" };
        format!("{}{mark}", strings.key_names[at])
    });
    canvas.list(&names.each_ref().map(String::as_str), chosen);
    "keys"
}

pub(super) fn one(canvas: &mut Canvas<'_>, ways: Ways, at: usize, choice: Choice, strings: &Strings) -> &'static str {
    let at = at % Ways::COUNT;
    canvas.header(
        strings.key_names[at],
        if ways.has(at) { Icon::CHECK } else { Icon::KEY },
    );
    if ways.lacks_key(at) {
        canvas.paragraph(0, &strings.key_no_box);
    } else {
        canvas.paragraph(0, &strings.key_texts[at]);
    }
    match ways.wish(at) {
        Some(Unlocking::NoStick | Unlocking::NoBox) => {
            canvas.buttons([strings.key_remove, strings.back_button], choice as usize)
        }
        Some(_) => canvas.buttons([strings.key_use, strings.back_button], choice as usize),
        None => canvas.hint(strings.back),
    }
    "key"
}

/// The first button is to be pressed once by who wants no more than a PIN.
pub(super) fn first(canvas: &mut Canvas<'_>, at: usize, choice: Choice, strings: &Strings) -> &'static str {
    let at = at % Ways::COUNT;
    canvas.header(strings.key_names[at], Icon::KEY);
    canvas.paragraph(0, &strings.key_texts[at]);
    canvas.buttons([strings.key_use, strings.which_disk_next], choice as usize);
    "setup-way"
}

/// Why it can't be unlocked so.
pub(super) fn not_first(canvas: &mut Canvas<'_>, chosen: &SetUp, moment: Moment, strings: &Strings) -> &'static str {
    canvas.take_turns(moment.turn());
    canvas.header(strings.keys, Icon::WARNING);
    let end = chosen.trouble.clone().unwrap_or(ErrandEnd::Failed);
    let text = (strings.errand_ended)(end);
    canvas.paragraph(0, &text.each_ref().map(String::as_str));
    canvas.hint(strings.back);
    "setup-no-way"
}
