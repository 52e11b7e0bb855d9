//! `setup-pin`: the first thing a new hub asks for.

use super::pad::{self, Show};
use crate::panel::canvas::Canvas;
use crate::panel::icons::Icon;
use crate::panel::pin_pad::Pad;
use crate::panel::strings::Strings;

const NAME: &str = "setup-pin";
/// PIN, PIN again, code shown, code checked.
pub(super) const STEPS: u32 = 4;

pub(super) fn welcome(canvas: &mut Canvas<'_>, strings: &Strings) -> &'static str {
    canvas.header(strings.welcome, Icon::KEY);
    canvas.paragraph(0, &strings.welcome_text);
    canvas.hint(strings.begin);
    NAME
}

pub(super) fn choose(canvas: &mut Canvas<'_>, pad: &Pad, strings: &Strings) -> &'static str {
    canvas.step_header(strings.choose_pin, 1, STEPS);
    pad::draw(canvas, strings.choose_pin_text, pad, Show::Dots, strings);
    NAME
}

pub(super) fn repeat(canvas: &mut Canvas<'_>, pad: &Pad, strings: &Strings) -> &'static str {
    canvas.step_header(strings.repeat_pin, 2, STEPS);
    pad::draw(canvas, strings.repeat_pin_text, pad, Show::Dots, strings);
    NAME
}
