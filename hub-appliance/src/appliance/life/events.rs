//! What happens to the box: decisions at the panel, phones, panics, signals.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::UnboundedSender;

use super::phones;
use crate::appliance::ApplianceError;
use crate::appliance::panics::Panics;
use crate::keys::UsbKey;
use crate::panel::{Action, Obstacle};
use crate::secret::Secret;
use crate::server::{Hooks, PairedPhone};
use crate::store::devices::PairError;
use crate::system::sticks::Stick;

/// Something that happened.
#[derive(Debug)]
pub(in crate::appliance) enum Event {
    /// A person decided something at the panel.
    Decided(Action),
    /// A phone has paired.
    Paired(PairedPhone),
    /// A phone could not be paired.
    NotPaired(Obstacle),
    /// A stick with a key was put into a locked hub, or is in it at its start.
    KeyStick(Stick, UsbKey),
    /// The stick with this number was taken out, which an open hub rests on.
    KeyTaken(u64),
    /// Another master key took the place of the one before; this seals the public facts from now on.
    Rotated(Secret<32>),
    /// There was a panic somewhere.
    Panicked,
    /// The hub is to end.
    Quit,
}

/// What the server reports, as events.
pub(in crate::appliance) struct ServerHooks(UnboundedSender<Event>);

impl ServerHooks {
    pub(in crate::appliance) const fn new(events: UnboundedSender<Event>) -> Self {
        Self(events)
    }
}

impl Hooks for ServerHooks {
    fn paired(&self, phone: &PairedPhone) {
        // Here and below: the receiver is gone only when the hub ends anyway.
        let _ = self.0.send(Event::Paired(phone.clone()));
    }

    fn not_paired(&self, reason: &PairError) {
        tracing::warn!(%reason, "a phone could not be paired");
        let _ = self.0.send(Event::NotPaired(phones::obstacle_to_pairing(reason)));
    }

    fn panicked(&self, correlation: u64) {
        tracing::error!(correlation, "a request ended with a panic");
    }
}

/// Turns every panic of the process into an event. What a panic says may hold anything, so only its place is logged.
pub(in crate::appliance) fn report_panics(events: UnboundedSender<Event>, panics: Arc<Panics>) {
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic
            .location()
            .map_or((String::new(), 0), |place| (place.file().to_owned(), place.line()));
        tracing::error!(file = place.0, line = place.1, "panic");
        panics.note();
        let _ = events.send(Event::Panicked);
    }));
}

/// Turns SIGTERM and SIGINT into events.
pub(in crate::appliance) fn report_signals(events: &UnboundedSender<Event>) -> Result<(), ApplianceError> {
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let mut signals = signal(kind).map_err(ApplianceError::System)?;
        let events = events.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                let _ = events.send(Event::Quit);
            }
        });
    }
    Ok(())
}
