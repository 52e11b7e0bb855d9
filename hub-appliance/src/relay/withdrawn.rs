//! Clinics that the cloud has taken away: which of them a person is asked about, and what becomes of the answer. A relay has
//! this, and so has a hub whose records are carried by hand.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::Store;
use crate::store::relay::Withdrawn;

/// Clinics that the cloud has taken away, shared with who asks about them.
#[derive(Clone, Debug, Default)]
pub struct WithdrawnClinics(Arc<Mutex<Clinics>>);

#[derive(Debug, Default)]
struct Clinics {
    /// The one that a person is asked about.
    offered: Option<Withdrawn>,
    /// Those that are to stay, or are being deleted: by their ids.
    settled: Vec<String>,
}

impl WithdrawnClinics {
    /// The clinic that a person is asked about.
    #[must_use]
    pub fn offered(&self) -> Option<Withdrawn> {
        self.lock().offered.clone()
    }

    /// Looks for one that a person can decide about.
    pub fn look(&self, store: &Store) {
        let settled = self.lock().settled.clone();
        // A store that does not tell is reported where it is used.
        let Ok(withdrawn) = store.read(|snapshot| snapshot.withdrawn(&settled)) else {
            return;
        };
        let mut clinics = self.lock();
        let is_settled = |offered: &Withdrawn| clinics.settled.contains(&offered.clinic);
        let offered = withdrawn.filter(|offered| !is_settled(offered));
        clinics.offered = offered;
    }

    /// A person has decided: nobody is asked about this one again before the hub is unlocked anew.
    pub fn settle(&self, clinic: &str) {
        let mut clinics = self.lock();
        clinics.settled.push(clinic.to_owned());
        clinics.offered.take_if(|offered| offered.clinic == clinic);
    }

    /// Deletes what the cloud has taken away with a clinic, as far as it gets while `goes_on`: then a person is asked about
    /// the rest. Looks for the next one.
    pub fn delete(&self, store: &Store, clinic: &str, goes_on: impl Fn() -> bool) {
        while goes_on() {
            match store.delete_withdrawn(clinic) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    tracing::error!(%error, "the records of a clinic that was taken away are not all deleted");
                    break;
                }
            }
        }
        self.look(store);
    }

    fn lock(&self) -> MutexGuard<'_, Clinics> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
