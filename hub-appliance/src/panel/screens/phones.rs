//! `phones`, `phone`, `revoke`: who may use the hub, why one of them may not get on, and how to refuse it.

use crate::panel::canvas::Canvas;
use crate::panel::icons::Icon;
use crate::panel::names::{Space, drawable, shortened};
use crate::panel::script::{as_name, is_tall};
use crate::panel::state::Choice;
use crate::panel::strings::Strings;
use crate::panel::text::Ago;
use crate::panel::view::{OpenStatus, Phone, PhoneStanding};

pub(super) fn list(canvas: &mut Canvas<'_>, open: &OpenStatus, chosen: usize, strings: &Strings) -> &'static str {
    canvas.header(strings.phones, Icon::PHONE);
    if open.phones.is_empty() {
        canvas.paragraph(0, &strings.no_phones);
        canvas.hint(strings.back);
    } else {
        let phones = &open.phones;
        let has_tall = phones.iter().filter_map(|phone| phone.name.as_deref()).any(is_tall);
        canvas.list_of(phones.len(), chosen, has_tall, |canvas, index| {
            entry(canvas, &phones[index], strings)
        });
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
            let name = label(canvas, phone.number, phone.name.as_deref(), Space::TITLE, strings);
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
            PhoneStanding::Ahead => canvas.line(2, strings.phone_ahead[1]),
            // Under a name that is taller there is one line left.
            PhoneStanding::Revoked if canvas.is_lowered() => canvas.line(2, strings.revoke_text),
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
            canvas.line(0, &line(canvas, phone, strings));
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
    canvas.line(0, &line(canvas, phone, strings));
    seen(canvas, phone, strings);
}

fn line(canvas: &Canvas<'_>, phone: &Phone, strings: &Strings) -> String {
    label(canvas, phone.number, phone.name.as_deref(), Space::LINE, strings)
}

/// When it was heard of; or what to do about it, where that takes more than a line.
fn seen(canvas: &mut Canvas<'_>, phone: &Phone, strings: &Strings) {
    if phone.standing == PhoneStanding::Ahead {
        return canvas.line(1, strings.phone_ahead[0]);
    }
    canvas.line(1, &(strings.seen)(Ago::of_minutes(phone.seen_minutes_ago)));
}

/// A name after a mark that tells those apart that do not get on.
fn entry(canvas: &Canvas<'_>, phone: &Phone, strings: &Strings) -> String {
    let mark = match phone.standing {
        PhoneStanding::Good => " ",
        PhoneStanding::Stuck | PhoneStanding::Full | PhoneStanding::Ahead => "!",
        PhoneStanding::Revoked => "x",
    };
    let mark = format!("{} ", as_name(mark));
    named(
        canvas,
        &mark,
        phone.number,
        phone.name.as_deref(),
        Space::ENTRY,
        strings,
    )
}

/// The hub's number for a phone, and a name if it has one that can be drawn, in `space`.
pub(super) fn label(canvas: &Canvas<'_>, number: u32, name: Option<&str>, space: Space, strings: &Strings) -> String {
    named(canvas, "", number, name, space, strings)
}

fn named(
    canvas: &Canvas<'_>,
    before: &str,
    number: u32,
    name: Option<&str>,
    space: Space,
    strings: &Strings,
) -> String {
    match name.and_then(drawable) {
        Some(name) => shortened(canvas, &name, space, |name| format!("{before}{number} {name}")),
        None => {
            let mut text = format!("{before}{}", (strings.unnamed_phone)(number));
            while !canvas.is_within(&text, space) {
                text.pop();
            }
            text
        }
    }
}
