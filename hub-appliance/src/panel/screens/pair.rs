//! `pair`: the pairing code, the address and the time left.

use std::net::SocketAddrV4;
use std::time::Duration;

use super::Moment;
use crate::panel::canvas::{Canvas, Face};
use crate::panel::icons::Icon;
use crate::panel::qr::PairingCode;
use crate::panel::strings::Strings;
use crate::panel::text::minutes;
use crate::panel::view::OpenStatus;

/// After this long the code is likely hard to read: too much light.
const HARD_TO_READ: Duration = Duration::from_secs(30);

/// How long each hint stands.
pub(in crate::panel) const HINT_FOR: Duration = Duration::from_secs(5);

pub(super) fn draw(canvas: &mut Canvas<'_>, open: &OpenStatus, moment: Moment, strings: &Strings) -> &'static str {
    match open
        .address
        .and_then(|address| Some((address, PairingCode::new(address).ok()?)))
    {
        Some((address, code)) => {
            let kept = open.pairing.is_some_and(|pairing| pairing.keep_open);
            canvas.pairing_code(&code);
            address_beside(canvas, address, strings);
            time_beside(canvas, moment.left, kept, strings);
            hint_beside(canvas, moment.shown_for, kept, strings);
        }
        None => {
            canvas.header(strings.no_network, Icon::WARNING);
            canvas.paragraph(0, &strings.no_network_to_pair);
        }
    }
    "pair"
}

fn address_beside(canvas: &mut Canvas<'_>, address: SocketAddrV4, strings: &Strings) {
    canvas.beside(Face::Text, strings.pair, 0);
    canvas.say(strings.pair);
    let [a, b, c, d] = address.ip().octets();
    canvas.beside(Face::Text, &format!("{a}.{b}."), 11);
    canvas.beside(Face::Text, &format!("{c}.{d}"), 20);
    canvas.say(address.to_string());
}

fn time_beside(canvas: &mut Canvas<'_>, left: Duration, kept: bool, strings: &Strings) {
    if kept {
        canvas.beside(Face::Text, strings.pair_stays, 32);
        canvas.say(strings.pair_stays);
    } else {
        let time = minutes(left);
        canvas.beside(Face::Large, &time, 29);
        canvas.say(time);
    }
}

/// The hints take turns: there is room for one.
fn hint_beside(canvas: &mut Canvas<'_>, shown_for: Duration, kept: bool, strings: &Strings) {
    let keep = if kept { strings.pair_kept } else { strings.pair_keep };
    let hints = [strings.pair_shade, keep, strings.pair_close];
    let due = if shown_for < HARD_TO_READ { &hints[1..] } else { &hints };
    let turn = usize::try_from(shown_for.as_secs() / HINT_FOR.as_secs()).unwrap_or(0);
    let [first, second] = due[turn % due.len()];
    canvas.beside(Face::Text, first, 45);
    canvas.beside(Face::Text, second, 53);
    canvas.say(format!("{first} {second}"));
}
