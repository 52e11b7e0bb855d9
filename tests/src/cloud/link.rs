//! The way to the cloud: a relay of bytes that is as slow, as far and as unsteady as a satellite.
//!
//! Promise: both directions share nothing, each carries so many bytes a second for all connections together, and every byte
//! arrives so much later. An outage keeps everything back until it is over, as a dish does that lost its satellite:
//! connections outlive it. A cut ends all connections, as a router does that got another address.

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::http::PUSH;
use super::lock;

/// Bytes that are carried at once.
const PIECE: usize = 8 * 1024;

/// How good a link is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quality {
    /// How long a byte is under way.
    pub latency: Duration,
    /// Bytes a second in each direction.
    pub rate: u64,
    /// How often nothing gets through, and for how long.
    pub outage: Option<(Duration, Duration)>,
    /// After how many bytes that went up all connections end.
    pub cut_after: Option<u64>,
}

impl Quality {
    /// A cable to a cloud next door.
    pub const GOOD: Self = Self {
        latency: Duration::ZERO,
        rate: 1_000_000_000,
        outage: None,
        cut_after: None,
    };

    /// A satellite: 600 ms there and back, 256 kbit/s, three seconds of every twenty without it. `faster` shrinks all times
    /// alike.
    #[must_use]
    pub const fn satellite(faster: u32) -> Self {
        Self {
            latency: Duration::from_millis(300).checked_div(faster).expect("not 0"),
            rate: 32_000 * faster as u64,
            outage: Some((
                Duration::from_secs(20).checked_div(faster).expect("not 0"),
                Duration::from_secs(3).checked_div(faster).expect("not 0"),
            )),
            cut_after: None,
        }
    }

    /// The same with all connections cut after what twenty seconds carry, however long the rest takes.
    #[must_use]
    pub const fn cut_satellite(faster: u32) -> Self {
        Self {
            cut_after: Some(20 * 32_000),
            ..Self::satellite(faster)
        }
    }
}

/// A link, for as long as it is kept.
#[derive(Debug)]
pub struct Link {
    url: String,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    to: String,
    quality: Mutex<Quality>,
    began: Instant,
    /// When each direction has carried what it was given: up, down.
    free_at: [Mutex<Instant>; 2],
    carried: [AtomicU64; 2],
    cuts: watch::Sender<u64>,
    /// Bytes that went up since the last cut.
    uncut: AtomicU64,
    answers: Mutex<BTreeSet<u64>>,
}

impl Link {
    /// A link to the server at `to` (`http://HOST:PORT`).
    ///
    /// # Errors
    /// What the operating system reports.
    pub async fn to(to: &str, quality: Quality) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let now = Instant::now();
        let shared = Arc::new(Shared {
            to: to.trim_start_matches("http://").to_owned(),
            quality: Mutex::new(quality),
            began: now,
            free_at: [Mutex::new(now), Mutex::new(now)],
            carried: [AtomicU64::new(0), AtomicU64::new(0)],
            cuts: watch::Sender::new(0),
            uncut: AtomicU64::new(0),
            answers: Mutex::default(),
        });
        Ok(Self {
            url: format!("http://{}", listener.local_addr()?),
            task: tokio::spawn(accept(listener, Arc::clone(&shared))),
            shared,
        })
    }

    /// Its near end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Makes it better or worse.
    pub fn become_quality(&self, quality: Quality) {
        *lock(&self.shared.quality) = quality;
    }

    /// How often all connections were ended.
    #[must_use]
    pub fn cuts(&self) -> u64 {
        *self.shared.cuts.borrow()
    }

    /// Ends all connections, once.
    pub fn cut(&self) {
        self.shared.cut();
    }

    /// The pushes whose answers, that the cloud took all of it, have got through.
    #[must_use]
    pub fn answers(&self) -> BTreeSet<u64> {
        lock(&self.shared.answers).clone()
    }

    /// Bytes that went up and down since this was asked last, with all that HTTP says around the bodies.
    #[must_use]
    pub fn take_carried(&self) -> [u64; 2] {
        [0, 1].map(|way| self.shared.carried[way].swap(0, Ordering::Relaxed))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
        self.cut();
    }
}

impl Shared {
    fn quality(&self) -> Quality {
        *lock(&self.quality)
    }

    fn cut(&self) {
        self.uncut.store(0, Ordering::Relaxed);
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// When so many bytes have been taken by the link, and when they arrive.
    fn carry(&self, way: usize, bytes: usize) -> (Instant, Instant) {
        let quality = self.quality();
        let bytes = bytes as u64;
        self.carried[way].fetch_add(bytes, Ordering::Relaxed);
        if way == 0 {
            let uncut = self.uncut.fetch_add(bytes, Ordering::Relaxed) + bytes;
            if quality.cut_after.is_some_and(|most| uncut >= most) {
                self.cut();
            }
        }
        let mut free_at = lock(&self.free_at[way]);
        let begins = (*free_at).max(Instant::now());
        let mut taken = begins + Duration::from_micros(bytes * 1_000_000 / quality.rate.max(1));
        if let Some((every, length)) = quality.outage {
            let into = (taken - self.began).as_micros() % every.as_micros().max(1);
            let up = (every - length).as_micros();
            if into > up {
                let left = every.as_micros() - into;
                taken += Duration::from_micros(u64::try_from(left).unwrap_or(0));
            }
        }
        *free_at = taken;
        (taken, taken + quality.latency)
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((near, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let mut cuts = shared.cuts.subscribe();
            let Ok(far) = TcpStream::connect(&shared.to).await else {
                return;
            };
            let (near_out, near_in) = near.into_split();
            let (far_out, far_in) = far.into_split();
            tokio::select! {
                _ = cuts.changed() => {}
                () = async {
                    tokio::join!(pump(near_out, far_in, &shared, 0), pump(far_out, near_in, &shared, 1));
                } => {}
            }
        });
    }
}

/// Which push a piece of the way down is the whole answer to: small as it is, it comes in one.
fn push_answered(piece: &[u8]) -> Option<u64> {
    let (head, body) = std::str::from_utf8(piece).ok()?.split_once("\r\n\r\n")?;
    if body != r#"{"success":true}"# {
        return None;
    }
    let mut headers = head.lines().filter_map(|line| line.split_once(": "));
    headers.find(|(name, _)| *name == PUSH)?.1.parse().ok()
}

/// Carries one direction of a connection until one side ends it.
async fn pump(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin, shared: &Shared, way: usize) {
    let (under_way, mut arriving) = mpsc::channel::<(Instant, Vec<u8>)>(256);
    let taking = async move {
        let mut piece = vec![0; PIECE];
        while let Ok(length) = from.read(&mut piece).await
            && length > 0
        {
            let (taken, arrives) = shared.carry(way, length);
            if under_way.send((arrives, piece[..length].to_vec())).await.is_err() {
                return;
            }
            sleep_until(taken).await;
        }
    };
    let giving = async {
        while let Some((arrives, piece)) = arriving.recv().await {
            sleep_until(arrives).await;
            if to.write_all(&piece).await.is_err() {
                return;
            }
            if let Some(number) = push_answered(&piece) {
                lock(&shared.answers).insert(number);
            }
        }
        // The other side has ended; a broken pipe says the same.
        let _ = to.shutdown().await;
    };
    tokio::join!(taking, giving);
}
