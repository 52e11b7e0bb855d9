//! `change-pin`: the present PIN, the new one twice, and how it ended.

use super::pad::{self, Show};
use crate::panel::canvas::Canvas;
use crate::panel::icons::Icon;
use crate::panel::pin_pad::Pad;
use crate::panel::strings::Strings;

const NAME: &str = "change-pin";
/// Present PIN, new PIN, new PIN again.
const STEPS: u32 = 3;

pub(super) fn present(canvas: &mut Canvas<'_>, pad: &Pad, strings: &Strings) -> &'static str {
    canvas.step_header(strings.present_pin, 1, STEPS);
    pad::draw(canvas, strings.present_pin_text, pad, Show::Dots, strings);
    NAME
}

pub(super) fn choose(canvas: &mut Canvas<'_>, pad: &Pad, strings: &Strings) -> &'static str {
    canvas.step_header(strings.choose_pin, 2, STEPS);
    let [first, second] = (strings.choose_pin_text)(pad.fill().1);
    pad::draw(canvas, [&first, &second], pad, Show::Dots, strings);
    NAME
}

pub(super) fn repeat(canvas: &mut Canvas<'_>, pad: &Pad, strings: &Strings) -> &'static str {
    canvas.step_header(strings.repeat_pin, 3, STEPS);
    pad::draw(canvas, strings.repeat_pin_text, pad, Show::Dots, strings);
    NAME
}

pub(super) fn changed(canvas: &mut Canvas<'_>, strings: &Strings) -> &'static str {
    canvas.header(strings.pin_changed, Icon::CHECK);
    canvas.paragraph(0, &strings.pin_changed_text);
    canvas.hint(strings.back);
    NAME
}

pub(super) fn kept(canvas: &mut Canvas<'_>, strings: &Strings) -> &'static str {
    canvas.header(strings.pin_kept, Icon::WARNING);
    canvas.paragraph(0, &strings.pin_kept_text);
    canvas.hint(strings.back);
    NAME
}
