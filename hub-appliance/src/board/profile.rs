//! What is wired to which pin, and which display it is, as data: a new display hat is one more entry.
//!
//! None of these was in our hands yet. They were checked against public documents and programs: pins and reset of bonnet and
//! hat against the examples that go round for them; the SH1107's addresses, columns, contrast, start line and status
//! against its data sheet (Sino Wealth, V2.1), the rest of its start and the SH1106's two columns against Adafruit's
//! drivers; and what displays answer when their status is read against the table in the driver collection OneBitDisplay.

use crate::panel::{Button, Resolution};

/// What drives the glass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Controller {
    /// SSD1306 or SSD1309: 128 columns of memory, all addressing modes.
    Ssd1306,
    /// SH1106: 132 columns of memory of which the glass shows the middle, page addressing only.
    Sh1106,
    /// SH1107: 128 columns and 16 pages of memory, page and vertical addressing.
    Sh1107,
}

impl Controller {
    /// The glass that it drives on the panels that are known.
    pub(super) const fn resolution(self) -> Resolution {
        match self {
            Self::Ssd1306 | Self::Sh1106 => Resolution::Wide,
            Self::Sh1107 => Resolution::Square,
        }
    }
}

/// A panel: its display on the I²C bus, and its buttons, which connect their pin to ground.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Profile {
    /// The name for the command line and for `hub-setup.toml`.
    pub(super) name: &'static str,
    pub(super) controller: Controller,
    /// Pins by their BCM number.
    pub(super) buttons: &'static [(u8, Button)],
    /// The pin that resets the display while it is low.
    pub(super) reset: Option<u8>,
    /// A pin that has to stay low: where the bus address is chosen by one.
    pub(super) low: Option<u8>,
}

/// The addresses on the bus that a display may be set to, by a resistor or a bridge on its board. Which one it leaves the
/// factory with says nothing of what it is: SSD1306 are sold with either, Adafruit's SH1107 has 0x3D and Seeed's 0x3C.
pub(super) const ADDRESSES: [u8; 2] = [0x3C, 0x3D];

/// Four buttons on free pins, the simplest there is.
const FOUR_BUTTONS: &[(u8, Button)] = &[
    (17, Button::Up),
    (27, Button::Down),
    (22, Button::Ok),
    (23, Button::Back),
];

/// The panels that are known.
pub(super) const PROFILES: [Profile; 4] = [
    Profile {
        name: "adafruit-bonnet",
        controller: Controller::Ssd1306,
        // The stick (17, 22, 27, 23, pressed 4), and the buttons that are marked #5 and #6.
        buttons: &[
            (17, Button::Up),
            (22, Button::Down),
            (27, Button::Left),
            (23, Button::Right),
            (4, Button::Ok),
            (5, Button::Ok),
            (6, Button::Back),
        ],
        reset: None,
        low: None,
    },
    // Wired for I²C by its solder bridges; it leaves the factory wired for SPI.
    Profile {
        name: "waveshare-1.3",
        controller: Controller::Sh1106,
        // The stick (6, 19, 5, 26, pressed 13), and KEY1 (21) and KEY2 (20). KEY3 (16) means nothing.
        buttons: &[
            (6, Button::Up),
            (19, Button::Down),
            (5, Button::Left),
            (26, Button::Right),
            (13, Button::Ok),
            (21, Button::Ok),
            (20, Button::Back),
        ],
        reset: Some(25),
        // Data or command by SPI; by I²C the last bit of the address.
        low: Some(24),
    },
    Profile {
        name: "four-buttons",
        controller: Controller::Ssd1306,
        buttons: FOUR_BUTTONS,
        reset: None,
        low: None,
    },
    Profile {
        name: "four-buttons-128",
        controller: Controller::Sh1107,
        buttons: FOUR_BUTTONS,
        reset: None,
        low: None,
    },
];

impl Profile {
    /// Whether the panel needs this pin for itself.
    pub(super) fn takes(&self, pin: u8) -> bool {
        self.buttons.iter().any(|(button, _)| *button == pin) || self.reset == Some(pin) || self.low == Some(pin)
    }

    /// The profile of this name.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        PROFILES.iter().find(|profile| profile.name == name)
    }

    /// The most likely profile where no display has said anything yet.
    pub(super) const LIKELY: &'static Self = &PROFILES[0];

    /// The most likely profile for what the display says when it is read. The low four bits of the status byte
    /// tell an SH1106 (8) from an SSD1306 (3 or 6, rarely 7). An SH1107 says 7 too, and a plain SSD1306 can't be told from
    /// a bonnet's: these two have to be named.
    pub(super) fn of_status(status: u8) -> &'static Self {
        const IDENTITY: u8 = 0x0F;
        const SH1106: u8 = 0x08;
        let controller = if status & IDENTITY == SH1106 {
            Controller::Sh1106
        } else {
            Controller::Ssd1306
        };
        let mut likely = PROFILES.iter().filter(|profile| profile.controller == controller);
        likely.next().unwrap_or(Self::LIKELY)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_profile_can_be_worked_and_uses_each_pin_once() {
        for profile in &PROFILES {
            assert_eq!(Profile::named(profile.name), Some(profile));
            let buttons = profile.buttons;
            for needed in [Button::Up, Button::Down, Button::Ok] {
                assert!(buttons.iter().any(|(_, button)| *button == needed));
            }
            // 2 and 3 are the bus itself; the header ends with 27.
            let pins = buttons
                .iter()
                .map(|(pin, _)| *pin)
                .chain(profile.reset)
                .chain(profile.low);
            let pins: Vec<u8> = pins.collect();
            assert!(pins.iter().all(|pin| (4..=27).contains(pin)));
            assert_eq!(pins.iter().collect::<BTreeSet<_>>().len(), pins.len());
        }
        assert_eq!(Profile::named("other"), None);
        let hat = Profile::named("waveshare-1.3").unwrap();
        assert!([6, 21, 25, 24].into_iter().all(|pin| hat.takes(pin)) && !hat.takes(12));
    }

    #[test]
    fn a_display_can_be_reset_beside_the_buttons_of_any_panel() {
        let buttons: Vec<u8> = PROFILES
            .iter()
            .flat_map(|profile| profile.buttons)
            .map(|(pin, _)| *pin)
            .collect();
        let outputs = PROFILES
            .iter()
            .flat_map(|profile| profile.reset.into_iter().chain(profile.low));
        assert!(outputs.into_iter().all(|pin| !buttons.contains(&pin)));
    }

    #[test]
    fn the_display_tells_which_it_is() {
        assert_eq!(Profile::of_status(0x48).name, "waveshare-1.3");
        for ssd1306 in [0x43, 0x46, 0x47] {
            assert_eq!(Profile::of_status(ssd1306).name, "adafruit-bonnet");
        }
        assert_eq!(Profile::LIKELY.name, "adafruit-bonnet");
    }
}
