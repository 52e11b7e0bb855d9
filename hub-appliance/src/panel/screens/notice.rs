//! `notice`: what a person has to be told once, at the start.

use crate::panel::canvas::Canvas;
use crate::panel::icons::Icon;
use crate::panel::strings::Strings;
use crate::panel::view::Notice;

pub(super) fn draw(canvas: &mut Canvas<'_>, notice: Option<Notice>, strings: &Strings) -> &'static str {
    canvas.header(strings.setup_file, Icon::WARNING);
    if let Some(Notice::SetupFile { line }) = notice {
        let text = (strings.setup_file_text)(line);
        canvas.paragraph(0, &text.each_ref().map(String::as_str));
    }
    canvas.hint(strings.go_on);
    "notice"
}
