//! The pairing code as a QR symbol that fits 64 rows of pixels.
//!
//! The text is cut into three segments so that the address goes into the denser alphanumeric mode; version 3 at level L
//! (ISO/IEC 18004: 29 modules, 55 data codewords) then holds any IPv4 address and port.

use std::net::SocketAddrV4;

use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use qrcodegen::{DataTooLong, QrCode, QrCodeEcc, QrSegment, Version};

use super::frame::Frame;

/// Pixels a module.
const MODULE: u32 = 2;
/// Lit pixels around the symbol. Less than the standard's 4 modules, which readers do without on a dark surround.
const MARGIN: u32 = 3;

/// A pairing code, ready to draw.
pub(super) struct PairingCode(QrCode);

impl PairingCode {
    /// Pixels of a side, with the margin.
    pub(super) const SIDE: u32 = 29 * MODULE + 2 * MARGIN;

    /// The code that leads a phone to `address`: `{"type":"sync_hub","url":"http://IP:PORT"}`.
    ///
    /// # Errors
    /// [`DataTooLong`], which no IPv4 address causes.
    pub(super) fn new(address: SocketAddrV4) -> Result<Self, DataTooLong> {
        let segments = [
            QrSegment::make_bytes(br#"{"type":"sync_hub","url":"http"#),
            QrSegment::make_alphanumeric(&format!("://{address}")),
            QrSegment::make_bytes(br#""}"#),
        ];
        let version = Version::new(3);
        QrCode::encode_segments_advanced(&segments, QrCodeEcc::Low, version, version, None, false).map(Self)
    }

    /// Draws the symbol, dark on a lit square, with its top left corner at `corner`.
    pub(super) fn draw(&self, frame: &mut Frame, corner: Point) {
        let square = |at: Point, side: u32| Rectangle::new(at, Size::new_equal(side));
        let Ok(()) = frame.fill_solid(&square(corner, Self::SIDE), BinaryColor::On);
        let first = corner + Point::new_equal(MARGIN.cast_signed());
        for row in 0..self.0.size() {
            for column in 0..self.0.size() {
                if self.0.get_module(column, row) {
                    let at = first + Point::new(column, row) * MODULE.cast_signed();
                    let Ok(()) = frame.fill_solid(&square(at, MODULE), BinaryColor::Off);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads the QR symbol in `frame` the way a phone's camera software does.
    fn decode(frame: &Frame) -> String {
        const SCALE: usize = 4;
        const BORDER: usize = 40;
        let width = Frame::WIDTH as usize * SCALE + 2 * BORDER;
        let height = Frame::HEIGHT as usize * SCALE + 2 * BORDER;
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| {
            let pixel = |at: usize| u32::try_from(at.wrapping_sub(BORDER) / SCALE).unwrap_or(u32::MAX);
            if frame.is_lit(pixel(x), pixel(y)) { 230 } else { 20 }
        });
        let grids = image.detect_grids();
        assert_eq!(grids.len(), 1, "{frame:?}");
        grids[0].decode().unwrap().1
    }

    #[test]
    fn a_reader_gets_the_address_back() {
        for address in [
            "1.1.1.1:4001",
            "192.168.1.50:4001",
            "127.0.0.1:1",
            "255.255.255.255:65535",
        ] {
            let mut frame = Frame::new();
            PairingCode::new(address.parse().unwrap())
                .unwrap()
                .draw(&mut frame, Point::zero());
            assert_eq!(
                decode(&frame),
                format!(r#"{{"type":"sync_hub","url":"http://{address}"}}"#)
            );
        }
    }

    #[test]
    fn fills_the_height_of_the_picture() {
        assert_eq!(PairingCode::SIDE, Frame::HEIGHT);
    }
}
