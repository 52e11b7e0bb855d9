//! `notice`: what a person has to be told once.

use super::Moment;
use crate::panel::canvas::Canvas;
use crate::panel::icons::Icon;
use crate::panel::strings::Strings;
use crate::panel::view::Notice;

pub(super) fn draw(canvas: &mut Canvas<'_>, notice: Option<Notice>, moment: Moment, strings: &Strings) -> &'static str {
    canvas.take_turns(moment.turn());
    let (title, text) = match notice {
        Some(Notice::OldDisk { bytes }) => (strings.old_disk, (strings.old_disk_text)(bytes)),
        Some(Notice::ImportFile(file)) => (strings.import_file, (strings.import_file_text)(file)),
        Some(Notice::SetupFile { line } | Notice::SetupFileSince { line }) => {
            (strings.setup_file, (strings.setup_file_text)(line))
        }
        Some(Notice::SeveralSetupFiles) => (strings.setup_file, (strings.several_setup_files)()),
        Some(Notice::CloudKeyLeft) => (strings.setup_file, strings.cloud_key_left.map(String::from)),
        None => (strings.setup_file, Default::default()),
    };
    canvas.header(title, Icon::WARNING);
    canvas.paragraph(0, &text.each_ref().map(String::as_str));
    canvas.hint(strings.go_on);
    "notice"
}
