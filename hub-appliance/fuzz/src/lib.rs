//! What the fuzz targets call, one function a target: bytes from a phone go in, and nothing may panic.
//!
//! The replay of the corpus in `tests/fuzz_corpus.rs` includes this file, so that what a fuzzer once found stays
//! tested by an ordinary `cargo test` on a stable compiler.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use hub_appliance::secret::Secret;
use hub_appliance::wire::envelope::Direction;
use hub_appliance::wire::handshake::IdentityKeys;
use hub_appliance::wire::message::{Call, EnvelopeRequest, HandshakeRequest, Kind};
use hub_appliance::wire::session::{SessionLimits, SessionTable};

/// The body of `/rpc/handshake`, up to the session key.
pub fn handshake(body: &[u8]) {
    let hub = IdentityKeys::new(&Secret::new([1; 32]), &Secret::new([2; 32])).expect("both are private keys");
    if let Ok(request) = HandshakeRequest::parse(body) {
        if let Some(name) = &request.device_name {
            assert!(
                !name.is_empty() && name.chars().count() <= 64,
                "a name within its bounds"
            );
        }
        let _ = hub.agree(&request.client_public_key);
    }
}

/// Where every request comes from.
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The body of `/rpc/command` or `/rpc/query`, up to the plaintext.
///
/// Whoever the client is, it has one session, whose key is 32 times the byte 3; `corpus/envelope/opens` is sealed with
/// it.
pub fn envelope(body: &[u8]) {
    if let Ok(request) = EnvelopeRequest::parse(body) {
        let now = Instant::now();
        let sessions = SessionTable::new(SessionLimits::default());
        sessions.insert(request.client_id, &Secret::new([3; 32]), HERE, now);
        if let Ok(exchange) = sessions.open(request.client_id, HERE, Direction::Command, request.payload, now) {
            call(&exchange.plaintext);
        }
    }
}

/// An opened plaintext, as a command and as a query.
pub fn call(plaintext: &[u8]) {
    for kind in [Kind::Command, Kind::Query] {
        if let Ok(call) = Call::parse(kind, plaintext) {
            assert!(call.params.get().starts_with('{'), "parameters are an object");
        }
    }
}
