//! Layout: what every screen is made of, and where it stands.
//!
//! A screen is a header, up to five lines of 21 characters, and figures, keys or buttons among them; its rows are given as
//! they are on 64 of them (see [`Layout`]). Nothing but the header's bar and the QR symbol touches the border, also when the picture is shifted by a pixel.
//! All text that is drawn is collected, top to bottom, for those who read the panel as text.
//!
//! A script whose lines are taller stands elsewhere and is mirrored: see [`tall`].

mod choices;
mod tall;

use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::{PrimitiveStyle, Rectangle, RoundedRectangle};
use embedded_graphics::text::{Baseline, Text};
use profont::{PROFONT_9_POINT, PROFONT_12_POINT, PROFONT_14_POINT, PROFONT_18_POINT, PROFONT_24_POINT};

use super::frame::{Frame, Resolution};
use super::icons::Icon;
use super::layout::Layout;
use super::names::Space;
use super::qr::PairingCode;
use super::script::{Glyph, Writing, is_plain, is_tall, unmarked, visual};

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

    /// How many times larger than a line's the glyphs of other scripts are in it.
    const fn scale(self) -> i32 {
        match self {
            Self::Text | Self::Accent | Self::Large => 1,
            Self::Double | Self::Huge => 2,
        }
    }

    const fn advance(self) -> i32 {
        let font = self.font();
        (font.character_size.width + font.character_spacing).cast_signed()
    }
}

/// The first and the last column of the content.
const LEFT: i32 = 1;
const RIGHT: i32 = 125;
/// Characters of a line.
pub(super) const COLUMNS: usize = 21;
/// Rows that a line of a taller script, in a name, takes more than one of Latin where those are as close as they can be.
const LOWER: i32 = 4;
/// The lowest top that a line can have there, if there are two such lines above it: what a hint says is more.
const LAST_LINE: i32 = 46;
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
    writing: Writing,
    flow: tall::Flow,
    /// Rows by which lines are lower than elsewhere: there is something taller above them.
    lowered: i32,
}

impl<'a> Canvas<'a> {
    /// Starts an empty picture whose content stands `shift` (0 or 1 each way) to the right and down.
    pub(super) fn new(frame: &'a mut Frame, shift: Point, writing: Writing) -> Self {
        frame.blank();
        Self {
            layout: Layout::of(frame.resolution()),
            writing,
            flow: tall::Flow::of(frame.resolution()),
            frame,
            shift,
            lines: Vec::new(),
            fits: true,
            hides_buttons: false,
            lowered: 0,
        }
    }

    /// From here on no [`Self::buttons`] are drawn: they do not work yet.
    pub(super) const fn hide_buttons(&mut self) {
        self.hides_buttons = true;
    }

    /// The text that was drawn, and whether all of it fitted its place.
    pub(super) fn finish(mut self) -> (Vec<String>, bool) {
        self.draw_flow();
        (self.lines, self.fits)
    }

    /// From here on it is written so: a screen may speak the language that is being chosen.
    pub(super) const fn write_as(&mut self, writing: Writing) {
        self.writing = writing;
    }

    /// Where the screen's rows are.
    pub(super) const fn layout(&self) -> Layout {
        self.layout
    }

    /// Adds a line for those who read the panel as text.
    pub(super) fn say(&mut self, text: impl Into<String>) {
        let text = unmarked(&text.into()).into_owned();
        self.fits &= text.chars().count() <= COLUMNS;
        self.lines.push(text);
    }

    /// The header: a lit bar with a title, and an icon or a short figure at its end.
    pub(super) fn header(&mut self, title: &str, icon: Icon) {
        self.bar(title);
        let (left, top) = (self.mirrored(RIGHT - Icon::WIDTH, Icon::WIDTH), self.head_icon());
        self.icon(icon, Point::new(left, top), BinaryColor::Off);
        self.fits &= self.width(Face::Text, title) < RIGHT - 2 * LEFT - Icon::WIDTH - 3;
        self.say(title);
    }

    /// The header of a wizard, which says what step of how many it is.
    pub(super) fn step_header(&mut self, title: &str, step: u32, steps: u32) {
        let said = format!("{step}/{steps}");
        // A stroke close to an Arabic 1 makes it a 7.
        let mark = if self.is_tall() {
            format!("{step} / {steps}")
        } else {
            said.clone()
        };
        self.headed(title, &mark, &said);
    }

    /// A header with a short word at its end.
    pub(super) fn marked_header(&mut self, title: &str, mark: &str) {
        self.headed(title, mark, mark);
    }

    fn headed(&mut self, title: &str, mark: &str, said: &str) {
        self.bar(title);
        let width = self.width(Face::Text, mark);
        let left = RIGHT - width - 1;
        let at = Point::new(self.mirrored(left, width), self.head_line());
        self.put(Face::Text, mark, at, BinaryColor::Off, LEFT..=RIGHT);
        self.fits &= self.width(Face::Text, title) < left - 2 * LEFT - 3;
        self.say(format!("{title} {said}"));
    }

    fn bar(&mut self, title: &str) {
        let bar = Rectangle::new(Point::new(-1, -1), Size::new(Frame::WIDTH + 2, self.head_rows()));
        self.fill(bar, BinaryColor::On);
        let left = self.mirrored(LEFT + 2, self.width(Face::Text, title));
        let at = Point::new(left, self.head_line());
        self.put(Face::Text, title, at, BinaryColor::Off, LEFT..=RIGHT);
    }

    /// A line of text from where lines begin; `row` is 0 to 4.
    pub(super) fn line(&mut self, row: usize, text: &str) {
        if self.is_tall() {
            return self.flow_line(text);
        }
        self.say(text);
        let Some(top) = self.line_top(row, text) else {
            return;
        };
        self.put(Face::Text, text, Point::new(LEFT, top), BinaryColor::On, LEFT..=RIGHT);
    }

    /// The top of a line of text; none where a taller one above has taken its place.
    fn line_top(&mut self, row: usize, text: &str) -> Option<i32> {
        let is_wide = self.layout.resolution() == Resolution::Wide;
        let top = self.layout.line(row) + self.lowered;
        if is_wide && self.lowered > LOWER && top > LAST_LINE {
            return None;
        }
        if !is_wide || !is_tall(text) {
            return Some(top);
        }
        self.lowered += LOWER;
        Some(top + LOWER / 2)
    }

    /// Whether lines are lower than elsewhere, so that there is one less.
    pub(super) const fn is_lowered(&self) -> bool {
        self.lowered > 0
    }

    /// Lines of text from where lines begin, the first on `row`; an empty one leaves its place free.
    pub(super) fn paragraph(&mut self, row: usize, text: &[&str]) {
        for (index, line) in text.iter().enumerate().filter(|(_, line)| !line.is_empty()) {
            self.line(row + index, line);
        }
    }

    /// A line with a text at each end.
    pub(super) fn pair(&mut self, row: usize, left: &str, right: &str) {
        if self.is_tall() {
            return self.flow_pair(left, right);
        }
        self.ends(left, right, self.layout.line(row));
        let gap = COLUMNS.saturating_sub(unmarked(left).chars().count() + unmarked(right).chars().count());
        self.say(format!("{left}{:gap$}{right}", ""));
    }

    /// Two facts beside each other, each with its icon: one of 9 characters, one of 8.
    pub(super) fn facts(&mut self, row: usize, left: (Icon, &str), right: (Icon, &str)) {
        const MIDDLE: i32 = 67;
        if self.is_tall() {
            return self.flow_facts(left, right);
        }
        let top = self.layout.line(row);
        for ((icon, text), from, to) in [(left, LEFT, MIDDLE - 4), (right, MIDDLE, RIGHT)] {
            self.icon(icon, Point::new(from, top + 2), BinaryColor::On);
            self.put(Face::Text, text, Point::new(from + 9, top), BinaryColor::On, from..=to);
        }
        self.say(format!("{:<10} {}", left.1, right.1));
    }

    /// A fact with its icon, across the screen.
    pub(super) fn fact(&mut self, row: usize, icon: Icon, text: &str) {
        if self.is_tall() {
            return self.flow_fact(icon, text);
        }
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
        let top = self.place_row(row);
        let (second, gap) = self.place_columns();
        for ((place, text), left) in places.iter().zip([LEFT, second]) {
            let number = place.to_string();
            let cap = Rectangle::new(Point::new(left, top + 1), Size::new(10, 9));
            self.fill_rounded(cap, BinaryColor::On);
            self.put(
                Face::Text,
                &number,
                Point::new(left + 5 - self.width(Face::Text, &number) / 2, top),
                BinaryColor::Off,
                left..=RIGHT,
            );
            self.put(
                Face::Text,
                text,
                Point::new(left + gap, top),
                BinaryColor::On,
                left..=RIGHT,
            );
        }
        let [left, right] = places.map(|(place, text)| format!("{place} {text}"));
        self.say(format!("{left}  {right}"));
    }

    /// A line of text in the middle.
    pub(super) fn centred(&mut self, row: usize, text: &str) {
        if self.is_tall() {
            return self.flow_centred(text);
        }
        self.centred_at(Face::Text, text, self.layout.line(row));
        self.say(text);
    }

    /// A dotted rule between what is and what to do.
    pub(super) fn rule(&mut self, row: usize) {
        if self.is_tall() {
            return;
        }
        for x in (LEFT + 2..=RIGHT - 2).step_by(3) {
            self.fill(
                Rectangle::new(Point::new(x, self.layout.line(row) + 5), Size::new_equal(1)),
                BinaryColor::On,
            );
        }
    }

    /// The screen's main figure, centred, with its top at the row `top`; the caller says it.
    pub(super) fn figure(&mut self, face: Face, text: &str, top: i32) {
        if self.is_tall() {
            return self.flow_figure(face, text);
        }
        self.centred_at(face, text, self.layout.spread(top));
    }

    fn centred_at(&mut self, face: Face, text: &str, top: i32) {
        let left = LEFT + (RIGHT - LEFT + 1 - self.width(face, text)) / 2;
        self.put(face, text, Point::new(left, top), BinaryColor::On, LEFT..=RIGHT);
        if face == Face::Accent {
            self.put(face, text, Point::new(left + 1, top), BinaryColor::On, LEFT..=RIGHT);
        }
    }

    /// What ok does here, at the bottom: a key cap and a word or two.
    pub(super) fn hint(&mut self, text: &str) {
        let (top, rows, above) = self.hint_rows();
        let size = Size::new(16, rows);
        let left = self.mirrored(LEFT, size.width.cast_signed());
        let cap = Rectangle::new(Point::new(left, top), size);
        self.fill_rounded(cap, BinaryColor::On);
        self.put(
            Face::Text,
            "OK",
            cap.top_left + Point::new(3, -1),
            BinaryColor::Off,
            LEFT..=RIGHT,
        );
        let left = self.mirrored(LEFT + 20, self.width(Face::Text, text));
        let at = Point::new(left, top - above);
        self.put(Face::Text, text, at, BinaryColor::On, LEFT..=RIGHT);
        self.say(format!("OK: {text}"));
    }

    /// The same, with something else to know at the end of the line.
    pub(super) fn hint_beside(&mut self, text: &str, beside: &str) {
        self.hint(text);
        let width = self.width(Face::Text, beside);
        let taken = LEFT + 20 + self.width(Face::Text, text) + 4;
        let left = RIGHT + 1 - width;
        self.fits &= left >= taken;
        let (top, _, above) = self.hint_rows();
        let at = Point::new(self.mirrored(left, width), top - above);
        self.put(Face::Text, beside, at, BinaryColor::On, LEFT..=RIGHT);
        if let Some(line) = self.lines.last_mut() {
            let gap = COLUMNS.saturating_sub(line.chars().count() + beside.chars().count());
            *line = format!("{line}{:gap$}{beside}", "");
        }
    }

    /// Two buttons at the bottom, one of them chosen; none as long as they can't be pressed.
    pub(super) fn buttons(&mut self, labels: [&str; 2], chosen: usize) {
        const WIDTH: i32 = 58;
        if self.hides_buttons {
            return;
        }
        let (top, rows) = self.button_rows();
        for (index, label) in labels.into_iter().enumerate() {
            let left = if index == 0 { LEFT + 1 } else { RIGHT - WIDTH };
            let left = self.mirrored(left, WIDTH);
            let size = Size::new(WIDTH.unsigned_abs(), rows);
            let button = Rectangle::new(Point::new(left, top), size);
            self.outline(button);
            let ink = if index == chosen {
                self.fill_rounded(button, BinaryColor::On);
                BinaryColor::Off
            } else {
                BinaryColor::On
            };
            let text = left + (WIDTH - self.width(Face::Text, label)) / 2;
            let at = Point::new(text, top + 1);
            self.put(Face::Text, label, at, ink, left + 2..=left + WIDTH - 3);
        }
        let mark = |index| if index == chosen { ["[", "]"] } else { [" ", " "] };
        let ([a, b], [c, d]) = (mark(0), mark(1));
        self.say(format!("{a}{}{b} {c}{}{d}", labels[0], labels[1]));
    }

    /// A list of which one entry is chosen; it scrolls so that this one shows.
    pub(super) fn list(&mut self, entries: &[&str], chosen: usize) {
        self.list_of(entries.len(), chosen, false, |_, index| entries[index].to_owned());
    }

    /// The same of `len` entries, of which only those are asked for that show. With `has_tall`, some of them have names in a
    /// taller script.
    pub(super) fn list_of(
        &mut self,
        len: usize,
        chosen: usize,
        has_tall: bool,
        entry_at: impl Fn(&Self, usize) -> String,
    ) {
        let places = self.entry_places(has_tall);
        let shown = places.count;
        let first = (chosen + 1).saturating_sub(shown).min(len.saturating_sub(shown));
        for (place, index) in (first..len).take(shown).enumerate() {
            let entry = entry_at(self, index);
            let (text_top, bar_top) = places.tops(place);
            let ink = if index == chosen {
                let bar = Rectangle::new(
                    Point::new(self.mirrored(LEFT, 120), bar_top),
                    Size::new(120, places.rows),
                );
                self.fill_rounded(bar, BinaryColor::On);
                BinaryColor::Off
            } else {
                BinaryColor::On
            };
            let left = self.mirrored(LEFT + 4, self.width(Face::Text, &entry));
            let room = self.mirrored(LEFT, 120);
            self.put(Face::Text, &entry, Point::new(left, text_top), ink, room..=room + 119);
            let mark = if index == chosen { '>' } else { ' ' };
            self.say(format!("{mark}{entry}"));
        }
        if len > shown {
            self.scroll_bar(first, shown, len);
        }
    }

    /// Whether `text` is no longer than `space`.
    pub(super) fn is_within(&self, text: &str, space: Space) -> bool {
        unmarked(text).chars().count() <= space.chars && self.width(Face::Text, text) <= space.pixels
    }

    fn scroll_bar(&mut self, first: usize, shown: usize, all: usize) {
        const TOP: i32 = 14;
        const FOOT: i32 = 60;
        let height = usize::try_from(self.layout.foot(FOOT) - TOP - self.head_extra()).unwrap_or(0);
        let part = |count: usize| i32::try_from(height * count / all).unwrap_or(0);
        let thumb = Size::new(2, part(shown).unsigned_abs());
        let at = Point::new(self.mirrored(RIGHT - 1, 2), TOP + self.head_extra() + part(first));
        self.fill(Rectangle::new(at, thumb), BinaryColor::On);
    }

    /// A bar across the screen, its top at the row `top`, of which the part from `from` to `to` (0 to 1,000) is lit.
    pub(super) fn progress(&mut self, top: i32, from: u32, to: u32) {
        if self.is_tall() {
            return self.flow_progress(from, to);
        }
        self.bar_of_progress(self.layout.spread(top), from, to);
    }

    fn bar_of_progress(&mut self, top: i32, from: u32, to: u32) {
        const INSIDE: u32 = 117;
        let outside = Rectangle::new(Point::new(LEFT + 2, top), Size::new(INSIDE + 4, 9));
        self.outline(outside);
        let place = |part: u32| (part.min(1000) * INSIDE / 1000).cast_signed();
        let lit = Size::new((place(to) - place(from)).max(0).unsigned_abs(), 5);
        let left = LEFT + 2 + self.mirrored_in(INSIDE.cast_signed() + 4, 2 + place(from), lit.width.cast_signed());
        self.fill(Rectangle::new(Point::new(left, top + 2), lit), BinaryColor::On);
    }

    /// A line in the right column of the pairing screen on 64 rows.
    pub(super) fn beside(&mut self, face: Face, text: &str, top: i32) {
        let left = SIDE + self.mirrored_in(RIGHT + 1 - SIDE, 0, self.width(face, text));
        self.put(face, text, Point::new(left, top), BinaryColor::On, SIDE..=126);
    }

    /// A text at each end of a line with its top at `top`; the caller says it.
    pub(super) fn ends(&mut self, left: &str, right: &str, top: i32) {
        let widths = [left, right].map(|text| self.width(Face::Text, text));
        let middle = RIGHT - widths[1];
        self.fits &= LEFT + widths[0] <= middle + 1;
        for (text, x, width) in [(left, LEFT, widths[0]), (right, middle + 1, widths[1])] {
            let at = Point::new(self.mirrored(x, width), top);
            self.put(Face::Text, text, at, BinaryColor::On, LEFT..=RIGHT);
        }
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
        self.fits &= at.x >= *columns.start() && at.x + self.width(face, text) - 1 <= *columns.end();
        let style = MonoTextStyle::new(face.font(), ink);
        let at = at + self.shift;
        if is_plain(text, self.writing) {
            let Ok(_) = Text::with_baseline(&unmarked(text), at, style, Baseline::Top).draw(self.frame);
            return;
        }
        let mut x = at.x;
        let scale = face.scale();
        let top = at.y + face.font().baseline.cast_signed() - scale * Glyph::BASELINE;
        for c in visual(text, self.writing) {
            if let Some(glyph) = Glyph::of(c) {
                for (dx, dy) in glyph.pixels() {
                    let corner = Point::new(x + scale * dx, top + scale * dy);
                    let dot = Rectangle::new(corner, Size::new_equal(scale.unsigned_abs()));
                    let Ok(()) = self.frame.fill_solid(&dot, ink);
                }
                x += scale * glyph.advance;
            } else {
                let at = Point::new(x, at.y);
                let Ok(_) = Text::with_baseline(c.encode_utf8(&mut [0; 4]), at, style, Baseline::Top).draw(self.frame);
                x += face.advance();
            }
        }
    }

    /// Pixels from the first column of `text` to its last.
    pub(super) fn width(&self, face: Face, text: &str) -> i32 {
        // The last column of each Latin character is the space to the next one.
        if is_plain(text, self.writing) {
            let count = i32::try_from(unmarked(text).chars().count()).unwrap_or(i32::MAX);
            return face.advance().saturating_mul(count).saturating_sub(1).max(0);
        }
        let seen = visual(text, self.writing);
        let glyphs = seen
            .iter()
            .map(|c| Glyph::of(*c).map(|glyph| face.scale() * glyph.advance));
        let ends_latin = glyphs.clone().next_back().is_some_and(|last| last.is_none());
        let width = glyphs.fold(0, |sum: i32, advance| {
            sum.saturating_add(advance.unwrap_or(face.advance()))
        });
        width - i32::from(ends_latin)
    }
}
