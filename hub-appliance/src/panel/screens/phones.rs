//! `phones`, `phone`, `revoke`: who may use the hub, why one of them may not get on, and how to refuse it.

use crate::panel::canvas::{COLUMNS, Canvas};
use crate::panel::icons::Icon;
use crate::panel::script::as_name;
use crate::panel::state::Choice;
use crate::panel::strings::Strings;
use crate::panel::text::{Ago, printable_ends};
use crate::panel::view::{OpenStatus, Phone, PhoneStanding};

/// Characters of a number and name in the list, beside the mark.
const LIST_NAME: usize = 17;
/// So many less where figures are wider.
const WIDER: usize = 3;
/// The same in a title.
const TITLE_NAME: usize = 14;

pub(super) fn list(canvas: &mut Canvas<'_>, open: &OpenStatus, chosen: usize, strings: &Strings) -> &'static str {
    canvas.header(strings.phones, Icon::PHONE);
    if open.phones.is_empty() {
        canvas.paragraph(0, &strings.no_phones);
        canvas.hint(strings.back);
    } else {
        let max = LIST_NAME - if canvas.is_tall() { WIDER } else { 0 };
        let entries: Vec<String> = open.phones.iter().map(|phone| entry(phone, max, strings)).collect();
        let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
        canvas.list(&entries, chosen);
    }
    "phones"
}

pub(super) fn one(
    canvas: &mut Canvas<'_>,
    open: &OpenStatus,
    number: u32,
    choice: Choice,
    strings: &Strings,
) -> &'static str {
    let phone = find(open, number);
    match phone {
        // Its name takes the title's place where there are lines for no more than how it is.
        Some(phone) if canvas.is_tight() => {
            let name = label(phone.number, phone.name.as_deref(), TITLE_NAME, strings);
            canvas.header(&name, Icon::PHONE);
            seen(canvas, phone, strings);
        }
        Some(phone) => {
            canvas.header(strings.phone, Icon::PHONE);
            who(canvas, phone, strings);
        }
        None => canvas.header(strings.phone, Icon::PHONE),
    }
    if let Some(phone) = phone {
        match phone.standing {
            PhoneStanding::Good => canvas.line(2, strings.phone_good),
            PhoneStanding::Stuck => canvas.line(2, strings.phone_stuck),
            PhoneStanding::Full => canvas.line(2, strings.phone_full),
            PhoneStanding::Revoked => canvas.paragraph(2, &strings.phone_revoked),
        }
        if phone.standing == PhoneStanding::Revoked {
            canvas.hint(strings.back);
        } else {
            canvas.buttons([strings.leave, strings.revoke], choice as usize);
        }
    }
    "phone"
}

pub(super) fn revoke(
    canvas: &mut Canvas<'_>,
    open: &OpenStatus,
    number: u32,
    choice: Choice,
    strings: &Strings,
) -> &'static str {
    canvas.header(strings.revoke_title, Icon::WARNING);
    if let Some(phone) = find(open, number) {
        if canvas.is_tight() {
            canvas.line(0, &label(phone.number, phone.name.as_deref(), columns(canvas), strings));
        } else {
            who(canvas, phone, strings);
        }
    }
    canvas.line(2, strings.revoke_text);
    canvas.buttons([strings.revoke, strings.cancel], choice as usize);
    "revoke"
}

fn find(open: &OpenStatus, number: u32) -> Option<&Phone> {
    open.phones.iter().find(|phone| phone.number == number)
}

/// Which phone it is: two of one model are told apart by number, and by when each was heard of.
fn who(canvas: &mut Canvas<'_>, phone: &Phone, strings: &Strings) {
    canvas.line(0, &label(phone.number, phone.name.as_deref(), columns(canvas), strings));
    seen(canvas, phone, strings);
}

fn seen(canvas: &mut Canvas<'_>, phone: &Phone, strings: &Strings) {
    canvas.line(1, &(strings.seen)(Ago::of_minutes(phone.seen_minutes_ago)));
}

/// Characters of a phone's number and name that fit in a line.
pub(super) fn columns(canvas: &Canvas<'_>) -> usize {
    COLUMNS - if canvas.is_tall() { WIDER } else { 0 }
}

/// A name after a mark that tells those apart that do not get on.
fn entry(phone: &Phone, max: usize, strings: &Strings) -> String {
    let mark = match phone.standing {
        PhoneStanding::Good => " ",
        PhoneStanding::Stuck | PhoneStanding::Full => "!",
        PhoneStanding::Revoked => "x",
    };
    format!(
        "{} {}",
        as_name(mark),
        label(phone.number, phone.name.as_deref(), max, strings)
    )
}

/// The hub's number for a phone and the phone's own name, in at most `max` characters.
pub(super) fn label(number: u32, name: Option<&str>, max: usize, strings: &Strings) -> String {
    let figure = number.to_string();
    let name = name.map(|name| printable_ends(name, max.saturating_sub(figure.len() + 1)));
    match name.filter(|name| !name.is_empty()) {
        Some(name) => format!("{figure} {}", as_name(&name)),
        None => (strings.unnamed_phone)(number).chars().take(max).collect(),
    }
}
