//! `hub-appliance held`: what phones sent and the hub could not take, and what the cloud does not have, for a technician, while
//! no hub runs on the data.

use clap::{Args, Subcommand};
use hub_appliance::appliance::desk::{Desk, DeskError};
use hub_appliance::appliance::held;

use super::{CommandError, OfHub, prompt, say};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List the rows, oldest first: id, time, table, reason, user, phone
    List(OfHub),
    /// List what the cloud does not have: since when, table, row, why
    Cloud(OfHub),
    /// Print one as it was sent: a patient's record
    Show(One),
    /// Store one, whatever its sender may; what waits for it goes with it
    Release(One),
    /// Remove one for good, and what is held only because it is
    Drop(One),
}

#[derive(Args)]
struct One {
    #[command(flatten)]
    of: OfHub,
    /// Its id in the list
    id: String,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    match &arguments.action {
        Action::List(of) => on(of, |desk| say_each(&held::list(&desk.store)?)),
        Action::Cloud(of) => on(of, |desk| say_each(&held::list_of_cloud(&desk.store)?)),
        Action::Show(One { of, id }) => on(of, |desk| {
            say(&held::show(&desk.store, id)?);
            Ok(())
        }),
        Action::Release(One { of, id }) => on(of, |desk| {
            held::release(&desk.store, id)?;
            say("released");
            Ok(())
        }),
        Action::Drop(One { of, id }) => on(of, |desk| {
            say(&format!("dropped: {}", held::drop(&desk.store, id)?));
            Ok(())
        }),
    }
}

fn say_each(lines: &[impl ToString]) -> Result<(), DeskError> {
    lines.iter().for_each(|line| say(&line.to_string()));
    Ok(())
}

fn on(OfHub { data }: &OfHub, work: impl FnOnce(&Desk) -> Result<(), DeskError>) -> Result<(), CommandError> {
    let desk = Desk::open(data, prompt::pin)?;
    let done = work(&desk);
    desk.close()?;
    Ok(done?)
}
