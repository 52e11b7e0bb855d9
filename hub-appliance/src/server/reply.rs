//! A sealed answer on its way out: `{"payload":"<base64url>","success":true}`, encoded piece by piece while it is
//! sent, so that the sealed bytes and their base64 are never both in memory whole.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::status::{Failure, JSON};
use crate::wire::envelope::Sealed;

const HEAD: &str = r#"{"payload":""#;
const TAIL: &str = r#"","success":true}"#;
/// A multiple of 3, so that no piece but the last leaves bits over.
const PIECE: usize = 48 * 1024;
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

/// The body of a success.
#[derive(Debug)]
pub(super) struct SealedReply {
    sealed: Vec<u8>,
    next: Next,
    left: u64,
    _share: Option<OwnedSemaphorePermit>,
}

#[derive(Debug)]
enum Next {
    Head,
    PieceAt(usize),
    End,
}

impl SealedReply {
    /// Sends `sealed`; `share` of the answer budget returns when it is sent or given up.
    pub(super) fn new(sealed: Sealed, share: Option<OwnedSemaphorePermit>) -> Self {
        let sealed = sealed.into_bytes();
        let encoded = base64::encoded_len(sealed.len(), false).unwrap_or(usize::MAX);
        Self {
            left: (HEAD.len() + encoded + TAIL.len()) as u64,
            sealed,
            next: Next::Head,
            _share: share,
        }
    }

    fn next_piece(&mut self) -> Option<Bytes> {
        match self.next {
            Next::Head => {
                self.next = Next::PieceAt(0);
                Some(Bytes::from_static(HEAD.as_bytes()))
            }
            Next::PieceAt(from) if from >= self.sealed.len() => {
                self.next = Next::End;
                self.sealed = Vec::new();
                Some(Bytes::from_static(TAIL.as_bytes()))
            }
            Next::PieceAt(from) => {
                let to = (from + PIECE).min(self.sealed.len());
                self.next = Next::PieceAt(to);
                Some(URL_SAFE_NO_PAD.encode(&self.sealed[from..to]).into())
            }
            Next::End => None,
        }
    }
}

impl http_body::Body for SealedReply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.next_piece();
        if let Some(piece) = &piece {
            self.left -= piece.len() as u64;
        }
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.next, Next::End)
    }

    /// Exact, so that the answer has a `Content-Length`.
    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

impl IntoResponse for SealedReply {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, JSON)], Body::new(self)).into_response()
    }
}
