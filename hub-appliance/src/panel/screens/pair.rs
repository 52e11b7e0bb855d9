//! `pair`: the pairing code, the address and the time left.

use std::net::SocketAddrV4;
use std::time::Duration;

use super::Moment;
use crate::panel::canvas::{Canvas, Face};
use crate::panel::qr::PairingCode;
use crate::panel::strings::Strings;
use crate::panel::text::minutes;
use crate::panel::view::OpenStatus;

/// After this long the code is likely hard to read: too much light.
const HARD_TO_READ: Duration = Duration::from_secs(30);

pub(super) fn draw(canvas: &mut Canvas<'_>, open: &OpenStatus, moment: Moment, strings: &Strings) -> &'static str {
    match open.address.and_then(|address| Some((address, PairingCode::new(address).ok()?))) {
        Some((address, code)) => {
            canvas.pairing_code(&code);
            beside(canvas, address, strings);
        }
        None => canvas.paragraph(0, &strings.no_network_to_pair),
    }
    let kept = open.pairing.is_some_and(|pairing| pairing.keep_open);
    if !kept {
        let time = minutes(moment.left);
        canvas.beside(Face::Large, &time, 29);
        canvas.say(time);
    }
    let hint = if moment.shown_for >= HARD_TO_READ {
        strings.pair_shade
    } else if kept {
        strings.pair_kept
    } else {
        strings.pair_keep
    };
    canvas.beside(Face::Text, hint[0], 45);
    canvas.beside(Face::Text, hint[1], 53);
    canvas.say(hint.join(" "));
    "pair"
}

fn beside(canvas: &mut Canvas<'_>, address: SocketAddrV4, strings: &Strings) {
    canvas.beside(Face::Text, strings.pair, 0);
    canvas.say(strings.pair);
    let [a, b, c, d] = address.ip().octets();
    canvas.beside(Face::Text, &format!("{a}.{b}."), 11);
    canvas.beside(Face::Text, &format!("{c}.{d}"), 20);
    canvas.say(address.to_string());
}
