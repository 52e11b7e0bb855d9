//! `hub-appliance announce`: tells the local network where a hub is, for as long as it runs.

use clap::Args;
use hub_appliance::system::announce;

use super::CommandError;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The phones' port
    #[arg(long, default_value_t = 4001)]
    port: u16,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    match announce::announce(arguments.port)? {}
}
