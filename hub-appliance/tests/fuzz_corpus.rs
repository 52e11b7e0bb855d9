//! Replays the corpus of every fuzz target through the function that the target calls.

use std::path::Path;

/// The functions that the targets call.
#[path = "../fuzz/src/lib.rs"]
pub mod targets;

fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        run(&std::fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 0, "no corpus for {target}");
}

#[test]
fn handshake() {
    replay("handshake", targets::handshake);
}

#[test]
fn envelope() {
    replay("envelope", targets::envelope);
}

#[test]
fn call() {
    replay("call", targets::call);
}

#[test]
fn key_slots() {
    replay("key_slots", targets::key_slots);
}

#[test]
fn manifest() {
    replay("manifest", targets::manifest);
}

#[test]
fn setup_file() {
    replay("setup_file", targets::setup_file);
}

#[test]
fn courier() {
    replay("courier", targets::courier);
}

#[test]
fn panel_line() {
    replay("panel_line", targets::panel_line);
}

#[test]
fn push() {
    replay("push", targets::push);
}
