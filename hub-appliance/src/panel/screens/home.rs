//! `home`: the open hub at a glance.

use std::net::Ipv4Addr;

use super::Moment;
use super::pair::HINT_FOR;
use crate::panel::canvas::{Canvas, Face};
use crate::panel::icons::Icon;
use crate::panel::strings::Strings;
use crate::panel::text::{UNKNOWN, short_count};
use crate::panel::view::OpenStatus;

const FIGURE_TOP: i32 = 13;

pub(super) fn draw(canvas: &mut Canvas<'_>, open: &OpenStatus, moment: Moment, strings: &Strings) -> &'static str {
    match (open.address, open.previous_address) {
        (None, _) => no_network(canvas, strings),
        (Some(address), Some(before)) => moved(canvas, *address.ip(), before, moment, strings),
        (Some(address), None) => at_work(canvas, *address.ip(), open, strings),
    }
    canvas.hint(strings.menu);
    "home"
}

fn at_work(canvas: &mut Canvas<'_>, address: Ipv4Addr, open: &OpenStatus, strings: &Strings) {
    canvas.header(strings.open, Icon::OPEN);
    figure(canvas, &address.to_string());
    let phones = (strings.phones_short)(&short_count(open.phones_in_24_h));
    let held = (strings.held_short)(&open.held_rows.map_or_else(|| UNKNOWN.to_owned(), short_count));
    canvas.facts(2, (Icon::PHONE, &phones), (Icon::TRAY, &held));
    let clock = if open.clock_trusted {
        strings.clock_good_short
    } else {
        strings.clock_bad_short
    };
    let disk = open
        .disk_used_percent
        .map(|percent| (strings.disk_short)(percent.min(100)));
    let disk = disk.unwrap_or_else(|| UNKNOWN.to_owned());
    canvas.facts(3, (Icon::CLOCK, clock), (Icon::DISK, &disk));
}

/// Phones keep the address they paired with, so this comes before everything else. What to do takes turns.
fn moved(canvas: &mut Canvas<'_>, address: Ipv4Addr, before: Ipv4Addr, moment: Moment, strings: &Strings) {
    let before = before.to_string();
    let [again, router, hide] = [
        [(strings.address_before)(&before), strings.address_pair_again.into()],
        (strings.address_by_router)(&before),
        strings.address_hide.map(String::from),
    ];
    let advice = match moment.shown_for.as_secs() / HINT_FOR.as_secs() % 3 {
        0 => again,
        1 => router,
        _ => hide,
    };
    canvas.header(strings.address_changed, Icon::WARNING);
    figure(canvas, &address.to_string());
    canvas.paragraph(2, &advice.each_ref().map(String::as_str));
}

fn no_network(canvas: &mut Canvas<'_>, strings: &Strings) {
    canvas.header(strings.open, Icon::WARNING);
    figure(canvas, strings.no_network);
    canvas.paragraph(2, &strings.no_network_text);
}

fn figure(canvas: &mut Canvas<'_>, text: &str) {
    canvas.figure(Face::Accent, text, FIGURE_TOP);
    canvas.say(text);
}
