//! `setup-recovery`: what the recovery code is for; it is written down, and two of its groups are typed back.

use super::pad::{self, Show};
use super::set_up_pin::STEPS;
use crate::panel::canvas::Canvas;
use crate::panel::pin_pad::Pad;
use crate::panel::strings::Strings;
use crate::panel::view::RecoveryCode;

const NAME: &str = "setup-recovery";

/// First what it is for, and where to keep it: nobody has a pen at hand for what comes by itself.
pub(super) fn explain(canvas: &mut Canvas<'_>, strings: &Strings) -> &'static str {
    canvas.step_header(strings.enter_code, 3, STEPS);
    canvas.paragraph(0, &strings.explain_code);
    canvas.hint(strings.explain_code_hint);
    NAME
}

/// All eight groups on one screen, so that none is missed by turning pages.
pub(super) fn write(
    canvas: &mut Canvas<'_>,
    code: &RecoveryCode,
    differs: Option<usize>,
    strings: &Strings,
) -> &'static str {
    match differs {
        Some(group) => canvas.step_header(&(strings.wrong_group)(group), 3, STEPS),
        None => canvas.step_header(strings.write_code, 3, STEPS),
    }
    for row in 0..RecoveryCode::GROUPS / 2 {
        let (left, right) = (2 * row, 2 * row + 1);
        canvas.places(row, [left, right].map(|place| (place + 1, code.group(place))));
    }
    // Where the groups take all the room the title says it.
    if !canvas.is_tight() {
        canvas.hint(strings.write_code_hint);
    }
    NAME
}

/// The code is not left on the screen for whoever comes by, nor to burn in.
pub(super) fn hidden(canvas: &mut Canvas<'_>, strings: &Strings) -> &'static str {
    canvas.step_header(strings.enter_code, 3, STEPS);
    canvas.paragraph(0, &strings.code_hidden_text);
    canvas.hint(strings.code_hidden_hint);
    NAME
}

pub(super) fn check(canvas: &mut Canvas<'_>, group: usize, pad: &Pad, strings: &Strings) -> &'static str {
    canvas.step_header(strings.check_code, 4, STEPS);
    let [first, second] = (strings.check_code_text)(group);
    pad::draw(canvas, [&first, &second], pad, Show::Digits, strings);
    NAME
}
