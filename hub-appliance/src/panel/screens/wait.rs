//! `wait`: too many wrong PINs; how long until the next may be tried.

use std::time::Duration;

use super::locked::MANY_FAILURES;
use crate::panel::canvas::{Canvas, Face};
use crate::panel::icons::Icon;
use crate::panel::strings::Strings;
use crate::panel::text::minutes;

/// While the hub is locked.
pub(super) fn locked(canvas: &mut Canvas<'_>, left: Duration, failures: u32, strings: &Strings) -> &'static str {
    if failures >= MANY_FAILURES {
        draw(
            canvas,
            left,
            [strings.wait_use_code, strings.wait_hold_for_code],
            strings,
        )
    } else {
        draw(canvas, left, [strings.wait_text, strings.wait_hold], strings)
    }
}

/// While the PIN was to be changed.
pub(super) fn open(canvas: &mut Canvas<'_>, left: Duration, strings: &Strings) -> &'static str {
    draw(canvas, left, [strings.wait_text, strings.wait_leave], strings)
}

fn draw(canvas: &mut Canvas<'_>, left: Duration, [above, below]: [&str; 2], strings: &Strings) -> &'static str {
    canvas.header(strings.wait, Icon::CLOCK);
    canvas.centred(0, above);
    let time = minutes(left);
    canvas.figure(Face::Huge, &time, 21);
    canvas.say(time);
    canvas.centred(4, below);
    "wait"
}
