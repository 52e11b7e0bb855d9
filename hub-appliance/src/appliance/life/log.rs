//! The audit log of an open hub: its end is signed each day, all of it is checked each month, and what is too old goes;
//! all in the background, for nobody has to wait for it.

use std::sync::Arc;

use tokio::task::JoinHandle;

use super::{Life, State, blocking};
use crate::appliance::audit::{AuditSeal, Reason};
use crate::appliance::{ApplianceError, VERSION};
use crate::panel::News;
use crate::secret::wiping_stack;
use crate::store::audit::Entry;
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

/// Writes down what a person did at the panel. Blocking.
pub(super) fn audit(store: &Store, action: &'static str, outcome: &'static str) {
    audit_with(store, action, String::new(), outcome);
}

/// The same, with more to say of it, as JSON.
fn audit_with(store: &Store, action: &'static str, detail: String, outcome: &'static str) {
    let entry = Entry {
        action,
        detail,
        outcome,
        ..Entry::default()
    };
    if let Err(error) = store.write(move |tx| tx.audit(&entry)) {
        tracing::error!(%error, "what a person did at the panel could not be written down");
    }
}

impl Life {
    /// Writes down what a person did at the panel of an open hub, with more to say of it, as JSON.
    pub(super) async fn audit(&self, action: &'static str, detail: String, outcome: &'static str) {
        let State::Open(serving) = &self.state else { return };
        let store = Arc::clone(&serving.sources.store);
        let written = blocking(move || {
            audit_with(&store, action, detail, outcome);
            Ok(())
        });
        if let Err(error) = written.await {
            tracing::error!(%error, "what a person did at the panel could not be written down");
        }
    }

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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;
    use crate::clock::{HubClock, HubTime, TimeSource};
    use crate::keys::Vault;
    use crate::store::StoreKey;
    use crate::store::audit::AuditKey;

    const DAY: i64 = 24 * 60 * 60 * 1000;

    /// A clock of the test's.
    #[derive(Clone)]
    struct Set(Arc<AtomicI64>);

    impl TimeSource for Set {
        fn millis(&self) -> i64 {
            self.0.load(Ordering::Relaxed)
        }
    }

    fn open(folder: &Path, clock: &Set, audit_key: u8) -> Store {
        let clock = Arc::new(HubClock::new(Box::new(clock.clone()), HubTime::ZERO));
        let (key, audit_key) = (StoreKey::new([1; 32]), AuditKey::new([audit_key; 32]));
        Store::open(folder, &key, audit_key, clock).unwrap()
    }

    #[test]
    fn the_end_of_the_log_is_signed_each_day_and_all_of_it_checked_each_month() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Set(Arc::new(AtomicI64::new(1_800_000_000_000)));
        let vault = Vault::create(Uuid::from_u128(7), "Clinic".into(), HubTime::ZERO).unwrap();
        let seal = Arc::new(AuditSeal::new(folder.path(), &vault).unwrap());
        let signed = || {
            let text = fs::read_to_string(folder.path().join("audit-end.json")).unwrap();
            let signed: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(signed["reason"], "day");
            signed["entry"].as_i64().unwrap()
        };
        let store = open(folder.path(), &clock, 9);
        let mut last = 0;
        for day in 0..3 {
            tend(&store, &seal, "1").unwrap();
            assert!(signed() > last, "day {day}");
            last = signed();
            tend(&store, &seal, "1").unwrap();
            assert_eq!(signed(), last, "once a day");
            clock.0.fetch_add(DAY, Ordering::Relaxed);
        }
        assert!(store.close(Duration::from_secs(5)));

        // By another key nothing that was written until now is as it was.
        let store = open(folder.path(), &clock, 8);
        for _ in 0..25 {
            tend(&store, &seal, "1").unwrap();
            assert_eq!(
                store.audit_broken().unwrap(),
                None,
                "all of it is checked each month alone"
            );
            clock.0.fetch_add(DAY, Ordering::Relaxed);
        }
        for _ in 0..7 {
            clock.0.fetch_add(DAY, Ordering::Relaxed);
            tend(&store, &seal, "1").unwrap();
        }
        assert_eq!(store.audit_broken().unwrap(), Some(1));
    }
}
