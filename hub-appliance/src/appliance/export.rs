//! The audit log for people: as JSON, an object a line, or as CSV that a spreadsheet opens and does not run.
//!
//! Staff and phones are named beside their numbers, as they are called now. Patients are ids alone.

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::value::RawValue;

use super::ApplianceError;
use super::desk::DeskError;
use crate::clock::HubTime;
use crate::store::Store;
use crate::store::audit::{Entry, Written};

/// Entries that are read together.
const PAGE: u32 = 1_000;
/// Tells spreadsheets that what follows is UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{FEFF}".as_bytes();

/// How the log is written out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A JSON object a line.
    Jsonl,
    /// RFC 4180, UTF-8 with a byte order mark; what a spreadsheet would take for a formula begins with an apostrophe.
    Csv,
}

/// That is neither `jsonl` nor `csv`.
#[derive(Debug, thiserror::Error)]
#[error("jsonl or csv")]
pub struct NoFormat;

impl FromStr for Format {
    type Err = NoFormat;

    fn from_str(text: &str) -> Result<Self, NoFormat> {
        match text {
            "jsonl" => Ok(Self::Jsonl),
            "csv" => Ok(Self::Csv),
            _ => Err(NoFormat),
        }
    }
}

/// From when on: a day or a moment, by UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Since(pub HubTime);

/// That is no day and no moment.
#[derive(Debug, thiserror::Error)]
#[error("a day (2026-03-31) or a moment (2026-03-31T08:00:00Z)")]
pub struct NoTime;

impl FromStr for Since {
    type Err = NoTime;

    fn from_str(text: &str) -> Result<Self, NoTime> {
        let moment = text.parse::<Timestamp>().or_else(|_| {
            let day = text.parse::<Date>()?;
            Ok(day.to_zoned(TimeZone::UTC)?.timestamp())
        });
        let moment = moment.map_err(|_: jiff::Error| NoTime)?;
        Ok(Self(HubTime::from_millis(moment.as_millisecond())))
    }
}

#[derive(Serialize)]
struct Line<'a> {
    entry: i64,
    time: String,
    clock: &'static str,
    user: Option<&'a str>,
    user_name: Option<&'a str>,
    role: Option<&'a str>,
    device: i64,
    device_name: Option<&'a str>,
    address: Option<&'a str>,
    correlation: Option<&'a str>,
    action: &'a str,
    outcome: &'a str,
    detail: Option<&'a RawValue>,
}

const COLUMNS: [&str; 13] = [
    "entry",
    "time",
    "clock",
    "user",
    "user_name",
    "role",
    "device",
    "device_name",
    "address",
    "correlation",
    "action",
    "outcome",
    "detail",
];

impl<'a> Line<'a> {
    fn of(written: &'a Written) -> Self {
        Self {
            entry: written.number,
            time: Timestamp::from_millisecond(written.at.millis())
                .map_or_else(|_| String::new(), |time| time.to_string()),
            clock: match written.clock_trusted {
                Some(true) => "trusted",
                Some(false) => "not trusted",
                None => "unknown",
            },
            user: written.user.as_deref(),
            user_name: written.user_name.as_deref(),
            role: written.role.as_deref(),
            device: written.device.0,
            device_name: written.device_name.as_deref(),
            address: written.address.as_deref(),
            correlation: written.correlation.as_deref(),
            action: &written.action,
            outcome: &written.outcome,
            detail: serde_json::from_str(&written.detail).ok(),
        }
    }

    fn cells(&self) -> [String; COLUMNS.len()] {
        let text = |text: Option<&str>| inert(text.unwrap_or_default());
        [
            self.entry.to_string(),
            self.time.clone(),
            self.clock.into(),
            text(self.user),
            text(self.user_name),
            text(self.role),
            self.device.to_string(),
            text(self.device_name),
            text(self.address),
            text(self.correlation),
            inert(self.action),
            inert(self.outcome),
            text(self.detail.map(RawValue::get)),
        ]
    }
}

/// A text that no spreadsheet takes for a formula, whoever chose it: phones and users choose their names.
fn inert(text: &str) -> String {
    if text
        .trim_start()
        .starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠'])
        || text.starts_with(['\t', '\r', '\n'])
    {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

/// Where entries are written to.
enum Lines<'a, W: Write> {
    Jsonl(&'a mut W),
    Csv(Box<csv::Writer<&'a mut W>>),
}

impl<'a, W: Write> Lines<'a, W> {
    fn begin(format: Format, out: &'a mut W) -> io::Result<Self> {
        match format {
            Format::Jsonl => Ok(Self::Jsonl(out)),
            Format::Csv => {
                out.write_all(BYTE_ORDER_MARK)?;
                let mut writer = csv::WriterBuilder::new()
                    .quote_style(csv::QuoteStyle::Always)
                    .terminator(csv::Terminator::CRLF)
                    .from_writer(out);
                writer.write_record(COLUMNS)?;
                Ok(Self::Csv(Box::new(writer)))
            }
        }
    }

    fn write(&mut self, line: &Line<'_>) -> io::Result<()> {
        match self {
            Self::Jsonl(out) => {
                serde_json::to_writer(&mut *out, line)?;
                out.write_all(b"\n")
            }
            Self::Csv(writer) => Ok(writer.write_record(line.cells())?),
        }
    }

    fn end(self) -> io::Result<()> {
        match self {
            Self::Jsonl(out) => out.flush(),
            Self::Csv(mut writer) => writer.flush(),
        }
    }
}

/// Writes the entries since `since` to `out`, and into the log that it did; returns how many there were.
///
/// # Errors
/// What the store reports, or [`ApplianceError::Console`] for `out`.
pub fn log<W: Write>(store: &Store, Since(since): Since, format: Format, out: &mut W) -> Result<u64, DeskError> {
    let mut lines = Lines::begin(format, out).map_err(ApplianceError::Console)?;
    let (mut number, mut count) = (0, 0);
    loop {
        let page = store.read(|snapshot| snapshot.audit_entries(number, since, PAGE))?;
        for written in &page {
            lines.write(&Line::of(written)).map_err(ApplianceError::Console)?;
            count += 1;
        }
        match page.last() {
            Some(last) if page.len() == PAGE as usize => number = last.number,
            _ => break,
        }
    }
    lines.end().map_err(ApplianceError::Console)?;
    store.write(move |tx| {
        tx.audit(&Entry {
            action: "audit.export",
            detail: serde_json::json!({"since": since.millis(), "entries": count}).to_string(),
            outcome: "ok",
            ..Entry::default()
        })
    })?;
    Ok(count)
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::devices::DeviceNumber;

    fn written(device_name: &str) -> Written {
        Written {
            number: 7,
            at: HubTime::from_millis(1_790_000_000_123),
            clock_trusted: Some(false),
            user: Some("u1".into()),
            user_name: Some("Dr \"A\", B".into()),
            role: None,
            device: DeviceNumber(101),
            device_name: Some(device_name.into()),
            address: Some("192.168.1.7".into()),
            correlation: Some("12".into()),
            action: "get_patient".into(),
            detail: r#"{"patients":["p1"]}"#.into(),
            outcome: "ok".into(),
        }
    }

    fn exported(format: Format, device_name: &str) -> String {
        let mut out = Vec::new();
        let mut lines = Lines::begin(format, &mut out).unwrap();
        lines.write(&Line::of(&written(device_name))).unwrap();
        lines.end().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_spreadsheet_reads_the_same_and_runs_nothing() {
        for name in [
            "=HYPERLINK(\"http://x\")",
            "+1",
            "-1",
            "@SUM(A1)",
            "\t=1",
            " =1",
            "\r=1",
            "＝1",
            "a\r\n=1",
            "é;ü",
        ] {
            let text = exported(Format::Csv, name);
            assert!(text.starts_with('\u{FEFF}'), "{name:?}");
            let mut reader = csv::Reader::from_reader(text.trim_start_matches('\u{FEFF}').as_bytes());
            assert_eq!(reader.headers().unwrap(), &COLUMNS[..]);
            let row = reader.records().next().unwrap().unwrap();
            assert_eq!(&row[4], "Dr \"A\", B");
            assert_eq!((&row[1], &row[2]), ("2026-09-21T14:13:20.123Z", "not trusted"));
            let is_safe = name.starts_with(['a', 'é']);
            assert_eq!(row[7] == *name, is_safe, "{name:?}");
            assert_eq!(row[7].trim_start_matches('\''), name, "nothing of it is lost");
            assert!(!row[7].starts_with(['=', '+', '-', '@', '\t', '\r']), "{name:?}");
        }
    }

    #[test]
    fn a_line_of_json_is_an_object_with_the_detail_in_it() {
        let text = exported(Format::Jsonl, "=1");
        assert_eq!(text.matches('\n').count(), 1);
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["detail"]["patients"][0], "p1");
        assert_eq!(line["device_name"], "=1");
        assert_eq!(line["clock"], "not trusted");
    }

    #[test]
    fn a_day_begins_at_midnight_by_utc() {
        let millis = |text: &str| text.parse::<Since>().map(|since| since.0.millis()).ok();
        assert_eq!(millis("2026-03-31"), millis("2026-03-31T00:00:00Z"));
        assert_eq!(millis("2026-03-31T01:00:00+01:00"), millis("2026-03-31"));
        assert_eq!(millis("yesterday"), None);
        assert_eq!(millis("2026-03-31").unwrap() % (24 * 60 * 60 * 1000), 0);
    }
}
