//! `splash`: whose box this is, and its version.

use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use crate::panel::canvas::{Canvas, Face};
use crate::panel::script::as_code;
use crate::panel::strings::Strings;
use crate::panel::text::printable;
use crate::panel::view::{About, DEVELOPMENT};

const NAME: &str = "Clinic Hub";

pub(super) fn draw(canvas: &mut Canvas<'_>, about: &About, strings: &Strings) -> &'static str {
    cross(canvas);
    canvas.leave_lines(1);
    canvas.figure(Face::Large, NAME, 28);
    canvas.say(NAME);
    // Longest is the pre-release of a development image: 12 characters, and its mark.
    let version = match about.is_development {
        false => format!("{} {}", strings.version, as_code(&printable(&about.version, 12))),
        true => as_code(&format!("{} {DEVELOPMENT}", printable(&about.version, 12))),
    };
    canvas.centred(4, &version);
    "splash"
}

/// A dark cross on a lit field.
fn cross(canvas: &mut Canvas<'_>) {
    let top = canvas.layout().spread(3);
    let part = |x, y, width, height| Rectangle::new(Point::new(x, top + y), Size::new(width, height));
    canvas.fill_rounded(part(52, 0, 23, 23), BinaryColor::On);
    canvas.fill(part(60, 3, 7, 17), BinaryColor::Off);
    canvas.fill(part(55, 8, 17, 7), BinaryColor::Off);
}
