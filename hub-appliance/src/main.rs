//! `hub-appliance`: serves a clinic's phones, imports a bundle of records, or works on the data disk.

use std::io::{IsTerminal, stderr, stdin};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use hub_appliance::appliance::{self, ApplianceError, Config, Ending};
use hub_appliance::board::{self, Board, BoardKind};
use hub_appliance::keys::{Pin, harden_process};
use hub_appliance::secret::{SecretText, wipe_stack};
use hub_appliance::system::data_disk::Helper;
use hub_appliance::system::memory::{WipingAllocator, wipe_freed_database_memory};
use hub_appliance::system::power;
use nix::sys::stat::{Mode, umask};
use tracing_subscriber::EnvFilter;

mod data_disk;
mod prompt;

#[global_allocator]
static ALLOCATOR: WipingAllocator = WipingAllocator::new();

/// The clinic hub: lets the phones of a clinic share patients' records on a local network.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve phones until told to end (SIGTERM, SIGINT).
    Serve {
        /// Folder of the hub's data
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Socket of `data-disk serve`, where the data lies on a disk of its own
        #[arg(long, value_name = "SOCKET")]
        data_disk: Option<PathBuf>,
        /// Address and port for the phones
        #[arg(long, value_name = "ADDR:PORT", default_value = "0.0.0.0:4001")]
        listen: SocketAddr,
        /// terminal, serial or raspberry-pi; detected if not given
        #[arg(long)]
        board: Option<BoardKind>,
        /// Socket or character device of board serial
        #[arg(long, value_name = "PATH")]
        panel: Option<PathBuf>,
        /// Wiring of board raspberry-pi: adafruit-bonnet, waveshare-1.3 or four-buttons; detected if not given
        #[arg(long, value_name = "NAME")]
        panel_profile: Option<String>,
        /// Bundle of records to import when the store is opened and has no users yet
        #[arg(long, value_name = "FILE")]
        first_import: Option<PathBuf>,
    },
    /// Work on the disk that holds the hub's data, as root.
    DataDisk {
        /// Folder of the hub's data
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// User of the hub
        #[arg(long, value_name = "NAME", default_value = "hub")]
        user: String,
        #[command(subcommand)]
        action: data_disk::Action,
    },
    /// Import a bundle of records (the shape of the cloud's pull answer) while no hub runs on the data.
    Import {
        /// Folder of the hub's data
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// The bundle
        file: PathBuf,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log_to_stderr(&arguments.command);
    // Nothing that the hub makes is for anybody else.
    umask(Mode::from_bits_truncate(0o077));
    match harden_process() {
        Ok(hardening) => tracing::info!(memory_locked = hardening.memory_locked, "process hardened"),
        Err(error) => tracing::warn!(%error, "core dumps could not be switched off"),
    }
    if let Err(error) = wipe_freed_database_memory() {
        tracing::warn!("{error}");
    }
    let outcome = match arguments.command {
        Command::Serve {
            data,
            data_disk,
            listen,
            board,
            panel,
            panel_profile,
            first_import,
        } => {
            let board = board.unwrap_or_else(board::detect);
            let mut config = Config {
                listen,
                first_import,
                desk: board != BoardKind::RaspberryPi && data_disk.is_none(),
                ..Config::new(data)
            };
            if let Some(socket) = data_disk {
                config.disk = Arc::new(Helper::at(socket));
            }
            let desk = config.desk;
            board::open(board, panel.as_deref(), panel_profile.as_deref())
                .map_err(|error| error.to_string())
                .and_then(|board| serve(config, board))
                .and_then(|ending| switch_off(ending, desk))
        }
        Command::DataDisk { data, user, action } => data_disk::run(&action, &data, &user),
        Command::Import { data, file } => import(&data, &file),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            complain(&message);
            ExitCode::FAILURE
        }
    }
}

fn serve(config: Config, board: Box<dyn Board>) -> Result<Ending, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .on_thread_park(wipe_stack)
        .build()
        .map_err(|error| format!("the operating system gave no threads: {error}"))?;
    let outcome = runtime.block_on(appliance::run(config, board));
    // What has not ended by now must not keep the process, and with it the keys, alive.
    runtime.shutdown_background();
    outcome.map_err(|error| error.to_string())
}

/// Does what the hub ended for. On a desk, power off is the end of the program.
fn switch_off(ending: Ending, desk: bool) -> Result<(), String> {
    match ending {
        Ending::PowerOff if !desk => power::off().map_err(|error| format!("the power stays on: {error}")),
        Ending::PowerOff | Ending::Told => Ok(()),
    }
}

fn import(data: &std::path::Path, file: &std::path::Path) -> Result<(), String> {
    let summary = appliance::import::import(data, file, ask_pin).map_err(|error| error.to_string())?;
    say(&format!(
        "imported: {}; already there: {}; of other clinics: {}; held: {}",
        summary.written.iter().map(|(_, rows)| rows).sum::<usize>(),
        summary.unchanged,
        summary.foreign,
        summary.held
    ));
    Ok(())
}

fn ask_pin() -> Result<Pin, ApplianceError> {
    let typed: SecretText = prompt::secret("PIN: ").map_err(ApplianceError::Console)?;
    Pin::parse(typed.expose()).map_err(|_| ApplianceError::Pin)
}

/// Logs go to standard error, unless the board draws on that very terminal.
fn log_to_stderr(command: &Command) {
    let drawn_upon = match command {
        Command::Serve { board, .. } => board.unwrap_or_else(board::detect) == BoardKind::Terminal,
        Command::DataDisk { .. } | Command::Import { .. } => false,
    };
    if drawn_upon && stderr().is_terminal() && stdin().is_terminal() {
        return;
    }
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(false)
        .init();
}

#[allow(clippy::print_stdout, reason = "the answer to a command")]
fn say(message: &str) {
    println!("{message}");
}

#[allow(clippy::print_stderr, reason = "the failure of a command")]
fn complain(message: &str) {
    eprintln!("hub-appliance: {message}");
}
