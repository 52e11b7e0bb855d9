//! `power-off`, `off`, `unplug`: asks before switching off, and says when the plug may be pulled.

use crate::panel::canvas::Canvas;
use crate::panel::icons::Icon;
use crate::panel::state::Choice;
use crate::panel::strings::Strings;

pub(super) fn ask(canvas: &mut Canvas<'_>, choice: Choice, strings: &Strings) -> &'static str {
    canvas.header(strings.power_off, Icon::POWER);
    canvas.paragraph(0, &strings.power_off_text);
    canvas.buttons([strings.power_off_now, strings.cancel], choice as usize);
    "power-off"
}

pub(super) fn ask_restart(canvas: &mut Canvas<'_>, choice: Choice, strings: &Strings) -> &'static str {
    canvas.header(strings.restart, Icon::POWER);
    canvas.paragraph(0, &strings.restart_text);
    canvas.buttons([strings.restart_now, strings.cancel], choice as usize);
    "restart"
}

pub(super) fn restarting(canvas: &mut Canvas<'_>, strings: &Strings) -> &'static str {
    canvas.header(strings.restarting, Icon::POWER);
    canvas.paragraph(1, &strings.restarting_text);
    "restarting"
}

pub(super) fn off(canvas: &mut Canvas<'_>, strings: &Strings) -> &'static str {
    canvas.header(strings.off, Icon::POWER);
    canvas.paragraph(1, &strings.off_text);
    "off"
}

pub(super) fn unplug(canvas: &mut Canvas<'_>, strings: &Strings) -> &'static str {
    canvas.header(strings.unplug, Icon::POWER);
    canvas.paragraph(1, &strings.unplug_text);
    "unplug"
}
