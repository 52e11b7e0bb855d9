//! A display of 128 × 64 pixels on the I²C bus: sends what has changed and nothing else.
//!
//! At 400 kHz a whole picture takes 25 ms, and the bus has other users.

use display_interface::{DataFormat, DisplayError, WriteOnlyDataCommand};
use embedded_hal::i2c::I2c;
use ssd1306::command::{AddrMode, Command};
use ssd1306::mode::BasicMode;
use ssd1306::prelude::{Brightness as Light, DisplayRotation, DisplaySize, I2CInterface};
use ssd1306::{I2CDisplayInterface, Ssd1306};

use super::profile::Controller;
use crate::panel::{Brightness, Frame};

const WIDTH: usize = Frame::WIDTH as usize;
/// Rows of a page: a byte of the display's memory is 8 pixels below each other.
const PAGE: u8 = 8;
const PAGES: usize = Frame::HEIGHT as usize / PAGE as usize;
/// The first column of the glass in an SH1106's memory.
const SH1106_FIRST: u8 = 2;
/// Changed columns closer than this go in one run: starting another costs as many bytes.
const GAP: usize = 9;

/// A picture as the display stores it.
type Pages = [[u8; WIDTH]; PAGES];

/// A display on the bus `B`.
pub(super) struct Oled<B> {
    display: Ssd1306<I2CInterface<B>, Glass, BasicMode>,
    controller: Controller,
    /// What is on the glass; none before the display was started, and after an error.
    shown: Option<(Box<Pages>, Brightness)>,
}

impl<B: I2c> Oled<B> {
    pub(super) fn new(bus: B, controller: Controller, address: u8) -> Self {
        let interface = I2CDisplayInterface::new_custom_address(bus, address);
        Self {
            display: Ssd1306::new(interface, Glass(controller), DisplayRotation::Rotate0),
            controller,
            shown: None,
        }
    }

    /// Shows a picture. After an error the next one starts the display anew.
    pub(super) fn show(&mut self, frame: &Frame, brightness: Brightness) -> Result<(), DisplayError> {
        let pages = pages(frame);
        // What was shown counts again only when all of the new picture has gone through.
        match self.shown.take() {
            Some((before, light)) => {
                self.send(Some(&before), &pages)?;
                if light != brightness {
                    self.light(brightness)?;
                }
            }
            None => {
                self.start()?;
                self.send(None, &pages)?;
                self.light(brightness)?;
            }
        }
        self.shown = Some((pages, brightness));
        Ok(())
    }

    fn start(&mut self) -> Result<(), DisplayError> {
        let mode = match self.controller {
            Controller::Ssd1306 => AddrMode::Horizontal,
            Controller::Sh1106 => AddrMode::Page,
        };
        self.display.init_with_addr_mode(mode)?;
        // Its memory holds noise until the first picture.
        self.display.set_display_on(false)
    }

    fn light(&mut self, brightness: Brightness) -> Result<(), DisplayError> {
        let light = match brightness {
            Brightness::Off => return self.display.set_display_on(false),
            Brightness::Dim => Light::custom(1, 0x08),
            Brightness::Full => Light::custom(2, 0xFF),
        };
        self.display.set_brightness(light)?;
        self.display.set_display_on(true)
    }

    fn send(&mut self, before: Option<&Pages>, pages: &Pages) -> Result<(), DisplayError> {
        for (page, row) in (0..).zip(pages) {
            let before = before.map(|before| &before[usize::from(page)]);
            for (from, to) in runs(before, row) {
                self.go_to(page, from, to)?;
                self.display.draw(&row[usize::from(from)..usize::from(to)])?;
            }
        }
        Ok(())
    }

    /// Makes the columns `from..to` of a page the next to be written.
    fn go_to(&mut self, page: u8, from: u8, to: u8) -> Result<(), DisplayError> {
        let top = page * PAGE;
        match self.controller {
            Controller::Ssd1306 => self.display.set_draw_area((from, top), (to, top + PAGE)),
            Controller::Sh1106 => {
                self.display.set_row(top)?;
                self.display.set_column(from + SH1106_FIRST)
            }
        }
    }
}

/// The columns that differ, as runs that end before their second number.
fn runs(before: Option<&[u8; WIDTH]>, row: &[u8; WIDTH]) -> Vec<(u8, u8)> {
    let Some(before) = before else {
        return vec![(0, WIDTH as u8)];
    };
    let mut runs: Vec<(u8, u8)> = Vec::new();
    for column in (0_u8..)
        .zip(before.iter().zip(row))
        .filter(|(_, (before, now))| before != now)
        .map(|(column, _)| column)
    {
        match runs.last_mut() {
            Some((_, end)) if usize::from(column - *end) < GAP => *end = column + 1,
            _ => runs.push((column, column + 1)),
        }
    }
    runs
}

fn pages(frame: &Frame) -> Box<Pages> {
    let mut pages = Box::new([[0; WIDTH]; PAGES]);
    for (top, page) in (0..).step_by(PAGE.into()).zip(pages.iter_mut()) {
        for (x, byte) in (0..).zip(page.iter_mut()) {
            *byte = (0..PAGE.into()).fold(0, |byte, y| byte | u8::from(frame.is_lit(x, top + y)) << y);
        }
    }
    pages
}

/// The glass of 128 × 64 pixels, and what its controller has to be told of it.
#[derive(Clone, Copy)]
struct Glass(Controller);

impl DisplaySize for Glass {
    const WIDTH: u8 = 128;
    const HEIGHT: u8 = 64;
    // Nothing is drawn through the driver's own buffer.
    type Buffer = [u8; 0];

    fn configure(&self, interface: &mut impl WriteOnlyDataCommand) -> Result<(), DisplayError> {
        Command::ComPinConfig(true, false).send(interface)?;
        // The fastest clock (0xD5 0xF0): cameras see fewer dark bands where they scan the pairing code.
        Command::DisplayClockDiv(0xF, 0).send(interface)?;
        match self.0 {
            Controller::Ssd1306 => Ok(()),
            // "DC-DC control mode set": its own voltage converter on. An SSD1306's charge pump means nothing to it.
            Controller::Sh1106 => interface.send_commands(DataFormat::U8(&[0xAD, 0x8B])),
        }
    }
}

#[cfg(test)]
mod tests;
