//! Pairing: while a person at the box holds it open, a phone never seen before may hand shakes.
//!
//! While it is kept open, the next phone waits until the person has said whether the last one is a right one: whoever is
//! quicker than the nurse is seen before anybody else gets in. It closes by itself after [`PAIRING_WINDOW`], or after one phone has paired unless the person keeps it open. Two
//! phones after the last place never both get it, and one that could not be stored has not used it up.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, OwnedMutexGuard, Semaphore};

use super::status::Failure;

/// How long one opening lasts.
pub const PAIRING_WINDOW: Duration = Duration::from_secs(120);
/// Phones that wait for their turn at most.
const WAITING: usize = 8;
/// Of these, from one address: half, so that one stranger keeps nobody else from waiting.
const WAITING_FROM_ONE: usize = WAITING / 2;

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
#[derive(Debug)]
pub struct Pairing {
    opening: Mutex<Option<Opening>>,
    /// Phones that have paired and about which nobody has decided yet.
    undecided: AtomicUsize,
    /// Something of the above is different now.
    changed: Notify,
    /// Places for phones that wait.
    queue: Semaphore,
    /// How many of them each address has.
    waiting: Mutex<HashMap<IpAddr, usize>>,
    /// Held by the one phone that is being stored; the next waits for the outcome instead of being refused.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Default for Pairing {
    fn default() -> Self {
        Self {
            opening: Mutex::default(),
            undecided: AtomicUsize::new(0),
            changed: Notify::new(),
            queue: Semaphore::new(WAITING),
            waiting: Mutex::default(),
            turn: Arc::default(),
        }
    }
}

impl Pairing {
    /// Closed.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A person has decided about a phone that has paired.
    pub fn decided(&self) {
        let less = |undecided: usize| undecided.checked_sub(1);
        // None are undecided where a person decides about one that a push of the button has decided about already.
        let _ = self.undecided.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
        self.changed.notify_waiters();
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
        self.changed.notify_waiters();
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

    /// Claims a place for one phone that calls from `address`, waiting while another one is being stored or decided about.
    /// `None` if the phone `is_known` by then.
    ///
    /// # Errors
    /// [`Failure::PairingClosed`] when there is none (any more), [`Failure::TooMany`] when too many wait.
    pub(super) async fn claim(
        self: &Arc<Self>,
        address: IpAddr,
        is_known: impl Fn() -> bool,
    ) -> Result<Option<Claim>, Failure> {
        let is_open = || self.status(now()).map(drop).ok_or(Failure::PairingClosed);
        is_open()?;
        let too_many = Failure::TooMany {
            retry_after: PAIRING_WINDOW,
        };
        let from_here = self.wait_from(address).ok_or(too_many)?;
        let place = self.queue.try_acquire().map_err(|_| too_many)?;
        let turn = Arc::clone(&self.turn).lock_owned().await;
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if is_known() {
                return Ok(None);
            }
            is_open()?;
            if self.undecided.load(Ordering::SeqCst) == 0 {
                break;
            }
            changed.await;
        }
        drop((place, from_here));
        Ok(Some(Claim {
            pairing: Arc::clone(self),
            _turn: turn,
        }))
    }

    /// One of the places that an address has among those that wait, until it is dropped.
    fn wait_from(&self, address: IpAddr) -> Option<Waiting<'_>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let from_here = waiting.entry(address).or_default();
        if *from_here >= WAITING_FROM_ONE {
            return None;
        }
        *from_here += 1;
        drop(waiting);
        Some(Waiting { pairing: self, address })
    }

    fn opening(&self) -> MutexGuard<'_, Option<Opening>> {
        self.opening.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`Pairing::wait_from`].
#[derive(Debug)]
struct Waiting<'a> {
    pairing: &'a Pairing,
    address: IpAddr,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut waiting = self.pairing.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(from_here) = waiting.get_mut(&self.address) {
            *from_here -= 1;
            if *from_here == 0 {
                waiting.remove(&self.address);
            }
        }
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
        self.pairing.undecided.fetch_add(1, Ordering::SeqCst);
        let mut opening = self.pairing.opening();
        *opening = opening.take().filter(|opening| opening.keep_open);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    async fn claim(pairing: &Arc<Pairing>) -> Result<Claim, Failure> {
        claim_from(pairing, 1).await
    }

    async fn claim_from(pairing: &Arc<Pairing>, last: u8) -> Result<Claim, Failure> {
        let address = Ipv4Addr::new(10, 0, 0, last).into();
        pairing.claim(address, || false).await.map(Option::unwrap)
    }

    #[tokio::test(start_paused = true)]
    async fn closes_by_itself() {
        let pairing = Arc::new(Pairing::new());
        assert_eq!(pairing.status(now()), None);
        assert_eq!(claim(&pairing).await.unwrap_err(), Failure::PairingClosed);

        pairing.open(now());
        assert_eq!(
            pairing.status(now()),
            Some(PairingStatus {
                left: PAIRING_WINDOW,
                keep_open: false
            })
        );
        tokio::time::advance(PAIRING_WINDOW - Duration::from_millis(1)).await;
        assert!(claim(&pairing).await.is_ok());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(pairing.status(now()), None);
        assert_eq!(claim(&pairing).await.unwrap_err(), Failure::PairingClosed);
    }

    #[tokio::test(start_paused = true)]
    async fn takes_one_phone_unless_kept_open() {
        let pairing = Arc::new(Pairing::new());
        pairing.open(now());
        pairing.set_keep_open(true);
        claim(&pairing).await.unwrap().take();
        pairing.decided();
        pairing.set_keep_open(false);
        claim(&pairing).await.unwrap().take();
        assert_eq!(claim(&pairing).await.unwrap_err(), Failure::PairingClosed);

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
        let first = claim(&pairing).await.unwrap();
        let second = tokio::spawn({
            let pairing = Arc::clone(&pairing);
            async move { claim(&pairing).await }
        });
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        drop(first);
        assert!(second.await.unwrap().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiting_phone_is_refused_when_another_took_the_place() {
        let pairing = Arc::new(Pairing::new());
        pairing.open(now());
        let first = claim(&pairing).await.unwrap();
        let second = tokio::spawn({
            let pairing = Arc::clone(&pairing);
            async move { claim(&pairing).await }
        });
        tokio::task::yield_now().await;
        first.take();
        assert_eq!(second.await.unwrap().unwrap_err(), Failure::PairingClosed);
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_phone_waits_until_a_person_has_decided_about_the_last() {
        let pairing = Arc::new(Pairing::new());
        pairing.open(now());
        pairing.set_keep_open(true);
        claim(&pairing).await.unwrap().take();
        let next = || {
            let pairing = Arc::clone(&pairing);
            tokio::spawn(async move { claim(&pairing).await.map(Claim::take) })
        };
        let (second, third) = (next(), next());
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(!second.is_finished());
        pairing.decided();
        assert_eq!(second.await.unwrap(), Ok(()));
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert!(!third.is_finished(), "about the second nobody has decided");
        pairing.close();
        assert_eq!(third.await.unwrap(), Err(Failure::PairingClosed));
    }

    #[tokio::test(start_paused = true)]
    async fn few_wait() {
        let pairing = Arc::new(Pairing::new());
        pairing.open(now());
        pairing.set_keep_open(true);
        claim(&pairing).await.unwrap().take();
        let wait_from = |last| {
            let pairing = Arc::clone(&pairing);
            tokio::spawn(async move { claim_from(&pairing, last).await.map(drop) })
        };
        let mut waiting: Vec<_> = (0..WAITING_FROM_ONE).map(|_| wait_from(1)).collect();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let one_more = claim_from(&pairing, 1).await;
        assert!(
            matches!(one_more.unwrap_err(), Failure::TooMany { .. }),
            "from one address"
        );
        waiting.extend((2..).take(WAITING - WAITING_FROM_ONE).map(wait_from));
        tokio::time::sleep(Duration::from_secs(1)).await;
        let one_more = claim_from(&pairing, 100).await;
        assert!(matches!(one_more.unwrap_err(), Failure::TooMany { .. }), "in all");
        pairing.decided();
        for waiting in waiting {
            assert_eq!(waiting.await.unwrap(), Ok(()));
        }
        assert!(claim(&pairing).await.is_ok());
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
                            let claim = claim(&pairing).await;
                            prop_assert_eq!(claim.is_ok(), expected);
                            if let Some(claim) = claim.ok().filter(|_| stored) {
                                claim.take();
                                pairing.decided();
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
