//! `[lock]`: when the hub locks by itself.

use std::time::Duration;

use jiff::civil::Time;
use jiff::tz::TimeZone;

use super::{Reader, SetupFileError, Value};

/// The longest that a hub waits for a call, in hours: a week.
const MAX_HOURS: f64 = 168.0;
/// The shortest.
const MIN_HOURS: f64 = 0.001;

/// When the hub locks by itself; by default never.
#[derive(Clone, Debug, Default)]
pub struct LockSetup {
    /// Each day at this time in this zone.
    pub at: Option<(Time, TimeZone)>,
    /// After so long in which no phone called.
    pub idle: Option<Duration>,
}

impl<'t> Reader<'t> {
    pub(super) fn lock(&self, section: &Value<'t>) -> Result<LockSetup, SetupFileError> {
        let (mut at, mut zone, mut idle) = (None, None, None);
        for (name, value) in self.section(section, "lock")? {
            match name.get_ref().as_ref() {
                "at" => at = Some((value, self.time_of_day(value)?)),
                "time_zone" => {
                    let needs = || r#"the zone of the clinic, such as "Africa/Banjul""#.to_owned();
                    let found = value.get_ref().as_str().and_then(zone_named);
                    zone = Some(found.ok_or_else(|| self.wrong(value, "time_zone", needs()))?);
                }
                "idle_hours" => idle = Some(self.hours(value)?),
                _ => return Err(self.unknown(name, "at, time_zone or idle_hours in [lock]")),
            }
        }
        let at = match (at, zone) {
            (Some((_, time)), Some(zone)) => Some((time, zone)),
            (Some((value, _)), None) => {
                let needs = r#"time_zone beside it, such as "Africa/Banjul""#.to_owned();
                return Err(self.wrong(value, "at", needs));
            }
            (None, _) => None,
        };
        Ok(LockSetup { at, idle })
    }

    fn time_of_day(&self, value: &Value<'t>) -> Result<Time, SetupFileError> {
        let found = value.get_ref().as_str().and_then(|text| {
            let (hours, minutes) = text.split_once(':')?;
            let two_digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
            (two_digits(hours) && two_digits(minutes)).then_some(())?;
            Time::new(hours.parse().ok()?, minutes.parse().ok()?, 0, 0).ok()
        });
        found.ok_or_else(|| self.wrong(value, "at", r#"a time of day in quotes, such as "18:00""#.to_owned()))
    }

    fn hours(&self, value: &Value<'t>) -> Result<Duration, SetupFileError> {
        let number = value.get_ref();
        let whole = number.as_integer().and_then(|whole| whole.as_str().parse().ok());
        let hours: Option<f64> = whole.or_else(|| number.as_float()?.as_str().parse().ok());
        let hours = hours.filter(|hours| (MIN_HOURS..=MAX_HOURS).contains(hours));
        let needs = || format!("a number of hours without quotes, such as 4 or 0.5, at most {MAX_HOURS}");
        let hours = hours.ok_or_else(|| self.wrong(value, "idle_hours", needs()))?;
        Ok(Duration::from_secs_f64(hours * 3600.0))
    }
}

/// The time zone of this name.
pub(super) fn zone_named(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok()
}
