//! Scripts: what a text needs before it is drawn pixel by pixel. Arabic letters take the form that goes with their
//! neighbours, and a line of several scripts is put in the order in which it is seen.
//!
//! Latin text is drawn by a [`super::canvas::Face`]; here is what that does not have. The glyphs are GNU Unifont's, see
//! `unifont-arabic.md`; `scripts/panel-font` picks them.

use std::borrow::Cow;
use std::sync::LazyLock;

use ar_reshaper::prelude::{ArabicReshaper, LigatureNames, ReshaperConfig};
use unicode_bidi::{BidiInfo, Level};

/// With which digits figures are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Numerals {
    /// Those that the panel's language is written with.
    #[default]
    Own,
    /// 0 to 9, in every language.
    European,
}

/// Where a text begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    LeftToRight,
    RightToLeft,
}

/// How texts are written: in which direction, and whether figures are in Arabic digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Writing {
    pub(super) direction: Direction,
    pub(super) arabic_digits: bool,
}

impl Writing {
    /// Whether its lines are taller than those of Latin, so that there are fewer.
    pub(super) fn is_tall(self) -> bool {
        self.direction == Direction::RightToLeft
    }
}

/// Around what stays together, is read from left to right and keeps its digits.
const LEFT_TO_RIGHT: char = '\u{2066}';
/// Around a name, which is read as its first letter is.
const BY_ITSELF: char = '\u{2068}';
const END: char = '\u{2069}';

/// An address, a version or a code inside a text: from left to right and in European digits in every language, since that
/// is how it is typed elsewhere.
pub(super) fn as_code(text: &str) -> String {
    format!("{LEFT_TO_RIGHT}{text}{END}")
}

/// A name inside a text: it is read in its own direction and keeps its digits.
pub(super) fn as_name(text: &str) -> String {
    format!("{BY_ITSELF}{text}{END}")
}

/// `text` without the marks of [`as_code`] and [`as_name`], for those who read it as text.
pub(super) fn unmarked(text: &str) -> Cow<'_, str> {
    if text.contains(is_mark) {
        text.chars().filter(|c| !is_mark(*c)).collect::<String>().into()
    } else {
        text.into()
    }
}

const fn is_mark(c: char) -> bool {
    matches!(c, LEFT_TO_RIGHT | BY_ITSELF | END)
}

/// Whether a text can be drawn as it stands, one character after the other, but for the marks in it.
pub(super) fn is_plain(text: &str, writing: Writing) -> bool {
    let plain = |c: char| is_mark(c) || (u32::from(c) <= 0xFF && !(writing.arabic_digits && c.is_ascii_digit()));
    writing.direction == Direction::LeftToRight && text.chars().all(plain)
}

/// Whether a text has letters that take more rows than a line of Latin has.
pub(super) fn is_tall(text: &str) -> bool {
    text.chars().any(|c| u32::from(c) > 0xFF && !is_mark(c))
}

/// The characters of `text` from left to right, as they are drawn.
pub(super) fn visual(text: &str, writing: Writing) -> Vec<char> {
    let shaped = shape(&in_digits(text, writing));
    let base = match writing.direction {
        Direction::LeftToRight => Level::ltr(),
        Direction::RightToLeft => Level::rtl(),
    };
    let info = BidiInfo::new(&shaped, Some(base));
    let mut seen = Vec::with_capacity(shaped.len());
    for paragraph in &info.paragraphs {
        let (levels, runs) = info.visual_runs(paragraph, paragraph.range.clone());
        for run in runs {
            let chars = shaped[run.clone()].chars().filter(|c| !is_mark(*c));
            match levels.get(run.start) {
                Some(level) if level.is_rtl() => seen.extend(chars.rev().map(mirrored)),
                _ => seen.extend(chars),
            }
        }
    }
    seen
}

/// Figures in Arabic digits, but for those of codes and names.
fn in_digits(text: &str, writing: Writing) -> Cow<'_, str> {
    if !writing.arabic_digits {
        return text.into();
    }
    let mut depth = 0_u32;
    let digits = text.chars().map(|c| {
        match c {
            LEFT_TO_RIGHT | BY_ITSELF => depth += 1,
            END => depth = depth.saturating_sub(1),
            _ => {}
        }
        match c.to_digit(10) {
            Some(digit) if depth == 0 => char::from_u32(0x660 + digit).unwrap_or(c),
            _ => c,
        }
    });
    digits.collect::<String>().into()
}

/// Each letter in the form that goes with its neighbours.
fn shape(text: &str) -> String {
    static SHAPER: LazyLock<ArabicReshaper> = LazyLock::new(|| {
        let mut config = ReshaperConfig::default();
        // The face has lam and alef as one, but no word.
        config.update_ligature(LigatureNames::ARABIC_LIGATURE_ALLAH, false);
        ArabicReshaper::new(config)
    });
    SHAPER.reshape(text)
}

/// What stands for a bracket where it is read from right to left.
const fn mirrored(c: char) -> char {
    match c {
        '(' => ')',
        ')' => '(',
        '[' => ']',
        ']' => '[',
        '<' => '>',
        '>' => '<',
        '«' => '»',
        '»' => '«',
        other => other,
    }
}

/// A character that no Latin face has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Glyph {
    /// Top to bottom, the leftmost pixel in the most significant bit.
    rows: [u8; Glyph::ROWS as usize],
    /// Pixels to the next glyph on the right.
    pub(super) advance: i32,
}

/// The glyphs: a line each, sorted, of a code point in hexadecimal, a colon and 16 rows of 8 pixels.
const GLYPHS: &[u8] = include_bytes!("unifont-arabic.hex");
/// Bytes of a line of [`GLYPHS`].
const LINE: usize = 4 + 1 + 2 * Glyph::ROWS as usize + 1;

impl Glyph {
    /// Rows of a line of Arabic.
    pub(super) const ROWS: i32 = 16;
    /// The row that letters stand on.
    pub(super) const BASELINE: i32 = 10;
    /// Pixels between two words: less than a cell, which leaves words too far apart in a face of joined letters.
    const SPACE: i32 = 4;

    /// The glyph of `c`; none where there is none.
    pub(super) fn of(c: char) -> Option<Self> {
        if c == ' ' {
            return Some(Self {
                rows: [0; Self::ROWS as usize],
                advance: Self::SPACE,
            });
        }
        let (lines, _) = GLYPHS.as_chunks::<LINE>();
        let place = lines.binary_search_by_key(&u32::from(c), |line| hex(&line[..4])).ok()?;
        let mut rows = [0; Self::ROWS as usize];
        for (row, pair) in rows.iter_mut().zip(lines[place][5..].chunks(2)) {
            *row = u8::try_from(hex(pair)).unwrap_or(0);
        }
        // A letter takes the room of its strokes, and a gap on the left unless it is joined there; a figure takes some more.
        if c.is_numeric() {
            // Some of them reach a row below the line that letters stand on.
            rows.rotate_left(1);
        }
        let ink = rows.iter().fold(0, |all, row| all | row);
        let (before, width) = (
            ink.leading_zeros(),
            8 - ink.leading_zeros() - ink.trailing_zeros().min(8),
        );
        let gap = if c.is_numeric() {
            5_u32.saturating_sub(width).div_ceil(2) + 1
        } else {
            u32::from(before > 0)
        };
        rows.iter_mut().for_each(|row| *row = *row << before >> gap);
        Some(Self {
            rows,
            advance: if c.is_numeric() {
                (width + gap).max(6).cast_signed()
            } else {
                (width + gap).cast_signed()
            },
        })
    }

    /// The lit pixels, from the glyph's top left corner.
    pub(super) fn pixels(self) -> impl Iterator<Item = (i32, i32)> {
        let rows = (0..).zip(self.rows);
        rows.flat_map(|(y, row)| (0..8).filter(move |x| row & (0x80 >> x) != 0).map(move |x| (x, y)))
    }
}

fn hex(digits: &[u8]) -> u32 {
    let value = |digit: &u8| char::from(*digit).to_digit(16).unwrap_or(0);
    digits.iter().fold(0, |number, digit| number << 4 | value(digit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::panel::strings::Language;

    fn seen(text: &str) -> String {
        visual(text, Language::Arabic.writing(Numerals::Own))
            .into_iter()
            .collect()
    }

    fn seen_in_european_digits(text: &str) -> String {
        visual(text, Language::Arabic.writing(Numerals::European))
            .into_iter()
            .collect()
    }

    #[test]
    fn letters_take_the_form_that_goes_with_their_neighbours() {
        // From the left: noon alone, jeem in the middle, seen at the beginning.
        assert_eq!(seen("سجن"), "\u{FEE6}\u{FEA0}\u{FEB3}");
        // Reh joins nothing on its left.
        assert_eq!(seen("رب"), "\u{FE8F}\u{FEAD}");
        assert_eq!(seen("لا"), "\u{FEFB}", "lam and alef are one");
        assert_eq!(seen("سلام"), "\u{FEE1}\u{FEFC}\u{FEB3}");
        assert_eq!(seen("الله"), "\u{FEEA}\u{FEE0}\u{FEDF}\u{FE8D}", "the face has no word");
        assert_eq!(seen("ثبّت"), seen("ثبت"), "marks are not drawn");
    }

    #[test]
    fn figures_are_read_from_left_to_right_within_a_line_of_arabic() {
        assert_eq!(seen("من 12"), "١٢ \u{FEE6}\u{FEE3}");
        assert_eq!(seen_in_european_digits("من 12"), "12 \u{FEE6}\u{FEE3}");
        assert_eq!(seen("12:05"), "١٢:٠٥");
        assert_eq!(seen("3/4"), "٣/٤");
        assert_eq!(seen("34%"), "%٣٤");
    }

    #[test]
    fn what_is_typed_elsewhere_keeps_its_order_and_its_digits() {
        for code in ["192.168.1.50", "10.20.30-rc.1", "1A2B 3C4D 5E6F 7081", "hub-setup.toml"] {
            assert_eq!(
                seen(&format!("من {}", as_code(code))),
                format!("{code} \u{FEE6}\u{FEE3}")
            );
        }
        assert_eq!(seen(&format!("3 {}", as_name("Galaxy A15"))), "Galaxy A15 ٣");
        assert_eq!(seen(&as_name("هاتف (2)")), seen_in_european_digits("هاتف (2)"));
    }

    #[test]
    fn the_font_is_sorted_and_whole() {
        let (lines, rest) = GLYPHS.as_chunks::<LINE>();
        assert!(rest.is_empty() && lines.is_sorted() && !lines.is_empty());
        for line in lines {
            let text = std::str::from_utf8(line).unwrap();
            let (code, rows) = text.trim_end().split_once(':').unwrap();
            let c = char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap();
            assert_eq!(rows.len(), 32);
            assert!(
                Glyph::of(c).is_some_and(|glyph| (1..=8).contains(&glyph.advance)),
                "{text}"
            );
        }
    }

    #[test]
    fn every_letter_has_a_glyph_in_every_form() {
        let letters = ('\u{621}'..='\u{63A}')
            .chain('\u{641}'..='\u{64A}')
            .chain("پچژگک".chars());
        for letter in letters {
            for text in [
                format!("{letter}"),
                format!("ب{letter}"),
                format!("{letter}ب"),
                format!("ب{letter}ب"),
            ] {
                let missing: Vec<char> = seen(&text).chars().filter(|c| Glyph::of(*c).is_none()).collect();
                assert!(missing.is_empty(), "{text} {missing:?}: run scripts/panel-font");
            }
        }
    }

    #[test]
    fn every_sign_of_the_texts_has_a_glyph() {
        let table = include_str!("strings/arabic.rs");
        let drawn = seen(table);
        let missing = drawn
            .chars()
            .filter(|c| u32::from(*c) > 0xFF && Glyph::of(*c).is_none());
        assert_eq!(missing.collect::<String>(), "", "run scripts/panel-font");
    }
}
