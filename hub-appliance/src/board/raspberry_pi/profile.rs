//! What is wired to which pin, as data: a new display hat is one more entry.

use crate::panel::Button;

/// What drives the glass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Controller {
    /// SSD1306 or SSD1309: 128 columns of memory, all addressing modes.
    Ssd1306,
    /// SH1106: 132 columns of memory of which the glass shows the middle, page addressing only.
    Sh1106,
}

/// A panel: its display on the I²C bus, and its buttons, which connect their pin to ground.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Profile {
    /// The name for the command line.
    pub(super) name: &'static str,
    pub(super) controller: Controller,
    /// The display's address on the bus.
    pub(super) address: u8,
    /// Pins by their BCM number.
    pub(super) buttons: &'static [(u8, Button)],
    /// The pin that resets the display while it is low.
    pub(super) reset: Option<u8>,
    /// A pin that has to stay low: where the bus address is chosen by one.
    pub(super) low: Option<u8>,
}

/// The panels that are known.
pub(super) const PROFILES: [Profile; 3] = [
    Profile {
        name: "adafruit-bonnet",
        controller: Controller::Ssd1306,
        address: 0x3C,
        buttons: &[
            (17, Button::Up),
            (22, Button::Down),
            (27, Button::Left),
            (23, Button::Right),
            (4, Button::Ok),
            (6, Button::Ok),
            (5, Button::Back),
        ],
        reset: None,
        low: None,
    },
    // Wired for I²C by its solder bridges; it leaves the factory wired for SPI.
    Profile {
        name: "waveshare-1.3",
        controller: Controller::Sh1106,
        address: 0x3C,
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
        low: Some(24),
    },
    Profile {
        name: "four-buttons",
        controller: Controller::Ssd1306,
        address: 0x3C,
        buttons: &[
            (17, Button::Up),
            (27, Button::Down),
            (22, Button::Ok),
            (23, Button::Back),
        ],
        reset: None,
        low: None,
    },
];

impl Profile {
    /// The profile of this name.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        PROFILES.iter().find(|profile| profile.name == name)
    }

    /// The most likely profile for what the display says when it is read. The controllers' identity stands in the low
    /// bits of their status byte: 8 in an SH1106's, something else in an SSD1306's.
    pub(super) fn of_status(status: Option<u8>) -> &'static Self {
        const IDENTITY: u8 = 0x0F;
        const SH1106: u8 = 0x08;
        let controller = match status {
            Some(status) if status & IDENTITY == SH1106 => Controller::Sh1106,
            _ => Controller::Ssd1306,
        };
        let mut likely = PROFILES.iter().filter(|profile| profile.controller == controller);
        likely.next().unwrap_or(&PROFILES[0])
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
    }

    #[test]
    fn the_display_tells_which_it_is() {
        assert_eq!(Profile::of_status(Some(0x48)).name, "waveshare-1.3");
        assert_eq!(Profile::of_status(Some(0x43)).name, "adafruit-bonnet");
        assert_eq!(Profile::of_status(None).name, "adafruit-bonnet");
    }
}
