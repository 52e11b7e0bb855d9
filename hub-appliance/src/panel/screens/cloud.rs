//! `cloud`: how the relay to the cloud gets on, and a run at a person's wish.

use super::Moment;
use crate::panel::canvas::Canvas;
use crate::panel::icons::Icon;
use crate::panel::state::Choice;
use crate::panel::strings::Strings;
use crate::panel::view::{CloudStanding, CloudStatus};

/// Of a progress bar.
const WHOLE: u64 = 1000;

pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    cloud: CloudStatus,
    choice: Choice,
    moment: Moment,
    strings: &Strings,
) -> &'static str {
    canvas.take_turns(moment.turn());
    canvas.header(strings.cloud, Icon::INFO);
    let text = (strings.cloud_standing)(cloud.standing);
    canvas.paragraph(0, &text.each_ref().map(String::as_str));
    if cloud.standing == CloudStanding::NeverSetUp {
        canvas.hint(strings.back);
        return "cloud";
    }
    let lines = text.iter().filter(|line| !line.is_empty()).count();
    let waiting = (strings.cloud_waiting, cloud.waiting);
    let held = (strings.cloud_held, cloud.held);
    match cloud.standing {
        CloudStanding::Sending(sent, total) => {
            let part = u64::from(sent) * WHOLE / u64::from(total.max(1));
            canvas.progress(35, 0, u32::try_from(part.min(WHOLE)).unwrap_or(0));
        }
        // The buttons leave three lines. Of the two figures the one that asks for somebody comes first; the home screen has
        // the other one too.
        _ if lines < 2 => {
            canvas.pair(1, waiting.0, &count(waiting.1));
            canvas.pair(2, held.0, &count(held.1));
        }
        _ => {
            let (name, rows) = if cloud.held > 0 { held } else { waiting };
            canvas.pair(2, name, &count(rows));
        }
    }
    canvas.buttons([strings.cloud_sync, strings.back_button], choice as usize);
    "cloud"
}

fn count(count: u32) -> String {
    count.min(999_999).to_string()
}
