//! One phone's pulls and pushes: what it asks meets what is written down of its cursors, and what it is given is written
//! down before it is given.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension};

use super::ahead::Ahead;
use super::cursors::{Cursor, Cursors, Earlier, Place, Reached, Seen, Start, millis, places_from_text, places_to_text};
use super::generation::Generation;
use super::pull::{PullRequest, PullSummary, places_in_sight};
use crate::clock::HubTime;
use crate::store::audit::Entry;
use crate::store::devices::{DeviceNumber, Scope};
use crate::store::error::StoreError;
use crate::store::writer::WriteTx;
use crate::store::{Snapshot, Store};

/// How long an answer is remembered, ms: 60 days. What is forgotten is when each one was given, not with which places.
const REMEMBERED_MS: i64 = 60 * 24 * 60 * 60 * 1000;
/// The newest answers of a device are remembered however old they are: a clock that is put forward makes nothing long ago.
const REMEMBERED_ANSWERS: u32 = 256;

/// How many answers are looked back for where two copies of a database parted: a month's, at a sync every few minutes.
const STEPS_BACK: usize = 5_000;

/// A pull, as a phone asks for it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The device.
    pub device: DeviceNumber,
    /// Which app it runs.
    pub generation: Generation,
    /// Whose rows it may get.
    pub scope: Scope,
    /// Its `lastPulledAt`.
    pub last_pulled_at: f64,
    /// Bytes that the answer may have.
    pub at_most: usize,
}

impl Asked {
    /// The same, whose answer may have so many bytes.
    #[must_use]
    pub const fn within(mut self, at_most: usize) -> Self {
        self.at_most = at_most;
        self
    }
}

/// What a pull gave.
#[derive(Clone, Debug)]
pub struct Answered {
    /// Its rows and its cursor.
    pub summary: PullSummary,
    /// It asked once more for what had been given already.
    pub repeated: bool,
}

impl Store {
    /// Answers a pull: writes the answer into `out`, and what it is into the store, with the entry that `entry` makes of it
    /// for the audit log. A pull that says nothing and tells nothing new costs no write. `None`: its `message` was taken
    /// before, perhaps before a restart.
    ///
    /// # Errors
    /// [`StoreError::TooLong`], or what the store reports: then nothing is written down, and `out` may hold an unfinished
    /// answer.
    pub fn pull(
        &self,
        asked: &Asked,
        message: Option<&[u8]>,
        out: &mut Vec<u8>,
        entry: impl FnOnce(&PullSummary) -> Option<Entry>,
    ) -> Result<Option<Answered>, StoreError> {
        let begun = out.len();
        let (known, mut cursors, start, summary, (was_ahead, mut ahead)) = loop {
            let answered = self.read(|snapshot| {
                if let Some(message) = message
                    && snapshot.knows_message(message)?
                {
                    return Ok(None);
                }
                answer(snapshot, asked, out).map(Some)
            })?;
            match answered {
                None => return Ok(None),
                Some(Some(answered)) => break answered,
                Some(None) => {}
            }
            out.truncate(begun);
            // The answer gets a timestamp of its own, in a snapshot of its own.
            self.write(|tx| {
                tx.change_time();
                Ok::<_, StoreError>(())
            })?;
        };
        let answered = Answered {
            repeated: known.repeats(asked.last_pulled_at),
            summary,
        };
        let next = &answered.summary.next;
        let resent = answered.summary.resent.clone();
        let says_nothing = answered.summary.rows.is_empty() && *next == start.cursor;
        let lost = (start.lost && !says_nothing).then_some(cursors.given.at);
        let (arrived, another) = (start.cursor.at, start.another);
        if !says_nothing {
            cursors.answered(asked.last_pulled_at, start, next.clone());
        }
        ahead.rewind_to = None;
        let entry = entry(&answered.summary);
        if known == cursors && ahead == was_ahead && entry.is_none() {
            return Ok(Some(answered));
        }
        let device = asked.device;
        let message = message.map(<[u8]>::to_vec);
        let is_new = self.write(move |tx| {
            if let Some(message) = message
                && !tx.admit_message(&message)?
            {
                return Ok(false);
            }
            if ahead != was_ahead {
                tx.set_ahead(device, &ahead)?;
            }
            if let Some(lost) = lost {
                tx.note_lost(device, lost)?;
            }
            if !says_nothing {
                tx.note_answer(device, &cursors, another)?;
                tx.forget_answers(device, &mut cursors)?;
            }
            tx.set_cursors(device, &cursors)?;
            if !says_nothing {
                tx.note_resent(device, arrived, cursors.given.at, &resent)?;
            }
            entry.iter().try_for_each(|entry| tx.audit(entry))?;
            Ok::<_, StoreError>(true)
        })?;
        Ok(is_new.then_some(answered))
    }

    /// About how many bytes the answer to a pull will have.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn expected_pull(&self, asked: &Asked) -> Result<usize, StoreError> {
        self.read(|snapshot| {
            let connection = snapshot.connection()?;
            let mut cursors = cursors(connection, asked.device)?;
            let known_since = cursors.known_since;
            let start = cursors.at_pull(asked.last_pulled_at, |at| {
                database_at(connection, (asked.device, known_since), at)
            })?;
            let places = places_in_sight(&asked.scope, asked.generation).into_iter();
            let since = places.map(|place| start.cursor.reached.of(&place)).min().flatten();
            snapshot.expected_pull(since.unwrap_or(HubTime::ZERO))
        })
    }
}

type Answer = (Cursors, Cursors, Start, PullSummary, (Ahead, Ahead));

fn answer(snapshot: &Snapshot<'_>, asked: &Asked, out: &mut Vec<u8>) -> Result<Option<Answer>, StoreError> {
    let connection = snapshot.connection()?;
    let known = cursors(connection, asked.device)?;
    let known_since = known.known_since;
    let mut cursors = known.clone();
    let mut start = cursors.at_pull(asked.last_pulled_at, |at| {
        database_at(connection, (asked.device, known_since), at)
    })?;
    let was_ahead = Ahead::of(connection, asked.device)?;
    let mut ahead = was_ahead;
    ahead.at_pull(millis(asked.last_pulled_at), &known);
    if let Some(to) = ahead.rewind_to {
        start.cursor.reached = start.cursor.reached.no_later_than(to);
    }
    let request = PullRequest {
        device: asked.device,
        alone_since: if start.another {
            snapshot.last_change()
        } else {
            cursors.alone_since
        },
        start,
        scope: asked.scope.clone(),
        generation: asked.generation,
        given: known.given.clone(),
        may_have_before: ahead.may_have_before(),
        at_most: asked.at_most,
    };
    let summary = snapshot.pull(&request, out)?;
    Ok(summary.map(|summary| (known, cursors, request.start, summary, (was_ahead, ahead))))
}

/// The cursors of a device as they are written down.
fn cursors(connection: &Connection, device: DeviceNumber) -> Result<Cursors, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT given_at, given_scope, before_at, before_scope, asked, doubtful, alone_since, known_since \
         FROM devices WHERE number = ?1",
    )?;
    let cursors = statement.query_row([device.0], |row| {
        let time = |column| row.get(column).map(HubTime::from_millis);
        let cursor = |at, reached| -> rusqlite::Result<Cursor> {
            let at = time(at)?;
            let reached = Reached::from_text(row.get_ref(reached)?.as_str().unwrap_or_default(), at);
            Ok(Cursor { at, reached })
        };
        Ok(Cursors {
            given: cursor(0, 1)?,
            before: cursor(2, 3)?,
            asked: row.get::<_, Option<i64>>(4)?.map(HubTime::from_millis),
            doubtful: row.get(5)?,
            alone_since: time(6)?,
            known_since: time(7)?,
        })
    });
    Ok(cursors.optional()?.unwrap_or_default())
}

/// An answer that was given.
struct Given {
    places: BTreeSet<Place>,
    asked: HubTime,
    another: bool,
}

fn earlier_answer(connection: &Connection, device: DeviceNumber, at: HubTime) -> Result<Option<Given>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT answer_places.places, asked, another FROM answers \
         JOIN answer_places ON answer_places.id = answers.places WHERE device = ?1 AND at = ?2",
    )?;
    let mut rows = statement.query((device.0, at.millis()))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(Given {
        places: places_from_text(row.get_ref(0)?.as_str().unwrap_or_default()),
        asked: HubTime::from_millis(row.get(1)?),
        another: row.get(2)?,
    }))
}

/// The database that took the answer with this timestamp, if there was one. Of those from before `known_since` the first of
/// each row of answers with the same places is left, which tells what the others had.
///
/// Two copies of one database ask from the same point at first, and until they are told apart neither is given what the
/// other one writes. So it is taken to have all only as of where the answers of this id parted, if they did since; it may
/// have what its answers gave all the same.
fn database_at(
    connection: &Connection,
    (device, known_since): (DeviceNumber, HubTime),
    at: HubTime,
) -> Result<Option<Earlier>, StoreError> {
    let Some(named) = earlier_answer(connection, device, at)? else {
        if at >= known_since {
            return Ok(None);
        }
        let places = places_before(connection, device, at)?;
        return Ok(places.map(|places| Earlier::with_all(at, places)));
    };
    // The first place where they parted counts, also where it may only have been an answer that was lost: that one may be
    // what a copy took, which shows when it asks from there, perhaps after this one.
    let mut parted = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM answers WHERE device = ?1 AND asked = ?2 AND at <> ?3)")?;
    let (mut has_all, mut answered, mut answer) = (at, at, Some((named.asked, named.another)));
    for _ in 0..STEPS_BACK {
        let Some((asked, false)) = answer else { break };
        let has_parted = parted.query_row((device.0, asked.millis(), answered.millis()), |row| row.get(0))?;
        if has_parted {
            has_all = asked;
        }
        answered = asked;
        answer = earlier_answer(connection, device, asked)?.map(|earlier| (earlier.asked, earlier.another));
    }
    if has_all == at {
        return Ok(Some(Earlier::with_all(at, named.places)));
    }
    let then = earlier_answer(connection, device, has_all)?;
    let then = then.map_or_else(|| named.places.clone(), |answer| answer.places);
    let Earlier { has, at_most } = Earlier::with_all(has_all, then);
    Ok(Some(Earlier {
        has,
        at_most: at_most.with(named.places, at),
    }))
}

/// The places of the last answer before this time that is remembered.
fn places_before(
    connection: &Connection,
    device: DeviceNumber,
    at: HubTime,
) -> Result<Option<BTreeSet<Place>>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT answer_places.places FROM answers JOIN answer_places ON answer_places.id = answers.places \
         WHERE device = ?1 AND at < ?2 ORDER BY at DESC LIMIT 1",
    )?;
    let places = statement.query_row((device.0, at.millis()), |row| {
        Ok(places_from_text(row.get_ref(0)?.as_str().unwrap_or_default()))
    });
    Ok(places.optional()?)
}

/// Whether another answer than that of `last` may have arrived that was asked for from the same point.
fn another_answer_to(
    connection: &Connection,
    device: DeviceNumber,
    asked: HubTime,
    last: HubTime,
) -> Result<bool, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM answers WHERE device = ?1 AND asked = ?2 AND at <> ?3 AND lost = 0)",
    )?;
    Ok(statement.query_row((device.0, asked.millis(), last.millis()), |row| row.get(0))?)
}

impl WriteTx<'_> {
    /// What the author of a push had seen, from the `lastPulledAt` that came with it; what that tells is written down.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn seen_at_push(&mut self, device: DeviceNumber, last_pulled_at: f64) -> Result<Seen, StoreError> {
        let known = cursors(self.connection(), device)?;
        let mut cursors = known.clone();
        let connection = self.connection();
        let earlier = |at| database_at(connection, (device, known.known_since), at);
        let is_shared = |asked| another_answer_to(connection, device, asked, known.given.at);
        let seen = cursors.at_push(last_pulled_at, self.last_change()?, earlier, is_shared)?;
        if seen.another {
            // What this push writes is no news to the database that sends it, but to the one that was answered last.
            cursors.alone_since = self.change_time();
        }
        if cursors != known {
            self.set_cursors(device, &cursors)?;
        }
        Ok(seen)
    }

    /// The newest change time that is written.
    fn last_change(&self) -> Result<HubTime, StoreError> {
        let mut statement = self.connection().prepare_cached("SELECT last_change FROM hub_state")?;
        Ok(statement.query_row([], |row| row.get(0).map(HubTime::from_millis))?)
    }

    fn set_cursors(&self, device: DeviceNumber, cursors: &Cursors) -> Result<(), StoreError> {
        self.connection()
            .prepare_cached(
                "UPDATE devices SET given_at = ?2, given_scope = ?3, before_at = ?4, before_scope = ?5, asked = ?6, \
                 doubtful = ?7, alone_since = ?8, known_since = ?9 WHERE number = ?1",
            )?
            .execute((
                device.0,
                cursors.given.at.millis(),
                cursors.given.reached.to_text(),
                cursors.before.at.millis(),
                cursors.before.reached.to_text(),
                cursors.asked.map(HubTime::millis),
                cursors.doubtful,
                cursors.alone_since.millis(),
                cursors.known_since.millis(),
            ))?;
        Ok(())
    }

    fn note_answer(&self, device: DeviceNumber, cursors: &Cursors, another: bool) -> Result<(), StoreError> {
        let given = &cursors.given;
        let places = places_to_text(&given.reached.places_at(given.at));
        self.connection()
            .prepare_cached("INSERT OR IGNORE INTO answer_places (places) VALUES (?1)")?
            .execute([&places])?;
        let asked = cursors.asked.unwrap_or(HubTime::ZERO);
        self.connection()
            .prepare_cached(
                "INSERT OR REPLACE INTO answers (device, at, places, asked, another) \
                 SELECT ?1, ?2, id, ?4, ?5 FROM answer_places WHERE places = ?3",
            )?
            .execute((device.0, given.at.millis(), &places, asked.millis(), another))?;
        Ok(())
    }

    /// Forgets what was answered long ago: a phone that went back further is known by its word to have had what was in its
    /// sight then.
    fn forget_answers(&self, device: DeviceNumber, cursors: &mut Cursors) -> Result<(), StoreError> {
        let newest = self
            .connection()
            .prepare_cached("SELECT at FROM answers WHERE device = ?1 ORDER BY at DESC LIMIT 1 OFFSET ?2")?
            .query_row((device.0, REMEMBERED_ANSWERS - 1), |row| row.get(0))
            .optional()?;
        let Some(newest) = newest.map(HubTime::from_millis) else {
            return Ok(());
        };
        let long_ago = HubTime::from_millis(cursors.given.at.millis() - REMEMBERED_MS);
        let until = long_ago.min(newest).min(cursors.before.at);
        let forgotten = self
            .connection()
            .prepare_cached(
                "DELETE FROM answers WHERE device = ?1 AND at < ?2 AND places = (SELECT places FROM answers AS before \
                 WHERE before.device = ?1 AND before.at < answers.at ORDER BY before.at DESC LIMIT 1)",
            )?
            .execute((device.0, until.millis()))?;
        if forgotten > 0 {
            cursors.known_since = cursors.known_since.max(until);
        }
        Ok(())
    }

    fn note_lost(&self, device: DeviceNumber, at: HubTime) -> Result<(), StoreError> {
        self.connection()
            .prepare_cached("UPDATE answers SET lost = 1 WHERE device = ?1 AND at = ?2")?
            .execute((device.0, at.millis()))?;
        Ok(())
    }
}
