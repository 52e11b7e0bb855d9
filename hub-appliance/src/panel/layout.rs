//! Where things stand. Screens are thought on 64 rows; a display of 128 spreads them: the header stays at the top, hints
//! and buttons stand at the foot, what is between gets more air, and lists show more entries.

use super::frame::Resolution;

/// The top of each of the five lines under the header, on 64 rows. The last one is moved up by a row: under it there has to
/// be room for the shift.
const LINES: [i32; 5] = [12, 22, 32, 42, 51];

/// The rows of one display.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout(Resolution);

impl Layout {
    pub(super) const fn of(resolution: Resolution) -> Self {
        Self(resolution)
    }

    pub(super) const fn resolution(self) -> Resolution {
        self.0
    }

    /// The top of a line of text; `row` is 0 to 4.
    pub(super) const fn line(self, row: usize) -> i32 {
        self.spread(LINES[row])
    }

    /// Where the row that is `row` on 64 rows stands here, under the header.
    pub(super) const fn spread(self, row: i32) -> i32 {
        match self.0 {
            Resolution::Wide => row,
            Resolution::Square => 23 + (row - LINES[0]) * 8 / 5,
        }
    }

    /// Where the row that is `row` on 64 rows stands here, as far from the foot as there.
    pub(super) const fn foot(self, row: i32) -> i32 {
        row + self.0.rows().cast_signed() - Resolution::Wide.rows().cast_signed()
    }

    /// Where the entries of a list are; with `has_tall`, some of them have names in a taller script.
    pub(super) const fn entries(self, has_tall: bool) -> EntryPlaces {
        let (top, pitch, count) = match (self.0, has_tall) {
            // A dark row is left under the header's bar.
            (Resolution::Wide, false) => (LINES[0] + 1, 12, 4),
            (Resolution::Square, false) => (14, 14, 8),
            (Resolution::Wide, true) => (14, 16, 3),
            (Resolution::Square, true) => (14, 16, 7),
        };
        EntryPlaces {
            count,
            text: if has_tall { top + 2 } else { top },
            bar: top,
            pitch,
            rows: if has_tall { 16 } else { 12 },
        }
    }
}

/// Where the entries of a list are that show.
#[derive(Clone, Copy, Debug)]
pub(super) struct EntryPlaces {
    pub(super) count: usize,
    /// The first one's top, and that of its bar.
    pub(super) text: i32,
    pub(super) bar: i32,
    pub(super) pitch: i32,
    /// Of a bar.
    pub(super) rows: u32,
}

impl EntryPlaces {
    /// The top of the text and of the bar of the entry at `place`.
    pub(super) fn tops(self, place: usize) -> (i32, i32) {
        let down = self.pitch * i32::try_from(place).unwrap_or(0);
        (self.text + down, self.bar + down)
    }
}
