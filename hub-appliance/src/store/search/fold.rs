//! Folding: what two texts have to have in common for a person to call them the same.
//!
//! Letters without case and accents; Arabic without vowel signs, tatweel, and the ways of writing hamza, taa marbuta and
//! alef maqsura; digits of all scripts alike. Pure. Whoever changes it raises [`super::VERSION`].

use unicode_normalization::UnicodeNormalization as _;

/// The folded text.
#[must_use]
pub(in crate::store) fn fold(text: &str) -> String {
    // Most text is plain, and is looked at by the thousand.
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut folded = String::with_capacity(text.len());
    for letter in text
        .nfkd()
        .flat_map(char::to_lowercase)
        .nfkd()
        .filter(|letter| !is_mark(*letter))
    {
        match plain(letter) {
            Plain::Letter(letter) => folded.push(letter),
            Plain::Letters(letters) => folded.push_str(letters),
        }
    }
    folded
}

/// Signs above, below and between letters that people leave out or put in.
const fn is_mark(letter: char) -> bool {
    matches!(letter,
        '\u{300}'..='\u{36f}'
        // Hebrew points.
        | '\u{591}'..='\u{5bd}' | '\u{5bf}' | '\u{5c1}' | '\u{5c2}' | '\u{5c4}' | '\u{5c5}' | '\u{5c7}'
        // Arabic vowel signs, hamza above and below, hamza alone, tatweel.
        | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{6d6}'..='\u{6dc}' | '\u{6df}'..='\u{6e4}'
        | '\u{6e7}' | '\u{6e8}' | '\u{6ea}'..='\u{6ed}' | '\u{621}' | '\u{640}'
        // Joiners and marks of direction.
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

enum Plain {
    Letter(char),
    Letters(&'static str),
}

/// Letters that are no other letter with a mark, and are written for one another all the same.
fn plain(letter: char) -> Plain {
    Plain::Letter(match letter {
        'ß' => return Plain::Letters("ss"),
        'æ' => return Plain::Letters("ae"),
        'œ' => return Plain::Letters("oe"),
        'þ' => return Plain::Letters("th"),
        'ø' => 'o',
        'ł' => 'l',
        'đ' | 'ð' => 'd',
        'ħ' => 'h',
        'ı' => 'i',
        'ς' => 'σ',
        '’' | 'ʼ' | '‘' | '`' => '\'',
        // Alef wasla; taa marbuta; alef maqsura and the yeh and kaf of Persian.
        'ٱ' => 'ا',
        'ة' | 'ە' => 'ه',
        'ى' | 'ی' => 'ي',
        'ک' => 'ك',
        'ھ' | 'ہ' => 'ه',
        letter => return Plain::Letter(digit(letter)),
    })
}

/// A digit of the Arabic, Persian and Indic scripts as one of ASCII.
fn digit(letter: char) -> char {
    const ZEROS: [u32; 5] = [0x660, 0x6f0, 0x966, 0x9e6, 0x1040];
    let code = u32::from(letter);
    let value = ZEROS
        .iter()
        .find_map(|zero| code.checked_sub(*zero).filter(|value| *value < 10));
    value.and_then(|value| char::from_digit(value, 10)).unwrap_or(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_call_the_same_is_the_same() {
        for (one, other) in [
            ("SARAH", "sarah"),
            ("Zoë", "zoe"),
            ("Zoe\u{308}", "zoë"),
            ("Łukasz Müßig", "lukasz mussig"),
            ("Ærø", "aero"),
            ("İpek ılık", "ipek ilik"),
            ("أحمد", "احمد"),
            ("إيمان", "ايمان"),
            ("آمنة", "امنه"),
            ("فاطمة", "فاطمه"),
            ("مصطفى", "مصطفي"),
            ("مُحَمَّد", "محمد"),
            ("محمـــد", "محمد"),
            ("علاء", "علا"),
            ("مؤمن", "مومن"),
            ("رائد", "رايد"),
            ("ٱلله", "الله"),
            ("١٢٣", "123"),
            ("O’Neil", "o'neil"),
        ] {
            assert_eq!(fold(one), fold(other), "{one} and {other}");
        }
        for (one, other) in [
            ("Sara", "Sarah"),
            ("محمد", "محمود"),
            ("ትዕግሥት", "ትዕግስት"),
            ("नीना", "नना"),
        ] {
            assert_ne!(fold(one), fold(other), "{one} and {other}");
        }
    }

    #[test]
    fn folding_twice_is_folding_once() {
        for text in ["ÀÉÎõü", "أإآٱةىؤئء", "ẞ", "ﷺ", "ǅ", "ﬁ", "Ǆ"] {
            assert_eq!(fold(&fold(text)), fold(text), "{text}");
        }
    }
}
