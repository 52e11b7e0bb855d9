//! The picture: 128 × 64 or 128 × 128 pixels, each lit or dark.
//!
//! Pixels outside the picture are ignored, so nothing that is drawn can fail.

use std::convert::Infallible;

use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

/// How many pixels a display has. Every one has 128 in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resolution {
    /// 128 × 64 pixels: 1,024 bytes a picture.
    #[default]
    Wide,
    /// 128 × 128 pixels: 2,048 bytes a picture.
    Square,
}

impl Resolution {
    /// All of them, the smallest first.
    pub const ALL: [Self; 2] = [Self::Wide, Self::Square];

    /// Rows of pixels.
    #[must_use]
    pub const fn rows(self) -> u32 {
        match self {
            Self::Wide => 64,
            Self::Square => 128,
        }
    }

    /// Bytes of a whole picture.
    #[must_use]
    pub const fn bytes(self) -> usize {
        (Frame::WIDTH * self.rows() / 8) as usize
    }
}

/// A picture: row-major, one bit a pixel, most significant bit leftmost, 1 is lit.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    resolution: Resolution,
    /// Room for the largest; what a smaller one does not use stays 0.
    bits: [u8; Resolution::Square.bytes()],
}

impl Frame {
    /// Pixels in a row.
    pub const WIDTH: u32 = 128;

    /// An all-dark picture.
    #[must_use]
    pub const fn new(resolution: Resolution) -> Self {
        Self {
            resolution,
            bits: [0; Resolution::Square.bytes()],
        }
    }

    /// The display that the picture is for.
    #[must_use]
    pub const fn resolution(&self) -> Resolution {
        self.resolution
    }

    /// Rows.
    #[must_use]
    pub const fn height(&self) -> u32 {
        self.resolution.rows()
    }

    /// The picture's bytes, in the order the type describes: 1,024 or 2,048.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bits[..self.resolution.bytes()]
    }

    /// Whether the pixel is lit; outside the picture none is.
    #[must_use]
    pub fn is_lit(&self, x: u32, y: u32) -> bool {
        self.place(Point::new(x.cast_signed(), y.cast_signed()))
            .is_some_and(|(index, mask)| self.bits[index] & mask != 0)
    }

    /// Makes every pixel dark.
    pub fn blank(&mut self) {
        self.bits.fill(0);
    }

    fn place(&self, point: Point) -> Option<(usize, u8)> {
        let x = u32::try_from(point.x).ok().filter(|x| *x < Self::WIDTH)?;
        let y = u32::try_from(point.y).ok().filter(|y| *y < self.height())?;
        let pixel = y * Self::WIDTH + x;
        Some(((pixel / 8) as usize, 0x80 >> (pixel % 8)))
    }

    fn set(&mut self, point: Point, color: BinaryColor) {
        if let Some((index, mask)) = self.place(point) {
            if color.is_on() {
                self.bits[index] |= mask;
            } else {
                self.bits[index] &= !mask;
            }
        }
    }
}

impl Default for Frame {
    /// An all-dark picture of 128 × 64 pixels.
    fn default() -> Self {
        Self::new(Resolution::default())
    }
}

impl std::fmt::Debug for Frame {
    /// Draws the picture in half blocks, two rows of pixels a line, so that a failed comparison can be looked at.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for y in (0..self.height()).step_by(2) {
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
        Size::new(Self::WIDTH, self.height())
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
        for (resolution, bytes) in [(Resolution::Wide, 1024), (Resolution::Square, 2048)] {
            let mut frame = Frame::new(resolution);
            frame.set(Point::new(0, 0), BinaryColor::On);
            frame.set(Point::new(9, 1), BinaryColor::On);
            frame.set(Point::new(127, frame.height().cast_signed() - 1), BinaryColor::On);
            assert_eq!(frame.bytes().len(), bytes);
            assert_eq!(frame.bytes()[0], 0x80);
            assert_eq!(frame.bytes()[17], 0x40);
            assert_eq!(frame.bytes()[bytes - 1], 0x01);
            assert_eq!(frame.bytes().iter().map(|byte| byte.count_ones()).sum::<u32>(), 3);
            assert!(frame.is_lit(9, 1));
        }
    }

    #[test]
    fn pixels_outside_are_ignored() {
        for resolution in Resolution::ALL {
            let mut frame = Frame::new(resolution);
            let below = frame.height().cast_signed();
            for point in [(-1, 0), (128, 0), (0, -1), (0, below), (i32::MAX, i32::MIN)] {
                frame.set(point.into(), BinaryColor::On);
            }
            assert_eq!(frame, Frame::new(resolution));
            assert!(!frame.is_lit(u32::MAX, 0));
        }
    }
}
