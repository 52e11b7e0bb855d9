//! Pairing: while a person at the box holds it open, a phone never seen before may hand shakes.
//!
//! It closes by itself after [`PAIRING_WINDOW`], or after one phone has paired unless the person keeps it open. Two
//! phones after the last place never both get it, and one that could not be stored has not used it up.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OwnedMutexGuard;

/// How long one opening lasts.
pub const PAIRING_WINDOW: Duration = Duration::from_secs(120);

/// An opening, as the panel shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PairingStatus {
    /// Time until it closes by itself.
    pub left: Duration,
    /// Whether it stays open when a phone has paired.
    pub keep_open: bool,
}

#[derive(Clone, Copy, Debug)]
struct Opening {
    until: Instant,
    keep_open: bool,
}

/// Whether phones may pair, shared by the panel (which opens it) and the server (which asks it).
#[derive(Debug, Default)]
pub struct Pairing {
    opening: Mutex<Option<Opening>>,
    /// Held by the one phone that is being stored; the next waits for the outcome instead of being refused.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Pairing {
    /// Closed.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens for [`PAIRING_WINDOW`] from `now` and one phone; an earlier opening is replaced.
    pub fn open(&self, now: Instant) {
        *self.opening() = Some(Opening {
            until: now + PAIRING_WINDOW,
            keep_open: false,
        });
    }

    /// Closes. A phone that is being stored at this moment still pairs.
    pub fn close(&self) {
        *self.opening() = None;
    }

    /// Lets the present opening take more than one phone, or again only one more. Its end stays where it is.
    pub fn set_keep_open(&self, keep_open: bool) {
        if let Some(opening) = self.opening().as_mut() {
            opening.keep_open = keep_open;
        }
    }

    /// The opening at `now`; `None` when closed.
    #[must_use]
    pub fn status(&self, now: Instant) -> Option<PairingStatus> {
        let opening = (*self.opening())?;
        let left = opening
            .until
            .checked_duration_since(now)
            .filter(|left| !left.is_zero())?;
        Some(PairingStatus {
            left,
            keep_open: opening.keep_open,
        })
    }

    /// Claims a place for one phone, waiting while another one is being stored; `None` when there is none (any more).
    pub(super) async fn claim(self: &Arc<Self>) -> Option<Claim> {
        self.status(now())?;
        let turn = Arc::clone(&self.turn).lock_owned().await;
        self.status(now())?;
        Some(Claim {
            pairing: Arc::clone(self),
            _turn: turn,
        })
    }

    fn opening(&self) -> MutexGuard<'_, Option<Opening>> {
        self.opening.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The runtime's time, which tests can stop.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// A place that one phone has claimed; dropped without [`Claim::take`], it is free again.
#[derive(Debug)]
pub(super) struct Claim {
    pairing: Arc<Pairing>,
    _turn: OwnedMutexGuard<()>,
}

impl Claim {
    /// The phone is stored: the place is used up.
    pub(super) fn take(self) {
        let mut opening = self.pairing.opening();
        *opening = opening.take().filter(|opening| opening.keep_open);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn closes_by_itself() {
        let pairing = Arc::new(Pairing::new());
        assert_eq!(pairing.status(now()), None);
        assert!(pairing.claim().await.is_none());

        pairing.open(now());
        assert_eq!(
            pairing.status(now()),
            Some(PairingStatus {
                left: PAIRING_WINDOW,
                keep_open: false
            })
        );
        tokio::time::advance(PAIRING_WINDOW - Duration::from_millis(1)).await;
        assert!(pairing.claim().await.is_some());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(pairing.status(now()), None);
        assert!(pairing.claim().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn takes_one_phone_unless_kept_open() {
        let pairing = Arc::new(Pairing::new());
        pairing.open(now());
        pairing.set_keep_open(true);
        pairing.claim().await.unwrap().take();
        pairing.set_keep_open(false);
        pairing.claim().await.unwrap().take();
        assert!(pairing.claim().await.is_none());

        pairing.set_keep_open(true);
        assert_eq!(pairing.status(now()), None, "keeping open does not open");
        pairing.open(now());
        assert!(
            !pairing.status(now()).unwrap().keep_open,
            "each opening starts with one place"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiting_phone_gets_the_place_that_another_gives_back() {
        let pairing = Arc::new(Pairing::new());
        pairing.open(now());
        let first = pairing.claim().await.unwrap();
        let second = tokio::spawn({
            let pairing = Arc::clone(&pairing);
            async move { pairing.claim().await }
        });
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        drop(first);
        assert!(second.await.unwrap().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiting_phone_is_refused_when_another_took_the_place() {
        let pairing = Arc::new(Pairing::new());
        pairing.open(now());
        let first = pairing.claim().await.unwrap();
        let second = tokio::spawn({
            let pairing = Arc::clone(&pairing);
            async move { pairing.claim().await }
        });
        tokio::task::yield_now().await;
        first.take();
        assert!(second.await.unwrap().is_none());
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Open,
        Close,
        Keep(bool),
        Wait(u64),
        Pair { stored: bool },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            Just(Step::Open),
            Just(Step::Close),
            any::<bool>().prop_map(Step::Keep),
            (0_u64..90).prop_map(Step::Wait),
            any::<bool>().prop_map(|stored| Step::Pair { stored }),
        ]
    }

    proptest! {
        #[test]
        fn nobody_pairs_unless_a_person_opened(steps in proptest::collection::vec(step(), 1..60)) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
            runtime.block_on(async {
                let pairing = Arc::new(Pairing::new());
                // When the last opening was, unless it was closed or used up since; and whether it is kept open.
                let (mut opened, mut kept) = (None, false);
                for step in steps {
                    match step {
                        Step::Open => {
                            pairing.open(now());
                            (opened, kept) = (Some(now()), false);
                        }
                        Step::Close => {
                            pairing.close();
                            opened = None;
                        }
                        Step::Keep(keep) => {
                            pairing.set_keep_open(keep);
                            kept = keep;
                        }
                        Step::Wait(seconds) => tokio::time::advance(Duration::from_secs(seconds)).await,
                        Step::Pair { stored } => {
                            let expected = opened.is_some_and(|opened| now() < opened + PAIRING_WINDOW);
                            let claim = pairing.claim().await;
                            prop_assert_eq!(claim.is_some(), expected);
                            if let Some(claim) = claim.filter(|_| stored) {
                                claim.take();
                                opened = opened.filter(|_| kept);
                            }
                        }
                    }
                }
                Ok(())
            })?;
        }
    }
}
