//! What a person does about records that are carried by hand.

use std::sync::Arc;

use super::{Life, State};
use crate::appliance::courier;
use crate::panel::{News, UsbStanding};

impl Life {
    /// A person put the courier's stick in, and wants it taken from and written to.
    pub(super) fn exchange_by_usb(&mut self) {
        if let State::Open(serving) = &mut self.state {
            let is_relayed = serving.relay.is_some();
            serving.courier.begin(is_relayed);
        }
    }

    /// Whether it stands otherwise with that than the panel said last.
    pub(super) fn courier_has_moved(&self) -> bool {
        let State::Open(serving) = &self.state else {
            return false;
        };
        let shown = self.display.usb();
        shown.is_none_or(|shown| shown != UsbStanding::NeverSetUp && shown != serving.courier.standing())
    }

    /// A person decided whether records are carried to another office from now on.
    pub(super) fn answer_office(&mut self, yes: bool) {
        let State::Open(serving) = &mut self.state else { return };
        let Some(offer) = serving.other_office.take() else {
            return;
        };
        if !yes {
            return;
        }
        let store = Arc::clone(&serving.sources.store);
        self.begin_work(
            move || courier::accept(&store, offer),
            |life, accepted| {
                if let Err(error) = accepted {
                    tracing::error!(%error, "the other office could not be taken over");
                    life.tell(News::NotTakenOver);
                }
            },
        );
    }
}
