//! The thread that serves the lines: one loop over all that can be read or written, which never waits for one peer.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use zeroize::{Zeroize, Zeroizing};

use super::line::{Line, MAX_INPUT, Refusal, parse};
use super::link::Endpoint;
use crate::board::Event;
use crate::board::queue::{Notifier, Signal};

/// Clients at once; further ones are turned away.
const MAX_PEERS: usize = 16;
/// Lines that wait for a peer to read; one that is further behind is dropped.
const MAX_BEHIND: usize = 128;
/// How long until a device that stopped working is opened again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Lines on their way from the panel loop to the service.
#[derive(Debug, Default)]
pub(super) struct Outgoing(Mutex<Pending>);

#[derive(Debug, Default)]
struct Pending {
    lines: VecDeque<Line>,
    closed: bool,
}

impl Outgoing {
    pub(super) fn put(&self, line: Line) {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pending.lines.push_back(line);
        while pending.lines.len() > MAX_BEHIND {
            pending.lines.pop_front();
        }
    }

    pub(super) fn close(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
    }

    fn take(&self) -> Pending {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Pending {
            lines: std::mem::take(&mut pending.lines),
            closed: pending.closed,
        }
    }
}

/// The loop's state.
#[derive(Debug)]
pub(super) struct Service {
    endpoint: Endpoint,
    ear: UnixStream,
    outgoing: Arc<Outgoing>,
    events: Notifier,
    peers: Vec<Peer>,
    /// What is on the display: the first line that a new peer gets.
    current: Option<Line>,
}

impl Service {
    pub(super) fn new(endpoint: Endpoint, ear: UnixStream, outgoing: Arc<Outgoing>, events: Notifier) -> Self {
        Self {
            endpoint,
            ear,
            outgoing,
            events,
            peers: Vec::new(),
            current: None,
        }
    }

    pub(super) fn run(mut self) {
        self.connect_device();
        while self.turn() {}
    }

    /// Waits for something to do and does it; false when the board is closed.
    fn turn(&mut self) -> bool {
        let was_alone = self.peers.is_empty();
        let ready = self.wait();
        let mut rings = [0; 64];
        while matches!(self.ear.read(&mut rings), Ok(count) if count > 0) {}
        let pending = self.outgoing.take();
        for line in pending.lines {
            self.peers.iter_mut().for_each(|peer| peer.send(line.clone()));
            self.current = Some(line);
        }
        for (peer, ready) in self.peers.iter_mut().zip(ready) {
            if !ready.is_empty() {
                peer.receive(ready, &self.events);
            }
        }
        self.peers.iter_mut().for_each(Peer::flush);
        self.peers.retain(|peer| peer.is_alive);
        self.accept();
        if was_alone {
            self.connect_device();
        }
        !pending.closed
    }

    /// What there is to be read from each peer. When waiting itself fails all of them are tried.
    fn wait(&self) -> Vec<PollFlags> {
        let mut polled = vec![PollFd::new(self.ear.as_fd(), PollFlags::POLLIN)];
        polled.extend(
            self.peers
                .iter()
                .map(|peer| PollFd::new(peer.file.as_fd(), peer.interest())),
        );
        let timeout = match &self.endpoint {
            Endpoint::Socket(socket) => {
                polled.push(PollFd::new(socket.listener.as_fd(), PollFlags::POLLIN));
                PollTimeout::NONE
            }
            Endpoint::Device(_) if self.peers.is_empty() => {
                PollTimeout::try_from(RETRY_AFTER).unwrap_or(PollTimeout::MAX)
            }
            Endpoint::Device(_) => PollTimeout::NONE,
        };
        let failed = poll(&mut polled, timeout).is_err();
        let readable = PollFlags::POLLIN | PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
        let found = |fd: &PollFd<'_>| fd.revents().map_or(PollFlags::empty(), |events| events & readable);
        let peers = polled[1..=self.peers.len()].iter();
        peers
            .map(|fd| if failed { PollFlags::POLLIN } else { found(fd) })
            .collect()
    }

    fn accept(&mut self) {
        let Endpoint::Socket(socket) = &self.endpoint else {
            return;
        };
        while let Ok(file) = socket.accept() {
            if self.peers.len() < MAX_PEERS {
                self.peers.push(Peer::new(file, self.current.clone()));
            }
        }
    }

    fn connect_device(&mut self) {
        if let (Endpoint::Device(device), true) = (&self.endpoint, self.peers.is_empty())
            && let Ok(file) = device.open()
        {
            self.peers.push(Peer::new(file, self.current.clone()));
        }
    }
}

/// Somebody at the other end.
#[derive(Debug)]
struct Peer {
    file: File,
    /// The beginning of a line whose end has not come yet. Wiped: it may be a PIN.
    input: Zeroizing<Vec<u8>>,
    /// The rest of a line that was too long is still coming.
    is_skipping: bool,
    /// The peer has said all it will say; it may still be listening.
    has_finished: bool,
    output: VecDeque<Line>,
    /// How much of the first line in `output` is sent.
    sent: usize,
    is_alive: bool,
}

impl Peer {
    fn new(file: File, greeting: Option<Line>) -> Self {
        let mut peer = Self {
            file,
            // Never grows: a buffer that does leaves copies of itself behind.
            input: Zeroizing::new(Vec::with_capacity(MAX_INPUT + 1)),
            is_skipping: false,
            has_finished: false,
            output: greeting.into_iter().collect(),
            sent: 0,
            is_alive: true,
        };
        peer.flush();
        peer
    }

    fn interest(&self) -> PollFlags {
        let mut interest = PollFlags::empty();
        interest.set(PollFlags::POLLIN, !self.has_finished);
        interest.set(PollFlags::POLLOUT, !self.output.is_empty());
        interest
    }

    fn send(&mut self, line: Line) {
        self.output.push_back(line);
        self.is_alive &= self.output.len() <= MAX_BEHIND;
    }

    fn flush(&mut self) {
        while let (true, Some(line)) = (self.is_alive, self.output.front()) {
            match self.file.write(&line.bytes()[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.is_alive = false,
            }
            if self.sent == line.bytes().len() {
                self.output.pop_front();
                self.sent = 0;
            }
        }
    }

    /// Reads once what is there; more is told by the next wait, so that no peer keeps the others waiting.
    fn receive(&mut self, ready: PollFlags, events: &Notifier) {
        let mut chunk = Zeroizing::new([0; 4096]);
        match self.file.read(&mut *chunk) {
            Ok(0) if ready == PollFlags::POLLIN => self.has_finished = true,
            Ok(0) => self.is_alive = false,
            Ok(count) => chunk[..count].iter().for_each(|byte| self.take(*byte, events)),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(_) => self.is_alive = false,
        }
    }

    fn take(&mut self, byte: u8, events: &Notifier) {
        if byte == b'\n' {
            if !std::mem::take(&mut self.is_skipping) {
                self.take_line(events);
            }
            self.input.zeroize();
        } else if !self.is_skipping {
            self.input.push(byte);
            if self.input.len() > MAX_INPUT {
                self.is_skipping = true;
                self.input.zeroize();
                self.send(Line::of_refusal(Refusal::TooLong));
            }
        }
    }

    fn take_line(&mut self, events: &Notifier) {
        if self.input.trim_ascii().is_empty() {
            return;
        }
        let taken = parse(&self.input).and_then(|input| {
            let had_room = events.notify(Signal::Event(Event::Input(input)));
            had_room.then_some(()).ok_or(Refusal::Busy)
        });
        if let Err(refusal) = taken {
            self.send(Line::of_refusal(refusal));
        }
    }
}
