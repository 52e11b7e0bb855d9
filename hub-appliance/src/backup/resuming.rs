//! Going on behind a generation that is there: after an unlock, or when its stick is put back in.
//!
//! The newest generation is gone on with where it is younger than a day, of this hub and firmware, under its present keys and
//! key slots, for the same organisation, and every bit of it reads back as it was written; else a new one is made. What it lacks is found by comparing
//! page by page what it comes to with what the hub's disk holds: reading is what a stick does fast, and wears nothing.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::error::BackupError;
use super::folder::Folder;
use super::following::Follower;
use super::making::{Source, small};
use super::reading::Found;
use super::{DATABASE, KEY_SLOTS, VAULT};
use crate::clock::HubTime;
use crate::store::SCHEMA_VERSION;

/// For so long a generation is gone on with, ms.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Where more than this part of all pages is other than in the generation, a new one is no more work and quicker to restore.
const PART: u32 = 4;

/// A generation that comes to so many times the pages that the hub has now, and some more, is not gone on with. How many there
/// are is read before the code behind it, and memory is taken for each.
const TIMES: u32 = 4;
const AND_PAGES: u32 = 1024;

/// The end of a page. SQLCipher has there a code over all of the page, of 64 bytes (SQLCipher, "Design"), so that two
/// pages with the same end are the same page.
type End = [u8; 16];

/// Goes on with the newest generation in `to`, and brings it up to now. None where a new one has to be made. `progress` is
/// told permilles.
///
/// # Errors
/// [`BackupError`]; the generation is then as it was.
pub fn resume(source: &Source<'_>, to: &Folder, progress: &dyn Fn(u16)) -> Result<Option<Follower>, BackupError> {
    to.clear_unfinished()?;
    let Some(newest) = to.generations()?.into_iter().next() else {
        return Ok(None);
    };
    let Some(found) = Found::at(&newest).ok().filter(|found| is_good(source, found)) else {
        return Ok(None);
    };
    let store = source.store()?;
    let (now, (held, mut pages)) = (store.clock().peek(), store.hold_log()?);
    drop(store);
    let most = pages.state.pages.saturating_mul(TIMES).saturating_add(AND_PAGES);
    let Some(there) = read(source, &found, (pages.state.page_size, most), progress)? else {
        return Ok(None);
    };
    let mut changed = Vec::new();
    pages.each(|number, page| {
        source.goes_on()?;
        if there.ends.get(number as usize - 1) != end(page).as_ref() {
            changed.push(number);
        }
        Ok::<_, BackupError>(())
    })?;
    held.is_held()?;
    if changed.len() > (pages.state.pages / PART) as usize {
        return Ok(None);
    }
    let mut follower = Follower::behind(held, &newest, source, &found.manifest, (there.files, there.link));
    if !changed.is_empty() {
        pages.keep(changed);
        follower.add(&pages, now)?;
    }
    tracing::info!(pages = pages.count(), "the newest backup is gone on with");
    Ok(Some(follower))
}

/// Whether it is worth to be read.
fn is_good(source: &Source<'_>, found: &Found) -> bool {
    let Ok(store) = source.store() else { return false };
    let age = store.clock().peek().millis() - found.made_at().millis();
    let body = &found.manifest.body;
    let slots = source.keys.spare(&source.backup.master).ok();
    let are_present = [(VAULT, small(source.vault).ok()), (KEY_SLOTS, slots)]
        .into_iter()
        .all(|(name, bytes)| bytes.is_some_and(|bytes| found.holds(name, &bytes)));
    let is_for_the_same = match &source.recipient {
        Some(recipient) => found.made_at() >= recipient.since && found.is_for_an_organisation(),
        None => !found.is_for_an_organisation(),
    };
    found.manifest.verify(source.backup).is_ok()
        && is_for_the_same
        && (0..DAY_MS).contains(&age)
        && body.hub_id == source.hub_id
        && body.firmware == source.firmware
        && body.schema == SCHEMA_VERSION
        && are_present
}

/// What a generation comes to.
struct There {
    /// Of each page.
    ends: Vec<End>,
    /// Files of its log, and the code of the last.
    files: u32,
    link: Vec<u8>,
}

/// Reads all of a generation, with pages of this size and this many at most. None where something in it is not what was
/// written.
fn read(
    source: &Source<'_>,
    found: &Found,
    (page_size, most): (u32, u32),
    progress: &dyn Fn(u16),
) -> Result<Option<There>, BackupError> {
    let path = found.folder.join(DATABASE);
    let is_possible = |length: u64| length == found.bytes() && length <= u64::from(most) * u64::from(page_size);
    if !fs::metadata(&path).is_ok_and(|file| is_possible(file.len())) {
        return Ok(None);
    }
    let mut ends = Vec::new();
    let read = of_database(&path, page_size, |page| {
        ends.extend(end(page));
        progress(u16::try_from(ends.len() as u64 * u64::from(page_size) * 1000 / found.bytes().max(1)).unwrap_or(1000));
        source.goes_on().is_ok()
    });
    source.goes_on()?;
    let Ok((bytes, sha256)) = read else { return Ok(None) };
    if !found.is_as_written(DATABASE, bytes, &sha256) {
        return Ok(None);
    }
    let checked = found.check_beside_database(source.backup, &mut |head, number, page| {
        if head.pages > most {
            return false;
        }
        ends.resize(head.pages as usize, End::default());
        if let (Some(there), Some(end)) = (ends.get_mut((number as usize).wrapping_sub(1)), end(page)) {
            *there = end;
        }
        source.goes_on().is_ok()
    });
    source.goes_on()?;
    Ok(checked.ok().map(|(files, link)| There { ends, files, link }))
}

/// Length and SHA-256 of a file of whole pages, each of which `sees` gets, as long as it says to go on.
fn of_database(path: &Path, page_size: u32, mut sees: impl FnMut(&[u8]) -> bool) -> io::Result<(u64, [u8; 32])> {
    let file = File::open(path)?;
    let pages = file.metadata()?.len() / u64::from(page_size);
    let mut file = BufReader::with_capacity(256 * 1024, file);
    let (mut hash, mut page) = (Sha256::new(), vec![0; page_size as usize]);
    for _ in 0..pages {
        file.read_exact(&mut page)?;
        hash.update(&page);
        if !sees(&page) {
            break;
        }
    }
    Ok((pages * u64::from(page_size), hash.finalize().into()))
}

fn end(page: &[u8]) -> Option<End> {
    page.last_chunk().copied()
}

/// Whether a generation of this time is gone on with no more.
#[must_use]
pub const fn is_old(made_at: HubTime, now: HubTime) -> bool {
    now.millis() - made_at.millis() >= DAY_MS
}
