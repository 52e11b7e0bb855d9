//! `paired`: a phone has paired; is it a right one?

use super::phones;
use crate::panel::canvas::{Canvas, Face};
use crate::panel::icons::Icon;
use crate::panel::script::unmarked;
use crate::panel::state::Choice;
use crate::panel::strings::Strings;
use crate::panel::view::OpenStatus;

/// Characters of a name that fit in the larger face.
const LARGE_NAME: usize = 15;

pub(super) fn draw(canvas: &mut Canvas<'_>, open: &OpenStatus, choice: Choice, strings: &Strings) -> &'static str {
    canvas.header(strings.paired, Icon::PHONE);
    if let Some(phone) = &open.paired {
        let name = phones::label(phone.number, phone.name.as_deref(), phones::columns(canvas), strings);
        let face = if unmarked(&name).len() > LARGE_NAME {
            Face::Text
        } else {
            Face::Accent
        };
        canvas.figure(face, &name, 15);
        canvas.say(name);
    }
    canvas.line(2, strings.paired_text);
    canvas.buttons([strings.keep, strings.undo], choice as usize);
    "paired"
}
