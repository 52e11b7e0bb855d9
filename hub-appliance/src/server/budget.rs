//! The memory that bodies may take together: given out as their bytes come, never by the length they announce.
//!
//! One address holds at most half of it, and so do all together that no phone has called from lately: a stranger who has
//! overheard a phone's id can hold up other strangers and no phone. Where bodies that wait for more stand in each other's
//! way, the youngest is given up, so that the others can be read to their ends.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

/// The memory for bodies.
#[derive(Debug)]
pub(super) struct Budget {
    bytes: usize,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    /// By age.
    holders: BTreeMap<u64, Holder>,
    held: usize,
    by_strangers: usize,
    by_address: HashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Holder {
    address: IpAddr,
    is_phone: bool,
    bytes: usize,
    waits: bool,
}

/// There is no memory, or none came free in time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Budget {
    pub(super) fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            bytes,
            state: Mutex::default(),
            changed: Notify::new(),
        })
    }

    /// A share of nothing yet, for a body from `address`.
    pub(super) fn share(self: &Arc<Self>, address: IpAddr, is_phone: bool) -> Share {
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        let holder = Holder {
            address,
            is_phone,
            bytes: 0,
            waits: false,
        };
        state.holders.insert(number, holder);
        drop(state);
        Share {
            budget: Arc::clone(self),
            number,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, number: u64, bytes: usize, all: usize) -> bool {
        let Some(holder) = self.holders.get_mut(&number) else {
            return false;
        };
        let half = all.div_ceil(2);
        let from_address = self.by_address.get(&holder.address).copied().unwrap_or(0) + bytes;
        let by_strangers = if holder.is_phone { 0 } else { self.by_strangers + bytes };
        if self.held + bytes > all || from_address > half || by_strangers > half {
            return false;
        }
        self.held += bytes;
        self.by_address.insert(holder.address, from_address);
        if !holder.is_phone {
            self.by_strangers = by_strangers;
        }
        holder.bytes += bytes;
        holder.waits = false;
        true
    }

    fn give_back(&mut self, number: u64) {
        let Some(holder) = self.holders.remove(&number) else {
            return;
        };
        self.held -= holder.bytes;
        if !holder.is_phone {
            self.by_strangers -= holder.bytes;
        }
        if let Some(from_address) = self.by_address.get_mut(&holder.address) {
            *from_address -= holder.bytes;
            if *from_address == 0 {
                self.by_address.remove(&holder.address);
            }
        }
    }

    /// Whether all wait for each other, and this is the youngest of them.
    fn is_in_the_way(&self, number: u64) -> bool {
        self.holders
            .values()
            .filter(|holder| holder.bytes > 0)
            .all(|holder| holder.waits)
            && self
                .holders
                .iter()
                .rfind(|(_, holder)| holder.waits)
                .map(|(number, _)| *number)
                == Some(number)
    }
}

/// What one body holds, given back when dropped.
#[derive(Debug)]
pub(super) struct Share {
    budget: Arc<Budget>,
    number: u64,
}

impl Share {
    /// Takes `bytes` more, waiting for them at most for `patience`.
    ///
    /// # Errors
    /// [`Full`]
    pub(super) async fn grow(&self, bytes: usize, patience: Duration) -> Result<(), Full> {
        timeout(patience, self.wait_for(bytes)).await.unwrap_or(Err(Full))
    }

    async fn wait_for(&self, bytes: usize) -> Result<(), Full> {
        loop {
            let mut changed = std::pin::pin!(self.budget.changed.notified());
            changed.as_mut().enable();
            {
                let mut state = self.budget.state();
                if state.take(self.number, bytes, self.budget.bytes) {
                    return Ok(());
                }
                if let Some(holder) = state.holders.get_mut(&self.number)
                    && !std::mem::replace(&mut holder.waits, true)
                {
                    self.budget.changed.notify_waiters();
                }
                if state.is_in_the_way(self.number) {
                    return Err(Full);
                }
            }
            changed.await;
        }
    }

    /// How much it is.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.budget.state().holders[&self.number].bytes
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.state().give_back(self.number);
        self.budget.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    fn address(last: u8) -> IpAddr {
        Ipv4Addr::new(10, 0, 0, last).into()
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_and_all_strangers_have_half() {
        let budget = Budget::new(100);
        let reads = budget.share(address(9), true);
        assert_eq!(reads.grow(1, PATIENCE).await, Ok(()));
        let first = budget.share(address(1), false);
        assert_eq!(first.grow(50, PATIENCE).await, Ok(()));
        assert_eq!(first.grow(1, PATIENCE).await, Err(Full), "one address");
        let second = budget.share(address(2), false);
        assert_eq!(second.grow(1, PATIENCE).await, Err(Full), "all strangers");
        assert_eq!(budget.share(address(1), true).grow(1, PATIENCE).await, Err(Full));
        let phone = budget.share(address(3), true);
        assert_eq!(phone.grow(49, PATIENCE).await, Ok(()));
        drop(first);
        assert_eq!(second.grow(50, PATIENCE).await, Ok(()));
        drop((reads, phone, second));
        let state = budget.state();
        assert!(state.by_address.is_empty() && state.holders.is_empty());
        assert_eq!((state.held, state.by_strangers), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn of_bodies_that_stand_in_each_others_way_the_youngest_is_given_up_at_once() {
        let budget = Budget::new(100);
        let shares: Vec<_> = (1..=3)
            .map(|last| Arc::new(budget.share(address(last), true)))
            .collect();
        for share in &shares {
            share.grow(33, PATIENCE).await.unwrap();
        }
        let mut waiting: Vec<_> = shares
            .into_iter()
            .map(|share| {
                tokio::spawn(async move {
                    let grown = share.grow(17, PATIENCE).await;
                    drop(share);
                    grown
                })
            })
            .collect();
        let start = tokio::time::Instant::now();
        let youngest = waiting.pop().unwrap().await.unwrap();
        assert_eq!(youngest, Err(Full));
        for other in waiting {
            assert_eq!(other.await.unwrap(), Ok(()));
        }
        assert!(start.elapsed().is_zero());
    }
}
