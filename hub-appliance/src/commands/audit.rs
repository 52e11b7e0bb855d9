//! `hub-appliance audit`: the log of who did what, checked or written out, while no hub runs on the data.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use hub_appliance::appliance::ApplianceError;
use hub_appliance::appliance::desk::Desk;
use hub_appliance::appliance::export::{self, Format, Since};

use super::{CommandError, OfHub, complain, prompt, say};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Check every entry, and that the signed end is there; fails where the log is not whole
    Verify(OfHub),
    /// Write the entries out, in their order
    Export {
        #[command(flatten)]
        of: OfHub,
        /// The first day (2026-03-31) or moment (2026-03-31T08:00:00Z), by UTC; else all that is kept
        #[arg(long, value_name = "TIME")]
        since: Option<Since>,
        /// jsonl: a JSON object a line; csv: for a spreadsheet
        #[arg(long)]
        format: Format,
        /// A new file to write to, for its owner alone; else standard output
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
}

pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    match &arguments.action {
        Action::Verify(OfHub { data }) => {
            let desk = Desk::open(data, prompt::pin)?;
            let known = desk.store.audit_broken().map_err(ApplianceError::from)?;
            let checked = desk.verify_log()?;
            if let Some(entry) = known {
                complain(&format!(
                    "the log was found broken before, at entry {entry}: its entries `audit.verify` say when"
                ));
            }
            desk.close()?;
            match checked.broken {
                Some(broken) => Err(CommandError::LogBroken(broken)),
                None => {
                    say(&format!("the log is whole: {} entries", checked.entries));
                    Ok(())
                }
            }
        }
        Action::Export {
            of: OfHub { data },
            since,
            format,
            to,
        } => {
            let desk = Desk::open(data, prompt::pin)?;
            let mut out: Box<dyn Write> = match to {
                Some(file) => Box::new(
                    OpenOptions::new()
                        .write(true)
                        .create_new(true)
                        .mode(0o600)
                        .open(file)
                        .map_err(CommandError::Output)?,
                ),
                None => Box::new(io::stdout().lock()),
            };
            let mut buffered = BufWriter::new(&mut out);
            let entries = export::log(&desk.store, since.unwrap_or_default(), *format, &mut buffered)?;
            buffered.flush().map_err(CommandError::Output)?;
            let found = desk.found();
            desk.close()?;
            complain(&format!("{entries} entries written"));
            // What is kept is written out all the same.
            found.map_or(Ok(()), |broken| Err(CommandError::LogBroken(broken)))
        }
    }
}
