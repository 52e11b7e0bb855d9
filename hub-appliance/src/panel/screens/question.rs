//! `new-disk`, `disk-away`, `begin-anew`, `which-disk`, `erase-disk`, `use-card`, `repair`, `put-back`, `move-data`,
//! `larger-disk`, `go-on-moving`, `restore`, `other-cloud`, `other-office`, `other-key`, `withdrawn-clinic`, `box-key`,
//! `box-key-again`, `new-box`: what a person has to decide before the hub goes on.

use super::Moment;
use crate::panel::canvas::Canvas;
use crate::panel::icons::Icon;
use crate::panel::names::{Space, drawable, shortened};
use crate::panel::script::as_code;
use crate::panel::state::Choice;
use crate::panel::strings::{Asked, Strings};
use crate::panel::text::{UNKNOWN, day, short_count};
use crate::panel::view::{KnownDisk, Question};

pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    question: &Question,
    choice: Choice,
    moment: Moment,
    strings: &Strings,
) -> &'static str {
    let asked = (strings.question)(question);
    let (name, icon) = match question {
        Question::NewDisk { .. } => ("new-disk", Icon::DISK),
        Question::EraseDisk { .. } => ("erase-disk", Icon::WARNING),
        Question::DiskAway => ("disk-away", Icon::WARNING),
        Question::BeginAnew => ("begin-anew", Icon::WARNING),
        Question::WhichDisk(disk) => return which_disk(canvas, (&asked, disk), choice, moment, strings),
        Question::UseCard { .. } => ("use-card", Icon::DISK),
        Question::MoveData { .. } => ("move-data", Icon::DISK),
        Question::LargerDisk => ("larger-disk", Icon::DISK),
        Question::GoOnMoving => ("go-on-moving", Icon::DISK),
        Question::Repair => ("repair", Icon::WARNING),
        Question::OtherCloud { .. } => ("other-cloud", Icon::WARNING),
        Question::OtherOffice { .. } => ("other-office", Icon::WARNING),
        Question::OtherOrganisation { .. } => ("other-key", Icon::WARNING),
        Question::BoxKey { again: false } => ("box-key", Icon::WARNING),
        Question::BoxKey { again: true } => ("box-key-again", Icon::WARNING),
        Question::NewBox => ("new-box", Icon::KEY),
        Question::Withdrawn { .. } => ("withdrawn-clinic", Icon::WARNING),
        Question::Restore { .. } => ("restore", Icon::DISK),
        Question::PutBack { .. } => ("put-back", Icon::WARNING),
    };
    canvas.header(asked.title, icon);
    canvas.paragraph(0, &asked.text.each_ref().map(String::as_str));
    canvas.buttons([asked.yes, strings.no], choice as usize);
    name
}

/// Whose it is comes first: that tells an empty hub that was begun by mistake from the clinic's own.
fn which_disk(
    canvas: &mut Canvas<'_>,
    (asked, disk): (&Asked, &KnownDisk),
    choice: Choice,
    moment: Moment,
    strings: &Strings,
) -> &'static str {
    canvas.take_turns(moment.turn());
    let (at, of) = disk.place;
    canvas.marked_header(asked.title, &format!("{}/{}", at.min(9), of.min(9)));
    let hub = disk.hub.as_deref().and_then(drawable);
    let hub = hub.map(|name| shortened(canvas, &name, Space::LINE, str::to_owned));
    canvas.line(0, hub.as_deref().unwrap_or(UNKNOWN));
    let phones = disk.phones.map_or_else(|| UNKNOWN.to_owned(), short_count);
    let disk_is = if disk.is_card {
        strings.which_disk_card.to_owned()
    } else {
        (strings.disk_size)(disk.bytes)
    };
    if canvas.is_tall() {
        canvas.fact(1, Icon::PHONE, &phones);
        canvas.fact(1, Icon::DISK, &disk_is);
    } else {
        canvas.facts(1, (Icon::PHONE, &phones), (Icon::DISK, &disk_is));
    }
    let used = disk.used_at.map_or_else(|| UNKNOWN.to_owned(), day);
    canvas.pair(2, strings.which_disk_used, &as_code(&used));
    canvas.buttons([asked.yes, strings.which_disk_next], choice as usize);
    "which-disk"
}
