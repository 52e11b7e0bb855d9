//! The relay: the cloud's client. It pulls what the cloud has for this hub's clinics and pushes what the clinic wrote.
//!
//! It promises what the contract says must hold ("cloud", What must hold): nothing that a clinic wrote is dropped in silence,
//! nothing is doubled, what came from the cloud does not go back to it; and it never holds up a phone. It has a thread of its
//! own and uses the store as everybody does.
#![forbid(unsafe_code)]

mod batch;
pub mod courier;
mod fit;
mod http;
mod outbox;
mod pull;
mod push;
mod registration;
mod run;
mod schedule;
mod status;
mod withdrawn;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

pub use http::{are_certificates, may_be_called};
pub use run::Wish;
pub use schedule::{Ended, Schedule};
pub use status::{RelayState, RelayStatus};
pub use withdrawn::WithdrawnClinics;

use self::http::Cloud;
use self::status::Progress;
use crate::secret::{SecretText, wiping_stack};
use crate::store::Store;
use crate::store::relay::Withdrawn;

/// How often the network, and whether there is something to send, are looked at.
const LOOK: Duration = Duration::from_secs(10);

/// How to reach the cloud.
#[derive(Clone, Debug)]
pub struct Access {
    /// Its base URL.
    pub url: String,
    /// The key.
    pub key: SecretText,
    /// More certificates to trust, as PEM; may be empty.
    pub ca: String,
}

/// What the relay asks of the box.
pub trait Surroundings: Send + 'static {
    /// Whether there is a network.
    fn has_link(&self) -> bool;
    /// Whether the time of day is known.
    fn knows_time(&self) -> bool;
    /// Takes notice of the id that the cloud has for this hub, and of what it calls it.
    fn is_known_as(&self, device: &str, name: Option<&str>);
}

enum Order {
    Run(Wish),
    /// What the cloud has taken away with this clinic is deleted.
    Delete(String),
}

/// A relay that runs. Dropping it ends it: at once, whatever it is doing.
#[derive(Debug)]
pub struct Relay {
    orders: Option<UnboundedSender<Order>>,
    progress: Progress,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Relay {
    /// Starts it.
    ///
    /// # Errors
    /// What the operating system reports.
    pub fn start(access: Access, store: Arc<Store>, surroundings: impl Surroundings) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(4)
            .build()?;
        let (orders, received) = unbounded_channel();
        let progress = Progress::default();
        let of_thread = progress.clone();
        let thread = std::thread::Builder::new().name("relay".into()).spawn(move || {
            wiping_stack(|| {
                let working = Working {
                    access,
                    store,
                    progress: of_thread,
                    surroundings,
                };
                runtime.block_on(working.work(received));
                // A body that is being read ends with its connection.
                runtime.shutdown_timeout(Duration::from_millis(200));
            });
        })?;
        Ok(Self {
            orders: Some(orders),
            progress,
            thread: Some(thread),
        })
    }

    /// Where it is.
    #[must_use]
    pub fn status(&self) -> RelayStatus {
        self.progress.get()
    }

    /// Begins a run now, if none is under way.
    pub fn run_now(&self, wish: Wish) {
        if let Some(orders) = &self.orders {
            self.progress.is(RelayState::Receiving);
            // It ends only with this.
            let _ = orders.send(Order::Run(wish));
        }
    }

    /// The clinic that the cloud has taken away, and whose records a person has to decide about.
    #[must_use]
    pub fn withdrawn(&self) -> Option<Withdrawn> {
        self.progress.clinics().offered()
    }

    /// A person has decided about the records of the clinic: they are deleted, or stay and nobody is asked again before the
    /// hub is unlocked anew.
    pub fn answer_withdrawn(&self, clinic: String, delete: bool) {
        self.progress.clinics().settle(&clinic);
        if let Some(orders) = self.orders.as_ref().filter(|_| delete) {
            // It ends only with this.
            let _ = orders.send(Order::Delete(clinic));
        }
    }

    /// Ends it and waits until it has.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        drop(self.orders.take());
        if let Some(thread) = self.thread.take() {
            // A panic in it was reported where it happened.
            let _ = thread.join();
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.end();
    }
}

struct Working<S> {
    access: Access,
    store: Arc<Store>,
    progress: Progress,
    surroundings: S,
}

impl<S: Surroundings> Working<S> {
    async fn work(&self, mut orders: UnboundedReceiver<Order>) {
        let Access { url, key, ca } = &self.access;
        let Ok(cloud) = Cloud::new(url, key.clone(), ca) else {
            self.progress.is(RelayState::Settings);
            return;
        };
        let began = Instant::now();
        let mut schedule = Schedule::default();
        let mut wish = Wish::default();
        let withdrawn = self.progress.clinics();
        withdrawn.look(&self.store);
        loop {
            if self.progress.get().state != RelayState::Refused
                && let Err(error) = run::look(&self.store, &self.progress)
            {
                tracing::warn!(%error, "the relay can't look at the records");
            }
            let needs_time = url.starts_with("https");
            let knows_time = !needs_time || self.surroundings.knows_time();
            let link = self.surroundings.has_link();
            let waiting = self.progress.get().waiting > 0;
            let due = schedule.wait(began.elapsed(), link, waiting);
            match due {
                None if !link => self.progress.is(RelayState::NoNetwork),
                // Only a refused key waits for a person; it may have been without a network since.
                None => self.progress.is(RelayState::Refused),
                Some(Duration::ZERO) if !knows_time => self.progress.is(RelayState::NoClock),
                Some(Duration::ZERO) => {
                    let running = run::run(
                        &cloud,
                        &self.store,
                        &self.progress,
                        &self.surroundings,
                        std::mem::take(&mut wish),
                    );
                    let Some(((ended, state), asked)) = until_dropped(running, &mut orders).await else {
                        return;
                    };
                    schedule.ended(began.elapsed(), ended, getrandom::u32().unwrap_or(0));
                    // A store that does not tell is reported where it is used.
                    let _ = run::look(&self.store, &self.progress);
                    self.progress.set(|status| {
                        status.state = state;
                        status.runs += 1;
                    });
                    tracing::info!(run = self.progress.get().runs, ?state, "a run of the relay has ended");
                    withdrawn.look(&self.store);
                    for clinic in asked.clinics {
                        withdrawn.delete(&self.store, &clinic, || !orders.is_closed());
                    }
                    if asked.wish.is_some_and(|asked| asked.whole) {
                        wish = Wish {
                            asked: true,
                            whole: true,
                        };
                        schedule.asked();
                    }
                    continue;
                }
                _ if self.progress.get().state == RelayState::NoNetwork => self.progress.is(RelayState::Waiting),
                // A person asked, and the cloud had asked to be left alone for longer.
                _ if self.progress.get().state == RelayState::Receiving => self.progress.is(RelayState::Failed),
                _ => {}
            }
            let pause = due.filter(|due| !due.is_zero()).map_or(LOOK, |due| due.min(LOOK));
            match tokio::time::timeout(pause, orders.recv()).await {
                Ok(None) => return,
                Ok(Some(Order::Run(asked))) => {
                    wish = asked;
                    schedule.asked();
                }
                Ok(Some(Order::Delete(clinic))) => {
                    withdrawn.delete(&self.store, &clinic, || !orders.is_closed());
                }
                Err(_) => {}
            }
        }
    }
}

/// What a person asked for during a run.
#[derive(Default)]
struct Asked {
    wish: Option<Wish>,
    /// Clinics whose records are to go.
    clinics: Vec<String>,
}

/// Works until it is done; none if the relay is to end before. An order that comes meanwhile is what is being done, unless
/// it asks for more than that.
async fn until_dropped<T>(work: impl Future<Output = T>, orders: &mut UnboundedReceiver<Order>) -> Option<(T, Asked)> {
    let mut work = std::pin::pin!(work);
    let mut asked = Asked::default();
    loop {
        tokio::select! {
            done = &mut work => return Some((done, asked)),
            order = orders.recv() => match order? {
                Order::Run(wish) => {
                    let whole = wish.whole || asked.wish.is_some_and(|asked| asked.whole);
                    asked.wish = Some(Wish { asked: true, whole });
                }
                Order::Delete(clinic) => asked.clinics.push(clinic),
            }
        }
    }
}
