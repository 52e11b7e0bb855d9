//! The backup stick of an open hub: a backup when it is found and each day, and what is committed since after it.
//!
//! A thread of its own does it over what everybody uses of the store, so a stick that answers slowly holds up nobody. It
//! promises that no stick is written to that bears no mark of this hub, which only a person at the panel puts there, and
//! that what went before stays whole on a stick that is pulled out.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::json;

use super::audit::{AuditSeal, Reason};
use super::rotation::BackupAccess;
use super::vault_file::VaultFile;
use super::{ApplianceError, VERSION};
use crate::backup::{self, BackupError, BackupKeys, Folder, Follower, Source};
use crate::clock::HubTime;
use crate::keys::KeyStore;
use crate::panel::{BackupStanding, BackupStatus, OfferedStick};
use crate::secret::wiping_stack;
use crate::store::audit::Entry;
use crate::store::{Store, StoreError};
use crate::system::sticks::{Access, Mounted, Stick, Sticks, SticksError};
use crate::system::supply::Sensors;

/// How often sticks are looked for at most.
const LOOK: Duration = Duration::from_secs(3);
/// How old a generation becomes before the next is made.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a stick is left alone with which something went wrong, and one that is full.
const AGAIN: Duration = Duration::from_secs(60);
const AGAIN_WHERE_FULL: Duration = Duration::from_secs(10 * 60);
const MINUTE_MS: i64 = 60 * 1000;

/// What backups are made of, and where they go.
pub(super) struct Parts {
    pub(super) sticks: Arc<dyn Sticks>,
    pub(super) sensors: Sensors,
    pub(super) store: Arc<Store>,
    pub(super) vault: Arc<VaultFile>,
    pub(super) keys: Arc<KeyStore>,
    pub(super) backup: Arc<BackupAccess>,
    pub(super) seal: Arc<AuditSeal>,
    pub(super) hub_id: String,
    /// How often what was committed goes to the stick.
    pub(super) interval: Duration,
}

enum Order {
    /// A new generation.
    Now,
    /// The stick of this token is to be the backup stick.
    Choose(u64),
}

/// What the panel is told of.
struct Seen {
    standing: BackupStanding,
    /// As of when everything is on the stick.
    at: Option<HubTime>,
    offered: Option<Box<OfferedStick>>,
}

/// The thread. It ends when it is dropped, once what was committed is on the stick.
pub(super) struct BackupStick {
    orders: Option<Sender<Order>>,
    is_ending: Arc<AtomicBool>,
    seen: Arc<Mutex<Seen>>,
    thread: Option<JoinHandle<()>>,
}

impl BackupStick {
    /// Starts it; `at` is when the newest backup was of. Without a thread for it the phones are served all the same.
    pub(super) fn start(parts: Parts, at: Option<HubTime>) -> Option<Self> {
        let (orders, received) = channel();
        let is_ending = Arc::new(AtomicBool::new(false));
        let seen = Arc::new(Mutex::new(Seen {
            standing: BackupStanding::Away,
            at,
            offered: None,
        }));
        let mut working = Working {
            parts,
            seen: Arc::clone(&seen),
            is_ending: Arc::clone(&is_ending),
            known: Vec::new(),
            at_work: None,
            again_at: Instant::now(),
        };
        let thread = std::thread::Builder::new()
            .name("backup".into())
            .spawn(move || wiping_stack(move || working.work(&received)))
            .inspect_err(|error| tracing::error!(%error, "the backups did not start"))
            .ok()?;
        Some(Self {
            orders: Some(orders),
            is_ending,
            seen,
            thread: Some(thread),
        })
    }

    /// Makes a new generation as soon as there is a stick for it.
    pub(super) fn back_up_now(&self) {
        self.order(Order::Now);
    }

    /// Makes the stick of this token, which a person saw on the panel, the backup stick.
    pub(super) fn choose(&self, token: u64) {
        self.order(Order::Choose(token));
    }

    fn order(&self, order: Order) {
        if let Some(orders) = &self.orders {
            // It ends only with this.
            let _ = orders.send(order);
        }
    }

    /// As of when everything is on a stick.
    pub(super) fn newest(&self) -> Option<HubTime> {
        lock(&self.seen).at
    }

    /// How it is with the backups, for the panel.
    pub(super) fn status(&self, now: HubTime) -> BackupStatus {
        let seen = lock(&self.seen);
        let minutes = |at: HubTime| u32::try_from((now.millis() - at.millis()).max(0) / MINUTE_MS).unwrap_or(u32::MAX);
        BackupStatus {
            standing: seen.standing,
            minutes_ago: seen.at.map(minutes),
            offered: seen.offered.clone(),
        }
    }
}

impl Drop for BackupStick {
    fn drop(&mut self) {
        self.is_ending.store(true, Ordering::Relaxed);
        drop(self.orders.take());
        if let Some(thread) = self.thread.take() {
            // A panic in it was reported where it happened.
            let _ = thread.join();
        }
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whose a stick is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Ours,
    AnotherHubs,
    Nobodys,
    /// It can't be read.
    Unreadable,
}

/// A stick with a generation that is followed.
struct AtWork {
    // First, so that the stick is closed after it.
    follower: Follower,
    mounted: Mounted,
    stick: Stick,
    made: Instant,
    followed: Instant,
}

struct Working {
    parts: Parts,
    seen: Arc<Mutex<Seen>>,
    is_ending: Arc<AtomicBool>,
    /// The sticks that were looked at since they were plugged in, by their tokens.
    known: Vec<(u64, Whose)>,
    at_work: Option<AtWork>,
    again_at: Instant,
}

impl Working {
    fn work(&mut self, orders: &Receiver<Order>) {
        let pause = self.parts.interval.min(LOOK);
        loop {
            self.turn();
            match orders.recv_timeout(pause) {
                Ok(Order::Now) => {
                    self.again_at = Instant::now();
                    if let Some(AtWork { mounted, stick, .. }) = self.at_work.take() {
                        drop(mounted);
                        self.begin(stick);
                    }
                }
                Ok(Order::Choose(token)) => self.choose(token),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.follow();
        if let Some(AtWork { follower, mounted, .. }) = self.at_work.take() {
            drop(follower);
            // All is on the stick by now; to close it takes as long as the stick likes, and needs no key.
            let closing = move || drop(mounted);
            if let Err(error) = std::thread::Builder::new().name("close stick".into()).spawn(closing) {
                tracing::warn!(%error, "a stick is closed by the end of the program only");
            }
        }
    }

    fn turn(&mut self) {
        match &self.at_work {
            Some(work) if !self.parts.sticks.is_there(&work.stick) => {
                tracing::info!("the backup stick was pulled out");
                self.at_work = None;
                self.again_at = Instant::now();
                self.is(BackupStanding::Away);
            }
            Some(work) if work.made.elapsed() >= DAY && !self.is_weak() => {
                if let Some(AtWork { stick, .. }) = self.at_work.take() {
                    self.begin(stick);
                }
            }
            Some(work) if work.followed.elapsed() >= self.parts.interval => self.follow(),
            Some(_) => {}
            None => {
                if let Some(stick) = self.look_for()
                    && Instant::now() >= self.again_at
                {
                    self.begin(stick);
                }
            }
        }
    }

    /// The backup stick, if it is in.
    fn look_for(&mut self) -> Option<Stick> {
        let sticks = self.parts.sticks.look().unwrap_or_else(|error| {
            tracing::warn!(%error, "sticks can't be looked at");
            Vec::new()
        });
        self.known
            .retain(|(token, _)| sticks.iter().any(|stick| stick.token == *token));
        let mut ours = None;
        let (mut offered, mut is_anothers) = (None, false);
        for stick in sticks.into_iter().filter(|stick| stick.has_files) {
            match self.whose(&stick) {
                Whose::Ours => ours = ours.or(Some(stick)),
                Whose::AnotherHubs => is_anothers = true,
                Whose::Nobodys => {
                    offered = offered.or(Some(Box::new(OfferedStick {
                        name: stick.name,
                        bytes: stick.bytes,
                        token: stick.token,
                    })));
                }
                Whose::Unreadable => {}
            }
        }
        let mut seen = lock(&self.seen);
        seen.offered = offered.filter(|_| ours.is_none());
        if ours.is_none() {
            seen.standing = if is_anothers && seen.offered.is_none() {
                BackupStanding::AnotherHubs
            } else {
                BackupStanding::Away
            };
        }
        ours
    }

    fn whose(&mut self, stick: &Stick) -> Whose {
        if let Some((_, whose)) = self.known.iter().find(|(token, _)| *token == stick.token) {
            return *whose;
        }
        let opened = self.parts.sticks.open(stick, Access::ReadOnly);
        let whose = match opened.map(|mounted| Folder::within(mounted.path()).mark()) {
            Ok(Ok(Some(mark))) if mark.hub_id == self.parts.hub_id => Whose::Ours,
            Ok(Ok(Some(_))) => Whose::AnotherHubs,
            Ok(Ok(None)) => Whose::Nobodys,
            Ok(Err(error)) => {
                tracing::warn!(%error, "a stick can't be read");
                Whose::Unreadable
            }
            Err(error) => {
                tracing::warn!(%error, "a stick can't be opened");
                Whose::Unreadable
            }
        };
        self.known.push((stick.token, whose));
        whose
    }

    /// A person made this stick the backup stick.
    fn choose(&mut self, token: u64) {
        if !self.known.contains(&(token, Whose::Nobodys)) {
            return;
        }
        let sticks = self.parts.sticks.look().unwrap_or_default();
        let Some(stick) = sticks.into_iter().find(|stick| stick.token == token) else {
            return;
        };
        let claimed = self.claim(&stick);
        let outcome = if claimed.is_ok() { "ok" } else { "failed" };
        let detail = json!({"name": stick.name, "bytes": stick.bytes}).to_string();
        self.audit("backup.stick", detail, outcome);
        match claimed {
            Ok(()) => {
                self.known.retain(|(known, _)| *known != token);
                self.again_at = Instant::now();
            }
            Err(error) => self.failed(&stick, &error),
        }
    }

    fn claim(&self, stick: &Stick) -> Result<(), Failure> {
        let mounted = self.parts.sticks.open(stick, Access::ReadWrite)?;
        Folder::within(mounted.path()).claim(&self.parts.hub_id)?;
        Ok(mounted.close()?)
    }

    /// Makes a generation, unless the board is in no state for it.
    fn begin(&mut self, stick: Stick) {
        if self.is_weak() {
            self.is(BackupStanding::WeakPower);
            return;
        }
        let access = Arc::clone(&self.parts.backup);
        let Some((_taken, keys)) = access.take() else {
            // The master key is about to be another one.
            self.again_at = Instant::now() + LOOK;
            return;
        };
        self.is(BackupStanding::Copying(0));
        let made = self.make(&stick, &keys);
        match made {
            Ok((mounted, follower)) => {
                let generation = follower.generation().file_name().unwrap_or_default();
                let detail = json!({"generation": generation.to_string_lossy()}).to_string();
                let now = Instant::now();
                self.at_work = Some(AtWork {
                    follower,
                    mounted,
                    stick,
                    made: now,
                    followed: now,
                });
                self.is_done();
                self.audit("backup", detail, "ok");
            }
            Err(Failure::Backup(BackupError::Stopped)) => {}
            Err(error) => {
                self.failed(&stick, &error);
                self.audit("backup", String::new(), "failed");
            }
        }
    }

    fn make(&self, stick: &Stick, keys: &Arc<BackupKeys>) -> Result<(Mounted, Follower), Failure> {
        let parts = &self.parts;
        let mounted = parts.sticks.open(stick, Access::ReadWrite)?;
        parts.seal.sign(&parts.store, Reason::Backup)?;
        let source = Source {
            store: &parts.store,
            vault: parts.vault.path(),
            keys: &parts.keys,
            backup: keys,
            hub_id: &parts.hub_id,
            firmware: VERSION,
            recipient: None,
        };
        let goes_on = |permille| {
            self.is(BackupStanding::Copying(permille));
            !self.is_ending.load(Ordering::Relaxed)
        };
        let follower = backup::make(&source, &Folder::within(mounted.path()), &goes_on)?;
        Ok((mounted, follower))
    }

    /// Writes what was committed since the last time.
    fn follow(&mut self) {
        let Some(work) = &mut self.at_work else { return };
        work.followed = Instant::now();
        match work.follower.follow(self.parts.store.clock().peek()) {
            Ok(_) => self.is_done(),
            Err(error) => {
                if let Some(AtWork { stick, .. }) = self.at_work.take() {
                    self.failed(&stick, &error.into());
                }
            }
        }
    }

    fn is_done(&self) {
        let mut seen = lock(&self.seen);
        seen.standing = BackupStanding::Following;
        seen.at = Some(self.parts.store.clock().peek());
    }

    fn failed(&mut self, stick: &Stick, error: &Failure) {
        tracing::error!(%error, "the backup");
        let (standing, pause) = match error {
            _ if !self.parts.sticks.is_there(stick) => (BackupStanding::Away, Duration::ZERO),
            Failure::Backup(BackupError::Full { .. }) => (BackupStanding::Full, AGAIN_WHERE_FULL),
            // Only a new generation helps.
            Failure::Backup(BackupError::Store(StoreError::Overrun)) => (BackupStanding::Failed, Duration::ZERO),
            _ => (BackupStanding::Failed, AGAIN),
        };
        self.is(standing);
        self.again_at = Instant::now() + pause;
    }

    fn is(&self, standing: BackupStanding) {
        lock(&self.seen).standing = standing;
    }

    fn is_weak(&self) -> bool {
        self.parts.sensors.look().is_unfit_for_writing()
    }

    fn audit(&self, action: &'static str, detail: String, outcome: &'static str) {
        let entry = Entry {
            action,
            detail,
            outcome,
            ..Entry::default()
        };
        let written: Result<(), StoreError> = self.parts.store.write(move |tx| tx.audit(&entry));
        if let Err(error) = written {
            tracing::error!(%error, "a backup could not be written down");
        }
    }
}

/// Why nothing came onto a stick.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Sticks(#[from] SticksError),
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error(transparent)]
    Appliance(#[from] ApplianceError),
}
