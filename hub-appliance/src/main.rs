//! `hub-appliance`: serves a clinic's phones, imports a bundle of records, and does what the image's init needs.

use std::convert::Infallible;
use std::io::{IsTerminal, stderr, stdin};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, Subcommand};
use hub_appliance::appliance::{self, ApplianceError, Config, Ending};
use hub_appliance::board::{self, Board, BoardKind};
use hub_appliance::keys::{Pin, harden_process};
use hub_appliance::panel::Notice;
use hub_appliance::secret::{SecretText, wipe_stack};
use hub_appliance::setup_file::{SetupFile, SetupFileError};
use hub_appliance::system::announce;
use hub_appliance::system::data_disk::Helper;
use hub_appliance::system::memory::{WipingAllocator, wipe_freed_database_memory};
use hub_appliance::system::power::Power;
use hub_appliance::system::release::Release;
use nix::sys::stat::{Mode, umask};
use tracing_subscriber::EnvFilter;

mod data_disk;
mod prompt;
mod set_clock;

/// Of the public pool (<https://www.ntppool.org>).
const USUAL_TIME_SERVERS: [&str; 3] = ["0.pool.ntp.org", "1.pool.ntp.org", "2.pool.ntp.org"];

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
        /// The panel: adafruit-bonnet, waveshare-1.3, four-buttons or four-buttons-128; as the setup file says, else
        /// detected, if not given
        #[arg(long, value_name = "NAME")]
        panel_profile: Option<String>,
        /// The owner's `hub-setup.toml`; it need not be there
        #[arg(long, value_name = "FILE")]
        setup_file: Option<PathBuf>,
        /// Bundle of records to import when the store is opened and has no users yet
        #[arg(long, value_name = "FILE")]
        first_import: Option<PathBuf>,
        /// File that shows a watchdog that the hub moves on
        #[arg(long, value_name = "FILE")]
        progress: Option<PathBuf>,
        /// Milliseconds of the processor that checking a PIN is to take; never less than three passes over 64 MiB
        #[arg(long, value_name = "MS", default_value_t = 1000)]
        unlock_time: u64,
        /// Named pipe of the service that lets the hub out to the cloud, once one is named
        #[arg(long, value_name = "PIPE")]
        cloud_way: Option<PathBuf>,
        /// Named pipe of the service that switches the power off; without one, switching off ends the program
        #[arg(long, value_name = "PIPE")]
        power: Option<PathBuf>,
    },
    /// Announce a hub on the local network by multicast DNS: hikma-hub.local and _hikma-hub._tcp.
    Announce {
        /// The phones' port
        #[arg(long, default_value_t = 4001)]
        port: u16,
    },
    /// Set the system's clock by NTP, again and again; the kernel then sets the clock chip.
    SetClock {
        /// File with the addresses of the network's own time servers, a line each; they come before all others
        #[arg(long, value_name = "FILE")]
        named: PathBuf,
        /// Time servers
        #[arg(long = "server", value_name = "NAME", default_values = USUAL_TIME_SERVERS)]
        servers: Vec<String>,
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
    /// Read the owner's `hub-setup.toml` for the image's init.
    SetupFile {
        #[command(subcommand)]
        part: SetupFilePart,
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

#[derive(Subcommand)]
enum SetupFilePart {
    /// Print the hub's own address, checked, a word and a value a line; nothing if a router is to give one.
    Network {
        /// The file; it need not be there
        file: PathBuf,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log_to_stderr(&arguments.command);
    // Nothing that the hub makes is for anybody else.
    umask(Mode::from_bits_truncate(0o077));
    if arguments.command.holds_secrets() {
        harden();
    }
    let outcome = match arguments.command {
        Command::Serve {
            data,
            data_disk,
            listen,
            board,
            panel,
            panel_profile,
            setup_file,
            first_import,
            progress,
            unlock_time,
            cloud_way,
            power,
        } => {
            let board = board.unwrap_or_else(board::detect);
            let mut config = Config {
                listen,
                first_import,
                progress,
                unlock_time: Duration::from_millis(unlock_time),
                cloud_way,
                desk: board != BoardKind::RaspberryPi && data_disk.is_none(),
                setup_file: setup_file.clone(),
                release: Release::read(Path::new("/")),
                ..Config::new(data)
            };
            let settled = setup_file.map_or_else(SetupFile::default, |file| settle(&file, &mut config));
            let profile = panel_profile.as_deref().or(settled.profile);
            if let Some(socket) = data_disk {
                config.disk = Arc::new(Helper::at(socket));
            }
            board::open(board, panel.as_deref(), profile)
                .map_err(|error| error.to_string())
                .and_then(|board| serve(config, board, power.as_deref()))
        }
        Command::Announce { port } => announce::announce(port)
            .map(|_: Infallible| ())
            .map_err(|error| error.to_string()),
        Command::SetClock { named, servers } => {
            set_clock::run(&named, &servers);
            Ok(())
        }
        Command::DataDisk { data, user, action } => data_disk::run(&action, &data, &user),
        Command::SetupFile {
            part: SetupFilePart::Network { file },
        } => print_network(&file),
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

/// Takes over what the owner's file settles. A mistake in it stops nothing: the console and the panel tell it.
fn settle(file: &Path, config: &mut Config) -> SetupFile {
    match SetupFile::read(file) {
        Ok(settled) => {
            config.language = settled.language.unwrap_or(config.language);
            for mistake in &settled.mistakes {
                complain(&mistake.to_string());
            }
            config.notice = settled
                .mistakes
                .first()
                .map(|mistake| Notice::SetupFile { line: mistake.line() });
            settled
        }
        Err(error) => {
            complain(&error.to_string());
            config.notice = Some(match error {
                SetupFileError::Several => Notice::SeveralSetupFiles,
                error => Notice::SetupFile { line: error.line() },
            });
            SetupFile::default()
        }
    }
}

fn print_network(file: &Path) -> Result<(), String> {
    let settled = SetupFile::read(file).map_err(|error| error.to_string())?;
    for mistake in &settled.mistakes {
        complain(&mistake.to_string());
    }
    if let Some(network) = settled.network {
        say(network.to_string().trim_end());
    }
    Ok(())
}

impl Command {
    /// Whether the process gets to see keys, passwords or records.
    const fn holds_secrets(&self) -> bool {
        !matches!(
            self,
            Self::Announce { .. } | Self::SetClock { .. } | Self::SetupFile { .. }
        )
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

fn serve(config: Config, board: Box<dyn Board>, power: Option<&Path>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .on_thread_park(wipe_stack)
        .build()
        .map_err(|error| format!("the operating system gave no threads: {error}"))?;
    let outcome = runtime.block_on(appliance::run(config, board));
    // What has not ended by now must not keep the process, and with it the keys, alive.
    runtime.shutdown_background();
    match (&outcome, power) {
        (Ok(Ending::PowerOff), Some(pipe)) => switch(Power::Off, pipe)?,
        // Of a lock that did not end keys may be anywhere in memory: only starting anew is sure to wipe them.
        (Ok(Ending::Restart) | Err(ApplianceError::LockTimeout), Some(pipe)) => switch(Power::Restart, pipe)?,
        _ => {}
    }
    outcome.map(|_| ()).map_err(|error| error.to_string())
}

/// Asks for it and waits for the signal that it brings, for a hub that ended before would be started again.
fn switch(power: Power, pipe: &Path) -> Result<(), String> {
    power
        .ask(pipe)
        .map_err(|error| format!("the power stays as it is: {error}"))?;
    nix::unistd::pause();
    Ok(())
}

fn import(data: &Path, file: &Path) -> Result<(), String> {
    let summary = appliance::import::import(data, file, ask_pin).map_err(|error| error.to_string())?;
    for [one, other] in &summary.same_email {
        say(&format!(
            "one e-mail address for two users, {one} and {other}: give each their own"
        ));
    }
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
        _ => false,
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
