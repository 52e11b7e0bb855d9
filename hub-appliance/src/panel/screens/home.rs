//! `home`: the open hub at a glance.

use std::net::Ipv4Addr;

use crate::panel::canvas::{Canvas, Face};
use crate::panel::icons::Icon;
use crate::panel::strings::Strings;
use crate::panel::text::short_count;
use crate::panel::view::OpenStatus;

const FIGURE_TOP: i32 = 13;

pub(super) fn draw(canvas: &mut Canvas<'_>, open: &OpenStatus, strings: &Strings) -> &'static str {
    match (open.address, open.previous_address) {
        (None, _) => no_network(canvas, strings),
        (Some(address), Some(before)) => moved(canvas, *address.ip(), before, strings),
        (Some(address), None) => at_work(canvas, *address.ip(), open, strings),
    }
    canvas.hint(strings.menu);
    "home"
}

fn at_work(canvas: &mut Canvas<'_>, address: Ipv4Addr, open: &OpenStatus, strings: &Strings) {
    canvas.header(strings.open, Icon::OPEN);
    figure(canvas, &address.to_string());
    let phones = (strings.phones_today_short)(&short_count(open.phones_today));
    let held = (strings.held_short)(&short_count(open.held_rows));
    canvas.facts(2, (Icon::PHONE, &phones), (Icon::TRAY, &held));
    let clock = if open.clock_trusted {
        strings.clock_good_short
    } else {
        strings.clock_bad_short
    };
    let disk = (strings.disk_short)(open.disk_used_percent.min(100));
    canvas.facts(3, (Icon::CLOCK, clock), (Icon::DISK, &disk));
}

/// Phones keep the address they paired with, so this comes before everything else.
fn moved(canvas: &mut Canvas<'_>, address: Ipv4Addr, before: Ipv4Addr, strings: &Strings) {
    canvas.header(strings.address_changed, Icon::WARNING);
    figure(canvas, &address.to_string());
    canvas.line(2, &(strings.address_before)(&before.to_string()));
    canvas.line(3, strings.address_what_to_do);
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
