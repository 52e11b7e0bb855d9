//! The panel's picture, and the QR code in it as a phone's camera would read it.
//!
//! Promise: the code is found by a real decoder in the pixels; nothing of the hub's text is used.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rqrr::PreparedImage;

/// Pixels in a row.
pub const WIDTH: usize = 128;
/// Rows of the displays that there are.
const HEIGHTS: [usize; 2] = [64, 128];

/// The picture is enlarged so many times before it is searched, as a camera sees more pixels than the panel has.
const SCALE: usize = 4;
/// Light around the enlarged picture, in its pixels.
const BORDER: usize = 32;

/// A picture of 128 × 64 or 128 × 128 pixels, each lit or dark.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame(Box<[u8]>);

/// A part of the picture by its columns and rows.
type Part = (std::ops::Range<usize>, std::ops::Range<usize>);

impl Frame {
    /// Reads the base64 (RFC 4648, section 4) of 1,024 or 2,048 bytes: row-major, one bit a pixel, most significant
    /// leftmost.
    #[must_use]
    pub fn from_base64(text: &str) -> Option<Self> {
        Self::from_bytes(STANDARD.decode(text).ok()?)
    }

    /// The same from the bytes.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let frame = Self(bytes.into());
        let is_whole = frame.0.len().is_multiple_of(WIDTH) && HEIGHTS.contains(&frame.height());
        is_whole.then_some(frame)
    }

    /// Rows.
    #[must_use]
    pub fn height(&self) -> usize {
        self.0.len() * 8 / WIDTH
    }

    /// Whether a pixel is lit.
    #[must_use]
    pub fn is_lit(&self, x: usize, y: usize) -> bool {
        self.0[(y * WIDTH + x) / 8] & (0x80 >> (x % 8)) != 0
    }

    /// Whether nothing is lit: the panel sleeps.
    #[must_use]
    pub fn is_dark(&self) -> bool {
        self.0.iter().all(|byte| *byte == 0)
    }

    /// The text of the QR code in the picture, wherever it stands.
    #[must_use]
    pub fn qr_text(&self) -> Option<String> {
        // What stands beside the code can look like a part of it, so squares at either end are tried alone too.
        let height = self.height();
        let whole: Part = (0..WIDTH, 0..height);
        let parts = [whole, (0..height, 0..height), (WIDTH - height..WIDTH, 0..height)];
        parts.into_iter().find_map(|part| self.qr_text_in(&part))
    }

    fn qr_text_in(&self, (columns, rows): &Part) -> Option<String> {
        let (width, height) = (columns.len() * SCALE + 2 * BORDER, rows.len() * SCALE + 2 * BORDER);
        let lit = |at: usize, range: &std::ops::Range<usize>| {
            at.checked_sub(BORDER)
                .map(|at| range.start + at / SCALE)
                .filter(|at| range.contains(at))
        };
        let mut image =
            PreparedImage::prepare_from_bitmap(width, height, |x, y| match (lit(x, columns), lit(y, rows)) {
                (Some(x), Some(y)) => !self.is_lit(x, y),
                _ => false,
            });
        image
            .detect_grids()
            .iter()
            .find_map(|grid| grid.decode().ok())
            .map(|(_, text)| text)
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lit = self.0.iter().map(|byte| byte.count_ones()).sum::<u32>();
        write!(f, "Frame({lit} pixels lit)")
    }
}

#[cfg(test)]
mod tests {
    use qrcodegen::{QrCode, QrCodeEcc, QrSegment, Version};

    use super::*;

    const HEIGHT: usize = 64;
    const BYTES: usize = WIDTH * HEIGHT / 8;
    const TEXT: &str = r#"{"type":"sync_hub","url":"http://192.168.100.200:4001"}"#;

    /// A picture with a code of 2 pixels a module on a lit field, and bars of text-like pixels beside it.
    fn picture_with_code(left: usize) -> Frame {
        let segments = [
            QrSegment::make_bytes(br#"{"type":"sync_hub","url":"http"#),
            QrSegment::make_alphanumeric("://192.168.100.200:4001"),
            QrSegment::make_bytes(br#""}"#),
        ];
        let version = Version::new(3);
        let code = QrCode::encode_segments_advanced(&segments, QrCodeEcc::Low, version, version, None, false).unwrap();
        let mut bytes = [0u8; BYTES];
        for (y, x) in (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (y, x))) {
            let lit = if (left..left + HEIGHT).contains(&x) {
                let module = |at: usize| at.checked_sub(3).map_or(-1, |at| i32::try_from(at / 2).unwrap());
                !code.get_module(module(x - left), module(y))
            } else {
                y % 9 < 6 && (x * 7 + y * 3) % 5 < 2
            };
            if lit {
                bytes[(y * WIDTH + x) / 8] |= 0x80 >> (x % 8);
            }
        }
        Frame::from_base64(&STANDARD.encode(bytes)).unwrap()
    }

    #[test]
    fn reads_the_code_at_either_end() {
        assert_eq!(picture_with_code(0).qr_text().as_deref(), Some(TEXT));
        assert_eq!(picture_with_code(WIDTH - HEIGHT).qr_text().as_deref(), Some(TEXT));
    }

    #[test]
    fn no_code_no_text() {
        let dark = Frame::from_base64(&STANDARD.encode([0u8; BYTES])).unwrap();
        assert!(dark.is_dark());
        assert_eq!(dark.qr_text(), None);
        assert!(!picture_with_code(0).is_dark());
    }

    #[test]
    fn only_whole_pictures() {
        for (bytes, is_whole) in [
            (BYTES, true),
            (2 * BYTES, true),
            (BYTES - 1, false),
            (3 * BYTES, false),
            (0, false),
        ] {
            assert_eq!(Frame::from_bytes(vec![0; bytes]).is_some(), is_whole, "{bytes}");
        }
        assert!(Frame::from_base64("no base64").is_none());
    }
}
