//! Weak power and heat in the life of the box: told on the panel, written into the audit log, and a reason not to begin what
//! writes much.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Life, State, blocking};
use crate::store::audit::Entry;
use crate::system::supply::Supply;

/// How often the same trouble is written down at most: a supply on the edge has it every few seconds.
const WRITTEN_EVERY: Duration = Duration::from_secs(60 * 60);

/// What was written down of the board's supply, and when.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    weak: Option<Instant>,
    hot: Option<Instant>,
}

impl Troubles {
    /// What of this is to be written down now.
    fn due(&mut self, supply: Supply, now: Instant) -> impl Iterator<Item = &'static str> + use<> {
        let is_due = |is_so: bool, written: &mut Option<Instant>| {
            let due = is_so && written.is_none_or(|at| now.saturating_duration_since(at) >= WRITTEN_EVERY);
            if due {
                *written = Some(now);
            }
            due
        };
        let weak = is_due(supply.is_weak, &mut self.weak).then_some("weak");
        let hot = is_due(supply.is_hot, &mut self.hot).then_some("hot");
        weak.into_iter().chain(hot)
    }
}

impl Life {
    /// Whether the board is supplied so badly that nothing is to be begun that writes much.
    pub(super) fn is_unfit_for_writing(&self) -> bool {
        self.config.sensors.look().is_unfit_for_writing()
    }

    /// Writes down how the open hub's board is supplied, where that is bad.
    pub(super) async fn follow_supply(&mut self) {
        let State::Open(serving) = &mut self.state else {
            return;
        };
        for outcome in serving.troubles.due(self.config.sensors.look(), Instant::now()) {
            tracing::warn!(outcome, "the board's supply");
            let store = Arc::clone(&serving.sources.store);
            let entry = Entry {
                action: "supply",
                outcome,
                ..Entry::default()
            };
            if let Err(error) = blocking(move || Ok(store.write(move |tx| tx.audit(&entry))?)).await {
                tracing::error!(%error, "the board's supply could not be written down");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_is_written_down_once_an_hour() {
        let mut troubles = Troubles::default();
        let start = Instant::now();
        let weak = Supply {
            is_weak: true,
            is_hot: false,
        };
        let hot = Supply {
            is_weak: true,
            is_hot: true,
        };
        let mut due = |supply, after| troubles.due(supply, start + after).collect::<Vec<_>>();
        assert!(due(Supply::default(), Duration::ZERO).is_empty());
        assert_eq!(due(weak, Duration::ZERO), ["weak"]);
        assert_eq!(due(hot, WRITTEN_EVERY / 2), ["hot"]);
        assert_eq!(due(hot, WRITTEN_EVERY), ["weak"]);
        assert!(due(Supply::default(), 3 * WRITTEN_EVERY).is_empty());
    }
}
