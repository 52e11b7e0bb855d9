//! An eye for the panel's picture: reads the text that is drawn in it, and which key of the PIN pad is lit.

use std::convert::Infallible;

use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::prelude::*;
use embedded_graphics::text::{Baseline, Text};
use hub_tests::panel_client::Frame;
use profont::PROFONT_9_POINT;

const WIDTH: usize = 6;
/// Rows of a character that are looked at: the next line begins under them.
const HEIGHT: usize = 10;
/// Characters of a line.
const LINE: usize = 21;
/// The tops of the lines under the title.
const TOPS: [usize; 5] = [12, 22, 32, 42, 51];
/// The first columns of the recovery code's groups, behind the lit numbers of their places.
const GROUPS: [usize; 2] = [16, 81];
/// The PIN pad's keys: how many, their first row, the columns of a small and of a large one, and the cap that marks one.
const KEYS: usize = 12;
const KEYS_TOP: usize = 44;
const SMALL: usize = 9;
const LARGE: usize = 15;
const CAP: (usize, usize) = (LARGE, 18);
/// Well inside the two buttons at the bottom: the columns where each begins, the row, and the size.
const BUTTONS: [usize; 2] = [6, 70];
const BUTTONS_TOP: usize = 50;
const BUTTON: (usize, usize) = (50, 9);

/// The pixels of a character, a row a byte, leftmost first from the least bit.
type Glyph = [u8; HEIGHT];

/// Reads text in the panel's face.
pub(crate) struct Reader(Vec<(char, Glyph)>);

/// What stands in a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reading {
    /// The title in the header.
    pub(crate) title: String,
    /// The lines under it, each as far as it is text.
    pub(crate) lines: Vec<String>,
    /// What stands where the groups of a recovery code do, in their order.
    pub(crate) groups: Vec<String>,
}

impl Reader {
    pub(crate) fn new() -> Self {
        // Letters and digits first: in doubt it is one of them.
        let mut all: Vec<char> = (' '..='~').collect();
        all.sort_by_key(|c| (*c != ' ', !c.is_ascii_alphanumeric()));
        Self(all.into_iter().map(|c| (c, glyph(c))).collect())
    }

    /// The text in a picture with a header. Its content may stand a pixel to the right or down.
    pub(crate) fn read(&self, frame: &Frame) -> Option<Reading> {
        let shifts = [(0, 0), (1, 0), (1, 1), (0, 1)];
        shifts.into_iter().find_map(|(right, down)| {
            let title = self.line(frame, 3 + right, down, true);
            let lines = TOPS.map(|top| self.line(frame, 1 + right, top + down, false));
            let rows = TOPS[..4].iter();
            let groups = rows.flat_map(|top| GROUPS.map(|left| self.line(frame, left + right, top + down, false)));
            (title.len() > 2).then(|| Reading {
                title,
                lines: lines.into(),
                groups: groups.collect(),
            })
        })
    }

    /// The text that begins at a place, up to what is none.
    fn line(&self, frame: &Frame, left: usize, top: usize, inverted: bool) -> String {
        let characters = (0..LINE).map_while(|at| {
            let x = left + at * WIDTH;
            let seen: Glyph = std::array::from_fn(|row| {
                let lit = (0..WIDTH).filter(|dx| x + dx < 128 && frame.is_lit(x + dx, top + row) != inverted);
                lit.fold(0, |bits, dx| bits | 1 << dx)
            });
            self.0
                .iter()
                .find(|(_, glyph)| glyph[1..] == seen[1..])
                .map(|(c, _)| *c)
        });
        characters.collect::<String>().trim_end().to_owned()
    }
}

/// The place, from 0, of the key that is lit: none while only a part of it is drawn.
pub(crate) fn lit_key(frame: &Frame) -> Option<usize> {
    let lit = |key: usize, right: usize, down: usize| {
        let (left, top) = (cap_left(key) + right, KEYS_TOP + down);
        let places = (0..CAP.1).flat_map(|dy| (0..CAP.0).map(move |dx| (left + dx, top + dy)));
        places.filter(|(x, y)| frame.is_lit(*x, *y)).count()
    };
    let all =
        (0..KEYS).flat_map(|key| [(0, 0), (1, 0), (1, 1), (0, 1)].map(|(right, down)| (lit(key, right, down), key)));
    all.max()
        .filter(|(lit, _)| *lit > CAP.0 * CAP.1 * 3 / 5)
        .map(|(_, key)| key)
}

/// The first column of the cap on a key: it and its neighbours are large, and the strip is in the middle.
fn cap_left(key: usize) -> usize {
    let large = 2 + usize::from(key > 0 && key + 1 < KEYS);
    let strip = large * LARGE + (KEYS - large) * SMALL;
    let before = key.saturating_sub(1) * SMALL + usize::from(key > 0) * LARGE;
    64 - strip / 2 + before
}

/// Which of the two buttons at the bottom is lit, from the left: none while they are not there yet.
pub(crate) fn lit_button(frame: &Frame) -> Option<usize> {
    BUTTONS.iter().position(|left| {
        let places = (0..BUTTON.1).flat_map(|dy| (0..BUTTON.0).map(move |dx| (left + dx, BUTTONS_TOP + dy)));
        places.filter(|(x, y)| frame.is_lit(*x, *y)).count() > BUTTON.0 * BUTTON.1 * 2 / 3
    })
}

/// Draws a character, and sees what is lit.
fn glyph(c: char) -> Glyph {
    struct Cell(Glyph);

    impl OriginDimensions for Cell {
        fn size(&self) -> Size {
            Size::new(WIDTH as u32, HEIGHT as u32)
        }
    }

    impl DrawTarget for Cell {
        type Color = BinaryColor;
        type Error = Infallible;

        fn draw_iter<I: IntoIterator<Item = Pixel<BinaryColor>>>(&mut self, pixels: I) -> Result<(), Infallible> {
            for Pixel(at, color) in pixels {
                let place = (usize::try_from(at.x), usize::try_from(at.y));
                if let (Ok(x @ 0..WIDTH), Ok(y @ 0..HEIGHT), true) = (place.0, place.1, color.is_on()) {
                    self.0[y] |= 1 << x;
                }
            }
            Ok(())
        }
    }

    let mut cell = Cell([0; HEIGHT]);
    let style = MonoTextStyle::new(&PROFONT_9_POINT, BinaryColor::On);
    let mut text = [0; 4];
    let Ok(_) = Text::with_baseline(c.encode_utf8(&mut text), Point::zero(), style, Baseline::Top).draw(&mut cell);
    cell.0
}

#[cfg(test)]
mod tests {
    use profont::PROFONT_18_POINT;

    use embedded_graphics::primitives::{PrimitiveStyle, Rectangle, RoundedRectangle};

    use super::*;

    /// A picture that can be drawn in.
    struct Canvas([u8; 1024]);

    impl OriginDimensions for Canvas {
        fn size(&self) -> Size {
            Size::new(128, 64)
        }
    }

    impl DrawTarget for Canvas {
        type Color = BinaryColor;
        type Error = Infallible;

        fn draw_iter<I: IntoIterator<Item = Pixel<BinaryColor>>>(&mut self, pixels: I) -> Result<(), Infallible> {
            for Pixel(at, color) in pixels {
                let (byte, bit) = ((at.y * 128 + at.x) as usize / 8, 0x80 >> (at.x % 8));
                self.0[byte] = self.0[byte] & !bit | if color.is_on() { bit } else { 0 };
            }
            Ok(())
        }
    }

    impl Canvas {
        fn frame(&self) -> Frame {
            Frame::from_bytes(self.0.to_vec()).unwrap()
        }

        fn write(&mut self, text: &str, at: (i32, i32), ink: BinaryColor) {
            let style = MonoTextStyle::new(&PROFONT_9_POINT, ink);
            let Ok(_) = Text::with_baseline(text, at.into(), style, Baseline::Top).draw(self);
        }

        fn fill(&mut self, at: (i32, i32), size: (u32, u32)) {
            let area = RoundedRectangle::with_equal_corners(Rectangle::new(at.into(), size.into()), Size::new_equal(2));
            let Ok(()) = area.into_styled(PrimitiveStyle::with_fill(BinaryColor::On)).draw(self);
        }
    }

    #[test]
    fn reads_what_is_written_wherever_it_has_moved() {
        let text = "1 048213  2 965705 gj";
        for (right, down) in [(0, 0), (1, 0), (1, 1), (0_i32, 1_i32)] {
            let mut canvas = Canvas([0; 1024]);
            let bar = Rectangle::new((0, 0).into(), (128, 12 + down.unsigned_abs()).into());
            let Ok(()) = canvas.fill_solid(&bar, BinaryColor::On);
            canvas.write("Recovery code", (3 + right, down), BinaryColor::Off);
            for top in [12, 22, 32] {
                canvas.write(&text[..20], (1 + right, top + down), BinaryColor::On);
            }
            let reading = Reader::new().read(&canvas.frame()).unwrap();
            assert_eq!(reading.title, "Recovery code");
            assert_eq!(reading.lines, [&text[..20], &text[..20], &text[..20], "", ""]);
            canvas.fill((1 + right, 43 + down), (10, 9));
            canvas.write("048213", (16 + right, 42 + down), BinaryColor::On);
            canvas.fill((66 + right, 43 + down), (10, 9));
            canvas.write("965705", (81 + right, 42 + down), BinaryColor::On);
            assert_eq!(
                Reader::new().read(&canvas.frame()).unwrap().groups[6..],
                ["048213", "965705"]
            );
        }
        assert_eq!(Reader::new().read(&Canvas([0; 1024]).frame()), None);
    }

    #[test]
    fn sees_each_key_that_is_lit_and_none_that_is_half_drawn() {
        for key in 0..10_u8 {
            let mut canvas = Canvas([0; 1024]);
            let left = i32::try_from(cap_left(key.into())).unwrap();
            canvas.fill((left, 44), (15, 18));
            let style = MonoTextStyle::new(&PROFONT_18_POINT, BinaryColor::Off);
            let digit = key.to_string();
            let Ok(_) = Text::with_baseline(&digit, (left + 2, 42).into(), style, Baseline::Top).draw(&mut canvas);
            assert_eq!(lit_key(&canvas.frame()), Some(key.into()));
            canvas.0[53 * 16..].fill(0);
            assert_eq!(lit_key(&canvas.frame()), None);
        }
    }

    #[test]
    fn sees_which_button_is_lit() {
        for (place, left) in [(0, 2), (1, 68)] {
            let mut canvas = Canvas([0; 1024]);
            assert_eq!(lit_button(&canvas.frame()), None);
            canvas.fill((left, 48), (58, 13));
            canvas.write("Cancel", (left + 11, 49), BinaryColor::Off);
            assert_eq!(lit_button(&canvas.frame()), Some(place));
        }
    }
}
