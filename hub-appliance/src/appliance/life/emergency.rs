//! Emergency access at the panel: who knows the PIN opens it, and everybody sees afterwards who read how much.

use std::sync::Arc;

use serde_json::json;

use super::{Life, Serving, State, blocking};
use crate::appliance::ApplianceError;
use crate::panel::{EmergencyReader, EmergencyStatus};
use crate::procedures::{EMERGENCY, Emergency};
use crate::store::Store;
use crate::store::audit::{Entry, emergency};

/// Why it ended, as the audit log says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndedBy {
    Time,
    Panel,
    Lock,
}

/// The entry that says that it ended.
pub(super) fn end_entry(by: EndedBy) -> Entry {
    let reason = match by {
        EndedBy::Time => "time",
        EndedBy::Panel => "panel",
        EndedBy::Lock => "lock",
    };
    entry(emergency::ENDED, json!({"reason": reason}).to_string())
}

fn entry(action: &'static str, detail: String) -> Entry {
    Entry {
        action,
        detail,
        outcome: "ok",
        ..Entry::default()
    }
}

/// Who read by the last one, as long as nobody has seen it.
pub(super) fn readers(store: &Store) -> Option<Arc<[EmergencyReader]>> {
    let reads = store.read(|snapshot| snapshot.emergency_reads());
    // A store that does not answer is reported where it is used.
    let readers = reads.ok()??.into_iter().map(|reads| EmergencyReader {
        name: reads.user,
        calls: reads.calls,
    });
    Some(readers.collect())
}

/// Opens it, once that is written down. Blocking.
pub(super) fn open_emergency(store: &Store, access: &Emergency) -> Result<(), ApplianceError> {
    let minutes = EMERGENCY.as_secs() / 60;
    let opened = entry(emergency::OPENED, json!({"minutes": minutes}).to_string());
    store.write(move |tx| tx.audit(&opened))?;
    access.open(store.clock().run_time());
    Ok(())
}

impl Life {
    /// Ends it where it is open, and lists who read by it.
    pub(super) async fn end_emergency(&mut self, by: EndedBy) {
        let State::Open(serving) = &mut self.state else { return };
        if !serving.emergency.end() {
            return;
        }
        let store = Arc::clone(&serving.sources.store);
        let ended = blocking(move || {
            store.write(move |tx| tx.audit(&end_entry(by)))?;
            Ok(())
        });
        if let Err(error) = ended.await {
            tracing::error!(%error, "the end of emergency access could not be written down");
        }
        self.look_for_readers();
        self.show();
    }

    /// Ends it when its time is over.
    pub(super) async fn expire_emergency(&mut self) {
        let is_over = |access: &Emergency| access.was_opened() && access.left(self.clock.run_time()).is_none();
        if matches!(&self.state, State::Open(serving) if is_over(&serving.emergency)) {
            self.end_emergency(EndedBy::Time).await;
        }
    }

    /// Looks who read by the one that is over: calls that were under way when it ended are written down after it.
    pub(super) fn look_for_readers(&mut self) {
        if let State::Open(serving) = &mut self.state
            && !serving.emergency.was_opened()
        {
            serving.readers = readers(&serving.sources.store);
        }
    }

    /// A person has seen who read.
    pub(super) async fn emergency_seen(&mut self) {
        let State::Open(serving) = &mut self.state else { return };
        if serving.readers.is_none() {
            return;
        }
        let store = Arc::clone(&serving.sources.store);
        let seen = blocking(move || {
            store.write(move |tx| tx.audit(&entry(emergency::SEEN, String::new())))?;
            Ok(())
        });
        match seen.await {
            Ok(()) => {
                if let State::Open(serving) = &mut self.state {
                    serving.readers = None;
                }
            }
            Err(error) => tracing::error!(%error, "that the list was seen could not be written down"),
        }
    }

    pub(super) fn emergency_status(&self, serving: &Serving) -> Option<EmergencyStatus> {
        match serving.emergency.left(self.clock.run_time()) {
            Some(left) => Some(EmergencyStatus::Open {
                seconds_left: u32::try_from(left.as_millis().div_ceil(1000)).unwrap_or(u32::MAX),
            }),
            None => serving.readers.clone().map(EmergencyStatus::Over),
        }
    }
}
