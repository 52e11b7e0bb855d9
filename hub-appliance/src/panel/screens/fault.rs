//! `error`: what stopped the hub, what to do, its code to read out over a telephone, and whom to call.

use super::Moment;
use crate::panel::canvas::Canvas;
use crate::panel::icons::Icon;
use crate::panel::script::as_code;
use crate::panel::strings::Strings;
use crate::panel::text::printable;
use crate::panel::view::Fault;

/// Characters beside the icon.
const NUMBER: usize = 18;

pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    fault: &Fault,
    help: Option<&str>,
    moment: Moment,
    strings: &Strings,
) -> &'static str {
    canvas.take_turns(moment.turn());
    // It is read out and looked up elsewhere, in these digits.
    canvas.marked_header(strings.fault, &as_code(fault.code()));
    let text = (strings.fault_text)(fault);
    let text = text.each_ref().map(String::as_str);
    match help {
        Some(number) => {
            let [what, more, _, advice, then] = text;
            canvas.paragraph(0, &[what, more, advice, then]);
            canvas.fact(4, Icon::PHONE, &as_code(&printable(number, NUMBER)));
        }
        None => {
            if text[2].is_empty() {
                canvas.rule(2);
            }
            canvas.paragraph(0, &text);
        }
    }
    "error"
}
