//! The queue between those who notice that something happened and the panel loop.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use super::Event;

/// More than a person presses while the panel loop is away.
const LENGTH: usize = 64;

/// Something the panel loop waits for.
#[derive(Debug)]
pub(super) enum Signal {
    /// Something happened at the board.
    Event(Event),
    /// A contact closed or opened.
    Contact {
        /// Which one, by its place in the panel's profile.
        index: usize,
        closed: bool,
        at: Instant,
    },
    /// The place to draw on has changed.
    Redraw,
    /// A [`Waker`] was used.
    Woken,
}

/// The panel loop's end.
#[derive(Debug)]
pub(super) struct Queue {
    sender: SyncSender<Signal>,
    receiver: Receiver<Signal>,
}

impl Queue {
    pub(super) fn new() -> Self {
        let (sender, receiver) = sync_channel(LENGTH);
        Self { sender, receiver }
    }

    pub(super) fn sender(&self) -> Notifier {
        Notifier(self.sender.clone())
    }

    /// The next signal; none when `timeout` is over.
    pub(super) fn next(&self, timeout: Option<Duration>) -> Option<Signal> {
        match timeout {
            Some(timeout) => self.receiver.recv_timeout(timeout).ok(),
            None => self.receiver.recv().ok(),
        }
    }
}

/// The end of those who notice.
#[derive(Clone, Debug)]
pub(super) struct Notifier(SyncSender<Signal>);

impl Notifier {
    /// Says whether there was room for the signal. Never waits.
    pub(super) fn notify(&self, signal: Signal) -> bool {
        !matches!(self.0.try_send(signal), Err(TrySendError::Full(_)))
    }
}

/// Makes a board's `next_event` return early.
#[derive(Clone, Debug)]
pub struct Waker(pub(super) Notifier);

impl Waker {
    /// Wakes the panel loop. When the queue is full it is about to look anyway.
    pub fn wake(&self) {
        self.0.notify(Signal::Woken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wakes_once_for_each_call_and_never_blocks() {
        let queue = Queue::new();
        let waker = Waker(queue.sender());
        (0..2 * LENGTH).for_each(|_| waker.wake());
        assert!(!queue.sender().notify(Signal::Redraw), "full");
        let woken = std::iter::from_fn(|| queue.next(Some(Duration::ZERO))).count();
        assert_eq!(woken, LENGTH);
    }
}
