//! From open to locked, in time.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use super::auto_lock::Occasion;
use super::emergency::{EndedBy, end_entry};
use super::{Life, Serving, State, blocking};
use crate::appliance::ApplianceError;
use crate::appliance::audit::{AuditSeal, Reason};
use crate::appliance::status::Sources;
use crate::panel::{Fault, Phase};
use crate::secret::wiping_stack;
use crate::server::{Draining, OpenHub};
use crate::store::WriteTx;
use crate::store::audit::Entry;
use crate::system::cloud_way::CloudWay;
use crate::system::data_disk::{DataDisk, DiskState};

/// How long requests may go on after the gate is closed, before the store interrupts them.
const DRAIN: Duration = Duration::from_millis(700);
/// How long all of locking may take.
const LOCK: Duration = Duration::from_secs(2);
/// By when from its beginning on nobody waits any more for who works on a stick, or for a person.
const STICKS: Duration = Duration::from_millis(1200);

/// Why a hub locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// A person or the box wants it to.
    Told,
    /// Its owner wants it to at this moment.
    Due(Occasion),
    /// The stick that it rests on was taken out.
    StickOut,
}

impl Cause {
    /// What the audit log says of it.
    fn detail(self) -> String {
        let reason = match self {
            Self::Told => return String::new(),
            Self::Due(Occasion::TimeOfDay) => "time",
            Self::Due(Occasion::Idle) => "idle",
            Self::StickOut => "stick",
        };
        json!({"reason": reason}).to_string()
    }
}

impl Life {
    /// Closes the gate and the store and wipes the keys, in that order.
    pub(super) async fn lock(&mut self) -> Result<(), ApplianceError> {
        self.lock_because(Cause::Told).await
    }

    /// Locks where the owner wants that at this moment.
    pub(super) async fn lock_when_due(&mut self) -> Result<(), ApplianceError> {
        // What a person is waiting for at the panel is not taken away; the time is not over as soon.
        if self.is_at_work() {
            return Ok(());
        }
        let State::Open(serving) = &mut self.state else {
            return Ok(());
        };
        let last_call = serving.sources.devices.last_call();
        let Some(occasion) = serving.auto_lock.look(&self.clock, last_call) else {
            return Ok(());
        };
        tracing::info!(?occasion, "the hub locks by itself");
        self.lock_because(Cause::Due(occasion)).await?;
        self.show();
        Ok(())
    }

    /// As [`Self::lock`].
    pub(super) async fn lock_because(&mut self, cause: Cause) -> Result<(), ApplianceError> {
        if !matches!(self.state, State::Open(_)) {
            self.state = match std::mem::replace(&mut self.state, State::Locked) {
                State::ChoosingPin(_) | State::Renewing(..) | State::Repairing(_) | State::PuttingBack(..) => {
                    State::Locked
                }
                other => other,
            };
            return Ok(());
        }
        self.show_phase(Phase::Locking);
        self.stick_watch.pass_over();
        self.board_watch.pass_over();
        self.let_out(CloudWay::Shut);
        let draining = self.gate.lock();
        self.note_backup();
        let State::Open(serving) = std::mem::replace(&mut self.state, State::Locked) else {
            return Ok(());
        };
        serving.note_in(&mut self.facts, &self.clock);
        self.save_facts();
        let locked = tokio::time::timeout(
            LOCK,
            close(*serving, draining, Arc::clone(&self.config.disk), cause.detail()),
        )
        .await;
        match locked {
            Ok(Some(hub)) => {
                hub.sessions.clear();
                Ok(())
            }
            // Somebody still holds keys: only the end of the process is sure to wipe them.
            Ok(None) | Err(_) => Err(ApplianceError::LockTimeout),
        }
    }

    /// Locks a hub whose disk fails under it, and says so. To stay open would serve nobody: each login, push and pull is
    /// written down before it is answered. Locked, the phones keep what they have, the keys are out of memory, and nothing
    /// more is written to what is left.
    pub(super) async fn disk_failed(&mut self) -> Result<(), ApplianceError> {
        tracing::error!("the data disk failed");
        self.lock().await?;
        let disk = Arc::clone(&self.config.disk);
        match blocking(move || Ok(disk.state()?)).await {
            // It was pulled out, which is told by those who watch it.
            Ok(DiskState::Gone | DiskState::SystemGone) => self.show(),
            // The hub begins anew when there is another one.
            state => {
                self.waits_for_disk = state.ok();
                self.stop(Fault::DiskFailed);
            }
        }
        Ok(())
    }
}

/// Closes the store: at once when the last request has left, or else when their time is over, which interrupts them.
/// Gives back what the gate held, if nobody holds it any more.
async fn close(
    serving: Serving,
    draining: Option<Draining>,
    disk: Arc<dyn DataDisk>,
    detail: String,
) -> Option<OpenHub> {
    let draining = draining?;
    let sticks_until = Instant::now() + STICKS;
    let mut left = pin!(draining.drained(LOCK));
    let hub = tokio::time::timeout(DRAIN, &mut left).await;
    let closed = tokio::task::spawn_blocking(move || {
        wiping_stack(|| {
            // Before the store: whatever it writes then is refused. Of these the first keeps the backups from being made.
            drop(serving.rotating);
            drop(serving.relay);
            let courier = serving.courier;
            courier.end();
            let are_wiped = serving.backup.is_none_or(|backup| backup.end(sticks_until));
            // What it writes goes into the store.
            let is_done = serving.work.is_none_or(|work| work.has_ended_by(sticks_until));
            let is_closed = close_store(
                serving.sources,
                &serving.log.seal,
                &*disk,
                (detail, serving.emergency.end()),
            );
            // What it works with holds keys.
            courier.ends_by(sticks_until) && are_wiped && is_done && is_closed
        })
    })
    .await;
    let hub = match hub {
        Ok(hub) => hub,
        Err(_) => left.await,
    };
    hub.ok().filter(|_| closed.unwrap_or(false))
}

/// Whether the store was closed in time, and the disk after it.
fn close_store(
    sources: Sources,
    seal: &AuditSeal,
    disk: &dyn DataDisk,
    (detail, ends_emergency): (String, bool),
) -> bool {
    let Sources { store, devices, .. } = sources;
    if let Err(error) = devices.save_last_seen().and(devices.save_refusals()) {
        tracing::error!(%error, "the devices' last calls and what was refused could not be written down");
    }
    let entry = Entry {
        action: "lock",
        detail,
        outcome: "ok",
        ..Entry::default()
    };
    let last = move |tx: &mut WriteTx<'_>| {
        tx.save_run_time()?;
        if ends_emergency {
            tx.audit(&end_entry(EndedBy::Lock))?;
        }
        tx.audit(&entry)
    };
    if let Err(error) = store.write(last) {
        tracing::error!(%error, "locking could not be written down");
    }
    if let Err(error) = seal.sign(&store, Reason::Lock) {
        tracing::error!(%error, "the end of the audit log could not be signed");
    }
    if !store.close(DRAIN) {
        return false;
    }
    let closed = disk.close();
    if let Err(error) = &closed {
        tracing::error!(%error, "the data disk could not be closed");
    }
    closed.is_ok()
}
