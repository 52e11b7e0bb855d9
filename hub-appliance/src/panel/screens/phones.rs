//! `phones`, `phone`, `revoke`: who may use the hub, why one of them may not get on, and how to refuse it.

use crate::panel::canvas::{COLUMNS, Canvas};
use crate::panel::icons::Icon;
use crate::panel::state::Choice;
use crate::panel::strings::Strings;
use crate::panel::text::{Ago, printable};
use crate::panel::view::{OpenStatus, Phone, PhoneStanding};

/// Characters of a name in the list, beside the mark.
const LIST_NAME: usize = 17;

pub(super) fn list(canvas: &mut Canvas<'_>, open: &OpenStatus, chosen: usize, strings: &Strings) -> &'static str {
    canvas.header(strings.phones, Icon::PHONE);
    if open.phones.is_empty() {
        canvas.paragraph(0, &strings.no_phones);
        canvas.hint(strings.back);
    } else {
        let entries: Vec<String> = open.phones.iter().map(|phone| entry(phone, strings)).collect();
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
    canvas.header(strings.phone, Icon::PHONE);
    if let Some(phone) = find(open, number) {
        canvas.line(0, &name(phone, COLUMNS, strings));
        canvas.line(1, &(strings.seen)(Ago::of_minutes(phone.seen_minutes_ago)));
        match phone.standing {
            PhoneStanding::Good => canvas.line(2, strings.phone_good),
            PhoneStanding::Stuck => canvas.line(2, strings.phone_stuck),
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
        canvas.line(0, &name(phone, COLUMNS, strings));
    }
    canvas.paragraph(1, &strings.revoke_text);
    canvas.buttons([strings.revoke, strings.cancel], choice as usize);
    "revoke"
}

fn find(open: &OpenStatus, number: u32) -> Option<&Phone> {
    open.phones.iter().find(|phone| phone.number == number)
}

/// A name after a mark that tells those apart that do not get on.
fn entry(phone: &Phone, strings: &Strings) -> String {
    let mark = match phone.standing {
        PhoneStanding::Good => ' ',
        PhoneStanding::Stuck => '!',
        PhoneStanding::Revoked => 'x',
    };
    format!("{mark} {}", name(phone, LIST_NAME, strings))
}

fn name(phone: &Phone, max: usize, strings: &Strings) -> String {
    let name = phone.name.as_deref().map(|name| printable(name, max));
    let name = name.filter(|name| !name.is_empty());
    name.unwrap_or_else(|| printable_number(phone.number, max, strings))
}

fn printable_number(number: u32, max: usize, strings: &Strings) -> String {
    (strings.unnamed_phone)(number).chars().take(max).collect()
}
