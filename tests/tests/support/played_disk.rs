//! The service of the data disk, played: it says how it is with disks that are not there, and writes down what it is asked.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};

use hub_tests::hub::{Hub, PIN};
use hub_tests::panel_client::PanelClient;
use tempfile::TempDir;

/// An offer as the service tells of it.
pub(crate) const STICK: &str = r#"{"place":"new","name":"SanDisk Ultra","bytes":31914983424,"token":17}"#;

/// The clinic's disk and a hub that was begun on the card by mistake, between which a person chooses.
pub(crate) const TWO_DISKS: &str = r#"{"is_card":false,"bytes":31914983424,"hub":"Clinic North","phones":12,"used_at":1795741503000,"token":5},{"is_card":true,"bytes":29000000000,"hub":"Clinic Hub","phones":0,"used_at":1795827903000,"token":7}"#;

/// How the played service answers.
#[derive(Debug, Default)]
pub(crate) struct Part {
    /// How it is with the disk.
    pub(crate) state: &'static str,
    /// What it answers to `open` and `copy`, where they don't succeed.
    pub(crate) refusal: Option<&'static str>,
    /// Whether what is refused succeeds after a repair; none where the repair fails.
    pub(crate) repair: Option<bool>,
    /// What it offers to move.
    pub(crate) movable: Option<String>,
    /// A file that is not the same in a copy.
    pub(crate) spoils: Option<PathBuf>,
    /// Between which disks it has a person choose.
    pub(crate) rivals: &'static str,
    /// How much room a disk has that the records were moved away from, where one is left.
    pub(crate) left: Option<u64>,
    /// Where the records of the open disk could go.
    pub(crate) roomier: &'static str,
    /// Whether a look at the disk comes to no end.
    pub(crate) stalls: bool,
    /// Whether another key for the disk comes to no end before that is broken off.
    pub(crate) is_slow_with_keys: bool,
    /// How often that was broken off.
    pub(crate) broken_off: usize,
    /// What it was asked for, without passphrases.
    pub(crate) asked: Vec<String>,
}

/// The service.
#[derive(Debug, Clone, Default)]
pub(crate) struct Service(Arc<(Mutex<Part>, Condvar)>);

impl Service {
    pub(crate) fn set(&self, change: impl FnOnce(&mut Part)) {
        change(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
    }

    /// Waits until it was asked for something that begins so.
    pub(crate) fn wait_until_asked(&self, request: &str) {
        let part = self.0.0.lock().unwrap();
        let is_missing = |part: &mut Part| !part.asked.iter().any(|asked| asked.starts_with(request));
        drop(self.0.1.wait_while(part, is_missing).unwrap());
    }

    pub(crate) fn was_asked(&self, request: &str) -> bool {
        self.0
            .0
            .lock()
            .unwrap()
            .asked
            .iter()
            .any(|asked| asked.starts_with(request))
    }

    fn serve(&self, listener: &UnixListener) {
        for stream in listener.incoming() {
            let (service, stream) = (self.clone(), stream.unwrap());
            std::thread::spawn(move || service.converse(&stream));
        }
    }

    fn converse(&self, stream: &UnixStream) {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if line == "break-off" {
                self.set(|part| part.broken_off += 1);
                continue;
            }
            // It listens while it works.
            let (service, mut stream) = (self.clone(), stream.try_clone().unwrap());
            std::thread::spawn(move || {
                let answer = service.answer(&line);
                // A hub that has gone hears nothing any more.
                let _ = stream.write_all(format!("{answer}\n").as_bytes());
            });
        }
    }

    fn answer(&self, line: &str) -> String {
        let (lock, changed) = &*self.0;
        let mut part = lock.lock().unwrap();
        let mut words = line.split(' ');
        let verb = words.next().unwrap();
        // Between them stands the passphrase, where there is one.
        let token = words.nth(usize::from(verb != "choose"));
        part.asked
            .push([Some(verb), token].into_iter().flatten().collect::<Vec<_>>().join(" "));
        changed.notify_all();
        let succeed = |part: &mut Part, state| match part.refusal {
            Some(refusal) => format!(r#"{{"failed":{refusal}}}"#),
            None => {
                part.state = state;
                r#""done""#.to_owned()
            }
        };
        match verb {
            "state" => {
                let part = changed.wait_while(part, |part| part.stalls).unwrap();
                format!(r#"{{"state":"{}"}}"#, part.state)
            }
            "offers" => format!(r#"{{"offers":[{STICK}]}}"#),
            "roomier" => format!(r#"{{"offers":[{}]}}"#, part.roomier),
            "rivals" => format!(r#"{{"rivals":[{}]}}"#, part.rivals),
            "choose" => {
                part.state = "unmounted";
                r#""done""#.to_owned()
            }
            "movable" => format!(r#"{{"movable":{}}}"#, part.movable.as_deref().unwrap_or("null")),
            "left-behind" => match part.left {
                Some(bytes) => format!(r#"{{"left-behind":{bytes}}}"#),
                None => r#"{"left-behind":null}"#.to_owned(),
            },
            "add-key" | "keep-key" => {
                let before = part.broken_off;
                let waits = |part: &mut Part| part.is_slow_with_keys && part.broken_off == before;
                let part = changed.wait_while(part, waits).unwrap();
                if part.broken_off == before {
                    r#""done""#.to_owned()
                } else {
                    r#"{"failed":"stopped"}"#.to_owned()
                }
            }
            "open-copy" => {
                if let Some(file) = &part.spoils {
                    std::fs::write(file, "something else").unwrap();
                }
                succeed(&mut part, "open")
            }
            "open" => succeed(&mut part, "open"),
            "copy" => succeed(&mut part, "closed"),
            "repair" => match part.repair {
                Some(mends) => {
                    part.refusal = part.refusal.filter(|_| !mends);
                    r#""done""#.to_owned()
                }
                None => r#"{"failed":"damaged"}"#.to_owned(),
            },
            _ => {
                part.state = "closed";
                r#""done""#.to_owned()
            }
        }
    }
}

/// A hub beside that service.
pub(crate) struct Bench {
    pub(crate) folder: TempDir,
    pub(crate) service: Service,
}

impl Bench {
    pub(crate) fn new(state: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let service = Service::default();
        service.set(|part| part.state = state);
        let listener = UnixListener::bind(folder.path().join("disk.sock")).unwrap();
        let played = service.clone();
        std::thread::spawn(move || played.serve(&listener));
        for part in ["keys", "store"] {
            std::fs::create_dir_all(folder.path().join("data").join(part)).unwrap();
        }
        Self { folder, service }
    }

    /// The same with a hub that was set up, whose disk is closed now.
    pub(crate) async fn set_up() -> Self {
        let bench = Self::new("blank");
        let (mut hub, mut panel) = bench.start().await;
        panel.set_up(PIN).await.unwrap();
        hub.terminate().await.unwrap();
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        Path::new(self.folder.path()).join(name)
    }

    pub(crate) async fn start(&self) -> (Hub, PanelClient) {
        let [data, panel, disk] = ["data", "panel.sock", "disk.sock"].map(|name| self.path(name));
        let hub = Hub::start_on_disk(&data, &panel, &disk).await.unwrap();
        let mut panel = hub.panel().await.unwrap();
        panel.wait_until(|screen| screen.name != "splash").await.unwrap();
        (hub, panel)
    }
}
