//! Pulling: the answer is read as it comes, row by row, into the store's spool.

use std::fmt;
use std::io::{self, BufReader, Read};

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
/// The most that one row may take, bytes.
const ROW: u64 = 16 * 1024 * 1024;

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
fn read(pieces: Pieces, spool: &mut Spool) -> Result<i64, PullError> {
    let mut taking = Taking { spool, failure: None };
    let mut reader = BufReader::with_capacity(64 * 1024, pieces);
    let mut deserializer = serde_json::Deserializer::from_reader(&mut reader);
    let answer = AnswerSeed(&mut taking).deserialize(&mut deserializer);
    let answer = answer.and_then(|answer| deserializer.end().map(|()| answer));
    match (answer, taking.failure) {
        (_, Some(failure)) => Err(failure.into()),
        (Ok(Some(timestamp)), None) => Ok(timestamp),
        (Ok(None) | Err(_), None) => Err(CloudError::Answer.into()),
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

struct Taking<'a> {
    spool: &'a mut Spool,
    failure: Option<StoreError>,
}

impl Taking<'_> {
    fn take(&mut self, table: TableId, list: List, json: &str) -> Result<(), &'static str> {
        if json.len() as u64 > ROW {
            return Err("a row that is none");
        }
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
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
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
            // Other hubs with their keys' digests, and PINs of devices, come too: dropped unread.
            match TableId::named(&name).filter(|table| table.table().cloud.pulls()) {
                Some(table) => {
                    self.0.spool.has_table(table);
                    map.next_value_seed(TableLists(&mut *self.0, table))?;
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
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
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
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
