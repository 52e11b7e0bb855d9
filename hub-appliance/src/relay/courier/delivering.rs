//! Delivering at the desk: what the cloud has for the hub is pulled, what of the bundle is news there is pushed, and what has
//! become of it goes into the answer, with all that the cloud told.
//!
//! Nothing is pushed over a change of the cloud's that the hub has not heard of: the hub merges that first, by its own rules,
//! and packs the row again.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use jiff::Timestamp;
use uuid::Uuid;

use super::CourierError;
use super::contents::{AnswerHead, Contents, ExportHead, Record, read_contents};
use super::desk::{CourierDesk, KnownHub};
use super::envelope::{Header, Kind, Sealed, fingerprint, recipient, seal};
use super::parcel::{Fate, Parcel};
use super::places::{file_of, folder_of_hub, make};
use crate::relay::Access;
use crate::relay::http::Cloud;
use crate::relay::pull;
use crate::relay::push::Push;
use crate::relay::registration::Device;
use crate::relay::run::OVERLAP_MS;
use crate::relay::status::Progress;
use crate::store::relay::{Shelf, Spool};
use crate::store::schema::TableId;
use crate::store::sync::lists::List;

/// What the desk is to do.
#[derive(Debug)]
pub struct Request<'a> {
    /// The cloud, and the key of this hub's to it.
    pub access: Access,
    /// The topmost folder of the stick that the answer goes to.
    pub to: &'a Path,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// What people call the hub.
    pub hub: String,
    /// The number of the bundle; 0 where none was delivered.
    pub bundle: u64,
    /// Rows that the cloud took just now.
    pub taken: usize,
    /// Rows that it had already.
    pub there: usize,
    /// Rows that it refuses.
    pub refused: usize,
    /// Rows that the hub packs again once it has taken the answer in.
    pub later: usize,
    /// Rows that the cloud has for the hub.
    pub told: u64,
    /// Where the answer is.
    pub answer: PathBuf,
}

/// Delivers the bundle in `file`. `new_hub` is the fingerprint of a hub whose first bundle it may be.
///
/// # Errors
/// [`CourierError`]; what the cloud took by then is there, and the same bundle can be delivered again.
pub async fn deliver(
    desk: &CourierDesk,
    file: &Path,
    new_hub: Option<&str>,
    request: &Request<'_>,
) -> Result<Delivery, CourierError> {
    let sealed = Sealed::open(file)?;
    if sealed.header.kind != Kind::Export {
        return Err(CourierError::OtherKind);
    }
    let (header, digest) = (sealed.header.clone(), BASE64.encode(sealed.digest));
    let known = desk.hub(header.hub)?;
    if let Some(known) = &known {
        if known.key != BASE64.encode(header.signer) {
            return Err(CourierError::OtherSigner);
        }
        if header.at < known.at || (header.at == known.at && digest != known.digest) {
            let (number, last) = (header.number, known.number);
            return Err(CourierError::Older { number, last });
        }
    }
    let (head, mut parcel) = open(desk, sealed, &header)?;
    if known.is_none() && new_hub.is_none_or(|typed| !typed.eq_ignore_ascii_case(&fingerprint(&header.signer))) {
        return Err(CourierError::NewHub {
            name: printable(&head.name),
            fingerprint: fingerprint(&header.signer),
        });
    }
    recipient(&head.answer_to)?;
    let known = KnownHub {
        name: head.name.clone(),
        key: BASE64.encode(header.signer),
        at: header.at,
        number: header.number,
        digest,
        since: head.since,
        clinics: head.clinics,
        answer_to: head.answer_to,
        ..known.unwrap_or_default()
    };
    Visit::begin(desk, header.hub, known, request)
        .await?
        .deliver(&mut parcel, request)
        .await
}

/// Pulls for a hub whose bundle was delivered before, and writes an answer without one.
///
/// # Errors
/// [`CourierError`].
pub async fn fetch(desk: &CourierDesk, hub: Uuid, request: &Request<'_>) -> Result<Delivery, CourierError> {
    let known = desk.hub(hub)?.ok_or(CourierError::UnknownHub)?;
    let known = KnownHub { number: 0, ..known };
    let mut nothing = Parcel::on(shelf_of(desk, hub)?);
    Visit::begin(desk, hub, known, request)
        .await?
        .deliver(&mut nothing, request)
        .await
}

fn open(desk: &CourierDesk, sealed: Sealed, header: &Header) -> Result<(ExportHead, Parcel), CourierError> {
    let (mut found, mut parcel) = (None, Parcel::on(shelf_of(desk, header.hub)?));
    sealed.read(&desk.identity, |input| {
        read_contents(input, &mut |record| match record {
            Record::Export(head) => {
                found = Some(head);
                Ok(())
            }
            Record::Row(row) => parcel.add(row),
            _ => Err(CourierError::OtherKind),
        })
    })?;
    let head = found.ok_or(CourierError::Damaged)?;
    if head.hub != header.hub.to_string() || head.number != header.number {
        return Err(CourierError::Damaged);
    }
    Ok((head, parcel))
}

/// Where the rows of a bundle are kept while it is delivered.
fn shelf_of(desk: &CourierDesk, hub: Uuid) -> Result<Shelf, CourierError> {
    Ok(Shelf::within(&desk.folder, &format!("{hub}-bundle"))?)
}

/// One hub's turn at the cloud.
struct Visit<'a> {
    desk: &'a CourierDesk,
    hub: Uuid,
    known: KnownHub,
    cloud: Cloud,
    url: String,
    clinics: Vec<String>,
    since: i64,
}

impl<'a> Visit<'a> {
    /// Asks the cloud who the hub is, and writes down that its bundle is being delivered.
    async fn begin(
        desk: &'a CourierDesk,
        hub: Uuid,
        mut known: KnownHub,
        request: &Request<'_>,
    ) -> Result<Self, CourierError> {
        let Access { url, key, ca } = &request.access;
        let url = url.trim_end_matches('/').to_owned();
        let cloud = Cloud::new(&url, key.clone(), ca)?;
        let device = cloud.verify().await?;
        is_the_hubs(&device, &known, &url)?;
        if desk.has_device(&device.id, &url, hub)? {
            return Err(CourierError::OtherDevice);
        }
        // What the hub has of another cloud says nothing of this one.
        let is_another = !known.cloud.is_empty() && known.cloud != url;
        let has_others = device.clinics().len() != known.clinics.len()
            || device.clinics().iter().any(|clinic| !known.clinics.contains(clinic));
        let since = if is_another || has_others { 0 } else { known.since };
        known.device.clone_from(&device.id);
        let clinics = device.clinics().to_vec();
        let mut begun = known.clone();
        if let Some(before) = desk.hub(hub)? {
            // A bundle that is fetched for is not delivered.
            begun.number = begun.number.max(before.number);
        }
        desk.save(hub, &begun)?;
        Ok(Self {
            desk,
            hub,
            known,
            cloud,
            url,
            clinics,
            since,
        })
    }

    async fn deliver(mut self, parcel: &mut Parcel, request: &Request<'_>) -> Result<Delivery, CourierError> {
        // From 0 the cloud tells of no deletions.
        let (before, timestamp) = self.pull("before", self.since.max(1)).await?;
        parcel.look_at(&before)?;
        parcel.keep_to(&self.clinics)?;
        let taken = Cell::new(0);
        if parcel.count(Fate::Waiting) > 0 {
            let progress = Progress::default();
            let push = Push {
                outbox: &*parcel,
                cloud: &self.cloud,
                progress: &progress,
                pulled_at: self.since,
                verified: Cell::new(false),
                taken: &taken,
            };
            push.run().await?;
        }
        let (told, timestamp) = self.told(before, timestamp, taken.get() > 0).await?;
        let answer = self.answer(parcel, &told, timestamp, request.to)?;
        Ok(Delivery {
            hub: printable(&self.known.name),
            bundle: self.known.number,
            taken: parcel.count(Fate::Taken),
            there: parcel.count(Fate::There),
            refused: parcel.count(Fate::Refused),
            later: parcel.count(Fate::Later),
            told: told.rows(),
            answer,
        })
    }

    async fn pull(&self, name: &str, since: i64) -> Result<(Spool, i64), CourierError> {
        let spool = Spool::within(&self.desk.folder, &format!("{}-{name}", self.hub));
        Ok(pull::pull(&self.cloud, since, spool).await?)
    }

    /// What the cloud tells the hub, what it took just now included.
    async fn told(&self, before: Spool, timestamp: i64, pushed: bool) -> Result<(Spool, i64), CourierError> {
        if self.since > 0 && !pushed {
            return Ok((before, timestamp));
        }
        let (mut told, at) = self.pull("after", self.since).await?;
        if self.since == 0 {
            add_deletions(&mut told, &before)?;
            if pushed {
                let (late, _) = self.pull("deleted", (timestamp - OVERLAP_MS).max(1)).await?;
                add_deletions(&mut told, &late)?;
            }
        }
        Ok((told, at))
    }

    fn answer(&mut self, parcel: &Parcel, told: &Spool, timestamp: i64, top: &Path) -> Result<PathBuf, CourierError> {
        let before = self.desk.hub(self.hub)?.unwrap_or_default();
        let number = before.answers + 1;
        // Its number first: no two answers may have one.
        let known = KnownHub {
            answers: number,
            cloud: self.url.clone(),
            ..before
        };
        self.desk.save(self.hub, &known)?;
        let folder = folder_of_hub(top, self.hub);
        make(&folder)?;
        let path = file_of(&folder, Kind::Answer, number);
        let header = Header {
            kind: Kind::Answer,
            hub: self.hub,
            number,
            at: Timestamp::now().as_millisecond(),
            signer: self.desk.key.public(),
        };
        let head = AnswerHead {
            hub: self.hub.to_string(),
            number,
            bundle: self.known.number,
            since: self.since,
            timestamp,
            clinics: self.clinics.clone(),
            cloud: self.url.clone(),
            ..AnswerHead::default()
        };
        let to = recipient(&self.known.answer_to)?;
        seal(&path, &header, &to, &self.desk.key, |output| {
            let mut contents = Contents::new(output);
            contents.answer(head)?;
            parcel.fates(|fate| contents.fate(fate))?;
            write_told(&mut contents, told)?;
            contents.end()
        })?;
        Ok(path)
    }
}

/// What people call a hub, as far as it can be printed.
fn printable(name: &str) -> String {
    name.chars().filter(|letter| !letter.is_control()).take(64).collect()
}

fn add_deletions(told: &mut Spool, more: &Spool) -> Result<(), CourierError> {
    for table in TableId::all() {
        more.rows_of(table, List::Deleted, |json| told.push(table, List::Deleted, json))?;
    }
    Ok(())
}

fn write_told(contents: &mut Contents<'_>, told: &Spool) -> Result<(), CourierError> {
    for table in told.tables() {
        contents.table(*table)?;
    }
    for table in TableId::all().filter(|table| table.table().cloud.pulls()) {
        for list in [List::Created, List::Updated, List::Deleted] {
            let mut failed = None;
            told.rows_of(table, list, |json| {
                if failed.is_none() {
                    failed = contents.told(table, list, json).err();
                }
                Ok(())
            })?;
            failed.map_or(Ok(()), Err)?;
        }
    }
    Ok(())
}

/// Whether this is what the key was for before, and records may go to and fro.
fn is_the_hubs(device: &Device, known: &KnownHub, url: &str) -> Result<(), CourierError> {
    if known.cloud == url && !known.device.is_empty() && known.device != device.id {
        return Err(CourierError::OtherDevice);
    }
    if !device.is_active() {
        return Err(CourierError::Inactive);
    }
    // Without clinics the cloud sends those of all.
    if device.clinics().is_empty() {
        return Err(CourierError::NoClinic);
    }
    Ok(())
}
