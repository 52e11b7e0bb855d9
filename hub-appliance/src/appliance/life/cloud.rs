//! What a person does about the cloud.

use std::sync::Arc;

use super::{Life, State, blocking};
use crate::appliance::cloud;
use crate::relay::Wish;

impl Life {
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
        let withdrawn = cloud::withdrawn(serving.relay.as_ref());
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
        let relay = serving.relay.take();
        let (config, store) = (Arc::clone(&self.config), Arc::clone(&serving.sources.store));
        let accepted = blocking(move || {
            drop(relay);
            cloud::accept(&config, &offer, &store)
        });
        match accepted.await {
            Ok((access, notice)) => {
                let State::Open(serving) = &mut self.state else { return };
                serving.relay = access.and_then(|access| cloud::start(access, &serving.sources));
                self.notice = notice.or(self.notice.take());
            }
            Err(error) => tracing::error!(%error, "the other cloud could not be taken over"),
        }
    }
}
