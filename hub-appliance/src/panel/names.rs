//! Names from outside, those of phones and of people, as far as the panel's faces go.
//!
//! They come in any script. What has no glyph here is never drawn as a box: a mark is left off its letter, a sign is left
//! out, and so is a word with a letter that can't be drawn, for the rest of it would be another word. Nothing in a name can
//! turn the direction of what stands around it, end a line, or be longer than its place.

use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::canvas::{COLUMNS, Canvas};
use super::script::{Direction, Glyph, Writing, as_name, is_tall, visual};
use super::text::UNKNOWN;

/// How long a text may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Space {
    /// In pixels, from its first column to its last.
    pub(super) pixels: i32,
    /// In characters.
    pub(super) chars: usize,
}

impl Space {
    /// A line.
    pub(super) const LINE: Self = Self {
        pixels: 125,
        chars: COLUMNS,
    };
    /// An entry of a list.
    pub(super) const ENTRY: Self = Self { pixels: 115, chars: 20 };
    /// A title.
    pub(super) const TITLE: Self = Self {
        pixels: 112,
        chars: COLUMNS,
    };
}

/// `name` with all that can be drawn of it; none where that is no letter and no figure.
pub(super) fn drawable(name: &str) -> Option<String> {
    let words = name.split(|c: char| c.is_whitespace() || c.is_control());
    let words: Vec<String> = words
        .filter_map(drawable_word)
        .filter(|word| !word.is_empty())
        .collect();
    let name = words.join(" ");
    name.chars().any(char::is_alphanumeric).then_some(name)
}

/// `name` as [`drawable`] has it, in as many characters as `space` has beside what `with` puts around it. What is too long
/// loses its middle: names of one maker's phones differ at the end.
pub(super) fn shortened(canvas: &Canvas<'_>, name: &str, space: Space, with: impl Fn(&str) -> String) -> String {
    let all: Vec<char> = name.chars().collect();
    let of = |kept: usize| {
        let name = if kept == all.len() {
            name.to_owned()
        } else {
            without_middle(&all, kept)
        };
        with(&as_name(&name))
    };
    let fits = |text: &str| canvas.is_within(text, space);
    let whole = of(all.len());
    if fits(&whole) {
        return whole;
    }
    // So many characters fit, and so many do not.
    let (mut short, mut long) = (0, all.len().min(space.chars));
    while long - short > 1 {
        let kept = short.midpoint(long);
        if fits(&of(kept)) {
            short = kept;
        } else {
            long = kept;
        }
    }
    of(short)
}

/// A person's name on a line of its own, among texts that know nothing of the canvas.
pub(super) fn of_person(name: &str) -> String {
    let Some(name) = drawable(name) else {
        return UNKNOWN.to_owned();
    };
    // Letters of other scripts are wider than those of Latin.
    let most = if is_tall(&name) { 15 } else { Space::LINE.chars };
    let all: Vec<char> = name.chars().collect();
    as_name(&if all.len() > most {
        without_middle(&all, most - 2)
    } else {
        name
    })
}

fn without_middle(all: &[char], kept: usize) -> String {
    let (head, tail) = (kept - kept / 2, kept / 2);
    let head: String = all[..head].iter().collect();
    let tail: String = all[all.len() - tail..].iter().collect();
    format!("{}..{}", head.trim_end(), tail.trim_start())
}

/// None where it has a letter that can't be drawn.
fn drawable_word(word: &str) -> Option<String> {
    let mut kept = String::with_capacity(word.len());
    for c in word.nfc() {
        if is_drawn(c) {
            kept.push(c);
            continue;
        }
        for part in like(c).chars().flat_map(|c| std::iter::once(c).nfkd()) {
            if is_drawn(part) {
                kept.push(part);
            } else if part.is_alphanumeric() && !is_combining_mark(part) {
                return None;
            }
        }
    }
    Some(kept)
}

/// What is read like `c` and is likelier to have a glyph: what telephones put in for what is typed, and letters that are
/// others with a stroke.
fn like(c: char) -> String {
    let other = match c {
        '\u{2018}' | '\u{2019}' | '\u{2BC}' => "'",
        '\u{201C}' | '\u{201D}' => "\"",
        '\u{2010}'..='\u{2014}' => "-",
        'Œ' => "OE",
        'œ' => "oe",
        'Ł' => "L",
        'ł' => "l",
        'Đ' => "D",
        'đ' => "d",
        'ı' => "i",
        // Persian's digits are the same figures.
        '\u{6F0}'..='\u{6F9}' => {
            return char::from_digit(u32::from(c) - 0x6F0, 10).map_or_else(String::new, String::from);
        }
        _ => return c.to_string(),
    };
    other.to_owned()
}

/// Whether there is a glyph for `c`, in every form that it can take.
fn is_drawn(c: char) -> bool {
    match c {
        '!'..='~' | '\u{A1}'..='\u{AC}' | '\u{AE}'..='\u{FF}' => true,
        '\u{600}'..='\u{6FF}' => ARABIC[usize::try_from(u32::from(c) - 0x600).unwrap_or(0)],
        _ => false,
    }
}

/// Whether each character of the block of Arabic can be drawn.
static ARABIC: LazyLock<[bool; 256]> = LazyLock::new(|| {
    let writing = Writing {
        direction: Direction::RightToLeft,
        arabic_digits: false,
    };
    std::array::from_fn(|place| {
        let Some(c) = u32::try_from(place)
            .ok()
            .and_then(|place| char::from_u32(0x600 + place))
        else {
            return false;
        };
        let forms = [format!("{c}"), format!("ب{c}"), format!("{c}ب"), format!("ب{c}ب")];
        let shows = !visual(&forms[0], writing).is_empty();
        shows
            && forms
                .iter()
                .flat_map(|form| visual(form, writing))
                .all(|c| Glyph::of(c).is_some())
    })
});

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_drawn_as_far_as_the_faces_go() {
        for (name, drawn) in [
            ("Galaxy A15", "Galaxy A15"),
            ("  Samsung\tA9+ \n", "Samsung A9+"),
            ("Amélie Nguyễn", "Amélie Nguyen"),
            ("Ame\u{301}lie", "Amélie"),
            ("Zo\u{308}e\u{336}", "Zöe"),
            ("Amina’s iPhone", "Amina's iPhone"),
            ("Cœur – Łódź", "Coeur - Lódz"),
            ("Ａｍｉｎａ １２", "Amina 12"),
            ("Amina 📱👩🏽‍⚕️", "Amina"),
            ("هاتف أمينة", "هاتف أمينة"),
            ("مُحَمَّد", "محمد"),
            ("پرستار ۱۲", "پرستار 12"),
            ("Amina هاتف 2", "Amina هاتف 2"),
            ("Amina 诊所", "Amina"),
            ("\u{202e}Amina\u{2066}\u{200f} (2)", "Amina (2)"),
            ("A\u{0}B\u{1b}[2J", "A B [2J"),
        ] {
            assert_eq!(drawable(name).as_deref(), Some(drawn), "{name}");
        }
    }

    #[test]
    fn what_has_no_glyphs_is_no_name() {
        for name in [
            "",
            "  ",
            "诊所",
            "Телефон",
            "שרה",
            "አሚና",
            "📱",
            "\u{202e}",
            "...",
            "ŋaŋa",
        ] {
            assert_eq!(drawable(name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_name_is_all_of_it_has_glyphs(name: String) {
            let drawn = drawable(&name).unwrap_or_default();
            prop_assert!(drawn.chars().all(|c| c == ' ' || is_drawn(c)), "{drawn:?}");
            for direction in [Direction::LeftToRight, Direction::RightToLeft] {
                for c in visual(&as_name(&drawn), Writing { direction, arabic_digits: true }) {
                    prop_assert!(u32::from(c) <= 0xFF || Glyph::of(c).is_some(), "{name:?} {c:?}");
                }
            }
        }
    }
}
