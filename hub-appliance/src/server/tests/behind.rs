//! Stand-ins for the rooms behind the server. What an opened request does is said by its name.

use std::collections::HashMap;
use std::io::Write;
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::watch;

use crate::ids::ClientId;
use crate::procedures::{Caller, ProcedureError, Weight};
use crate::secret::Secret;
use crate::server::{DeviceRegister, Expect, Hooks, Job, OpenHub, PairedPhone, Pairing, Service};
use crate::store::Refusal;
use crate::store::devices::{DeviceNumber, PairError, Standing};
use crate::wire::envelope::{Opened, Outgoing};
use crate::wire::handshake::IdentityKeys;
use crate::wire::message::Kind;
use crate::wire::session::{SessionLimits, SessionTable};

/// The hub's X25519 private key in these tests.
pub(super) const HUB_KEY: [u8; 32] = [0x42; 32];

pub(super) fn open_hub(behind: Arc<Behind>, pairing: Arc<Pairing>) -> OpenHub {
    OpenHub {
        identity: IdentityKeys::new(&Secret::new(HUB_KEY), &Secret::new([0x17; 32])).unwrap(),
        hub_id: "0190-hub".into(),
        hub_name: "Clinic".into(),
        sessions: Arc::new(SessionTable::new(SessionLimits::default())),
        procedures: behind.clone(),
        devices: behind,
        pairing,
    }
}

/// Procedures and devices in one.
#[derive(Default)]
pub(super) struct Behind {
    pub(super) devices: Mutex<HashMap<ClientId, Standing>>,
    /// Makes storing a device fail.
    pub(super) pair_error: Mutex<Option<fn() -> PairError>>,
    pub(super) seen: Mutex<Vec<DeviceNumber>>,
    pub(super) callers: Mutex<Vec<Caller>>,
    pub(super) refused: Mutex<Vec<(Refusal, Option<ClientId>)>>,
    pub(super) held: Held,
}

/// Work that waits, on its blocking thread, until the test lets it go.
#[derive(Default)]
pub(super) struct Held {
    released: Mutex<bool>,
    release: Condvar,
    waiting: watch::Sender<usize>,
}

impl Held {
    fn wait(&self) {
        self.waiting.send_modify(|waiting| *waiting += 1);
        let mut released = self.released.lock().unwrap();
        while !*released {
            released = self.release.wait(released).unwrap();
        }
        self.waiting.send_modify(|waiting| *waiting -= 1);
    }

    /// Returns when `count` are held.
    pub(super) async fn reached(&self, count: usize) {
        self.waiting
            .subscribe()
            .wait_for(|waiting| *waiting == count)
            .await
            .unwrap();
    }

    /// Lets all go, now and from now on.
    pub(super) fn release(&self) {
        *self.released.lock().unwrap() = true;
        self.release.notify_all();
    }
}

/// A failing test must not leave threads behind that the runtime waits for.
pub(super) struct ReleaseOnDrop(pub(super) Arc<Behind>);

impl Drop for ReleaseOnDrop {
    fn drop(&mut self) {
        self.0.held.release();
    }
}

#[derive(Deserialize)]
struct Asked {
    #[serde(alias = "query", alias = "command")]
    name: String,
    #[serde(default)]
    size: usize,
}

impl Service for Behind {
    fn accept(self: Arc<Self>, _: Kind, plaintext: Opened) -> Result<Job, ProcedureError> {
        let asked: Asked = serde_json::from_slice(&plaintext).map_err(|_| ProcedureError::Malformed)?;
        let weight = match asked.name.as_str() {
            "ping" | "panic light" => Weight::Light,
            "login" | "hold login" => Weight::Login,
            "no such thing" => return Err(ProcedureError::UnknownProcedure),
            "panic early" => panic!("a fault while understanding"),
            _ => Weight::Store,
        };
        let size = asked.size;
        let expected: Expect = Box::new(move |_| Ok(size));
        Ok(Job {
            weight,
            expected: (asked.name == "big").then_some(expected),
            run: Arc::new(move |caller, answer| self.run(&asked, caller, answer)),
        })
    }
}

impl Behind {
    fn run(&self, asked: &Asked, caller: &Caller, answer: &mut Outgoing) -> Result<(), ProcedureError> {
        self.callers.lock().unwrap().push(*caller);
        match asked.name.as_str() {
            "hold" | "hold login" => self.held.wait(),
            "hold then panic" => {
                self.held.wait();
                panic!("a fault that nobody waits for");
            }
            "panic" | "panic light" => panic!("a fault while answering"),
            "half" => {
                answer.buffer().extend_from_slice(br#"{"half":"#);
                return Err(ProcedureError::Conflict);
            }
            // Of the one it is known before how long it will be, of the other it is not.
            "big" | "surprise" => {
                if asked.size > answer.at_most() {
                    return Err(ProcedureError::AnswerTooLong);
                }
                answer.buffer().push(b'"');
                let filled = answer.buffer().len() + asked.size;
                answer.buffer().resize(filled, b'x');
                answer.buffer().push(b'"');
                return Ok(());
            }
            "parameters" => return Err(ProcedureError::BadParameters),
            "login" => return Err(ProcedureError::LoginRefused),
            "token" => return Err(ProcedureError::TokenRefused),
            "permission" => return Err(ProcedureError::NotPermitted),
            "missing" => return Err(ProcedureError::NotFound),
            "conflict" => return Err(ProcedureError::Conflict),
            "back-off" => {
                return Err(ProcedureError::Backoff {
                    retry_after: Duration::from_millis(30_500),
                });
            }
            "unavailable" => return Err(ProcedureError::Unavailable),
            _ => {}
        }
        answer
            .write_all(br#"{"pong":true}"#)
            .map_err(|_| ProcedureError::Unavailable)
    }
}

impl DeviceRegister for Behind {
    fn standing(&self, client: ClientId) -> Standing {
        let devices = self.devices.lock().unwrap();
        devices.get(&client).copied().unwrap_or(Standing::Unknown)
    }

    fn pair(&self, client: ClientId, _: Option<String>) -> Result<DeviceNumber, PairError> {
        if let Some(error) = *self.pair_error.lock().unwrap() {
            return Err(error());
        }
        let mut devices = self.devices.lock().unwrap();
        let number = DeviceNumber(i64::try_from(devices.len()).unwrap() + 1);
        assert!(
            devices.insert(client, Standing::Active(number)).is_none(),
            "stored twice"
        );
        Ok(number)
    }

    fn seen(&self, device: DeviceNumber) {
        self.seen.lock().unwrap().push(device);
    }

    fn refused(&self, refusal: Refusal, client: Option<ClientId>, _: IpAddr) {
        self.refused.lock().unwrap().push((refusal, client));
    }
}

/// What the appliance was told.
#[derive(Default)]
pub(super) struct Recorder {
    pub(super) paired: Mutex<Vec<PairedPhone>>,
    pub(super) not_paired: Mutex<usize>,
    pub(super) panics: watch::Sender<usize>,
}

impl Hooks for Recorder {
    fn paired(&self, phone: &PairedPhone) {
        self.paired.lock().unwrap().push(phone.clone());
    }

    fn not_paired(&self, _: &PairError) {
        *self.not_paired.lock().unwrap() += 1;
    }

    fn panicked(&self, _: u64) {
        self.panics.send_modify(|panics| *panics += 1);
    }
}
