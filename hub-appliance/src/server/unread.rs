//! Whether a request's body was read to its end. One that was not, because it was refused before, leaves bytes on the
//! connection that are no request, so the answer says that the connection ends (RFC 9112, section 9.6). A client that was
//! not told would send its next request into a connection that is closed.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use axum::response::Response;
use bytes::Bytes;
use http_body::{Frame, SizeHint};

/// What is left of a body up to this length is taken in with the next request, and the connection goes on.
const SMALL: u64 = 4096;

/// A body that is watched.
struct Watched {
    inner: Body,
    ended: Arc<AtomicBool>,
}

/// What became of a body.
#[derive(Debug)]
pub(super) struct Reading {
    ended: Arc<AtomicBool>,
    is_small: bool,
}

/// Watches `body`.
pub(super) fn watch(body: Body) -> (Body, Reading) {
    let size = http_body::Body::size_hint(&body);
    let ended = Arc::new(AtomicBool::new(http_body::Body::is_end_stream(&body)));
    let reading = Reading {
        ended: Arc::clone(&ended),
        is_small: size.upper().is_some_and(|upper| upper <= SMALL),
    };
    (Body::new(Watched { inner: body, ended }), reading)
}

impl Reading {
    /// Makes `response` say that the connection ends, where so much of the body is left that it has to.
    pub(super) fn close_if_unread(&self, response: &mut Response) {
        if !self.is_small && !self.ended.load(Ordering::Relaxed) {
            response
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        if matches!(polled, Poll::Ready(None)) || self.inner.is_end_stream() {
            self.ended.store(true, Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    fn closes(reading: &Reading) -> bool {
        let mut response = Response::default();
        reading.close_if_unread(&mut response);
        response.headers().contains_key(CONNECTION)
    }

    #[tokio::test]
    async fn only_a_long_body_that_was_not_read_ends_the_connection() {
        let (body, reading) = watch(Body::from(vec![0; 4097]));
        assert!(closes(&reading));
        body.collect().await.unwrap();
        assert!(!closes(&reading));

        assert!(!closes(&watch(Body::empty()).1));
        assert!(!closes(&watch(Body::from(vec![0; 4096])).1));
    }
}
