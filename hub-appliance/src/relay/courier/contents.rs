//! The inside of a bundle: JSON, one record a line, first a head, at the end how many lines there were.
//!
//! ```text
//! export   {"export":{…}}  {"row":{…}}*                       {"end":n}
//! answer   {"answer":{…}}  {"fate":{…}}*  {"table":name}*  {"told":{…}}*  {"end":n}
//! ```
//!
//! A line is bounded before it is parsed, and so is how many there may be. Rows themselves stay text here: they are read,
//! column by column, by those who read the cloud's answers.

use std::borrow::Cow;
use std::io::{BufRead, Read, Write};

use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{CourierError, FORMAT};
use crate::clock::HubTime;
use crate::relay::batch::{List as Of, Prepared};
use crate::store::relay::{CloudReason, Delivered, Digests, Sent};
use crate::store::schema::TableId;
use crate::store::sync::lists::List;

/// The longest line, bytes.
const LINE: u64 = 16 * 1024 * 1024;
/// The most lines.
const LINES: u64 = 20_000_000;
/// The longest id of a row, bytes.
const ID: usize = 128;
/// The most that a row of a bundle may have been before.
const BEFORE: usize = 64;
/// The longest text of a head, bytes, and the most clinics.
const TEXT: usize = 4096;
const CLINICS: usize = 1000;

/// What an export says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportHead {
    pub(super) format: u32,
    pub(super) hub: String,
    pub(super) number: u64,
    /// What people call the hub.
    pub(super) name: String,
    /// What the next pull for this hub begins at: the cloud's clock; 0 for everything.
    pub(super) since: i64,
    /// The clinics that the hub knows to be its own.
    pub(super) clinics: Vec<String>,
    /// Whom the answer is sealed to.
    pub(super) answer_to: String,
}

/// What an answer says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerHead {
    pub(super) format: u32,
    pub(super) hub: String,
    pub(super) number: u64,
    /// The number of the bundle that it answers; 0: of none.
    pub(super) bundle: u64,
    /// What its pull began at, and the cloud's `timestamp` of that.
    pub(super) since: i64,
    pub(super) timestamp: i64,
    pub(super) clinics: Vec<String>,
    /// The cloud's URL.
    pub(super) cloud: String,
}

/// A record of a bundle.
#[derive(Debug)]
pub enum Record<'a> {
    /// The head of an export.
    Export(ExportHead),
    /// The head of an answer.
    Answer(AnswerHead),
    /// A row to be pushed.
    Row(Row),
    /// What became of one.
    Fate(Delivered),
    /// The cloud's answer has this table.
    Table(TableId),
    /// A row of the cloud's answer: its table, the list that it stood in, its JSON.
    Told(TableId, List, &'a str),
}

/// A row of an export.
#[derive(Debug)]
pub struct Row(pub(in crate::relay) Prepared);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line<'a> {
    Export(ExportHead),
    Answer(AnswerHead),
    #[serde(borrow)]
    Row(RowLine<'a>),
    #[serde(borrow)]
    Fate(FateLine<'a>),
    #[serde(borrow)]
    Table(Cow<'a, str>),
    #[serde(borrow)]
    Told(ToldLine<'a>),
    End(u64),
}

#[derive(Serialize, Deserialize)]
struct RowLine<'a> {
    #[serde(borrow)]
    sent: SentLine<'a>,
    list: Cow<'a, str>,
    #[serde(borrow)]
    row: &'a RawValue,
    before: Vec<String>,
    /// What goes where the cloud refuses the row by itself. Bundles of before had none.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    instead: Option<InsteadLine<'a>>,
}

#[derive(Serialize, Deserialize)]
struct InsteadLine<'a> {
    #[serde(borrow)]
    row: &'a RawValue,
    digests: String,
}

#[derive(Serialize, Deserialize)]
struct FateLine<'a> {
    #[serde(borrow)]
    sent: SentLine<'a>,
    refused: bool,
}

#[derive(Serialize, Deserialize)]
struct SentLine<'a> {
    table: Cow<'a, str>,
    id: Cow<'a, str>,
    version: i64,
    /// None of a deletion.
    digests: Option<String>,
    proof: Proof,
}

#[derive(Serialize, Deserialize)]
struct ToldLine<'a> {
    table: Cow<'a, str>,
    list: Cow<'a, str>,
    #[serde(borrow)]
    row: &'a RawValue,
}

/// What proves that the cloud has a row.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Proof {
    /// It shows it.
    Shown,
    /// It says so: it never shows it.
    Answer,
    /// The same, and what the hub says of it meanwhile.
    NoClinic,
}

/// Reads what is in a bundle, and hands over one record after the other.
///
/// # Errors
/// [`CourierError::Damaged`] or [`CourierError::Version`], or what `take` gives.
pub fn read_contents(
    input: &mut dyn BufRead,
    take: &mut dyn FnMut(Record<'_>) -> Result<(), CourierError>,
) -> Result<(), CourierError> {
    let mut line = Vec::new();
    for number in 0..LINES {
        line.clear();
        (&mut *input).take(LINE).read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            return Err(CourierError::Damaged);
        }
        let text = std::str::from_utf8(&line).map_err(|_| CourierError::Damaged)?;
        let read: Line<'_> = serde_json::from_str(text).map_err(|_| CourierError::Damaged)?;
        let is_head = matches!(read, Line::Export(_) | Line::Answer(_));
        if is_head != (number == 0) {
            return Err(CourierError::Damaged);
        }
        match record(&read)? {
            Some(record) => take(record)?,
            None if !matches!(read, Line::End(lines) if lines == number) => return Err(CourierError::Damaged),
            None if input.fill_buf()?.is_empty() => return Ok(()),
            None => return Err(CourierError::Damaged),
        }
    }
    Err(CourierError::TooLarge)
}

/// None of the end.
fn record<'a>(line: &Line<'a>) -> Result<Option<Record<'a>>, CourierError> {
    Ok(Some(match line {
        Line::Export(head) => {
            is_ours(head.format, &head.clinics, &[&head.hub, &head.name, &head.answer_to])?;
            Record::Export(head.clone())
        }
        Line::Answer(head) => {
            is_ours(head.format, &head.clinics, &[&head.hub, &head.cloud])?;
            Record::Answer(head.clone())
        }
        Line::Row(row) => {
            let sent = sent(&row.sent)?;
            let list = match &*row.list {
                "created" => Of::Created,
                "updated" => Of::Updated,
                "deleted" => Of::Deleted,
                _ => return Err(CourierError::Damaged),
            };
            if (list == Of::Deleted) != sent.digests.is_none() || row.before.len() > BEFORE {
                return Err(CourierError::Damaged);
            }
            let before = row.before.iter().map(|text| digests(sent.table, text));
            let instead = row.instead.as_ref().map(|instead| {
                let digests = digests(sent.table, &instead.digests)?;
                Ok::<_, CourierError>((instead.row.get().into(), digests))
            });
            Record::Row(Row(Prepared {
                before: before.collect::<Result<_, _>>()?,
                sent,
                list,
                json: row.row.get().into(),
                instead: instead.transpose()?,
            }))
        }
        Line::Fate(fate) => Record::Fate(Delivered {
            sent: sent(&fate.sent)?,
            refused: fate.refused,
        }),
        Line::Table(name) => Record::Table(pulled(name)?),
        Line::Told(told) => {
            let lists = [List::Created, List::Updated, List::Deleted];
            let list = lists.into_iter().find(|list| list.name() == told.list);
            Record::Told(pulled(&told.table)?, list.ok_or(CourierError::Damaged)?, told.row.get())
        }
        Line::End(_) => return Ok(None),
    }))
}

fn is_ours(format: u32, clinics: &[String], texts: &[&String]) -> Result<(), CourierError> {
    if format != FORMAT {
        return Err(CourierError::Version);
    }
    let mut all = texts.iter().copied().chain(clinics);
    if clinics.len() > CLINICS || all.any(|text| text.len() > TEXT) {
        return Err(CourierError::Damaged);
    }
    Ok(())
}

fn pulled(name: &str) -> Result<TableId, CourierError> {
    let table = TableId::named(name).filter(|table| table.table().cloud.pulls());
    table.ok_or(CourierError::Version)
}

fn sent(line: &SentLine<'_>) -> Result<Sent, CourierError> {
    let table = TableId::named(&line.table).filter(|table| table.table().cloud.pushes());
    let table = table.ok_or(CourierError::Version)?;
    if line.id.is_empty() || line.id.len() > ID {
        return Err(CourierError::Damaged);
    }
    Ok(Sent {
        table,
        id: (&*line.id).into(),
        version: HubTime::from_millis(line.version),
        digests: line.digests.as_ref().map(|text| digests(table, text)).transpose()?,
        on_answer: match line.proof {
            Proof::Shown => None,
            Proof::Answer => Some(None),
            Proof::NoClinic => Some(Some(CloudReason::NoClinic)),
        },
    })
}

fn digests(table: TableId, text: &str) -> Result<Digests, CourierError> {
    let bytes = BASE64.decode(text).map_err(|_| CourierError::Damaged)?;
    Digests::from_stored(bytes, table.table()).ok_or(CourierError::Version)
}

/// Writes what is in a bundle.
pub(super) struct Contents<'w> {
    output: &'w mut dyn Write,
    lines: u64,
}

impl<'w> Contents<'w> {
    pub(super) fn new(output: &'w mut dyn Write) -> Self {
        Self { output, lines: 0 }
    }

    fn line(&mut self, line: &Line<'_>) -> Result<(), CourierError> {
        self.bytes(text(line)?.as_bytes())
    }

    fn bytes(&mut self, line: &[u8]) -> Result<(), CourierError> {
        self.output.write_all(line)?;
        self.output.write_all(b"\n")?;
        self.lines += 1;
        Ok(())
    }

    pub(super) fn export(&mut self, head: ExportHead) -> Result<(), CourierError> {
        self.line(&Line::Export(ExportHead { format: FORMAT, ..head }))
    }

    pub(super) fn answer(&mut self, head: AnswerHead) -> Result<(), CourierError> {
        self.line(&Line::Answer(AnswerHead { format: FORMAT, ..head }))
    }

    pub(super) fn row(&mut self, row: &Prepared) -> Result<(), CourierError> {
        self.bytes(row_line(row)?.as_bytes())
    }

    pub(super) fn fate(&mut self, fate: &Delivered) -> Result<(), CourierError> {
        self.bytes(fate_line(fate)?.as_bytes())
    }

    pub(super) fn table(&mut self, table: TableId) -> Result<(), CourierError> {
        self.line(&Line::Table(table.table().name.into()))
    }

    pub(super) fn told(&mut self, table: TableId, list: List, json: &str) -> Result<(), CourierError> {
        let json = on_one_line(json);
        self.line(&Line::Told(ToldLine {
            table: table.table().name.into(),
            list: list.name().into(),
            row: raw(&json)?,
        }))
    }

    pub(super) fn end(mut self) -> Result<(), CourierError> {
        self.line(&Line::End(self.lines))
    }
}

fn text(line: &Line<'_>) -> Result<String, CourierError> {
    serde_json::to_string(line).map_err(|error| CourierError::Disk(error.into()))
}

/// A row as it stands in a bundle, on a line of its own.
pub(super) fn row_line(row: &Prepared) -> Result<String, CourierError> {
    let json = on_one_line(&row.json);
    let instead = row.instead.as_ref();
    let instead = instead.map(|(json, digests)| (on_one_line(json), BASE64.encode(digests.as_bytes())));
    let list = match row.list {
        Of::Created => "created",
        Of::Updated => "updated",
        Of::Deleted => "deleted",
    };
    let before = row.before.iter().rev().take(BEFORE);
    text(&Line::Row(RowLine {
        sent: sent_line(&row.sent),
        list: list.into(),
        row: raw(&json)?,
        before: before.map(|digests| BASE64.encode(digests.as_bytes())).collect(),
        instead: match &instead {
            Some((json, digests)) => Some(InsteadLine {
                row: raw(json)?,
                digests: digests.clone(),
            }),
            None => None,
        },
    }))
}

/// What became of a row, as it stands in a bundle.
pub(super) fn fate_line(fate: &Delivered) -> Result<String, CourierError> {
    text(&Line::Fate(FateLine {
        sent: sent_line(&fate.sent),
        refused: fate.refused,
    }))
}

/// Reads what [`row_line`] wrote.
pub(super) fn row_of(text: &str) -> Result<Prepared, CourierError> {
    match record(&serde_json::from_str(text).map_err(|_| CourierError::Damaged)?)? {
        Some(Record::Row(Row(row))) => Ok(row),
        _ => Err(CourierError::Damaged),
    }
}

/// Reads what [`fate_line`] wrote.
pub(super) fn fate_of(text: &str) -> Result<Delivered, CourierError> {
    match record(&serde_json::from_str(text).map_err(|_| CourierError::Damaged)?)? {
        Some(Record::Fate(fate)) => Ok(fate),
        _ => Err(CourierError::Damaged),
    }
}

/// In a text of JSON a line ends only between tokens.
fn on_one_line(json: &str) -> Cow<'_, str> {
    if json.contains(['\n', '\r']) {
        json.replace(['\n', '\r'], " ").into()
    } else {
        json.into()
    }
}

fn raw(json: &str) -> Result<&RawValue, CourierError> {
    serde_json::from_str(json).map_err(|_| CourierError::Damaged)
}

fn sent_line(sent: &Sent) -> SentLine<'_> {
    let digests = sent.digests.as_ref();
    SentLine {
        table: sent.table.table().name.into(),
        id: (&*sent.id).into(),
        version: sent.version.millis(),
        digests: digests.map(|digests| BASE64.encode(digests.as_bytes())),
        proof: match sent.on_answer {
            None => Proof::Shown,
            Some(None) => Proof::Answer,
            Some(Some(_)) => Proof::NoClinic,
        },
    }
}
