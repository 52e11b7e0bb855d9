//! Pushing: what the cloud does not have goes there in requests of bounded size, each written down before it is sent and
//! again when the cloud has answered. Whether a row has arrived, the next pull shows.

use std::cell::Cell;
use std::collections::VecDeque;
use std::time::Duration;

use super::batch::{Halving, List, Load, Prepared, body, fill};
use super::http::{Cloud, CloudError};
use super::outbox::{Outbox, Place};
use super::pull::PullError;
use super::status::Progress;
use crate::store::StoreError;
use crate::store::relay::{Sent, push_order};
use crate::store::schema::TableId;

/// Rows that the cloud may refuse, each by itself, before it has taken any: then it is the cloud that is unwell.
const STRIKES: usize = 3;
/// How often in a row the link may break under a request before the run is given up.
const BREAKS: u32 = 4;
/// After a break the link is left alone for so long, and twice as long after each further one.
const PAUSE: Duration = Duration::from_secs(1);

/// One push of all there is.
pub(super) struct Push<'a, O> {
    pub(super) outbox: &'a O,
    pub(super) cloud: &'a Cloud,
    pub(super) progress: &'a Progress,
    /// What the pull before began at.
    pub(super) pulled_at: i64,
    /// The cloud refused a push, and knew the key when it was asked about that.
    pub(super) verified: Cell<bool>,
    /// Rows that the cloud took in this run.
    pub(super) taken: &'a Cell<usize>,
}

/// What stands between two requests.
struct State {
    queue: VecDeque<Prepared>,
    /// Where the queue's next row is, to read on.
    next: Place,
    halving: Halving,
    load: Load,
    /// Breaks of the link since it last carried a request.
    breaks: u32,
    /// Rows that the cloud refused while it had taken none yet.
    strikes: Vec<Sent>,
}

impl<O: Outbox> Push<'_, O> {
    /// Pushes.
    ///
    /// # Errors
    /// Why it could not go on: what was sent by then is written down.
    pub(super) async fn run(&self) -> Result<(), PullError> {
        for deleted in [false, true] {
            self.pass(deleted).await?;
        }
        Ok(())
    }

    async fn pass(&self, deleted: bool) -> Result<(), PullError> {
        let mut state = State {
            queue: VecDeque::new(),
            next: Place::at(0),
            halving: Halving::default(),
            load: Load::default(),
            breaks: 0,
            strikes: Vec::new(),
        };
        loop {
            self.outbox.read_on(&mut state.queue, &mut state.next, deleted)?;
            let rows = state.queue.make_contiguous();
            if rows.is_empty() {
                break;
            }
            let size = state.halving.size(fill(rows, state.load.bytes()));
            let rows = rows[..size].to_vec();
            self.send(&mut state, rows).await?;
        }
        self.settle_strikes(&mut state)?;
        Ok(())
    }

    async fn send(&self, state: &mut State, rows: Vec<Prepared>) -> Result<(), PullError> {
        let sent: Vec<Sent> = rows.iter().map(|row| row.sent.clone()).collect();
        self.outbox.note_sent(sent.clone())?;
        match self.push(body(&rows), rows.len()).await {
            Ok(()) => {
                self.taken.set(self.taken.get() + rows.len());
                state.breaks = 0;
                state.load.carried();
                state.halving.taken(rows.len());
                state.queue.drain(..rows.len());
                self.outbox.note_answered(sent)?;
                self.progress.sent(self.taken.get());
            }
            Err(CloudError::BadRow) if state.halving.refused(rows.len()) => {
                self.outbox.note_not_sent(sent.clone())?;
                let is_well = self.taken.get() > 0 || self.is_well(rows[0].sent.table).await?;
                if is_well && state.queue.front_mut().is_some_and(Prepared::take_instead) {
                    return Ok(());
                }
                state.queue.pop_front();
                state.strikes.extend(sent);
                if is_well {
                    self.settle_strikes(state)?;
                    Self::forget_queue(state);
                } else if state.strikes.len() >= STRIKES {
                    return Err(CloudError::Status(500).into());
                }
            }
            // It may have arrived all the same, which does no harm when it comes again; a smaller one gets through where the
            // link never lasts for long.
            Err(CloudError::Network(_)) if state.breaks < BREAKS => {
                state.load.broke();
                tokio::time::sleep(PAUSE * 2_u32.pow(state.breaks)).await;
                state.breaks += 1;
            }
            // Rows in front of the bad one are there by now; to send them again does no harm.
            Err(CloudError::BadRow) => self.outbox.note_not_sent(sent)?,
            Err(error) => {
                if matches!(error, CloudError::TooMany(_)) {
                    self.outbox.note_not_sent(sent)?;
                }
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// What belongs to a row that is held must not be sent without it: the rows behind it are looked at again.
    fn forget_queue(state: &mut State) {
        if let Some(first) = state.queue.front() {
            let table = push_order().position(|table| table == first.sent.table).unwrap_or(0);
            if !matches!(first.list, List::Deleted) {
                state.next = Place::at(table);
                state.queue.clear();
            }
        }
    }

    /// The cloud says "refused" of some bad rows too. Whether it means the key is asked once, and again before a row is
    /// blamed for it, for it does not like to be asked often.
    async fn push(&self, body: String, rows: usize) -> Result<(), CloudError> {
        match self.cloud.push(self.pulled_at, body).await {
            Err(CloudError::Refused) => {
                if rows <= 1 || !self.verified.replace(true) {
                    self.cloud.verify().await?;
                }
                Err(CloudError::BadRow)
            }
            other => other,
        }
    }

    /// Whether the cloud takes a push without rows: then it is the row that it fails at.
    async fn is_well(&self, table: TableId) -> Result<bool, CloudError> {
        let nothing = format!(
            r#"{{"{}":{{"created":[],"updated":[],"deleted":[]}}}}"#,
            table.table().name
        );
        match self.push(nothing, 0).await {
            Ok(()) => Ok(true),
            Err(CloudError::BadRow) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The rows that the cloud refused are to blame themselves.
    fn settle_strikes(&self, state: &mut State) -> Result<(), StoreError> {
        let strikes = std::mem::take(&mut state.strikes);
        if strikes.is_empty() {
            return Ok(());
        }
        self.outbox.refuse(strikes)
    }
}
