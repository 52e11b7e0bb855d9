//! `hub-appliance staff`: makes a file of staff from a table, and checks one. On a desk, without a hub.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use hub_appliance::clock::{HubTime, SystemClock, TimeSource as _};
use hub_appliance::staff_file::{self, Clinics, Staff, StaffFileError};

use super::{CommandError, say};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Make a clinic.json from a table (CSV: name, email, role, clinic, rights, password, leaves)
    Make {
        /// The table
        table: PathBuf,
        /// The file to make; it must not be there
        #[arg(long, value_name = "FILE", default_value = "clinic.json")]
        out: PathBuf,
        /// A file with the clinics that there are, the clinic.json that the clinic began with say; without it the hub looks
        /// for them by name
        #[arg(long, value_name = "FILE", conflicts_with = "new_clinics")]
        clinics: Option<PathBuf>,
        /// A clinic that no hub knows yet
        #[arg(long = "new-clinic", value_name = "NAME")]
        new_clinics: Vec<String>,
    },
    /// Check a clinic.json
    Check {
        /// The file
        file: PathBuf,
    },
}

pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    match &arguments.action {
        Action::Make {
            table,
            out,
            clinics,
            new_clinics,
        } => {
            let known = match clinics {
                Some(file) => of(file, open(file).and_then(Clinics::of_file))?,
                None => Clinics::default(),
            };
            let known = new_clinics.iter().fold(known, |known, name| known.with_new(name));
            let now = HubTime::from_millis(SystemClock.millis());
            let (made, staff) = of(
                table,
                open(table).and_then(|table| staff_file::make(table, &known, now)),
            )?;
            let mut file = OpenOptions::new();
            let written = file
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(out)
                .and_then(|mut file| file.write_all(made.as_bytes()).and_then(|()| file.sync_all()));
            of(out, written.map_err(StaffFileError::from))?;
            tell(out, staff);
            say("The table has passwords in the clear: delete it once they are handed out.");
        }
        Action::Check { file } => tell(file, of(file, open(file).and_then(staff_file::check))?),
    }
    Ok(())
}

fn open(file: &Path) -> Result<File, StaffFileError> {
    Ok(File::open(file)?)
}

fn of<T>(file: &Path, outcome: Result<T, StaffFileError>) -> Result<T, CommandError> {
    outcome.map_err(|error| CommandError::StaffFile {
        file: file.to_owned(),
        error,
    })
}

fn tell(file: &Path, staff: Staff) {
    let Staff { stay, leave, passwords } = staff;
    say(&format!(
        "{}: {stay} users, {leave} leave, {passwords} passwords",
        file.display()
    ));
}
