//! The app's sync: handshake, pull, apply, push, mark as synced.
//!
//! Promise: requests in the app's order and shape. A sync that fails leaves the phone as the app would be left: a pull
//! that was applied stays applied, a push that was not acknowledged is pushed again. A push names what its pull was
//! sent with, not what that pull gave. At a 401 app 1.5 is stuck until somebody signs in; app 1.7 does that by itself.

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::client::{ClientError, HubClient, Login};
use super::clock::PhoneClock;
use super::database::Database;
use super::generation::Generation;
use super::pull::{PullAnswer, PullCounts, PullFault};
use super::push::Changes;
use super::wire::Session;

/// Why a sync did not end well.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The hub refused or could not be asked.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The hub's answer would break the app or lose a value on the phone.
    #[error(transparent)]
    Pull(#[from] PullFault),
    /// Forced uploads and downloads went with app 1.5.
    #[error("this app has no such button")]
    NoButton,
}

impl SyncError {
    /// The status that the hub refused with, where it did.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Client(error) => error.status(),
            Self::Pull(_) | Self::NoButton => None,
        }
    }
}

/// What one sync moved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SyncReport {
    /// What came, by table.
    pub pulled: Vec<(&'static str, PullCounts)>,
    /// Rows that went, by table.
    pub pushed: Vec<(&'static str, usize)>,
}

/// Parameters of `sync_pull`.
#[derive(Serialize)]
struct PullParams<'a> {
    #[serde(rename = "lastPulledAt")]
    last_pulled_at: &'a Value,
}

/// Data of `sync_push`.
#[derive(Serialize)]
struct PushData<'a> {
    changes: &'a Changes,
    #[serde(rename = "lastPulledAt")]
    last_pulled_at: &'a Value,
}

/// A phone: its conversation with a hub, its database, its clock, and who uses it.
#[derive(Debug)]
pub struct Phone {
    /// The conversation.
    pub client: HubClient,
    /// The local database.
    pub database: Database,
    /// The phone's own clock.
    pub clock: PhoneClock,
    /// The answer to the last login.
    pub user: Option<Login>,
    sign_in: Option<SignIn>,
}

/// What app 1.7 keeps for signing in by itself, for as long as it runs.
#[derive(Debug, Clone)]
struct SignIn {
    email: String,
    password: String,
    /// The session of its pairing.
    pairing: Option<Session>,
}

impl Phone {
    /// A new phone that will use the hub at `url` (`http://HOST:PORT`).
    ///
    /// # Errors
    /// [`ClientError::Http`] when the address is of another form.
    pub fn new(url: &str) -> Result<Self, ClientError> {
        Ok(Self::with_client(HubClient::new(url, &Uuid::new_v4().to_string())?))
    }

    /// The same with another generation of the app, on a phone that has never synced.
    #[must_use]
    pub fn with_app(mut self, generation: Generation) -> Self {
        self.database = Database::of(generation);
        self
    }

    /// A new phone on a conversation already set up.
    #[must_use]
    pub fn with_client(client: HubClient) -> Self {
        Self {
            client,
            database: Database::new(),
            clock: PhoneClock::system(),
            user: None,
            sign_in: None,
        }
    }

    /// Hands shakes and logs in, as after scanning the code.
    ///
    /// # Errors
    /// [`ClientError`], as every call.
    pub async fn log_in(&mut self, email: &str, password: &str) -> Result<&Login, ClientError> {
        self.sign_in = None;
        self.client.handshake().await?;
        let login = self.client.login(email, password).await?;
        self.sign_in = Some(SignIn {
            email: email.to_owned(),
            password: password.to_owned(),
            pairing: self.client.session().cloned(),
        });
        Ok(self.user.insert(login))
    }

    /// Lets the hub learn at once that this is app 1.7, which else it does by and by: by the second try after a refused
    /// token. App 1.5 does nothing.
    ///
    /// # Errors
    /// [`ClientError`], as every call.
    pub async fn show_app(&mut self) -> Result<(), ClientError> {
        if self.database.generation() == Generation::V1_7 {
            self.client.set_token(Some("a token that ran out".into()));
            self.pull_bytes().await?;
        }
        Ok(())
    }

    /// The app is closed and opened again: what it kept in memory only is gone.
    pub fn restart_app(&mut self) {
        self.sign_in = None;
    }

    /// Signs in again as app 1.7 does at a 401: under the key of its pairing, and with new hands shaken for what comes.
    async fn sign_in_again(&mut self, sign_in: SignIn) -> Result<(), ClientError> {
        self.client.set_session(sign_in.pairing);
        let login = self.client.login(&sign_in.email, &sign_in.password).await?;
        self.user = Some(login);
        self.client.handshake().await.map(drop)
    }

    /// What to sign in with where a call was refused for its token and the app does so by itself.
    fn signs_in_after(&self, refused: &ClientError) -> Option<SignIn> {
        let by_itself = self.database.generation() == Generation::V1_7 && refused.status() == Some(401);
        self.sign_in.clone().filter(|_| by_itself)
    }

    /// The app's sync.
    ///
    /// # Errors
    /// [`SyncError`].
    pub async fn sync(&mut self) -> Result<SyncReport, SyncError> {
        self.client.handshake().await?;
        self.pull_and_push().await
    }

    async fn pull_and_push(&mut self) -> Result<SyncReport, SyncError> {
        let pulled = self.pull().await?;
        let pushed = self.push().await?;
        Ok(SyncReport { pulled, pushed })
    }

    /// As [`Phone::sync`], beginning with [`HubClient::handshake_in_turn`](super::client::HubClient::handshake_in_turn).
    ///
    /// # Errors
    /// [`SyncError`].
    pub async fn sync_in_turn(&mut self) -> Result<SyncReport, SyncError> {
        self.client.handshake_in_turn().await?;
        self.pull_and_push().await
    }

    /// The first half of a sync: pulls from the cursor and applies.
    ///
    /// # Errors
    /// [`SyncError`].
    pub async fn pull(&mut self) -> Result<Vec<(&'static str, PullCounts)>, SyncError> {
        let json = self.pull_bytes().await?;
        let answer = PullAnswer::read(&json, self.database.generation())?;
        Ok(self.database.apply_pull(answer)?)
    }

    /// The opened answer of a pull from the cursor, applied by nobody.
    ///
    /// # Errors
    /// [`ClientError`], as every call.
    pub async fn pull_bytes(&mut self) -> Result<Vec<u8>, ClientError> {
        let last_pulled_at = self.database.cursor();
        let params = PullParams { last_pulled_at };
        let refused = match self.client.query_bytes("sync_pull", &params).await {
            Err(refused) => refused,
            answer => return answer,
        };
        let sign_in = self.signs_in_after(&refused).ok_or(refused)?;
        self.sign_in_again(sign_in).await?;
        let last_pulled_at = self.database.cursor();
        self.client
            .query_bytes("sync_pull", PullParams { last_pulled_at })
            .await
    }

    /// The second half of a sync: pushes local changes, if there are any, and marks them as synced.
    ///
    /// # Errors
    /// [`SyncError`].
    pub async fn push(&mut self) -> Result<Vec<(&'static str, usize)>, SyncError> {
        let changes = self.database.local_changes();
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        self.send(&changes, self.database.base().clone()).await?;
        let now = self.clock.now();
        self.database.mark_pushed(&changes, now);
        Ok(changes.counts())
    }

    /// The app's forced upload: sends every row made or changed after `since` (ms) and takes the phone's own time as
    /// the new cursor.
    ///
    /// # Errors
    /// [`SyncError`].
    pub async fn force_upload(&mut self, since: i64) -> Result<Vec<(&'static str, usize)>, SyncError> {
        self.has_buttons()?;
        self.client.handshake().await?;
        let changes = self.database.forced_changes(since);
        self.send(&changes, Value::from(since)).await?;
        self.database.note_forced(&changes);
        let now = self.clock.now();
        self.database.set_cursor(now);
        Ok(changes.counts())
    }

    /// The app's forced download: pulls everything again and merges it.
    ///
    /// # Errors
    /// [`SyncError`].
    pub async fn force_download(&mut self) -> Result<Vec<(&'static str, PullCounts)>, SyncError> {
        self.has_buttons()?;
        self.client.handshake().await?;
        let cursor = self.database.cursor().clone();
        self.database.set_cursor(0);
        let pulled = self.pull().await;
        if pulled.is_err() {
            self.database.set_cursor(cursor);
        }
        pulled
    }

    fn has_buttons(&self) -> Result<(), SyncError> {
        match self.database.generation() {
            Generation::V1_5 => Ok(()),
            Generation::V1_7 => Err(SyncError::NoButton),
        }
    }

    async fn send(&mut self, changes: &Changes, last_pulled_at: Value) -> Result<(), ClientError> {
        let data = PushData {
            changes,
            last_pulled_at: &last_pulled_at,
        };
        let refused = match self.client.command_bytes("sync_push", &data).await {
            Err(refused) => refused,
            answer => return answer.map(drop),
        };
        let sign_in = self.signs_in_after(&refused).ok_or(refused)?;
        self.sign_in_again(sign_in).await?;
        self.client.command_bytes("sync_push", data).await.map(drop)
    }
}
