//! `recovery`: the recovery code is typed instead of the PIN.

use super::pad::{self, Show};
use crate::panel::canvas::Canvas;
use crate::panel::icons::Icon;
use crate::panel::pin_pad::CodeEntry;
use crate::panel::strings::Strings;
use crate::panel::view::RecoveryCode;

const GROUPS: u32 = RecoveryCode::GROUPS as u32;

pub(super) fn draw(canvas: &mut Canvas<'_>, code: &CodeEntry, strings: &Strings) -> &'static str {
    // Which group it is goes into the title where there is one line for text.
    if canvas.is_tight() {
        canvas.step_header(strings.enter_code, code.number(), GROUPS);
    } else {
        canvas.header(strings.enter_code, Icon::KEY);
    }
    let [first, back] = (strings.enter_code_text)(code.number());
    let second = if code.back_deletes() {
        strings.hold_deletes
    } else {
        &back
    };
    pad::draw(canvas, [&first, second], code.pad(), Show::Digits, strings);
    "recovery"
}
