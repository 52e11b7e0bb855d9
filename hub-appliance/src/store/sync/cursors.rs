//! How far each phone has pulled, as far as the hub can know: answers get lost, and a forced upload puts the phone's own
//! clock in the cursor's place.
//!
//! It promises: a pull never starts behind a row that the phone may not have. Pure: what the phone asks and what it was
//! given go in, where its pull starts comes out.

use crate::clock::HubTime;
use crate::store::devices::Scope;

/// A point up to which a phone has seen the hub's rows, and whose rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The `timestamp` of the pull's answer.
    pub at: HubTime,
    /// What that answer could hold.
    pub scope: Scope,
}

/// The cursors of one device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursors {
    /// Given with the last answer.
    pub given: Cursor,
    /// Known to have arrived: what the last answer was asked from, or that answer itself once the phone named it.
    pub before: Cursor,
    /// The `lastPulledAt` that the last answer answered. Not written down, nor is [`Self::doubtful`].
    pub asked: Option<HubTime>,
    /// Something speaks for it that the last answer was lost.
    pub doubtful: bool,
}

/// What an author had seen of the hub's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What it edited: the rows as of this change time.
    pub base: HubTime,
    /// Its next pull asks from here at the latest: what changed after it comes to it anyway, the rest only if it is
    /// touched. Later than `base` at a forced upload, or where an answer was lost.
    pub given: HubTime,
}

impl Seen {
    /// Of an author that edited what it was given last.
    #[must_use]
    pub const fn up_to(at: HubTime) -> Self {
        Self { base: at, given: at }
    }
}

impl Cursors {
    /// The cursors of a device as they are written down.
    #[must_use]
    pub const fn stored(given: Cursor, before: Cursor) -> Self {
        Self {
            given,
            before,
            asked: None,
            doubtful: false,
        }
    }

    /// With what a pull's `lastPulledAt` tells: an answer that the phone names has arrived, one that it asks for again
    /// has not.
    #[must_use]
    pub fn at_pull(mut self, last_pulled_at: f64) -> Self {
        let asked = millis(last_pulled_at);
        if asked == self.given.at {
            self.confirm();
        } else if self.asked == Some(asked) {
            self.doubtful = true;
        }
        self
    }

    /// With what a push's `lastPulledAt` tells: it names the last answer, unless it is a forced upload, which comes
    /// from a phone whose sync may just have failed.
    #[must_use]
    pub fn at_push(mut self, last_pulled_at: f64) -> Self {
        if millis(last_pulled_at) == self.given.at {
            self.confirm();
        } else if self.before != self.given {
            self.doubtful = true;
        }
        self
    }

    fn confirm(&mut self) {
        self.before = self.given.clone();
        self.doubtful = false;
    }

    /// Where a pull starts, from what the phone sent: a value above the last one given to it counts as that one, or as
    /// the one before where that may be lost; negative, 0 and what is no number count as 0; fractions are cut.
    #[must_use]
    pub fn start(&self, last_pulled_at: f64) -> Cursor {
        let asked = millis(last_pulled_at);
        let last = if self.doubtful { &self.before } else { &self.given };
        let at = asked.clamp(HubTime::ZERO, last.at.max(HubTime::ZERO));
        let scope = if at == HubTime::ZERO {
            Scope::default()
        } else if at == last.at {
            last.scope.clone()
        } else if at == self.before.at {
            self.before.scope.clone()
        } else {
            self.given.scope.common(&self.before.scope)
        };
        Cursor { at, scope }
    }

    /// What the author of a push had seen, from the `lastPulledAt` that came with it.
    #[must_use]
    pub fn seen(&self, last_pulled_at: f64) -> Seen {
        Seen {
            base: self.start(last_pulled_at).at,
            given: self.given.at,
        }
    }

    /// The cursors after an answer to `last_pulled_at` that began at `start` and gave `next`.
    #[must_use]
    pub fn after(last_pulled_at: f64, start: Cursor, next: Cursor) -> Self {
        Self {
            given: next,
            before: start,
            asked: Some(millis(last_pulled_at)),
            doubtful: false,
        }
    }
}

fn millis(last_pulled_at: f64) -> HubTime {
    #[allow(
        clippy::cast_possible_truncation,
        reason = "saturates, and is bounded by what was given"
    )]
    HubTime::from_millis(last_pulled_at as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(millis: i64, clinics: &[&str]) -> Cursor {
        Cursor {
            at: HubTime::from_millis(millis),
            scope: Scope {
                user: "user-1".into(),
                clinics: clinics.iter().map(|clinic| (*clinic).to_owned()).collect(),
            },
        }
    }

    fn cursors() -> Cursors {
        Cursors::stored(cursor(500, &["a", "b"]), cursor(300, &["a"]))
    }

    #[test]
    fn a_phone_asks_from_where_the_hub_knows_it_to_be() {
        for (asked, start, clinics) in [
            (500.0, 500, &["a", "b"][..]),
            (9e15, 500, &["a", "b"]),
            (f64::INFINITY, 500, &["a", "b"]),
            (300.7, 300, &["a"]),
            (400.0, 400, &["a"]),
            (f64::NAN, 0, &[]),
            (-5.0, 0, &[]),
        ] {
            let found = cursors().start(asked);
            assert_eq!(found.at.millis(), start, "{asked}");
            assert_eq!(found.scope.clinics, cursor(0, clinics).scope.clinics, "{asked}");
        }
    }

    #[test]
    fn whoever_asks_the_same_again_did_not_get_the_answer() {
        const OWN_CLOCK: f64 = 450.0;
        let lost = Cursors::after(OWN_CLOCK, cursor(300, &["a"]), cursor(500, &["a", "b"]));
        assert_eq!(lost.clone().at_pull(OWN_CLOCK).start(OWN_CLOCK), cursor(300, &["a"]));
        let arrived = lost.at_pull(500.0);
        assert_eq!(arrived.start(500.0), cursor(500, &["a", "b"]));
        assert_eq!(arrived.before, arrived.given);
    }

    #[test]
    fn a_forced_upload_after_an_answer_that_the_phone_never_named_casts_doubt_on_it() {
        const OWN_CLOCK: f64 = 9e15;
        let given = Cursors::after(300.0, cursor(300, &["a"]), cursor(500, &["a", "b"]));
        assert_eq!(given.clone().at_push(1.0).start(OWN_CLOCK), cursor(300, &["a"]));
        let named = given.at_push(500.0).at_push(1.0);
        assert_eq!(named.start(OWN_CLOCK), cursor(500, &["a", "b"]));
    }
}
