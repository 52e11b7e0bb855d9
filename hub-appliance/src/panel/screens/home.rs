//! `home`: the open hub at a glance.

use std::net::Ipv4Addr;

use crate::panel::canvas::{Canvas, Face};
use crate::panel::icons::Icon;
use crate::panel::strings::Strings;
use crate::panel::text::short_count;
use crate::panel::view::{DEVELOPMENT, OpenStatus, Room};

const FIGURE_TOP: i32 = 13;

pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    open: &OpenStatus,
    is_development: bool,
    strings: &Strings,
) -> &'static str {
    let (title, icon) = title(open, strings);
    if is_development {
        canvas.marked_header(title, DEVELOPMENT);
    } else {
        canvas.header(title, icon);
    }
    match (open.address, open.previous_address, open.room()) {
        (None, _, room) => {
            no_network(canvas, strings);
            foot(canvas, open, room, strings);
        }
        (Some(address), Some(before), room) => {
            moved(canvas, *address.ip(), before, strings);
            foot(canvas, open, room, strings);
        }
        (Some(address), None, Room::None) => {
            full(canvas, *address.ip(), strings);
            canvas.hint(strings.menu);
        }
        (Some(address), None, _) => {
            at_work(canvas, *address.ip(), open, strings);
            canvas.hint(strings.menu);
        }
    }
    "home"
}

fn title(open: &OpenStatus, strings: &Strings) -> (&'static str, Icon) {
    match (open.address, open.previous_address, open.room()) {
        (None, ..) => (strings.open, Icon::WARNING),
        (Some(_), Some(_), _) => (strings.address_changed, Icon::WARNING),
        (Some(_), None, Room::None) => (strings.disk_full, Icon::WARNING),
        (Some(_), None, Room::Little) => (strings.disk_nearly_full, Icon::WARNING),
        (Some(_), None, Room::Enough) => (strings.open, Icon::OPEN),
    }
}

fn at_work(canvas: &mut Canvas<'_>, address: Ipv4Addr, open: &OpenStatus, strings: &Strings) {
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

/// Whoever looks for why the phones can't sync has to find it here.
fn full(canvas: &mut Canvas<'_>, address: Ipv4Addr, strings: &Strings) {
    figure(canvas, &address.to_string());
    canvas.paragraph(2, &strings.disk_full_text);
}

/// What ok does, and what else is the matter beside what fills the screen.
fn foot(canvas: &mut Canvas<'_>, open: &OpenStatus, room: Room, strings: &Strings) {
    match room {
        Room::Enough => canvas.hint(strings.menu),
        Room::Little => canvas.hint_beside(strings.menu, &(strings.disk_beside)(open.disk_used_percent.min(100))),
        Room::None => canvas.hint_beside(strings.menu, &(strings.disk_beside)(100)),
    }
}

/// Phones keep the address they paired with, so this comes before everything else.
fn moved(canvas: &mut Canvas<'_>, address: Ipv4Addr, before: Ipv4Addr, strings: &Strings) {
    figure(canvas, &address.to_string());
    canvas.line(2, &(strings.address_before)(&before.to_string()));
    canvas.line(3, strings.address_what_to_do);
}

fn no_network(canvas: &mut Canvas<'_>, strings: &Strings) {
    figure(canvas, strings.no_network);
    canvas.paragraph(2, &strings.no_network_text);
}

fn figure(canvas: &mut Canvas<'_>, text: &str) {
    canvas.figure(Face::Accent, text, FIGURE_TOP);
    canvas.say(text);
}
