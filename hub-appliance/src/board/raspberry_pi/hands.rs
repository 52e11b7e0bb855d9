//! The contacts as those who hear them and the panel loop share them.
//!
//! A change goes into the contacts' state at once, and only then is the loop woken: however long that is away, no opening
//! of a contact is lost and nothing goes on repeating.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use super::contacts::Contacts;
use crate::board::Event;
use crate::board::queue::Notifier;
use crate::panel::Button;

/// What hands do at a panel. Cheap to clone. All times are of [`now`]'s clock, by which the kernel dates edges.
#[derive(Clone, Debug)]
pub(super) struct Hands {
    contacts: Arc<Mutex<Contacts>>,
    notifier: Notifier,
}

impl Hands {
    /// Contacts that are all open; `notifier` wakes who takes what they mean.
    pub(super) fn new(buttons: impl IntoIterator<Item = Button>, notifier: Notifier) -> Self {
        Self {
            contacts: Arc::new(Mutex::new(Contacts::new(buttons))),
            notifier,
        }
    }

    /// The contact of this place in the panel's profile closed or opened at `at`.
    pub(super) fn changed(&self, index: usize, closed: bool, at: Duration) {
        self.lock().changed(index, closed, at);
        self.notifier.wake();
    }

    /// What is meant by `now`; to be called until there is nothing more.
    pub(super) fn take(&self, now: Duration) -> Option<Event> {
        self.lock().take(now)
    }

    /// When [`Self::take`] may have something, if nothing changes before.
    pub(super) fn next(&self) -> Option<Duration> {
        self.lock().next()
    }

    fn lock(&self) -> MutexGuard<'_, Contacts> {
        self.contacts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The kernel's time since the start of the box, `CLOCK_MONOTONIC`.
pub(super) fn now() -> Duration {
    // It can't fail: every kernel has this clock.
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Duration::ZERO, Duration::from)
}
