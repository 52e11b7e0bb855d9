//! `locked`: asks for the PIN.

use super::pad;
use crate::panel::canvas::Canvas;
use crate::panel::icons::Icon;
use crate::panel::pin_pad::Pad;
use crate::panel::strings::Strings;

/// Wrong PINs in a row after which the recovery code is pointed to.
pub(super) const MANY_FAILURES: u32 = 10;

pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    pad: &Pad,
    failures: u32,
    needs_stick: bool,
    strings: &Strings,
) -> &'static str {
    canvas.header(strings.locked, Icon::LOCKED);
    let text = if !pad.is_empty() {
        [strings.locked_text[0], strings.hold_deletes]
    } else if needs_stick && failures < MANY_FAILURES {
        strings.locked_needs_stick
    } else if failures < MANY_FAILURES {
        strings.locked_text
    } else {
        strings.locked_use_code
    };
    pad::draw_locked(canvas, text, pad, strings);
    "locked"
}
