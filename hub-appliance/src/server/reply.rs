//! A sealed answer on its way out, encoded piece by piece while it is sent, and how much of such answers may be in memory
//! at one time.
//!
//! An answer is charged before it is built, by what it is expected to be, so that many long ones are built one after the
//! other where they must; one that grows beyond that is given up and built anew with more. Small ones have room of their own and wait for no long one. Who fetches a long one very slowly
//! is cut off once somebody waits for its room.

use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::Limits;
use super::places::Guest;
use super::status::{Failure, JSON};
use crate::wire::envelope::Sealed;
use crate::wire::reply::SealedBody;

const KIB: usize = 1024;

/// An answer up to this length is small: it waits for no long one.
const SMALL: usize = 256 * KIB;
/// How often it is looked whether somebody reads too slowly while others wait.
const LOOK: Duration = Duration::from_secs(5);

/// How much of answers may be in memory, until they are fetched by their phones.
#[derive(Debug)]
pub(super) struct AnswerBudget {
    small: Arc<Semaphore>,
    long: Arc<Semaphore>,
    /// All that [`Self::long`] has, in KiB.
    all: u32,
    /// Bytes a second at which an answer has to be fetched while others wait, once it had the time for a start.
    rate: u64,
    start_time: Duration,
    longest: usize,
    readers: Arc<Mutex<Readers>>,
}

type Readers = HashMap<u64, Reader>;

/// A long answer on its way to its phone.
#[derive(Debug)]
struct Reader {
    guest: Guest,
    since: Instant,
    sent: Arc<AtomicU64>,
}

/// What an answer holds of the budget, given back when dropped.
#[derive(Debug)]
pub(super) struct Share {
    permit: OwnedSemaphorePermit,
    is_small: bool,
}

impl AnswerBudget {
    pub(super) fn new(limits: &Limits) -> Self {
        let all = u32::try_from(limits.answers_in_memory / KIB).unwrap_or(u32::MAX).max(1);
        Self {
            small: Arc::new(Semaphore::new((limits.small_answers_in_memory / SMALL).max(1))),
            long: Arc::new(Semaphore::new(all as usize)),
            all,
            rate: limits.answer_rate,
            start_time: limits.start_time,
            longest: limits.longest_answer,
            readers: Arc::default(),
        }
    }

    /// Whether an answer that will have about so many bytes is a long one.
    pub(super) const fn is_long(bytes: usize) -> bool {
        bytes > SMALL
    }

    /// How much room is asked for first for an answer that will have about so many bytes.
    pub(super) fn first(&self, expected: usize) -> usize {
        if Self::is_long(expected) {
            expected.saturating_add(expected / 4).min(self.longest)
        } else {
            SMALL
        }
    }

    /// How much room is asked for next, where an answer was longer than `room`; none if that is all that one may have. What
    /// was built in vain is a small part of what is built then.
    pub(super) fn next(&self, room: usize) -> Option<usize> {
        (room < self.longest).then(|| room.saturating_mul(8).min(self.longest))
    }

    /// Waits for room for an answer that will have about `bytes`. One that is longer than all there is gets all of it.
    ///
    /// # Errors
    /// [`Failure::Unavailable`], never in practice: the budget is not closed while the server runs.
    pub(super) async fn room(&self, bytes: usize) -> Result<Share, Failure> {
        let is_small = !Self::is_long(bytes);
        let acquire = if is_small {
            Arc::clone(&self.small).acquire_many_owned(1)
        } else {
            Arc::clone(&self.long).acquire_many_owned(self.kib(bytes))
        };
        let mut acquire = std::pin::pin!(acquire);
        loop {
            match timeout(LOOK, &mut acquire).await {
                Ok(permit) => {
                    return Ok(Share {
                        permit: permit.map_err(|_| Failure::Unavailable)?,
                        is_small,
                    });
                }
                Err(_) if !is_small => self.close_slowest(),
                Err(_) => {}
            }
        }
    }

    /// Makes `share` what an answer of `length` bytes holds, as far as the budget reaches.
    pub(super) fn settle(&self, share: &mut Share, length: usize) {
        if share.is_small {
            if Self::is_long(length)
                && let Ok(permit) = Arc::clone(&self.long).try_acquire_many_owned(self.kib(length))
            {
                (share.permit, share.is_small) = (permit, false);
            }
            return;
        }
        let (wanted, has) = (self.kib(length) as usize, share.permit.num_permits());
        if wanted < has {
            drop(share.permit.split(has - wanted));
        } else if let Ok(more) = u32::try_from((wanted - has).min(self.long.available_permits()))
            && let Ok(rest) = Arc::clone(&self.long).try_acquire_many_owned(more)
        {
            share.permit.merge(rest);
        }
    }

    fn kib(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.div_ceil(KIB)).unwrap_or(u32::MAX).min(self.all)
    }

    /// Closes the connection by which an answer is fetched at less than the rate, and most slowly.
    fn close_slowest(&self) {
        let readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let speed = |reader: &Reader| {
            let millis = u64::try_from(reader.since.elapsed().as_millis())
                .unwrap_or(u64::MAX)
                .max(1);
            reader.sent.load(Ordering::Relaxed).saturating_mul(1000) / millis
        };
        let slow = readers
            .values()
            .filter(|reader| reader.since.elapsed() >= self.start_time);
        let slowest = slow
            .map(|reader| (speed(reader), reader))
            .min_by_key(|(speed, _)| *speed);
        if let Some((speed, reader)) = slowest
            && speed < self.rate
        {
            reader.guest.close();
        }
    }

    /// Watches how fast an answer is fetched by the connection of `guest`.
    fn watch(&self, guest: &Guest) -> Watched {
        let sent = Arc::new(AtomicU64::new(0));
        let reader = Reader {
            guest: guest.clone(),
            since: Instant::now(),
            sent: Arc::clone(&sent),
        };
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let number = readers.keys().max().map_or(0, |last| last + 1);
        readers.insert(number, reader);
        Watched {
            number,
            sent,
            readers: Arc::clone(&self.readers),
        }
    }
}

/// An answer's place among those that are watched, until it is dropped.
#[derive(Debug)]
struct Watched {
    number: u64,
    sent: Arc<AtomicU64>,
    readers: Arc<Mutex<Readers>>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        readers.remove(&self.number);
    }
}

/// The body of a success, and what it holds until it is sent or given up.
pub(super) struct SealedReply {
    body: SealedBody,
    watched: Option<Watched>,
    _holds: Box<dyn Send>,
}

impl SealedReply {
    /// Sends `sealed`, which nobody else waits for.
    pub(super) fn new(sealed: Sealed) -> Self {
        Self {
            body: SealedBody::new(sealed),
            watched: None,
            _holds: Box::new(()),
        }
    }

    /// Sends `sealed` by the connection of `guest`; `holds` is kept as long as it is in memory.
    pub(super) fn charged(
        sealed: Sealed,
        budget: &AnswerBudget,
        guest: &Guest,
        share: Share,
        holds: impl Send + 'static,
    ) -> Self {
        let watched = (!share.is_small).then(|| budget.watch(guest));
        Self {
            body: SealedBody::new(sealed),
            watched,
            _holds: Box::new((share, holds)),
        }
    }
}

impl http_body::Body for SealedReply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.body.next();
        if let (Some(watched), Some(piece)) = (&self.watched, &piece) {
            watched.sent.fetch_add(piece.len() as u64, Ordering::Relaxed);
        }
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
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
