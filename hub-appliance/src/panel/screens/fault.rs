//! `error`: what stopped the hub, and what to do.

use crate::panel::canvas::Canvas;
use crate::panel::icons::Icon;
use crate::panel::strings::Strings;
use crate::panel::view::Fault;

pub(super) fn draw(canvas: &mut Canvas<'_>, fault: &Fault, strings: &Strings) -> &'static str {
    canvas.header(strings.fault, Icon::WARNING);
    let text = (strings.fault_text)(fault);
    canvas.rule(2);
    canvas.paragraph(0, &text.each_ref().map(String::as_str));
    "error"
}
