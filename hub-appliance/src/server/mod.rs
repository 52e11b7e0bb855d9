//! The hub's one port: four HTTP routes, who may use them, how much of them, and what every failure looks like.
//!
//! A request is one straight walk: socket → source address → [`Gate`] → body → envelope → procedure → envelope. The
//! room knows nothing of tables or patients; opened plaintext goes to a [`Service`], and what comes back is sealed
//! and sent. Nothing that a peer sends can take more memory, connections, threads or time than [`Limits`] says, and
//! neither logs nor failures hold anything that stood in an envelope.
#![forbid(unsafe_code)]

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::ids::ClientId;
use crate::store::devices::{DeviceNumber, PairError};
use crate::wire::message::MAX_ENVELOPE_BODY;

mod address;
mod body;
mod budget;
mod call;
mod gate;
mod handshake;
mod listener;
mod order;
mod pairing;
mod places;
mod rate;
mod reply;
mod routes;
mod service;
mod socket;
mod status;
#[cfg(test)]
mod tests;
mod unread;
mod work;

pub use gate::{Draining, Gate, OpenHub, StillBusy};
pub use pairing::{PAIRING_WINDOW, Pairing, PairingStatus};
pub use service::{DeviceRegister, Expect, Job, Run, Service};

/// What the server allows. The defaults are those of the wire contract, and where it says nothing, of a board with
/// 512 MiB.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at one time (256); for one more the one that has been idle longest is closed.
    pub connections: usize,
    /// Of these, ones that have proved nothing (128): the others are kept for phones.
    pub unproven_connections: usize,
    /// Of these, from one address (32).
    pub connections_per_address: usize,
    /// Connections by which one phone has proved itself (16).
    pub connections_per_phone: usize,
    /// How long a connection lives at most; after half of it, it takes no more requests (10 min).
    pub connection_time: Duration,
    /// Time for the whole head of a request, counted from the end of the one before: also how long a connection may
    /// idle (10 s).
    pub header_time: Duration,
    /// A body must bring [`Self::pace_bytes`] or its end in each stretch of this time, and a peer take some of its
    /// answer (15 s).
    pub pace_time: Duration,
    /// See [`Self::pace_time`] (32 KiB).
    pub pace_bytes: usize,
    /// How long a body may take to begin coming at [`Self::body_rate`] (10 s).
    pub start_time: Duration,
    /// Bytes a second that a body must bring, reckoned over all of it (8 KiB).
    pub body_rate: usize,
    /// How much is read of a body before it is known whose it is (4 KiB).
    pub stranger_bytes: usize,
    /// After a refusal, how long at most the rest of the body is taken in and thrown away (30 s).
    pub linger_time: Duration,
    /// The same, while nothing comes (2 s).
    pub linger_silence: Duration,
    /// Longest body of a handshake (4 KiB).
    pub handshake_bytes: usize,
    /// Longest body of a command or query (64 MiB).
    pub request_bytes: usize,
    /// A body up to this length waits for no memory and is opened on an async thread (64 KiB).
    pub small_body: usize,
    /// Longer bodies in memory at one time, together (128 MiB): half of it for one address.
    pub bodies_in_memory: usize,
    /// Long answers (above 256 KiB) in memory, being built or waiting for their phones (112 MiB); the next one waits.
    pub answers_in_memory: usize,
    /// The longest answer, for which all of these have to have gone (224 MiB).
    pub longest_answer: usize,
    /// All other answers of the store in memory (16 MiB).
    pub small_answers_in_memory: usize,
    /// Bytes a second at which a long answer must be fetched while others wait for its room (64 KiB).
    pub answer_rate: u64,
    /// How long a long answer or push waits for its room and its turn (4 min), then 503.
    pub long_time: Duration,
    /// Long answers built at one time (2), so that readers are left for small ones.
    pub long_answers_at_once: usize,
    /// A command above this length is a long one; one of them is at work at a time, for what is read from it takes memory
    /// too (1 MiB).
    pub long_command: usize,
    /// Handshakes of devices never seen before, a minute and address (10).
    pub new_device_handshakes_per_minute: u32,
    /// Handshakes of one paired device, a minute and address (120).
    pub known_device_handshakes_per_minute: u32,
    /// Addresses that each rate limit remembers (1,024).
    pub addresses: usize,
    /// Logins checked at one time (2).
    pub logins_at_once: usize,
    /// Logins waiting for it (128); one more gets a 429.
    pub logins_waiting: usize,
    /// Logins of one device, checked or waiting (2): no account can keep those of other phones waiting.
    pub logins_per_device: usize,
    /// How long a login waits for its turn (60 s), then 503.
    pub login_time: Duration,
    /// Requests at work in the store at one time (8).
    pub store_at_once: usize,
    /// How long a request waits for memory or its turn (30 s), then 503.
    pub queue_time: Duration,
    /// How long requests under way may go on when the server stops (1 s).
    pub stop_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        const KIB: usize = 1024;
        const MIB: usize = 1024 * KIB;
        Self {
            connections: 256,
            unproven_connections: 128,
            connections_per_address: 32,
            connections_per_phone: 16,
            connection_time: Duration::from_secs(10 * 60),
            header_time: Duration::from_secs(10),
            pace_time: Duration::from_secs(15),
            pace_bytes: 32 * KIB,
            start_time: Duration::from_secs(10),
            body_rate: 8 * KIB,
            stranger_bytes: 4 * KIB,
            linger_time: Duration::from_secs(30),
            linger_silence: Duration::from_secs(2),
            handshake_bytes: 4 * KIB,
            request_bytes: MAX_ENVELOPE_BODY,
            small_body: 64 * KIB,
            bodies_in_memory: 128 * MIB,
            answers_in_memory: 112 * MIB,
            longest_answer: 224 * MIB,
            small_answers_in_memory: 16 * MIB,
            answer_rate: 64 * KIB as u64,
            long_time: Duration::from_secs(4 * 60),
            long_answers_at_once: 2,
            long_command: MIB,
            new_device_handshakes_per_minute: 10,
            known_device_handshakes_per_minute: 120,
            addresses: 1_024,
            logins_at_once: 2,
            logins_waiting: 128,
            logins_per_device: 2,
            login_time: Duration::from_secs(60),
            store_at_once: 8,
            queue_time: Duration::from_secs(30),
            stop_time: Duration::from_secs(1),
        }
    }
}

/// A phone that has just paired.
#[derive(Clone, PartialEq, Eq)]
pub struct PairedPhone {
    /// The app's own id.
    pub client: ClientId,
    /// Its row.
    pub device: DeviceNumber,
    /// What it calls itself.
    pub name: Option<String>,
}

/// A phone is often named after its owner, so only its number is printed.
impl std::fmt::Debug for PairedPhone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PairedPhone")
            .field("device", &self.device)
            .finish_non_exhaustive()
    }
}

/// What the server tells the appliance. Called in the middle of requests: must return at once.
pub trait Hooks: Send + Sync {
    /// A phone never seen before has paired and is stored.
    fn paired(&self, phone: &PairedPhone);

    /// A phone could have paired but could not be stored.
    fn not_paired(&self, reason: &PairError);

    /// There was a panic while answering; the peer got a 503 or lost its connection. `correlation` is the number of
    /// the request in the log, or of the next one where the panic was outside of a procedure.
    fn panicked(&self, correlation: u64);
}

/// The HTTP server.
#[derive(Debug)]
pub struct Server;

impl Server {
    /// Serves `listener` until [`ServerHandle::stop`], with what `gate` lets through. Runs on the current tokio
    /// runtime, which must have I/O and time.
    ///
    /// # Errors
    /// [`io::Error`] if the listener cannot tell its address.
    pub fn start(
        listener: TcpListener,
        gate: Arc<Gate>,
        limits: Limits,
        hooks: Arc<dyn Hooks>,
    ) -> io::Result<ServerHandle> {
        let local_addr = listener.local_addr()?;
        let limits = Arc::new(limits);
        let site = Arc::new(routes::Site::new(routes::Front::new(gate, Arc::clone(&limits), hooks)));
        let (stop, stopped) = watch::channel(false);
        let beats = Arc::default();
        let task = tokio::spawn(listener::run(listener, site, limits, stopped, Arc::clone(&beats)));
        Ok(ServerHandle {
            local_addr,
            stop,
            beats,
            task,
        })
    }
}

/// A running server. Dropping it stops the server too, without waiting.
#[derive(Debug)]
pub struct ServerHandle {
    local_addr: SocketAddr,
    stop: watch::Sender<bool>,
    beats: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl ServerHandle {
    /// The address that it listens on.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// What gives a number that grows once a second while connections are accepted and tasks get their turn: what a
    /// watchdog looks at.
    pub fn beats(&self) -> impl Fn() -> u64 + Send + Sync + use<> {
        let beats = Arc::clone(&self.beats);
        move || beats.load(Ordering::Relaxed)
    }

    /// Stops accepting at once, gives requests under way [`Limits::stop_time`], and returns when every connection is
    /// closed.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        // An error would be a panic of the accept loop, which has no connections any more.
        let _ = self.task.await;
    }
}
