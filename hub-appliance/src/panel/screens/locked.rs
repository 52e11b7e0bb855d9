//! `locked`: asks for the PIN.

use super::pad;
use crate::panel::canvas::Canvas;
use crate::panel::icons::Icon;
use crate::panel::pin_pad::Pad;
use crate::panel::strings::Strings;
use crate::panel::view::Lacks;

/// Wrong PINs in a row after which the recovery code is pointed to.
pub(super) const MANY_FAILURES: u32 = 10;

pub(super) fn draw(canvas: &mut Canvas<'_>, pad: &Pad, failures: u32, lacks: Lacks, strings: &Strings) -> &'static str {
    canvas.header(strings.locked, Icon::LOCKED);
    let text = if !pad.is_empty() {
        [strings.locked_text[0], strings.hold_deletes]
    } else {
        match lacks {
            Lacks::Box => strings.locked_other_box,
            Lacks::BoxKey => strings.locked_no_box_key,
            _ if failures >= MANY_FAILURES => strings.locked_use_code,
            Lacks::Stick => strings.locked_needs_stick,
            Lacks::BoxAlone => strings.locked_not_alone,
            Lacks::Nothing => strings.locked_text,
        }
    };
    pad::draw_locked(canvas, text, pad, strings);
    "locked"
}
