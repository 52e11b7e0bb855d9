//! `hub-appliance wrong-board`: says on the panel that the card is for another board, for as long as it runs. Nothing else
//! of a hub is started then: there is no disk, no network and no key.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use hub_appliance::board::{self, BoardKind, Picture};
use hub_appliance::panel::{About, Fault, Frame, Language, Numerals, Panel, Phase, Status};
use hub_appliance::system::release::Release;

use super::CommandError;

/// How long it is said in one language: nobody has chosen one.
const TURN: Duration = Duration::from_secs(6);

#[derive(Args)]
pub(crate) struct Arguments {
    /// terminal, serial or raspberry-pi; detected if not given
    #[arg(long)]
    board: Option<BoardKind>,
    /// Socket or character device of board serial
    #[arg(long, value_name = "PATH")]
    panel: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Infallible, CommandError> {
    let kind = arguments.board.unwrap_or_else(board::detect);
    let mut board = board::open(kind, arguments.panel.as_deref(), None)?;
    let release = Release::read(Path::new("/"));
    let mut status = Status {
        phase: Phase::Fault(Fault::WrongBoard),
        about: About {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            revision: release.revision(),
            is_development: release.is_development,
            ..About::default()
        },
        language: Language::default(),
        numerals: Numerals::default(),
        notice: None,
        answered: 0,
    };
    // No PIN is typed, so it matters to nobody which digit a pad begins with.
    let mut panel = Panel::new(0);
    let mut frame = Frame::new(board.resolution());
    let started = Instant::now();
    loop {
        let now = started.elapsed();
        let turn = usize::try_from(now.as_secs() / TURN.as_secs()).unwrap_or(0);
        status.language = Language::ALL[turn % Language::ALL.len()];
        panel.update(&status, now);
        let text = panel.render(&status, now, &mut frame);
        board.show(&Picture {
            frame: &frame,
            text: &text,
            brightness: panel.brightness(now),
            beacon: status.beacon(),
        })?;
        let next = panel.next_wake(now).map_or(TURN, |wake| wake.min(TURN));
        match board.next_event(Some(next))? {
            Some(board::Event::Touch | board::Event::Input(_)) => panel.touch(&status, started.elapsed()),
            Some(board::Event::Quit) | None => {}
        }
    }
}
