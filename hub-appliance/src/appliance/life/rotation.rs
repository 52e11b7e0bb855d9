//! Other keys in the life of the box: another master key, begun when a way to unlock is gone and shown where it takes long;
//! another one for tokens, when its time has come.

use std::sync::Arc;

use super::{Life, State, blocking};
use crate::appliance::rotation::{Parts, Rotating, Trouble};
use crate::appliance::token_keys;
use crate::keys::{MasterKey, Rotation};
use crate::panel::{KeyChange, News};
use crate::secret::Secret;

impl Life {
    /// Has another key take the place of the master key, if one is due. One that is at work goes on by itself.
    pub(super) fn rotate(&mut self, master: MasterKey) {
        self.look_at_slots();
        let State::Open(serving) = &mut self.state else { return };
        let parts = Parts {
            keys: Arc::clone(&self.keys),
            disk: Arc::clone(&self.config.disk),
            store: Arc::clone(&serving.sources.store),
            vault: Arc::clone(&serving.vault),
            backup: Arc::clone(&serving.backup_access),
            events: self.events.clone(),
        };
        let before = serving.rotating.take();
        serving.rotating = Rotating::start(parts, master, before);
    }

    /// Another key has taken the place.
    pub(super) fn rotated(&mut self, facts_key: Secret<32>) {
        if let State::Open(serving) = &mut self.state {
            self.facts.set_clock(self.clock.peek(), &facts_key);
            serving.facts_key = facts_key;
            serving.told_of_rotation = None;
            let is_over = |news: &News| matches!(news, News::NoRoomForKeys | News::KeysNotChanged);
            serving.news.retain(|news| !is_over(news));
        }
        self.save_facts();
        self.look_at_slots();
        // What is on the backup stick is under the one before.
        self.back_up_now();
        self.show();
    }

    /// Has another key sign tokens, if that is due.
    pub(super) async fn turn_token_key(&mut self) {
        let State::Open(serving) = &self.state else { return };
        if !serving.tokens.is_due(self.clock.peek()) {
            return;
        }
        let (vault, store) = (Arc::clone(&serving.vault), Arc::clone(&serving.sources.store));
        let turned = blocking(move || token_keys::turn(&vault, &store)).await;
        let State::Open(serving) = &mut self.state else { return };
        match turned {
            Ok(Some(vault)) => {
                serving.tokens.take(&vault);
                // A hub out of the backup that there is would know none of the tokens from now on.
                self.back_up_now();
            }
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "no other key signs tokens"),
        }
    }

    /// What the panel says of it; nothing where a person has nothing to know.
    pub(super) fn key_change(&self) -> Option<KeyChange> {
        let State::Open(serving) = &self.state else {
            return None;
        };
        let needs_code = serving.needs_code.then_some(KeyChange::NeedsCode);
        let Some(rotating) = &serving.rotating else {
            return needs_code;
        };
        match rotating.trouble() {
            Some(Trouble::NoRoom) => Some(KeyChange::NoRoom),
            Some(Trouble::Failed) => Some(KeyChange::Failed),
            None => rotating.shown().map(KeyChange::AtWork).or(needs_code),
        }
    }

    /// Tells of what is in its way, once for as long as the hub is open; home and status go on saying so.
    pub(super) fn tell_of_rotation(&mut self) {
        let State::Open(serving) = &mut self.state else { return };
        let trouble = serving.rotating.as_ref().and_then(Rotating::trouble);
        if trouble.is_none() || trouble == serving.told_of_rotation {
            return;
        }
        serving.told_of_rotation = trouble;
        match trouble {
            Some(Trouble::NoRoom) => self.tell(News::NoRoomForKeys),
            Some(Trouble::Failed) => self.tell(News::KeysNotChanged),
            None => {}
        }
    }

    /// Looks whether a slot of an older form is in the way.
    fn look_at_slots(&mut self) {
        let rotation = self.keys.rotation();
        if let State::Open(serving) = &mut self.state {
            serving.needs_code = matches!(rotation, Ok(Rotation::Waits { for_code: true }));
        }
    }

    /// Whether it stands otherwise with it than the panel said last.
    pub(super) fn rotation_has_moved(&self) -> bool {
        self.display.key_change() != self.key_change()
    }
}
