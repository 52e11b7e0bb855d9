//! The accept loop: how each connection is served, how long it lives, and how all of them end.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
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
use super::places::{Guest, Places};
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
    let places = Places::new(&limits);
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
                Ok((stream, peer)) => {
                    let place = places.take(peer.ip());
                    let connection = serve(stream, peer, place.guest(), Arc::clone(&site), Arc::clone(&limits), stop.clone());
                    connections.spawn(async move {
                        connection.await;
                        drop(place);
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

/// Serves one connection until it ends, its life is over, or its place is given to somebody else.
async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    guest: Guest,
    site: Arc<Site>,
    limits: Arc<Limits>,
    stop: watch::Receiver<bool>,
) {
    let life = timeout(
        limits.connection_time,
        converse(stream, peer, guest.clone(), site, Arc::clone(&limits), stop),
    );
    tokio::select! {
        _ = life => {}
        () = guest.closed() => {}
    }
}

async fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    guest: Guest,
    site: Arc<Site>,
    limits: Arc<Limits>,
    mut stop: watch::Receiver<bool>,
) {
    // Answers are written whole; waiting to fill a segment only delays them. Failing to say so harms nobody.
    let _ = stream.set_nodelay(true);
    let address = peer.ip().to_canonical();
    let stream = StallGuard::new(stream, limits.pace_time, guest.clone());
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        Box::pin(Arc::clone(&site).answer(address, guest.clone(), request.map(Body::new)))
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time)
        .max_buf_size(READ_BUFFER)
        .serve_connection(TokioIo::new(stream), service);

    // So that a request that comes late in the life of a connection has time to end: the next one opens another.
    let mut last_request = std::pin::pin!(sleep(limits.connection_time / 2));
    let (mut ending, mut stopping) = (false, false);
    let served = loop {
        tokio::select! {
            served = poll_fn(|cx| connection.poll_without_shutdown(cx)) => break served,
            () = stopped(&mut stop), if !stopping => {
                stopping = true;
                std::pin::Pin::new(&mut connection).graceful_shutdown();
            }
            () = &mut last_request, if !ending => {
                ending = true;
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
