//! `new-disk`, `disk-away`, `begin-anew`, `erase-disk`, `use-card`, `repair`, `put-back`, `move-data`, `other-cloud`: what a person has to decide before the hub goes
//! on.

use crate::panel::canvas::Canvas;
use crate::panel::icons::Icon;
use crate::panel::state::Choice;
use crate::panel::strings::Strings;
use crate::panel::view::Question;

pub(super) fn draw(canvas: &mut Canvas<'_>, question: &Question, choice: Choice, strings: &Strings) -> &'static str {
    let (name, icon) = match question {
        Question::NewDisk { .. } => ("new-disk", Icon::DISK),
        Question::EraseDisk { .. } => ("erase-disk", Icon::WARNING),
        Question::DiskAway => ("disk-away", Icon::WARNING),
        Question::BeginAnew => ("begin-anew", Icon::WARNING),
        Question::UseCard { .. } => ("use-card", Icon::DISK),
        Question::MoveData { .. } => ("move-data", Icon::DISK),
        Question::Repair => ("repair", Icon::WARNING),
        Question::OtherCloud { .. } => ("other-cloud", Icon::WARNING),
        Question::PutBack { .. } => ("put-back", Icon::WARNING),
    };
    let asked = (strings.question)(question);
    canvas.header(asked.title, icon);
    canvas.paragraph(0, &asked.text.each_ref().map(String::as_str));
    canvas.buttons([asked.yes, strings.no], choice as usize);
    name
}
