//! The canvas of a script whose lines are taller and run from right to left: what stands at the left elsewhere stands at
//! the right, and a line takes 16 rows, so that three fit under the header where Latin has five.
//!
//! The screens say the same for both. Here their lines flow: each takes the next place, whatever its row is on the Latin
//! screen. Lines that have to be there at once and find no place are a misfit, which a test finds; a screen of facts may
//! let them take turns.

use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::prelude::*;

use super::{COLUMNS, Canvas, Face, LEFT, RIGHT};
use crate::panel::frame::{Frame, Resolution};
use crate::panel::icons::Icon;
use crate::panel::layout::EntryPlaces;
use crate::panel::script::{Glyph, unmarked};

/// Rows that the header's bar has here, and that it has more of than elsewhere.
const HEAD: u32 = 17;
const HEAD_EXTRA: i32 = 4;
/// The top of a hint's or a button's line on 64 rows.
const FOOT: i32 = 46;
/// A Latin character's top in a cell of Arabic: both stand on one line.
const LATIN: i32 = Glyph::BASELINE - 8;

/// A line that waits for its place.
#[derive(Debug)]
enum Row {
    Line(String),
    Centred(String),
    Pair(String, String),
    Facts(Box<[(Icon, String); 2]>),
    Fact(Icon, String),
    Figure(Face, String),
    Progress(u32, u32),
}

/// The lines between header and foot.
#[derive(Debug)]
pub(super) struct Flow {
    rows: Vec<Row>,
    /// The first and the last row of pixels for them.
    top: i32,
    end: i32,
    /// How far from one line to the next.
    pitch: i32,
    /// Which of its turns the screen is at, if lines may take turns.
    turn: Option<usize>,
}

impl Flow {
    pub(super) const fn of(resolution: Resolution) -> Self {
        let (top, end, pitch) = match resolution {
            Resolution::Wide => (16, 61, 15),
            Resolution::Square => (18, 125, 16),
        };
        Self {
            rows: Vec::new(),
            top,
            end,
            pitch,
            turn: None,
        }
    }

    fn places(&self) -> usize {
        usize::try_from((self.end + 1 - self.top) / self.pitch).unwrap_or(0)
    }
}

impl Canvas<'_> {
    /// Whether this is the canvas of such a script.
    pub(in crate::panel) fn is_tall(&self) -> bool {
        self.writing.is_tall()
    }

    /// Whether no more than three lines fit, so that a screen has to do with less.
    pub(in crate::panel) fn is_tight(&self) -> bool {
        self.is_tall() && self.layout.resolution() == Resolution::Wide
    }

    /// Where what is `width` wide stands, if it stands at `left` on a screen that is not mirrored.
    pub(super) fn mirrored(&self, left: i32, width: i32) -> i32 {
        LEFT + self.mirrored_in(RIGHT - LEFT + 1, left - LEFT, width)
    }

    /// The same within something that is `room` wide.
    pub(super) fn mirrored_in(&self, room: i32, left: i32, width: i32) -> i32 {
        if self.is_tall() { room - left - width } else { left }
    }

    /// Lines that find no place take turns: the screen is at its turn `turn`.
    pub(in crate::panel) const fn take_turns(&mut self, turn: usize) {
        self.flow.turn = Some(turn);
    }

    /// Lines stand above the row `end` (as it is on 64 rows), where something else begins.
    pub(in crate::panel) fn end_lines(&mut self, end: i32) {
        self.flow.end = self.flow.end.min(self.layout.spread(end) - 1);
    }

    /// So many lines' room is taken by something else.
    pub(in crate::panel) const fn leave_lines(&mut self, lines: i32) {
        self.flow.top += lines * self.flow.pitch;
    }

    /// The top of a row of [`Canvas::places`]: where few lines fit, four of these still do.
    pub(super) fn place_row(&self, row: usize) -> i32 {
        let index = i32::try_from(row).unwrap_or(0);
        match (self.is_tall(), self.is_tight()) {
            (false, _) => self.layout.line(row),
            (true, false) => self.place(row) + LATIN,
            (true, true) => self.flow.top + 1 + 11 * index,
        }
    }

    /// The column of the second place, and how far a place's text is from its column.
    pub(super) fn place_columns(&self) -> (i32, i32) {
        if self.is_tall() { (64, 13) } else { (66, 15) }
    }

    pub(super) fn head_rows(&self) -> u32 {
        if self.is_tall() { HEAD } else { 13 }
    }

    /// Rows by which everything under the header is lower than elsewhere.
    pub(super) fn head_extra(&self) -> i32 {
        if self.is_tall() { HEAD_EXTRA } else { 0 }
    }

    pub(super) fn head_line(&self) -> i32 {
        if self.is_tall() { LATIN - 1 } else { 0 }
    }

    pub(super) fn head_icon(&self) -> i32 {
        if self.is_tall() { 4 } else { 2 }
    }

    /// The top of a hint's key cap, its rows, and how many rows above it the text beside it begins.
    pub(super) fn hint_rows(&mut self) -> (i32, u32, i32) {
        if self.is_tall() {
            let top = self.layout.foot(FOOT);
            self.flow.end = self.flow.end.min(top - 1);
            (top + LATIN + 1, 10, 1)
        } else {
            // What hangs below the line above ends right over it.
            (self.layout.foot(53), 9, 2)
        }
    }

    /// The top of the buttons, and how many rows they have.
    pub(super) fn button_rows(&mut self) -> (i32, u32) {
        if self.is_tall() {
            let top = self.layout.foot(FOOT);
            self.flow.end = self.flow.end.min(top - 1);
            (top, 16)
        } else {
            (self.layout.foot(48), 13)
        }
    }

    /// Where the entries of a list are.
    pub(super) fn entry_places(&self, has_tall: bool) -> EntryPlaces {
        if !self.is_tall() {
            return self.layout.entries(has_tall);
        }
        EntryPlaces {
            count: self.flow.places(),
            text: self.flow.top + LATIN,
            // Under the header's bar.
            bar: self.flow.top + 1,
            pitch: self.flow.pitch,
            rows: 15,
        }
    }

    fn place(&self, place: usize) -> i32 {
        self.flow.top + self.flow.pitch * i32::try_from(place).unwrap_or(0)
    }

    pub(super) fn flow_line(&mut self, text: &str) {
        self.say(text);
        self.flow.rows.push(Row::Line(text.into()));
    }

    pub(super) fn flow_centred(&mut self, text: &str) {
        self.say(text);
        self.flow.rows.push(Row::Centred(text.into()));
    }

    pub(super) fn flow_pair(&mut self, first: &str, second: &str) {
        let gap = COLUMNS.saturating_sub(unmarked(first).chars().count() + unmarked(second).chars().count());
        self.say(format!("{first}{:gap$}{second}", ""));
        self.flow.rows.push(Row::Pair(first.into(), second.into()));
    }

    pub(super) fn flow_facts(&mut self, first: (Icon, &str), second: (Icon, &str)) {
        self.say(format!("{}  {}", first.1, second.1));
        let facts = [first, second].map(|(icon, text)| (icon, text.to_owned()));
        self.flow.rows.push(Row::Facts(facts.into()));
    }

    pub(super) fn flow_fact(&mut self, icon: Icon, text: &str) {
        self.say(text);
        self.flow.rows.push(Row::Fact(icon, text.into()));
    }

    /// The caller says it. It takes no turns.
    pub(super) fn flow_figure(&mut self, face: Face, text: &str) {
        self.flow.rows.push(Row::Figure(face, text.into()));
    }

    pub(super) fn flow_progress(&mut self, from: u32, to: u32) {
        self.flow.rows.push(Row::Progress(from, to));
    }

    /// Draws the lines in their places.
    pub(super) fn draw_flow(&mut self) {
        let rows = std::mem::take(&mut self.flow.rows);
        let places = self.flow.places();
        let (pinned, others): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| matches!(row, Row::Figure(..)));
        let room = places.saturating_sub(pinned.len());
        let shown: Vec<&Row> = match self.flow.turn {
            _ if others.len() <= room => rows.iter().collect(),
            Some(turn) if room > 0 => {
                let page = others.chunks(room).nth(turn % others.len().div_ceil(room));
                pinned
                    .into_iter()
                    .chain(page.unwrap_or_default().iter().copied())
                    .collect()
            }
            _ => {
                self.fits = false;
                rows.iter().take(places).collect()
            }
        };
        // Whether it fits is asked of the lines that wait for their turn too.
        let widest = rows.iter().map(|row| self.row_width(row)).max().unwrap_or(0);
        self.fits &= widest <= RIGHT - LEFT + 1;
        for (place, row) in shown.into_iter().enumerate() {
            self.draw_row(row, self.place(place));
        }
    }

    fn row_width(&self, row: &Row) -> i32 {
        match row {
            Row::Line(text) | Row::Centred(text) => self.width(Face::Text, text),
            Row::Pair(first, second) => self.width(Face::Text, first) + self.width(Face::Text, second),
            Row::Facts(facts) => {
                let widths = facts.each_ref().map(|(_, text)| self.width(Face::Text, text));
                2 * (widths[0].max(widths[1]) + Icon::WIDTH + 2)
            }
            Row::Fact(_, text) => self.width(Face::Text, text) + Icon::WIDTH + 2,
            Row::Figure(face, text) => self.width(*face, text),
            Row::Progress(..) => 0,
        }
    }

    fn draw_row(&mut self, row: &Row, top: i32) {
        match row {
            Row::Line(text) => {
                let left = self.mirrored(LEFT, self.width(Face::Text, text));
                let at = Point::new(left, top + LATIN);
                self.put(Face::Text, text, at, BinaryColor::On, LEFT..=RIGHT);
            }
            Row::Centred(text) => self.centred_at(Face::Text, text, top + LATIN),
            Row::Pair(first, second) => self.ends(first, second, top + LATIN),
            Row::Fact(icon, text) => self.draw_fact(*icon, text, LEFT, top),
            Row::Facts(facts) => {
                for ((icon, text), from) in facts.iter().zip([LEFT, Frame::WIDTH.cast_signed() / 2]) {
                    self.draw_fact(*icon, text, from, top);
                }
            }
            Row::Figure(face, text) => {
                // What is larger than a line stands a little higher.
                let face = if *face == Face::Huge { Face::Large } else { *face };
                let lifted = if face == Face::Large { 1 } else { 0 };
                self.centred_at(face, text, top - lifted);
            }
            Row::Progress(from, to) => self.bar_of_progress(top + 4, *from, *to),
        }
    }

    fn draw_fact(&mut self, icon: Icon, text: &str, from: i32, top: i32) {
        let left = self.mirrored(from, Icon::WIDTH);
        self.icon(icon, Point::new(left, top + LATIN + 2), BinaryColor::On);
        let left = self.mirrored(from + 9, self.width(Face::Text, text));
        let at = Point::new(left, top + LATIN);
        self.put(Face::Text, text, at, BinaryColor::On, LEFT..=RIGHT);
    }
}
