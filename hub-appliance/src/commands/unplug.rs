//! `hub-appliance unplug`: the last that a box does before it loses power. To be called when nothing is written any more: it
//! says on the panel that the plug may be pulled, for a while, and leaves the panel dark.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use hub_appliance::appliance;
use hub_appliance::board::{self, BoardKind, Picture};
use hub_appliance::panel::{About, Brightness, Frame, Panel, Phase, Status};
use hub_appliance::setup_file::SetupFile;

use super::CommandError;

#[derive(Args)]
pub(crate) struct Arguments {
    /// terminal, serial or raspberry-pi; detected if not given
    #[arg(long)]
    board: Option<BoardKind>,
    /// Socket or character device of board serial
    #[arg(long, value_name = "PATH")]
    panel: Option<PathBuf>,
    /// Folder with the hub's public facts, which know the language that a person chose
    #[arg(long, value_name = "DIR")]
    facts: PathBuf,
    /// The owner's `hub-setup.toml`; it need not be there
    #[arg(long, value_name = "FILE")]
    setup_file: Option<PathBuf>,
    /// How long it says so, in seconds
    #[arg(long, value_name = "S", default_value_t = 20)]
    seconds: u64,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let kind = arguments.board.unwrap_or_else(board::detect);
    // The hub has told what is wrong with it.
    let settled = arguments.setup_file.as_deref().map(SetupFile::read);
    let settled = settled.and_then(Result::ok).unwrap_or_default();
    let mut board = board::open(kind, arguments.panel.as_deref(), settled.profile)?;
    let chosen = appliance::chosen_language(&arguments.facts);
    let status = Status {
        phase: Phase::Unplug,
        about: About::default(),
        language: chosen.or(settled.language).unwrap_or_default(),
        numerals: settled.numerals,
        notice: None,
        answered: 0,
    };
    // No PIN is typed, so it matters to nobody which digit a pad begins with.
    let mut panel = Panel::new(0);
    let mut frame = Frame::new(board.resolution());
    let began = Instant::now();
    let end = Duration::from_secs(arguments.seconds);
    panel.update(&status, Duration::ZERO);
    loop {
        let now = began.elapsed();
        let is_over = now >= end;
        let text = panel.render(&status, now, &mut frame);
        board.show(&Picture {
            frame: &frame,
            text: &text,
            brightness: if is_over { Brightness::Off } else { Brightness::Full },
            beacon: status.beacon(),
        })?;
        if is_over {
            return Ok(());
        }
        // Whatever is pressed now means nothing any more.
        board.next_event(Some(end.saturating_sub(now)))?;
    }
}
