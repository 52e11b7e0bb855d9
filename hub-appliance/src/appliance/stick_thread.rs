//! A thread that works on a stick for an open hub, beside everything else, and what it writes down.
//!
//! A stick may answer slowly, or never again. So nobody waits for such a thread longer than told: it is asked to end, and
//! where it does not, it is left to itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use crate::secret::wiping_stack;
use crate::store::audit::Entry;
use crate::store::{Store, StoreError};

/// The thread.
pub(super) struct StickThread {
    is_ending: Arc<AtomicBool>,
    thread: JoinHandle<()>,
    /// Answers nothing; it is cut off when the thread ends.
    ended: Mutex<Receiver<()>>,
}

impl StickThread {
    /// Starts it. `work` is to look at `is_ending` often. None where the system gives no thread, which is logged: the phones
    /// are served all the same.
    pub(super) fn start(
        name: &'static str,
        is_ending: &Arc<AtomicBool>,
        work: impl FnOnce() + Send + 'static,
    ) -> Option<Self> {
        let (running, ended) = channel();
        let thread = std::thread::Builder::new().name(name.into()).spawn(move || {
            let _running: Sender<()> = running;
            wiping_stack(work);
        });
        let thread = thread.inspect_err(|error| tracing::error!(%error, name, "a thread did not start"));
        Some(Self {
            is_ending: Arc::clone(is_ending),
            thread: thread.ok()?,
            ended: Mutex::new(ended),
        })
    }

    /// Asks it to end.
    pub(super) fn end(&self) {
        self.is_ending.store(true, Ordering::Relaxed);
    }

    /// Waits for one that has done its work, and only has to wipe its stack.
    pub(super) fn has_done_its_work(self) {
        // A panic in it was reported where it happened.
        let _ = self.thread.join();
    }

    /// Asks it to end, and waits for that until `until`. Whether it has ended.
    pub(super) fn ends_by(self, until: Instant) -> bool {
        self.end();
        let left = until.saturating_duration_since(Instant::now());
        if lock(&self.ended).recv_timeout(left) == Err(RecvTimeoutError::Timeout) {
            return false;
        }
        // A panic in it was reported where it happened.
        let _ = self.thread.join();
        true
    }
}

/// What is behind a mutex that threads share with the panel.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes down what was done on a stick.
pub(super) fn audit(store: &Store, action: &'static str, detail: String, outcome: &'static str) {
    let entry = Entry {
        action,
        detail,
        outcome,
        ..Entry::default()
    };
    if let Err(error) = store.write::<_, StoreError>(move |tx| tx.audit(&entry)) {
        tracing::error!(%error, action, "what was done on a stick could not be written down");
    }
}
