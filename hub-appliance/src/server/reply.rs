//! A sealed answer on its way out, encoded piece by piece while it is sent, and how much of such answers may wait in
//! memory to be fetched.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::status::{Failure, JSON};
use crate::wire::envelope::Sealed;
use crate::wire::reply::SealedBody;

const KIB: usize = 1024;

/// How much of answers may wait in memory to be fetched by their phones.
#[derive(Debug)]
pub(super) struct AnswerBudget(Arc<Semaphore>);

impl AnswerBudget {
    /// A budget of `bytes`.
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new((bytes / KIB).max(1))))
    }

    /// Waits until anything is left. How long an answer will be is not known before it is there, so this bounds the
    /// memory to the budget and what is being worked on at one moment.
    ///
    /// # Errors
    /// [`Failure::Unavailable`], never in practice: the budget is not closed while the server runs.
    pub(super) async fn room(&self) -> Result<OwnedSemaphorePermit, Failure> {
        Arc::clone(&self.0)
            .acquire_owned()
            .await
            .map_err(|_| Failure::Unavailable)
    }

    /// Charges an answer of `length` bytes to `share`, as far as the budget reaches.
    pub(super) fn charge(&self, share: &mut OwnedSemaphorePermit, length: usize) {
        let wanted = length.div_ceil(KIB).saturating_sub(share.num_permits());
        let got = u32::try_from(wanted.min(self.0.available_permits())).unwrap_or(u32::MAX);
        if let Ok(rest) = Arc::clone(&self.0).try_acquire_many_owned(got) {
            share.merge(rest);
        }
    }
}

/// The body of a success, and its share of the budget, which returns when it is sent or given up.
#[derive(Debug)]
pub(super) struct SealedReply {
    body: SealedBody,
    _share: Option<OwnedSemaphorePermit>,
}

impl SealedReply {
    /// Sends `sealed`.
    pub(super) fn new(sealed: Sealed, share: Option<OwnedSemaphorePermit>) -> Self {
        Self {
            body: SealedBody::new(sealed),
            _share: share,
        }
    }
}

impl http_body::Body for SealedReply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.body.next().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.remaining() == 0
    }

    /// Exact, so that the answer has a `Content-Length`.
    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.body.remaining())
    }
}

impl IntoResponse for SealedReply {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, JSON)], Body::new(self)).into_response()
    }
}
