//! Phones of a hub that was restored from a backup, of which some got more from the hub before than the backup knows.
//!
//! Such a phone is **ahead**: it asks from later than the hub ever answered it. It may hold, or have marked as deleted, any
//! row that was made before the restore, those too that other phones bring back; and app 1.5 breaks for good on `created`
//! for a row that it has marked. So until it has sent all that it has, it gets such rows as `updated`, which a phone that
//! has a row merges, app 1.7 inserts where it lacks it, and app 1.5 skips. Once it has uploaded all since the backup, what came
//! to the hub after the restore is given once more, as to any phone.

use rusqlite::{Connection, OptionalExtension};

use super::cursors::Cursors;
use crate::clock::HubTime;
use crate::store::Snapshot;
use crate::store::devices::DeviceNumber;
use crate::store::error::StoreError;
use crate::store::writer::WriteTx;

/// What is written down of a phone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ahead {
    /// When the hub was restored, until it is known that the phone is not ahead, or has sent all.
    pub(super) restored_at: Option<HubTime>,
    /// As far as the backup knew the phone, where it is ahead.
    pub(super) of: Option<HubTime>,
    /// Its next answer is built on no more than it had then.
    pub(super) rewind_to: Option<HubTime>,
}

impl Ahead {
    /// Of this device.
    pub(super) fn of(connection: &Connection, device: DeviceNumber) -> Result<Self, StoreError> {
        let mut statement =
            connection.prepare_cached("SELECT restored_at, ahead_of, rewind_to FROM devices WHERE number = ?1")?;
        let ahead = statement.query_row([device.0], |row| {
            let time = |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(HubTime::from_millis));
            Ok(Self {
                restored_at: time(0)?,
                of: time(1)?,
                rewind_to: time(2)?,
            })
        });
        Ok(ahead.optional()?.unwrap_or_default())
    }

    /// Takes in what the first pull since the restore tells: `asked` is its `lastPulledAt`, `known` what the backup knew.
    pub(super) fn at_pull(&mut self, asked: HubTime, known: &Cursors) {
        if self.restored_at.is_none() || self.of.is_some() || asked <= HubTime::ZERO {
            return;
        }
        if asked > known.given.at && known.asked != Some(asked) {
            self.of = Some(known.given.at);
        } else {
            self.restored_at = None;
        }
    }

    /// Takes in a forced upload of everything since `since`, from a phone that was given `given` last.
    fn at_upload(&mut self, since: HubTime, given: HubTime) {
        let known = self.of.or(self.restored_at.map(|_| given));
        if known.is_some_and(|known| since <= known) {
            *self = Self {
                rewind_to: self.of.and(self.restored_at),
                ..Self::default()
            };
        }
    }

    /// Rows that were made before then it may have, although the hub does not know it.
    pub(super) fn may_have_before(&self) -> Option<HubTime> {
        self.of.and(self.restored_at)
    }
}

impl Snapshot<'_> {
    /// The devices that are ahead, and have not sent all yet.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn devices_ahead(&self) -> Result<Vec<DeviceNumber>, StoreError> {
        let mut statement = self
            .connection()?
            .prepare_cached("SELECT number FROM devices WHERE ahead_of IS NOT NULL")?;
        let numbers = statement.query_map((), |row| row.get(0).map(DeviceNumber))?;
        Ok(numbers.collect::<Result<_, _>>()?)
    }
}

impl WriteTx<'_> {
    pub(super) fn set_ahead(&self, device: DeviceNumber, ahead: &Ahead) -> Result<(), StoreError> {
        let millis = |time: Option<HubTime>| time.map(HubTime::millis);
        self.connection()
            .prepare_cached("UPDATE devices SET restored_at = ?2, ahead_of = ?3, rewind_to = ?4 WHERE number = ?1")?
            .execute((
                device.0,
                millis(ahead.restored_at),
                millis(ahead.of),
                millis(ahead.rewind_to),
            ))?;
        Ok(())
    }

    /// Takes notice of a forced upload of everything since `since`, its `lastPulledAt`. To be called before what the push
    /// tells of the phone's cursor is written down.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn note_forced_upload(&self, device: DeviceNumber, since: f64) -> Result<(), StoreError> {
        let known = Ahead::of(self.connection(), device)?;
        if known == Ahead::default() {
            return Ok(());
        }
        let mut given = self
            .connection()
            .prepare_cached("SELECT given_at FROM devices WHERE number = ?1")?;
        let given = HubTime::from_millis(given.query_row([device.0], |row| row.get(0))?);
        let mut ahead = known;
        ahead.at_upload(super::cursors::millis(since), given);
        if ahead != known {
            self.set_ahead(device, &ahead)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::cursors::Cursor;
    use super::*;

    const fn at(millis: i64) -> HubTime {
        HubTime::from_millis(millis)
    }

    fn known(given: i64, asked: i64) -> Cursors {
        Cursors {
            given: Cursor {
                at: at(given),
                ..Cursor::default()
            },
            asked: Some(at(asked)),
            ..Cursors::default()
        }
    }

    fn restored() -> Ahead {
        Ahead {
            restored_at: Some(at(100)),
            ..Ahead::default()
        }
    }

    #[test]
    fn a_phone_is_ahead_if_it_asks_from_later_than_it_was_ever_answered() {
        let of = |asked, known: &Cursors| {
            let mut ahead = restored();
            ahead.at_pull(at(asked), known);
            ahead
        };
        assert_eq!(of(60, &known(50, 40)).of, Some(at(50)));
        assert_eq!(of(60, &known(50, 40)).may_have_before(), Some(at(100)));
        for not_ahead in [of(50, &known(50, 40)), of(40, &known(50, 40)), of(60, &known(50, 60))] {
            assert_eq!(not_ahead, Ahead::default());
        }
        assert_eq!(of(0, &known(50, 40)), restored(), "everything once more tells nothing");
        let mut never_restored = Ahead::default();
        never_restored.at_pull(at(60), &known(50, 40));
        assert_eq!(never_restored, Ahead::default());
    }

    #[test]
    fn it_stays_ahead_until_it_has_sent_everything_since_the_backup() {
        let mut ahead = restored();
        ahead.at_pull(at(60), &known(50, 40));
        let before = ahead;
        ahead.at_pull(at(110), &known(110, 60));
        assert_eq!(ahead, before, "to have pulled again is not to have sent");
        ahead.at_upload(at(51), at(110));
        assert_eq!(ahead, before, "something may be missing");
        ahead.at_upload(at(50), at(110));
        assert_eq!((ahead.rewind_to, ahead.may_have_before()), (Some(at(100)), None));
        let mut first_thing = restored();
        first_thing.at_upload(at(10), at(50));
        assert_eq!(first_thing, Ahead::default());
    }
}
