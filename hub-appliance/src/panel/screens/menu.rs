//! `menu`: what can be done with the open hub.

use crate::panel::canvas::Canvas;
use crate::panel::icons::Icon;
use crate::panel::state::{MENU, MenuEntry};
use crate::panel::strings::Strings;

pub(super) fn draw(canvas: &mut Canvas<'_>, chosen: usize, strings: &Strings) -> &'static str {
    canvas.header(strings.menu, Icon::MENU);
    let entries = MENU.map(|entry| match entry {
        MenuEntry::Pair => strings.menu_pair,
        MenuEntry::Phones => strings.phones,
        MenuEntry::Status => strings.status,
        MenuEntry::Cloud => strings.cloud,
        MenuEntry::Backup => strings.backup,
        MenuEntry::Usb => strings.usb,
        MenuEntry::ChangePin => strings.menu_change_pin,
        MenuEntry::Staff => strings.staff,
        MenuEntry::NewCode => strings.menu_new_code,
        MenuEntry::Keys => strings.menu_keys,
        MenuEntry::Emergency => strings.emergency,
        MenuEntry::Language => strings.language,
        MenuEntry::Lock => strings.menu_lock,
        MenuEntry::Restart => strings.menu_restart,
        MenuEntry::PowerOff => strings.menu_power_off,
        MenuEntry::Clock => strings.set_clock,
        MenuEntry::LargerDisk => strings.larger_disk,
        MenuEntry::About => strings.about,
        MenuEntry::Help => strings.help,
    });
    canvas.list(&entries, chosen);
    "menu"
}
