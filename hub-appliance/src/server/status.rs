//! Every way in which a request can fail, its HTTP status and its fixed text: the one place that knows them.
//!
//! The texts name no record, person, table or column, and a failure is never a 200: the app takes any 200 for data.

use std::time::Duration;

use axum::http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::procedures::ProcedureError;
use crate::store::Refusal;
use crate::store::devices::PairError;
use crate::wire::handshake::HandshakeError;
use crate::wire::message::Malformed;
use crate::wire::reply::failure_body;
use crate::wire::session::SessionError;

/// The type of every body that is not empty.
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Why a request is not answered with a 200 (status table of the wire contract).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// Body or plaintext is not the JSON of the contract, or a public key is not one.
    #[error("malformed request")]
    Malformed,
    /// No procedure has that name.
    #[error("unknown procedure")]
    UnknownProcedure,
    /// The parameters do not fit the procedure.
    #[error("parameters do not fit the procedure")]
    BadParameters,
    /// E-mail or password is wrong.
    #[error("login refused")]
    LoginRefused,
    /// The token is missing, malformed, expired or revoked, or its user is gone.
    #[error("token refused")]
    TokenRefused,
    /// The token is good, the permission is missing.
    #[error("not permitted")]
    NotPermitted,
    /// A device never seen before, and nobody opened pairing at the box.
    #[error("pairing is not open")]
    PairingClosed,
    /// The device was revoked.
    #[error("device revoked")]
    DeviceRevoked,
    /// The request comes from outside the local network.
    #[error("local network only")]
    NotLocal,
    /// A record that the procedure needs does not exist.
    #[error("not found")]
    NotFound,
    /// The body stopped coming, or comes more slowly than the limits allow.
    #[error("request too slow")]
    TooSlow,
    /// The write would break a rule of the data.
    #[error("conflict")]
    Conflict,
    /// The body is over the limit.
    #[error("request too large")]
    TooLarge,
    /// The hub is locked.
    #[error("hub locked")]
    Locked,
    /// No session key opens the payload.
    #[error("no session")]
    NoSession,
    /// The message was taken before: to whoever sent it, the same.
    #[error("no session")]
    Replayed,
    /// A rate limit, a login back-off, or a full queue.
    #[error("too many requests")]
    TooMany {
        /// When to try again.
        retry_after: Duration,
    },
    /// The hub has not been set up.
    #[error("hub not set up")]
    NotSetUp,
    /// The answer is longer than there was room for, or than any may be.
    #[error("temporarily unavailable")]
    AnswerTooLong,
    /// Storage is unavailable or full, the hub is overloaded, or a fault was met.
    #[error("temporarily unavailable")]
    Unavailable,
}

impl Failure {
    /// The status line of the contract's table.
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::Malformed | Self::UnknownProcedure | Self::BadParameters => StatusCode::BAD_REQUEST,
            Self::LoginRefused | Self::TokenRefused => StatusCode::UNAUTHORIZED,
            Self::NotPermitted | Self::PairingClosed | Self::DeviceRevoked | Self::NotLocal => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Conflict => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Locked => StatusCode::LOCKED,
            Self::NoSession | Self::Replayed => StatusCode::PRECONDITION_REQUIRED,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::NotSetUp | Self::AnswerTooLong | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl Failure {
    /// What the audit log says of it, if anything.
    pub(super) fn refusal(self) -> Option<Refusal> {
        match self {
            Self::TokenRefused => Some(Refusal::Token),
            Self::NotPermitted => Some(Refusal::Right),
            Self::PairingClosed => Some(Refusal::Stranger),
            Self::DeviceRevoked => Some(Refusal::Revoked),
            Self::Replayed => Some(Refusal::Replay),
            _ => None,
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = (self.status(), json(failure_body(&self.to_string()))).into_response();
        let headers = response.headers_mut();
        match self {
            Self::TooMany { retry_after } => {
                headers.insert(RETRY_AFTER, whole_seconds(retry_after).into());
            }
            // RFC 9110, section 15.5.9: the server closes rather than wait for the rest.
            Self::TooSlow => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
}

/// A short JSON body with its content type.
pub(super) fn json(body: Vec<u8>) -> Response {
    ([(CONTENT_TYPE, JSON)], body).into_response()
}

/// `Retry-After` counts whole seconds (RFC 9110, section 10.2.3): rounded up, so that nobody is told to come too early.
fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

impl From<Malformed> for Failure {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl From<HandshakeError> for Failure {
    fn from(_: HandshakeError) -> Self {
        Self::Malformed
    }
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::NoSession => Self::NoSession,
            SessionError::Replayed => Self::Replayed,
        }
    }
}

impl From<PairError> for Failure {
    /// A full device table is a want of room like any other (503): 403 would say that the phone may not pair.
    fn from(_: PairError) -> Self {
        Self::Unavailable
    }
}

impl From<ProcedureError> for Failure {
    fn from(error: ProcedureError) -> Self {
        match error {
            ProcedureError::Malformed => Self::Malformed,
            ProcedureError::UnknownProcedure => Self::UnknownProcedure,
            ProcedureError::BadParameters => Self::BadParameters,
            ProcedureError::LoginRefused => Self::LoginRefused,
            ProcedureError::TokenRefused => Self::TokenRefused,
            ProcedureError::NotPermitted => Self::NotPermitted,
            ProcedureError::NotFound => Self::NotFound,
            ProcedureError::Conflict => Self::Conflict,
            ProcedureError::TooLarge | ProcedureError::OverQuota => Self::TooLarge,
            ProcedureError::AnswerTooLong => Self::AnswerTooLong,
            ProcedureError::Replayed => Self::Replayed,
            ProcedureError::Backoff { retry_after } => Self::TooMany { retry_after },
            ProcedureError::Unavailable | ProcedureError::OfTheDisk(_) => Self::Unavailable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_rounded_up_and_never_zero() {
        assert_eq!(whole_seconds(Duration::ZERO), 1);
        assert_eq!(whole_seconds(Duration::from_millis(5_001)), 6);
        assert_eq!(whole_seconds(Duration::from_secs(30)), 30);
    }
}
