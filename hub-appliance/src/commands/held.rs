//! `hub-appliance held`: what phones sent and the hub could not take, and what the cloud does not have, for a technician, while no hub runs on the data.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use hub_appliance::appliance::desk::{Desk, DeskError};
use hub_appliance::appliance::held;

use super::{CommandError, prompt, say};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List the rows, oldest first: id, time, table, reason, user, phone
    List {
        /// Folder of the hub's data
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
    /// List what the cloud does not have: since when, table, row, why
    Cloud {
        /// Folder of the hub's data
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
    /// Print one as it was sent: a patient's record
    Show(One),
    /// Store one, whatever its sender may; what waits for it goes with it
    Release(One),
    /// Remove one for good, and what is held only because it is
    Drop(One),
}

#[derive(Args)]
struct One {
    /// Folder of the hub's data
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Its id in the list
    id: String,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    match &arguments.action {
        Action::List { data } => on(data, |desk| {
            for row in held::list(&desk.store)? {
                say(&row.to_string());
            }
            Ok(())
        }),
        Action::Cloud { data } => on(data, |desk| {
            for row in held::list_of_cloud(&desk.store)? {
                say(&row.to_string());
            }
            Ok(())
        }),
        Action::Show(One { data, id }) => on(data, |desk| {
            say(&held::show(&desk.store, id)?);
            Ok(())
        }),
        Action::Release(One { data, id }) => on(data, |desk| {
            held::release(&desk.store, id)?;
            say("released");
            Ok(())
        }),
        Action::Drop(One { data, id }) => on(data, |desk| {
            say(&format!("dropped: {}", held::drop(&desk.store, id)?));
            Ok(())
        }),
    }
}

fn on(data: &std::path::Path, work: impl FnOnce(&Desk) -> Result<(), DeskError>) -> Result<(), CommandError> {
    let desk = Desk::open(data, prompt::pin)?;
    let done = work(&desk);
    desk.close()?;
    Ok(done?)
}
