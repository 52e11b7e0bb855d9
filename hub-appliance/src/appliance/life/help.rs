//! What phones sent and the hub could not take, tried again at a person's wish.

use std::sync::Arc;

use serde_json::json;

use super::{Life, State};
use crate::panel::News;
use crate::store::StoreError;
use crate::store::audit::Entry;

impl Life {
    /// Tries all that asks for help again, and tells what came of it.
    pub(super) fn try_held_again(&mut self) {
        let State::Open(serving) = &self.state else { return };
        let store = Arc::clone(&serving.sources.store);
        let try_again = move || {
            let tried = store.try_held_again()?;
            let entry = Entry {
                action: "held.retry",
                detail: json!({"tried": tried.tried, "released": tried.released}).to_string(),
                outcome: "ok",
                ..Entry::default()
            };
            store.write(move |tx| tx.audit(&entry))?;
            store.held_count()
        };
        self.begin_work(try_again, |life, left: Result<_, StoreError>| match left {
            Ok(0) => life.tell(News::AllTaken),
            Ok(_) => life.tell(News::SomeLeft),
            Err(error) => {
                tracing::error!(%error, "what is held could not be tried again");
                life.tell(News::SomeLeft);
            }
        });
    }
}
