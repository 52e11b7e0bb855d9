//! `cloud`: how the relay to the cloud gets on, and a run at a person's wish.

use crate::panel::canvas::Canvas;
use crate::panel::icons::Icon;
use crate::panel::state::Choice;
use crate::panel::strings::Strings;
use crate::panel::view::{CloudStanding, CloudStatus};

/// Of a progress bar.
const WHOLE: u64 = 1000;

pub(super) fn draw(canvas: &mut Canvas<'_>, cloud: CloudStatus, choice: Choice, strings: &Strings) -> &'static str {
    canvas.header(strings.cloud, Icon::INFO);
    let text = (strings.cloud_standing)(cloud.standing);
    canvas.paragraph(0, &text.each_ref().map(String::as_str));
    if cloud.standing == CloudStanding::NeverSetUp {
        canvas.hint(strings.back);
        return "cloud";
    }
    if let CloudStanding::Sending(sent, total) = cloud.standing {
        let part = u64::from(sent) * WHOLE / u64::from(total.max(1));
        canvas.progress(31, 0, u32::try_from(part.min(WHOLE)).unwrap_or(0));
    } else {
        canvas.pair(2, strings.cloud_waiting, &count(cloud.waiting));
    }
    canvas.pair(3, strings.cloud_held, &count(cloud.held));
    canvas.buttons([strings.cloud_sync, strings.back_button], choice as usize);
    "cloud"
}

fn count(count: u32) -> String {
    count.min(999_999).to_string()
}
