//! The queue between those who notice that something happened and the panel loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use super::Event;

/// More than a person presses while the panel loop is away.
const LENGTH: usize = 64;

/// Something the panel loop waits for.
#[derive(Debug)]
pub(super) enum Signal {
    /// Something happened at the board.
    Event(Event),
    /// The place to draw on has changed.
    Redraw,
    /// A [`Waker`] was used, once or often.
    Woken,
}

/// The panel loop's end.
#[derive(Debug)]
pub(super) struct Queue {
    sender: Notifier,
    receiver: Receiver<Signal>,
}

impl Queue {
    pub(super) fn new() -> Self {
        let (signals, receiver) = sync_channel(LENGTH);
        let is_woken = Arc::new(AtomicBool::new(false));
        Self {
            sender: Notifier { signals, is_woken },
            receiver,
        }
    }

    pub(super) fn sender(&self) -> Notifier {
        self.sender.clone()
    }

    /// The next signal; none when `timeout` is over.
    pub(super) fn next(&self, timeout: Option<Duration>) -> Option<Signal> {
        let signal = match timeout {
            Some(timeout) => self.receiver.recv_timeout(timeout).ok(),
            None => self.receiver.recv().ok(),
        };
        if matches!(signal, Some(Signal::Woken)) {
            // Before anybody looks: what changes from now on is told again.
            self.sender.is_woken.store(false, Ordering::Release);
        }
        signal
    }
}

/// The end of those who notice.
#[derive(Clone, Debug)]
pub(super) struct Notifier {
    signals: SyncSender<Signal>,
    /// Whether a [`Signal::Woken`] waits in the queue.
    is_woken: Arc<AtomicBool>,
}

impl Notifier {
    /// Says whether there was room for the signal. Never waits.
    pub(super) fn notify(&self, signal: Signal) -> bool {
        !matches!(self.signals.try_send(signal), Err(TrySendError::Full(_)))
    }

    /// Makes the panel loop come round. Takes one place in the queue however often it is called, so that it leaves the
    /// rest to what people do; when that is full the loop is about to look anyway.
    pub(super) fn wake(&self) {
        if !self.is_woken.swap(true, Ordering::AcqRel) && !self.notify(Signal::Woken) {
            self.is_woken.store(false, Ordering::Release);
        }
    }
}

/// Makes a board's `next_event` return early.
#[derive(Clone, Debug)]
pub struct Waker(pub(super) Notifier);

impl Waker {
    /// Wakes the panel loop.
    pub fn wake(&self) {
        self.0.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_often_it_is_woken_there_is_room_for_a_person() {
        let queue = Queue::new();
        let waker = Waker(queue.sender());
        (0..2 * LENGTH).for_each(|_| waker.wake());
        assert!(queue.sender().notify(Signal::Redraw));
        assert!(matches!(queue.next(Some(Duration::ZERO)), Some(Signal::Woken)));
        assert!(matches!(queue.next(Some(Duration::ZERO)), Some(Signal::Redraw)));
        assert!(queue.next(Some(Duration::ZERO)).is_none());
        waker.wake();
        assert!(matches!(queue.next(Some(Duration::ZERO)), Some(Signal::Woken)));
    }

    #[test]
    fn a_full_queue_never_blocks_and_wakes_again_once_there_is_room() {
        let queue = Queue::new();
        let waker = Waker(queue.sender());
        while queue.sender().notify(Signal::Redraw) {}
        waker.wake();
        let waiting = std::iter::from_fn(|| queue.next(Some(Duration::ZERO))).count();
        assert_eq!(waiting, LENGTH);
        waker.wake();
        assert!(matches!(queue.next(Some(Duration::ZERO)), Some(Signal::Woken)));
    }
}
