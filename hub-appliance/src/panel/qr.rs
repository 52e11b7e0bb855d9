//! The pairing code as a QR symbol.
//!
//! On 64 rows of pixels it carries the address alone: the text is cut into three segments so that the address goes into
//! the denser alphanumeric mode; version 3 at level L (ISO/IEC 18004: 29 modules, 55 data codewords) then holds any IPv4
//! address and port. On 128 rows it carries the hub's id and key too, in version 7 at level L (45 modules, 156 data
//! codewords).

use std::net::SocketAddrV4;

use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use qrcodegen::{DataTooLong, QrCode, QrCodeEcc, QrSegment, Version};

use super::frame::{Frame, Resolution};
use super::view::Identity;

/// A pairing code, ready to draw.
pub(super) struct PairingCode {
    symbol: QrCode,
    /// Pixels a module.
    module: u32,
    /// Lit pixels around the symbol. Less than the standard's 4 modules, which readers do without on a dark surround.
    margin: u32,
}

impl PairingCode {
    /// The code that leads a phone to `address`, and where the display has room for it, tells which hub this is.
    ///
    /// # Errors
    /// [`DataTooLong`], which no IPv4 address causes.
    pub(super) fn new(
        address: SocketAddrV4,
        identity: Option<&Identity>,
        resolution: Resolution,
    ) -> Result<Self, DataTooLong> {
        match (resolution, identity) {
            (Resolution::Wide, _) => Ok(Self {
                symbol: encode(address, "", 3)?,
                module: 2,
                margin: 3,
            }),
            (Resolution::Square, None) => Ok(Self {
                symbol: encode(address, "", 3)?,
                module: 3,
                margin: 4,
            }),
            (Resolution::Square, Some(Identity { hub_id, key, .. })) => Ok(Self {
                symbol: encode(address, &format!(r#"","id":"{hub_id}","pk":"{key}"#), 7)?,
                module: 2,
                margin: 4,
            }),
        }
    }

    /// Pixels of a side, with the margin.
    pub(super) fn side(&self) -> u32 {
        self.symbol.size().unsigned_abs() * self.module + 2 * self.margin
    }

    /// Draws the symbol, dark on a lit square, with its top left corner at `corner`.
    pub(super) fn draw(&self, frame: &mut Frame, corner: Point) {
        let square = |at: Point, side: u32| Rectangle::new(at, Size::new_equal(side));
        let Ok(()) = frame.fill_solid(&square(corner, self.side()), BinaryColor::On);
        let first = corner + Point::new_equal(self.margin.cast_signed());
        for row in 0..self.symbol.size() {
            for column in 0..self.symbol.size() {
                if self.symbol.get_module(column, row) {
                    let at = first + Point::new(column, row) * self.module.cast_signed();
                    let Ok(()) = frame.fill_solid(&square(at, self.module), BinaryColor::Off);
                }
            }
        }
    }
}

/// `{"type":"sync_hub","url":"http://IP:PORT<more>"}`.
fn encode(address: SocketAddrV4, more: &str, version: u8) -> Result<QrCode, DataTooLong> {
    let end = format!(r#"{more}"}}"#);
    let segments = [
        QrSegment::make_bytes(br#"{"type":"sync_hub","url":"http"#),
        QrSegment::make_alphanumeric(&format!("://{address}")),
        QrSegment::make_bytes(end.as_bytes()),
    ];
    let version = Version::new(version);
    QrCode::encode_segments_advanced(&segments, QrCodeEcc::Low, version, version, None, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESSES: [&str; 4] = [
        "1.1.1.1:4001",
        "192.168.1.50:4001",
        "127.0.0.1:1",
        "255.255.255.255:65535",
    ];

    /// Reads the QR symbol in `frame` the way a phone's camera software does.
    fn decode(frame: &Frame) -> String {
        const SCALE: usize = 4;
        const BORDER: usize = 40;
        let width = Frame::WIDTH as usize * SCALE + 2 * BORDER;
        let height = frame.height() as usize * SCALE + 2 * BORDER;
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| {
            let pixel = |at: usize| u32::try_from(at.wrapping_sub(BORDER) / SCALE).unwrap_or(u32::MAX);
            if frame.is_lit(pixel(x), pixel(y)) { 230 } else { 20 }
        });
        let grids = image.detect_grids();
        assert_eq!(grids.len(), 1, "{frame:?}");
        grids[0].decode().unwrap().1
    }

    fn read(address: &str, identity: Option<&Identity>, resolution: Resolution) -> String {
        let mut frame = Frame::new(resolution);
        let code = PairingCode::new(address.parse().unwrap(), identity, resolution).unwrap();
        assert!(code.module >= 2 && code.side() <= 98);
        code.draw(&mut frame, Point::zero());
        decode(&frame)
    }

    #[test]
    fn a_reader_gets_the_address_back() {
        for (address, resolution) in ADDRESSES.into_iter().zip(Resolution::ALL.into_iter().cycle()) {
            assert_eq!(
                read(address, None, resolution),
                format!(r#"{{"type":"sync_hub","url":"http://{address}"}}"#)
            );
        }
    }

    #[test]
    fn on_128_rows_a_reader_learns_which_hub_it_is() {
        let identity = Identity {
            hub_id: "0190a5b2-7c3e-7abc-8def-0123456789ab".into(),
            key: "hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo".into(),
            fingerprint: [0; 8],
        };
        for address in ADDRESSES {
            let code: serde_json::Value =
                serde_json::from_str(&read(address, Some(&identity), Resolution::Square)).unwrap();
            let expected = serde_json::json!({
                "type": "sync_hub",
                "url": format!("http://{address}"),
                "id": identity.hub_id,
                "pk": identity.key,
            });
            assert_eq!(code, expected);
        }
    }

    #[test]
    fn fills_the_height_of_the_picture() {
        let code = PairingCode::new(ADDRESSES[3].parse().unwrap(), None, Resolution::Wide).unwrap();
        assert_eq!(code.side(), Resolution::Wide.rows());
    }
}
