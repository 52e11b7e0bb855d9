//! The picture: 128 × 64 pixels, each lit or dark.
//!
//! Pixels outside the picture are ignored, so nothing that is drawn can fail.

use std::convert::Infallible;

use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

/// A picture of 128 × 64 pixels in 1,024 bytes: row-major, one bit a pixel, most significant bit leftmost, 1 is lit.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame([u8; Self::BYTES]);

impl Frame {
    /// Pixels in a row.
    pub const WIDTH: u32 = 128;
    /// Rows.
    pub const HEIGHT: u32 = 64;
    /// Bytes of the whole picture.
    pub const BYTES: usize = (Self::WIDTH * Self::HEIGHT / 8) as usize;

    /// An all-dark picture.
    #[must_use]
    pub const fn new() -> Self {
        Self([0; Self::BYTES])
    }

    /// The picture's bytes, in the order the type describes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// Whether the pixel is lit; outside the picture none is.
    #[must_use]
    pub fn is_lit(&self, x: u32, y: u32) -> bool {
        Self::place(Point::new(x.cast_signed(), y.cast_signed())).is_some_and(|(index, mask)| self.0[index] & mask != 0)
    }

    /// Makes every pixel dark.
    pub fn blank(&mut self) {
        self.0.fill(0);
    }

    fn place(point: Point) -> Option<(usize, u8)> {
        let x = u32::try_from(point.x).ok().filter(|x| *x < Self::WIDTH)?;
        let y = u32::try_from(point.y).ok().filter(|y| *y < Self::HEIGHT)?;
        let pixel = y * Self::WIDTH + x;
        Some(((pixel / 8) as usize, 0x80 >> (pixel % 8)))
    }

    fn set(&mut self, point: Point, color: BinaryColor) {
        if let Some((index, mask)) = Self::place(point) {
            if color.is_on() {
                self.0[index] |= mask;
            } else {
                self.0[index] &= !mask;
            }
        }
    }
}

impl Default for Frame {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Frame {
    /// Draws the picture in half blocks, two rows of pixels a line, so that a failed comparison can be looked at.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for y in (0..Self::HEIGHT).step_by(2) {
            writeln!(f)?;
            for x in 0..Self::WIDTH {
                f.write_str(half_block(self.is_lit(x, y), self.is_lit(x, y + 1)))?;
            }
        }
        Ok(())
    }
}

/// The character that shows two pixels, one above the other.
#[must_use]
pub const fn half_block(upper: bool, lower: bool) -> &'static str {
    match (upper, lower) {
        (false, false) => " ",
        (true, false) => "▀",
        (false, true) => "▄",
        (true, true) => "█",
    }
}

impl OriginDimensions for Frame {
    fn size(&self) -> Size {
        Size::new(Self::WIDTH, Self::HEIGHT)
    }
}

impl DrawTarget for Frame {
    type Color = BinaryColor;
    type Error = Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Infallible>
    where
        I: IntoIterator<Item = Pixel<BinaryColor>>,
    {
        for Pixel(point, color) in pixels {
            self.set(point, color);
        }
        Ok(())
    }

    fn fill_solid(&mut self, area: &Rectangle, color: BinaryColor) -> Result<(), Infallible> {
        for point in area.intersection(&self.bounding_box()).points() {
            self.set(point, color);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftmost_pixel_is_the_most_significant_bit() {
        let mut frame = Frame::new();
        frame.set(Point::new(0, 0), BinaryColor::On);
        frame.set(Point::new(9, 1), BinaryColor::On);
        frame.set(Point::new(127, 63), BinaryColor::On);
        assert_eq!(frame.bytes()[0], 0x80);
        assert_eq!(frame.bytes()[17], 0x40);
        assert_eq!(frame.bytes()[1023], 0x01);
        assert_eq!(frame.bytes().iter().map(|byte| byte.count_ones()).sum::<u32>(), 3);
        assert!(frame.is_lit(9, 1));
    }

    #[test]
    fn pixels_outside_are_ignored() {
        let mut frame = Frame::new();
        for point in [(-1, 0), (128, 0), (0, -1), (0, 64), (i32::MAX, i32::MIN)] {
            frame.set(point.into(), BinaryColor::On);
        }
        assert_eq!(frame, Frame::new());
        assert!(!frame.is_lit(u32::MAX, 0));
    }
}
