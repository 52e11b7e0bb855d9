//! The accept loop: how many connections there may be, how each is served, and how all of them end.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tracing::debug;

use super::Limits;
use super::routes::Site;
use super::socket::StallGuard;

/// Holds the head of a request, and bounds what one connection may keep in its read buffer.
const READ_BUFFER: usize = 64 * 1024;
/// Pause after a failed accept (no file descriptors, say), which would else fail again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Accepts until `stop` becomes true or its sender is gone, then ends the connections that are left.
/// `beats` counts one a second while the loop turns.
pub(super) async fn run(
    listener: TcpListener,
    site: Arc<Site>,
    limits: Arc<Limits>,
    stop: watch::Receiver<bool>,
    beats: Arc<AtomicU64>,
) {
    let slots = Slots::new(limits.connections, limits.connections_per_address);
    let mut connections = JoinSet::new();
    let mut stopping = stop.clone();
    let mut beat = interval(Duration::from_secs(1));
    beat.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            biased;
            () = stopped(&mut stopping) => break,
            _ = beat.tick() => {
                beats.fetch_add(1, Ordering::Relaxed);
            }
            Some(ended) = connections.join_next() => site.connection_ended(ended),
            accepted = listener.accept() => match accepted {
                // Without a slot the stream is dropped, which closes it.
                Ok((stream, peer)) => if let Some(slot) = slots.take(peer.ip()) {
                    let connection = serve(stream, peer, Arc::clone(&site), Arc::clone(&limits), stop.clone());
                    connections.spawn(async move {
                        connection.await;
                        drop(slot);
                    });
                },
                Err(error) => {
                    debug!(kind = ?error.kind(), "accept failed");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
    drop(listener);
    let finished = async {
        while let Some(ended) = connections.join_next().await {
            site.connection_ended(ended);
        }
    };
    // What is not done by then is dropped with `connections`.
    let _ = timeout(limits.stop_time, finished).await;
    connections.shutdown().await;
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the handle was dropped, which stops the server too.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    site: Arc<Site>,
    limits: Arc<Limits>,
    mut stop: watch::Receiver<bool>,
) {
    // Answers are written whole; waiting to fill a segment only delays them. Failing to say so harms nobody.
    let _ = stream.set_nodelay(true);
    let address = peer.ip().to_canonical();
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        Box::pin(Arc::clone(&site).answer(address, request.map(Body::new)))
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time)
        .max_buf_size(READ_BUFFER)
        .serve_connection(TokioIo::new(StallGuard::new(stream, limits.pace_time)), service);

    let mut stopping = false;
    let served = loop {
        tokio::select! {
            served = poll_fn(|cx| connection.poll_without_shutdown(cx)) => break served,
            () = stopped(&mut stop), if !stopping => {
                stopping = true;
                std::pin::Pin::new(&mut connection).graceful_shutdown();
            }
        }
    };
    if served.is_ok() && !stopping {
        let mut stream = connection.into_parts().io.into_inner();
        let lingering = linger(&mut stream, &limits);
        tokio::select! {
            _ = timeout(limits.linger_time, lingering) => {}
            () = stopped(&mut stop) => {}
        }
    }
}

/// Takes in what the peer still sends after a request was refused before its end. To close with bytes unread would
/// reset the connection and could take the refusal away before the peer has read it (RFC 9112, section 9.6).
async fn linger(stream: &mut StallGuard<TcpStream>, limits: &Limits) -> io::Result<()> {
    stream.shutdown().await?;
    let mut discarded = [0; 8 * 1024];
    while timeout(limits.linger_silence, stream.read(&mut discarded)).await?? > 0 {}
    Ok(())
}

/// The connections there may be, in all and from each address.
struct Slots {
    in_all: usize,
    per_address: usize,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Default)]
struct Taken {
    in_all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One connection's place, free again when dropped.
struct Slot {
    address: IpAddr,
    taken: Arc<Mutex<Taken>>,
}

impl Slots {
    fn new(in_all: usize, per_address: usize) -> Self {
        Self {
            in_all,
            per_address,
            taken: Arc::default(),
        }
    }

    fn take(&self, address: IpAddr) -> Option<Slot> {
        let address = address.to_canonical();
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let from_address = taken.by_address.get(&address).copied().unwrap_or(0);
        if taken.in_all >= self.in_all || from_address >= self.per_address {
            return None;
        }
        taken.in_all += 1;
        taken.by_address.insert(address, from_address + 1);
        Some(Slot {
            address,
            taken: Arc::clone(&self.taken),
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.in_all -= 1;
        if let Some(count) = taken.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                taken.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_counted_in_all_and_by_address() {
        let slots = Slots::new(3, 2);
        let (one, other): (IpAddr, IpAddr) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let first = slots.take(one).unwrap();
        let _second = slots.take("::ffff:10.0.0.1".parse().unwrap()).unwrap();
        assert!(slots.take(one).is_none(), "two from this address");
        let _third = slots.take(other).unwrap();
        assert!(slots.take(other).is_none(), "three in all");
        drop(first);
        assert!(slots.take(one).is_some());
        assert_eq!(slots.taken.lock().unwrap().by_address.len(), 2);
    }
}
