//! The audit log of an open hub: its end is signed each day, all of it is checked each month, and what is too old goes;
//! all in the background, for nobody has to wait for it.

use std::sync::Arc;

use tokio::task::JoinHandle;

use super::{Life, State};
use crate::appliance::audit::{AuditSeal, Reason};
use crate::appliance::{ApplianceError, VERSION};
use crate::panel::News;
use crate::secret::wiping_stack;
use crate::store::{Store, StoreError};

/// What is done about the log while the hub is open.
pub(super) struct Log {
    pub(super) seal: Arc<AuditSeal>,
    /// The break that a person was told of, by its entry.
    told: Option<i64>,
    /// What is being done in the background.
    upkeep: Option<JoinHandle<()>>,
}

impl Log {
    /// `known` is the entry of a break that was known before the hub opened.
    pub(super) const fn new(seal: Arc<AuditSeal>, known: Option<i64>) -> Self {
        Self {
            seal,
            told: known,
            upkeep: None,
        }
    }
}

impl Life {
    /// Begins what is due, unless it is being done.
    pub(super) fn tend_log(&mut self) {
        let State::Open(serving) = &mut self.state else { return };
        if serving.log.upkeep.as_ref().is_some_and(|upkeep| !upkeep.is_finished()) {
            return;
        }
        let build = self.config.release.build.as_deref().unwrap_or_default();
        let firmware = format!("{VERSION} {build}");
        let (store, seal) = (Arc::clone(&serving.sources.store), Arc::clone(&serving.log.seal));
        serving.log.upkeep = Some(tokio::task::spawn_blocking(move || {
            match wiping_stack(|| tend(&store, &seal, &firmware)) {
                // Locking ends it; it is begun anew when the hub is open again.
                Ok(()) | Err(ApplianceError::Store(StoreError::Closed)) => {}
                Err(error) => tracing::error!(%error, "the audit log could not be seen to"),
            }
        }));
    }

    /// Tells of a log that was found not to be whole, once for each break.
    pub(super) fn tell_of_log(&mut self) {
        let State::Open(serving) = &mut self.state else { return };
        // A store that does not answer is reported where it is used.
        let broken = serving.sources.store.audit_broken().unwrap_or(serving.log.told);
        if broken.is_some() && broken != serving.log.told {
            serving.log.told = broken;
            self.tell(News::LogBroken);
        }
    }
}

fn tend(store: &Store, seal: &Arc<AuditSeal>, firmware: &str) -> Result<(), ApplianceError> {
    // Of what could not be read, a newer firmware may know the form.
    store.try_held_by(firmware)?;
    if store.begin_audit_day()? {
        seal.drop_old(store)?;
        seal.sign(store, Reason::Day)?;
    }
    if store.audit_check_is_due()? {
        let checked = seal.check_whole(store)?;
        tracing::info!(entries = checked.entries, broken = ?checked.broken, "the audit log was checked");
        store.write::<_, StoreError>(move |tx| {
            if let Some(broken) = checked.broken {
                tx.note_audit_break(broken)?;
            }
            tx.audit_was_checked()
        })?;
    }
    Ok(())
}
