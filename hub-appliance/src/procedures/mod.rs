//! What phones can ask for.
use std::net::IpAddr;
use std::time::Duration;

use crate::ids::ClientId;
use crate::store::devices::DeviceNumber;
use crate::wire::envelope::{Opened, Outgoing};
use crate::wire::message::Kind;

/// Who calls.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// client
    pub client: ClientId,
    /// its device row
    pub device: DeviceNumber,
    /// source address
    pub address: IpAddr,
}

/// How much work a request is, so that the server can queue it rightly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// answers at once from memory: may run on an async thread
    Light,
    /// checks a bcrypt hash: at most two at a time
    Login,
    /// uses the store: blocking thread
    Store,
}

/// A parsed request.
#[derive(Debug)]
pub struct Request;

impl Request {
    /// Parses an opened plaintext.
    ///
    /// # Errors
    /// malformed or unknown procedure
    pub fn parse(_kind: Kind, _plaintext: Opened) -> Result<Self, ProcedureError> {
        todo!()
    }
    /// How much work it is.
    pub fn weight(&self) -> Weight {
        todo!()
    }
}

/// Why a request fails. `server::status` turns it into a status and a fixed text.
#[derive(Debug, thiserror::Error)]
pub enum ProcedureError {
    /// 400
    #[error("malformed request")]
    Malformed,
    /// 400
    #[error("unknown procedure")]
    UnknownProcedure,
    /// 400
    #[error("parameters do not fit")]
    BadParameters,
    /// 401
    #[error("login refused")]
    LoginRefused,
    /// 401
    #[error("token refused")]
    TokenRefused,
    /// 403
    #[error("not permitted")]
    NotPermitted,
    /// 404
    #[error("not found")]
    NotFound,
    /// 409
    #[error("conflict")]
    Conflict,
    /// 429
    #[error("too many attempts")]
    Backoff {
        /// wait this long
        retry_after: Duration,
    },
    /// 503
    #[error("storage unavailable")]
    Unavailable,
}

/// All procedures over an open store.
#[derive(Debug)]
pub struct Procedures;

impl Procedures {
    /// Runs one request to its end (blocking) and writes the JSON result into `answer`. On error nothing was changed.
    ///
    /// # Errors
    /// see [`ProcedureError`]
    pub fn call(&self, _caller: &Caller, _request: Request, _answer: &mut Outgoing) -> Result<(), ProcedureError> {
        todo!()
    }
}
