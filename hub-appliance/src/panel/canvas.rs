//! Layout: what every screen is made of, and where it stands.
//!
//! A screen is a header, up to five lines of 21 characters, and figures, keys or buttons among them; its rows are given as
//! they are on 64 of them (see [`Layout`]). Nothing but the header's bar and the QR symbol touches the border, also when the picture is shifted by a pixel.
//! All text that is drawn is collected, top to bottom, for those who read the panel as text.

use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::{PrimitiveStyle, Rectangle, RoundedRectangle};
use embedded_graphics::text::{Baseline, Text};
use profont::{PROFONT_9_POINT, PROFONT_12_POINT, PROFONT_14_POINT, PROFONT_18_POINT, PROFONT_24_POINT};

use super::frame::{Frame, Resolution};
use super::icons::Icon;
use super::layout::Layout;
use super::qr::PairingCode;

/// The size of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Face {
    /// 6 pixels a character: everything that is read.
    Text,
    /// 8 pixels a character, bold: a screen's main figure when it is long.
    Accent,
    /// 10 pixels a character: figures beside others.
    Large,
    /// 12 pixels a character, twice the size of what is read: the digits about to be chosen.
    Double,
    /// 16 pixels a character: a time alone on its screen.
    Huge,
}

impl Face {
    const fn font(self) -> &'static MonoFont<'static> {
        match self {
            Self::Text => &PROFONT_9_POINT,
            Self::Accent => &PROFONT_12_POINT,
            Self::Large => &PROFONT_14_POINT,
            Self::Double => &PROFONT_18_POINT,
            Self::Huge => &PROFONT_24_POINT,
        }
    }

    fn width(self, text: &str) -> i32 {
        let font = self.font();
        let advance = font.character_size.width + font.character_spacing;
        let count = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        // The last column of each character is the space to the next one.
        advance.saturating_mul(count).saturating_sub(1).cast_signed()
    }
}

/// The first and the last column of the content.
const LEFT: i32 = 1;
const RIGHT: i32 = 125;
/// Characters of a line.
pub(super) const COLUMNS: usize = 21;
/// The right column of the pairing screen on 64 rows.
const SIDE: i32 = Resolution::Wide.rows().cast_signed() + 3;

/// A picture being drawn.
#[derive(Debug)]
pub(super) struct Canvas<'a> {
    frame: &'a mut Frame,
    layout: Layout,
    shift: Point,
    lines: Vec<String>,
    fits: bool,
    hides_buttons: bool,
}

impl<'a> Canvas<'a> {
    /// Starts an empty picture whose content stands `shift` (0 or 1 each way) to the right and down.
    pub(super) fn new(frame: &'a mut Frame, shift: Point) -> Self {
        frame.blank();
        Self {
            layout: Layout::of(frame.resolution()),
            frame,
            shift,
            lines: Vec::new(),
            fits: true,
            hides_buttons: false,
        }
    }

    /// From here on no [`Self::buttons`] are drawn: they do not work yet.
    pub(super) const fn hide_buttons(&mut self) {
        self.hides_buttons = true;
    }

    /// The text that was drawn, and whether all of it fitted its place.
    pub(super) fn finish(self) -> (Vec<String>, bool) {
        (self.lines, self.fits)
    }

    /// Where the screen's rows are.
    pub(super) const fn layout(&self) -> Layout {
        self.layout
    }

    /// Adds a line for those who read the panel as text.
    pub(super) fn say(&mut self, text: impl Into<String>) {
        let text = text.into();
        self.fits &= text.chars().count() <= COLUMNS;
        self.lines.push(text);
    }

    /// The header: a lit bar with a title, and an icon or a short figure at its end.
    pub(super) fn header(&mut self, title: &str, icon: Icon) {
        self.bar(title);
        self.icon(icon, Point::new(RIGHT - Icon::WIDTH, 2), BinaryColor::Off);
        self.fits &= Face::Text.width(title) < RIGHT - 2 * LEFT - Icon::WIDTH - 3;
        self.say(title);
    }

    /// The header of a wizard, which says what step of how many it is.
    pub(super) fn step_header(&mut self, title: &str, step: u32, steps: u32) {
        self.marked_header(title, &format!("{step}/{steps}"));
    }

    /// A header with a short word at its end.
    pub(super) fn marked_header(&mut self, title: &str, mark: &str) {
        self.bar(title);
        let left = RIGHT - Face::Text.width(mark) - 1;
        self.put(Face::Text, mark, Point::new(left, 0), BinaryColor::Off, left..=RIGHT);
        self.fits &= Face::Text.width(title) < left - 2 * LEFT - 3;
        self.say(format!("{title} {mark}"));
    }

    fn bar(&mut self, title: &str) {
        let bar = Rectangle::new(Point::new(-1, -1), Size::new(Frame::WIDTH + 2, 13));
        self.fill(bar, BinaryColor::On);
        self.put(
            Face::Text,
            title,
            Point::new(LEFT + 2, 0),
            BinaryColor::Off,
            LEFT..=RIGHT,
        );
    }

    /// A line of text at the left; `row` is 0 to 4.
    pub(super) fn line(&mut self, row: usize, text: &str) {
        self.put(
            Face::Text,
            text,
            Point::new(LEFT, self.layout.line(row)),
            BinaryColor::On,
            LEFT..=RIGHT,
        );
        self.say(text);
    }

    /// Lines of text at the left, the first on `row`.
    pub(super) fn paragraph(&mut self, row: usize, text: &[&str]) {
        for (index, line) in text.iter().enumerate().filter(|(_, line)| !line.is_empty()) {
            self.line(row + index, line);
        }
    }

    /// A line with a text at each end.
    pub(super) fn pair(&mut self, row: usize, left: &str, right: &str) {
        self.ends(left, right, self.layout.line(row));
        let gap = COLUMNS.saturating_sub(left.chars().count() + right.chars().count());
        self.say(format!("{left}{:gap$}{right}", ""));
    }

    /// Two facts beside each other, each with its icon: one of 9 characters, one of 8.
    pub(super) fn facts(&mut self, row: usize, left: (Icon, &str), right: (Icon, &str)) {
        const MIDDLE: i32 = 67;
        let top = self.layout.line(row);
        for ((icon, text), from, to) in [(left, LEFT, MIDDLE - 4), (right, MIDDLE, RIGHT)] {
            self.icon(icon, Point::new(from, top + 2), BinaryColor::On);
            self.put(Face::Text, text, Point::new(from + 9, top), BinaryColor::On, from..=to);
        }
        self.say(format!("{:<10} {}", left.1, right.1));
    }

    /// A fact with its icon, across the screen.
    pub(super) fn fact(&mut self, row: usize, icon: Icon, text: &str) {
        let top = self.layout.line(row);
        self.icon(icon, Point::new(LEFT, top + 2), BinaryColor::On);
        self.put(
            Face::Text,
            text,
            Point::new(LEFT + 9, top),
            BinaryColor::On,
            LEFT..=RIGHT,
        );
        self.say(text);
    }

    /// Two texts beside each other, each behind the number of its place, which is lit so that nobody takes it for a part of
    /// the text.
    pub(super) fn places(&mut self, row: usize, places: [(usize, String); 2]) {
        let top = self.layout.line(row);
        for ((place, text), left) in places.iter().zip([LEFT, 66]) {
            let number = place.to_string();
            let cap = Rectangle::new(Point::new(left, top + 1), Size::new(10, 9));
            self.fill_rounded(cap, BinaryColor::On);
            self.put(
                Face::Text,
                &number,
                Point::new(left + 2, top),
                BinaryColor::Off,
                left..=RIGHT,
            );
            self.put(
                Face::Text,
                text,
                Point::new(left + 15, top),
                BinaryColor::On,
                left..=RIGHT,
            );
        }
        let [left, right] = places.map(|(place, text)| format!("{place} {text}"));
        self.say(format!("{left}  {right}"));
    }

    /// A line of text in the middle.
    pub(super) fn centred(&mut self, row: usize, text: &str) {
        self.centred_at(Face::Text, text, self.layout.line(row));
        self.say(text);
    }

    /// A dotted rule between what is and what to do.
    pub(super) fn rule(&mut self, row: usize) {
        for x in (LEFT + 2..=RIGHT - 2).step_by(3) {
            self.fill(
                Rectangle::new(Point::new(x, self.layout.line(row) + 5), Size::new_equal(1)),
                BinaryColor::On,
            );
        }
    }

    /// The screen's main figure, centred, with its top at the row `top`; the caller says it.
    pub(super) fn figure(&mut self, face: Face, text: &str, top: i32) {
        self.centred_at(face, text, self.layout.spread(top));
    }

    fn centred_at(&mut self, face: Face, text: &str, top: i32) {
        let left = LEFT + (RIGHT - LEFT + 1 - Face::width(face, text)) / 2;
        self.put(face, text, Point::new(left, top), BinaryColor::On, LEFT..=RIGHT);
        if face == Face::Accent {
            self.put(face, text, Point::new(left + 1, top), BinaryColor::On, LEFT..=RIGHT);
        }
    }

    /// What ok does here, at the bottom: a key cap and a word or two.
    pub(super) fn hint(&mut self, text: &str) {
        const CAP: Size = Size::new(16, 10);
        let top = self.layout.foot(52);
        let cap = Rectangle::new(Point::new(LEFT, top), CAP);
        self.fill_rounded(cap, BinaryColor::On);
        self.put(
            Face::Text,
            "OK",
            cap.top_left + Point::new(3, -1),
            BinaryColor::Off,
            LEFT..=RIGHT,
        );
        self.put(
            Face::Text,
            text,
            Point::new(LEFT + 20, top - 1),
            BinaryColor::On,
            LEFT..=RIGHT,
        );
        self.say(format!("OK: {text}"));
    }

    /// The same, with something else to know at the end of the line.
    pub(super) fn hint_beside(&mut self, text: &str, beside: &str) {
        self.hint(text);
        let top = self.layout.foot(52) - 1;
        let left = RIGHT - Face::Text.width(beside);
        let taken = LEFT + 20 + Face::Text.width(text) + 4;
        self.put(
            Face::Text,
            beside,
            Point::new(left + 1, top),
            BinaryColor::On,
            taken..=RIGHT,
        );
        if let Some(line) = self.lines.last_mut() {
            let gap = COLUMNS.saturating_sub(line.chars().count() + beside.chars().count());
            *line = format!("{line}{:gap$}{beside}", "");
        }
    }

    /// Two buttons at the bottom, one of them chosen; none as long as they can't be pressed.
    pub(super) fn buttons(&mut self, labels: [&str; 2], chosen: usize) {
        const SIZE: Size = Size::new(58, 13);
        if self.hides_buttons {
            return;
        }
        for (index, label) in labels.into_iter().enumerate() {
            let left = if index == 0 {
                LEFT + 1
            } else {
                RIGHT - SIZE.width.cast_signed()
            };
            let button = Rectangle::new(Point::new(left, self.layout.foot(48)), SIZE);
            self.outline(button);
            let ink = if index == chosen {
                self.fill_rounded(button, BinaryColor::On);
                BinaryColor::Off
            } else {
                BinaryColor::On
            };
            let text = left + (SIZE.width.cast_signed() - Face::Text.width(label)) / 2;
            self.put(
                Face::Text,
                label,
                Point::new(text, self.layout.foot(49)),
                ink,
                left + 2..=left + SIZE.width.cast_signed() - 3,
            );
        }
        let mark = |index| if index == chosen { ["[", "]"] } else { [" ", " "] };
        let ([a, b], [c, d]) = (mark(0), mark(1));
        self.say(format!("{a}{}{b} {c}{}{d}", labels[0], labels[1]));
    }

    /// A list of which one entry is chosen; it scrolls so that this one shows.
    pub(super) fn list(&mut self, entries: &[&str], chosen: usize) {
        let shown = self.layout.entries();
        let first = (chosen + 1)
            .saturating_sub(shown)
            .min(entries.len().saturating_sub(shown));
        for (place, (index, entry)) in entries.iter().enumerate().skip(first).take(shown).enumerate() {
            let top = self.layout.entry(place);
            let ink = if index == chosen {
                let bar = Rectangle::new(Point::new(LEFT, top), Size::new(120, 12));
                self.fill_rounded(bar, BinaryColor::On);
                BinaryColor::Off
            } else {
                BinaryColor::On
            };
            self.put(Face::Text, entry, Point::new(LEFT + 4, top), ink, LEFT..=RIGHT - 6);
            let mark = if index == chosen { '>' } else { ' ' };
            self.say(format!("{mark}{entry}"));
        }
        if entries.len() > shown {
            self.scroll_bar(first, shown, entries.len());
        }
    }

    fn scroll_bar(&mut self, first: usize, shown: usize, all: usize) {
        const TOP: i32 = 14;
        const FOOT: i32 = 60;
        let height = usize::try_from(self.layout.foot(FOOT) - TOP).unwrap_or(0);
        let part = |count: usize| i32::try_from(height * count / all).unwrap_or(0);
        let thumb = Size::new(2, part(shown).unsigned_abs());
        self.fill(
            Rectangle::new(Point::new(RIGHT - 1, TOP + part(first)), thumb),
            BinaryColor::On,
        );
    }

    /// A bar across the screen, its top at the row `top`, of which the part from `from` to `to` (0 to 1,000) is lit.
    pub(super) fn progress(&mut self, top: i32, from: u32, to: u32) {
        const INSIDE: u32 = 117;
        let top = self.layout.spread(top);
        let outside = Rectangle::new(Point::new(LEFT + 2, top), Size::new(INSIDE + 4, 9));
        self.outline(outside);
        let place = |part: u32| (part.min(1000) * INSIDE / 1000).cast_signed();
        let lit = Size::new((place(to) - place(from)).max(0).unsigned_abs(), 5);
        self.fill(
            Rectangle::new(Point::new(LEFT + 4 + place(from), top + 2), lit),
            BinaryColor::On,
        );
    }

    /// A line in the right column of the pairing screen on 64 rows.
    pub(super) fn beside(&mut self, face: Face, text: &str, top: i32) {
        self.put(face, text, Point::new(SIDE, top), BinaryColor::On, SIDE..=126);
    }

    /// A text at each end of a line with its top at `top`; the caller says it.
    pub(super) fn ends(&mut self, left: &str, right: &str, top: i32) {
        let middle = RIGHT - Face::Text.width(right);
        let (left_at, right_at) = (Point::new(LEFT, top), Point::new(middle + 1, top));
        self.put(Face::Text, left, left_at, BinaryColor::On, LEFT..=middle);
        self.put(Face::Text, right, right_at, BinaryColor::On, LEFT..=RIGHT);
    }

    /// The pairing code, at the left of a wide display and at the top of a square one. It takes all the room that is there,
    /// so it is not shifted.
    pub(super) fn pairing_code(&mut self, code: &PairingCode) {
        let left = match self.layout.resolution() {
            Resolution::Wide => 0,
            Resolution::Square => (Frame::WIDTH - code.side()).cast_signed() / 2,
        };
        code.draw(self.frame, Point::new(left, 0));
    }

    pub(super) fn icon(&mut self, icon: Icon, at: Point, ink: BinaryColor) {
        let shift = self.shift;
        let pixels = icon.0.iter().zip(0..).flat_map(|(row, y)| {
            let lit = row.bytes().zip(0..).filter(|(dot, _)| *dot == b'#');
            lit.map(move |(_, x)| Pixel(at + shift + Point::new(x, y), ink))
        });
        let Ok(()) = self.frame.draw_iter(pixels);
    }

    /// An icon in twice its size.
    pub(super) fn large_icon(&mut self, icon: Icon, at: Point, ink: BinaryColor) {
        for (row, y) in icon.0.iter().zip(0..) {
            for (_, x) in row.bytes().zip(0..).filter(|(dot, _)| *dot == b'#') {
                self.fill(Rectangle::new(at + Point::new(2 * x, 2 * y), Size::new_equal(2)), ink);
            }
        }
    }

    pub(super) fn fill(&mut self, area: Rectangle, ink: BinaryColor) {
        let Ok(()) = self.frame.fill_solid(&area.translate(self.shift), ink);
    }

    pub(super) fn fill_rounded(&mut self, area: Rectangle, ink: BinaryColor) {
        self.rounded(area, PrimitiveStyle::with_fill(ink));
    }

    fn outline(&mut self, area: Rectangle) {
        self.rounded(area, PrimitiveStyle::with_stroke(BinaryColor::On, 1));
    }

    fn rounded(&mut self, area: Rectangle, style: PrimitiveStyle<BinaryColor>) {
        let shape = RoundedRectangle::with_equal_corners(area.translate(self.shift), Size::new_equal(2));
        let Ok(()) = shape.into_styled(style).draw(self.frame);
    }

    /// Draws text with its top left corner at `at`; it has to stay within `columns`.
    pub(super) fn put(
        &mut self,
        face: Face,
        text: &str,
        at: Point,
        ink: BinaryColor,
        columns: std::ops::RangeInclusive<i32>,
    ) {
        self.fits &= at.x >= *columns.start() && at.x + face.width(text) - 1 <= *columns.end();
        let style = MonoTextStyle::new(face.font(), ink);
        let Ok(_) = Text::with_baseline(text, at + self.shift, style, Baseline::Top).draw(self.frame);
    }
}
