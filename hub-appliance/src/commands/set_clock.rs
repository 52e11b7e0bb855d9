//! `hub-appliance set-clock`: keeps the system's clock right for as long as it runs.

use std::path::PathBuf;
use std::thread::park_timeout;
use std::time::Duration;

use clap::Args;
use hub_appliance::appliance;
use hub_appliance::clock::SystemClock;
use hub_appliance::system::ntp::{self, NtpError};

use super::CommandError;

/// Of the public pool (<https://www.ntppool.org>).
const USUAL_TIME_SERVERS: [&str; 3] = ["0.pool.ntp.org", "1.pool.ntp.org", "2.pool.ntp.org"];
/// The first waits while nobody answers; the last one stays.
const RETRY_SECONDS: [u64; 4] = [2, 4, 16, 64];
/// Wait after a good answer: as long as the pool's servers ask of such clients at least.
const AGAIN: Duration = Duration::from_secs(34 * 60);

#[derive(Args)]
pub(crate) struct Arguments {
    /// File with the addresses of the network's own time servers, a line each; they come before all others
    #[arg(long, value_name = "FILE")]
    named: PathBuf,
    /// Time servers
    #[arg(long = "server", value_name = "NAME", default_values = USUAL_TIME_SERVERS)]
    servers: Vec<String>,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let mut failures = 0;
    loop {
        let servers = ntp::servers(&arguments.named, &arguments.servers);
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
