//! `hub-appliance`: serves a clinic's phones, or imports a bundle of records.

use std::io::{IsTerminal, stderr, stdin};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use hub_appliance::appliance::{self, ApplianceError, Config};
use hub_appliance::board::{self, BoardKind};
use hub_appliance::keys::{Pin, harden_process};
use hub_appliance::secret::SecretText;
use nix::sys::stat::{Mode, umask};
use tracing_subscriber::EnvFilter;

mod prompt;

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
        /// Address and port for the phones
        #[arg(long, value_name = "ADDR:PORT", default_value = "0.0.0.0:4001")]
        listen: SocketAddr,
        /// terminal, serial or raspberry-pi; detected if not given
        #[arg(long)]
        board: Option<BoardKind>,
        /// Socket or character device of board serial
        #[arg(long, value_name = "PATH")]
        panel: Option<PathBuf>,
        /// Bundle of records to import when the store is opened and has no users yet
        #[arg(long, value_name = "FILE")]
        first_import: Option<PathBuf>,
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
    let outcome = match arguments.command {
        Command::Serve {
            data,
            listen,
            board,
            panel,
            first_import,
        } => {
            let desk = board != Some(BoardKind::RaspberryPi);
            let config = Config {
                listen,
                first_import,
                desk,
                ..Config::new(data)
            };
            serve(config, board, panel.as_deref())
        }
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

fn serve(config: Config, board: Option<BoardKind>, panel: Option<&std::path::Path>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the operating system gave no threads: {error}"))?;
    let outcome = board::open(board, panel)
        .map_err(ApplianceError::from)
        .and_then(|board| runtime.block_on(appliance::run(config, board)));
    // What has not ended by now must not keep the process, and with it the keys, alive.
    runtime.shutdown_background();
    outcome.map_err(|error| error.to_string())
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
    let drawn_upon = matches!(
        command,
        Command::Serve {
            board: None | Some(BoardKind::Terminal),
            ..
        }
    );
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
