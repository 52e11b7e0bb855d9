//! What a hub makes of the states of its data disk: the service that tells of them, and works on disks, is played here.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};

use hub_tests::hub::{Hub, PIN};
use hub_tests::panel_client::{Button, PanelClient, Screen};
use tempfile::TempDir;

const OTHER_PIN: &str = "27182818";
/// An offer as the service tells of it.
const STICK: &str = r#"{"place":"new","name":"SanDisk Ultra","bytes":31914983424,"token":17}"#;

/// How the played service answers.
#[derive(Debug, Default)]
struct Part {
    /// How it is with the disk.
    state: &'static str,
    /// What it answers to `open` and `copy`, where they don't succeed.
    refusal: Option<&'static str>,
    /// Whether what is refused succeeds after a repair; none where the repair fails.
    repair: Option<bool>,
    /// What it offers to move.
    movable: Option<String>,
    /// A file that is not the same in a copy.
    spoils: Option<PathBuf>,
    /// Whether a look at the disk comes to no end.
    stalls: bool,
    /// What it was asked for, without passphrases.
    asked: Vec<String>,
}

/// The service.
#[derive(Debug, Clone, Default)]
struct Service(Arc<(Mutex<Part>, Condvar)>);

impl Service {
    fn set(&self, change: impl FnOnce(&mut Part)) {
        change(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
    }

    /// Waits until it was asked for this.
    fn wait_until_asked(&self, request: &str) {
        let part = self.0.0.lock().unwrap();
        let is_missing = |part: &mut Part| !part.asked.iter().any(|asked| asked == request);
        drop(self.0.1.wait_while(part, is_missing).unwrap());
    }

    fn was_asked(&self, request: &str) -> bool {
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

    fn converse(&self, mut stream: &UnixStream) {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let answer = self.answer(&line);
            if stream.write_all(format!("{answer}\n").as_bytes()).is_err() {
                return;
            }
        }
    }

    fn answer(&self, line: &str) -> String {
        let (lock, changed) = &*self.0;
        let mut part = lock.lock().unwrap();
        let mut words = line.split(' ');
        let (verb, token) = (words.next().unwrap(), words.nth(1));
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
            "movable" => format!(r#"{{"movable":{}}}"#, part.movable.as_deref().unwrap_or("null")),
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
struct Bench {
    folder: TempDir,
    service: Service,
}

impl Bench {
    fn new(state: &'static str) -> Self {
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
    async fn set_up() -> Self {
        let bench = Self::new("blank");
        let (mut hub, mut panel) = bench.start().await;
        panel.set_up(PIN).await.unwrap();
        hub.terminate().await.unwrap();
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::new(self.folder.path()).join(name)
    }

    async fn start(&self) -> (Hub, PanelClient) {
        let [data, panel, disk] = ["data", "panel.sock", "disk.sock"].map(|name| self.path(name));
        let hub = Hub::start_on_disk(&data, &panel, &disk).await.unwrap();
        let mut panel = hub.panel().await.unwrap();
        panel.wait_until(|screen| screen.name != "splash").await.unwrap();
        (hub, panel)
    }
}

fn says(screen: &Screen, text: &str) -> bool {
    screen.lines.iter().any(|line| line.contains(text))
}

async fn enter(panel: &mut PanelClient, digits: &str) {
    panel.type_digits(digits).await.unwrap();
    panel.press(Button::Ok).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_disk_is_made_the_data_disk_only_when_a_person_says_so() {
    let bench = Bench::new("blank");
    let (mut hub, mut panel) = bench.start().await;
    let asked = panel.wait_for("new-disk").await.unwrap();
    assert!(says(asked, "SanDisk Ultra") && says(asked, "31 GB"), "{asked:?}");
    panel.answer("new-disk", false).await.unwrap();
    assert!(says(panel.wait_for("error").await.unwrap(), "kept"));
    hub.terminate().await.unwrap();

    let (_hub, mut panel) = bench.start().await;
    panel.answer("new-disk", true).await.unwrap();
    panel.wait_for("setup-pin").await.unwrap();
    assert!(!bench.service.was_asked("format"));
    panel.set_up(PIN).await.unwrap();
    assert!(bench.service.was_asked("format 17"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_without_its_disk_asks_for_it_and_begins_an_empty_hub_only_when_told_so_twice() {
    let bench = Bench::new("away");
    let (mut hub, mut panel) = bench.start().await;
    let asked = panel.wait_for("disk-away").await.unwrap();
    assert!(
        says(asked, "Plug in the disk") && says(asked, "records is missing"),
        "{asked:?}"
    );
    panel.answer("disk-away", true).await.unwrap();
    let asked = panel.wait_for("begin-anew").await.unwrap();
    assert!(says(asked, "New, empty hub?"), "{asked:?}");
    panel.answer("begin-anew", false).await.unwrap();
    panel.wait_for("disk-away").await.unwrap();
    assert!(!bench.service.was_asked("offers"), "nothing is asked for in its place");
    // The disk is back: the hub begins anew with it.
    bench.service.set(|part| part.state = "unmounted");
    hub.ended().await.unwrap();

    bench.service.set(|part| part.state = "away");
    let (_hub, mut panel) = bench.start().await;
    panel.answer("disk-away", true).await.unwrap();
    panel.answer("begin-anew", true).await.unwrap();
    panel.answer("new-disk", false).await.unwrap();
    panel.wait_for("disk-away").await.unwrap();
    panel.answer("disk-away", true).await.unwrap();
    panel.answer("begin-anew", true).await.unwrap();
    panel.set_up(PIN).await.unwrap();
    assert!(bench.service.was_asked("format 17"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_disk_without_keys_leads_to_no_new_pin() {
    let bench = Bench::new("closed");
    let (_hub, mut panel) = bench.start().await;
    let screen = panel.wait_until(|screen| screen.name != "splash").await.unwrap();
    assert!(
        screen.name == "error" && says(screen, "The keys on the data"),
        "{screen:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_data_disk_as_it_is_is_told_of_and_never_asked_for() {
    for (state, text) in [
        ("damaged", "nothing was changed"),
        ("unreadable", "can't be read"),
        ("write-protected", "write-protected"),
        ("moved", "were moved away"),
        ("remains", "Old records"),
        ("several", "More than one"),
    ] {
        let bench = Bench::new(state);
        let (mut hub, mut panel) = bench.start().await;
        let screen = panel.wait_until(|screen| screen.name != "splash").await.unwrap();
        assert!(screen.name == "error" && says(screen, text), "{state}: {screen:?}");
        assert!(!bench.service.was_asked("format"));
        // With another disk in its place the hub begins anew.
        bench.service.set(|part| part.state = "missing");
        hub.ended().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_disk_that_comes_late_is_unlocked_and_not_set_up() {
    let bench = Bench::set_up().await;
    let elsewhere = bench.path("elsewhere");
    std::fs::rename(bench.path("data/keys"), &elsewhere).unwrap();
    std::fs::create_dir(bench.path("data/keys")).unwrap();
    bench.service.set(|part| part.state = "unmounted");
    let [data, panel, disk] = ["data", "panel.sock", "disk.sock"].map(|name| bench.path(name));
    let mut hub = Hub::start_on_disk(&data, &panel, &disk).await.unwrap();
    hub.ended().await.unwrap();

    // The service mounts it for the next.
    std::fs::remove_dir_all(bench.path("data/keys")).unwrap();
    std::fs::rename(&elsewhere, bench.path("data/keys")).unwrap();
    bench.service.set(|part| part.state = "closed");
    let (_hub, mut panel) = bench.start().await;
    panel.unlock(PIN).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_panel_says_why_the_disk_did_not_open() {
    for (refusal, text) in [
        (r#"{"state":"several"}"#, "More than one"),
        (r#"{"state":"missing"}"#, "No data disk"),
        (r#"{"tool":"cryptsetup"}"#, "The data disk can't"),
    ] {
        let bench = Bench::set_up().await;
        let (_hub, mut panel) = bench.start().await;
        bench.service.set(|part| part.refusal = Some(refusal));
        panel.wait_for("locked").await.unwrap();
        enter(&mut panel, PIN).await;
        let screen = panel.wait_for("error").await.unwrap();
        assert!(says(screen, text), "{refusal}: {screen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_with_faults_is_repaired_once_and_only_if_a_person_says_so() {
    for (yes, repair, screen, text) in [
        (false, Some(true), "error", "nothing was changed"),
        (true, Some(true), "news", "Disk repaired"),
        (true, Some(false), "error", "can't be"),
        (true, None, "error", "can't be"),
    ] {
        let bench = Bench::set_up().await;
        let (_hub, mut panel) = bench.start().await;
        bench.service.set(|part| {
            part.refusal = Some(r#""damaged""#);
            part.repair = repair;
        });
        panel.wait_for("locked").await.unwrap();
        enter(&mut panel, PIN).await;
        panel.answer("repair", yes).await.unwrap();
        let shown = panel
            .wait_until(|screen| !matches!(screen.name.as_str(), "repairing" | "unlocking"))
            .await
            .unwrap();
        assert!(shown.name == screen && says(shown, text), "{yes} {repair:?}: {shown:?}");
        assert_eq!(bench.service.was_asked("repair"), yes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_data_disk_beside_a_locked_hub_is_told_of() {
    let bench = Bench::set_up().await;
    let (_hub, mut panel) = bench.start().await;
    panel.wait_for("locked").await.unwrap();
    bench.service.set(|part| part.state = "several");
    assert!(says(panel.wait_for("error").await.unwrap(), "More than one"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_takes_long_to_look_at_keeps_nobody_from_the_buttons() {
    let bench = Bench::set_up().await;
    let (mut hub, mut panel) = bench.start().await;
    panel.wait_for("locked").await.unwrap();
    bench.service.set(|part| {
        part.stalls = true;
        part.asked.clear();
    });
    bench.service.wait_until_asked("state");
    enter(&mut panel, OTHER_PIN).await;
    panel.wait_until(|screen| says(screen, "Wrong PIN")).await.unwrap();
    hub.terminate().await.unwrap();
}

/// Starts a hub that was set up, beside an old card.
async fn start_beside_old_card(bench: &Bench) -> (Hub, PanelClient) {
    let movable = format!(r#"{{"bytes":4000000000,"to":{STICK}}}"#);
    bench.service.set(|part| part.movable = Some(movable));
    bench.start().await
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_moved_to_a_disk_only_if_a_person_allows_that() {
    for allows in [true, false] {
        let bench = Bench::set_up().await;
        let (mut hub, mut panel) = start_beside_old_card(&bench).await;
        panel.answer("move-data", true).await.unwrap();
        let asked = panel.wait_for("new-disk").await.unwrap();
        assert!(says(asked, "SanDisk Ultra") && says(asked, "31 GB"), "{asked:?}");
        panel.answer("new-disk", allows).await.unwrap();
        panel.wait_for("locked").await.unwrap();
        if allows {
            enter(&mut panel, PIN).await;
            // It starts anew with the records where they are by then.
            hub.ended().await.unwrap();
        } else {
            panel.unlock(PIN).await.unwrap();
        }
        for step in ["copy 17", "open-copy", "finish-move"] {
            assert_eq!(bench.service.was_asked(step), allows, "{step}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_whose_vault_does_not_open_does_not_become_the_data_disk() {
    let bench = Bench::set_up().await;
    bench
        .service
        .set(|part| part.spoils = Some(bench.path("data/store/vault")));
    let (_hub, mut panel) = start_beside_old_card(&bench).await;
    panel.answer("move-data", true).await.unwrap();
    panel.answer("new-disk", true).await.unwrap();
    panel.wait_for("locked").await.unwrap();
    enter(&mut panel, PIN).await;
    assert!(says(panel.wait_for("error").await.unwrap(), "could not"));
    assert!(bench.service.was_asked("open-copy") && !bench.service.was_asked("finish-move"));
}
