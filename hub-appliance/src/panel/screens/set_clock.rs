//! `set-clock`: the date and time, a field after the other.

use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use crate::panel::canvas::{Canvas, Face};
use crate::panel::clock_entry::{ClockEntry, Field};
use crate::panel::icons::Icon;
use crate::panel::script::as_code;
use crate::panel::strings::Strings;

/// The row of the fields.
const FIELDS: i32 = 33;
/// Columns of a digit, and of what stands between two fields.
const DIGIT: i32 = 8;
const BETWEEN: i32 = 5;

pub(super) fn draw(canvas: &mut Canvas<'_>, entry: &ClockEntry, strings: &Strings) -> &'static str {
    canvas.header(strings.set_clock, Icon::CLOCK);
    canvas.end_lines(FIELDS);
    canvas.paragraph(0, &strings.set_clock_text);
    fields(canvas, entry);
    canvas.hint(if entry.is_last() {
        strings.set_clock_take
    } else {
        strings.set_clock_next
    });
    "set-clock"
}

/// The fields stand from left to right in every language, with the digits of a telephone.
fn fields(canvas: &mut Canvas<'_>, entry: &ClockEntry) {
    let top = canvas.layout().spread(FIELDS);
    let texts = entry.texts();
    let width = |text: &str| i32::try_from(text.len()).unwrap_or(0) * DIGIT + 1;
    let all: i32 = texts.iter().map(|(_, text)| width(text)).sum::<i32>() + 4 * BETWEEN;
    let mut left = 64 - all / 2;
    let mut said = String::new();
    for (field, text) in &texts {
        let ink = if *field == entry.field() {
            let cap = Rectangle::new(Point::new(left - 1, top), Size::new(width(text).unsigned_abs() + 1, 12));
            canvas.fill_rounded(cap, BinaryColor::On);
            said.push_str(&format!("<{text}>"));
            BinaryColor::Off
        } else {
            said.push_str(text);
            BinaryColor::On
        };
        canvas.put(Face::Accent, &as_code(text), Point::new(left, top - 2), ink, 1..=126);
        left += width(text);
        let sign = match field {
            Field::Year | Field::Month => "-",
            Field::Day => " ",
            Field::Hour => ":",
            Field::Minute => "",
        };
        canvas.put(
            Face::Text,
            &as_code(sign),
            Point::new(left, top),
            BinaryColor::On,
            1..=126,
        );
        said.push_str(sign);
        left += BETWEEN;
    }
    canvas.say(said);
}
