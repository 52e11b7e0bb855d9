//! What each controller has to be told.

use display_interface::{DataFormat, DisplayError, WriteOnlyDataCommand};
use embedded_hal::i2c::I2c;
use ssd1306::command::{AddrMode, Command};
use ssd1306::mode::BasicMode;
use ssd1306::prelude::{Brightness as Light, DisplayRotation, DisplaySize, I2CInterface};
use ssd1306::{I2CDisplayInterface, Ssd1306};

use super::PAGE;
use crate::board::profile::Controller;
use crate::panel::Brightness;

/// The fastest clock, argument of 0xD5: cameras see fewer dark bands where they scan the pairing code.
const CLOCK: u8 = 0xF0;
const DIM: u8 = 0x08;
const FULL: u8 = 0xFF;
/// The first column of the glass in an SH1106's memory.
const SH1106_FIRST: u8 = 2;

/// A controller on the bus `B`.
pub(super) enum Chip<B> {
    /// An SSD1306, or an SH1106, which knows a part of its commands.
    Like1306 {
        display: Ssd1306<I2CInterface<B>, Glass, BasicMode>,
        glass: Glass,
    },
    Sh1107(I2CInterface<B>),
}

impl<B: I2c> Chip<B> {
    pub(super) fn new(bus: B, controller: Controller, address: u8) -> Self {
        let interface = I2CDisplayInterface::new_custom_address(bus, address);
        let glass = match controller {
            Controller::Ssd1306 => Glass::Ssd1306,
            Controller::Sh1106 => Glass::Sh1106,
            Controller::Sh1107 => return Self::Sh1107(interface),
        };
        Self::Like1306 {
            display: Ssd1306::new(interface, glass, DisplayRotation::Rotate0),
            glass,
        }
    }

    /// Tells it all that it has to know of its glass, and leaves it dark: its memory holds noise until the first picture.
    pub(super) fn start(&mut self) -> Result<(), DisplayError> {
        match self {
            Self::Like1306 { display, glass } => {
                let mode = match glass {
                    Glass::Ssd1306 => AddrMode::Horizontal,
                    Glass::Sh1106 => AddrMode::Page,
                };
                display.init_with_addr_mode(mode)?;
                display.set_display_on(false)
            }
            Self::Sh1107(interface) => SH1107_START
                .iter()
                .try_for_each(|command| interface.send_commands(DataFormat::U8(command))),
        }
    }

    pub(super) fn light(&mut self, brightness: Brightness) -> Result<(), DisplayError> {
        let contrast = match brightness {
            Brightness::Off => None,
            Brightness::Dim => Some(DIM),
            Brightness::Full => Some(FULL),
        };
        match self {
            Self::Like1306 { display, .. } => match contrast {
                Some(contrast) => {
                    let precharge = if contrast == FULL { 2 } else { 1 };
                    display.set_brightness(Light::custom(precharge, contrast))?;
                    display.set_display_on(true)
                }
                None => display.set_display_on(false),
            },
            Self::Sh1107(interface) => match contrast {
                Some(contrast) => interface.send_commands(DataFormat::U8(&[0x81, contrast, 0xAF])),
                None => interface.send_commands(DataFormat::U8(&[0xAE])),
            },
        }
    }

    /// Makes the columns `from..to` of a page the next to be written.
    pub(super) fn go_to(&mut self, page: u8, from: u8, to: u8) -> Result<(), DisplayError> {
        let top = page * PAGE;
        match self {
            Self::Like1306 { display, glass } => match glass {
                Glass::Ssd1306 => display.set_draw_area((from, top), (to, top + PAGE)),
                Glass::Sh1106 => {
                    display.set_row(top)?;
                    display.set_column(from + SH1106_FIRST)
                }
            },
            Self::Sh1107(interface) => {
                let place = [0xB0 | page, from & 0x0F, 0x10 | from >> 4];
                interface.send_commands(DataFormat::U8(&place))
            }
        }
    }

    pub(super) fn write(&mut self, columns: &[u8]) -> Result<(), DisplayError> {
        match self {
            Self::Like1306 { display, .. } => display.draw(columns),
            Self::Sh1107(interface) => interface.send_data(DataFormat::U8(columns)),
        }
    }
}

/// An SH1107 with a glass of 128 × 128 (data sheet V2.1, "Commands"); voltages and the supply are those of the modules
/// that are sold.
const SH1107_START: [&[u8]; 14] = [
    // Off.
    &[0xAE],
    &[0xD5, CLOCK],
    // 128 rows, from the first.
    &[0xA8, 0x7F],
    &[0xD3, 0x00],
    &[0xDC, 0x00],
    // Page addressing; upright.
    &[0x20],
    &[0xA0],
    &[0xC0],
    // The module brings the glass's voltage.
    &[0xAD, 0x8A],
    // Precharge, and the voltage of rows that are not lit.
    &[0xD9, 0x22],
    &[0xDB, 0x35],
    // The memory's content, not inverted.
    &[0xA4],
    &[0xA6],
    &[0x81, FULL],
];

/// The glass of 128 × 64 pixels behind one of these controllers, and what it has to be told of it.
#[derive(Clone, Copy)]
pub(super) enum Glass {
    Ssd1306,
    Sh1106,
}

impl DisplaySize for Glass {
    const WIDTH: u8 = 128;
    const HEIGHT: u8 = 64;
    // Nothing is drawn through the driver's own buffer.
    type Buffer = [u8; 0];

    fn configure(&self, interface: &mut impl WriteOnlyDataCommand) -> Result<(), DisplayError> {
        Command::ComPinConfig(true, false).send(interface)?;
        interface.send_commands(DataFormat::U8(&[0xD5, CLOCK]))?;
        match self {
            // "DC-DC control mode set": its own voltage converter on. An SSD1306's charge pump means nothing to it.
            Self::Sh1106 => interface.send_commands(DataFormat::U8(&[0xAD, 0x8B])),
            Self::Ssd1306 => Ok(()),
        }
    }
}
