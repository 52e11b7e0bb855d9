//! Sets the system's clock by the network: a client of NTP version 4 as simple as it may be (RFC 5905, section 14).
//!
//! It runs as a process of its own, which may set the clock and nothing else. A few servers are asked in turn and the
//! middle answer counts, so that a single wrong one does not. Those that the network names, whoever answers DHCP there,
//! have one voice together beside the usual ones, and are believed alone only where no other answers. NTP is not signed:
//! who controls the clinic's way out can say any time between the firmware's own and [`BELIEVED_MS`] after it. The hub
//! clock never goes back, whatever it says.

mod kernel;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_settime};

use crate::clock::{HubTime, TimeSource};

/// From 1900 to 1970, in seconds.
const NTP_TO_UNIX: i64 = 2_208_988_800;
/// NTP counts seconds in 32 bits, and begins anew after these.
const ERA: i64 = 1 << 32;
/// Without extensions and authentication.
const PACKET: usize = 48;
/// Leap indicator "no warning", version 4, mode "client".
const CLIENT: u8 = 0b00_100_011;
const MODE_SERVER: u8 = 4;
const NOT_SYNCHRONISED: u8 = 3;
const MAX_STRATUM: u8 = 15;

/// How long a server may take.
const PATIENCE: Duration = Duration::from_secs(4);
/// An answer that took longer says too little.
const MAX_ROUND_TRIP: Duration = Duration::from_secs(2);
/// How many servers of each kind are asked.
const SERVERS: usize = 3;
/// The clock is left alone when it is off by less.
const GOOD_ENOUGH: Duration = Duration::from_millis(250);
/// Times that are further than this after the firmware's are not believed: 30 years.
pub const BELIEVED_MS: i64 = 30 * 365 * 24 * 60 * 60 * 1000;

/// Why there is no time from the network.
#[derive(Debug, thiserror::Error)]
pub enum NtpError {
    /// No server answered with a time that could be believed.
    #[error("no time server answered")]
    NoAnswer,
    /// The operating system did not let the clock be set.
    #[error("the clock can't be set: {0}")]
    Refused(#[from] Errno),
}

/// Why an answer does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unusable {
    /// It is none, or the answer to something else.
    NotOurs,
    /// The server has no time itself, or wants not to be asked.
    NoTime,
    /// It took too long.
    Slow,
    /// It is before the firmware was made, or too far after.
    Unbelievable,
}

/// Whom to ask, at most three of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Servers {
    /// Those that the network named.
    pub named: Vec<SocketAddr>,
    /// Those that firmware or owner chose.
    pub usual: Vec<SocketAddr>,
}

/// The servers that the network named (one address a line in `file`, as DHCP gave them), and the `usual` ones.
#[must_use]
pub fn servers(file: &Path, usual: &[String]) -> Servers {
    const PORT: u16 = 123;
    let named = std::fs::read_to_string(file).unwrap_or_default();
    let named = named
        .lines()
        .filter_map(|line| line.trim().parse::<Ipv4Addr>().ok())
        .map(|address| SocketAddr::from((address, PORT)));
    let found = usual
        .iter()
        .filter_map(|name| (name.as_str(), PORT).to_socket_addrs().ok());
    // One address of each name, for a pool's are alike.
    let found = found.filter_map(|mut addresses| addresses.find(SocketAddr::is_ipv4));
    Servers {
        named: named.take(SERVERS).collect(),
        usual: found.take(SERVERS).collect(),
    }
}

/// Asks `servers` and sets the system's clock where it is off; the kernel then keeps a clock chip to it. Gives by how many
/// milliseconds it was. `floor` is the firmware's time, before which it can't be.
///
/// # Errors
/// [`NtpError`].
pub fn set_clock(servers: &Servers, clock: &dyn TimeSource, floor: HubTime) -> Result<i64, NtpError> {
    let offset = middle_offset(servers, clock, floor).ok_or(NtpError::NoAnswer)?;
    if Duration::from_millis(offset.unsigned_abs()) > GOOD_ENOUGH {
        let time = Duration::from_millis(u64::try_from(clock.millis() + offset).unwrap_or(0));
        clock_settime(ClockId::CLOCK_REALTIME, TimeSpec::from_duration(time))?;
    }
    kernel::call_right(GOOD_ENOUGH + MAX_ROUND_TRIP / 2)?;
    Ok(offset)
}

/// How far the clock is behind, by the middle one of the answers.
fn middle_offset(servers: &Servers, clock: &dyn TimeSource, floor: HubTime) -> Option<i64> {
    let ask_all = |servers: &[SocketAddr]| -> Vec<i64> {
        let answers = servers
            .iter()
            .map(|server| ask(*server, clock, floor).inspect_err(|error| tracing::debug!(%server, %error, "no time")));
        answers.filter_map(Result::ok).collect()
    };
    let mut voices = ask_all(&servers.usual);
    // Beside a single one it would be one word against another.
    if voices.len() != 1 {
        voices.extend(middle(ask_all(&servers.named)));
    }
    middle(voices)
}

/// The middle one, the earlier of two.
fn middle(mut offsets: Vec<i64>) -> Option<i64> {
    offsets.sort_unstable();
    offsets.get(offsets.len().checked_sub(1)? / 2).copied()
}

fn ask(server: SocketAddr, clock: &dyn TimeSource, floor: HubTime) -> io::Result<i64> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    // Answers of others are dropped by the kernel.
    socket.connect(server)?;
    // Instead of our time, a number by chance: it says nothing of us, and nobody who does not see it can answer.
    let nonce = getrandom::u64().map_err(io::Error::other)?.to_be_bytes();
    let sent = clock.millis();
    socket.send(&request(nonce))?;
    let began = Instant::now();
    let mut answer = [0; PACKET + 1];
    while let Some(left) = PATIENCE.checked_sub(began.elapsed()).filter(|left| !left.is_zero()) {
        socket.set_read_timeout(Some(left))?;
        let length = socket.recv(&mut answer)?;
        let took = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
        match offset(&answer[..length], nonce, sent, took, floor) {
            Ok(offset) => return Ok(offset),
            // Perhaps the right one comes yet.
            Err(Unusable::NotOurs) => {}
            Err(other) => return Err(io::Error::other(format!("{other:?}"))),
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

/// What is sent: all zero but the first byte and the transmit timestamp.
fn request(nonce: [u8; 8]) -> [u8; PACKET] {
    let mut packet = [0; PACKET];
    packet[0] = CLIENT;
    packet[40..].copy_from_slice(&nonce);
    packet
}

/// By how many milliseconds our clock is behind, from the answer to a request that left at `sent` on our clock and was
/// under way for `took` milliseconds.
fn offset(answer: &[u8], nonce: [u8; 8], sent: i64, took: i64, floor: HubTime) -> Result<i64, Unusable> {
    let packet = answer.first_chunk::<PACKET>().ok_or(Unusable::NotOurs)?;
    let (leap, mode, stratum) = (packet[0] >> 6, packet[0] & 0b111, packet[1]);
    if mode != MODE_SERVER || packet[24..32] != nonce {
        return Err(Unusable::NotOurs);
    }
    // Stratum 0 is the "kiss of death".
    if leap == NOT_SYNCHRONISED || stratum == 0 || stratum > MAX_STRATUM {
        return Err(Unusable::NoTime);
    }
    let received = timestamp(packet, 32, floor);
    let transmitted = timestamp(packet, 40, floor);
    let under_way = took.saturating_sub(transmitted - received);
    let is_quick = u64::try_from(under_way).is_ok_and(|way| Duration::from_millis(way) <= MAX_ROUND_TRIP);
    if !is_quick || transmitted < received {
        return Err(Unusable::Slow);
    }
    if transmitted > floor.millis().saturating_add(BELIEVED_MS) {
        return Err(Unusable::Unbelievable);
    }
    // The mean of the two ways (RFC 5905, section 8), in a form that can't overflow.
    Ok((received - sent) / 2 + (transmitted - sent - took) / 2)
}

/// The timestamp that begins at byte `at`, in epoch milliseconds: in the first era that is not over before `floor`.
fn timestamp(packet: &[u8; PACKET], at: usize, floor: HubTime) -> i64 {
    let number = |at: usize| {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&packet[at..at + 4]);
        i64::from(u32::from_be_bytes(bytes))
    };
    let milliseconds = (number(at) - NTP_TO_UNIX) * 1000 + ((number(at + 4) * 1000) >> 32);
    let eras = (floor.millis() - milliseconds).max(0);
    milliseconds + (eras + ERA * 1000 - 1) / (ERA * 1000) * (ERA * 1000)
}

#[cfg(test)]
#[path = "ntp/tests.rs"]
mod tests;
