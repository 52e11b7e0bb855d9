//! The stick with the key in the life of the box: it opens a locked hub when it is put in or there at the start, is asked for
//! beside the PIN, and locks the hub when it is taken out.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::task::AbortHandle;

use super::errand::Stage;
use super::locking::Cause;
use super::log::audit;
use super::unlocking::blocking_unlock;
use super::{Event, Life, State};
use crate::appliance::ApplianceError;
use crate::appliance::stick_use::{Lacking, Present};
use crate::clock::HubClock;
use crate::keys::{BoardKey, Held, KdfCost, KeyStore, KeysError, MasterKey, Pin, UsbKey, UsbKeyError, Way};
use crate::panel::{ErrandEnd, Lacks, Unlocking};
use crate::secret::wiping_stack;
use crate::system::sticks::{Access, Stick, Sticks, SticksError};

/// How often is looked whether the stick that opened the hub is still in: it has to be locked two seconds after.
const WATCH: Duration = Duration::from_millis(250);

/// What a locked hub has seen of sticks.
#[derive(Debug, Default)]
pub(super) struct StickWatch {
    seen: Arc<Mutex<Seen>>,
    is_looking: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct Seen {
    /// The sticks that were in at the last look, and whether they have a key.
    sticks: Vec<(u64, bool)>,
    /// Whether those that are in now do not open the hub: it was locked beside them.
    passes_over: bool,
    /// The stick that locked the hub when it was taken out: in again, it was put in anew.
    taken_out: Option<u64>,
}

impl StickWatch {
    /// From now on only a stick that is put in anew opens the hub.
    pub(super) fn pass_over(&self) {
        locked(&self.seen).passes_over = true;
    }

    /// The stick with this number is out, and opens the hub when it is back, however soon that is.
    fn forget(&self, token: u64) {
        let mut seen = locked(&self.seen);
        seen.sticks.retain(|(known, _)| *known != token);
        seen.taken_out = Some(token);
    }

    /// Whether there is a stick with a key.
    fn has_key(&self) -> bool {
        locked(&self.seen).sticks.iter().any(|(_, has_key)| *has_key)
    }
}

fn locked(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks at the sticks that are in, and reports the key of one that was not there before. Blocking.
fn look(sticks: &dyn Sticks, seen: &Mutex<Seen>, events: &UnboundedSender<Event>) {
    let found = match sticks.look() {
        Ok(found) => found,
        Err(error) => return tracing::warn!(%error, "sticks can't be looked for"),
    };
    let (known, passes_over, taken_out) = {
        let mut seen = locked(seen);
        let passes_over = std::mem::take(&mut seen.passes_over);
        (seen.sticks.clone(), passes_over, seen.taken_out.take())
    };
    let mut now = Vec::new();
    for stick in found.into_iter().filter(|stick| stick.has_files) {
        let before = known.iter().find(|(token, _)| *token == stick.token);
        let is_new = before.is_none() && (!passes_over || taken_out == Some(stick.token));
        let key = match before {
            Some((_, has_key)) => Err(*has_key),
            None => Ok(key_on(sticks, &stick)),
        };
        now.push((stick.token, matches!(key, Err(true) | Ok(Some(_)))));
        if let Ok(Some(key)) = key
            && is_new
        {
            // The receiver is gone only when the hub ends anyway.
            let _ = events.send(Event::KeyStick(stick, key));
        }
    }
    locked(seen).sticks = now;
}

/// The key on a stick, if it has one that can be read.
fn key_on(sticks: &dyn Sticks, stick: &Stick) -> Option<UsbKey> {
    let open = sticks.open(stick, Access::ReadOnly);
    let read = open.map(|open| UsbKey::read(open.path()));
    match read {
        Ok(Ok(key)) => key,
        Ok(Err(error)) => {
            tracing::warn!(%error, "no key was read");
            None
        }
        Err(error) => {
            tracing::warn!(%error, "no key was read");
            None
        }
    }
}

/// The key on the first stick that has one. Blocking.
pub(super) fn find_key(sticks: &dyn Sticks) -> Option<(Stick, UsbKey)> {
    let found = sticks.look().ok()?;
    found.into_iter().filter(|stick| stick.has_files).find_map(|stick| {
        let key = key_on(sticks, &stick)?;
        Some((stick, key))
    })
}

/// A watch over the stick that an open hub rests on; ends when dropped.
pub(super) struct Guard {
    token: u64,
    watch: AbortHandle,
}

impl Guard {
    fn over(stick: Stick, sticks: Arc<dyn Sticks>, events: UnboundedSender<Event>) -> Self {
        let token = stick.token;
        let watch = tokio::spawn(async move {
            let mut turns = tokio::time::interval(WATCH);
            while sticks.is_there(&stick) {
                turns.tick().await;
            }
            // As above.
            let _ = events.send(Event::KeyTaken(token));
        });
        Self {
            token,
            watch: watch.abort_handle(),
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

impl Life {
    /// The ways to unlock; none where the slots can't be read, which is told when somebody unlocks.
    pub(super) fn ways(&self) -> Vec<Way> {
        self.keys.ways().unwrap_or_default()
    }

    /// Begins a look at the sticks that are in, if a locked hub has reason for one.
    pub(super) fn look_for_stick(&self) {
        let asks = matches!(self.state, State::Locked) && self.ways().iter().any(|way| way.has_stick());
        if !asks || self.stick_watch.is_looking.swap(true, Ordering::AcqRel) {
            return;
        }
        let (sticks, events) = (Arc::clone(&self.config.sticks), self.events.clone());
        let (seen, is_looking) = (
            Arc::clone(&self.stick_watch.seen),
            Arc::clone(&self.stick_watch.is_looking),
        );
        // A thread of its own, which does not keep the process from ending.
        std::thread::spawn(move || {
            wiping_stack(|| look(&*sticks, &seen, &events));
            is_looking.store(false, Ordering::Release);
        });
    }

    /// What is missing that a locked hub was to be opened by.
    pub(super) fn lacks(&self) -> Lacks {
        let ways = self.ways();
        if ways.contains(&Way::PinAndStick) && !self.stick_watch.has_key() {
            Lacks::Stick
        } else {
            self.lacks_of_board(&ways)
        }
    }

    /// Whether what the panel says of that has changed.
    pub(super) fn lacks_other_than_told(&mut self) -> bool {
        let lacks = if matches!(self.state, State::Locked) {
            self.lacks()
        } else {
            Lacks::Nothing
        };
        std::mem::replace(&mut self.told_of, lacks) != lacks
    }

    /// A stick with a key was put into a locked hub, or is in it at its start.
    pub(super) async fn stick_put_in(&mut self, stick: Stick, key: UsbKey) {
        if !matches!(self.state, State::Locked) || !self.ways().contains(&Way::Stick) {
            return self.show();
        }
        self.show_phase(crate::panel::Phase::Unlocking);
        let (keys, brings_up) = (Arc::clone(&self.keys), self.brings_slots_up());
        match blocking_unlock(move || keys.unlock_with_stick(&key, brings_up)).await {
            Ok(master) => {
                self.key_stick = Some(stick);
                self.open(master, "unlock.stick").await;
            }
            Err(_) => tracing::warn!("the key on the stick is not this hub's"),
        }
        self.show();
    }

    /// The stick was taken out that this hub rests on.
    pub(super) async fn stick_taken_out(&mut self, token: u64) -> Result<(), ApplianceError> {
        let rests_on_it = |guard: &Guard| guard.token == token;
        if matches!(&self.state, State::Open(serving) if serving.guard.as_ref().is_some_and(rests_on_it)) {
            self.lock_because(Cause::StickOut).await?;
            self.stick_watch.forget(token);
        }
        self.show();
        Ok(())
    }

    /// The watch over the stick that has just opened the hub.
    pub(super) fn guard(&mut self) -> Option<Guard> {
        let stick = self.key_stick.take()?;
        Some(Guard::over(stick, Arc::clone(&self.config.sticks), self.events.clone()))
    }

    /// From now on the hub is unlocked in another way.
    pub(super) fn change_ways(&mut self, wish: Unlocking, pin: Pin, master: MasterKey) {
        let State::Open(serving) = &self.state else { return };
        let store = Arc::clone(&serving.sources.store);
        let (keys, sticks) = (Arc::clone(&self.keys), Arc::clone(&self.config.sticks));
        let (clock, target, board) = (Arc::clone(&self.clock), self.config.unlock_time, self.board());
        let settle = move || {
            let means = Means {
                sticks: &*sticks,
                board: board.as_deref(),
            };
            let stick = settle(&keys, &means, wish, &pin, &master, target, &clock)?;
            audit(&store, "unlocking.change", "ok");
            Ok((stick, master))
        };
        self.begin_work(settle, move |life, settled| {
            let end = match settled {
                Ok((stick, master)) => {
                    life.rotate(master);
                    life.rest_on(stick);
                    ErrandEnd::Unlocking(wish)
                }
                Err(end) => end,
            };
            life.errand_is(Stage::Ended(end));
        });
    }

    /// From now on the hub rests on this stick, or on none where no way to unlock has one.
    fn rest_on(&mut self, stick: Option<Stick>) {
        self.key_stick = stick;
        let guard = self.guard();
        let rests_on_stick = self.ways().iter().any(|way| way.has_stick());
        if let State::Open(serving) = &mut self.state
            && (guard.is_some() || !rests_on_stick)
        {
            serving.guard = guard;
        }
    }
}

/// What there is beside a PIN.
struct Means<'a> {
    sticks: &'a dyn Sticks,
    board: Option<&'a BoardKey>,
}

/// Does it, and gives the stick that the hub rests on from now on. Blocking.
fn settle(
    keys: &KeyStore,
    means: &Means<'_>,
    wish: Unlocking,
    pin: &Pin,
    master: &MasterKey,
    target: Duration,
    clock: &HubClock,
) -> Result<Option<Stick>, ErrandEnd> {
    let way = match wish {
        Unlocking::NoStick | Unlocking::NoBox => {
            let way = if wish == Unlocking::NoBox {
                Way::Board
            } else {
                Way::Stick
            };
            keys.remove_way(master, way).map_err(|error| failed(&error))?;
            return Ok(None);
        }
        Unlocking::PinAndBox => Way::PinAndBoard,
        Unlocking::Box => Way::Board,
        Unlocking::Pin => Way::Pin,
        Unlocking::PinAndStick => Way::PinAndStick,
        Unlocking::Stick => Way::Stick,
    };
    if way == Way::Pin && !pin.is_enough_alone() {
        return Err(ErrandEnd::PinTooShort);
    }
    let with = way.has_stick().then(|| make_key(means.sticks)).transpose()?;
    let (stick, key) = with.unzip();
    let cost = KdfCost::calibrate(target).map_err(|error| failed(&error.into()))?;
    let held = Held {
        usb: key.as_ref(),
        board: means.board,
    };
    let added = keys.add_way(master, way, Some(pin), held, cost, clock.now());
    added.map_err(|error| failed(&error))?;
    Ok(stick)
}

fn failed(error: &KeysError) -> ErrandEnd {
    tracing::error!(%error, "how the hub is unlocked could not be changed");
    match error {
        KeysError::NeedsBoard => ErrandEnd::BoxFailed,
        _ => ErrandEnd::Failed,
    }
}

/// The key on the one stick that is in; makes one where there is none.
pub(super) fn make_key(sticks: &dyn Sticks) -> Result<(Stick, UsbKey), ErrandEnd> {
    let on_stick = |error: SticksError| {
        tracing::error!(%error, "no key was made");
        ErrandEnd::StickFailed
    };
    let mut found = Present::look(sticks).map_err(on_stick)?;
    let stick = match (found.usable.pop(), found.usable.is_empty()) {
        (Some(stick), true) => stick,
        (Some(_), false) => return Err(ErrandEnd::SeveralSticks),
        (None, _) => {
            return Err(match found.lacking() {
                Lacking::Stick => ErrandEnd::NoStick,
                Lacking::Readable => on_stick(SticksError::NoFileSystem),
            });
        }
    };
    let of_key = |error: UsbKeyError| {
        tracing::error!(%error, "no key was made");
        match error {
            UsbKeyError::Other => ErrandEnd::OtherKeyFile,
            _ => ErrandEnd::StickFailed,
        }
    };
    // One with a key need not be writable.
    let open = sticks.open(&stick, Access::ReadOnly).map_err(on_stick)?;
    let there = UsbKey::read(open.path()).map_err(of_key)?;
    open.close().map_err(on_stick)?;
    let key = match there {
        Some(key) => key,
        None => {
            let open = sticks.open(&stick, Access::ReadWrite).map_err(on_stick)?;
            let key = UsbKey::read_or_make(open.path()).map_err(of_key)?;
            open.close().map_err(on_stick)?;
            key
        }
    };
    Ok((stick, key))
}
