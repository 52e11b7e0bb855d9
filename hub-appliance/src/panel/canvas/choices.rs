//! A few short words beside and below each other, of which one is chosen.

use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::{Canvas, Face, LEFT, RIGHT};
use crate::panel::frame::Resolution;
use crate::panel::script::Glyph;

/// Pixels of a word's field, and from one to the next.
const WIDTH: i32 = 60;
const ROWS: u32 = 15;

impl Canvas<'_> {
    /// Words in two columns. They stand where they stand in every language, also in one that is mirrored, and have room for
    /// every script.
    pub(in crate::panel) fn choices(&mut self, words: &[&str], chosen: usize) {
        let (first, pitch) = match self.layout().resolution() {
            Resolution::Wide => (14, 16),
            Resolution::Square => (20, 18),
        };
        let top = if self.is_tight() { 16 } else { first + self.head_extra() };
        let pitch = if self.is_tight() { 15 } else { pitch };
        for (index, word) in words.iter().enumerate() {
            let (column, row) = (index % 2, i32::try_from(index / 2).unwrap_or(0));
            let left = if column == 0 { LEFT } else { RIGHT + 1 - WIDTH };
            let field = Rectangle::new(
                Point::new(left, top + row * pitch),
                Size::new(WIDTH.unsigned_abs(), ROWS),
            );
            let ink = if index == chosen {
                self.fill_rounded(field, BinaryColor::On);
                BinaryColor::Off
            } else {
                BinaryColor::On
            };
            let from = left + (WIDTH - self.width(Face::Text, word)) / 2;
            let at = Point::new(from, field.top_left.y + Glyph::BASELINE - 8);
            self.put(Face::Text, word, at, ink, left + 1..=left + WIDTH - 2);
            let mark = if index == chosen { '>' } else { ' ' };
            self.say(format!("{mark}{word}"));
        }
        self.leave_lines(2);
    }
}
