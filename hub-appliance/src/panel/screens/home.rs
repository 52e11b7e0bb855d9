//! `home`: the open hub at a glance.

use std::net::Ipv4Addr;

use super::Moment;
use super::pair::HINT_FOR;
use crate::panel::canvas::{Canvas, Face};
use crate::panel::icons::Icon;
use crate::panel::script::as_code;
use crate::panel::strings::{Language, Strings};
use crate::panel::text::{UNKNOWN, short_count};
use crate::panel::view::{Clock, DEVELOPMENT, KeyChange, OpenStatus, Room, Supply};

const FIGURE_TOP: i32 = 13;

pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    open: &OpenStatus,
    is_development: bool,
    moment: Moment,
    strings: &Strings,
) -> &'static str {
    canvas.take_turns(moment.turn());
    let (title, icon) = title(open, strings);
    // Nothing else that is the matter keeps the time that is left from whoever looks.
    let emergency = open
        .emergency_minutes()
        .map(|left| (strings.emergency_for)(left.min(99)));
    match emergency {
        Some(title) => canvas.header(&title, Icon::WARNING),
        None if is_development => canvas.marked_header(title, DEVELOPMENT),
        None => canvas.header(title, icon),
    }
    match (open.address, open.previous_address, open.room()) {
        (None, _, room) => {
            no_network(canvas, strings);
            foot(canvas, open, room, strings);
        }
        (Some(address), Some(before), room) => {
            moved(canvas, *address.ip(), before, moment, strings);
            foot(canvas, open, room, strings);
        }
        (Some(address), None, Room::None) => {
            told(canvas, *address.ip(), strings.disk_full_text);
            canvas.hint(strings.menu);
        }
        (Some(address), None, _) if open.has_no_staff => {
            told(canvas, *address.ip(), strings.no_staff_text);
            foot(canvas, open, open.room(), strings);
        }
        (Some(address), None, _) => {
            at_work(canvas, *address.ip(), open, moment, strings);
            foot(canvas, open, Room::Enough, strings);
        }
    }
    "home"
}

fn title(open: &OpenStatus, strings: &Strings) -> (&'static str, Icon) {
    match (open.address, open.previous_address, open.room()) {
        (None, ..) => (strings.open, Icon::WARNING),
        (Some(_), Some(_), _) => (strings.address_changed, Icon::WARNING),
        (Some(_), None, Room::None) => (strings.disk_full, Icon::WARNING),
        // These can cost records now, a disk that fills up only later; how full it is stands below anyway.
        (Some(_), None, _) if open.supply == Supply::Weak => (strings.weak_power, Icon::WARNING),
        (Some(_), None, _) if open.supply == Supply::Hot => (strings.too_hot, Icon::WARNING),
        (Some(_), None, _) if open.has_no_staff => (strings.no_staff, Icon::WARNING),
        (Some(_), None, Room::Little) => (strings.disk_nearly_full, Icon::WARNING),
        (Some(_), None, Room::Enough) => (strings.open, Icon::OPEN),
    }
}

fn at_work(canvas: &mut Canvas<'_>, address: Ipv4Addr, open: &OpenStatus, moment: Moment, strings: &Strings) {
    figure(canvas, &as_code(&address.to_string()));
    let phones = (strings.phones_short)(&short_count(open.phones_in_24_h));
    let disk = open
        .disk_used_percent
        .map(|percent| (strings.disk_short)(percent.min(100)));
    let disk = disk.unwrap_or_else(|| UNKNOWN.to_owned());
    canvas.facts(2, (Icon::PHONE, &phones), (Icon::DISK, &disk));
    let remarks = remarks(open, strings);
    if canvas.is_tall() {
        // There they take turns with the figures where they have to.
        remarks.iter().for_each(|(icon, text)| canvas.fact(3, *icon, text));
        return;
    }
    let turn = usize::try_from(moment.shown_for.as_secs() / HINT_FOR.as_secs()).unwrap_or(0);
    if let Some((icon, text)) = remarks.get(turn % remarks.len().max(1)) {
        canvas.fact(3, *icon, text);
    }
}

/// What there is to say beside the figures; it takes turns. If nothing asks for anybody, that the clock is right.
fn remarks(open: &OpenStatus, strings: &Strings) -> Vec<(Icon, String)> {
    let mut remarks = Vec::new();
    match open.held_rows.map(|held| held.saturating_add(open.cloud.held)) {
        Some(0) => {}
        Some(held) => remarks.push((Icon::TRAY, (strings.need_help)(&short_count(held)))),
        None => remarks.push((Icon::TRAY, (strings.need_help)(UNKNOWN))),
    }
    if open.clock == Clock::NotSet {
        remarks.push((Icon::CLOCK, strings.clock_bad_short.to_owned()));
    }
    match open.key_change {
        Some(KeyChange::AtWork(permille)) => {
            remarks.push((Icon::KEY, (strings.keys_at_work)((permille / 10).min(100))))
        }
        Some(change) => remarks.extend(strings.key_trouble(change).map(|text| (Icon::KEY, text.to_owned()))),
        None => {}
    }
    if let Some(trouble) = open.backup.trouble() {
        remarks.push((Icon::DISK, strings.backup_trouble(trouble).to_owned()));
    }
    if remarks.is_empty() {
        let text = match open.clock {
            Clock::ByHand => strings.clock_hand_short,
            _ => strings.clock_good_short,
        };
        remarks.push((Icon::CLOCK, text.to_owned()));
    }
    remarks
}

/// Whether there is more to say than fits at once.
pub(in crate::panel) fn turns(open: &OpenStatus) -> bool {
    remarks(open, Language::default().strings()).len() > 1
}

/// Whoever looks for why the phones can't sync, or nobody can log in, has to find it here.
fn told(canvas: &mut Canvas<'_>, address: Ipv4Addr, text: [&str; 2]) {
    figure(canvas, &as_code(&address.to_string()));
    canvas.paragraph(2, &text);
}

/// What ok does, and what else is the matter beside what fills the screen.
fn foot(canvas: &mut Canvas<'_>, open: &OpenStatus, room: Room, strings: &Strings) {
    match room {
        Room::Enough if open.cloud.waiting > 0 => {
            canvas.hint_beside(strings.menu, &(strings.cloud_beside)(&short_count(open.cloud.waiting)));
        }
        Room::Enough => canvas.hint(strings.menu),
        Room::Little => canvas.hint_beside(
            strings.menu,
            &(strings.disk_beside)(open.disk_used_percent.unwrap_or(0).min(100)),
        ),
        Room::None => canvas.hint_beside(strings.menu, &(strings.disk_beside)(100)),
    }
}

/// Phones keep the address they paired with, so this comes before everything else. What to do takes turns.
fn moved(canvas: &mut Canvas<'_>, address: Ipv4Addr, before: Ipv4Addr, moment: Moment, strings: &Strings) {
    let before = before.to_string();
    let [again, router, hide] = [
        [(strings.address_before)(&before), strings.address_pair_again.into()],
        (strings.address_by_router)(&before),
        strings.address_hide.map(String::from),
    ];
    figure(canvas, &as_code(&address.to_string()));
    if canvas.is_tight() {
        // There they take turns line by line.
        for advice in [&again, &router, &hide] {
            canvas.paragraph(2, &advice.each_ref().map(String::as_str));
        }
        return;
    }
    let advice = match moment.shown_for.as_secs() / HINT_FOR.as_secs() % 3 {
        0 => again,
        1 => router,
        _ => hide,
    };
    canvas.paragraph(2, &advice.each_ref().map(String::as_str));
}

fn no_network(canvas: &mut Canvas<'_>, strings: &Strings) {
    figure(canvas, strings.no_network);
    canvas.paragraph(2, &strings.no_network_text);
}

fn figure(canvas: &mut Canvas<'_>, text: &str) {
    canvas.figure(Face::Accent, text, FIGURE_TOP);
    canvas.say(text);
}
