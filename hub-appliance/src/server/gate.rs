//! The gate between the network and the open hub: the appliance switches it, every request passes it.
//!
//! Closing it refuses new requests at once; those under way hold a [`Lease`], and [`Draining`] tells when the last one
//! is gone, so that the store is never closed under somebody's hands.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::pairing::Pairing;
use super::service::{DeviceRegister, Service};
use super::status::Failure;
use crate::wire::handshake::IdentityKeys;
use crate::wire::session::SessionTable;

/// All that a request may use while the hub is open.
pub struct OpenHub {
    /// The hub's static key pairs.
    pub identity: IdentityKeys,
    /// Made once at set-up, never changed.
    pub hub_id: String,
    /// Shown by the app.
    pub hub_name: String,
    /// Session keys, in memory only. Shared, because their replay window outlives a lock: after draining, the appliance
    /// clears the keys and opens the next hub with the same table.
    pub sessions: Arc<SessionTable>,
    /// Answers opened requests.
    pub procedures: Arc<dyn Service>,
    /// The paired devices.
    pub devices: Arc<dyn DeviceRegister>,
    /// Whether phones may pair.
    pub pairing: Arc<Pairing>,
}

enum State {
    NotSetUp,
    Locked,
    Open {
        lease: Lease,
        closing: Arc<watch::Sender<bool>>,
    },
}

/// Not set up, locked, or open. Shared by the appliance and the server; passing it takes no lock.
pub struct Gate {
    state: ArcSwap<State>,
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl Gate {
    /// A gate of a hub that is not set up yet (503).
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: ArcSwap::from_pointee(State::NotSetUp),
        }
    }

    /// Serves `hub` from now on. Call it on a closed gate only: a hub that it replaces cannot be waited for.
    pub fn open(&self, hub: OpenHub) {
        let (closing, closed) = watch::channel(false);
        self.state.store(Arc::new(State::Open {
            lease: Lease {
                hub: Arc::new(hub),
                closing: closed,
            },
            closing: Arc::new(closing),
        }));
    }

    /// Refuses requests from now on (423). What was open comes back through [`Draining`]; `None` if nothing was.
    pub fn lock(&self) -> Option<Draining> {
        let before = self.state.swap(Arc::new(State::Locked));
        let State::Open { lease, closing } = &*before else {
            return None;
        };
        closing.send_replace(true);
        Some(Draining {
            hub: Arc::clone(&lease.hub),
            closing: Arc::clone(closing),
        })
    }

    /// Whether requests are served.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(**self.state.load(), State::Open { .. })
    }

    /// Lets one request in.
    ///
    /// # Errors
    /// [`Failure::NotSetUp`] or [`Failure::Locked`].
    pub(super) fn enter(&self) -> Result<Lease, Failure> {
        match &**self.state.load() {
            State::NotSetUp => Err(Failure::NotSetUp),
            State::Locked => Err(Failure::Locked),
            State::Open { lease, .. } => Ok(lease.clone()),
        }
    }
}

/// One request's hold on the open hub.
///
/// The order of the fields is the order in which they are dropped: whoever sees the last `closing` gone may rely on
/// the last `hub` being gone too.
#[derive(Clone)]
pub(super) struct Lease {
    hub: Arc<OpenHub>,
    closing: watch::Receiver<bool>,
}

impl Lease {
    /// Returns when the gate was closed, for those who wait in a queue.
    pub(super) async fn closed(&self) {
        // An error means that the sender is gone, which it is only after closing.
        let _ = self.closing.clone().wait_for(|closing| *closing).await;
    }
}

impl std::ops::Deref for Lease {
    type Target = OpenHub;

    fn deref(&self) -> &OpenHub {
        &self.hub
    }
}

/// Requests were still under way when the time was over.
#[derive(Debug, thiserror::Error)]
#[error("requests are still under way")]
pub struct StillBusy;

/// A hub that lets nobody in any more and waits for those inside to leave.
#[must_use = "the store may be closed only when nobody holds it"]
pub struct Draining {
    hub: Arc<OpenHub>,
    closing: Arc<watch::Sender<bool>>,
}

impl Draining {
    /// Waits until no request holds the hub and hands it back, whole and unshared.
    ///
    /// # Errors
    /// [`StillBusy`] after `timeout`.
    pub async fn drained(self, timeout: Duration) -> Result<OpenHub, StillBusy> {
        tokio::time::timeout(timeout, self.closing.closed())
            .await
            .map_err(|_| StillBusy)?;
        Arc::into_inner(self.hub).ok_or(StillBusy)
    }
}
