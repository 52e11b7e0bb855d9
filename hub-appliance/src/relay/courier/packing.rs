//! Packing at the hub: everything that no cloud has acknowledged, made to fit as for a push.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use uuid::Uuid;

use super::contents::{Contents, ExportHead};
use super::envelope::{Header, Kind, identity, recipient, seal};
use super::places::{bundles_in, file_of, make};
use super::{CourierError, MAX_ROW_BYTES, MAX_ROWS};
use crate::clock::HubTime;
use crate::keys::SigningKey;
use crate::relay::batch::Prepared;
use crate::relay::outbox::{sort, tables};
use crate::relay::run::{WHOLE_MS, overlapping};
use crate::store::audit::Entry;
use crate::store::relay::{CloudState, CourierState, Outgoing, Sent, Waiting};
use crate::store::schema::TableId;
use crate::store::{Store, StoreError};

/// Rows that are read in one snapshot.
const PORTION: usize = 500;

/// The hub that packs, or takes in.
#[derive(Debug)]
pub struct Sender<'a> {
    /// Its id.
    pub id: Uuid,
    /// What people call it.
    pub name: &'a str,
    /// Its identity key.
    pub key: &'a SigningKey,
}

/// A bundle that was packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// Its number.
    pub number: u64,
    /// Rows and deletions in it.
    pub rows: u64,
    /// Where it is.
    pub file: PathBuf,
}

/// Packs a bundle into `folder`, the hub's own on a stick, and removes those from before, which it makes needless.
/// `goes_on` is told how many rows are in it and says whether to go on.
///
/// # Errors
/// [`CourierError`]; the bundles that were there are whole then.
pub fn pack(
    store: &Store,
    sender: &Sender<'_>,
    folder: &Path,
    goes_on: &dyn Fn(u64) -> bool,
) -> Result<Packed, CourierError> {
    let (courier, cloud) =
        store.read::<_, StoreError>(|snapshot| Ok((snapshot.courier()?, snapshot.cloud_state()?)))?;
    if courier.recipient.is_empty() {
        return Err(CourierError::NoRecipient);
    }
    let to = recipient(&courier.recipient)?;
    // Those that were held for a day are tried again, as in a run of the relay.
    store.retry_cloud_holds(false)?;
    let (number, at) = store.begin_bundle()?;
    make(folder)?;
    let header = Header {
        kind: Kind::Export,
        hub: sender.id,
        number,
        at: at.millis(),
        signer: sender.key.public(),
    };
    let head = head(store, sender, number, &courier, &cloud)?;
    let file = file_of(folder, Kind::Export, number);
    let mut rows = 0;
    seal(&file, &header, &to, sender.key, |output| {
        let mut packing = Packing {
            store,
            cloud: &cloud,
            contents: Contents::new(output),
            pending: HashSet::new(),
            rows: 0,
            bytes: 0,
            goes_on,
        };
        packing.contents.export(head)?;
        packing.all()?;
        rows = packing.rows;
        packing.contents.end()
    })?;
    let (detail, outcome) = (json!({"number": number, "rows": rows}).to_string(), "ok");
    store.write::<_, StoreError>(move |tx| {
        tx.audit(&Entry {
            action: "courier.export",
            detail,
            outcome,
            ..Entry::default()
        })
    })?;
    for old in bundles_in(folder, Kind::Export)?.into_iter().filter(|old| *old != file) {
        if let Err(error) = fs::remove_file(old) {
            tracing::warn!(%error, "a bundle from before is still on the stick");
        }
    }
    Ok(Packed { number, rows, file })
}

fn head(
    store: &Store,
    sender: &Sender<'_>,
    number: u64,
    courier: &CourierState,
    cloud: &CloudState,
) -> Result<ExportHead, CourierError> {
    let is_whole = store.clock().peek().millis() - cloud.whole_pull_at.millis() > WHOLE_MS;
    Ok(ExportHead {
        hub: sender.id.to_string(),
        number,
        name: sender.name.to_owned(),
        since: if is_whole { 0 } else { overlapping(cloud) },
        clinics: cloud.clinics.clone(),
        answer_to: identity(&courier.identity)?.to_public().to_string(),
        ..ExportHead::default()
    })
}

struct Packing<'a> {
    store: &'a Store,
    cloud: &'a CloudState,
    contents: Contents<'a>,
    /// What is in the bundle already.
    pending: HashSet<(TableId, Box<str>)>,
    rows: u64,
    bytes: u64,
    goes_on: &'a dyn Fn(u64) -> bool,
}

impl Packing<'_> {
    fn all(&mut self) -> Result<(), CourierError> {
        for deleted in [false, true] {
            for table in tables(deleted) {
                self.table(table, deleted)?;
            }
        }
        Ok(())
    }

    fn table(&mut self, table: TableId, deleted: bool) -> Result<(), CourierError> {
        let mut after = (HubTime::ZERO, 0);
        loop {
            let (sorted, last) = self.store.read::<_, StoreError>(|snapshot| {
                let found = snapshot.outgoing(
                    Waiting::Anywhere,
                    (table, deleted),
                    self.cloud.push_cursor,
                    after,
                    PORTION,
                )?;
                let last = (found.len() == PORTION).then(|| found.last().map(Outgoing::place));
                let sorted = sort(snapshot, found, &mut self.pending, &self.cloud.clinics)?;
                Ok((sorted, last.flatten()))
            })?;
            self.store.hold_from_cloud(sorted.held)?;
            self.store.note_in_step(sorted.in_step)?;
            if !self.add(sorted.prepared)? {
                return Ok(());
            }
            match last {
                Some(last) => after = last,
                None => return Ok(()),
            }
        }
    }

    /// False where the bundle is full: what is left over goes with the next one.
    fn add(&mut self, prepared: Vec<Prepared>) -> Result<bool, CourierError> {
        if !(self.goes_on)(self.rows) {
            return Err(CourierError::Stopped);
        }
        let mut sent: Vec<Sent> = Vec::with_capacity(prepared.len());
        let mut is_full = false;
        for row in &prepared {
            self.bytes += row.json.len() as u64;
            if self.rows >= MAX_ROWS || self.bytes > MAX_ROW_BYTES {
                is_full = true;
                break;
            }
            self.contents.row(row)?;
            self.rows += 1;
            sent.push(row.sent.clone());
        }
        // Without its signature, which comes last, nobody takes the bundle: this is in time.
        self.store.note_packed(sent)?;
        Ok(!is_full)
    }
}
