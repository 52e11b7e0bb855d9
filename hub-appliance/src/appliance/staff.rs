//! A file of staff, brought to an open hub: `clinic.json` on the card's first partition, or on a USB stick.
//!
//! What it changes is found by applying it and undoing that, so what a person is told is what then happens. Between the two
//! the file is kept in memory: one that is put in its place meanwhile is not what was agreed to.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::import::{read, remove};
use super::stick_use::{Lacking, Present};
use super::{ApplianceError, Config};
use crate::panel::{ErrandEnd, StaffFigures};
use crate::store::audit::Entry;
use crate::store::cloud::{Bundle, BundleError, BundleSummary};
use crate::store::staff::StaffChanges;
use crate::store::{Store, StoreError};
use crate::system::owner_file::{self, OwnerFile};
use crate::system::sticks::{Access, Stick};

/// What the file is called.
const NAME: &str = "clinic.json";

/// Where a file lies.
enum Place {
    Card,
    Stick(Stick),
}

/// A file that was read, and what it would change.
pub(super) struct Found {
    place: Place,
    json: Arc<str>,
    changes: StaffChanges,
}

impl Found {
    /// As a person is told.
    pub(super) fn figures(&self) -> StaffFigures {
        let StaffChanges {
            joins,
            leaves,
            passwords,
            others,
            rows,
        } = self.changes;
        StaffFigures {
            joins,
            leaves,
            passwords,
            others,
            rows,
        }
    }
}

/// Why nothing of a file was applied.
enum Undone {
    /// It was only to be seen what it changes.
    Seen(StaffChanges),
    Mistake(BundleError),
}

impl From<StoreError> for Undone {
    fn from(error: StoreError) -> Self {
        Self::Mistake(error.into())
    }
}

/// Looks for the file and for what it would change. Blocking. The inner error is what a person is told instead.
///
/// # Errors
/// What disk or store report; nothing was changed.
pub(super) fn find(
    config: &Config,
    store: &Store,
    has_cloud: bool,
) -> Result<Result<Found, ErrandEnd>, ApplianceError> {
    // The cloud would know nothing of a user whom only the hub has, and refuse what that one writes.
    if has_cloud {
        return Ok(Err(ErrandEnd::StaffOfCloud));
    }
    let (place, json) = match look_for(config)? {
        Ok((place, Some(json))) => (place, Arc::<str>::from(json)),
        Ok((_, None)) => return Ok(Err(ErrandEnd::StaffMistake { line: None })),
        Err(end) => return Ok(Err(end)),
    };
    let tried = Arc::clone(&json);
    let seen = store.write(move |tx| -> Result<Infallible, Undone> {
        let bundle = Bundle::parse(&tried).map_err(|mistake| Undone::Mistake(mistake.into()))?;
        let (changes, _) = bundle.apply_as_staff(tx).map_err(Undone::Mistake)?;
        Err(Undone::Seen(changes))
    });
    match seen {
        Err(Undone::Seen(changes)) if changes.is_any() => Ok(Ok(Found { place, json, changes })),
        Err(Undone::Seen(_)) => Ok(Err(ErrandEnd::StaffUnchanged)),
        Err(Undone::Mistake(BundleError::Malformed(mistake))) => {
            Ok(Err(ErrandEnd::StaffMistake { line: mistake.line }))
        }
        Err(Undone::Mistake(BundleError::Store(error))) => Err(error.into()),
        Ok(never) => match never {},
    }
}

/// Makes the staff as they are in the file, in one transaction, and has the file removed. Blocking.
///
/// # Errors
/// What the store reports; then nothing was changed.
pub(super) fn take(config: &Config, store: &Store, found: Found) -> Result<ErrandEnd, ApplianceError> {
    let Found { place, json, changes } = found;
    let summary: BundleSummary = store.write(move |tx| {
        let (done, summary) = Bundle::parse(&json)?.apply_as_staff(tx)?;
        let detail = json!({
            "joins": done.joins, "leaves": done.leaves, "passwords": done.passwords, "others": done.others,
            "rows": done.rows, "as_told": done == changes,
        });
        tx.audit(&Entry {
            action: "staff",
            detail: detail.to_string(),
            outcome: "ok",
            ..Entry::default()
        })?;
        Ok::<_, BundleError>(summary)
    })?;
    let is_gone = match place {
        Place::Card => remove(config),
        Place::Stick(stick) => remove_from(config, &stick),
    };
    if !is_gone {
        return Ok(ErrandEnd::StaffFileLeft);
    }
    let shared = summary.same_email.into_iter().next();
    Ok(shared.map_or(ErrandEnd::StaffTaken, |names| ErrandEnd::SameEmail { names }))
}

/// The one file that there is, and its text if it can be read.
fn look_for(config: &Config) -> Result<Result<(Place, Option<String>), ErrandEnd>, ApplianceError> {
    let mut found = Vec::new();
    if let Some(file) = &config.first_import {
        match owner_file::look_for(file).map_err(ApplianceError::System)? {
            OwnerFile::There(file) => found.push((Place::Card, text(&file))),
            OwnerFile::Absent => {}
            OwnerFile::Several => return Ok(Err(ErrandEnd::SeveralStaffFiles)),
        }
    }
    let mut sticks = Present::look(&*config.sticks).unwrap_or_else(|error| {
        tracing::warn!(%error, "sticks can't be looked at");
        Present {
            usable: Vec::new(),
            has_unreadable: false,
        }
    });
    for stick in std::mem::take(&mut sticks.usable) {
        let looked = config.sticks.open(&stick, Access::ReadOnly).map(|mounted| {
            let file = owner_file::look_for(&mounted.path().join(NAME))?;
            Ok::<_, std::io::Error>(match file {
                OwnerFile::There(file) => (Some(text(&file)), false),
                OwnerFile::Absent => (None, false),
                OwnerFile::Several => (None, true),
            })
        });
        match looked {
            Ok(Ok((_, true))) => return Ok(Err(ErrandEnd::SeveralStaffFiles)),
            Ok(Ok((Some(json), false))) => found.push((Place::Stick(stick), json)),
            Ok(Ok((None, false))) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "a stick can't be read");
                sticks.has_unreadable = true;
            }
            Err(error) => {
                tracing::warn!(%error, "a stick can't be opened");
                sticks.has_unreadable = true;
            }
        }
    }
    let first = found.pop();
    Ok(match (first, found.is_empty()) {
        (Some(first), true) => Ok(first),
        (Some(_), false) => Err(ErrandEnd::SeveralStaffFiles),
        (None, _) => Err(match sticks.lacking() {
            Lacking::Stick => ErrandEnd::NoStaffFile,
            Lacking::Readable => ErrandEnd::StickFailed,
        }),
    })
}

fn text(file: &Path) -> Option<String> {
    let json = read(file);
    json.inspect_err(|error| tracing::warn!(%error, "the file of staff cannot be read"))
        .ok()
}

/// Overwrites the file on a stick and removes it, and says whether it is gone for sure.
fn remove_from(config: &Config, stick: &Stick) -> bool {
    let wiped = config.sticks.open(stick, Access::ReadWrite).and_then(|mounted| {
        if let OwnerFile::There(file) = owner_file::look_for(&mounted.path().join(NAME))? {
            owner_file::wipe(&file)?;
        }
        mounted.close()
    });
    if let Err(error) = &wiped {
        tracing::error!(%error, "the file of staff is still on the stick");
    }
    wiped.is_ok()
}
