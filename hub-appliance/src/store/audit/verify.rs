//! Whether the audit log is whole: each entry by the one before it, in steps that each are one short read.

use rusqlite::Connection;

use super::keep::Dropped;
use super::{AuditKey, Field, Hash, Head, link};
use crate::clock::HubTime;
use crate::store::Store;
use crate::store::error::StoreError;

/// Entries that are checked in one read, so that no read is long.
const STEP: u32 = 1_000;

/// Where the log is not as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Break {
    /// This entry was changed, or is not the one that was there, or is in another place.
    #[error("entry {entry} is not as it was written, or not where")]
    Changed {
        /// Its number.
        entry: i64,
    },
    /// Entries are missing from this one on.
    #[error("entries are missing from {entry} on")]
    Missing {
        /// The number of the first.
        entry: i64,
    },
    /// The log once reached this entry, as was signed then, and does not hold it now.
    #[error("the end is cut off: entry {entry} was signed and is not there")]
    CutOff {
        /// The number of the entry that was the last.
        entry: i64,
    },
    /// What was signed last is not there, or not by this hub, so an end that is cut off would not show.
    #[error("the signature over the last entries is missing or not this hub's, at entry {entry}")]
    Unsigned {
        /// The number of the log's last entry.
        entry: i64,
    },
}

impl Break {
    /// The number of the entry that it is about.
    #[must_use]
    pub const fn entry(self) -> i64 {
        match self {
            Self::Changed { entry } | Self::Missing { entry } | Self::CutOff { entry } | Self::Unsigned { entry } => {
                entry
            }
        }
    }
}

/// What a check of the log came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Entries that were looked at.
    pub entries: u64,
    /// The first that is wrong; then the ones after it were not looked at.
    pub broken: Option<Break>,
}

/// A check under way.
pub(in crate::store) struct Walk {
    /// The entry that is looked at next.
    next: i64,
    /// The hash of the one before it; none if that is not known, so that entry lends it.
    previous: Option<Hash>,
    entries: u64,
}

impl Walk {
    /// Over all that is kept.
    pub(in crate::store) const fn whole() -> Self {
        Self {
            next: 1,
            previous: Some([0; 32]),
            entries: 0,
        }
    }

    /// Over the entries since `since`.
    pub(in crate::store) fn since(connection: &Connection, since: HubTime) -> Result<Self, StoreError> {
        let first: Option<i64> =
            connection.query_row("SELECT min(seq) FROM audit WHERE at >= ?1", [since.millis()], |row| {
                row.get(0)
            })?;
        let before: i64 = match first {
            Some(first) => first - 1,
            None => Head::of(connection)?.map_or(0, |head| head.number),
        };
        if before < 1 {
            return Ok(Self::whole());
        }
        Ok(Self {
            next: before,
            previous: None,
            entries: 0,
        })
    }

    /// Looks at no more than `limit` entries. Says how the check came out, once it has.
    pub(in crate::store) fn step(
        &mut self,
        connection: &Connection,
        key: &AuditKey,
        limit: u32,
    ) -> Result<Option<Checked>, StoreError> {
        // What was dropped because of its age, perhaps since the last step, has left its last hash.
        if let Some(dropped) = Dropped::last(connection)?
            && dropped.through >= self.next
        {
            (self.next, self.previous) = (dropped.through + 1, Some(dropped.hash));
        }
        let mut statement = connection.prepare_cached(
            "SELECT seq, at, user_id, role, device, address, correlation, action, detail, outcome, hash, clock_trusted \
             FROM audit WHERE seq >= ?1 ORDER BY seq LIMIT ?2",
        )?;
        let mut rows = statement.query((self.next, limit))?;
        let mut seen = 0;
        while let Some(row) = rows.next()? {
            let (number, hash): (i64, Hash) = (row.get(0)?, row.get(10)?);
            if number != self.next {
                return Ok(Some(self.ends(Some(Break::Missing { entry: self.next }))));
            }
            let text = |index| row.get_ref(index).map(|value| value.as_str().ok());
            let mut fields = vec![
                Field::Integer(row.get(1)?),
                Field::Text(text(2)?),
                Field::Text(text(3)?),
                Field::Integer(row.get(4)?),
                Field::Text(text(5)?),
                Field::Text(text(6)?),
                Field::Text(text(7)?),
                Field::Text(text(8)?),
                Field::Text(text(9)?),
            ];
            fields.extend(row.get::<_, Option<i64>>(11)?.map(Field::Integer));
            if let Some(previous) = self.previous {
                if link(key, &previous, &fields) != hash {
                    return Ok(Some(self.ends(Some(Break::Changed { entry: number }))));
                }
                self.entries += 1;
            }
            (self.next, self.previous) = (number + 1, Some(hash));
            seen += 1;
        }
        Ok((seen < limit).then(|| self.ends(None)))
    }

    const fn ends(&self, broken: Option<Break>) -> Checked {
        Checked {
            entries: self.entries,
            broken,
        }
    }
}

impl Store {
    /// Checks the log over the entries since `since`.
    ///
    /// # Errors
    /// What the store reports; a log that is not whole is no error.
    pub fn check_audit_since(&self, since: HubTime) -> Result<Checked, StoreError> {
        let walk = self.read(|snapshot| Walk::since(snapshot.connection()?, since))?;
        self.walk(walk)
    }

    /// Checks the log over all that is kept, in short reads between which everybody else has their turn.
    ///
    /// # Errors
    /// What the store reports, [`StoreError::Closed`] once it is closed; a log that is not whole is no error.
    pub fn check_audit(&self) -> Result<Checked, StoreError> {
        self.walk(Walk::whole())
    }

    fn walk(&self, mut walk: Walk) -> Result<Checked, StoreError> {
        loop {
            let step = self.read(|snapshot| walk.step(snapshot.connection()?, &self.audit_key, STEP))?;
            if let Some(checked) = step {
                return Ok(checked);
            }
            std::thread::yield_now();
        }
    }

    /// Whether the log holds this entry as it was, or has held it until it was old enough to be dropped.
    ///
    /// # Errors
    /// What the store reports.
    pub fn has_audit_entry(&self, head: &Head) -> Result<bool, StoreError> {
        self.read(|snapshot| {
            let connection = snapshot.connection()?;
            let dropped = Dropped::last(connection)?;
            if dropped.is_some_and(|dropped| dropped.through >= head.number) {
                return Ok(true);
            }
            let mut same =
                connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM audit WHERE seq = ?1 AND hash = ?2)")?;
            Ok(same.query_row((head.number, head.hash), |row| row.get(0))?)
        })
    }
}
