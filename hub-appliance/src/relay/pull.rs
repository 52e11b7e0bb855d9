//! Pulling: the answer is read as it comes, row by row, into the store's spool.

use std::cell::Cell;
use std::fmt;
use std::io::{self, BufReader, Read};
use std::rc::Rc;

use bytes::{Buf as _, Bytes};
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use tokio::sync::mpsc::{Receiver, channel};

use super::http::{Cloud, CloudError, PULLED, next_piece};
use crate::store::StoreError;
use crate::store::relay::Spool;
use crate::store::schema::TableId;
use crate::store::sync::lists::List;

/// Pieces of a body that may wait to be read.
const AHEAD: usize = 8;
/// The most that one row may take, and what is around it, bytes.
const ROW: u64 = 16 * 1024 * 1024;
/// What can be a `timestamp`, epoch ms: to the end of the year 9999.
const TIMES: std::ops::RangeInclusive<i64> = 0..=253_402_300_799_999;

/// Why there is no answer to apply.
#[derive(Debug, thiserror::Error)]
pub(super) enum PullError {
    #[error(transparent)]
    Cloud(#[from] CloudError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Pulls what changed since `since` into the spool; gives the answer's `timestamp`.
pub(super) async fn pull(cloud: &Cloud, since: i64, mut spool: Spool) -> Result<(Spool, i64), PullError> {
    let mut response = cloud.pull(since).await?;
    let (pieces, received) = channel(AHEAD);
    let reading = tokio::task::spawn_blocking(move || {
        let timestamp = read(Pieces::new(received), &mut spool)?;
        Ok::<_, PullError>((spool, timestamp))
    });
    let mut bytes = 0;
    loop {
        match next_piece(&mut response).await {
            Ok(Some(piece)) => {
                bytes += piece.len() as u64;
                if bytes > PULLED {
                    return Err(CloudError::Answer.into());
                }
                // Whoever reads has met with something that it says itself.
                if pieces.send(piece).await.is_err() {
                    break;
                }
            }
            Ok(None) => break,
            Err(error) => {
                drop(pieces);
                // The next pull has the same spool.
                let _ = reading.await;
                return Err(error.into());
            }
        }
    }
    drop(pieces);
    reading.await.unwrap_or(Err(CloudError::Answer.into()))
}

/// Reads an answer.
fn read(pieces: impl Read, spool: &mut Spool) -> Result<i64, PullError> {
    let allowance = Rc::new(Cell::new(ROW));
    let mut taking = Taking {
        spool,
        failure: None,
        allowance: Rc::clone(&allowance),
    };
    let mut reader = BufReader::with_capacity(64 * 1024, Rationed { pieces, allowance });
    let mut deserializer = serde_json::Deserializer::from_reader(&mut reader);
    let answer = AnswerSeed(&mut taking).deserialize(&mut deserializer);
    let answer = answer.and_then(|answer| deserializer.end().map(|()| answer));
    match (answer, taking.failure) {
        (_, Some(failure)) => Err(failure.into()),
        (Ok(Some(timestamp)), None) if TIMES.contains(&timestamp) => Ok(timestamp),
        (Ok(_) | Err(_), None) => Err(CloudError::Answer.into()),
    }
}

/// A body as it comes.
struct Pieces {
    received: Receiver<Bytes>,
    piece: Bytes,
}

impl Pieces {
    const fn new(received: Receiver<Bytes>) -> Self {
        Self {
            received,
            piece: Bytes::new(),
        }
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.received.blocking_recv() {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

/// A body of which no more is read at a time than is allowed: a row or a name has to be in memory, whatever its length.
struct Rationed<R> {
    pieces: R,
    /// Bytes that may still be read.
    allowance: Rc<Cell<u64>>,
}

impl<R: Read> Read for Rationed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.pieces.read(buffer)?;
        let left = self.allowance.get().checked_sub(count as u64);
        self.allowance.set(left.ok_or(io::ErrorKind::FileTooLarge)?);
        Ok(count)
    }
}

struct Taking<'a> {
    spool: &'a mut Spool,
    failure: Option<StoreError>,
    allowance: Rc<Cell<u64>>,
}

impl Taking<'_> {
    /// The next row or name may be as long as any.
    fn go_on(&self) {
        self.allowance.set(ROW);
    }

    /// Reads over a value, which may be of any length: nothing of it is kept.
    fn skip<'de, A: MapAccess<'de>>(&self, map: &mut A) -> Result<(), A::Error> {
        self.allowance.set(PULLED);
        map.next_value::<IgnoredAny>()?;
        self.go_on();
        Ok(())
    }

    fn take(&mut self, table: TableId, list: List, json: &str) -> Result<(), &'static str> {
        self.go_on();
        self.spool.push(table, list, json).map_err(|error| {
            self.failure = Some(error);
            "the spool"
        })
    }
}

/// The answer: gives its `timestamp`, if it is a success and has one.
struct AnswerSeed<'t, 's>(&'t mut Taking<'s>);

impl<'de> DeserializeSeed<'de> for AnswerSeed<'_, '_> {
    type Value = Option<i64>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for AnswerSeed<'_, '_> {
    type Value = Option<i64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an answer")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut success, mut timestamp, mut has_changes) = (false, None, false);
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "success" => success = map.next_value()?,
                "timestamp" => timestamp = Some(map.next_value()?),
                "changes" => {
                    map.next_value_seed(Tables(&mut *self.0))?;
                    has_changes = true;
                }
                _ => self.0.skip(&mut map)?,
            }
        }
        Ok(timestamp.filter(|_| success && has_changes))
    }
}

struct Tables<'t, 's>(&'t mut Taking<'s>);

impl<'de> DeserializeSeed<'de> for Tables<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Tables<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tables")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            self.0.go_on();
            // Other hubs with their keys' digests, and PINs of devices, come too: dropped unread.
            match TableId::named(&name).filter(|table| table.table().cloud.pulls()) {
                Some(table) => {
                    self.0.spool.has_table(table);
                    map.next_value_seed(TableLists(&mut *self.0, table))?;
                }
                None => self.0.skip(&mut map)?,
            }
        }
        Ok(())
    }
}

struct TableLists<'t, 's>(&'t mut Taking<'s>, TableId);

impl<'de> DeserializeSeed<'de> for TableLists<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for TableLists<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the lists of a table")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            let lists = [List::Created, List::Updated, List::Deleted];
            match lists.into_iter().find(|list| list.name() == name) {
                Some(list) => map.next_value_seed(Rows(&mut *self.0, self.1, list))?,
                None => self.0.skip(&mut map)?,
            }
        }
        Ok(())
    }
}

struct Rows<'t, 's>(&'t mut Taking<'s>, TableId, List);

impl<'de> DeserializeSeed<'de> for Rows<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rows")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        while let Some(row) = rows.next_element::<Box<RawValue>>()? {
            self.0.take(self.1, self.2, row.get()).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads an answer: how many rows it has, and its time.
    fn answer(text: &str) -> Result<(u64, i64), PullError> {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::within(folder.path(), "answer");
        let timestamp = read(text.as_bytes(), &mut spool)?;
        Ok((spool.rows(), timestamp))
    }

    #[test]
    fn an_answer_is_read_whatever_else_is_in_it_and_however_much() {
        let long = "x".repeat(17 * 1024 * 1024);
        let text = format!(
            r#"{{"success":true,"more":[{{"a":["{long}"]}}],"changes":{{"undefined":{{"created":[{{"key_hash":"{long}"}}]}},
            "no_such_table":{{"created":[{{}}]}},"patients":{{"created":[{{"id":1}},{{"id":2}}],"more":["{long}"],"deleted":["a"],
            "updated":null}},"visits":null}},"timestamp":17}}"#
        );
        assert_eq!(answer(&text).unwrap(), (3, 17));
    }

    #[test]
    fn what_makes_no_sense_is_no_answer() {
        let with = |changes: &str, time: &str| format!(r#"{{"success":true,"changes":{changes},"timestamp":{time}}}"#);
        let patients = |rows: &str| with(&format!(r#"{{"patients":{{"created":[{rows}]}}}}"#), "17");
        assert!(answer(&patients("{}")).is_ok());
        let long = "x".repeat(17 * 1024 * 1024);
        let made = [
            patients(&format!(r#"{{"id":"{long}"}}"#)),
            with(&format!(r#"{{"{long}":{{}}}}"#), "17"),
            patients("{}}"),
            patients("{},"),
            patients(&"[".repeat(1_000_000)),
            patients("{}") + "{}",
            with(r#"{"patients":[]}"#, "17"),
            with(r#"{"patients":{"created":{}}}"#, "17"),
            with("[]", "17"),
        ];
        let times = [
            "-1",
            "1e99",
            "9223372036854775807",
            "253402300800000",
            "null",
            "17.5",
            r#""17""#,
        ];
        let others = [
            r#"{"success":false,"changes":{},"timestamp":17}"#,
            r#"{"success":"true","changes":{},"timestamp":17}"#,
            r#"{"changes":{},"timestamp":17}"#,
            r#"{"success":true,"timestamp":17}"#,
            "[object Object]",
            "<html>Welcome to the hotel</html>",
            "null",
            "",
        ];
        let times = times.iter().map(|time| with("{}", time));
        let others = others.iter().map(|text| (*text).to_owned());
        for text in made.into_iter().chain(times).chain(others) {
            let answered = answer(&text);
            let start: String = text.chars().take(60).collect();
            assert!(
                matches!(answered, Err(PullError::Cloud(CloudError::Answer))),
                "{start}: {answered:?}"
            );
        }
    }
}
