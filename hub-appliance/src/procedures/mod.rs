//! What phones can ask for, and who may: a table from name to handler, one file a domain.
//!
//! A procedure is blocking and answers with JSON, or fails with an error that names no record; then nothing was changed.
#![forbid(unsafe_code)]

mod appointments;
mod backoff;
mod clinics;
mod dispensing;
mod drugs;
mod emergency;
mod events;
mod fields;
mod forms;
mod held;
mod hs256;
mod login;
mod patients;
mod ping;
mod prescriptions;
mod problems;
mod reading;
mod second_try;
mod single;
mod sync;
mod table;
mod token;
mod visits;
mod vitals;
mod writing;

use std::fmt;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use emergency::{EMERGENCY, Emergency};
pub use table::{Known, known};
pub use token::{TokenKeys, TokenPolicy};

use crate::ids::ClientId;
use crate::secret::SecretText;
use crate::store::audit::Entry;
use crate::store::devices::{DeviceNumber, Devices};
use crate::store::people::{Rights, User};
use crate::store::sync::generation::Generation;
use crate::store::sync::rights as access;
use crate::store::tokens::Tokens;
use crate::store::{Store, StoreError, Trouble};
use crate::wire::envelope::{Opened, Outgoing};
use crate::wire::message::{Call, Kind};
use crate::wire::session::MessageId;
use backoff::LoginBackoff;
use second_try::SecondTries;
use table::{Handler, PROCEDURES, Procedure};

/// Who calls.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// The app's own id.
    pub client: ClientId,
    /// The number of its device.
    pub device: DeviceNumber,
    /// Where the request came from.
    pub address: IpAddr,
    /// Which message the request is.
    pub message: MessageId,
    /// The request's number in the log.
    pub correlation: u64,
}

/// How much work a request is, so that the server can queue it rightly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Answers at once from memory: may run on an async thread.
    Light,
    /// Checks a bcrypt hash.
    Login,
    /// Uses the store.
    Store,
}

/// Why a request fails. The server turns it into a status and a fixed text.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProcedureError {
    /// The plaintext is not the JSON of a command or query.
    #[error("malformed request")]
    Malformed,
    /// There is no procedure of that name.
    #[error("unknown procedure")]
    UnknownProcedure,
    /// The parameters do not fit the procedure.
    #[error("parameters do not fit")]
    BadParameters,
    /// E-mail or password are wrong.
    #[error("login refused")]
    LoginRefused,
    /// The token is missing, malformed, expired, revoked, another device's, or its user is gone.
    #[error("token refused")]
    TokenRefused,
    /// The token is good, the permission is missing.
    #[error("not permitted")]
    NotPermitted,
    /// A record that the procedure needs does not exist.
    #[error("not found")]
    NotFound,
    /// The write would break a rule of the data.
    #[error("conflict")]
    Conflict,
    /// Too many failed logins.
    #[error("too many attempts")]
    Backoff {
        /// Wait this long.
        retry_after: Duration,
    },
    /// The message was taken before, perhaps before a restart.
    #[error("the message was seen before")]
    Replayed,
    /// The push, the call or a row of it is larger than one may be.
    #[error("the request is too large")]
    TooLarge,
    /// The answer would be longer than there was room for: nothing was done.
    #[error("the answer is longer than it may be")]
    AnswerTooLong,
    /// The device has written or holds more than one may.
    #[error("the device is over its quota")]
    OverQuota,
    /// The store does not take or give data.
    #[error("storage unavailable")]
    Unavailable,
    /// The disk does not take or give data.
    #[error("the disk is in trouble")]
    OfTheDisk(Trouble),
}

impl From<StoreError> for ProcedureError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::OverQuota => return Self::OverQuota,
            StoreError::TooLong => return Self::AnswerTooLong,
            _ => {}
        }
        tracing::error!(%error, "the store failed");
        error.trouble().map_or(Self::Unavailable, Self::OfTheDisk)
    }
}

/// A parsed request. It owns its plaintext, which is wiped with it.
pub struct Request {
    procedure: &'static Procedure,
    plaintext: Arc<Opened>,
    /// Where the parameters stand in the plaintext; `None`: there are none.
    parameters: Option<Range<usize>>,
    token: Option<SecretText>,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("procedure", &self.procedure.name)
            .finish_non_exhaustive()
    }
}

impl Request {
    /// Parses an opened plaintext.
    ///
    /// # Errors
    /// [`ProcedureError::Malformed`], [`ProcedureError::UnknownProcedure`] or [`ProcedureError::TooLarge`].
    pub fn parse(kind: Kind, plaintext: Opened) -> Result<Self, ProcedureError> {
        let call = Call::parse(kind, &plaintext).map_err(|_| ProcedureError::Malformed)?;
        let procedure = PROCEDURES
            .iter()
            .find(|procedure| procedure.kind == kind && procedure.name == call.name)
            .ok_or(ProcedureError::UnknownProcedure)?;
        if call.params.get().len() > procedure.longest() {
            return Err(ProcedureError::TooLarge);
        }
        let start = (call.params.get().as_ptr() as usize).checked_sub(plaintext.as_ptr() as usize);
        let parameters = start.map(|start| start..start + call.params.get().len());
        let parameters = parameters.filter(|range| range.end <= plaintext.len());
        let token = call.token.map(|token| SecretText::new(token.into_owned()));
        Ok(Self {
            procedure,
            plaintext: Arc::new(plaintext),
            parameters,
            token,
        })
    }

    /// How much work it is.
    #[must_use]
    pub const fn weight(&self) -> Weight {
        self.procedure.weight
    }

    /// Whether its answer can be long, so that [`Procedures::expected`] has to be asked.
    #[must_use]
    pub fn can_be_long(&self) -> bool {
        self.procedure.name == "sync_pull"
    }

    fn parameters(&self) -> Parameters {
        Parameters {
            plaintext: Arc::clone(&self.plaintext),
            range: self.parameters.clone(),
        }
    }
}

/// The parameters of a request, which may go on to the writer's thread.
#[derive(Clone)]
struct Parameters {
    plaintext: Arc<Opened>,
    range: Option<Range<usize>>,
}

impl Parameters {
    /// Their JSON: an object.
    fn json(&self) -> &str {
        let bytes = self.range.clone().and_then(|range| self.plaintext.get(range));
        bytes.and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or("{}")
    }

    fn read<'a, T: serde::Deserialize<'a>>(&'a self) -> Result<T, ProcedureError> {
        serde_json::from_str(self.json()).map_err(|_| ProcedureError::BadParameters)
    }
}

/// A user whose token is good, for the length of one call.
struct Session {
    user: User,
    /// The id of the token.
    jti: String,
    /// What the user may do in each clinic.
    rights: Vec<(String, Rights)>,
}

/// What a call that is written down did.
struct Deed {
    action: &'static str,
    detail: String,
    outcome: &'static str,
}

impl Session {
    fn entry(&self, caller: &Caller, deed: Deed) -> Entry {
        Entry {
            user: Some(self.user.id.clone()),
            role: Some(self.user.role.clone()),
            device: caller.device,
            address: Some(caller.address),
            correlation: Some(caller.correlation),
            action: deed.action,
            detail: deed.detail,
            outcome: deed.outcome,
        }
    }
}

/// All procedures over an open store.
pub struct Procedures {
    store: Arc<Store>,
    devices: Arc<Devices>,
    tokens: Tokens,
    keys: Arc<TokenKeys>,
    policy: TokenPolicy,
    backoff: LoginBackoff,
    second_tries: SecondTries,
    emergency: Arc<Emergency>,
}

impl fmt::Debug for Procedures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Procedures").finish_non_exhaustive()
    }
}

impl Procedures {
    /// Procedures over `store`, whose devices are `devices`.
    ///
    /// # Errors
    /// What the store reports.
    pub fn new(
        store: Arc<Store>,
        devices: Arc<Devices>,
        keys: TokenKeys,
        policy: TokenPolicy,
    ) -> Result<Self, StoreError> {
        let tokens = Tokens::load(Arc::clone(&store))?;
        Ok(Self {
            store,
            devices,
            tokens,
            keys: Arc::new(keys),
            policy,
            backoff: LoginBackoff::default(),
            second_tries: SecondTries::default(),
            emergency: Arc::default(),
        })
    }

    /// Whether any record may be read, for who opens and ends that.
    #[must_use]
    pub fn emergency(&self) -> Arc<Emergency> {
        Arc::clone(&self.emergency)
    }

    /// The keys of the tokens, for who puts others in their place.
    #[must_use]
    pub fn token_keys(&self) -> Arc<TokenKeys> {
        Arc::clone(&self.keys)
    }

    /// About how many bytes the answer to a request will have that can be long (blocking).
    ///
    /// # Errors
    /// See [`ProcedureError`].
    pub fn expected(&self, caller: &Caller, request: &Request) -> Result<usize, ProcedureError> {
        sync::expected(self, caller, request)
    }

    /// Runs one request to its end (blocking) and writes the JSON result into `answer`. On error nothing was changed.
    ///
    /// # Errors
    /// See [`ProcedureError`].
    pub fn call(&self, caller: &Caller, request: &Request, answer: &mut Outgoing) -> Result<(), ProcedureError> {
        let result = match request.procedure.run {
            Handler::Open(run) => run(self, caller, request, answer),
            Handler::User(run) => {
                let session = self.session(caller, request.token.as_ref());
                self.watch_for_second_tries(caller, request, session.as_ref().err())?;
                session.and_then(|session| run(self, caller, &session, request, answer))
            }
            Handler::Read(_) | Handler::Write(_) | Handler::WriteRow(_) => {
                let session = self.session(caller, request.token.as_ref());
                self.watch_for_second_tries(caller, request, session.as_ref().err())?;
                session.and_then(|session| single::call(self, caller, &session, request, answer))
            }
        };
        if let Err(ProcedureError::OfTheDisk(trouble)) = result {
            self.store.note(trouble);
        }
        if result == Err(ProcedureError::OverQuota) {
            // For the panel, which says which phone that is.
            let device = caller.device;
            self.store.write(move |tx| tx.note_over_quota(device))?;
        }
        if result.is_err() {
            answer.clear();
        }
        result
    }
}

impl Procedures {
    fn watch_for_second_tries(
        &self,
        caller: &Caller,
        request: &Request,
        refusal: Option<&ProcedureError>,
    ) -> Result<(), ProcedureError> {
        let (call, now) = (request.procedure.name, Instant::now());
        match refusal {
            // An app without a token has not been refused one: somebody signs in for the first time.
            Some(ProcedureError::TokenRefused) if request.token.is_some() => {
                self.second_tries.refused(caller.device, call, now);
            }
            None if self.second_tries.is_one(caller.device, call, now) => {
                self.devices.learn_generation(caller.device, Generation::V17)?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// An answer that is JSON already.
type Answer = Vec<u8>;

/// Writes a small result. Serialising to memory cannot fail but for a defect of the result's type.
fn reply(answer: &mut Outgoing, result: &impl serde::Serialize) -> Result<(), ProcedureError> {
    serde_json::to_writer(answer, result).map_err(|_| ProcedureError::Unavailable)
}
