//! What the fuzz targets call, one function a target: bytes from a phone, a stick, a card or a panel's socket go in, and
//! nothing may panic.
//!
//! The replay of the corpus in `tests/fuzz_corpus.rs` includes this file, so that what a fuzzer once found stays
//! tested by an ordinary `cargo test` on a stable compiler.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Instant;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hub_appliance::backup::Manifest;
use hub_appliance::board::serial::parse_line;
use hub_appliance::keys::count_slots;
use hub_appliance::relay::courier::{Header, read_contents};
use hub_appliance::secret::Secret;
use hub_appliance::setup_file::SetupFile;
use hub_appliance::store::sync::push::Push;
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

/// The parameters of `sync_push`, which is where most of what phones send stands.
pub fn push(parameters: &[u8]) {
    if let Ok(parameters) = std::str::from_utf8(parameters)
        && let Ok(push) = Push::parse(parameters)
    {
        assert!(push.last_pulled_at().is_finite(), "a number to reckon with");
        let _ = push.is_forced(parameters);
    }
}

/// `keyslots.json`: as it stands, and as the body of a file whose checksum fits.
pub fn key_slots(content: &[u8]) {
    /// More slots no hub has.
    const MOST: usize = 16;
    let count = |content: &[u8]| {
        if let Ok(slots) = count_slots(content) {
            assert!(slots <= MOST, "a bounded number of slots");
        }
    };
    count(content);
    if let Ok(body) = std::str::from_utf8(content) {
        use sha2::Digest as _;
        let checksum = BASE64_URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(format!("1\n{body}")));
        count(format!(r#"{{"version":1,"sha256":"{checksum}","body":{body}}}"#).as_bytes());
    }
}

/// `manifest.json` of a backup.
pub fn manifest(content: &[u8]) {
    if let Ok(manifest) = Manifest::parse(content) {
        let _ = manifest.made_at();
    }
}

/// The owner's `hub-setup.toml`.
pub fn setup_file(content: &[u8]) {
    match SetupFile::parse(content.to_vec(), Path::new("/nowhere")) {
        Ok(file) => {
            for mistake in &file.mistakes {
                assert!(!mistake.to_string().is_empty(), "a mistake is told");
            }
        }
        Err(error) => assert!(!error.to_string().is_empty(), "a mistake is told"),
    }
}

/// A bundle that a courier carries: its head, and what is in it once it was opened.
pub fn courier(bundle: &[u8]) {
    let _ = Header::parse(bundle);
    let mut records = 0_usize;
    let mut input = bundle;
    let read = read_contents(&mut input, &mut |_| {
        records += 1;
        Ok(())
    });
    if read.is_ok() {
        assert!(
            records > 0 && input.is_empty(),
            "a whole bundle has a head, and ends where it says so"
        );
    }
}

/// A line to a panel that is a socket.
pub fn panel_line(line: &[u8]) {
    let _ = parse_line(line);
}
