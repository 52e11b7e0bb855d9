//! The courier's stick at an open hub: a person at the panel wants what the office sent taken in, and what is to be sent
//! written. A thread does it over what everybody uses of the store, so neither the stick nor the amount holds up a phone.
//!
//! The same thread looks after clinics that the cloud has taken away from a hub that no relay looks after.
//!
//! A stick that bears backups or a key is none that a courier takes away, so it is passed over.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;

use super::audit::AuditSeal;
use super::courier::{Exchanged, OfHub, Step, exchange};
use super::stick_thread::{self, StickThread, lock};
use super::stick_use::{Lacking, Present, stays_with_hub};
use crate::panel::{UsbStanding, UsbStatus, UsbTrouble};
use crate::relay::WithdrawnClinics;
use crate::relay::courier::CourierError;
use crate::store::relay::Withdrawn;
use crate::store::{Store, StoreError};
use crate::system::sticks::{Access, Mounted, Sticks, SticksError};

/// How long a figure that a store has to count is good for the panel.
const GOOD: Duration = Duration::from_secs(10);

/// What is carried, and by what.
pub(super) struct Parts {
    pub(super) sticks: Arc<dyn Sticks>,
    pub(super) store: Arc<Store>,
    pub(super) seal: Arc<AuditSeal>,
    pub(super) hub: OfHub,
}

/// What is carried by hand.
pub(super) struct CourierStick {
    working: Arc<Working>,
    thread: Option<StickThread>,
    counted: Mutex<Counted>,
}

/// What was read in the store, when, and where the work stood.
struct Counted {
    at: Option<(Instant, UsbStanding)>,
    has_office: bool,
    waiting: u32,
}

/// Something to be done, one after the other.
enum Job {
    /// A person put the stick in; whether the hub calls a cloud itself.
    Exchange { is_relayed: bool },
    /// Clinics that the cloud has taken away are looked for.
    Look,
    /// What the cloud has taken away with this clinic is deleted.
    Delete(String),
}

/// What there is to be done, and whether a thread is at it.
#[derive(Default)]
struct Jobs {
    next: VecDeque<Job>,
    is_running: bool,
}

impl CourierStick {
    pub(super) fn new(parts: Parts) -> Self {
        Self {
            working: Arc::new(Working {
                parts,
                standing: Mutex::new(UsbStanding::Idle),
                clinics: WithdrawnClinics::default(),
                jobs: Mutex::default(),
                is_ending: Arc::default(),
            }),
            thread: None,
            counted: Mutex::new(Counted {
                at: None,
                has_office: false,
                waiting: 0,
            }),
        }
    }

    /// Begins, unless it is under way. `is_relayed` says that the hub calls a cloud itself.
    pub(super) fn begin(&mut self, is_relayed: bool) {
        if !is_at_work(self.standing()) {
            self.working.is(UsbStanding::Taking);
            self.give(Job::Exchange { is_relayed });
        }
    }

    /// Looks for clinics that the cloud has taken away.
    pub(super) fn look(&mut self) {
        self.give(Job::Look);
    }

    /// The clinic that a person is asked about.
    pub(super) fn withdrawn(&self) -> Option<Withdrawn> {
        self.working.clinics.offered()
    }

    /// A person has decided about the records of a clinic that the cloud has taken away.
    pub(super) fn answer_withdrawn(&mut self, clinic: String, delete: bool) {
        self.working.clinics.settle(&clinic);
        self.give(if delete { Job::Delete(clinic) } else { Job::Look });
    }

    fn give(&mut self, job: Job) {
        let mut jobs = lock(&self.working.jobs);
        jobs.next.push_back(job);
        if jobs.is_running {
            return;
        }
        if let Some(before) = self.thread.take() {
            before.has_done_its_work();
        }
        let working = Arc::clone(&self.working);
        self.thread = StickThread::start("courier", &self.working.is_ending, move || working.work());
        jobs.is_running = self.thread.is_some();
        if !jobs.is_running {
            jobs.next.clear();
            self.working.is(UsbStanding::Trouble(UsbTrouble::Failed));
        }
    }

    /// How it is, for the panel.
    pub(super) fn status(&self) -> UsbStatus {
        let standing = self.standing();
        let mut counted = lock(&self.counted);
        let is_good =
            |(at, before): (Instant, UsbStanding)| at.elapsed() < GOOD && (before == standing || is_at_work(standing));
        if !counted.at.is_some_and(is_good) {
            let read = self.working.parts.store.read::<_, StoreError>(|snapshot| {
                let has_office = !snapshot.courier()?.recipient.is_empty();
                Ok((has_office, if has_office { snapshot.cloud_waiting()? } else { 0 }))
            });
            counted.at = Some((Instant::now(), standing));
            // A store that does not tell is reported where it is used.
            if let Ok(read) = read {
                (counted.has_office, counted.waiting) = read;
            }
        }
        UsbStatus {
            standing: if counted.has_office {
                standing
            } else {
                UsbStanding::NeverSetUp
            },
            waiting: counted.waiting,
            fingerprint: OfHub::fingerprint(&self.working.parts.seal),
        }
    }

    /// Has it end soon. What it writes to the store from now on may be refused; the same answer can be taken again.
    pub(super) fn end(&self) {
        self.working.is_ending.store(true, Ordering::Relaxed);
    }

    /// Has it end, and waits for that until `until`. Whether it has ended, so that it holds nothing any more.
    #[must_use]
    pub(super) fn ends_by(mut self, until: Instant) -> bool {
        self.thread.take().is_none_or(|thread| thread.ends_by(until))
    }

    /// What is being done.
    pub(super) fn standing(&self) -> UsbStanding {
        *lock(&self.working.standing)
    }
}

struct Working {
    parts: Parts,
    standing: Mutex<UsbStanding>,
    clinics: WithdrawnClinics,
    jobs: Mutex<Jobs>,
    is_ending: Arc<AtomicBool>,
}

impl Working {
    fn is(&self, standing: UsbStanding) {
        *lock(&self.standing) = standing;
    }

    fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Relaxed)
    }

    /// Does what there is to be done.
    fn work(&self) {
        loop {
            let job = {
                let mut jobs = lock(&self.jobs);
                let next = jobs.next.pop_front().filter(|_| !self.is_ending());
                jobs.is_running = next.is_some();
                next
            };
            let store = &self.parts.store;
            match job {
                None => return,
                Some(Job::Exchange { is_relayed }) => {
                    self.carry(is_relayed);
                    if !is_relayed {
                        self.clinics.look(store);
                    }
                }
                Some(Job::Look) => self.clinics.look(store),
                Some(Job::Delete(clinic)) => self.clinics.delete(store, &clinic, || !self.is_ending()),
            }
        }
    }

    fn carry(&self, is_relayed: bool) {
        let standing = match self.exchange(is_relayed) {
            Ok(done) => match &done.not_taken {
                Some(error) => UsbStanding::Trouble(trouble(error)),
                None => UsbStanding::Done {
                    number: count(done.number),
                    rows: count(done.rows),
                    arrived: count(done.acknowledged as u64),
                },
            },
            Err(Failure::Courier(CourierError::Stopped)) => return,
            Err(Failure::Trouble(trouble)) => UsbStanding::Trouble(trouble),
            Err(Failure::Courier(error)) => {
                tracing::error!(%error, "the courier's stick");
                let detail = json!({"error": error.to_string()}).to_string();
                stick_thread::audit(&self.parts.store, "courier", detail, "failed");
                UsbStanding::Trouble(trouble(&error))
            }
            Err(Failure::Stick(error)) => {
                tracing::error!(%error, "the courier's stick");
                UsbStanding::Trouble(UsbTrouble::StickFailed)
            }
        };
        self.is(standing);
    }

    fn exchange(&self, is_relayed: bool) -> Result<Exchanged, Failure> {
        let mounted = self.find()?;
        let tell = |step| {
            self.is(match step {
                Step::Taking => UsbStanding::Taking,
                Step::Packing(rows) => UsbStanding::Packing(count(rows)),
            });
            !self.is_ending()
        };
        let Parts { store, hub, seal, .. } = &self.parts;
        let done = exchange(store, hub, seal, is_relayed, mounted.path(), &tell)?;
        // Not before it is closed is all of it on the stick.
        mounted.close()?;
        Ok(done)
    }

    /// The only stick that a courier may take away.
    fn find(&self) -> Result<Mounted, Failure> {
        let mut found = None;
        let sticks = Present::look(&*self.parts.sticks)?;
        for stick in &sticks.usable {
            let looked = self.parts.sticks.open(stick, Access::ReadOnly)?;
            if stays_with_hub(looked.path()) {
                continue;
            }
            if found.replace(stick).is_some() {
                return Err(Failure::Trouble(UsbTrouble::SeveralSticks));
            }
        }
        let stick = found.ok_or_else(|| match sticks.lacking() {
            Lacking::Stick => Failure::Trouble(UsbTrouble::NoStick),
            Lacking::Readable => Failure::Stick(SticksError::NoFileSystem),
        })?;
        Ok(self.parts.sticks.open(stick, Access::ReadWrite)?)
    }
}

const fn is_at_work(standing: UsbStanding) -> bool {
    matches!(standing, UsbStanding::Taking | UsbStanding::Packing(_))
}

enum Failure {
    Courier(CourierError),
    Stick(SticksError),
    Trouble(UsbTrouble),
}

impl From<CourierError> for Failure {
    fn from(error: CourierError) -> Self {
        Self::Courier(error)
    }
}

impl From<SticksError> for Failure {
    fn from(error: SticksError) -> Self {
        Self::Stick(error)
    }
}

fn count(rows: u64) -> u32 {
    u32::try_from(rows).unwrap_or(u32::MAX)
}

fn trouble(error: &CourierError) -> UsbTrouble {
    match error {
        CourierError::Full => UsbTrouble::StickFull,
        CourierError::Disk(_) => UsbTrouble::StickFailed,
        CourierError::Damaged | CourierError::TooLarge | CourierError::OtherKind | CourierError::Version => {
            UsbTrouble::AnswerDamaged
        }
        CourierError::OtherSigner | CourierError::NoDesk => UsbTrouble::OtherOffice,
        CourierError::AnotherHub | CourierError::NotForUs => UsbTrouble::AnotherHub,
        CourierError::Gap => UsbTrouble::Gap,
        CourierError::OtherCloud => UsbTrouble::OtherCloud,
        _ => UsbTrouble::Failed,
    }
}
