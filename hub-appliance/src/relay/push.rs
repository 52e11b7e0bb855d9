//! Pushing: what the cloud does not have goes there in requests of bounded size, each written down before it is sent and
//! again when the cloud has answered. Whether a row has arrived, the next pull shows.

use std::cell::Cell;
use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use super::batch::{Halving, List, Load, Prepared, ROWS, body, fill};
use super::fit::{References, fit, is_uuid};
use super::http::{Cloud, CloudError};
use super::pull::PullError;
use super::status::Progress;
use crate::clock::HubTime;
use crate::store::relay::{CloudReason, Outgoing, Sent, push_order};
use crate::store::schema::TableId;
use crate::store::{Snapshot, Store, StoreError};

/// Rows that the cloud may refuse, each by itself, before it has taken any: then it is the cloud that is unwell.
const STRIKES: usize = 3;
/// How often in a row the link may break under a request before the run is given up.
const BREAKS: u32 = 4;
/// After a break the link is left alone for so long, and twice as long after each further one.
const PAUSE: Duration = Duration::from_secs(1);

/// A place in the change feed of the tables: the table's number among those that are pushed, and behind which row.
#[derive(Clone, Debug)]
struct Place {
    table: usize,
    after: (HubTime, Box<str>),
}

impl Place {
    fn at(table: usize) -> Self {
        Self {
            table,
            after: (HubTime::ZERO, "".into()),
        }
    }
}

/// One push of all there is.
pub(super) struct Push<'a> {
    pub(super) store: &'a Store,
    pub(super) cloud: &'a Cloud,
    pub(super) progress: &'a Progress,
    /// The clinics of this hub.
    pub(super) clinics: &'a [String],
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

impl Push<'_> {
    /// Pushes.
    ///
    /// # Errors
    /// Why it could not go on: what was sent by then is written down.
    pub(super) async fn run(&self) -> Result<(), PullError> {
        let cursor = self
            .store
            .read(|snapshot| Ok::<_, StoreError>(snapshot.cloud_state()?.push_cursor))?;
        // Deletions last: children before parents, and after everything that may still name them.
        for deleted in [false, true] {
            let tables: Vec<TableId> = if deleted {
                push_order().rev().collect()
            } else {
                push_order().collect()
            };
            self.pass(cursor, deleted, &tables).await?;
        }
        Ok(())
    }

    async fn pass(&self, cursor: HubTime, deleted: bool, tables: &[TableId]) -> Result<(), PullError> {
        let mut state = State {
            queue: VecDeque::new(),
            next: Place::at(0),
            halving: Halving::default(),
            load: Load::default(),
            breaks: 0,
            strikes: Vec::new(),
        };
        loop {
            self.read_on(&mut state, cursor, deleted, tables)?;
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

    /// Fills the queue up to a whole request.
    fn read_on(&self, state: &mut State, cursor: HubTime, deleted: bool, tables: &[TableId]) -> Result<(), StoreError> {
        while state.queue.len() < ROWS && state.next.table < tables.len() {
            let table = tables[state.next.table];
            let (found, held, in_step) = self.store.read::<_, StoreError>(|snapshot| {
                let found = snapshot.outgoing(table, deleted, cursor, &state.next.after, ROWS)?;
                let mut pending: HashSet<(TableId, Box<str>)> = state
                    .queue
                    .iter()
                    .map(|row| (row.sent.table, row.sent.id.clone()))
                    .collect();
                let (mut held, mut in_step) = (Vec::new(), Vec::new());
                let mut prepared = Vec::new();
                let last = found.last().map(|row| (row.version, row.id.clone()));
                let count = found.len();
                for row in found {
                    let key = (row.table, row.id.clone(), row.version);
                    match self.prepare(snapshot, &pending, row)? {
                        Fate::Send(row) => {
                            pending.insert((key.0, key.1));
                            prepared.push(*row);
                        }
                        Fate::Hold(reason) => held.push((key.0, key.1, key.2, reason)),
                        Fate::InStep => in_step.push(key),
                    }
                }
                Ok(((prepared, last, count), held, in_step))
            })?;
            self.store.hold_from_cloud(held)?;
            self.store.note_in_step(in_step)?;
            let (prepared, last, count) = found;
            state.queue.extend(prepared);
            state.next = match last {
                Some(after) if count == ROWS => Place {
                    after,
                    table: state.next.table,
                },
                _ => Place::at(state.next.table + 1),
            };
        }
        Ok(())
    }

    fn prepare(
        &self,
        snapshot: &Snapshot<'_>,
        pending: &HashSet<(TableId, Box<str>)>,
        row: Outgoing,
    ) -> Result<Fate, StoreError> {
        let table = row.table.table();
        let clinic = table
            .clinic_column
            .and_then(|name| row.cells[table.column(name)?].as_reference());
        let has_no_clinic = table.clinic_column.is_some() && clinic.is_none();
        if row.deleted {
            let is_unknown = row.entry.known.is_none() && !row.entry.is_written;
            // One that is no id of the cloud's never got there, and makes it fail.
            if is_unknown || !is_uuid(&row.id) {
                return Ok(Fate::InStep);
            }
            let is_untold = has_no_clinic || table.name == "prescription_items";
            return Ok(Fate::Send(Box::new(Prepared {
                json: serde_json::Value::from(&*row.id).to_string().into(),
                list: List::Deleted,
                sent: Sent {
                    table: row.table,
                    id: row.id,
                    version: row.version,
                    digests: None,
                    on_answer: is_untold.then_some(None),
                },
            })));
        }
        let named = Named {
            snapshot,
            pending,
            clinics: self.clinics,
        };
        let fitted = match fit(&row, &named)? {
            Ok(fitted) => fitted,
            Err(reason) => return Ok(Fate::Hold(reason)),
        };
        let known = row.entry.known.as_ref();
        if known.is_some_and(|known| known.changed(&fitted.digests, table, false).is_empty()) {
            return Ok(Fate::InStep);
        }
        Ok(Fate::Send(Box::new(Prepared {
            json: fitted.json,
            list: if known.is_some() { List::Updated } else { List::Created },
            sent: Sent {
                table: row.table,
                id: row.id,
                version: row.version,
                digests: Some(fitted.digests),
                on_answer: fitted.has_no_clinic.then_some(Some(CloudReason::NoClinic)),
            },
        })))
    }

    async fn send(&self, state: &mut State, rows: Vec<Prepared>) -> Result<(), PullError> {
        let sent: Vec<Sent> = rows.iter().map(|row| row.sent.clone()).collect();
        self.store.note_sent(sent.clone())?;
        match self.push(body(&rows), rows.len()).await {
            Ok(()) => {
                self.taken.set(self.taken.get() + rows.len());
                state.breaks = 0;
                state.load.carried();
                state.halving.taken(rows.len());
                state.queue.drain(..rows.len());
                self.store.note_answered(sent)?;
                self.progress.sent(self.taken.get());
            }
            Err(CloudError::BadRow) if state.halving.refused(rows.len()) => {
                state.queue.pop_front();
                self.store.note_not_sent(sent.clone())?;
                state.strikes.extend(sent);
                if self.taken.get() > 0 || self.is_well(rows[0].sent.table).await? {
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
            Err(CloudError::BadRow) => self.store.note_not_sent(sent)?,
            Err(error) => {
                if matches!(error, CloudError::TooMany(_)) {
                    self.store.note_not_sent(sent)?;
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

    /// Holds the rows that the cloud refused.
    fn settle_strikes(&self, state: &mut State) -> Result<(), StoreError> {
        let strikes = std::mem::take(&mut state.strikes);
        let held = strikes
            .into_iter()
            .map(|row| (row.table, row.id, row.version, CloudReason::Refused));
        self.store.hold_from_cloud(held.collect())
    }
}

enum Fate {
    Send(Box<Prepared>),
    Hold(CloudReason),
    InStep,
}

struct Named<'a> {
    snapshot: &'a Snapshot<'a>,
    /// Rows that go before this one.
    pending: &'a HashSet<(TableId, Box<str>)>,
    clinics: &'a [String],
}

impl References for Named<'_> {
    fn named(&self, table: TableId, id: &str) -> Result<Option<bool>, StoreError> {
        if self.pending.contains(&(table, id.into())) {
            return Ok(Some(true));
        }
        self.snapshot.cloud_can_name(table, id)
    }

    fn knows_batch(&self, batch: &str) -> Result<bool, StoreError> {
        self.snapshot.cloud_knows_batch(batch)
    }

    fn is_own_clinic(&self, clinic: &str) -> bool {
        self.clinics.iter().any(|own| own.eq_ignore_ascii_case(clinic))
    }
}
