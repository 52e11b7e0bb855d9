//! `hub-appliance set-clock`: keeps the system's clock right for as long as it runs.

use std::path::Path;
use std::thread::park_timeout;
use std::time::Duration;

use hub_appliance::appliance;
use hub_appliance::clock::SystemClock;
use hub_appliance::system::ntp::{self, NtpError};

/// The first waits while nobody answers; the last one stays.
const RETRY_SECONDS: [u64; 4] = [2, 4, 16, 64];
/// Wait after a good answer: as long as the pool's servers ask of such clients at least.
const AGAIN: Duration = Duration::from_secs(34 * 60);

/// Sets it by the servers that `named` lists and by those called `usual`.
pub(crate) fn run(named: &Path, usual: &[String]) {
    let mut failures = 0;
    loop {
        let servers = ntp::servers(named, usual);
        match ntp::set_clock(&servers, &SystemClock, appliance::built_at()) {
            Ok(offset) => {
                tracing::info!(offset_ms = offset, "clock compared");
                failures = 0;
                wait(AGAIN);
            }
            Err(error @ NtpError::NoAnswer) => {
                tracing::debug!(%error, "clock");
                wait(Duration::from_secs(
                    RETRY_SECONDS[failures.min(RETRY_SECONDS.len() - 1)],
                ));
                failures += 1;
            }
            Err(error @ NtpError::Refused(_)) => {
                tracing::error!(%error, "clock");
                wait(AGAIN);
            }
        }
    }
}

/// Nobody wakes this thread; should it wake by itself, it asks a little early.
fn wait(time: Duration) {
    park_timeout(time);
}
