//! What a person does about the cloud.

use std::sync::Arc;

use super::{Life, Serving, State, blocking};
use crate::appliance::cloud;
use crate::relay::{Relay, Wish};
use crate::store::relay::Withdrawn;

impl Serving {
    /// The clinic that the cloud has taken away, by the network or by a courier's word, and that a person is asked about.
    pub(super) fn withdrawn(&self) -> Option<Withdrawn> {
        let relay = self.relay.as_ref();
        relay.map_or_else(|| self.courier.withdrawn(), Relay::withdrawn)
    }
}

impl Life {
    /// A person has decided whether the records of the clinic of this name go.
    pub(super) fn answer_withdrawn(&mut self, name: &str, delete: bool) {
        let State::Open(serving) = &mut self.state else { return };
        let Some(offered) = serving.withdrawn().filter(|offered| cloud::name_of(offered) == name) else {
            return;
        };
        match &serving.relay {
            Some(relay) => relay.answer_withdrawn(offered.clinic, delete),
            None => serving.courier.answer_withdrawn(offered.clinic, delete),
        }
    }

    /// A person wants a run now.
    pub(super) fn sync_now(&self, whole: bool) {
        if let State::Open(serving) = &self.state
            && let Some(relay) = &serving.relay
        {
            relay.run_now(Wish { asked: true, whole });
        }
    }

    /// Whether the relay stands otherwise than the panel said last.
    pub(super) fn cloud_has_moved(&self) -> bool {
        let State::Open(serving) = &self.state else {
            return false;
        };
        let status = cloud::status(serving.relay.as_ref(), self.clock.peek());
        let withdrawn = serving.withdrawn().map(|offered| cloud::withdrawn(&offered));
        self.display.cloud() != Some((status, withdrawn))
    }

    /// A person decided whether the records go to another cloud from now on.
    pub(super) async fn answer_cloud(&mut self, yes: bool) {
        let State::Open(serving) = &mut self.state else { return };
        let Some(offer) = serving.other_cloud.take() else {
            return;
        };
        if !yes {
            return;
        }
        let (relay, is_named) = (serving.relay.take(), offer.is_named());
        let (config, store) = (Arc::clone(&self.config), Arc::clone(&serving.sources.store));
        let accepted = blocking(move || {
            drop(relay);
            cloud::accept(&config, &offer, &store)
        });
        match accepted.await {
            Ok((access, notice)) => {
                let State::Open(serving) = &mut self.state else { return };
                serving.relay =
                    access.and_then(|access| cloud::start(access, &serving.sources, &serving.vault, is_named));
                self.notice = notice.or(self.notice.take());
            }
            Err(error) => tracing::error!(%error, "the other cloud could not be taken over"),
        }
    }
}
