//! What waits for the writer: in the order in which it came, and how many there are, so that long work can let others go before.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvError, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

use super::error::StoreError;
use super::writer::Job;

/// Pieces of work that may wait; more make their callers wait.
const QUEUE: usize = 64;

/// How many jobs wait, those included whose callers wait for a place.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    /// How many there are just now.
    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Where jobs are handed in.
#[derive(Clone)]
pub(super) struct Queue {
    sender: SyncSender<Job>,
    waiting: Waiting,
}

/// Where the writer takes them.
pub(super) struct Jobs {
    receiver: Receiver<Job>,
    waiting: Waiting,
}

/// An empty queue, from both sides.
pub(super) fn queue() -> (Queue, Jobs) {
    let (sender, receiver) = sync_channel(QUEUE);
    let waiting = Waiting::default();
    let jobs = Jobs {
        receiver,
        waiting: waiting.clone(),
    };
    (Queue { sender, waiting }, jobs)
}

impl Queue {
    /// Hands a job in, as soon as there is a place for it.
    ///
    /// # Errors
    /// [`StoreError::Closed`] where the writer has ended.
    pub(super) fn hand_in(&self, job: Job) -> Result<(), StoreError> {
        self.waiting.0.fetch_add(1, Ordering::Relaxed);
        self.sender.send(job).map_err(|_| StoreError::Closed)
    }
}

impl Jobs {
    /// The next job, as soon as there is one.
    pub(super) fn next(&self) -> Result<Job, RecvError> {
        self.receiver.recv().inspect(|_| self.took())
    }

    /// The next job, if there is one.
    pub(super) fn at_hand(&self) -> Result<Job, TryRecvError> {
        self.receiver.try_recv().inspect(|_| self.took())
    }

    /// The next job, if there is one within `patience`.
    pub(super) fn within(&self, patience: Duration) -> Result<Job, RecvTimeoutError> {
        self.receiver.recv_timeout(patience).inspect(|_| self.took())
    }

    /// How many wait.
    pub(super) const fn waiting(&self) -> &Waiting {
        &self.waiting
    }

    fn took(&self) {
        self.waiting.0.fetch_sub(1, Ordering::Relaxed);
    }
}
