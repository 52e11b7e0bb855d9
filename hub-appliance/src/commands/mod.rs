//! The subcommands, one file each: what they are called with, what they do, what they print.
//!
//! A file has the command's arguments and `run`. To add one: its file here, an entry in [`Command`], and one in its two
//! methods. What fails is one [`CommandError`], which `main` prints; the exit status is then 1.

mod announce;
mod audit;
mod backup;
mod board_key;
mod courier;
mod data_disk;
mod error;
mod export;
mod for_the_hub;
mod held;
mod import;
mod prompt;
mod restore;
mod serve;
mod set_clock;
mod setup_file;
mod staff;
mod sticks;
mod unplug;
mod wrong_board;

use clap::Subcommand;
pub(crate) use error::CommandError;
use hub_appliance::system::calls::Keeps;

/// Which hub a command is about that works while none runs.
#[derive(clap::Args)]
struct OfHub {
    /// Folder of the hub's data
    #[arg(long, value_name = "DIR")]
    data: std::path::PathBuf,
}

/// What the program is to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Serve phones until told to end (SIGTERM, SIGINT).
    Serve(Box<serve::Arguments>),
    /// Announce a hub on the local network by multicast DNS: hikma-hub.local and _hikma-hub._tcp.
    Announce(announce::Arguments),
    /// Set the system's clock by NTP, again and again; the kernel then sets the clock chip.
    SetClock(set_clock::Arguments),
    /// Work on the disk that holds the hub's data, as root.
    DataDisk(data_disk::Arguments),
    /// Open USB sticks for the hub, as root.
    Sticks(sticks::Arguments),
    /// Work on the board's own key for the hub.
    BoardKey(board_key::Arguments),
    /// Read the owner's `hub-setup.toml` for the image's init.
    SetupFile(setup_file::Arguments),
    /// Say on the panel, for a while, that the plug may be pulled, and leave it dark.
    Unplug(unplug::Arguments),
    /// Say on the panel, for ever, that the card is for another board.
    WrongBoard(wrong_board::Arguments),
    /// Check the log of who did what, or write it out, while no hub runs on the data.
    Audit(audit::Arguments),
    /// Make a file of staff from a table, or check one: on a desk, without a hub.
    Staff(staff::Arguments),
    /// See to rows that phones sent and the hub could not take, while no hub runs on the data.
    Held(held::Arguments),
    /// Pack what no cloud has acknowledged for a courier, while no hub runs on the data.
    Export(export::Arguments),
    /// Deliver to the cloud what a courier brought from hubs, and answer: at the organisation's desk.
    Courier(Box<courier::Arguments>),
    /// Import a bundle of records (the shape of the cloud's pull answer), or an answer that a courier brought, while no hub
    /// runs on the data.
    Import(import::Arguments),
    /// Make a backup while no hub runs on the data: three are kept.
    Backup(backup::Arguments),
    /// Make a hub's data out of its newest backup, in a folder where there is no hub yet.
    Restore(restore::Arguments),
}

impl Command {
    /// Does it.
    ///
    /// # Errors
    /// What the command reports.
    pub(crate) fn run(self) -> Result<(), CommandError> {
        match self {
            Self::Serve(arguments) => serve::run(*arguments),
            Self::Announce(arguments) => announce::run(&arguments),
            Self::SetClock(arguments) => set_clock::run(&arguments),
            Self::DataDisk(arguments) => data_disk::run(&arguments),
            Self::Sticks(arguments) => sticks::run(&arguments),
            Self::BoardKey(arguments) => board_key::run(&arguments),
            Self::SetupFile(arguments) => setup_file::run(&arguments),
            Self::Unplug(arguments) => unplug::run(&arguments),
            Self::WrongBoard(arguments) => match wrong_board::run(&arguments)? {},
            Self::Audit(arguments) => audit::run(&arguments),
            Self::Staff(arguments) => staff::run(&arguments),
            Self::Held(arguments) => held::run(&arguments),
            Self::Export(arguments) => export::run(&arguments),
            Self::Courier(arguments) => courier::run(&arguments),
            Self::Import(arguments) => import::run(&arguments),
            Self::Backup(arguments) => backup::run(&arguments),
            Self::Restore(arguments) => restore::run(&arguments),
        }
    }

    /// Whether the process gets to see keys, passwords or records.
    pub(crate) const fn holds_secrets(&self) -> bool {
        !matches!(
            self,
            Self::Announce(_)
                | Self::SetClock(_)
                | Self::Sticks(_)
                | Self::SetupFile(_)
                | Self::Unplug(_)
                | Self::WrongBoard(_)
        )
    }

    /// Which calls of the kernel the process keeps, beside those that all need.
    pub(crate) const fn keeps(&self) -> Keeps {
        match self {
            Self::DataDisk(_) => Keeps::Disks,
            Self::Sticks(_) => Keeps::Mounts,
            Self::BoardKey(_) => Keeps::Least,
            _ => Keeps::Nothing,
        }
    }

    /// Whether the panel may be drawn on the very terminal that logs would go to.
    pub(crate) fn draws_on_the_terminal(&self) -> bool {
        matches!(self, Self::Serve(arguments) if arguments.draws_on_the_terminal())
    }
}

/// Prints a line of the command's answer.
#[allow(clippy::print_stdout, reason = "the answer to a command")]
fn say(message: &str) {
    println!("{message}");
}

/// Prints why something was not done, or what is wrong.
#[allow(clippy::print_stderr, reason = "the failure of a command")]
pub(crate) fn complain(message: &str) {
    eprintln!("hub-appliance: {message}");
}
