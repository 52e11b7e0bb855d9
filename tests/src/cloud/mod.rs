//! A stand-in for the organisation's cloud, on a real PostgreSQL: what `cloud.md` says that the cloud does, warts included.
//!
//! Promise: tables, types, lengths and references are those of `tables.json`, and PostgreSQL itself refuses what does not
//! fit them. Each wart and each fault is a switch of [`Switches`], which can be turned while the hub runs; so can the
//! generation. It is nobody's real cloud, and keeps everything in a folder that goes with it.

mod answer;
mod compare;
mod database;
mod http;
mod link;
mod postgres;
mod push;
mod tables;

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio_postgres::{Client, Statement};

pub use self::database::CloudRow;
pub use self::link::{Link, Quality};
pub use self::postgres::{Postgres, PostgresError};
use crate::clinic::Clinic;

/// The key of the demonstration's hub.
pub const API_KEY: &str = "hh_00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// The clinic was put in so many days ago.
const DAYS: u32 = 30;

/// Which cloud it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Generation {
    /// To 2026-05.
    #[default]
    C1,
    /// Since.
    C2,
}

/// What the cloud does that it should not, and what goes wrong on the way. All of it off is a cloud without its warts.
#[derive(Debug, Clone, PartialEq)]
pub struct Switches {
    /// Which cloud it is.
    pub generation: Generation,
    /// A failed write is a 200 with this text in place of JSON.
    pub object_object: bool,
    /// An event, appointment or prescription without a visit gets one that is made up, under the first user.
    pub invents_visits: bool,
    /// What comes back of a pushed row lacks what the cloud loses of it.
    pub poorer_echoes: bool,
    /// Some tables get the cloud's own time as `updated_at`.
    pub stamps: bool,
    /// A row that is not later than the cloud's own is dropped without a word, and so is one of another clinic.
    pub drops_silently: bool,
    /// Days are told as the server's local midnight.
    pub local_midnight: bool,
    /// So many requests a minute, for everybody together; none: as many as they like.
    pub rate: Option<u32>,
    /// The clock is off by so many milliseconds.
    pub clock_off: i64,
    /// Rows older than so many days are never told.
    pub history_days: Option<i64>,
    /// How the hub stands.
    pub status: &'static str,
    /// The next answers: each breaks one.
    pub faults: Vec<Fault>,
}

/// What is asked of the cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Who this hub is.
    Verify,
    /// What it has.
    Pull,
    /// To take rows.
    Push,
}

/// An answer that is none of the cloud's program: a portal's, a proxy's, a broken machine's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Said {
    /// Its status.
    pub status: u16,
    /// One of its headers, if it is to have one.
    pub header: Option<(&'static str, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

/// Something that goes wrong once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The connection ends after so many bytes of the answer to a pull.
    DropPullAfter(usize),
    /// A 500 that is not the program's own, before anything is done.
    Unavailable,
    /// A push is done and the connection ends before the answer.
    CutBeforeAnswer,
    /// The connection ends before a push is done.
    CutBeforePush,
    /// The connection ends, and the cloud's program with it, after so many rows of a push.
    CutInPush(usize),
    /// A row of a pull is missed: its transaction was open.
    MissNewest,
    /// Something else answers this call, of which nothing is done.
    Says(Call, Said),
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            generation: Generation::C1,
            object_object: false,
            invents_visits: true,
            poorer_echoes: true,
            stamps: true,
            drops_silently: true,
            local_midnight: true,
            rate: None,
            clock_off: 0,
            history_days: None,
            status: "active",
            faults: Vec::new(),
        }
    }
}

/// What crossed the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests of each kind.
    pub verify: u64,
    /// Pulls.
    pub pulls: u64,
    /// Pushes.
    pub pushes: u64,
    /// Rows and deletions that the hub pushed.
    pub rows_pushed: u64,
    /// Those of pushes that the cloud called a success.
    pub rows_taken: u64,
    /// Rows and deletions that it was told.
    pub rows_pulled: u64,
    /// Bytes of requests' bodies.
    pub bytes_in: u64,
    /// Bytes of answers' bodies.
    pub bytes_out: u64,
    /// The rows that were pushed, each time.
    pub pushed: Vec<Pushed>,
}

/// A row, or a deletion, that was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// `table/id`.
    pub row: String,
    /// Which push it was in, by the number that its answer bears (see [`Link::answers`]).
    pub push: u64,
}

/// A running cloud. Dropping it ends it and takes its database.
#[derive(Debug)]
pub struct Cloud {
    url: String,
    shared: Arc<Shared>,
    postgres: Postgres,
}

/// What the answers are made from.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) client: Client,
    /// What was prepared on it, by its text.
    pub(crate) statements: Mutex<HashMap<String, Statement>>,
    pub(crate) switches: Mutex<Switches>,
    pub(crate) counts: Mutex<Counts>,
    pub(crate) clinics: Mutex<Vec<String>>,
    pub(crate) key: Mutex<String>,
    pub(crate) requests: Mutex<Vec<std::time::Instant>>,
    pub(crate) last_stamp: AtomicI64,
    /// Pushes so far.
    pub(crate) pushes: AtomicU64,
    /// Something was counted.
    pub(crate) counted: Notify,
}

impl Cloud {
    /// Starts one with the clinic in it, at a free port of the loopback; its hub is given all of the clinic's clinics.
    ///
    /// # Errors
    /// [`PostgresError`].
    pub async fn start(clinic: &Clinic) -> Result<Self, PostgresError> {
        Self::start_at(clinic, "127.0.0.1:0").await
    }

    /// The same at this address.
    ///
    /// # Errors
    /// [`PostgresError`].
    pub async fn start_at(clinic: &Clinic, address: &str) -> Result<Self, PostgresError> {
        let postgres = Postgres::start().await?;
        let client = postgres.connect().await?;
        client.batch_execute(&tables::definition()).await?;
        let shared = Arc::new(Shared {
            client,
            statements: Mutex::default(),
            switches: Mutex::new(Switches::default()),
            counts: Mutex::default(),
            clinics: Mutex::default(),
            key: Mutex::new(API_KEY.to_owned()),
            requests: Mutex::default(),
            last_stamp: AtomicI64::new(0),
            pushes: AtomicU64::new(0),
            counted: Notify::new(),
        });
        database::fill(&shared, clinic, DAYS).await?;
        let clinics = database::ids(&shared, "clinics").await?;
        *lock(&shared.clinics) = clinics;
        let url = http::serve(Arc::clone(&shared), address).await?;
        Ok(Self { url, shared, postgres })
    }

    /// Takes what it does not have yet of a clinic, of the same staff say, and larger.
    ///
    /// # Errors
    /// [`PostgresError`].
    pub async fn take_in(&self, clinic: &Clinic) -> Result<(), PostgresError> {
        database::fill(&self.shared, clinic, 0).await
    }

    /// Its base URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The folder of its database's socket; the user is `cloud`, the database `postgres`.
    #[must_use]
    pub fn socket(&self) -> &Path {
        self.postgres.folder()
    }

    /// What `hub-setup.toml` says of it.
    #[must_use]
    pub fn setup(&self) -> String {
        format!("[cloud]\nurl = \"{}\"\napi_key = \"{}\"\n", self.url, self.key())
    }

    /// The key that it knows.
    #[must_use]
    pub fn key(&self) -> String {
        lock(&self.shared.key).clone()
    }

    /// Gives the hub another key; the one before is refused.
    pub fn change_key(&self, key: &str) {
        *lock(&self.shared.key) = key.to_owned();
    }

    /// Turns switches.
    pub fn switch(&self, turn: impl FnOnce(&mut Switches)) {
        turn(&mut lock(&self.shared.switches));
    }

    /// The clinics that the hub is given.
    pub fn give_clinics(&self, clinics: &[&str]) {
        *lock(&self.shared.clinics) = clinics.iter().map(|clinic| (*clinic).to_owned()).collect();
    }

    /// What crossed the wire since this was asked last.
    #[must_use]
    pub fn take_counts(&self) -> Counts {
        std::mem::take(&mut *lock(&self.shared.counts))
    }

    /// Waits until what crossed the wire is as wanted.
    pub async fn wait_for(&self, wanted: impl Fn(&Counts) -> bool) {
        loop {
            let counted = self.shared.counted.notified();
            if wanted(&lock(&self.shared.counts)) {
                return;
            }
            counted.await;
        }
    }

    /// Another connection to its database, of somebody else's program.
    ///
    /// # Errors
    /// [`PostgresError`].
    pub async fn elsewhere(&self) -> Result<Client, PostgresError> {
        self.postgres.connect().await
    }

    /// What `hub-setup.toml` says of it where the way to it is this link.
    #[must_use]
    pub fn setup_over(&self, link: &Link) -> String {
        format!("[cloud]\nurl = \"{}\"\napi_key = \"{}\"\n", link.url(), self.key())
    }

    /// Runs a statement of a person at the cloud's desk.
    ///
    /// # Errors
    /// What PostgreSQL reports.
    pub async fn execute(&self, sql: &str) -> Result<u64, PostgresError> {
        Ok(self.shared.client.execute(sql, &[]).await?)
    }

    /// The rows of a table that are not deleted, by id: every column as JSON.
    ///
    /// # Errors
    /// What PostgreSQL reports.
    pub async fn rows(&self, table: &str) -> Result<Vec<CloudRow>, PostgresError> {
        database::rows(&self.shared, table).await
    }

    /// Changes columns of a row as a person at the cloud would, with the cloud's own stamps.
    ///
    /// # Errors
    /// What PostgreSQL reports.
    pub async fn edit(&self, table: &str, id: &str, values: &[(&str, Value)]) -> Result<(), PostgresError> {
        let now = self.shared.now();
        let mut row = json!({"updated_at": iso(now), "last_modified": iso(now)});
        for (name, value) in values {
            row[*name] = value.clone();
        }
        database::change(&self.shared, table, id, &row).await
    }

    /// Deletes a row as a person at the cloud would.
    ///
    /// # Errors
    /// What PostgreSQL reports.
    pub async fn delete(&self, table: &str, id: &str) -> Result<(), PostgresError> {
        database::delete(&self.shared, table, id).await
    }
}

impl Shared {
    pub(crate) fn switches(&self) -> Switches {
        lock(&self.switches).clone()
    }

    /// The cloud's clock, which never stands still.
    pub(crate) fn now(&self) -> i64 {
        let now = jiff::Timestamp::now().as_millisecond() + lock(&self.switches).clock_off;
        now.max(self.last_stamp.fetch_max(now, Ordering::AcqRel).min(now))
    }

    /// A statement that is prepared once.
    pub(crate) async fn prepared(&self, sql: &str) -> Result<Statement, PostgresError> {
        if let Some(statement) = lock(&self.statements).get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await?;
        lock(&self.statements).insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    /// Takes a fault that is to happen now, if it is the next.
    pub(crate) fn fault(&self, which: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let mut switches = lock(&self.switches);
        let at = switches.faults.iter().position(which)?;
        Some(switches.faults.remove(at))
    }

    pub(crate) fn count(&self, count: impl FnOnce(&mut Counts)) {
        count(&mut lock(&self.counts));
        self.counted.notify_waiters();
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn iso(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms)
        .map(|at| format!("{at:.3}"))
        .unwrap_or_default()
}
