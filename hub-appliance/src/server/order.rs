//! The order of one phone's commands: an earlier one has ended before a later one is run.
//!
//! A phone that lost its connection during a push sends what it has then, with newer edits, while the first push may
//! still be at work. Applied after the second one, it would put the older values back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as Queue, OwnedMutexGuard};

use super::gate::Lease;
use super::status::Failure;
use super::work::wait_open;
use crate::ids::ClientId;

/// A queue a phone, first come first served. Phones that have nothing to wait for take no memory.
#[derive(Debug, Default)]
pub(super) struct Order(Mutex<HashMap<ClientId, Arc<Queue<()>>>>);

/// Until this is dropped, the phone's later commands wait. It moves into the blocking task, as the phone may hang up.
#[derive(Debug)]
pub(super) struct Place {
    _guard: OwnedMutexGuard<()>,
}

impl Order {
    /// Waits until all earlier commands of `client` have ended, at most for `time`.
    ///
    /// # Errors
    /// [`Failure::Locked`] if the hub locks meanwhile, [`Failure::Unavailable`] if the time was over.
    pub(super) async fn after_earlier(
        &self,
        client: ClientId,
        lease: &Lease,
        time: Duration,
    ) -> Result<Place, Failure> {
        let queue = self.queue_of(client);
        let guard = wait_open(lease, time, queue.lock_owned()).await?;
        Ok(Place { _guard: guard })
    }

    fn queue_of(&self, client: ClientId) -> Arc<Queue<()>> {
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // One that only the table holds has nobody in it, and nobody can enter while the table is locked.
        queues.retain(|_, queue| Arc::strong_count(queue) > 1);
        Arc::clone(queues.entry(client).or_default())
    }
}
