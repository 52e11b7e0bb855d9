//! The backup stick of an open hub: a backup when it is found and each day, and what is committed since after it.
//!
//! A thread of its own does it over what everybody uses of the store, so a stick that answers slowly holds up nobody. It
//! promises that no stick is written to that bears no mark of this hub, which only a person at the panel puts there, and
//! that what went before stays whole on a stick that is pulled out.
//!
//! When the hub locks, what was committed since goes to the stick if that takes it in time. A stick that does not is left
//! behind: the keys are wiped under the thread, the store closes its files, and the thread ends when the stick lets it. The
//! next one waits for that.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use serde_json::json;

use super::audit::{AuditSeal, Reason};
use super::rotation::BackupAccess;
use super::stick_thread::{self, StickThread, lock};
use super::stick_use::Present;
use super::{ApplianceError, VERSION};
use crate::backup::{self, BackupError, BackupKeys, Folder, Follower, Source, is_old};
use crate::clock::{HubClock, HubTime};
use crate::keys::KeyStore;
use crate::panel::{BackupStanding, BackupStatus, OfferedStick};
use crate::store::{Store, StoreError};
use crate::system::sticks::{Access, Mounted, Stick, Sticks, SticksError};
use crate::system::supply::Sensors;

/// How often sticks are looked for at most.
const LOOK: Duration = Duration::from_secs(3);
/// How long a stick is left alone with which something went wrong, and one that is full.
const AGAIN: Duration = Duration::from_secs(60);
const AGAIN_WHERE_FULL: Duration = Duration::from_secs(10 * 60);
const MINUTE_MS: i64 = 60 * 1000;

/// What backups are made of, and where they go. Of what holds secrets nothing is kept alive by it.
pub(super) struct Parts {
    pub(super) sticks: Arc<dyn Sticks>,
    pub(super) sensors: Sensors,
    pub(super) store: Weak<Store>,
    pub(super) clock: Arc<HubClock>,
    pub(super) vault: PathBuf,
    pub(super) keys: Arc<KeyStore>,
    pub(super) backup: Arc<BackupAccess>,
    pub(super) seal: Weak<AuditSeal>,
    pub(super) hub_id: String,
    /// How often what was committed goes to the stick.
    pub(super) interval: Duration,
    /// Held by the one that may work on sticks.
    pub(super) turn: Arc<Mutex<()>>,
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
    is_failing: bool,
    offered: Option<Box<OfferedStick>>,
}

/// The thread. [`Self::end`] ends it.
pub(super) struct BackupStick {
    orders: Sender<Order>,
    seen: Arc<Mutex<Seen>>,
    keys: Arc<BackupAccess>,
    is_given_up: Arc<AtomicBool>,
    thread: StickThread,
}

impl BackupStick {
    /// Starts it; `at` is when the newest backup was of. Without a thread for it the phones are served all the same.
    pub(super) fn start(parts: Parts, at: Option<HubTime>) -> Option<Self> {
        let (orders, received) = channel();
        let (is_ending, is_given_up) = <(Arc<AtomicBool>, Arc<AtomicBool>)>::default();
        let (keys, turn) = (Arc::clone(&parts.backup), Arc::clone(&parts.turn));
        let seen = Arc::new(Mutex::new(Seen {
            standing: BackupStanding::Away,
            at,
            is_failing: false,
            offered: None,
        }));
        let mut working = Working {
            parts,
            seen: Arc::clone(&seen),
            is_ending: Arc::clone(&is_ending),
            is_given_up: Arc::clone(&is_given_up),
            known: Vec::new(),
            at_work: None,
            again_at: Instant::now(),
        };
        let thread = StickThread::start("backup", &is_ending, move || {
            // One from before the hub was locked may still wait for its stick.
            let _turn = lock(&turn);
            working.work(&received);
        });
        Some(Self {
            orders,
            seen,
            keys,
            is_given_up,
            thread: thread?,
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
        // It ends only with this.
        let _ = self.orders.send(order);
    }

    /// Ends it, once what was committed is on the stick, or at `until`. Whether the keys are wiped.
    #[must_use]
    pub(super) fn end(self, until: Instant) -> bool {
        drop(self.orders);
        if !self.thread.ends_by(until) {
            tracing::warn!("the backup stick does not answer in time and is left behind");
            self.is_given_up.store(true, Ordering::Relaxed);
        }
        self.keys.forget()
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
            is_failing: seen.is_failing,
            offered: seen.offered.clone(),
        }
    }
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
    followed: Instant,
}

struct Working {
    parts: Parts,
    seen: Arc<Mutex<Seen>>,
    is_ending: Arc<AtomicBool>,
    is_given_up: Arc<AtomicBool>,
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
                    self.renew();
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
            Some(work) if is_old(work.follower.made_at(), self.parts.clock.peek()) && !self.is_weak() => {
                self.renew();
            }
            Some(work) if work.followed.elapsed() >= self.parts.interval => self.follow(),
            Some(_) => {}
            None => {
                if let Some(stick) = self.look_for()
                    && Instant::now() >= self.again_at
                {
                    self.begin(stick, false);
                }
            }
        }
    }

    /// The backup stick, if it is in.
    fn look_for(&mut self) -> Option<Stick> {
        let Present {
            usable,
            mut has_unreadable,
        } = Present::look(&*self.parts.sticks).unwrap_or_else(|error| {
            tracing::warn!(%error, "sticks can't be looked at");
            Present {
                usable: Vec::new(),
                has_unreadable: false,
            }
        });
        self.known
            .retain(|(token, _)| usable.iter().any(|stick| stick.token == *token));
        let mut ours = None;
        let (mut offered, mut is_anothers) = (None, false);
        for stick in usable {
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
                Whose::Unreadable => has_unreadable = true,
            }
        }
        let mut seen = lock(&self.seen);
        seen.offered = offered.filter(|_| ours.is_none());
        if ours.is_none() {
            seen.standing = match seen.offered {
                None if is_anothers => BackupStanding::AnotherHubs,
                None if has_unreadable => BackupStanding::Unreadable,
                _ => BackupStanding::Away,
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

    /// Makes a new generation on the stick that is at work.
    fn renew(&mut self) {
        if let Some(AtWork {
            follower,
            mounted,
            stick,
            ..
        }) = self.at_work.take()
        {
            // It holds the log, which the next one is to hold.
            drop(follower);
            drop(mounted);
            self.begin(stick, true);
        }
    }

    /// Goes on with the newest generation, or makes one, unless the board is in no state for it. `is_new` asks for one.
    fn begin(&mut self, stick: Stick, is_new: bool) {
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
        let made = self.make(&stick, &keys, is_new);
        match made {
            Ok((mounted, follower)) => {
                let generation = follower.generation().file_name().unwrap_or_default().to_string_lossy();
                let detail = json!({"generation": generation, "new": follower.is_of_new()}).to_string();
                let now = Instant::now();
                self.at_work = Some(AtWork {
                    follower,
                    mounted,
                    stick,
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

    fn make(&self, stick: &Stick, keys: &Arc<BackupKeys>, is_new: bool) -> Result<(Mounted, Follower), Failure> {
        let parts = &self.parts;
        let mounted = parts.sticks.open(stick, Access::ReadWrite)?;
        let (Some(store), Some(seal)) = (parts.store.upgrade(), parts.seal.upgrade()) else {
            return Err(BackupError::Stopped.into());
        };
        seal.sign(&store, Reason::Backup)?;
        drop((store, seal));
        let source = Source {
            store: Weak::clone(&parts.store),
            vault: &parts.vault,
            keys: &parts.keys,
            backup: keys,
            hub_id: &parts.hub_id,
            firmware: VERSION,
            recipient: parts.backup.recipient(),
            is_ending: &self.is_ending,
            is_given_up: &self.is_given_up,
        };
        let tell = |permille| self.is(BackupStanding::Copying(permille));
        let folder = Folder::within(mounted.path());
        let there = if is_new {
            None
        } else {
            backup::resume(&source, &folder, &tell)?
        };
        let follower = there.map_or_else(|| backup::make(&source, &folder, &tell), Ok)?;
        Ok((mounted, follower))
    }

    /// Writes what was committed since the last time.
    fn follow(&mut self) {
        let Some(work) = &mut self.at_work else { return };
        work.followed = Instant::now();
        match work.follower.follow(self.parts.clock.peek()) {
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
        seen.at = Some(self.parts.clock.peek());
        seen.is_failing = false;
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
        let mut seen = lock(&self.seen);
        seen.standing = standing;
        // To be pulled out is no failure, and a log that was let go is of the hub's own making.
        seen.is_failing |= !pause.is_zero();
        drop(seen);
        self.again_at = Instant::now() + pause;
    }

    fn is(&self, standing: BackupStanding) {
        lock(&self.seen).standing = standing;
    }

    fn is_weak(&self) -> bool {
        self.parts.sensors.look().is_unfit_for_writing()
    }

    fn audit(&self, action: &'static str, detail: String, outcome: &'static str) {
        if let Some(store) = self.parts.store.upgrade() {
            stick_thread::audit(&store, action, detail, outcome);
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
