//! Session keys: which keys a phone may seal with, and that no message is taken twice.
//!
//! A phone makes a new key for every handshake, and may have several in use at once, so that each client has a few
//! keys and the one whose tag verifies opens a payload. What holds (wire contract, "What the hub adds"):
//!
//! - A client's newest keys that have opened a payload and its newest that have not are counted apart, and the latter by
//!   the address that they came from, so that a handshake by a stranger, who cannot use the key, never pushes out a key in
//!   use, and a phone's fresh one only from the phone's own address.
//! - The key under which a phone paired or last logged in stays beside these.
//! - A nonce is taken once under a key, also when the same key comes back by a repeated handshake, and whatever
//!   number of threads try at once.
//! - A session ends by age, by number of messages, by [`SessionTable::forget`] and [`SessionTable::clear`]; its key
//!   is then wiped, as soon as no answer is waiting to be sealed with it.
//! - Memory is bounded in every direction, and no lock is held while decrypting.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::envelope::{Direction, EnvelopeKey, NONCE_LEN, Nonce, NotOpened, Opened, Outgoing, SealError, Sealed};
pub use super::replay::MessageId;
use super::replay::{KeyId, Position, ReplayWindow};
use crate::ids::ClientId;
use crate::secret::Secret;

/// How often the sessions of phones that stay away are looked over: 24 times a lifetime.
const SWEEPS: u32 = 24;
/// Payloads above this length are tried with the keys alone that have opened one or come from the same address: each try
/// goes over the whole payload, and a stranger can make keys as he likes.
const LONG: usize = 64 * 1024;

/// Bounds of the table. The defaults of the first four are those of the wire contract.
#[derive(Clone, Debug)]
pub struct SessionLimits {
    /// The newest keys of a client that are kept of those that have opened a payload: 8.
    pub proven: usize,
    /// The newest keys of a client and source address that are kept of those that have not: 4.
    pub unproven: usize,
    /// The same from all addresses together: 64. Above it, those from addresses go first that no proven key came from.
    pub unproven_in_all: usize,
    /// A session ends this long after its handshake: 24 h.
    pub lifetime: Duration,
    /// A session ends after this many messages from the phone: 65,536.
    pub messages: usize,
    /// Messages remembered over all sessions, about 60 bytes each: 200,000. Above it the oldest are forgotten and
    /// the sessions that they came in end.
    pub nonces: usize,
    /// Clients with sessions: 1,024, above what the device list holds. Above it, one without a proven key goes, or
    /// else the one not seen for longest.
    pub clients: usize,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            proven: 8,
            unproven: 4,
            unproven_in_all: 64,
            lifetime: Duration::from_secs(24 * 60 * 60),
            messages: 65_536,
            nonces: 200_000,
            clients: 1024,
        }
    }
}

/// Why no session took the payload; all are answered 428.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The client has no session, or none of its keys opens the payload, or the one that does has ended.
    #[error("no session key opens the payload")]
    NoSession,
    /// The nonce was seen under this key before.
    #[error("the message was seen before")]
    Replayed,
}

/// All session keys, in memory only. Shared by reference.
///
/// The table is to live as long as the process: its replay window holds no secret, and goes on refusing what was
/// recorded before a lock.
pub struct SessionTable {
    limits: SessionLimits,
    state: Mutex<State>,
}

struct State {
    clients: HashMap<ClientId, Client>,
    window: ReplayWindow,
    /// Counts handshakes and messages, for what was used last.
    uses: u64,
    swept: Option<Instant>,
}

#[derive(Default)]
struct Client {
    /// In the order of their handshakes.
    sessions: Vec<Session>,
    last_use: u64,
}

struct Session {
    id: KeyId,
    key: Arc<EnvelopeKey>,
    /// Where its handshake came from.
    from: IpAddr,
    made: Instant,
    messages: usize,
    proven: bool,
    /// The client paired under it.
    paired: bool,
    /// The client last logged in under it.
    logged_in: bool,
    last_use: u64,
    /// Of the earliest message since the session began.
    first_message: Option<Position>,
}

impl SessionTable {
    /// An empty table.
    #[must_use]
    pub fn new(limits: SessionLimits) -> Self {
        let window = ReplayWindow::new(limits.nonces);
        Self {
            limits,
            state: Mutex::new(State {
                clients: HashMap::new(),
                window,
                uses: 0,
                swept: None,
            }),
        }
    }

    /// Begins a session after a handshake at `now` that came from the address `from`. A key that the client has already
    /// begins anew, proven if it was.
    pub fn insert(&self, client: ClientId, key: &Secret<32>, from: IpAddr, now: Instant) {
        self.begin(client, key, from, now, false);
    }

    /// The same for the handshake by which the client paired.
    pub fn insert_paired(&self, client: ClientId, key: &Secret<32>, from: IpAddr, now: Instant) {
        self.begin(client, key, from, now, true);
    }

    fn begin(&self, client: ClientId, key: &Secret<32>, from: IpAddr, now: Instant, pairs: bool) {
        let id = KeyId::of(key);
        let key = Arc::new(EnvelopeKey::new(key));
        let mut state = self.state();
        state.sweep(&self.limits, now);
        state.make_room_for(client, &self.limits);
        state.uses += 1;
        let State {
            clients, window, uses, ..
        } = &mut *state;
        let client = clients.entry(client).or_default();
        client.end_sessions(&self.limits, window.oldest(), now);
        let earlier = client.position(id).map(|place| client.sessions.remove(place));
        client.last_use = *uses;
        if pairs {
            client.sessions.iter_mut().for_each(|session| session.paired = false);
        }
        client.sessions.push(Session {
            id,
            key,
            from,
            made: now,
            messages: 0,
            proven: earlier.as_ref().is_some_and(|earlier| earlier.proven),
            paired: pairs || earlier.as_ref().is_some_and(|earlier| earlier.paired),
            logged_in: earlier.as_ref().is_some_and(|earlier| earlier.logged_in),
            last_use: *uses,
            first_message: earlier.and_then(|earlier| earlier.first_message),
        });
        client.keep_newest(&self.limits);
    }

    /// Opens `payload` (nonce ‖ ciphertext ‖ tag), which came from the address `from`, in place with whichever of the
    /// client's keys fits, the one last used (or agreed on) first. `now` decides which sessions are over.
    ///
    /// # Errors
    /// See [`SessionError`]; the payload counts as a message only where it is returned opened.
    pub fn open(
        &self,
        client: ClientId,
        from: IpAddr,
        direction: Direction,
        mut payload: Vec<u8>,
        now: Instant,
    ) -> Result<Exchange, SessionError> {
        let nonce = *payload.first_chunk::<NONCE_LEN>().ok_or(SessionError::NoSession)?;
        for (id, key) in self.candidates(client, from, payload.len(), now) {
            match key.open(direction, payload) {
                Ok(plaintext) => {
                    self.admit(client, id, &nonce, now)?;
                    let replier = Replier {
                        key,
                        direction: direction.response(),
                        message: MessageId::new(id, &nonce),
                    };
                    return Ok(Exchange { plaintext, replier });
                }
                Err(NotOpened(untouched)) => payload = untouched,
            }
        }
        Err(SessionError::NoSession)
    }

    /// Ends all sessions of one client.
    pub fn forget(&self, client: ClientId) {
        self.state().clients.remove(&client);
    }

    /// Ends all sessions. What they have taken stays remembered.
    pub fn clear(&self) {
        self.state().clients.clear();
    }

    /// The client has logged in by `message`: the key that it came under is kept.
    pub fn logged_in(&self, client: ClientId, message: MessageId) {
        let mut state = self.state();
        let Some(client) = state.clients.get_mut(&client) else {
            return;
        };
        for session in &mut client.sessions {
            session.logged_in = session.id == message.key();
        }
        client.keep_newest(&self.limits);
    }

    /// The keys that may open a payload of `client` of this length from the address `from`, by last use.
    fn candidates(
        &self,
        client: ClientId,
        from: IpAddr,
        length: usize,
        now: Instant,
    ) -> Vec<(KeyId, Arc<EnvelopeKey>)> {
        let mut state = self.state();
        state.sweep(&self.limits, now);
        let oldest = state.window.oldest();
        let Some(client) = state.clients.get_mut(&client) else {
            return Vec::new();
        };
        client.end_sessions(&self.limits, oldest, now);
        let likely = |session: &&Session| length <= LONG || session.is_in_use() || session.from == from;
        let mut sessions: Vec<&Session> = client.sessions.iter().filter(likely).collect();
        sessions.sort_unstable_by_key(|session| std::cmp::Reverse(session.last_use));
        sessions
            .into_iter()
            .map(|session| (session.id, Arc::clone(&session.key)))
            .collect()
    }

    /// Takes a message whose tag has been verified, if the session still stands and has not seen its nonce.
    fn admit(&self, client: ClientId, id: KeyId, nonce: &Nonce, now: Instant) -> Result<(), SessionError> {
        let mut state = self.state();
        let State {
            clients, window, uses, ..
        } = &mut *state;
        let client = clients.get_mut(&client).ok_or(SessionError::NoSession)?;
        client.end_sessions(&self.limits, window.oldest(), now);
        let place = client.position(id).ok_or(SessionError::NoSession)?;
        let position = window.admit(id, nonce).ok_or(SessionError::Replayed)?;
        *uses += 1;
        client.last_use = *uses;
        let session = &mut client.sessions[place];
        session.first_message.get_or_insert(position);
        session.messages += 1;
        session.proven = true;
        session.last_use = *uses;
        client.keep_newest(&self.limits);
        client.end_sessions(&self.limits, window.oldest(), now);
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SessionTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("SessionTable")
            .field("clients", &state.clients.len())
            .field("remembered", &state.window.len())
            .finish_non_exhaustive()
    }
}

impl State {
    /// Wipes the keys of sessions that are over, also of phones that never come back.
    fn sweep(&mut self, limits: &SessionLimits, now: Instant) {
        let swept = *self.swept.get_or_insert(now);
        if now.saturating_duration_since(swept) < limits.lifetime / SWEEPS {
            return;
        }
        self.swept = Some(now);
        let oldest = self.window.oldest();
        self.clients.retain(|_, client| {
            client.end_sessions(limits, oldest, now);
            !client.sessions.is_empty()
        });
    }

    fn make_room_for(&mut self, client: ClientId, limits: &SessionLimits) {
        if self.clients.contains_key(&client) || self.clients.len() < limits.clients {
            return;
        }
        let least = self
            .clients
            .iter()
            .min_by_key(|(_, client)| (client.sessions.iter().any(|session| session.proven), client.last_use))
            .map(|(client, _)| *client);
        if let Some(least) = least {
            self.clients.remove(&least);
        }
    }
}

impl Client {
    fn position(&self, id: KeyId) -> Option<usize> {
        self.sessions.iter().position(|session| session.id == id)
    }

    /// Ends the sessions that are over: by age, by messages, or because a message of theirs (`oldest` and after are
    /// remembered) could be replayed unnoticed.
    fn end_sessions(&mut self, limits: &SessionLimits, oldest: Position, now: Instant) {
        self.sessions.retain(|session| {
            now.saturating_duration_since(session.made) < limits.lifetime
                && session.messages < limits.messages
                && session.first_message.is_none_or(|first| first >= oldest)
        });
    }

    fn keep_newest(&mut self, limits: &SessionLimits) {
        self.drop_surplus(limits.proven, |session| session.proven && !session.is_kept());
        // One handshake adds one session, so no other address can have come above its bound.
        if let Some(from) = self.sessions.last().map(|session| session.from) {
            self.drop_surplus(limits.unproven, |session| !session.is_in_use() && session.from == from);
        }
        let known: Vec<IpAddr> = self
            .sessions
            .iter()
            .filter(|session| session.is_in_use())
            .map(|session| session.from)
            .collect();
        let unproven = self.sessions.iter().filter(|session| !session.is_in_use());
        let phones = unproven.clone().filter(|session| known.contains(&session.from)).count();
        let strangers = limits.unproven_in_all.saturating_sub(phones);
        self.drop_surplus(strangers, |session| {
            !session.is_in_use() && !known.contains(&session.from)
        });
        self.drop_surplus(limits.unproven_in_all, |session| !session.is_in_use());
    }

    /// Ends the oldest of `which`, so that `limit` are left.
    fn drop_surplus(&mut self, limit: usize, which: impl Fn(&Session) -> bool) {
        let count = self.sessions.iter().filter(|session| which(session)).count();
        let mut surplus = count.saturating_sub(limit);
        self.sessions.retain(|session| {
            let ends = surplus > 0 && which(session);
            surplus -= usize::from(ends);
            !ends
        });
    }
}

impl Session {
    const fn is_kept(&self) -> bool {
        self.paired || self.logged_in
    }

    const fn is_in_use(&self) -> bool {
        self.proven || self.is_kept()
    }
}

/// An opened request, and the key that its answer is sealed with.
#[derive(Debug)]
pub struct Exchange {
    /// The request in the clear.
    pub plaintext: Opened,
    replier: Replier,
}

impl Exchange {
    /// Splits off the plaintext, leaving what seals the answer.
    #[must_use]
    pub fn split(self) -> (Opened, Replier) {
        (self.plaintext, self.replier)
    }
}

/// Seals the answer of one exchange, under the response's direction and a fresh random nonce. It still does so when
/// the session has ended in the meantime: the phone waits for the answer under that key.
#[derive(Debug)]
pub struct Replier {
    key: Arc<EnvelopeKey>,
    direction: Direction,
    message: MessageId,
}

impl Replier {
    /// The message that is answered.
    #[must_use]
    pub const fn message(&self) -> MessageId {
        self.message
    }

    /// Seals `answer` in place.
    ///
    /// # Errors
    /// See [`SealError`].
    pub fn seal(&self, answer: Outgoing) -> Result<Sealed, SealError> {
        self.key.seal(self.direction, answer)
    }
}

#[cfg(test)]
mod tests;
