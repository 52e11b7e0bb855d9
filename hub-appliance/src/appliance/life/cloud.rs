//! What a person does about the cloud.

use std::sync::Arc;

use super::{Life, Serving, State};
use crate::appliance::cloud;
use crate::panel::News;
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
    pub(super) fn sync_now(&mut self, whole: bool) {
        self.take_cloud_over(move |life, _| {
            if let State::Open(serving) = &life.state
                && let Some(relay) = &serving.relay
            {
                relay.run_now(Wish { asked: true, whole });
            }
        });
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
    pub(super) fn answer_cloud(&mut self, yes: bool) {
        let State::Open(serving) = &mut self.state else { return };
        serving.allowed_cloud = serving.other_cloud.take().filter(|_| yes);
        self.take_cloud_over(|life, is_taken| {
            if !is_taken {
                life.tell(News::NotTakenOver);
            }
        });
    }

    /// Takes over what a person allowed, if there is something, and tells `then` whether that came about. Where it fails, the
    /// relay goes on with the cloud that the vault names, and it is tried again after a while and with the next wish for a run.
    pub(super) fn take_cloud_over(&mut self, then: impl FnOnce(&mut Self, bool) + Send + 'static) {
        let State::Open(serving) = &mut self.state else { return };
        let Some(offer) = serving.allowed_cloud.take() else {
            return then(self, true);
        };
        let (relay, is_named) = (serving.relay.take(), offer.is_named());
        let (config, store) = (Arc::clone(&self.config), Arc::clone(&serving.sources.store));
        let vault = Arc::clone(&serving.vault);
        let take_over = move || {
            drop(relay);
            let (accepted, offer) = match cloud::accept(&config, &offer, &store) {
                Ok(accepted) => (Ok(accepted), None),
                Err(error) => {
                    tracing::error!(%error, "the other cloud could not be taken over");
                    let access = cloud::as_it_is(&vault, &store);
                    (access.map(|access| (access, None)), Some(offer))
                }
            };
            (accepted, offer)
        };
        self.begin_work(take_over, move |life, (accepted, offer)| {
            let State::Open(serving) = &mut life.state else { return };
            let is_taken = offer.is_none();
            serving.allowed_cloud = offer;
            match accepted {
                Ok((access, notice)) => {
                    serving.relay =
                        access.and_then(|access| cloud::start(access, &serving.sources, &serving.vault, is_named));
                    life.notice = notice.or(life.notice.take());
                }
                Err(error) => tracing::error!(%error, "the relay does not run"),
            }
            then(life, is_taken);
        });
    }
}
