//! How far each phone has pulled, as far as the hub can know: answers get lost, a forced upload puts the phone's own clock
//! in the cursor's place, and a phone may be another one under the same id (restored from a backup, or a copy).
//!
//! Rows come into sight by place: what everybody gets, one user's own, one clinic's. A [`Reached`] says of a phone's
//! database, for each place, as of which change time it has all rows of that place. A place that is out of sight keeps its
//! time, so that what happens there meanwhile is told when it is in sight again.
//!
//! The invariant: with `Cursors` of a device as they are written down, the phone's database is one of
//! - what `given` says, if the last answer has arrived;
//! - what `before` says, if it has not: that is what the last answer was built on;
//! - what an earlier answer says, if the phone went back: every answer ever given is remembered with its places.
//!
//! An answer has a `timestamp` of its own whenever it says anything, so the next request tells which of these it is; where it
//! names nothing that was given, the older of those that are possible is taken. A pull gives, for each place in sight, what
//! changed or came in after the time of that place (see [`pull`](super::pull)), all in one snapshot, and the answer's
//! cursor has that snapshot's time for these places. So nothing is missed, and nothing is doubled that has surely arrived.
//!
//! Pure: what the phone asks and what it was given go in, where its pull starts comes out.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;

use crate::clock::HubTime;
use crate::store::devices::Scope;

/// Rows that come into sight and go out of it together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// What every phone gets.
    Everybody,
    /// What only this user's phone gets.
    User(String),
    /// What belongs to this clinic.
    Clinic(String),
    /// What only apps have that know this version of the phone's schema.
    Schema(u8),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everybody => f.write_str("*"),
            Self::User(id) => write!(f, "user:{id}"),
            Self::Clinic(id) => write!(f, "clinic:{id}"),
            Self::Schema(version) => write!(f, "schema:{version}"),
        }
    }
}

impl Place {
    /// From how it is written down.
    fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None => (text == "*").then_some(Self::Everybody),
            Some(("user", id)) => Some(Self::User(id.to_owned())),
            Some(("clinic", id)) => Some(Self::Clinic(id.to_owned())),
            Some(("schema", version)) => version.parse().ok().map(Self::Schema),
            Some(_) => None,
        }
    }
}

/// As of when a database has all rows of each place; a place that is not in it, it has nothing of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reached(BTreeMap<Place, HubTime>);

impl Reached {
    /// All of these places as of one time.
    #[must_use]
    pub fn all(places: impl IntoIterator<Item = Place>, at: HubTime) -> Self {
        Self(places.into_iter().map(|place| (place, at)).collect())
    }

    /// What schema 1 wrote down: a user's scope as of one time.
    #[must_use]
    pub fn of_scope(scope: &Scope, at: HubTime) -> Self {
        Self::all(scope.places(), at)
    }

    /// As of when it has a place.
    #[must_use]
    pub fn of(&self, place: &Place) -> Option<HubTime> {
        self.0.get(place).copied()
    }

    /// The same with these places as of `at`; the others keep their time.
    #[must_use]
    pub fn with(&self, places: impl IntoIterator<Item = Place>, at: HubTime) -> Self {
        let mut reached = self.0.clone();
        reached.extend(places.into_iter().map(|place| (place, at)));
        Self(reached)
    }

    /// The same with no place later than `at`.
    #[must_use]
    pub fn no_later_than(&self, at: HubTime) -> Self {
        let places = self.0.iter();
        Self(
            places
                .map(|(place, reached)| (place.clone(), (*reached).min(at)))
                .collect(),
        )
    }

    /// The places that it has as of this time, and not of an earlier one.
    #[must_use]
    pub fn places_at(&self, at: HubTime) -> BTreeSet<Place> {
        let places = self.0.iter().filter(|(_, reached)| **reached == at);
        places.map(|(place, _)| place.clone()).collect()
    }

    /// As it is written down.
    #[must_use]
    pub fn to_text(&self) -> String {
        let times: BTreeMap<_, _> = self
            .0
            .iter()
            .map(|(place, at)| (place.to_string(), at.millis()))
            .collect();
        serde_json::to_string(&times).unwrap_or_default()
    }

    /// From what was written down, also by schema 1, whose scopes were as of `at`. What cannot be read counts as nothing: the
    /// phone then gets rows once more.
    #[must_use]
    pub fn from_text(text: &str, at: HubTime) -> Self {
        let times: Option<BTreeMap<String, i64>> = serde_json::from_str(text).ok();
        let Some(times) = times else {
            let scope: Option<Scope> = serde_json::from_str(text).ok();
            return scope.map(|scope| Self::of_scope(&scope, at)).unwrap_or_default();
        };
        let times = times.iter();
        Self(
            times
                .filter_map(|(place, at)| Some((Place::parse(place)?, HubTime::from_millis(*at))))
                .collect(),
        )
    }
}

/// Places as they are written down with an answer.
#[must_use]
pub fn places_to_text(places: &BTreeSet<Place>) -> String {
    let places: Vec<_> = places.iter().map(ToString::to_string).collect();
    serde_json::to_string(&places).unwrap_or_default()
}

/// The places of an answer, from what was written down; a migration from schema 1 left scopes there.
#[must_use]
pub fn places_from_text(text: &str) -> BTreeSet<Place> {
    if let Ok(places) = serde_json::from_str::<Vec<String>>(text) {
        return places.iter().filter_map(|place| Place::parse(place)).collect();
    }
    let scope: Scope = serde_json::from_str(text).unwrap_or_default();
    scope.places().collect()
}

impl Scope {
    /// The places that are in sight of it, whatever app it is on.
    pub(in crate::store) fn places(&self) -> impl Iterator<Item = Place> {
        let clinics = self.clinics.iter().cloned().map(Place::Clinic);
        [Place::Everybody, Place::User(self.user.clone())]
            .into_iter()
            .chain(clinics)
    }
}

/// What a phone's database holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The `timestamp` that the phone names: that of the answer it applied last.
    pub at: HubTime,
    /// How far it has each place.
    pub reached: Reached,
}

/// The cursors of one device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursors {
    /// What the last answer makes of a database that takes it.
    pub given: Cursor,
    /// What the last answer was built on.
    pub before: Cursor,
    /// The `lastPulledAt` that the last answer answered.
    pub asked: Option<HubTime>,
    /// Something speaks for it that the last answer was lost.
    pub doubtful: bool,
    /// What was written under this device's id until then may be another database's.
    pub alone_since: HubTime,
    /// Answers from before are not remembered: they were given by older firmware.
    pub known_since: HubTime,
}

/// Where a pull starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// What the phone's database surely holds.
    pub cursor: Cursor,
    /// What it holds at most: more, where the last answer may have arrived all the same.
    pub at_most: Reached,
    /// It is not the database that asked last: it is empty, or it went back.
    pub another: bool,
    /// It asks once more for what it was given: that answer was lost.
    pub lost: bool,
}

/// A database that took an earlier answer than the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// What it surely holds.
    pub has: Cursor,
    /// What it holds at most.
    pub at_most: Reached,
}

impl Earlier {
    /// One that has all places of an answer as of that answer.
    #[must_use]
    pub fn with_all(at: HubTime, places: impl IntoIterator<Item = Place>) -> Self {
        let reached = Reached::all(places, at);
        Self {
            at_most: reached.clone(),
            has: Cursor { at, reached },
        }
    }
}

/// What an author had seen of the hub's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What it edited: the rows as of this change time.
    pub base: HubTime,
    /// Its next pull asks from here at the latest: what changed after it comes to it anyway, the rest only if it is
    /// touched. Later than `base` at a forced upload, or where an answer was lost.
    pub given: HubTime,
    /// What was written under its own id until then counts as somebody else's.
    pub alone_since: HubTime,
    /// It is not the database that was answered last.
    pub another: bool,
}

impl Seen {
    /// Of an author that edited what it was given last.
    #[must_use]
    pub const fn up_to(at: HubTime) -> Self {
        Self {
            base: at,
            given: at,
            alone_since: HubTime::ZERO,
            another: false,
        }
    }
}

impl Cursors {
    /// Takes in what a pull's `lastPulledAt` tells, and gives where the pull starts. `earlier` gives the database that took
    /// the answer with that timestamp, if there was one.
    ///
    /// # Errors
    /// Those of `earlier`.
    pub fn at_pull<E>(
        &mut self,
        last_pulled_at: f64,
        earlier: impl FnOnce(HubTime) -> Result<Option<Earlier>, E>,
    ) -> Result<Start, E> {
        let asked = millis(last_pulled_at);
        if asked <= HubTime::ZERO {
            return Ok(Start {
                another: true,
                ..Start::default()
            });
        }
        if asked == self.given.at {
            self.confirm();
            return Ok(self.from(self.given.clone()));
        }
        if self.asked == Some(asked) {
            self.doubtful = true;
            let start = self.from(self.before.clone());
            return Ok(Start { lost: true, ..start });
        }
        let gone_back = match earlier(asked)? {
            Some(database) => Some(database),
            // Where the hub cannot know what it gave, it takes the phone at its word.
            None if asked < self.known_since => {
                let places = self.given.reached.0.keys().cloned();
                Some(Earlier::with_all(asked, places))
            }
            None => None,
        };
        if let Some(Earlier { has, at_most }) = gone_back {
            return Ok(Start {
                cursor: has,
                at_most,
                another: true,
                lost: false,
            });
        }
        Ok(self.from(self.last().clone()))
    }

    /// Whether a pull asks from where the last one that was answered asked from, a first pull too, although it was given
    /// something newer.
    #[must_use]
    pub fn repeats(&self, last_pulled_at: f64) -> bool {
        let asked = millis(last_pulled_at);
        self.asked == Some(asked) && asked < self.given.at
    }

    /// Takes in what a push's `lastPulledAt` tells, and gives what its author had seen. It is what the pull before was
    /// sent with, or the timestamp of its answer; else it is a forced upload, which comes from a phone whose sync may just
    /// have failed, or a phone that went back. `earlier` is as in [`Self::at_pull`]; `is_shared` says whether another answer
    /// than the last one may have arrived that began where this one did, so that two databases push with that time.
    ///
    /// # Errors
    /// Those of `earlier` and `is_shared`.
    pub fn at_push<E>(
        &mut self,
        last_pulled_at: f64,
        now: HubTime,
        earlier: impl FnOnce(HubTime) -> Result<Option<Earlier>, E>,
        is_shared: impl FnOnce(HubTime) -> Result<bool, E>,
    ) -> Result<Seen, E> {
        let named = millis(last_pulled_at);
        let mut another = false;
        let base = if named == self.given.at {
            self.confirm();
            named
        } else if self.asked == Some(named) {
            another = named > HubTime::ZERO && is_shared(named)?;
            self.before.at
        } else if named > HubTime::ZERO
            && named < self.given.at
            && let Some(database) = earlier(named)?
        {
            another = true;
            database.has.at
        } else {
            self.doubtful |= self.before != self.given;
            // A forced upload says since when it sends; of what is older than the last answer nobody knows what it has seen.
            named.clamp(HubTime::ZERO, self.last().at)
        };
        if another {
            self.alone_since = now;
        }
        Ok(Seen {
            base,
            given: self.given.at,
            alone_since: self.alone_since,
            another,
        })
    }

    /// Takes in an answer to `last_pulled_at` that began at `start` and makes `next` of the phone's database.
    pub fn answered(&mut self, last_pulled_at: f64, start: Start, next: Cursor) {
        if start.another {
            self.alone_since = next.at;
        }
        self.asked = Some(millis(last_pulled_at));
        self.before = start.cursor;
        self.given = next;
        self.doubtful = false;
    }

    fn from(&self, cursor: Cursor) -> Start {
        Start {
            cursor,
            at_most: self.given.reached.clone(),
            another: false,
            lost: false,
        }
    }

    const fn last(&self) -> &Cursor {
        if self.doubtful { &self.before } else { &self.given }
    }

    fn confirm(&mut self) {
        self.before = self.given.clone();
        self.asked = Some(self.given.at);
        self.doubtful = false;
    }
}

/// A `lastPulledAt` as a time: fractions are cut, what is no number is 0.
pub(super) fn millis(last_pulled_at: f64) -> HubTime {
    #[allow(
        clippy::cast_possible_truncation,
        reason = "saturates, and only what was given counts"
    )]
    HubTime::from_millis(last_pulled_at as i64)
}

#[cfg(test)]
mod tests;
