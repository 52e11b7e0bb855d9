//! The places for connections: who has one, and who gives one up for a newcomer.
//!
//! A newcomer always gets a place. When there is none, the connection that has been idle longest is closed for it: first
//! those that have proved nothing, from addresses that no phone has called from lately; phones whose payloads open come
//! last. What the box itself opens (its watchdog's probe) has places of its own, which nobody on the network can take.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::Limits;
use crate::ids::ClientId;

/// For so long an address from which a payload was opened is taken for a phone's.
const REMEMBERED: Duration = Duration::from_secs(10 * 60);

/// The places for those on the network, and as many for the box itself.
#[derive(Debug)]
pub(super) struct Places {
    network: Arc<Room>,
    own: Arc<Room>,
}

impl Places {
    /// All free.
    pub(super) fn new(limits: &Limits) -> Self {
        let room = || Arc::new(Room::new(limits));
        Self {
            network: room(),
            own: room(),
        }
    }

    /// A place for a newcomer from `address`.
    pub(super) fn take(&self, address: IpAddr) -> Place {
        let address = address.to_canonical();
        let room = if address.is_loopback() {
            &self.own
        } else {
            &self.network
        };
        room.take(address)
    }
}

/// Places that are given to whoever comes.
#[derive(Debug)]
struct Room {
    limits: RoomLimits,
    since: Instant,
    taken: Mutex<Taken>,
}

#[derive(Debug)]
struct RoomLimits {
    all: usize,
    unproven: usize,
    unproven_per_address: usize,
    per_phone: usize,
    addresses: usize,
}

#[derive(Debug, Default)]
struct Taken {
    seats: HashMap<u64, Arc<Seat>>,
    next: u64,
    /// When a payload was last opened that came from an address.
    phones: HashMap<IpAddr, Instant>,
}

/// One connection.
#[derive(Debug)]
struct Seat {
    number: u64,
    address: IpAddr,
    proven: AtomicBool,
    /// Whose payload was opened last.
    client: Mutex<Option<ClientId>>,
    /// Requests that are being answered.
    at_work: AtomicUsize,
    /// When bytes last went either way, µs since the room began.
    moved: AtomicU64,
    closing: Notify,
}

impl Room {
    fn new(limits: &Limits) -> Self {
        Self {
            limits: RoomLimits {
                all: limits.connections.max(1),
                unproven: limits.unproven_connections.clamp(1, limits.connections.max(1)),
                unproven_per_address: limits.connections_per_address.max(1),
                per_phone: limits.connections_per_phone.max(1),
                addresses: limits.addresses.max(1),
            },
            since: Instant::now(),
            taken: Mutex::default(),
        }
    }

    fn take(self: &Arc<Self>, address: IpAddr) -> Place {
        let moved = AtomicU64::new(self.now());
        let mut taken = self.taken();
        taken.make_room(address, &self.limits);
        let number = taken.next;
        taken.next += 1;
        let seat = Arc::new(Seat {
            number,
            address,
            proven: AtomicBool::new(false),
            client: Mutex::default(),
            at_work: AtomicUsize::new(0),
            moved,
            closing: Notify::new(),
        });
        taken.seats.insert(number, Arc::clone(&seat));
        drop(taken);
        Place(Guest {
            room: Arc::clone(self),
            seat,
        })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn make_room(&mut self, address: IpAddr, limits: &RoomLimits) {
        self.phones.retain(|_, seen| seen.elapsed() < REMEMBERED);
        let unproven = |seat: &&Arc<Seat>| !seat.is_proven();
        let neighbours = |seat: &&Arc<Seat>| unproven(seat) && seat.address == address;
        if self.count(neighbours) >= limits.unproven_per_address {
            self.close_one(neighbours);
        } else if self.count(unproven) >= limits.unproven {
            self.close_one(unproven);
        } else if self.seats.len() >= limits.all {
            self.close_one(|_| true);
        }
    }

    fn count(&self, which: impl Fn(&&Arc<Seat>) -> bool) -> usize {
        self.seats.values().filter(which).count()
    }

    /// Closes one of `which`: the one that proved least, and of these the one that has been idle longest. A phone that waits
    /// for an answer is not idle; whoever has proved nothing can pretend to.
    fn close_one(&mut self, which: impl Fn(&&Arc<Seat>) -> bool) {
        let worth = |seat: &&Arc<Seat>| {
            let is_phones = self.phones.contains_key(&seat.address);
            (
                seat.is_proven(),
                is_phones,
                seat.is_proven() && seat.at_work.load(Ordering::Relaxed) > 0,
                seat.moved.load(Ordering::Relaxed),
                seat.number,
            )
        };
        let least = self.seats.values().filter(which).min_by_key(worth);
        if let Some(seat) = least.map(Arc::clone) {
            self.seats.remove(&seat.number);
            seat.closing.notify_one();
        }
    }
}

impl Seat {
    fn is_proven(&self) -> bool {
        self.proven.load(Ordering::Relaxed)
    }

    fn is_of(&self, client: ClientId) -> bool {
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) == Some(client)
    }
}

/// One connection's place, free again when dropped.
#[derive(Debug)]
pub(super) struct Place(Guest);

impl Place {
    /// What the requests of the connection know of it.
    pub(super) fn guest(&self) -> Guest {
        self.0.clone()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.room.taken().seats.remove(&self.0.seat.number);
    }
}

/// A connection as its requests see it.
#[derive(Clone, Debug)]
pub(super) struct Guest {
    room: Arc<Room>,
    seat: Arc<Seat>,
}

impl Guest {
    /// Returns when the place was given to somebody else.
    pub(super) async fn closed(&self) {
        self.seat.closing.notified().await;
    }

    /// A request of the connection is being answered, until what is returned is dropped.
    pub(super) fn at_work(&self) -> AtWork {
        self.seat.at_work.fetch_add(1, Ordering::Relaxed);
        AtWork(Arc::clone(&self.seat))
    }

    /// Closes the connection.
    pub(super) fn close(&self) {
        self.seat.closing.notify_one();
    }

    /// Bytes went either way.
    pub(super) fn moved(&self) {
        self.seat.moved.store(self.room.now(), Ordering::Relaxed);
    }

    /// Where the connection comes from.
    pub(super) fn address(&self) -> IpAddr {
        self.seat.address
    }

    /// A payload of `client` was opened that came by this connection.
    pub(super) fn prove(&self, client: ClientId) {
        let mut taken = self.room.taken();
        *self.seat.client.lock().unwrap_or_else(PoisonError::into_inner) = Some(client);
        self.seat.proven.store(true, Ordering::Relaxed);
        if taken.phones.len() >= self.room.limits.addresses && !taken.phones.contains_key(&self.seat.address) {
            let oldest = taken.phones.iter().min_by_key(|(_, seen)| **seen);
            if let Some(oldest) = oldest.map(|(address, _)| *address) {
                taken.phones.remove(&oldest);
            }
        }
        taken.phones.insert(self.seat.address, Instant::now());
        let others = |seat: &&Arc<Seat>| seat.number != self.seat.number && seat.is_of(client);
        if taken.count(others) >= self.room.limits.per_phone {
            taken.close_one(others);
        }
    }

    /// Whether a payload was opened that came by this connection, or lately from its address.
    pub(super) fn is_phone(&self) -> bool {
        self.seat.is_proven()
            || self
                .room
                .taken()
                .phones
                .get(&self.seat.address)
                .is_some_and(|seen| seen.elapsed() < REMEMBERED)
    }
}

/// See [`Guest::at_work`].
#[derive(Debug)]
pub(super) struct AtWork(Arc<Seat>);

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.at_work.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn places() -> Places {
        Places::new(&Limits {
            connections: 6,
            unproven_connections: 4,
            connections_per_address: 2,
            connections_per_phone: 2,
            ..Limits::default()
        })
    }

    fn address(last: u8) -> IpAddr {
        Ipv4Addr::new(10, 0, 0, last).into()
    }

    fn is_closed(place: &Place) -> bool {
        !place.0.room.taken().seats.contains_key(&place.0.seat.number)
    }

    async fn a_moment() {
        tokio::time::advance(Duration::from_millis(10)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_makes_room_for_itself() {
        let places = places();
        let first = places.take(address(1));
        a_moment().await;
        let second = places.take("::ffff:10.0.0.1".parse().unwrap());
        a_moment().await;
        first.guest().moved();
        let other = places.take(address(2));
        let third = places.take(address(1));
        assert!(is_closed(&second), "idle for longer than the first");
        second.guest().closed().await;
        assert!([&first, &other, &third].iter().all(|place| !is_closed(place)));
        drop(third);
        assert!(!is_closed(&first));
        let _again = places.take(address(1));
        assert!(!is_closed(&first), "a place that was given back is free");
    }

    #[tokio::test(start_paused = true)]
    async fn strangers_make_room_before_phones_do() {
        let places = places();
        let phone = places.take(address(1));
        phone.guest().prove(ClientId::from(uuid::Uuid::from_u128(1)));
        a_moment().await;
        let same_address = places.take(address(1));
        let mut strangers = Vec::new();
        for last in 2..100 {
            a_moment().await;
            strangers.push(places.take(address(last)));
        }
        assert!(!is_closed(&phone) && !is_closed(&same_address));
        let kept = strangers.iter().filter(|place| !is_closed(place)).count();
        assert_eq!(
            kept, 3,
            "four that have proved nothing, one of them from the phone's address"
        );
        assert!(!is_closed(&strangers[97]), "the newest has a place");
    }

    #[tokio::test(start_paused = true)]
    async fn a_newcomer_gets_a_place_among_phones_too_and_a_phone_has_few() {
        let places = places();
        let mut phones = Vec::new();
        for last in 1..=6 {
            a_moment().await;
            phones.push(places.take(address(last)));
            phones[usize::from(last) - 1]
                .guest()
                .prove(ClientId::from(uuid::Uuid::from_u128(last.into())));
        }
        a_moment().await;
        let newcomer = places.take(address(7));
        assert!(is_closed(&phones[0]) && !is_closed(&newcomer));

        // A phone that waits for an answer is not idle.
        newcomer.guest().prove(ClientId::from(uuid::Uuid::from_u128(7)));
        let working = phones[1].guest().at_work();
        let _another = places.take(address(8));
        assert!(!is_closed(&phones[1]) && is_closed(&phones[2]));
        drop(working);

        let [second, third] = [&phones[1], &phones[4]];
        let client = ClientId::from(uuid::Uuid::from_u128(4));
        for phone in [second, third] {
            phone.guest().moved();
            phone.guest().prove(client);
        }
        assert!(is_closed(&phones[3]) && !is_closed(second) && !is_closed(third));
    }

    #[tokio::test(start_paused = true)]
    async fn the_box_has_places_of_its_own() {
        let places = places();
        let own = places.take(Ipv4Addr::LOCALHOST.into());
        let strangers: Vec<_> = (1..100).map(|last| places.take(address(last))).collect();
        assert!(!is_closed(&own));
        assert_eq!(strangers.iter().filter(|place| !is_closed(place)).count(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_is_a_phones_for_a_while() {
        let places = places();
        let place = places.take(address(1));
        assert!(!place.guest().is_phone());
        place.guest().prove(ClientId::from(uuid::Uuid::from_u128(1)));
        drop(place);
        assert!(places.take(address(1)).guest().is_phone());
        assert!(!places.take(address(2)).guest().is_phone());
        tokio::time::advance(REMEMBERED).await;
        assert!(!places.take(address(1)).guest().is_phone());
    }
}
