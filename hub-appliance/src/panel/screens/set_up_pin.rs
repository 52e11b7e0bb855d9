//! `setup-pin`: the first thing a new hub asks for.

use super::pad::{self, Show};
use crate::panel::canvas::Canvas;
use crate::panel::icons::Icon;
use crate::panel::pin_pad::Pad;
use crate::panel::script::Numerals;
use crate::panel::strings::{Language, Strings};

const NAME: &str = "setup-pin";
/// PIN, PIN again, code shown, code checked.
pub(super) const STEPS: u32 = 4;

/// The language comes first, so that the rest can be read.
pub(super) fn welcome(canvas: &mut Canvas<'_>, chosen: Language, numerals: Numerals) -> &'static str {
    let strings = chosen.strings();
    canvas.write_as(chosen.writing(numerals));
    canvas.header(strings.welcome, Icon::KEY);
    super::language::choices(canvas, chosen);
    canvas.hint(strings.begin);
    NAME
}

pub(super) fn choose(canvas: &mut Canvas<'_>, pad: &Pad, strings: &Strings) -> &'static str {
    canvas.step_header(strings.choose_pin, 1, STEPS);
    let [first, second] = (strings.choose_pin_text)(pad.fill().1);
    pad::draw(canvas, [&first, &second], pad, Show::Dots, strings);
    NAME
}

pub(super) fn repeat(canvas: &mut Canvas<'_>, pad: &Pad, strings: &Strings) -> &'static str {
    canvas.step_header(strings.repeat_pin, 2, STEPS);
    pad::draw(canvas, strings.repeat_pin_text, pad, Show::Dots, strings);
    NAME
}
