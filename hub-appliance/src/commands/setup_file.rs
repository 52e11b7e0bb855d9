//! `hub-appliance setup-file`: reads the owner's `hub-setup.toml` for the image's init.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use hub_appliance::setup_file::SetupFile;

use super::{CommandError, complain, say};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    part: Part,
}

#[derive(Subcommand)]
enum Part {
    /// Print the hub's own address, checked, a word and a value a line; nothing if a router is to give one.
    Network {
        /// The file; it need not be there
        file: PathBuf,
    },
}

pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let Part::Network { file } = &arguments.part;
    print_network(file)
}

fn print_network(file: &Path) -> Result<(), CommandError> {
    let settled = SetupFile::read(file)?;
    for mistake in &settled.mistakes {
        complain(&mistake.to_string());
    }
    if let Some(network) = settled.network {
        say(network.to_string().trim_end());
    }
    Ok(())
}
