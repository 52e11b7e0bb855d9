//! The date and time as a person sets them: five fields, one after the other, in UTC. Up makes a field more, down less.

use jiff::civil::{Date, DateTime, date};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// The years that can be set: those of the hub's first firmware, and as many as it believes.
const FIRST_YEAR: i16 = 2026;
const LAST_YEAR: i16 = 2056;

/// A field, in the order in which they are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Year,
    Month,
    Day,
    Hour,
    Minute,
}

const FIELDS: [Field; 5] = [Field::Year, Field::Month, Field::Day, Field::Hour, Field::Minute];

/// What is set so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClockEntry {
    time: DateTime,
    at: usize,
}

impl ClockEntry {
    /// Begins with this time, epoch ms.
    pub(super) fn from(millis: i64) -> Self {
        let time = Timestamp::from_millisecond(millis).unwrap_or_default();
        let time = time.to_zoned(TimeZone::UTC).datetime();
        let year = time.year().clamp(FIRST_YEAR, LAST_YEAR);
        let date = kept_in_month(year, time.month(), time.day());
        Self {
            time: date.at(time.hour(), time.minute(), 0, 0),
            at: 0,
        }
    }

    /// The field that is being set.
    pub(super) fn field(&self) -> Field {
        FIELDS[self.at % FIELDS.len()]
    }

    /// Whether that is the last one.
    pub(super) const fn is_last(&self) -> bool {
        self.at + 1 == FIELDS.len()
    }

    /// The next field, or the one before; none beyond the first and the last.
    pub(super) fn step(mut self, forward: bool) -> Option<Self> {
        self.at = if forward {
            self.at.checked_add(1).filter(|at| *at < FIELDS.len())?
        } else {
            self.at.checked_sub(1)?
        };
        Some(self)
    }

    /// Makes the field more by one, or less; round about at its ends.
    pub(super) fn turn(mut self, more: bool) -> Self {
        let by = if more { 1 } else { -1 };
        let round = |value: i8, first: i8, count: i8| first + (value - first + by + count) % count;
        let (day, clock) = (self.time.date(), self.time.time());
        self.time = match self.field() {
            Field::Year => {
                let count = LAST_YEAR - FIRST_YEAR + 1;
                let year = FIRST_YEAR + (day.year() - FIRST_YEAR + i16::from(by) + count) % count;
                kept_in_month(year, day.month(), day.day()).to_datetime(clock)
            }
            Field::Month => kept_in_month(day.year(), round(day.month(), 1, 12), day.day()).to_datetime(clock),
            Field::Day => {
                let days = day.days_in_month();
                kept_in_month(day.year(), day.month(), round(day.day(), 1, days)).to_datetime(clock)
            }
            Field::Hour => day.at(round(clock.hour(), 0, 24), clock.minute(), 0, 0),
            Field::Minute => day.at(clock.hour(), round(clock.minute(), 0, 60), 0, 0),
        };
        self
    }

    /// The fields as they are read: `2026`, `11`, `27`, `04`, `15`.
    pub(super) fn texts(&self) -> [(Field, String); 5] {
        let (day, clock) = (self.time.date(), self.time.time());
        FIELDS.map(|field| {
            let text = match field {
                Field::Year => format!("{:04}", day.year()),
                Field::Month => format!("{:02}", day.month()),
                Field::Day => format!("{:02}", day.day()),
                Field::Hour => format!("{:02}", clock.hour()),
                Field::Minute => format!("{:02}", clock.minute()),
            };
            (field, text)
        })
    }

    /// The time that is set, epoch ms.
    pub(super) fn millis(&self) -> i64 {
        let time = self.time.to_zoned(TimeZone::UTC);
        time.map_or(0, |time| time.timestamp().as_millisecond())
    }
}

/// A month may have fewer days than the one before.
fn kept_in_month(year: i16, month: i8, day: i8) -> Date {
    let first = date(year, month, 1);
    let last = first.days_in_month();
    first.saturating_add(i64::from(day.clamp(1, last) - 1).days())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(entry: &ClockEntry) -> String {
        let [year, month, day, hour, minute] = entry.texts().map(|(_, text)| text);
        format!("{year}-{month}-{day} {hour}:{minute}")
    }

    #[test]
    fn fields_go_round_and_a_day_stays_in_its_month() {
        let entry = ClockEntry::from(1_795_741_503_000);
        assert_eq!(read(&entry), "2026-11-27 01:05");
        assert_eq!(read(&entry.clone().turn(false)), "2056-11-27 01:05");
        let month = entry.step(true).unwrap();
        assert_eq!(read(&month.clone().turn(true).turn(true)), "2026-01-27 01:05");
        let day = month.clone().step(true).unwrap();
        let last = day.clone().turn(true).turn(true).turn(true);
        assert_eq!(read(&last), "2026-11-30 01:05");
        assert_eq!(read(&last.clone().turn(true)), "2026-11-01 01:05");
        let february = last.step(false).unwrap();
        let february = (0..3).fold(february, |entry, _| entry.turn(true));
        assert_eq!(read(&february), "2026-02-28 01:05");
        let hour = day.step(true).unwrap();
        assert_eq!(read(&hour.clone().turn(false).turn(false)), "2026-11-27 23:05");
        let minute = hour.step(true).unwrap();
        assert!(minute.is_last() && minute.clone().step(true).is_none());
        assert_eq!(minute.turn(true).millis(), 1_795_741_560_000);
        assert!(ClockEntry::from(0).step(false).is_none());
    }

    proptest! {
        #[test]
        fn whatever_is_pressed_it_is_a_time_that_can_be_set(millis: i64, presses in prop::collection::vec(any::<(bool, bool)>(), 0..60)) {
            let mut entry = ClockEntry::from(millis);
            for (steps, forward) in presses {
                entry = if steps { entry.clone().step(forward).unwrap_or(entry) } else { entry.turn(forward) };
            }
            prop_assert_eq!(read(&entry).len(), 16);
            prop_assert_eq!(ClockEntry::from(entry.millis()).time, entry.time);
        }
    }
}
