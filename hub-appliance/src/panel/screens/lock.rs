//! `lock`: asks before locking, because phones stop working.

use crate::panel::canvas::Canvas;
use crate::panel::icons::Icon;
use crate::panel::state::Choice;
use crate::panel::strings::Strings;

pub(super) fn draw(canvas: &mut Canvas<'_>, choice: Choice, strings: &Strings) -> &'static str {
    canvas.header(strings.lock, Icon::LOCKED);
    canvas.paragraph(0, &strings.lock_text);
    canvas.buttons([strings.lock_now, strings.cancel], choice as usize);
    "lock"
}
