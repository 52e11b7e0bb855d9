//! `backup` and `backup-stick`: how old the newest backup is, one now, and whether a stick is to be the one for backups.

use crate::panel::canvas::Canvas;
use crate::panel::icons::Icon;
use crate::panel::state::Choice;
use crate::panel::strings::Strings;
use crate::panel::text::Ago;
use crate::panel::view::{BackupStanding, BackupStatus};

pub(super) fn draw(canvas: &mut Canvas<'_>, backup: &BackupStatus, choice: Choice, strings: &Strings) -> &'static str {
    let icon = if backup.trouble().is_some() {
        Icon::WARNING
    } else {
        Icon::DISK
    };
    canvas.header(strings.backup, icon);
    let newest = backup
        .minutes_ago
        .map(|minutes| (strings.backup_done)(Ago::of_minutes(minutes)));
    canvas.line(0, newest.as_deref().unwrap_or(strings.backup_none));
    canvas.line(1, (strings.backup_standing)(backup.standing));
    if let BackupStanding::Copying(permille) = backup.standing
        && !canvas.is_tight()
    {
        canvas.progress(35, 0, u32::from(permille).min(1000));
    }
    let first = if backup.offered.is_some() {
        strings.backup_use
    } else {
        strings.backup_now
    };
    canvas.buttons([first, strings.back_button], choice as usize);
    "backup"
}

/// Whoever reads "yes" has to know that nothing is lost by it.
pub(super) fn ask(canvas: &mut Canvas<'_>, backup: &BackupStatus, choice: Choice, strings: &Strings) -> &'static str {
    canvas.header(strings.backup_stick, Icon::DISK);
    if let Some(stick) = &backup.offered {
        let text = (strings.backup_stick_text)(&stick.name, stick.bytes);
        canvas.paragraph(0, &text.each_ref().map(String::as_str));
    }
    canvas.buttons([strings.backup_yes, strings.no], choice as usize);
    "backup-stick"
}
