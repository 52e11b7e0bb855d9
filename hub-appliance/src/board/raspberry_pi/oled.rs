//! A display on the I²C bus: sends what has changed and nothing else.
//!
//! At 400 kHz a whole picture of 128 × 64 takes 25 ms, one of 128 × 128 twice that, and the bus has other users.

mod chip;

use display_interface::DisplayError;
use embedded_hal::i2c::I2c;

use self::chip::Chip;
use crate::board::profile::Controller;
use crate::panel::{Brightness, Frame};

const WIDTH: usize = Frame::WIDTH as usize;
/// Rows of a page: a byte of the display's memory is 8 pixels below each other.
const PAGE: u8 = 8;
/// Changed columns closer than this go in one run: starting another costs as many bytes.
const GAP: usize = 9;

/// A page as the display stores it.
type Page = [u8; WIDTH];

/// A display on the bus `B`.
pub(super) struct Oled<B> {
    chip: Chip<B>,
    /// What is on the glass; none where the display is to be started first.
    shown: Option<(Vec<Page>, Brightness)>,
}

impl<B: I2c> Oled<B> {
    pub(super) fn new(bus: B, controller: Controller, address: u8) -> Self {
        Self {
            chip: Chip::new(bus, controller, address),
            shown: None,
        }
    }

    /// Has the next picture start the display anew: nobody can tell by its answers whether it lost its power meanwhile.
    pub(super) fn forget(&mut self) {
        self.shown = None;
    }

    /// Whether the display is dark and this brightness lights it.
    pub(super) fn is_woken_by(&self, brightness: Brightness) -> bool {
        let is_dark = matches!(self.shown, Some((_, Brightness::Off)));
        is_dark && brightness != Brightness::Off
    }

    /// Shows a picture. After an error the next one starts the display anew.
    pub(super) fn show(&mut self, frame: &Frame, brightness: Brightness) -> Result<(), DisplayError> {
        let pages = pages(frame);
        // What was shown counts again only when all of the new picture has gone through.
        match self.shown.take() {
            Some((before, light)) => {
                self.send(Some(&before), &pages)?;
                if light != brightness {
                    self.chip.light(brightness)?;
                }
            }
            None => {
                self.chip.start()?;
                self.send(None, &pages)?;
                self.chip.light(brightness)?;
            }
        }
        self.shown = Some((pages, brightness));
        Ok(())
    }

    fn send(&mut self, before: Option<&[Page]>, pages: &[Page]) -> Result<(), DisplayError> {
        for (page, row) in (0..).zip(pages) {
            let before = before.and_then(|before| before.get(usize::from(page)));
            for (from, to) in runs(before, row) {
                self.chip.go_to(page, from, to)?;
                self.chip.write(&row[usize::from(from)..usize::from(to)])?;
            }
        }
        Ok(())
    }
}

/// The columns that differ, as runs that end before their second number.
fn runs(before: Option<&Page>, row: &Page) -> Vec<(u8, u8)> {
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

fn pages(frame: &Frame) -> Vec<Page> {
    let tops = (0..frame.height()).step_by(PAGE.into());
    tops.map(|top| {
        let mut page = [0; WIDTH];
        for (x, byte) in (0..).zip(page.iter_mut()) {
            *byte = (0..PAGE.into()).fold(0, |byte, y| byte | u8::from(frame.is_lit(x, top + y)) << y);
        }
        page
    })
    .collect()
}

#[cfg(test)]
mod tests;
