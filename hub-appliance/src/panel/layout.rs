//! Where things stand. Screens are thought on 64 rows; a display of 128 spreads them: the header stays at the top, hints
//! and buttons stand at the foot, what is between gets more air, and lists show more entries.

use super::frame::Resolution;

/// The top of each of the five lines under the header, on 64 rows. The last one is moved up by a row: under it there has to
/// be room for the shift.
const LINES: [i32; 5] = [12, 22, 32, 42, 51];
/// The tops of a list's entries on 64 rows are so far from each other: what hangs below a line and what stands above the next
/// have rows of their own.
const ENTRY_PITCH: i32 = 12;
const ENTRIES: usize = 4;

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

    /// How many entries of a list show.
    pub(super) const fn entries(self) -> usize {
        match self.0 {
            Resolution::Wide => ENTRIES,
            Resolution::Square => 8,
        }
    }

    /// The top of a list's entry.
    pub(super) const fn entry(self, place: usize) -> i32 {
        match self.0 {
            Resolution::Wide => LINES[0] + ENTRY_PITCH * place as i32,
            Resolution::Square => 14 + 14 * place as i32,
        }
    }
}
