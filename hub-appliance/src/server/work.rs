//! Where work is done: inline, or on a blocking thread after its turn in a lane; and what a panic there becomes.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::gate::Lease;
use super::status::Failure;
use super::{Hooks, Limits};
use crate::ids::ClientId;
use crate::secret::wiping_stack;

/// When to come again who waits for nobody but himself.
const SOON: Duration = Duration::from_secs(2);

/// A queue of bounded length before a bounded number of workers.
#[derive(Debug)]
pub(super) struct Lane {
    places: Arc<Semaphore>,
    workers: Arc<Semaphore>,
    queue_time: Duration,
}

/// A turn at work. It moves into the blocking task, so that it ends with the work and not with a caller who hung up.
#[derive(Debug)]
pub(super) struct Turn {
    _worker: OwnedSemaphorePermit,
    _place: OwnedSemaphorePermit,
}

impl Lane {
    /// Lets `at_once` work while `waiting` more wait, each for at most `queue_time`.
    pub(super) fn new(at_once: usize, waiting: usize, queue_time: Duration) -> Self {
        let workers = at_once.max(1);
        Self {
            places: Arc::new(Semaphore::new(workers + waiting)),
            workers: Arc::new(Semaphore::new(workers)),
            queue_time,
        }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// [`Failure::TooMany`] if the queue is full, [`Failure::Locked`] if the hub locks meanwhile,
    /// [`Failure::Unavailable`] if the turn did not come in time.
    pub(super) async fn turn(&self, lease: &Lease) -> Result<Turn, Failure> {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return Err(Failure::TooMany {
                retry_after: self.queue_time,
            });
        };
        let worker = wait_open(lease, self.queue_time, Arc::clone(&self.workers).acquire_owned())
            .await?
            .map_err(|_| Failure::Unavailable)?;
        Ok(Turn {
            _worker: worker,
            _place: place,
        })
    }
}

/// A lane in which each device has a few places at most, so that one that sends logins by the dozen waits for itself.
#[derive(Debug)]
pub(super) struct FairLane {
    lane: Lane,
    per_device: usize,
    taken: Arc<Mutex<HashMap<ClientId, usize>>>,
}

/// A turn in a [`FairLane`].
#[derive(Debug)]
pub(super) struct FairTurn {
    _turn: Turn,
    _share: FairShare,
}

/// One of a device's places, free again when dropped.
#[derive(Debug)]
struct FairShare {
    client: ClientId,
    taken: Arc<Mutex<HashMap<ClientId, usize>>>,
}

impl FairLane {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            lane: Lane::new(limits.logins_at_once, limits.logins_waiting, limits.login_time),
            per_device: limits.logins_per_device.max(1),
            taken: Arc::default(),
        }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// As [`Lane::turn`]; [`Failure::TooMany`] too if `client` has all its places.
    pub(super) async fn turn(&self, client: ClientId, lease: &Lease) -> Result<FairTurn, Failure> {
        let share = {
            let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            let places = taken.entry(client).or_default();
            if *places >= self.per_device {
                return Err(Failure::TooMany { retry_after: SOON });
            }
            *places += 1;
            FairShare {
                client,
                taken: Arc::clone(&self.taken),
            }
        };
        let turn = self.lane.turn(lease).await?;
        Ok(FairTurn {
            _turn: turn,
            _share: share,
        })
    }
}

impl Drop for FairShare {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(places) = taken.get_mut(&self.client) {
            *places -= 1;
            if *places == 0 {
                taken.remove(&self.client);
            }
        }
    }
}

/// Waits for `event` while the hub stays open, at most for `time`.
///
/// # Errors
/// [`Failure::Locked`] or [`Failure::Unavailable`].
pub(super) async fn wait_open<T>(lease: &Lease, time: Duration, event: impl Future<Output = T>) -> Result<T, Failure> {
    tokio::select! {
        biased;
        () = lease.closed() => Err(Failure::Locked),
        outcome = timeout(time, event) => outcome.map_err(|_| Failure::Unavailable),
    }
}

/// Runs `work` here and now. A panic in it is reported and answered like any other fault.
///
/// # Errors
/// What `work` returns, or [`Failure::Unavailable`] after a panic.
pub(super) fn inline<T>(
    hooks: &dyn Hooks,
    correlation: u64,
    work: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    // Nothing that `work` could leave half-done is looked at again: the appliance locks on the report.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        hooks.panicked(correlation);
        Err(Failure::Unavailable)
    })
}

/// Runs `work` on a blocking thread; it goes on to its end even if the caller hangs up.
///
/// # Errors
/// As [`inline`].
pub(super) async fn blocking<T: Send + 'static>(
    hooks: Arc<dyn Hooks>,
    correlation: u64,
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(move || wiping_stack(|| inline(&*hooks, correlation, work)))
        .await
        .unwrap_or(Err(Failure::Unavailable))
}
