//! Bundles as files: whole, changed at every byte, cut, made up.

use std::io::{BufRead, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use age::secrecy::ExposeSecret;
use age::x25519::Identity;
use base64::Engine;
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::contents::{AnswerHead, Contents, ExportHead};
use super::envelope::{seal, signed};
use super::*;
use crate::clock::{HubClock, HubTime, SystemClock};
use crate::keys::{SIGNATURE_LEN, SigningKey};
use crate::relay::batch::{List as Of, Prepared};
use crate::store::audit::AuditKey;
use crate::store::relay::{Delivered, Sent, Shelf, digests};
use crate::store::schema::TableId;
use crate::store::sync::lists::List;
use crate::store::value::Cell;
use crate::store::{Store, StoreKey};

struct Bundle {
    folder: tempfile::TempDir,
    identity: Identity,
    key: SigningKey,
}

impl Bundle {
    fn new() -> Self {
        let bundle = Self {
            folder: tempfile::tempdir().unwrap(),
            identity: Identity::generate(),
            key: SigningKey::generate().unwrap().0,
        };
        bundle.make(b"what it holds\n").unwrap();
        bundle
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("answer-000007.hkc")
    }

    fn header(&self) -> Header {
        Header {
            kind: Kind::Answer,
            hub: Uuid::from_u128(5),
            number: 7,
            at: 1_795_741_503_000,
            signer: self.key.public(),
        }
    }

    fn make(&self, holds: &[u8]) -> Result<(), CourierError> {
        let to = self.identity.to_public();
        seal(&self.path(), &self.header(), &to, &self.key, |output| {
            Ok(output.write_all(holds)?)
        })
    }

    fn read(&self, path: &Path, identity: &Identity) -> Result<Vec<u8>, CourierError> {
        Sealed::open(path)?.read(identity, |input| {
            let mut all = Vec::new();
            input.read_to_end(&mut all)?;
            Ok(all)
        })
    }
}

#[test]
fn a_bundle_is_read_by_its_receiver_alone() {
    let bundle = Bundle::new();
    assert_eq!(
        bundle.read(&bundle.path(), &bundle.identity).unwrap(),
        b"what it holds\n"
    );
    assert_eq!(Sealed::open(&bundle.path()).unwrap().header, bundle.header());
    let another = bundle.read(&bundle.path(), &Identity::generate());
    assert!(matches!(another, Err(CourierError::NotForUs)), "{another:?}");
    let bytes = std::fs::read(bundle.path()).unwrap();
    assert!(!bytes.windows(7).any(|window| window == b"what it"));
    let left: Vec<_> = std::fs::read_dir(bundle.folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing is left beside it");
}

#[test]
fn a_bundle_that_is_changed_at_any_byte_or_cut_anywhere_is_none() {
    let bundle = Bundle::new();
    let good = std::fs::read(bundle.path()).unwrap();
    let other = bundle.folder.path().join("other");
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        std::fs::write(&other, &bad).unwrap();
        let read = bundle.read(&other, &bundle.identity);
        assert!(
            matches!(read, Err(CourierError::Damaged | CourierError::Version)),
            "byte {at}: {read:?}"
        );
        std::fs::write(&other, &good[..at]).unwrap();
        let read = bundle.read(&other, &bundle.identity);
        assert!(matches!(read, Err(CourierError::Damaged)), "{at} bytes: {read:?}");
    }
    std::fs::write(&other, [&good[..], b"more"].concat()).unwrap();
    assert!(matches!(
        bundle.read(&other, &bundle.identity),
        Err(CourierError::Damaged)
    ));
    let folder = Sealed::open(bundle.folder.path());
    assert!(
        matches!(folder, Err(CourierError::Damaged | CourierError::Disk(_))),
        "{folder:?}"
    );
}

#[test]
fn a_bundle_that_could_not_be_filled_leaves_the_one_before() {
    let bundle = Bundle::new();
    let good = std::fs::read(bundle.path()).unwrap();
    let to = bundle.identity.to_public();
    let failed = seal(&bundle.path(), &bundle.header(), &to, &bundle.key, |output| {
        output.write_all(b"half")?;
        Err(CourierError::Stopped)
    });
    assert!(matches!(failed, Err(CourierError::Stopped)));
    assert_eq!(std::fs::read(bundle.path()).unwrap(), good);
    assert_eq!(std::fs::read_dir(bundle.folder.path()).unwrap().count(), 1);
}

#[test]
fn what_the_stick_gives_at_the_second_reading_has_to_be_what_was_signed() {
    let bundle = Bundle::new();
    let sealed = Sealed::open(&bundle.path()).unwrap();
    // Sealed to the same receiver by somebody who knows no more than whom to seal to.
    let forger = Bundle {
        folder: tempfile::tempdir().unwrap(),
        key: SigningKey::generate().unwrap().0,
        identity: bundle.identity.clone(),
    };
    forger.make(b"what it hides\n").unwrap();
    let forged = std::fs::read(forger.path()).unwrap();
    std::fs::OpenOptions::new()
        .write(true)
        .open(bundle.path())
        .unwrap()
        .write_all(&forged)
        .unwrap();
    let read = sealed.read(&bundle.identity, |input| {
        let mut all = Vec::new();
        input.read_to_end(&mut all)?;
        Ok(all)
    });
    assert!(matches!(read, Err(CourierError::Damaged)), "{read:?}");
}

fn patients() -> TableId {
    TableId::named("patients").unwrap()
}

fn sent(id: &str, deleted: bool) -> Sent {
    let table = patients().table();
    let mut cells = vec![Cell::Null; table.columns.len()];
    cells[1] = Cell::text(id);
    Sent {
        table: patients(),
        id: id.into(),
        version: HubTime::from_millis(7),
        digests: (!deleted).then(|| digests(table, cells.iter().map(Some), None)),
        on_answer: deleted.then_some(None),
    }
}

fn written(rows: &[(String, bool, String)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut contents = Contents::new(&mut bytes);
    contents
        .answer(AnswerHead {
            hub: "h".into(),
            since: 3,
            ..AnswerHead::default()
        })
        .unwrap();
    for (id, deleted, json) in rows {
        let (sent, refused) = (sent(id, *deleted), *deleted);
        contents.fate(&Delivered { sent, refused }).unwrap();
        contents.table(patients()).unwrap();
        contents.told(patients(), List::Updated, json).unwrap();
    }
    contents.end().unwrap();
    bytes
}

/// An export of one row.
fn written_row(id: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut contents = Contents::new(&mut bytes);
    contents.export(ExportHead::default()).unwrap();
    let row = Prepared {
        sent: sent(id, false),
        list: Of::Created,
        json: "{}".into(),
        instead: None,
        before: Vec::new(),
    };
    contents.row(&row).unwrap();
    contents.end().unwrap();
    bytes
}

/// Puts another outside on a bundle, and signs all of it.
fn resign(bundle: &mut Vec<u8>, header: &Header, signer: &SigningKey) {
    bundle.splice(..HEADER_LEN, header.to_bytes());
    bundle.truncate(bundle.len() - SIGNATURE_LEN);
    let digest: [u8; 32] = Sha256::digest(&*bundle).into();
    bundle.extend(signer.sign(&signed(&digest)));
}

fn count(bytes: &[u8]) -> Result<(usize, Vec<String>), CourierError> {
    let (mut records, mut told) = (0, Vec::new());
    let mut input: &[u8] = bytes;
    read_contents(&mut input as &mut dyn BufRead, &mut |record| {
        records += 1;
        if let Record::Told(_, _, json) = record {
            told.push(json.to_owned());
        }
        Ok(())
    })?;
    Ok((records, told))
}

proptest! {
    #[test]
    fn what_was_written_is_read_and_any_part_of_it_is_not(
        rows in prop::collection::vec(("[a-z0-9-]{1,40}", any::<bool>(), "[ -~\n]{0,40}"), 0..5),
        cut in any::<prop::sample::Index>(),
    ) {
        let rows: Vec<_> = rows
            .into_iter()
            .map(|(id, deleted, text)| (id, deleted, format!("{{\n\"a\": {}}}", serde_json::Value::from(text))))
            .collect();
        let bytes = written(&rows);
        let (records, told) = count(&bytes).unwrap();
        prop_assert_eq!(records, 1 + 3 * rows.len());
        for (told, (_, _, json)) in told.iter().zip(&rows) {
            let as_value = |json: &str| serde_json::from_str::<serde_json::Value>(json).unwrap();
            prop_assert_eq!(as_value(told), as_value(json));
        }
        let cut = cut.index(bytes.len());
        prop_assert!(count(&bytes[..cut]).is_err());
        prop_assert!(count(&[&bytes[..], &bytes[..]].concat()).is_err());
    }

    #[test]
    fn what_is_made_up_is_refused(bytes: Vec<u8>) {
        prop_assert!(count(&bytes).is_err());
        let _ = Header::parse(&bytes);
    }
}

#[test]
fn what_does_not_fit_is_refused_before_it_is_used() {
    let head =
        r#"{"answer":{"format":1,"hub":"h","number":1,"bundle":0,"since":0,"timestamp":1,"clinics":[],"cloud":"c"}}"#;
    let with = |line: &str| count(format!("{head}\n{line}\n{{\"end\":2}}\n").as_bytes());
    assert!(matches!(with(head), Err(CourierError::Damaged)), "two heads");
    assert!(matches!(with(r#"{"table":"no_such"}"#), Err(CourierError::Version)));
    assert!(matches!(
        with(r#"{"told":{"table":"patients","list":"kept","row":{}}}"#),
        Err(CourierError::Damaged)
    ));
    assert!(matches!(
        with(&format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000))),
        Err(CourierError::Damaged)
    ));
    let deep = format!(
        "{{\"told\":{{\"table\":\"patients\",\"list\":\"updated\",\"row\":{}1{}}}}}",
        "[".repeat(5000),
        "]".repeat(5000)
    );
    // It stays text; whoever reads it as a row finds that it is none.
    assert!(with(&deep).is_ok() || matches!(with(&deep), Err(CourierError::Damaged)));
    let newer = head.replace(r#""format":1"#, r#""format":2"#);
    assert!(matches!(
        count(format!("{newer}\n{{\"end\":1}}\n").as_bytes()),
        Err(CourierError::Version)
    ));
    assert!(
        matches!(
            count(format!("{head}\n{{\"end\":2}}\n").as_bytes()),
            Err(CourierError::Damaged)
        ),
        "a line is missing"
    );
    let digests = r#"{"fate":{"sent":{"table":"patients","id":"a","version":1,"digests":"AAAA","proof":"shown"},"refused":false}}"#;
    assert!(matches!(with(digests), Err(CourierError::Version)), "of other columns");
}

/// A hub with an office.
struct Hub {
    store: Store,
    bundle: Bundle,
    own: SigningKey,
    _folder: tempfile::TempDir,
}

impl Hub {
    fn new() -> Self {
        let (folder, bundle) = (tempfile::tempdir().unwrap(), Bundle::new());
        let clock = Arc::new(HubClock::new(Box::new(SystemClock), HubTime::ZERO));
        let store = Store::open(folder.path(), &StoreKey::new([1; 32]), AuditKey::new([9; 32]), clock).unwrap();
        let desk = base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(bundle.key.public());
        let identity = SecretText::new(bundle.identity.to_string().expose_secret().to_owned());
        let recipient = Identity::generate().to_public().to_string();
        store.settle_courier(recipient, desk, identity).unwrap();
        Self {
            store,
            bundle,
            own: SigningKey::generate().unwrap().0,
            _folder: folder,
        }
    }

    /// An answer that begins and ends at these times of a cloud's clock is taken in.
    fn take(&self, (since, timestamp): (i64, i64), cloud: &str, is_relayed: bool) -> Result<Taken, CourierError> {
        let head = AnswerHead {
            hub: Uuid::from_u128(5).to_string(),
            number: 7,
            since,
            timestamp,
            cloud: cloud.into(),
            ..AnswerHead::default()
        };
        let mut holds = Vec::new();
        let mut contents = Contents::new(&mut holds);
        contents.answer(head)?;
        contents.end()?;
        self.bundle.make(&holds)?;
        self.take_made(is_relayed)
    }

    fn take_made(&self, is_relayed: bool) -> Result<Taken, CourierError> {
        let sender = Sender {
            id: Uuid::from_u128(5),
            name: "Clinic",
            key: &self.own,
        };
        take_answer(&self.store, &sender, &self.bundle.path(), is_relayed)
    }

    fn cursor(&self) -> i64 {
        self.store.read(|snapshot| snapshot.cloud_state()).unwrap().pull_cursor
    }
}

#[test]
fn an_answer_is_taken_in_where_it_goes_on_from_what_the_hub_has() {
    let hub = Hub::new();
    let gap = hub.take((10, 20), "one", false);
    assert!(matches!(gap, Err(CourierError::Gap)), "{gap:?}");
    assert_eq!(hub.cursor(), 0);
    assert!(hub.take((0, 20), "one", false).unwrap().summary.is_some());
    assert_eq!(hub.cursor(), 20);
    assert!(hub.take((0, 20), "one", false).unwrap().summary.is_none(), "twice");
    assert!(hub.take((0, 15), "one", false).unwrap().summary.is_none(), "late");
    assert_eq!(hub.cursor(), 20);
    assert!(hub.take((20, 30), "one", false).unwrap().summary.is_some());
    assert_eq!(hub.cursor(), 30);
}

#[test]
fn another_cloud_begins_anew_but_not_for_a_hub_that_calls_its_own() {
    let hub = Hub::new();
    hub.take((0, 30), "one", false).unwrap();
    let other = hub.take((0, 10), "other", true);
    assert!(matches!(other, Err(CourierError::OtherCloud)), "{other:?}");
    let gap = hub.take((5, 10), "other", false);
    assert!(matches!(gap, Err(CourierError::Gap)), "{gap:?}");
    assert_eq!(hub.cursor(), 30);
    assert!(hub.take((0, 10), "other", false).unwrap().summary.is_some());
    assert_eq!(hub.cursor(), 10);
}

#[test]
fn an_answer_that_is_one_thing_outside_and_another_inside_is_none() {
    let hub = Hub::new();
    let head = |number, of: u128| AnswerHead {
        hub: Uuid::from_u128(of).to_string(),
        number,
        timestamp: 20,
        cloud: "one".into(),
        ..AnswerHead::default()
    };
    // Seven and five stand outside, signed by the desk itself.
    for inside in [head(8, 5), head(7, 6)] {
        let mut holds = Vec::new();
        let mut contents = Contents::new(&mut holds);
        contents.answer(inside).unwrap();
        contents.end().unwrap();
        hub.bundle.make(&holds).unwrap();
        let taken = hub.take_made(false);
        assert!(matches!(taken, Err(CourierError::Damaged)), "{taken:?}");
    }
    // The right one, under somebody else's signature: what is sealed in it is never opened.
    hub.take((0, 20), "one", false).unwrap();
    let mut forged = std::fs::read(hub.bundle.path()).unwrap();
    let (forger, _) = SigningKey::generate().unwrap();
    let header = Header {
        signer: forger.public(),
        ..hub.bundle.header()
    };
    resign(&mut forged, &header, &forger);
    std::fs::write(hub.bundle.path(), forged).unwrap();
    let taken = hub.take_made(false);
    assert!(matches!(taken, Err(CourierError::OtherSigner)), "{taken:?}");
    assert_eq!(hub.cursor(), 20);
}

#[test]
fn what_is_huge_is_refused_before_it_is_kept() {
    let bundle = Bundle::new();
    let file = std::fs::OpenOptions::new().write(true).open(bundle.path()).unwrap();
    file.set_len(MAX_BYTES + 1).unwrap();
    let opened = Sealed::open(&bundle.path());
    assert!(matches!(opened, Err(CourierError::TooLarge)), "{opened:?}");

    // A line without an end, and records without one, by somebody who may sign.
    struct Endless<'a>(&'a [u8], u64);
    impl Read for Endless<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            for byte in &mut *buffer {
                *byte = self.0[usize::try_from(self.1).unwrap() % self.0.len()];
                self.1 += 1;
            }
            Ok(buffer.len())
        }
    }
    let mut line = std::io::BufReader::new(Endless(b"x", 0));
    let read = read_contents(&mut line, &mut |_| Ok(()));
    assert!(matches!(read, Err(CourierError::Damaged)), "{read:?}");
    assert!(line.get_ref().1 < 17 * 1024 * 1024, "{} bytes", line.get_ref().1);
    let folder = tempfile::tempdir().unwrap();
    let mut parcel = parcel::Parcel::on(Shelf::within(folder.path(), "bundle").unwrap());
    let one = written_row("a");
    let mut again = 0;
    let refused = loop {
        again += 1;
        let mut input: &[u8] = &one;
        let added = read_contents(&mut input as &mut dyn BufRead, &mut |record| match record {
            Record::Row(row) => parcel.add(row),
            _ => Ok(()),
        });
        if let Err(error) = added {
            break error;
        }
    };
    assert!(
        matches!(refused, CourierError::Damaged) && again == 2,
        "a row is there twice: {refused:?}"
    );
}

#[test]
fn an_answer_of_another_office_is_not_taken() {
    let mut hub = Hub::new();
    hub.take((0, 30), "one", false).unwrap();
    hub.bundle.key = SigningKey::generate().unwrap().0;
    let other = hub.take((0, 40), "one", false);
    assert!(matches!(other, Err(CourierError::OtherSigner)), "{other:?}");
    hub.store
        .settle_courier("age1".into(), String::new(), SecretText::default())
        .unwrap();
    assert!(matches!(hub.take_made(false), Err(CourierError::NoDesk)));
    assert_eq!(hub.cursor(), 30);
}
