//! `hub-appliance`: from its arguments to one of its commands.

use std::io::{IsTerminal, stderr, stdin};
use std::process::ExitCode;

use clap::Parser;
use commands::{Command, complain};
use hub_appliance::keys::harden_process;
use hub_appliance::system::calls::give_up_all_but;
use hub_appliance::system::memory::{WipingAllocator, wipe_freed_database_memory};
use nix::sys::stat::{Mode, umask};
use tracing_subscriber::EnvFilter;

mod commands;

#[global_allocator]
static ALLOCATOR: WipingAllocator = WipingAllocator::new();

/// The clinic hub: lets the phones of a clinic share patients' records on a local network.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    log_to_stderr(&command);
    // Nothing that the hub makes is for anybody else.
    umask(Mode::from_bits_truncate(0o077));
    if command.holds_secrets() {
        harden();
    }
    if let Err(error) = give_up_all_but(command.keeps()) {
        tracing::warn!("{error}");
    }
    match command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn harden() {
    if let Err(error) = wipe_freed_database_memory() {
        tracing::warn!("{error}");
    }
    match harden_process() {
        Ok(hardening) => tracing::info!(memory_locked = hardening.memory_locked, "process hardened"),
        Err(error) => tracing::warn!(%error, "core dumps could not be switched off"),
    }
}

/// Logs go to standard error, unless the board draws on that very terminal.
fn log_to_stderr(command: &Command) {
    if command.draws_on_the_terminal() && stderr().is_terminal() && stdin().is_terminal() {
        return;
    }
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(false)
        .init();
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_options_of_all_commands_go_together() {
        super::Arguments::command().debug_assert();
    }
}
