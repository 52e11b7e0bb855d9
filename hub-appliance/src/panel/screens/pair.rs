//! `pair`: the pairing code, the address and the time left: beside the code on 64 rows, under it on 128.

use std::net::SocketAddrV4;
use std::time::Duration;

use super::Moment;
use crate::panel::canvas::{Canvas, Face};
use crate::panel::frame::Resolution;
use crate::panel::icons::Icon;
use crate::panel::qr::PairingCode;
use crate::panel::script::as_code;
use crate::panel::strings::Strings;
use crate::panel::text::minutes;
use crate::panel::view::{Identity, OpenStatus};

/// After this long the code is likely hard to read: too much light.
const HARD_TO_READ: Duration = Duration::from_secs(30);

/// How long each hint stands.
pub(in crate::panel) const HINT_FOR: Duration = Duration::from_secs(5);

pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    open: &OpenStatus,
    identity: Option<&Identity>,
    moment: Moment,
    strings: &Strings,
) -> &'static str {
    let resolution = canvas.layout().resolution();
    match open
        .address
        .and_then(|address| Some((address, PairingCode::new(address, identity, resolution).ok()?)))
    {
        Some((address, code)) => {
            let kept = open.pairing.is_some_and(|pairing| pairing.keep_open);
            canvas.pairing_code(&code);
            match resolution {
                Resolution::Wide => beside(canvas, address, moment, kept, strings),
                Resolution::Square => under(canvas, address, moment, kept, strings),
            }
        }
        None => {
            canvas.header(strings.no_network, Icon::WARNING);
            canvas.paragraph(0, &strings.no_network_to_pair);
        }
    }
    "pair"
}

fn beside(canvas: &mut Canvas<'_>, address: SocketAddrV4, moment: Moment, kept: bool, strings: &Strings) {
    if canvas.is_tall() {
        return beside_tall(canvas, address, moment, kept, strings);
    }
    // Accents stand on the first row of a line and descenders on its last: none of them may reach the border.
    canvas.beside(Face::Text, strings.pair, 1);
    canvas.say(strings.pair);
    let [a, b, c, d] = address.ip().octets();
    canvas.beside(Face::Text, &format!("{a}.{b}."), 11);
    canvas.beside(Face::Text, &format!("{c}.{d}"), 20);
    canvas.say(address.to_string());
    if kept {
        canvas.beside(Face::Text, strings.pair_stays, 30);
        canvas.say(strings.pair_stays);
    } else {
        let time = minutes(moment.left);
        canvas.beside(Face::Large, &time, 28);
        canvas.say(time);
    }
    if let Some([first, second]) = hint(moment, kept, strings) {
        canvas.beside(Face::Text, first, 42);
        canvas.beside(Face::Text, second, 51);
        canvas.say(format!("{first} {second}"));
    }
}

/// The same where a line of text takes 16 rows: each hint has one.
fn beside_tall(canvas: &mut Canvas<'_>, address: SocketAddrV4, moment: Moment, kept: bool, strings: &Strings) {
    canvas.beside(Face::Text, strings.pair, 1);
    canvas.say(strings.pair);
    let [a, b, c, d] = address.ip().octets();
    canvas.beside(Face::Text, &as_code(&format!("{a}.{b}.")), 14);
    canvas.beside(Face::Text, &as_code(&format!("{c}.{d}")), 23);
    canvas.say(address.to_string());
    let standing = if kept {
        strings.pair_stays.to_owned()
    } else {
        minutes(moment.left)
    };
    canvas.beside(Face::Text, &standing, 33);
    canvas.say(standing);
    if let Some([hint, _]) = hint(moment, kept, strings) {
        canvas.beside(Face::Text, hint, 48);
        canvas.say(hint);
    }
}

fn under(canvas: &mut Canvas<'_>, address: SocketAddrV4, moment: Moment, kept: bool, strings: &Strings) {
    /// The tops of the three lines that are left under the code, and of two tall ones.
    const TOPS: [i32; 3] = [97, 106, 115];
    const TALL: [i32; 2] = [97, 112];
    let time = if kept { String::new() } else { minutes(moment.left) };
    let what = if kept { strings.pair_stays } else { strings.pair };
    let hint = hint(moment, kept, strings).map(|hint| hint.join(" ").trim().to_owned());
    let address_text = as_code(&address.ip().to_string());
    if canvas.is_tall() {
        canvas.ends(&address_text, &time, TALL[0]);
        canvas.ends(what, hint.as_deref().unwrap_or_default(), TALL[1]);
    } else {
        canvas.ends(&address_text, &time, TOPS[0]);
        canvas.ends(what, "", TOPS[1]);
        canvas.ends(hint.as_deref().unwrap_or_default(), "", TOPS[2]);
    }
    canvas.say(address.to_string());
    canvas.say(what);
    if !kept {
        canvas.say(time);
    }
    if let Some(hint) = hint {
        canvas.say(hint);
    }
}

/// The hints take turns: there is room for one.
fn hint(moment: Moment, kept: bool, strings: &Strings) -> Option<[&str; 2]> {
    let shown_for = moment.shown_for;
    let keep = if kept { strings.pair_kept } else { strings.pair_keep };
    let hints = [strings.pair_shade, keep, strings.pair_close];
    let due = if shown_for < HARD_TO_READ { &hints[1..] } else { &hints };
    let turn = usize::try_from(shown_for.as_secs() / HINT_FOR.as_secs()).unwrap_or(0);
    moment.is_settled.then(|| due[turn % due.len()])
}
