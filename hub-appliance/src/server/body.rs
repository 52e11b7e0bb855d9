//! Reading a request body: never more than its limit, never slower than the pace, never more of them in memory at
//! once than the budget.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http_body::Body as _;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use super::Limits;
use super::budget::{Budget, Share};
use super::places::Guest;
use super::status::Failure;

const KIB: usize = 1024;
/// In which steps a body takes memory.
const STEP: usize = 64 * KIB;

/// Reads bodies within the limits.
#[derive(Debug)]
pub(super) struct BodyReader {
    budget: Arc<Budget>,
    small: usize,
    head: usize,
    queue_time: Duration,
    pace_time: Duration,
    pace_bytes: usize,
    start_time: Duration,
    rate: usize,
}

/// A body in memory, and its share of the budget, which returns when this is dropped.
#[derive(Debug)]
pub(super) struct Received {
    /// The body.
    pub(super) bytes: Vec<u8>,
    /// `None` for a small one.
    pub(super) share: Option<Share>,
}

impl BodyReader {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            budget: Budget::new(limits.bodies_in_memory),
            small: limits.small_body,
            head: limits.stranger_bytes,
            queue_time: limits.queue_time,
            pace_time: limits.pace_time,
            pace_bytes: limits.pace_bytes,
            start_time: limits.start_time,
            rate: limits.body_rate.max(1),
        }
    }

    /// Reads `body` to its end. `knows` is asked once, with what has come of a body by then that is longer than
    /// [`Limits::stranger_bytes`], whether more of it is to be read.
    ///
    /// # Errors
    /// [`Failure::TooLarge`] over `limit` (at once where the length is declared), [`Failure::TooSlow`] under the pace,
    /// [`Failure::Unavailable`] if no memory came free in time, [`Failure::Malformed`] if the body is cut off, or what
    /// `knows` returns.
    pub(super) async fn read(
        &self,
        mut body: Body,
        limit: usize,
        guest: &Guest,
        knows: impl Fn(&[u8]) -> Result<(), Failure>,
    ) -> Result<Received, Failure> {
        let declared = declared_length(&body, limit)?;
        let mut received = Received {
            bytes: Vec::new(),
            share: None,
        };
        let mut paid = self.small;
        let mut pace = Pace::new(self);
        while let Some(frame) = timeout_at(pace.deadline(), body.frame())
            .await
            .map_err(|_| Failure::TooSlow)?
        {
            let Ok(data) = frame.map_err(|_| Failure::Malformed)?.into_data() else {
                continue;
            };
            let before = received.bytes.len();
            let length = before + data.len();
            if length > limit {
                return Err(Failure::TooLarge);
            }
            if before <= self.head && length > self.head {
                let come = [&received.bytes, &data[..self.head - before]].concat();
                knows(&come)?;
            }
            if length > paid {
                let share = received
                    .share
                    .get_or_insert_with(|| self.budget.share(guest.address(), guest.is_phone()));
                let wanted = (length - paid).next_multiple_of(STEP).min(limit - paid);
                let begun = Instant::now();
                share
                    .grow(wanted, self.queue_time)
                    .await
                    .map_err(|_| Failure::Unavailable)?;
                pace.waited(begun.elapsed());
                paid += wanted;
            }
            if before <= self.head && length > self.head {
                // Room in the address space alone: memory is taken where bytes are written to.
                received
                    .bytes
                    .reserve_exact(declared.unwrap_or(length).max(length) - before);
            }
            received.bytes.extend_from_slice(&data);
            pace.moved(data.len());
        }
        Ok(received)
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

/// So many bytes are to move in each stretch of time, or the whole of what is left, and all together at the rate: silence
/// and trickle both end.
#[derive(Debug)]
struct Pace {
    time: Duration,
    bytes: usize,
    moved: usize,
    deadline: Instant,
    /// When nothing more would be waited for if nothing had come.
    started_by: Instant,
    rate: usize,
    in_all: usize,
}

impl Pace {
    fn new(reader: &BodyReader) -> Self {
        let now = Instant::now();
        Self {
            time: reader.pace_time,
            bytes: reader.pace_bytes,
            moved: 0,
            deadline: now + reader.pace_time,
            started_by: now + reader.start_time,
            rate: reader.rate,
            in_all: 0,
        }
    }

    fn deadline(&self) -> Instant {
        let earned = Duration::from_millis((self.in_all as u64).saturating_mul(1000) / self.rate as u64);
        self.deadline.min(self.started_by + earned)
    }

    fn moved(&mut self, bytes: usize) {
        self.in_all += bytes;
        self.moved += bytes;
        if self.moved >= self.bytes {
            self.moved = 0;
            self.deadline = Instant::now() + self.time;
        }
    }

    /// The hub was not ready to take more for so long.
    fn waited(&mut self, time: Duration) {
        self.deadline += time;
        self.started_by += time;
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
    use crate::server::places::Places;

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
            bodies_in_memory: 128 * KIB,
            pace_bytes: KIB,
            body_rate: 64,
            ..Limits::default()
        }
    }

    fn guest(last: u8) -> Guest {
        Places::new(&Limits::default())
            .take(std::net::Ipv4Addr::new(10, 0, 0, last).into())
            .guest()
    }

    async fn read(reader: &BodyReader, body: impl Into<Body>, limit: usize) -> Result<Received, Failure> {
        reader.read(body.into(), limit, &guest(1), |_| Ok(())).await
    }

    #[tokio::test(start_paused = true)]
    async fn reads_what_fits_and_refuses_what_does_not() {
        let reader = BodyReader::new(&limits());
        assert_eq!(read(&reader, vec![7; 100], 100).await.unwrap().bytes, [7; 100]);
        assert_eq!(read(&reader, vec![7; 101], 100).await.unwrap_err(), Failure::TooLarge);

        let (sender, body) = fed();
        sender.send(Bytes::from_static(&[1; 60])).unwrap();
        sender.send(Bytes::from_static(&[2; 41])).unwrap();
        assert_eq!(
            read(&reader, body, 100).await.unwrap_err(),
            Failure::TooLarge,
            "although the body goes on"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn silence_and_trickle_both_end() {
        let limits = limits();
        let reader = Arc::new(BodyReader::new(&limits));
        let (_sender, silent) = fed();
        assert_eq!(read(&reader, silent, 100).await.unwrap_err(), Failure::TooSlow);

        let (sender, trickle) = fed();
        let reading = tokio::spawn({
            let reader = Arc::clone(&reader);
            async move { read(&reader, trickle, 64 * KIB).await }
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
        assert_eq!(read(&reader, body, 64 * KIB).await.unwrap().bytes.len(), 20 * 512);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_as_a_whole_keeps_the_rate() {
        let limits = Limits {
            body_rate: KIB,
            ..limits()
        };
        let reader = Arc::new(BodyReader::new(&limits));
        let (sender, body) = fed();
        let reading = tokio::spawn(async move { read(&reader, body, 64 * KIB).await });
        let start = Instant::now();
        while sender.send(Bytes::from_static(&[0; KIB])).is_ok() {
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        assert_eq!(reading.await.unwrap().unwrap_err(), Failure::TooSlow);
        // Half the rate: after 10 s there are 5 KiB, so it ends when twice the grace is over.
        assert!(start.elapsed() <= limits.start_time * 2 + Duration::from_secs(4));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_announced_takes_no_memory_and_what_comes_does() {
        let reader = Arc::new(BodyReader::new(&limits()));
        let small = read(&reader, vec![0; 16 * KIB], 64 * KIB).await.unwrap();
        assert!(small.share.is_none());
        let (sender, unknown) = fed();
        sender.send(Bytes::from_static(&[0; 20 * KIB])).unwrap();
        drop(sender);
        let unknown = read(&reader, unknown, 1024 * KIB).await.unwrap();
        assert_eq!(unknown.share.as_ref().unwrap().bytes(), 64 * KIB);

        // The address has its half now, and others the other one.
        let refused = read(&reader, vec![0; 20 * KIB], 1024 * KIB).await;
        assert_eq!(refused.unwrap_err(), Failure::Unavailable);
        drop(unknown);
        assert!(read(&reader, vec![0; 20 * KIB], 1024 * KIB).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_stranger_is_read_up_to_the_bound_and_no_further() {
        let reader = BodyReader::new(&limits());
        let stranger = |head: &[u8]| {
            assert_eq!(head.len(), 4 * KIB);
            Err(Failure::NoSession)
        };
        let short = reader
            .read(Body::from(vec![0; 4 * KIB]), 64 * KIB, &guest(1), stranger)
            .await;
        assert!(short.is_ok(), "it is not even asked who it is");
        let (sender, body) = fed();
        sender.send(Bytes::from_static(&[0; 3 * KIB])).unwrap();
        sender.send(Bytes::from_static(&[0; 3 * KIB])).unwrap();
        let long = reader.read(body, 64 * KIB, &guest(1), stranger).await;
        assert_eq!(long.unwrap_err(), Failure::NoSession, "although the body goes on");
    }
}
