//! Taking an answer in at the hub: what became of the rows of a bundle, and what the cloud has for the hub, applied as an
//! answer that came by the network.

use std::path::Path;

use age::x25519::Identity;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde_json::json;

use super::contents::{AnswerHead, Record, fate_line, fate_of, read_contents};
use super::envelope::{Kind, Sealed, identity};
use super::packing::Sender;
use super::{CourierError, MAX_ROWS};
use crate::keys::PUBLIC_LEN;
use crate::store::relay::{AnswerSummary, Pulled, Shelf, Spool};
use crate::store::{Store, StoreError};

/// Rows whose fate is written down in one transaction.
const PORTION: usize = 500;

/// An answer that was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its number.
    pub number: u64,
    /// The number of the bundle that it answers; 0 of none.
    pub bundle: u64,
    /// Rows of that which the cloud refused.
    pub refused: usize,
    /// What became of the cloud's rows; none where the hub has all of them by now.
    pub summary: Option<AnswerSummary>,
}

/// The desk's public key, as it stands in the owner's file.
///
/// # Errors
/// [`CourierError::Key`].
pub(crate) fn desk_key(text: &str) -> Result<[u8; PUBLIC_LEN], CourierError> {
    let bytes = BASE64.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or(CourierError::Key("desk"))
}

/// Takes in the answer in `file`. `is_relayed` says that this hub calls a cloud itself; then no other cloud's answer is
/// taken.
///
/// # Errors
/// [`CourierError`]; what was taken in by then stays, and the same answer can be taken again.
pub fn take_answer(store: &Store, sender: &Sender<'_>, file: &Path, is_relayed: bool) -> Result<Taken, CourierError> {
    let courier = store.read(|snapshot| snapshot.courier())?;
    if courier.desk.is_empty() {
        return Err(CourierError::NoDesk);
    }
    let sealed = Sealed::open(file)?;
    if sealed.header.kind != Kind::Answer {
        return Err(CourierError::OtherKind);
    }
    if sealed.header.hub != sender.id {
        return Err(CourierError::AnotherHub);
    }
    if sealed.header.signer != desk_key(&courier.desk)? {
        return Err(CourierError::OtherSigner);
    }
    let number = sealed.header.number;
    let answer = Answer::read(sealed, &identity(&courier.identity)?, store)?;
    if answer.head.hub != sender.id.to_string() || answer.head.number != number {
        return Err(CourierError::Damaged);
    }
    let is_another = !courier.cloud.is_empty() && courier.cloud != answer.head.cloud;
    if is_another && is_relayed {
        return Err(CourierError::OtherCloud);
    }
    answer.apply(store, is_another)
}

struct Answer {
    head: AnswerHead,
    /// What became of the rows of the bundle, in lines of the answer, and how many there are.
    fates: Shelf,
    count: usize,
    refused: usize,
    spool: Spool,
}

impl Answer {
    fn read(sealed: Sealed, identity: &Identity, store: &Store) -> Result<Self, CourierError> {
        let (mut found, mut spool) = (None, store.courier_spool());
        let (fates, mut count, mut refused) = (store.courier_shelf()?, 0, 0);
        sealed.read(identity, |input| {
            read_contents(input, &mut |record| {
                match record {
                    Record::Answer(head) => found = Some(head),
                    Record::Fate(_) if count as u64 >= MAX_ROWS => return Err(CourierError::TooLarge),
                    Record::Fate(fate) => {
                        fates.put(count, &fate_line(&fate)?)?;
                        count += 1;
                        refused += usize::from(fate.refused);
                    }
                    Record::Table(table) => spool.has_table(table),
                    Record::Told(table, list, json) => spool.push(table, list, json)?,
                    Record::Export(_) | Record::Row(_) => return Err(CourierError::OtherKind),
                }
                Ok(())
            })
        })?;
        Ok(Self {
            head: found.ok_or(CourierError::Damaged)?,
            fates,
            count,
            refused,
            spool,
        })
    }

    fn apply(self, store: &Store, is_another: bool) -> Result<Taken, CourierError> {
        let Self {
            head,
            fates,
            count,
            refused,
            spool,
        } = self;
        let state = store.read(|snapshot| snapshot.cloud_state())?;
        let cursor = if is_another { 0 } else { state.pull_cursor };
        if head.since > cursor {
            return Err(CourierError::Gap);
        }
        let clinics = state.clinics;
        if is_another {
            // The organisation has moved: all that the one before had acknowledged says nothing of this one.
            store.settle_cloud(state.ca, state.time_zone, true)?;
        }
        store.note_cloud(head.cloud.clone())?;
        for first in (0..count).step_by(PORTION) {
            let portion = (first..count.min(first + PORTION)).map(|at| fate_of(&fates.get(at)?));
            store.note_delivered(portion.collect::<Result<_, CourierError>>()?)?;
        }
        let summary = if head.timestamp > cursor {
            if head.clinics.iter().any(|clinic| !clinics.contains(clinic)) {
                // What was deleted with a clinic that has come back can come anew.
                store.forget_withdrawn()?;
            }
            let pulled = Pulled {
                timestamp: head.timestamp,
                is_whole: head.since == 0,
                clinics: head.clinics,
            };
            Some(store.apply_answer(&spool, pulled)?)
        } else {
            // It came late: what it tells is older than what the hub has heard since.
            None
        };
        store.end_cloud_run()?;
        let told = summary.unwrap_or_default();
        let detail = json!({
            "number": head.number, "bundle": head.bundle, "acknowledged": told.acknowledged, "written": told.written,
            "refused": refused, "late": summary.is_none(),
        });
        store.end_answer(detail.to_string())?;
        let (waiting, held) =
            store.read::<_, StoreError>(|snapshot| Ok((snapshot.cloud_waiting()?, snapshot.cloud_held()?)))?;
        tracing::info!(waiting, held, "an answer was taken in");
        Ok(Taken {
            number: head.number,
            bundle: head.bundle,
            refused,
            summary,
        })
    }
}
