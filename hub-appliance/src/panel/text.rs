//! Texts made from figures, and texts that come from outside.

use std::time::Duration;

/// At most `max` characters of `text`, with everything but printable ASCII replaced: what comes from outside must not
/// look like something that the hub says.
pub(super) fn printable(text: &str, max: usize) -> String {
    let mut kept: String = plain(text).take(max).collect();
    if plain(text).count() > max {
        kept.truncate(max.saturating_sub(2));
        kept.push_str("..");
    }
    kept
}

fn plain(text: &str) -> impl Iterator<Item = char> {
    let drawable = |c: char| if c == ' ' || c.is_ascii_graphic() { c } else { '?' };
    text.trim().chars().map(drawable)
}

/// A time as minutes and seconds, rounded up so that it never shows zero while there is some left.
pub(super) fn minutes(time: Duration) -> String {
    let seconds = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
    format!("{}:{:02}", (seconds / 60).min(99), seconds % 60)
}

/// A time, epoch ms, as a day and a time of day, without a time zone of anybody's.
pub(super) fn date(millis: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(millis).map(|time| time.strftime("%Y-%m-%d %H:%M UTC").to_string());
    let fits = time.ok().filter(|text| text.len() <= 20);
    fits.unwrap_or_else(|| UNKNOWN.to_owned())
}

/// The day of a time, epoch ms.
pub(super) fn day(millis: i64) -> String {
    date(millis).split(' ').next().unwrap_or(UNKNOWN).to_owned()
}

/// How long ago something was, as roughly as people say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ago {
    /// Less than two minutes.
    Now,
    /// 2 to 59 minutes.
    Minutes(u32),
    /// 1 to 23 hours.
    Hours(u32),
    /// 1 to 999 days.
    Days(u32),
}

impl Ago {
    pub(super) const fn of_minutes(minutes: u32) -> Self {
        match minutes {
            0..2 => Self::Now,
            2..60 => Self::Minutes(minutes),
            60..1440 => Self::Hours(minutes / 60),
            1440..1_440_000 => Self::Days(minutes / 1440),
            _ => Self::Days(999),
        }
    }
}

/// What stands for a figure that could not be found out.
pub(super) const UNKNOWN: &str = "?";

/// A count in at most 3 characters.
pub(super) fn short_count(count: u32) -> String {
    match count {
        0..=999 => count.to_string(),
        1000..=99_999 => format!("{}k", count / 1000),
        _ => "99k".to_owned(),
    }
}

/// A disk's size in at most 7 characters, in the decimal units that are printed on disks: millions, thousands of
/// millions, and so on.
pub(super) fn size(bytes: u64, units: [&str; 3]) -> String {
    let millions = bytes / 1_000_000;
    match millions {
        0..10_000 => format!("{millions} {}", units[0]),
        10_000..1_000_000 => format!("{} {}", millions / 1000, units[1]),
        _ => format!("{} {}", (millions / 1_000_000).min(9999), units[2]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn outside_text_is_short_and_plain(text: String, max in 2..30_usize) {
            let shown = printable(&text, max);
            prop_assert!(shown.len() <= max);
            prop_assert!(shown.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        }

        #[test]
        fn counts_are_short(count: u32) {
            prop_assert!(short_count(count).len() <= 3);
        }
    }

    #[test]
    fn sizes_are_those_on_the_disks() {
        let units = ["MB", "GB", "TB"];
        assert_eq!(size(512_000_000, units), "512 MB");
        assert_eq!(size(31_914_983_424, units), "31 GB");
        assert_eq!(size(2_000_398_934_016, units), "2 TB");
        assert!(size(u64::MAX, units).len() <= 7);
    }

    #[test]
    fn names_are_cut_with_two_dots() {
        assert_eq!(printable("Galaxy\nA15\u{202e}", 20), "Galaxy?A15?");
        assert_eq!(printable("Samsung Galaxy A15", 18), "Samsung Galaxy A15");
        assert_eq!(printable("Samsung Galaxy A15", 10), "Samsung ..");
    }

    #[test]
    fn a_time_is_told_without_a_zone_of_anybodys() {
        assert_eq!(date(1_795_741_503_000), "2026-11-27 01:05 UTC");
        assert_eq!(date(i64::MAX), UNKNOWN);
        assert_eq!(date(-100_000_000_000_000), UNKNOWN);
    }

    #[test]
    fn times_round_up() {
        assert_eq!(minutes(Duration::from_millis(29_001)), "0:30");
        assert_eq!(minutes(Duration::from_secs(3600)), "60:00");
        assert_eq!(minutes(Duration::ZERO), "0:00");
        assert_eq!(minutes(Duration::MAX), "99:15");
    }
}
