//! `wait`: too many wrong PINs; how long until the next may be tried.

use std::time::Duration;

use super::locked::MANY_FAILURES;
use crate::panel::canvas::{Canvas, Face};
use crate::panel::icons::Icon;
use crate::panel::strings::Strings;
use crate::panel::text::minutes;

pub(super) fn draw(canvas: &mut Canvas<'_>, left: Duration, failures: u32, strings: &Strings) -> &'static str {
    canvas.header(strings.wait, Icon::CLOCK);
    let many = failures >= MANY_FAILURES;
    canvas.centred(0, if many { strings.wait_use_code } else { strings.wait_text });
    let time = minutes(left);
    canvas.figure(Face::Huge, &time, 21);
    canvas.say(time);
    canvas.centred(
        4,
        if many {
            strings.wait_hold_for_code
        } else {
            strings.wait_hold
        },
    );
    "wait"
}
