//! The board's own key in the life of the box: it opens a locked hub when the box starts, is asked for beside the PIN, and is
//! programmed when a person wants that, asked twice.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::errand::Stage;
use super::log::audit;
use super::ticks::REFRESH;
use super::unlocking::blocking_unlock;
use super::{Life, State, blocking};
use crate::keys::{BoardKey, MasterKey, Pin, Way};
use crate::panel::{Errand, ErrandEnd, Lacks, Phase, Question, Unlocking, Ways};
use crate::secret::wiping_stack;
use crate::system::board_key::{self as system, BoardKeyError, BoardKeyState};

/// For how many ticks after the hub's start the board is asked at each, until it answers.
const STARTING: u32 = 60;

/// What is known of the board's key.
#[derive(Debug, Default)]
pub(super) struct BoardWatch {
    seen: Arc<Mutex<Seen>>,
    is_looking: Arc<AtomicBool>,
    /// Whether this hub was opened or locked since the box was started: from then on only a person opens it.
    is_over: bool,
    /// How this box could open the hub, where the key of another one did so before the recovery code had to.
    offers: Option<Unlocking>,
}

/// What the board said of its key.
#[derive(Clone, Debug, Default)]
pub(super) enum Seen {
    /// It was not asked yet.
    #[default]
    Nothing,
    /// It does not answer.
    Silence,
    /// So it is with the key, and this is what it computes, if there is one.
    State(BoardKeyState, Option<Arc<BoardKey>>),
}

impl Seen {
    /// Asks the board. Blocking.
    fn of(board: &Arc<dyn system::BoardKey>) -> Self {
        match ask(board) {
            Ok((state, key)) => Self::State(state, key),
            Err(error) => {
                tracing::warn!(%error, "the board's key can't be told of");
                Self::Silence
            }
        }
    }

    fn key(&self) -> Option<&Arc<BoardKey>> {
        match self {
            Self::State(_, key) => key.as_ref(),
            Self::Nothing | Self::Silence => None,
        }
    }

    /// Whether there is a key, or could be.
    fn is_usable(&self) -> bool {
        self.key().is_some() || matches!(self, Self::State(BoardKeyState::Blank, _))
    }
}

type Asked = (BoardKeyState, Option<Arc<BoardKey>>);

fn ask(board: &Arc<dyn system::BoardKey>) -> Result<Asked, BoardKeyError> {
    let state = board.state()?;
    if !matches!(state, BoardKeyState::Ready(_)) {
        return Ok((state, None));
    }
    let asked = Arc::clone(board);
    let compute = move |message: &[u8]| match asked.hmac(message) {
        Ok(made) => Some(made),
        Err(error) => {
            tracing::warn!(%error, "the board's key was not computed with");
            None
        }
    };
    let key = BoardKey::new(compute).ok_or(BoardKeyError::Firmware)?;
    Ok((state, Some(Arc::new(key))))
}

fn locked(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

impl BoardWatch {
    /// From now on only a person opens the hub.
    pub(super) fn pass_over(&mut self) {
        self.is_over = true;
    }

    fn seen(&self) -> Seen {
        locked(&self.seen).clone()
    }

    fn note(&self, seen: Seen) {
        *locked(&self.seen) = seen;
    }

    /// Whether the board has a key, or could get one, as far as that is known.
    pub(super) fn is_usable(&self) -> bool {
        self.seen().is_usable()
    }

    /// Whether this box is offered to open the hub.
    pub(super) fn is_offered(&self) -> bool {
        self.offers.is_some() && self.seen().is_usable()
    }
}

/// Gives the board a key; whether it has got it, and what it says then. Blocking.
fn program(board: &Arc<dyn system::BoardKey>) -> (bool, Seen) {
    let programmed = board.program();
    if let Err(error) = &programmed {
        tracing::error!(%error, "the board got no key");
    }
    (programmed.is_ok(), Seen::of(board))
}

/// The board's key, asked for once more where nothing is known of it. Blocking.
pub(super) fn find_board(board: &Arc<dyn system::BoardKey>, known: Option<Arc<BoardKey>>) -> Option<Arc<BoardKey>> {
    known.or_else(|| Seen::of(board).key().cloned())
}

impl Life {
    /// Begins to ask the board for its key, until it has answered once.
    pub(super) fn look_at_board(&self) {
        let is_known = matches!(self.board_watch.seen(), Seen::State(..));
        // Its service may start after the hub; one that stays silent is asked less often.
        let is_due = self.ticks < STARTING || self.ticks.is_multiple_of(REFRESH);
        if is_known || !is_due || self.board_watch.is_looking.swap(true, Ordering::AcqRel) {
            return;
        }
        let board = Arc::clone(&self.config.board_key);
        let (seen, is_looking) = (
            Arc::clone(&self.board_watch.seen),
            Arc::clone(&self.board_watch.is_looking),
        );
        // A thread of its own, which does not keep the process from ending.
        std::thread::spawn(move || {
            let found = wiping_stack(|| Seen::of(&board));
            *locked(&seen) = found;
            is_looking.store(false, Ordering::Release);
        });
    }

    /// The key of this board, as far as it is known.
    pub(super) fn board(&self) -> Option<Arc<BoardKey>> {
        self.board_watch.seen().key().cloned()
    }

    /// Opens a hub that the box alone opens, once after its start.
    pub(super) async fn open_by_board(&mut self) {
        if self.board_watch.is_over || !matches!(self.state, State::Locked) || !self.ways().contains(&Way::Board) {
            return;
        }
        let Some(key) = self.board() else { return };
        self.board_watch.is_over = true;
        if !self.keys.is_for_board(Way::Board, &key).unwrap_or(false) {
            tracing::warn!("the disk is for another board's key");
            return self.show();
        }
        self.show_phase(Phase::Unlocking);
        let (keys, brings_up) = (Arc::clone(&self.keys), self.brings_slots_up());
        match blocking_unlock(move || keys.unlock_with_board(&key, brings_up)).await {
            Ok(master) => self.open(master, "unlock.board").await,
            Err(_) => tracing::warn!("the board's key does not open its slot"),
        }
        self.show();
    }

    /// What of the board's key a locked hub lacks.
    pub(super) fn lacks_of_board(&self, ways: &[Way]) -> Lacks {
        let is_for = |way, key| self.keys.is_for_board(way, key).unwrap_or(true);
        match self.board_watch.seen() {
            Seen::Nothing => Lacks::Nothing,
            Seen::State(_, Some(key)) if ways.contains(&Way::PinAndBoard) && !is_for(Way::PinAndBoard, &key) => {
                Lacks::Box
            }
            Seen::State(_, Some(key)) if ways.contains(&Way::Board) && !is_for(Way::Board, &key) => Lacks::BoxAlone,
            Seen::State(_, Some(_)) => Lacks::Nothing,
            Seen::Silence | Seen::State(_, None) if ways.contains(&Way::PinAndBoard) => Lacks::BoxKey,
            Seen::Silence | Seen::State(_, None) => Lacks::Nothing,
        }
    }

    /// How the panel shows the ways to unlock. A slot for another board is none here, and can be put in the place of.
    pub(super) fn shown_ways(&self) -> Ways {
        let (ways, seen) = (self.ways(), self.board_watch.seen());
        let is_here = |way| {
            let is_elsewhere = |key: &Arc<BoardKey>| !self.keys.is_for_board(way, key).unwrap_or(true);
            ways.contains(&way) && !seen.key().is_some_and(is_elsewhere)
        };
        Ways {
            pin_and_stick: ways.contains(&Way::PinAndStick),
            stick: ways.contains(&Way::Stick),
            pin_and_box: ways.contains(&Way::PinAndBoard),
            in_box: is_here(Way::Board),
            box_has_key: seen.is_usable(),
        }
    }

    /// The recovery code had to open the hub: if that is because its box is another one, this one is offered.
    pub(super) fn offer_board(&mut self) {
        let ways = self.ways();
        let way = [Way::PinAndBoard, Way::Board]
            .into_iter()
            .find(|way| ways.contains(way));
        let is_here = |way| {
            let key = self.board();
            key.is_some_and(|key| self.keys.is_for_board(way, &key).unwrap_or(true))
        };
        self.board_watch.offers = match way {
            Some(way) if is_here(way) => None,
            Some(Way::PinAndBoard) => Some(Unlocking::PinAndBox),
            Some(_) => Some(Unlocking::Box),
            None => None,
        };
    }

    /// A person decided whether this box is to open the hub.
    pub(super) fn answer_new_box(&mut self, yes: bool) {
        if let Some(wish) = self.board_watch.offers.take()
            && yes
        {
            self.begin_errand(Errand::Unlocking(wish));
        }
    }

    /// The PIN of a person who wants another way to unlock was right. Where the board has to get a key for it first, that is
    /// asked.
    pub(super) fn go_on_with_way(&mut self, wish: Unlocking, pin: Pin, master: MasterKey) {
        if !matches!(wish, Unlocking::PinAndBox | Unlocking::Box) {
            return self.change_ways(wish, pin, master);
        }
        let board = Arc::clone(&self.config.board_key);
        self.begin_work(
            move || Seen::of(&board),
            move |life, seen| {
                let may_have_one = matches!(seen, Seen::State(BoardKeyState::Blank, None));
                let has_one = seen.key().is_some();
                life.board_watch.note(seen);
                if has_one {
                    return life.change_ways(wish, pin, master);
                }
                life.errand_is(if may_have_one {
                    Stage::BoardKey {
                        master: Box::new(master),
                        pin,
                        again: false,
                    }
                } else {
                    Stage::Ended(ErrandEnd::BoxFailed)
                });
            },
        );
    }

    /// What the board says now.
    pub(super) async fn ask_board(&self) -> Seen {
        let board = Arc::clone(&self.config.board_key);
        let seen = blocking(move || Ok(Seen::of(&board))).await.unwrap_or(Seen::Silence);
        self.board_watch.note(seen.clone());
        seen
    }

    /// What a person is asked about the board's key just now.
    pub(super) fn board_key_question(&self) -> Option<Question> {
        let State::Open(serving) = &self.state else {
            return None;
        };
        match serving.errand.as_ref()?.stage() {
            Stage::BoardKey { again, .. } => Some(Question::BoxKey { again: *again }),
            _ => None,
        }
    }

    /// A person decided whether the board gets a key. It is asked twice, for it is for ever.
    pub(super) fn answer_board_key(&mut self, yes: bool) {
        let Some((wish, master, pin, again)) = self.take_board_key() else {
            return;
        };
        if !yes {
            return self.end_errand();
        }
        if !again {
            return self.errand_is(Stage::BoardKey {
                master,
                pin,
                again: true,
            });
        }
        self.show();
        let State::Open(serving) = &self.state else { return };
        let (board, store) = (Arc::clone(&self.config.board_key), Arc::clone(&serving.sources.store));
        let program = move || {
            let (is_programmed, seen) = program(&board);
            audit(&store, "board-key.program", if is_programmed { "ok" } else { "failed" });
            (is_programmed, seen)
        };
        self.begin_work(program, move |life, (is_programmed, seen)| {
            life.board_watch.note(seen);
            if is_programmed {
                life.change_ways(wish, pin, *master);
            } else {
                life.errand_is(Stage::Ended(ErrandEnd::BoxFailed));
            }
        });
    }

    /// Gives the board of a hub that is being set up a key, and says whether it has got it.
    pub(super) async fn program_board(&self) -> bool {
        let board = Arc::clone(&self.config.board_key);
        let programmed = blocking(move || Ok(program(&board))).await;
        let (is_programmed, seen) = programmed.unwrap_or((false, Seen::Silence));
        self.board_watch.note(seen);
        is_programmed
    }

    /// What stood there to be decided, which is being worked on from now on.
    fn take_board_key(&mut self) -> Option<(Unlocking, Box<MasterKey>, Pin, bool)> {
        let wish = self.errand_wish()?;
        let State::Open(serving) = &mut self.state else {
            return None;
        };
        match serving.errand.as_mut()?.take_stage() {
            Stage::BoardKey { master, pin, again } => Some((wish, master, pin, again)),
            _ => None,
        }
    }
}
