//! What the relay says of itself, for the panel.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::WithdrawnClinics;
use crate::clock::HubTime;

/// Where the relay is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RelayState {
    /// It waits for a network.
    #[default]
    NoNetwork,
    /// It waits for its next run.
    Waiting,
    /// It asks the cloud, or applies what it sent.
    Receiving,
    /// It sends: so many of so many rows.
    Sending {
        /// Rows that the cloud took in this run.
        sent: u32,
        /// Rows that there were to send.
        total: u32,
    },
    /// The cloud refuses the key.
    Refused,
    /// The cloud does not want this hub to work with it now.
    Inactive,
    /// The cloud has not given this hub a clinic.
    NoClinic,
    /// The time of day is not known, and without it no certificate can be checked.
    NoClock,
    /// The last run failed; it tries again.
    Failed,
    /// The address or the certificate of the cloud makes no sense.
    Settings,
}

/// What the relay says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RelayStatus {
    /// Where it is.
    pub state: RelayState,
    /// When a run last came to its end; 0 before the first.
    pub done_at: HubTime,
    /// Rows on their way to the cloud.
    pub waiting: u32,
    /// Rows held back from it.
    pub held: u32,
    /// How many runs have ended, one way or another.
    pub runs: u32,
}

/// The status, shared with who shows it.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    status: Mutex<RelayStatus>,
    clinics: WithdrawnClinics,
}

impl Progress {
    pub(super) fn get(&self) -> RelayStatus {
        *lock(&self.0.status)
    }

    pub(super) fn set(&self, change: impl FnOnce(&mut RelayStatus)) {
        change(&mut lock(&self.0.status));
    }

    /// Clinics that the cloud has taken away.
    pub(super) fn clinics(&self) -> &WithdrawnClinics {
        &self.0.clinics
    }

    pub(super) fn is(&self, state: RelayState) {
        self.set(|status| status.state = state);
    }

    /// So many rows were taken.
    pub(super) fn sent(&self, rows: usize) {
        self.set(|status| {
            if let RelayState::Sending { total, .. } = status.state {
                let sent = u32::try_from(rows).unwrap_or(u32::MAX);
                status.state = RelayState::Sending {
                    sent,
                    total: total.max(sent),
                };
                status.waiting = total.saturating_sub(sent);
            }
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
