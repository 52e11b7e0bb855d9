//! The PIN pad on a screen: two lines of text, the field, and the strip of keys.

use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::language;
use crate::panel::canvas::{Canvas, Face};
use crate::panel::icons::Icon;
use crate::panel::pin_pad::{KEYS, Key, Pad};
use crate::panel::strings::Strings;

/// Whether what is typed can be read on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Show {
    /// A PIN: only how many digits there are.
    Dots,
    /// A group of the recovery code, which is on paper beside the person.
    Digits,
}

/// The rows of the field and of the strip.
const FIELD: i32 = 33;
const KEYS_ROW: i32 = 44;
/// Columns of a digit's place in the field, and of a key in either size.
const PITCH: i32 = 10;
const SMALL: i32 = 9;
const LARGE: i32 = 15;

/// Draws `pad` under `text`; a note takes the text's place.
pub(super) fn draw(canvas: &mut Canvas<'_>, text: [&str; 2], pad: &Pad, show: Show, strings: &Strings) {
    above(canvas, text, pad, strings);
    match show {
        Show::Dots => dots(canvas, pad),
        Show::Digits => digits(canvas, pad),
    }
    keys(canvas, pad.focus(), (Icon::DELETE, strings.delete_key));
}

/// The same for the PIN of the locked hub: as long as there is nothing to delete, the delete key is that of the languages.
/// Whoever can't read the present one sees them named on it.
pub(super) fn draw_locked(canvas: &mut Canvas<'_>, text: [&str; 2], pad: &Pad, strings: &Strings) {
    if !pad.is_empty() {
        return draw(canvas, text, pad, Show::Dots, strings);
    }
    if KEYS[pad.focus() % KEYS.len()] == Key::Delete {
        canvas.end_lines(FIELD);
        canvas.paragraph(
            0,
            &language::others(strings, canvas.is_tall())
                .each_ref()
                .map(String::as_str),
        );
    } else {
        above(canvas, text, pad, strings);
    }
    dots(canvas, pad);
    keys(canvas, pad.focus(), (Icon::LANGUAGE, strings.language));
}

fn above(canvas: &mut Canvas<'_>, text: [&str; 2], pad: &Pad, strings: &Strings) {
    canvas.end_lines(FIELD);
    match pad.note() {
        Some(note) => canvas.paragraph(0, &(strings.note)(note).each_ref().map(String::as_str)),
        None => canvas.paragraph(0, &text),
    }
}

/// One place a digit: filled dots, dashes up to the fewest digits, small points up to the most.
fn dots(canvas: &mut Canvas<'_>, pad: &Pad) {
    let (typed, min, max) = pad.fill();
    let top = canvas.layout().spread(FIELD);
    let left = 64 - PITCH * i32::try_from(max).unwrap_or(0) / 2;
    for (index, x) in (0..max).zip((left..).step_by(PITCH.unsigned_abs() as usize)) {
        let place = |dx, dy, width, height| Rectangle::new(Point::new(x + dx, top + dy), Size::new(width, height));
        if index < typed {
            canvas.fill_rounded(place(1, 2, 7, 7), BinaryColor::On);
        } else if index < min {
            canvas.fill(place(1, 8, 7, 1), BinaryColor::On);
        } else {
            canvas.fill(place(4, 8, 1, 1), BinaryColor::On);
        }
    }
    canvas.say("*".repeat(typed));
}

/// The digits themselves, large, with a dash for each one still to come.
fn digits(canvas: &mut Canvas<'_>, pad: &Pad) {
    const WIDE: i32 = 13;
    let (_, _, max) = pad.fill();
    let top = canvas.layout().spread(FIELD);
    let left = 64 - WIDE * i32::try_from(max).unwrap_or(0) / 2;
    let mut shown = String::with_capacity(max);
    for (index, x) in (0..max).zip((left..).step_by(WIDE.unsigned_abs() as usize)) {
        if let Some(digit) = pad.expose().get(index).copied().map(char::from) {
            canvas.put(
                Face::Large,
                digit.encode_utf8(&mut [0; 4]),
                Point::new(x + 1, top - 3),
                BinaryColor::On,
                1..=125,
            );
            shown.push(digit);
        } else {
            let dash = Rectangle::new(Point::new(x + 2, top + 8), Size::new(9, 1));
            canvas.fill(dash, BinaryColor::On);
        }
    }
    canvas.say(shown);
}

/// The strip of keys, of which the one that deletes looks and is called as given. Those at the chosen one are drawn in twice the size, for the digits of a line are no more than two
/// millimetres high on the glass.
fn keys(canvas: &mut Canvas<'_>, focus: usize, (delete, delete_name): (Icon, &str)) {
    let top = canvas.layout().spread(KEYS_ROW);
    let is_large = |index: usize| index.abs_diff(focus) <= 1;
    let width = |index: usize| if is_large(index) { LARGE } else { SMALL };
    let mut left = 64 - (0..KEYS.len()).map(width).sum::<i32>() / 2;
    for (index, key) in KEYS.into_iter().enumerate() {
        let ink = if index == focus {
            let cap = Rectangle::new(Point::new(left, top), Size::new(LARGE.unsigned_abs(), 18));
            canvas.fill_rounded(cap, BinaryColor::On);
            BinaryColor::Off
        } else {
            BinaryColor::On
        };
        let icon = if key == Key::Delete { delete } else { Icon::CHECK };
        match (key, is_large(index)) {
            (Key::Digit(digit), true) => digit_at(canvas, Face::Double, digit, Point::new(left, top - 2), LARGE, ink),
            (Key::Digit(digit), false) => digit_at(canvas, Face::Text, digit, Point::new(left, top + 4), SMALL, ink),
            (_, true) => canvas.large_icon(icon, Point::new(left, top + 2), ink),
            (_, false) => canvas.icon(icon, Point::new(left + 1, top + 6), ink),
        }
        left += width(index);
    }
    canvas.say(match KEYS[focus % KEYS.len()] {
        Key::Digit(digit) => format!("<{}>", char::from(digit)),
        Key::Delete => format!("<{delete_name}>"),
        Key::Take => "<OK>".to_owned(),
    });
}

fn digit_at(canvas: &mut Canvas<'_>, face: Face, digit: u8, at: Point, room: i32, ink: BinaryColor) {
    let mut text = [0; 4];
    let text = char::from(digit).encode_utf8(&mut text);
    let at = at + Point::new((room - canvas.width(face, text)) / 2, 0);
    canvas.put(face, text, at, ink, 1..=126);
}
