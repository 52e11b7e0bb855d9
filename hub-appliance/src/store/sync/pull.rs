//! The change feed: what a phone gets at `sync_pull`, written straight from the rows into the bytes to seal.
//!
//! A pull belongs to one snapshot, rows and `timestamp` alike. An idle pull looks at an index, never at the rows. For each
//! place in sight (see [`cursors`](super::cursors)) a phone is given what changed since it had that place, and what has come
//! into it since: with its patient, or by its own move. A row that its database does not have is `created`, whatever its age;
//! one that it has is `updated`. A deletion is told for whatever the database may hold, in sight or not, and a row that was
//! deleted is never sent as a row again.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashSet};
use std::io::Write as _;

use rusqlite::{Connection, Row};

use super::cursors::{Cursor, Place, Reached, Start};
use super::feed::{FEEDS, Fate, Feed, HUB_COLUMNS, Lists};
use super::generation::Generation;
use super::newer;
use super::resend::{self, Named, Resent};
use super::sight::{Placed, Sight, Tie, text_of};
use crate::clock::HubTime;
use crate::store::devices::{DeviceNumber, Scope};
use crate::store::error::StoreError;
use crate::store::schema::{TABLES, Table, TableId};
use crate::store::snapshot::Snapshot;

/// What a phone asks for.
#[derive(Clone, Debug)]
pub struct PullRequest {
    /// The device that asks: it does not get back what it alone wrote.
    pub device: DeviceNumber,
    /// What was written under the device's number until then may be another database's.
    pub alone_since: HubTime,
    /// What its database holds.
    pub start: Start,
    /// Whose rows it may get now.
    pub scope: Scope,
    /// Which app it runs.
    pub generation: Generation,
    /// What the device was given last: an answer that says anything else gets a later timestamp.
    pub given: Cursor,
    /// Rows that were made before then it may have or have deleted, although its cursor does not say so: see
    /// `ahead`.
    pub may_have_before: Option<HubTime>,
    /// Bytes that the answer may have.
    pub at_most: usize,
}

/// The places that are in sight of a user on an app of this generation.
pub(super) fn places_in_sight(scope: &Scope, generation: Generation) -> BTreeSet<Place> {
    let mut places: BTreeSet<_> = scope.places().collect();
    let newer = TABLES.iter().filter(|table| table.phone.pulls());
    places.extend(
        newer
            .filter_map(|table| table.since)
            .filter(|since| generation.has_table_since(Some(*since)))
            .map(Place::Schema),
    );
    places
}

/// How many rows of each table went into an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PullSummary {
    /// Table and rows, deletions included; tables without any are left out.
    pub rows: Vec<(&'static str, usize)>,
    /// What the answer makes of the phone's database; `at` is the answer's `timestamp`.
    pub next: Cursor,
    /// What became of the rows that the phone had to get again.
    pub resent: Resent,
}

impl Snapshot<'_> {
    /// Writes the answer to a pull behind what is in `out`. `None`: the answer says something, so it needs a timestamp that
    /// the device was not given yet, and this snapshot has none; nothing was written.
    ///
    /// # Errors
    /// [`StoreError::TooLong`], or what SQLite reports; `out` then holds an unfinished answer.
    pub fn pull(&self, request: &PullRequest, out: &mut Vec<u8>) -> Result<Option<PullSummary>, StoreError> {
        let connection = self.connection()?;
        let places = places_in_sight(&request.scope, request.generation);
        let reached = &request.start.cursor.reached;
        let mut pull = Pull {
            connection,
            request,
            came: BTreeSet::new(),
            sight: Sight::new(connection, request.device, &places, reached)?,
            resends: RefCell::default(),
        };
        let resent = pull.look_for_resends()?;
        let all_in = |reached: &Reached| places.iter().all(|place| reached.of(place) >= Some(self.last_change()));
        let nothing_new = resent.went.is_empty() && !request.start.another && all_in(reached);
        // Everything once more is the same answer as the one before, where that brought all there is.
        let as_before = request.start.cursor.at == HubTime::ZERO && all_in(&request.given.reached);
        let latest = request.given.at.max(request.start.cursor.at);
        if !nothing_new && !as_before && self.last_change() <= latest {
            return Ok(None);
        }
        let mut summary = PullSummary {
            rows: Vec::new(),
            next: Cursor {
                at: self.last_change(),
                reached: reached.with(places.iter().cloned(), self.last_change()),
            },
            resent,
        };
        if !nothing_new {
            pull.came = pull.sight.patients_who_came()?;
        }
        out.extend_from_slice(b"{\"changes\":{");
        let mut first = true;
        for table in TableId::all() {
            let Some(feed) = &FEEDS[table.index()] else { continue };
            if !request.generation.has_table_since(table.table().since) {
                continue;
            }
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            // Writing to a vector cannot fail.
            let _ = write!(out, "\"{}\":", table.table().name);
            let rows = if nothing_new {
                Lists::new(feed, None, request.at_most, out).finish()
            } else {
                pull.table(table, feed, out)?
            };
            if rows > 0 {
                summary.rows.push((table.table().name, rows));
            }
        }
        let _ = write!(out, "}},\"timestamp\":{}}}", self.last_change().millis());
        Ok(Some(summary))
    }
}

/// One pull under way.
struct Pull<'a> {
    connection: &'a Connection,
    request: &'a PullRequest,
    sight: Sight<'a>,
    /// Patients who came into sight, with all that hangs on them.
    came: BTreeSet<String>,
    /// Rows that go with the answer although the cursor has passed them.
    resends: RefCell<HashSet<Named>>,
}

impl Pull<'_> {
    /// Finds the rows that the phone has to get again, and which of them can go with this answer.
    fn look_for_resends(&self) -> Result<Resent, StoreError> {
        let mut resent = Resent::default();
        for row in resend::pending(self.connection, self.request.device, self.request.start.cursor.at)? {
            if self.can_go(&row)? {
                resent.went.push(row);
            } else {
                resent.kept_back.push(row);
            }
        }
        self.resends.replace(resent.went.iter().cloned().collect());
        Ok(resent)
    }

    /// Whether a row that has to go with the answer is there for this user and this app; one that is gone from the hub is
    /// nothing to wait for.
    fn can_go(&self, (table, id): &Named) -> Result<bool, StoreError> {
        let Some(feed) = &FEEDS[table.index()] else {
            return Ok(true);
        };
        if !self.request.generation.has_table_since(table.table().since) {
            return Ok(false);
        }
        let mut statement = self.connection.prepare_cached(&feed.one)?;
        let mut rows = statement.query([id])?;
        let Some(row) = rows.next()? else { return Ok(true) };
        Ok(self.fate_of_resent(*table, feed, row)? != Fate::Left)
    }

    fn table(&self, table: TableId, feed: &Feed, out: &mut Vec<u8>) -> Result<usize, StoreError> {
        let newer = newer::any(self.connection, table)?.then_some((self.connection, table));
        let mut lists = Lists::new(feed, newer, self.request.at_most, out);
        let since = self.sight.all_since(feed.tie, table.table().since);
        let mut statement = self.connection.prepare_cached(match since {
            None => &feed.all,
            Some(_) => &feed.changed,
        })?;
        let mut rows = match since {
            None => statement.query([])?,
            Some(since) => statement.query([since.millis()])?,
        };
        while let Some(row) = rows.next()? {
            self.row(table, feed, row, &mut lists)?;
        }
        if let (Some(since), Some(of_patient)) = (since, &feed.of_patient) {
            let mut statement = self.connection.prepare_cached(of_patient)?;
            for patient in &self.came {
                let mut rows = statement.query((patient, since.millis()))?;
                while let Some(row) = rows.next()? {
                    self.row(table, feed, row, &mut lists)?;
                }
            }
        }
        for id in self.left_to_resend(table) {
            let mut statement = self.connection.prepare_cached(&feed.one)?;
            let mut rows = statement.query([id])?;
            if let Some(row) = rows.next()? {
                lists.write(row, self.fate_of_resent(table, feed, row)?)?;
            }
        }
        Ok(lists.finish())
    }

    fn row(&self, table: TableId, feed: &Feed, row: &Row<'_>, lists: &mut Lists<'_>) -> Result<(), StoreError> {
        let fate = self.fate(table.table(), feed, row)?;
        if fate != Fate::Left {
            self.goes_anyway(table, row)?;
        }
        lists.write(row, fate)
    }

    /// A row that goes with the answer need not be sent again for its own sake.
    fn goes_anyway(&self, table: TableId, row: &Row<'_>) -> Result<(), StoreError> {
        let mut resends = self.resends.borrow_mut();
        if !resends.is_empty() {
            resends.remove(&(table, text_of(row, HUB_COLUMNS)?.to_owned()));
        }
        Ok(())
    }

    fn left_to_resend(&self, table: TableId) -> Vec<String> {
        let of_table = |(_, id): Named| id;
        let mut resends = self.resends.borrow_mut();
        resends.extract_if(|(of, _)| *of == table).map(of_table).collect()
    }

    fn fate(&self, table: &'static Table, feed: &Feed, row: &Row<'_>) -> Result<Fate, StoreError> {
        let Written {
            changed_at,
            deleted,
            made_here,
            own,
            made_by_device,
            placed,
        } = self.written(table, feed, row)?;
        let reached = &self.request.start.cursor.reached;
        let starts_over = self.request.start.cursor.at == HubTime::ZERO;
        if own && !starts_over {
            return Ok(Fate::Left);
        }
        if deleted {
            // What was deleted before everybody's place was reached last, it was told then.
            let told = reached.of(&Place::Everybody) >= Some(changed_at);
            let holds = || match starts_over {
                true => self.sight.ever_saw(&placed),
                // Of two databases under one id it is not known which of them made it.
                false => Ok(made_by_device || self.sight.may_have(&placed, &self.request.start.at_most)?),
            };
            return Ok(if !told && holds()? { Fate::Deleted } else { Fate::Left });
        }
        if !self.sight.sees(&placed)? {
            return Ok(Fate::Left);
        }
        if starts_over {
            return Ok(Fate::Created);
        }
        Ok(match self.sight.had(&placed)? {
            Some(had) if changed_at <= had => Fate::Left,
            Some(_) if matches!(feed.tie, Tie::Listed { .. }) && !self.may_have(feed, row) => Fate::Created,
            Some(_) => Fate::Updated,
            // A phone has the rows that it made, if only to have marked them as deleted: `created` would break it then.
            None if made_here || self.may_have(feed, row) => Fate::Updated,
            None => Fate::Created,
        })
    }

    /// Whether a phone that is ahead may hold a row that it was not given by this hub. Who has signed in on it since, it has
    /// got nothing for.
    fn may_have(&self, feed: &Feed, row: &Row<'_>) -> bool {
        let Some(before) = self.request.may_have_before else {
            return false;
        };
        let user = Place::User(self.request.scope.user.clone());
        let made_at: Option<i64> = feed.created_at.and_then(|column| row.get(column).ok());
        self.request.start.cursor.reached.of(&user).is_some() && made_at.is_none_or(|made| made <= before.millis())
    }

    fn fate_of_resent(&self, table: TableId, feed: &Feed, row: &Row<'_>) -> Result<Fate, StoreError> {
        let written = self.written(table.table(), feed, row)?;
        if written.deleted {
            return Ok(Fate::Deleted);
        }
        if !self.sight.sees(&written.placed)? {
            return Ok(Fate::Left);
        }
        let has = written.made_here || written.own || self.sight.had(&written.placed)?.is_some();
        Ok(if has { Fate::Updated } else { Fate::Created })
    }

    fn written<'r>(&self, table: &'static Table, feed: &Feed, row: &'r Row<'_>) -> Result<Written<'r>, StoreError>
    where
        Self: 'r,
    {
        let created_at = HubTime::from_millis(row.get(0)?);
        let changed_at = HubTime::from_millis(row.get(1)?);
        let by_this_device =
            |column| -> Result<bool, StoreError> { Ok(DeviceNumber(row.get(column)?) == self.request.device) };
        let alone = |at: HubTime| at > self.request.alone_since;
        let made_by_device = by_this_device(4)?;
        Ok(Written {
            changed_at,
            deleted: row.get(2)?,
            made_here: made_by_device && alone(created_at),
            own: by_this_device(3)? && alone(changed_at),
            made_by_device,
            placed: Placed {
                table,
                id: text_of(row, HUB_COLUMNS)?,
                tie: feed.tie,
                row,
                created_at,
            },
        })
    }
}

/// A row, and who wrote it.
struct Written<'r> {
    changed_at: HubTime,
    deleted: bool,
    /// It came from this database.
    made_here: bool,
    /// It is as this database has sent it.
    own: bool,
    /// It came from this database, or from another one under its id.
    made_by_device: bool,
    placed: Placed<'r>,
}
