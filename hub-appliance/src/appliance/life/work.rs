//! What takes its time at an open hub: a PIN's check, what goes to the key slots, to a stick, to another cloud. It is done beside
//! the life's loop, which goes on listening, for a hub has to lock within two seconds when its key stick is taken out.

use std::time::Instant;

use tokio::runtime::Handle;
use tokio::task::{JoinHandle, spawn_blocking};

use super::errand::Stage;
use super::{Life, State};
use crate::secret::wiping_stack;

/// What comes after it.
type Next = Box<dyn FnOnce(&mut Life) + Send>;

/// Something that is being done.
pub(super) struct Work(JoinHandle<Next>);

impl Work {
    /// Waits for its end, but not beyond `until`, and whether it has come. What was to come after it is dropped. Blocking.
    pub(super) fn has_ended_by(self, until: Instant) -> bool {
        let ended = async { tokio::time::timeout_at(until.into(), self.0).await };
        Handle::current().block_on(ended).is_ok()
    }
}

/// What comes after the work that an open hub is at, when it is done; none where there was a panic, which locks the hub. As long
/// as it is at none, that is never.
pub(super) async fn ended(state: &mut State) -> Option<Next> {
    let State::Open(serving) = state else {
        return std::future::pending().await;
    };
    let Some(work) = &mut serving.work else {
        return std::future::pending().await;
    };
    let next = (&mut work.0).await;
    serving.work = None;
    next.ok()
}

impl Life {
    /// Has `work` done, and `then` what comes after it. Until then what a person decides waits. A hub that has to lock waits for
    /// the work, for a while, and does nothing of `then`: what must not get lost belongs into the work.
    pub(super) fn begin_work<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> T + Send + 'static,
        then: impl FnOnce(&mut Self, T) + Send + 'static,
    ) {
        let State::Open(serving) = &mut self.state else { return };
        serving.work = Some(Work(spawn_blocking(|| {
            let outcome = wiping_stack(work);
            Box::new(move |life: &mut Self| then(life, outcome)) as Next
        })));
    }

    /// The same for an errand, which has then come to the stage that `work` gives.
    pub(super) fn work_for_errand(&mut self, work: impl FnOnce() -> Stage + Send + 'static) {
        self.begin_work(work, Self::errand_is);
    }

    /// Whether it is at something.
    pub(super) fn is_at_work(&self) -> bool {
        matches!(&self.state, State::Open(serving) if serving.work.is_some())
    }
}
