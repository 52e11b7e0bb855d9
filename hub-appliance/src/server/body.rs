//! Reading a request body: never more than its limit, never slower than the pace, never more of them in memory at
//! once than the budget.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http_body::Body as _;
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use super::Limits;
use super::status::Failure;

const KIB: usize = 1024;

/// Reads bodies within the limits.
#[derive(Debug)]
pub(super) struct BodyReader {
    budget: Arc<Semaphore>,
    budget_kib: u32,
    small: usize,
    queue_time: Duration,
    pace_time: Duration,
    pace_bytes: usize,
}

/// A body in memory, and its share of the budget, which returns when this is dropped.
#[derive(Debug)]
pub(super) struct Received {
    /// The body.
    pub(super) bytes: Vec<u8>,
    /// `None` for a small one.
    pub(super) share: Option<OwnedSemaphorePermit>,
}

impl BodyReader {
    pub(super) fn new(limits: &Limits) -> Self {
        let budget_kib = kib(limits.bodies_in_memory).max(1);
        Self {
            budget: Arc::new(Semaphore::new(budget_kib as usize)),
            budget_kib,
            small: limits.small_body,
            queue_time: limits.queue_time,
            pace_time: limits.pace_time,
            pace_bytes: limits.pace_bytes,
        }
    }

    /// Reads `body` to its end.
    ///
    /// # Errors
    /// [`Failure::TooLarge`] over `limit` (at once where the length is declared), [`Failure::TooSlow`] under the pace,
    /// [`Failure::Unavailable`] if no memory came free in time, [`Failure::Malformed`] if the body is cut off.
    pub(super) async fn read(&self, mut body: Body, limit: usize) -> Result<Received, Failure> {
        let declared = declared_length(&body, limit)?;
        let mut received = Received {
            bytes: Vec::new(),
            share: None,
        };
        if let Some(length) = declared {
            received.share = self.share(length).await?;
            received.bytes.reserve_exact(length);
        }
        let mut pace = Pace::new(self.pace_time, self.pace_bytes);
        while let Some(frame) = timeout_at(pace.deadline, body.frame())
            .await
            .map_err(|_| Failure::TooSlow)?
        {
            let Ok(data) = frame.map_err(|_| Failure::Malformed)?.into_data() else {
                continue;
            };
            let length = received.bytes.len() + data.len();
            if length > limit {
                return Err(Failure::TooLarge);
            }
            if declared.is_none() && received.share.is_none() && length > self.small {
                // How much will come is not known: its share is what may come at most.
                received.share = self.share(limit).await?;
                pace.restart();
            }
            received.bytes.extend_from_slice(&data);
            pace.moved(data.len());
        }
        Ok(received)
    }

    async fn share(&self, bytes: usize) -> Result<Option<OwnedSemaphorePermit>, Failure> {
        if bytes <= self.small {
            return Ok(None);
        }
        let share = Arc::clone(&self.budget).acquire_many_owned(kib(bytes).min(self.budget_kib));
        match timeout(self.queue_time, share).await {
            Ok(Ok(permit)) => Ok(Some(permit)),
            _ => Err(Failure::Unavailable),
        }
    }
}

fn declared_length(body: &Body, limit: usize) -> Result<Option<usize>, Failure> {
    match body.size_hint().exact() {
        None => Ok(None),
        Some(length) => usize::try_from(length)
            .ok()
            .filter(|length| *length <= limit)
            .map(Some)
            .ok_or(Failure::TooLarge),
    }
}

/// Bytes in whole KiB, rounded up.
fn kib(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(KIB)).unwrap_or(u32::MAX)
}

/// So many bytes are to move in each stretch of time, or the whole of what is left: silence and trickle both end.
#[derive(Debug)]
struct Pace {
    time: Duration,
    bytes: usize,
    moved: usize,
    deadline: Instant,
}

impl Pace {
    fn new(time: Duration, bytes: usize) -> Self {
        Self {
            time,
            bytes,
            moved: 0,
            deadline: Instant::now() + time,
        }
    }

    fn moved(&mut self, bytes: usize) {
        self.moved += bytes;
        if self.moved >= self.bytes {
            self.restart();
        }
    }

    fn restart(&mut self) {
        self.moved = 0;
        self.deadline = Instant::now() + self.time;
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use bytes::Bytes;
    use http_body::Frame;
    use tokio::sync::mpsc;

    use super::*;

    /// A body of unknown length, fed by the test.
    struct Fed(mpsc::UnboundedReceiver<Bytes>);

    impl http_body::Body for Fed {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            self.0.poll_recv(cx).map(|data| data.map(|data| Ok(Frame::data(data))))
        }
    }

    fn fed() -> (mpsc::UnboundedSender<Bytes>, Body) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (sender, Body::new(Fed(receiver)))
    }

    fn limits() -> Limits {
        Limits {
            small_body: 16 * KIB,
            bodies_in_memory: 96 * KIB,
            pace_bytes: KIB,
            ..Limits::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn reads_what_fits_and_refuses_what_does_not() {
        let reader = BodyReader::new(&limits());
        assert_eq!(
            reader.read(Body::from(vec![7; 100]), 100).await.unwrap().bytes,
            [7; 100]
        );
        assert_eq!(
            reader.read(Body::from(vec![7; 101]), 100).await.unwrap_err(),
            Failure::TooLarge
        );

        let (sender, body) = fed();
        sender.send(Bytes::from_static(&[1; 60])).unwrap();
        sender.send(Bytes::from_static(&[2; 41])).unwrap();
        assert_eq!(
            reader.read(body, 100).await.unwrap_err(),
            Failure::TooLarge,
            "although the body goes on"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn silence_and_trickle_both_end() {
        let limits = limits();
        let reader = Arc::new(BodyReader::new(&limits));
        let (_sender, silent) = fed();
        assert_eq!(reader.read(silent, 100).await.unwrap_err(), Failure::TooSlow);

        let (sender, trickle) = fed();
        let reading = tokio::spawn({
            let reader = Arc::clone(&reader);
            async move { reader.read(trickle, 64 * KIB).await }
        });
        let start = Instant::now();
        while sender.send(Bytes::from_static(b"x")).is_ok() {
            tokio::time::sleep(limits.pace_time / 10).await;
        }
        assert_eq!(reading.await.unwrap().unwrap_err(), Failure::TooSlow);
        assert!(start.elapsed() <= limits.pace_time * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_body_that_keeps_the_pace_is_read() {
        let limits = limits();
        let reader = BodyReader::new(&limits);
        let (sender, body) = fed();
        tokio::spawn(async move {
            for _ in 0..20 {
                tokio::time::sleep(limits.pace_time / 3).await;
                sender.send(Bytes::from_static(&[0; 512])).unwrap();
            }
        });
        assert_eq!(reader.read(body, 64 * KIB).await.unwrap().bytes.len(), 20 * 512);
    }

    #[tokio::test(start_paused = true)]
    async fn large_bodies_wait_for_memory_and_small_ones_do_not() {
        let reader = BodyReader::new(&limits());
        let first = reader.read(Body::from(vec![0; 64 * KIB]), 64 * KIB).await.unwrap();
        assert!(
            reader
                .read(Body::from(vec![0; 16 * KIB]), 64 * KIB)
                .await
                .unwrap()
                .share
                .is_none()
        );
        assert_eq!(
            reader.read(Body::from(vec![0; 64 * KIB]), 64 * KIB).await.unwrap_err(),
            Failure::Unavailable,
            "no memory came free in time"
        );
        drop(first);
        assert!(reader.read(Body::from(vec![0; 64 * KIB]), 64 * KIB).await.is_ok());

        let (sender, unknown) = fed();
        sender.send(Bytes::from_static(&[0; 20 * KIB])).unwrap();
        drop(sender);
        let unknown = reader.read(unknown, 64 * KIB).await.unwrap();
        assert_eq!(
            unknown.share.unwrap().num_permits(),
            64,
            "an unknown length counts as the longest"
        );
    }
}
