//! `paired`: a phone has paired; is it a right one?

use super::phones;
use crate::panel::canvas::{Canvas, Face};
use crate::panel::icons::Icon;
use crate::panel::names::Space;
use crate::panel::state::Choice;
use crate::panel::strings::Strings;
use crate::panel::view::OpenStatus;

pub(super) fn draw(canvas: &mut Canvas<'_>, open: &OpenStatus, choice: Choice, strings: &Strings) -> &'static str {
    canvas.header(strings.paired, Icon::PHONE);
    if let Some(phone) = &open.paired {
        let name = phones::label(canvas, phone.number, phone.name.as_deref(), Space::LINE, strings);
        let face = if canvas.width(Face::Accent, &name) < Space::LINE.pixels {
            Face::Accent
        } else {
            Face::Text
        };
        canvas.figure(face, &name, 15);
        canvas.say(name);
    }
    canvas.line(2, strings.paired_text);
    canvas.buttons([strings.keep, strings.undo], choice as usize);
    "paired"
}
