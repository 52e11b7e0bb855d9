//! `hub-appliance serve`: the hub itself, until it is told to end or to switch off.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use hub_appliance::appliance::{self, ApplianceError, Config, Ending};
use hub_appliance::board::{self, Board, BoardKind};
use hub_appliance::panel::Notice;
use hub_appliance::secret::wipe_stack;
use hub_appliance::setup_file::{SetupFile, SetupFileError};
use hub_appliance::system::data_disk::Helper;
use hub_appliance::system::power::Power;
use hub_appliance::system::release::Release;
use hub_appliance::system::supply::Sensors;

use super::{CommandError, board_key, complain, sticks};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Folder of the hub's data
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Socket of `data-disk serve`, where the data lies on a disk of its own
    #[arg(long, value_name = "SOCKET")]
    data_disk: Option<PathBuf>,
    #[command(flatten)]
    sticks: sticks::Source,
    #[command(flatten)]
    board_key: board_key::Source,
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
    /// Milliseconds between two writings to the backup stick
    #[arg(long, value_name = "MS", default_value_t = 30_000, hide = true)]
    backup_interval: u64,
    /// Milliseconds that the system's clock is taken to be behind, as in a box without network and clock chip
    #[arg(long, value_name = "MS", default_value_t = 0, hide = true)]
    clock_behind: u64,
    /// Where the kernel tells of the board's supply and heat
    #[arg(long, value_name = "DIR", default_value = "/sys")]
    sys: PathBuf,
    /// Named pipe of the service that switches the power off; without one, switching off ends the program
    #[arg(long, value_name = "PIPE")]
    power: Option<PathBuf>,
}

impl Arguments {
    fn board(&self) -> BoardKind {
        self.board.unwrap_or_else(board::detect)
    }

    pub(super) fn draws_on_the_terminal(&self) -> bool {
        self.board() == BoardKind::Terminal
    }
}

pub(super) fn run(arguments: Arguments) -> Result<(), CommandError> {
    let board = arguments.board();
    let mut config = Config {
        listen: arguments.listen,
        first_import: arguments.first_import,
        progress: arguments.progress,
        unlock_time: Duration::from_millis(arguments.unlock_time),
        clock_behind: Duration::from_millis(arguments.clock_behind),
        cloud_way: arguments.cloud_way,
        sensors: Sensors::below(&arguments.sys),
        desk: board != BoardKind::RaspberryPi && arguments.data_disk.is_none(),
        setup_file: arguments.setup_file.clone(),
        release: Release::read(Path::new("/")),
        sticks: arguments.sticks.sticks(),
        board_key: arguments.board_key.board_key(),
        backup_interval: Duration::from_millis(arguments.backup_interval),
        ..Config::new(arguments.data)
    };
    let settled = arguments
        .setup_file
        .map_or_else(SetupFile::default, |file| settle(&file, &mut config));
    let profile = arguments.panel_profile.as_deref().or(settled.profile);
    if let Some(socket) = arguments.data_disk {
        config.disk = Arc::new(Helper::at(socket));
    }
    let mut board = board::open(board, arguments.panel.as_deref(), profile)?;
    if let Some(signal) = settled.signal {
        board.wire(signal);
    }
    serve(config, board, arguments.power.as_deref())
}

/// Takes over what the owner's file settles. A mistake in it stops nothing: the console and the panel tell it.
fn settle(file: &Path, config: &mut Config) -> SetupFile {
    match SetupFile::read(file) {
        Ok(settled) => {
            config.language = settled.language.unwrap_or(config.language);
            config.help.clone_from(&settled.help);
            config.numerals = settled.numerals;
            config.lock = settled.lock.clone();
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

fn serve(config: Config, board: Box<dyn Board>, power: Option<&Path>) -> Result<(), CommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .on_thread_park(wipe_stack)
        .build()
        .map_err(CommandError::Threads)?;
    let outcome = runtime.block_on(appliance::run(config, board));
    // What has not ended by now must not keep the process, and with it the keys, alive.
    runtime.shutdown_background();
    match (&outcome, power) {
        (Ok(Ending::PowerOff), Some(pipe)) => switch(Power::Off, pipe)?,
        // Of a lock that did not end keys may be anywhere in memory: only starting anew is sure to wipe them.
        (Ok(Ending::Restart) | Err(ApplianceError::LockTimeout), Some(pipe)) => switch(Power::Restart, pipe)?,
        _ => {}
    }
    outcome?;
    Ok(())
}

/// Asks for it and waits for the signal that it brings, for a hub that ended before would be started again.
fn switch(power: Power, pipe: &Path) -> Result<(), CommandError> {
    power.ask(pipe).map_err(CommandError::Power)?;
    nix::unistd::pause();
    Ok(())
}
