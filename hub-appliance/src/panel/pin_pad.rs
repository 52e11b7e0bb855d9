//! The PIN pad: a strip of ten digits, a delete key and a take key, moved along with two buttons and pressed with ok.
//!
//! The strip starts on a digit by chance, so that the number of presses tells a listener nothing, and stays where it is
//! after each digit, so that a person has to look for the start only once. The further fields of one task (the PIN again,
//! the next group) start on the same digit, for what is typed there is the same or is known to the listener as little: from
//! the second digit on, the presses tell how far it is from the one before, wherever the strip starts.

use subtle::ConstantTimeEq;

use super::input::{Button, Digits, Entry, Input};
use super::strings::Note;
use super::view::RecoveryCode;
use crate::secret::SecretText;

/// The fewest digits of a PIN that is all that is asked for.
pub(super) const PIN_ALONE: usize = 8;
/// The fewest digits of a PIN that is good only with a key of 256 bits: on a stick, or in the box.
pub(super) const PIN_WITH_KEY: usize = 6;
/// The most digits of a PIN.
pub(super) const PIN_MAX: usize = 12;

/// A key of the strip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Digit(u8),
    Delete,
    Take,
}

/// The strip, from left to right.
pub(super) const KEYS: [Key; 12] = [
    Key::Digit(b'0'),
    Key::Digit(b'1'),
    Key::Digit(b'2'),
    Key::Digit(b'3'),
    Key::Digit(b'4'),
    Key::Digit(b'5'),
    Key::Digit(b'6'),
    Key::Digit(b'7'),
    Key::Digit(b'8'),
    Key::Digit(b'9'),
    Key::Delete,
    Key::Take,
];
const DELETE: usize = 10;
const TAKE: usize = 11;

/// What a press did to the pad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PadEvent {
    /// Something on the pad changed, or nothing did.
    Edited,
    /// The person takes what is typed; it is long enough.
    Taken,
    /// Back was pressed with nothing left to delete.
    Left,
    /// A button was held with nothing left to delete.
    Held,
}

/// A field of digits with the keys to fill it.
#[derive(Clone, Debug)]
pub(super) struct Pad {
    entry: Entry<PIN_MAX>,
    min: usize,
    max: usize,
    /// The digit that the strip starts on.
    start: usize,
    focus: usize,
    note: Option<Note>,
}

impl Pad {
    fn new(min: usize, max: usize, start: usize) -> Self {
        Self {
            entry: Entry::new(),
            min,
            max,
            start: start % DELETE,
            focus: start % DELETE,
            note: None,
        }
    }

    /// An empty field like this one, for the next digits of the same task.
    pub(super) fn another(&self) -> Self {
        Self::new(self.min, self.max, self.start)
    }

    /// The same pad with something to say above it, until the next digit.
    pub(super) fn saying(mut self, note: Note) -> Self {
        self.note = Some(note);
        self
    }

    /// Does what `input` asks for.
    pub(super) fn press(&mut self, input: &Input) -> PadEvent {
        match input {
            Input::Press(Button::Up | Button::Left) => self.focus = (self.focus + KEYS.len() - 1) % KEYS.len(),
            Input::Press(Button::Down | Button::Right) => self.focus = (self.focus + 1) % KEYS.len(),
            Input::Type(digits) => self.add(digits.expose()),
            Input::Press(Button::Back) if self.entry.len() == 0 => return PadEvent::Left,
            Input::Hold(_) if self.entry.len() == 0 => return PadEvent::Held,
            Input::Press(Button::Back) | Input::Hold(_) => self.delete(),
            Input::Press(Button::Ok) => match KEYS[self.focus] {
                Key::Digit(digit) => self.add_one(digit),
                Key::Delete if self.entry.len() == 0 => return PadEvent::Left,
                Key::Delete => self.delete(),
                Key::Take if self.entry.len() < self.min => self.note = Some(Note::TooShort(self.min)),
                Key::Take => return PadEvent::Taken,
            },
        }
        PadEvent::Edited
    }

    /// Takes digits that were typed. Refuses them all when they don't fit: a PIN cut short would lock its owner out.
    pub(super) fn add(&mut self, digits: &[u8]) {
        if self.entry.len() + digits.len() > self.max {
            self.note = Some(Note::TooLong(self.max));
        } else {
            digits.iter().for_each(|digit| self.entry.push(*digit));
            self.note = None;
        }
        self.focus = TAKE;
    }

    fn add_one(&mut self, digit: u8) {
        let focus = self.focus;
        self.add(&[digit]);
        if !self.is_full() {
            self.focus = focus;
        }
    }

    fn delete(&mut self) {
        self.entry.pop();
        self.note = None;
    }

    /// Forgets what was typed and says why.
    pub(super) fn clear(&mut self, note: Note) {
        self.entry.clear();
        self.focus = self.start;
        self.note = Some(note);
    }

    /// Says no more what it said.
    pub(super) const fn hush(&mut self) {
        self.note = None;
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.entry.len() == 0
    }

    pub(super) const fn is_full(&self) -> bool {
        self.entry.len() == self.max
    }

    /// How many more digits fit.
    pub(super) const fn room(&self) -> usize {
        self.max - self.entry.len()
    }

    /// Digits typed, fewest and most digits of the field.
    pub(super) const fn fill(&self) -> (usize, usize, usize) {
        (self.entry.len(), self.min, self.max)
    }

    pub(super) const fn focus(&self) -> usize {
        self.focus
    }

    pub(super) const fn note(&self) -> Option<Note> {
        self.note
    }

    /// The digits as ASCII.
    pub(super) fn expose(&self) -> &[u8] {
        self.entry.expose()
    }

    pub(super) fn to_secret(&self) -> SecretText {
        self.entry.to_secret()
    }

    /// Whether all that was typed is one digit: a PIN that anybody would try.
    pub(super) fn is_one_digit(&self) -> bool {
        self.expose().windows(2).all(|pair| pair[0] == pair[1])
    }

    /// Whether the same digits were typed on both pads, compared in constant time.
    pub(super) fn equals(&self, other: &Self) -> bool {
        self.expose().ct_eq(other.expose()).into()
    }
}

/// Makes pads, each starting on another digit.
#[derive(Clone, Debug)]
pub(super) struct PadMaker(u64);

impl PadMaker {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A pad for a PIN of so many digits at least.
    pub(super) fn pin(&mut self, fewest: usize) -> Pad {
        Pad::new(fewest, PIN_MAX, self.start())
    }

    /// A pad for one group of the recovery code.
    pub(super) fn group(&mut self) -> Pad {
        Pad::new(RecoveryCode::GROUP_DIGITS, RecoveryCode::GROUP_DIGITS, self.start())
    }

    /// The next digit to start on, by SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators,
    /// 2014). It only has to differ from time to time; the seed comes from the operating system.
    fn start(&mut self) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::from(((mixed ^ (mixed >> 31)) % 10).to_le_bytes()[0])
    }
}

/// A recovery code while it is typed, group by group.
#[derive(Clone, Debug)]
pub(super) struct CodeEntry {
    /// The groups typed so far, in their places; the others are zero.
    groups: RecoveryCode,
    /// How many those are.
    typed: usize,
    /// Which group is on the pad.
    at: usize,
    /// Whether it stands there as it was taken before.
    is_taken: bool,
    pad: Pad,
}

impl CodeEntry {
    pub(super) fn new(pad: Pad) -> Self {
        Self {
            groups: RecoveryCode::new([0; RecoveryCode::GROUPS]),
            typed: 0,
            at: 0,
            is_taken: false,
            pad,
        }
    }

    pub(super) const fn pad(&self) -> &Pad {
        &self.pad
    }

    /// Which group is being typed, from 1.
    pub(super) fn number(&self) -> u32 {
        u32::try_from(self.at + 1).unwrap_or(u32::MAX)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.typed == 0 && self.pad.is_empty()
    }

    /// Whether back deletes a digit, and does not go to the group before.
    pub(super) const fn back_deletes(&self) -> bool {
        !self.pad.is_empty() && !self.goes_back()
    }

    /// Whether back goes on from a group that was gone back to.
    const fn goes_back(&self) -> bool {
        self.is_taken && self.at > 0
    }

    /// Does what `input` asks for; [`PadEvent::Taken`] says that all groups are there.
    pub(super) fn press(&mut self, input: &Input) -> PadEvent {
        match input {
            Input::Type(digits) => {
                self.add(digits);
                return PadEvent::Edited;
            }
            Input::Press(Button::Back) | Input::Hold(_) if self.goes_back() => {
                self.show(self.at - 1);
                return PadEvent::Edited;
            }
            _ => {}
        }
        let before = self.pad.fill();
        match self.pad.press(input) {
            PadEvent::Taken => return self.take_group(),
            PadEvent::Left | PadEvent::Held if self.at > 0 => self.show(self.at - 1),
            PadEvent::Left | PadEvent::Held => return PadEvent::Left,
            PadEvent::Edited => {
                self.is_taken &= self.pad.fill() == before;
                self.check();
            }
        }
        PadEvent::Edited
    }

    /// Digits that go on past the end of a group fill the next ones, so the whole code can be typed in one go. Those of a
    /// group that was gone back to take its place.
    fn add(&mut self, digits: &Digits) {
        let mut rest = digits.expose();
        while !rest.is_empty() {
            let is_last = self.at + 1 == RecoveryCode::GROUPS;
            if self.pad.is_full() && !self.is_taken && !is_last {
                self.take_group();
            }
            if self.is_taken {
                self.pad = self.pad.another();
                self.is_taken = false;
            }
            let here = if is_last {
                rest.len()
            } else {
                rest.len().min(self.pad.room())
            };
            self.pad.add(&rest[..here]);
            rest = &rest[here..];
            if !self.check() {
                return;
            }
        }
    }

    /// Tells a mistyped group as soon as it is full.
    fn check(&mut self) -> bool {
        let good = !self.pad.is_full() || RecoveryCode::parse_group(self.pad.expose()).is_some();
        if !good {
            self.pad.clear(Note::MistypedGroup);
        }
        good
    }

    /// Goes on to the next group; [`PadEvent::Taken`] after the last.
    fn take_group(&mut self) -> PadEvent {
        let Some(number) = RecoveryCode::parse_group(self.pad.expose()) else {
            self.pad.clear(Note::MistypedGroup);
            return PadEvent::Edited;
        };
        let mut numbers = *self.groups.numbers();
        numbers[self.at] = number;
        self.groups = RecoveryCode::new(numbers);
        self.typed = self.typed.max(self.at + 1);
        if self.at + 1 == RecoveryCode::GROUPS {
            return PadEvent::Taken;
        }
        self.show(self.at + 1);
        PadEvent::Edited
    }

    /// Puts a group on the pad, as it was taken if it was.
    fn show(&mut self, at: usize) {
        self.at = at;
        self.pad = self.pad.another();
        self.is_taken = at < self.typed;
        if self.is_taken {
            self.pad.add(SecretText::new(self.groups.group(at)).expose().as_bytes());
        }
    }

    pub(super) fn into_code(self) -> RecoveryCode {
        self.groups
    }
}
