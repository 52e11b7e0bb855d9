//! `usb`: what is carried by hand: taking in what the office sent, and writing what is to be sent.

use super::Moment;
use crate::panel::canvas::Canvas;
use crate::panel::icons::Icon;
use crate::panel::state::Choice;
use crate::panel::strings::Strings;
use crate::panel::view::{UsbStanding, UsbStatus};

pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    usb: &UsbStatus,
    choice: Choice,
    moment: Moment,
    strings: &Strings,
) -> &'static str {
    canvas.take_turns(moment.turn());
    let icon = if matches!(usb.standing, UsbStanding::Trouble(_)) {
        Icon::WARNING
    } else {
        Icon::DISK
    };
    canvas.header(strings.usb, icon);
    let text = (strings.usb_standing)(usb);
    canvas.paragraph(0, &text.each_ref().map(String::as_str));
    if usb.standing == UsbStanding::NeverSetUp {
        canvas.hint(strings.back);
        return "usb";
    }
    let (name, count) = match usb.standing {
        UsbStanding::Done { arrived, .. } => (strings.usb_arrived, arrived),
        _ => (strings.cloud_waiting, usb.waiting),
    };
    canvas.pair(2, name, &count.min(999_999).to_string());
    if usb.standing.is_at_work() {
        return "usb";
    }
    canvas.buttons([strings.usb_start, strings.back_button], choice as usize);
    "usb"
}
