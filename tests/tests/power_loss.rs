//! The plug is pulled at any moment: while phones push, while the hub is set up, while it imports, while it locks.
//! What was acknowledged is there afterwards, a push is there whole or not at all, and everybody goes on from where
//! they were.
//!
//! `HUB_TEST_KILLS` says how often the plug is pulled during pushes (50), `HUB_TEST_SEED` repeats the choices.
//!
//! `kill -9` leaves the operating system running, so it shows that no promise rests on what only the process knew; that
//! the disk itself has what it was told to keep rests on `synchronous=FULL`.

#[path = "support/chance.rs"]
mod chance;
#[path = "support/opened.rs"]
mod opened;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use chance::Chance;
use hub_appliance::clock::HubTime;
use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::compare::{Comparison, JsonRule, first_pull_of};
use hub_tests::effort::{number, report};
use hub_tests::hub::{self, Hub, Log, PIN, TestHub};
use hub_tests::panel_client::PanelClient;
use hub_tests::phone::edit::NewPatient;
use hub_tests::phone::{Database, Phone, SyncError};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::task::JoinSet;

const PHONES: u8 = 4;
/// Patients that each phone writes the number of its push into, all at each push.
const MARKED: usize = 8;
/// New patients of one push at most; each comes with a visit and measurements.
const NEW_ROWS: usize = 25;
/// Pushes between two cuts at most, so that the hub does not grow for the sake of it.
const PUSHES: usize = 12;
/// The plug is pulled within this time after the phones begin.
const CUT_WITHIN: Duration = Duration::from_millis(400);

/// What a phone knows of one of its pushes.
struct Pushed {
    /// Rows that are new with it, as (table, id).
    rows: Vec<(&'static str, String)>,
    acknowledged: bool,
}

/// A phone that pushes rows of several tables, marked with the number of their push.
struct Pusher {
    phone: Phone,
    marked: Vec<String>,
    pushes: Vec<Pushed>,
}

impl Pusher {
    async fn new(mut phone: Phone) -> Self {
        phone.sync().await.expect("a first sync");
        let marked = (0..MARKED).map(|_| {
            phone
                .register_patient(&NewPatient::default())
                .expect("somebody is logged in")
        });
        let marked = marked.collect();
        Self {
            phone,
            marked,
            pushes: Vec::new(),
        }
    }

    /// Writes a push: new rows in three tables, and its number into the marked ones.
    fn prepare(&mut self, patients: usize) {
        let mut rows = Vec::new();
        for _ in 0..patients {
            let patient = self
                .phone
                .register_patient(&NewPatient::default())
                .expect("somebody is logged in");
            let visit = self.phone.open_visit(&patient).expect("somebody is logged in");
            let weight = [("weight_kg", 70.into())];
            let vitals = self
                .phone
                .record_vitals(&patient, &visit, &weight)
                .expect("a column of vitals");
            rows.extend([("patients", patient), ("visits", visit), ("patient_vitals", vitals)]);
        }
        let number = self.pushes.len().to_string();
        for id in &self.marked {
            let values = [("camp", number.as_str().into())];
            self.phone
                .edit("patients", id, &values)
                .expect("the phone has its own rows");
        }
        self.pushes.push(Pushed {
            rows,
            acknowledged: false,
        });
    }

    /// Pushes all that the hub does not have; everything up to here is then acknowledged.
    async fn push(&mut self) -> Result<(), SyncError> {
        self.phone.push().await?;
        self.pushes.iter_mut().for_each(|push| push.acknowledged = true);
        Ok(())
    }

    /// Syncs as the app does, then pushes until the plug is pulled or it is enough.
    async fn work(mut self, mut chance: Chance) -> Self {
        let _: Result<(), SyncError> = async {
            self.phone.client.handshake().await?;
            self.phone.pull().await?;
            for _ in 0..PUSHES {
                self.prepare(chance.below(NEW_ROWS));
                self.push().await?;
            }
            Ok(())
        }
        .await;
        self
    }

    /// Holds what is in the hub against what the phone knows; gives how many pushes arrived unanswered.
    fn check(&self, hub: &Database) -> usize {
        let mut unanswered = 0;
        for (number, push) in self.pushes.iter().enumerate() {
            let there = push
                .rows
                .iter()
                .filter(|(table, id)| hub.row(table, id).is_some())
                .count();
            let whole = there == push.rows.len();
            assert!(
                whole || there == 0,
                "push {number}: {there} of {} rows",
                push.rows.len()
            );
            assert!(
                whole || !push.acknowledged,
                "push {number} was acknowledged and is not there"
            );
            unanswered += usize::from(whole && !push.acknowledged && there > 0);
        }
        let marks: BTreeSet<Option<String>> = self
            .marked
            .iter()
            .map(|id| hub.cell("patients", id, "camp")?.as_text().map(str::to_owned))
            .collect();
        assert_eq!(marks.len(), 1, "a push is there in part: {marks:?}");
        let mark = marks.into_iter().flatten().next().and_then(|mark| mark.parse().ok());
        let acknowledged = self.pushes.iter().rposition(|push| push.acknowledged);
        assert!(acknowledged <= mark, "the marks are older than what was acknowledged");
        unanswered
    }
}

fn small_clinic() -> Clinic {
    let size = ClinicSize {
        patients: 10,
        visits: 20,
        events: 20,
    };
    Clinic::generate(3, size)
}

async fn pair(hub: &TestHub, clinic: &Clinic, number: u8) -> Phone {
    let user = clinic.user("doctor@clinic.example").expect("a user of the demo");
    let client = hub.pair(|mut client| {
        client.http().call_from([127, 0, 1, number].into());
        client
    });
    let mut phone = Phone::with_client(client.await.expect("a phone pairs"));
    phone
        .log_in(&user.email, &user.password)
        .await
        .expect("the demo's user logs in");
    phone
}

fn kills() -> usize {
    number("HUB_TEST_KILLS", 50)
}

/// Lets phones push, and pulls the plug; every fifth time somebody locks the hub at the same moment.
async fn work_and_cut(hub: &mut TestHub, pushers: Vec<Pusher>, chance: &mut Chance, locking: bool) -> Vec<Pusher> {
    let mut working = JoinSet::new();
    for (number, pusher) in pushers.into_iter().enumerate() {
        let chance = chance.split();
        working.spawn(async move { (number, pusher.work(chance).await) });
    }
    let mut panel = hub.hub.panel().await.expect("the panel");
    tokio::time::sleep(chance.time_below(CUT_WITHIN)).await;
    if locking {
        // It may lock in time, or not: the answer is of no interest.
        let _ = tokio::time::timeout(chance.time_below(CUT_WITHIN), panel.lock()).await;
    }
    hub.hub.kill9().await.expect("the hub is killed");
    let mut pushers = working.join_all().await;
    pushers.sort_unstable_by_key(|(number, _)| *number);
    pushers.into_iter().map(|(_, pusher)| pusher).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_is_there_whole_or_not_at_all_and_always_once_acknowledged() {
    let mut chance = Chance::from_environment();
    let clinic = small_clinic();
    let mut hub = TestHub::with_clinic(&clinic, Log::Warnings)
        .await
        .expect("a hub with a clinic");
    let mut pushers = Vec::new();
    for number in 1..=PHONES {
        pushers.push(Pusher::new(pair(&hub, &clinic, number).await).await);
    }
    // Sees all that the hub has, from one cut to the next without ever starting over.
    let mut witness = pair(&hub, &clinic, PHONES + 1).await;
    let mut unanswered = 0;
    for kill in 0..kills() {
        pushers = work_and_cut(&mut hub, pushers, &mut chance, kill % 5 == 4).await;
        hub.start_again()
            .await
            .expect("the store opens with the PIN, and its audit chain verifies");
        witness.sync_in_turn().await.expect("a phone goes on syncing");
        unanswered += pushers
            .iter()
            .map(|pusher| pusher.check(&witness.database))
            .sum::<usize>();
    }
    for pusher in &mut pushers {
        pusher.phone.sync_in_turn().await.expect("a phone goes on syncing");
        pusher.pushes.iter_mut().for_each(|push| push.acknowledged = true);
    }
    let mut fresh = pair(&hub, &clinic, PHONES + 2).await;
    fresh.pull().await.expect("a first pull");
    for phone in pushers.iter_mut().map(|pusher| &mut pusher.phone).chain([&mut witness]) {
        phone.sync_in_turn().await.expect("a phone goes on syncing");
        let same = Comparison::of_one_user().compare(&phone.database, &fresh.database);
        same.expect("phones and hub hold the same rows");
    }
    let pushes: usize = pushers.iter().map(|pusher| pusher.pushes.len()).sum();
    pushers.iter().for_each(|pusher| {
        pusher.check(&fresh.database);
    });
    report(&format!("{pushes} pushes, {unanswered} of them taken and not answered"));
}

/// A hub in a folder of its own, not set up.
struct Blank {
    folder: tempfile::TempDir,
}

impl Blank {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder }
    }

    async fn start(&self) -> Hub {
        let folder = self.folder.path();
        let (data, panel) = (folder.join("data"), folder.join("panel.sock"));
        let hub = Hub::start(&data, &panel, "127.0.0.1:0", Log::Warnings);
        hub.await.expect("the hub starts")
    }
}

/// When a set-up is cut.
#[derive(Debug, Clone, Copy)]
enum Cut {
    /// At this screen.
    At(&'static str),
    /// When the recovery code is confirmed, keys and store are made, and so much time has gone by.
    Making(Duration),
}

/// Waits for the moment, as seen by somebody who only looks.
async fn moment(mut eye: PanelClient, cut: Cut) {
    let wait = async |eye: &mut PanelClient, name| {
        eye.wait_for(name).await.expect("the screen comes");
    };
    match cut {
        Cut::At(name) => wait(&mut eye, name).await,
        Cut::Making(after) => {
            wait(&mut eye, "setup-recovery").await;
            wait(&mut eye, "setting-up").await;
            tokio::time::sleep(after).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_up_that_was_cut_begins_anew_or_is_done() {
    let screens = ["setup-pin", "setting-up", "setup-recovery", "home"].map(Cut::At);
    let making = (0..8).map(|step| Cut::Making(Duration::from_millis(step * 20)));
    let mut outcomes = BTreeMap::<String, u32>::new();
    for cut in screens.into_iter().chain(making) {
        let blank = Blank::new();
        let mut hub = blank.start().await;
        let (eye, mut hand) = (
            hub.panel().await.expect("the panel"),
            hub.panel().await.expect("the panel"),
        );
        tokio::select! {
            () = moment(eye, cut) => {}
            // Whoever presses is done a little before whoever looks has seen it.
            _ = hand.set_up(PIN) => {}
        }
        hub.kill9().await.expect("the hub is killed");
        let hub = blank.start().await;
        let mut panel = hub.panel().await.expect("the panel");
        let screen = panel
            .wait_until(|screen| screen.name != "splash")
            .await
            .expect("a screen to work on")
            .name
            .clone();
        match screen.as_str() {
            "setup-pin" => drop(panel.set_up(PIN).await.expect("set up anew")),
            "locked" => panel.unlock(PIN).await.expect("the PIN that was set opens it"),
            other => panic!("the hub shows {other}"),
        }
        *outcomes.entry(screen).or_default() += 1;
    }
    assert!(
        outcomes.len() == 2,
        "every cut came too early or too late: {outcomes:?}"
    );
    report(&format!("{outcomes:?}"));
}

/// Imports and pulls the plug after `cut`; gives whether the import was done before.
async fn import_and_cut(data: &Path, bundle: &Path, cut: Duration) -> bool {
    let mut child = Command::new(hub::binary().expect("the hub's binary"))
        .args(["import", "--data"])
        .arg(data)
        .arg(bundle)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("the import starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin
        .write_all(format!("{PIN}\n").as_bytes())
        .await
        .expect("the PIN is read");
    drop(stdin);
    match tokio::time::timeout(cut, child.wait()).await {
        Ok(status) => status.expect("it ended").success(),
        Err(_) => {
            child.kill().await.expect("the import is killed");
            false
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_was_cut_left_nothing_or_everything() {
    const CUTS: u32 = 8;
    let size = ClinicSize {
        patients: 200,
        visits: 800,
        events: 2_400,
    };
    let clinic = Clinic::generate(4, size);
    let mut hub = TestHub::empty(Log::Warnings).await.expect("a hub");
    hub.hub.terminate().await.expect("the hub ends");
    let folder = tempfile::tempdir().expect("a folder");
    let bundle = folder.path().join("clinic.json");
    let file = std::fs::File::create(&bundle).expect("a file");
    clinic
        .write_bundle(std::io::BufWriter::new(file))
        .expect("the bundle is written");

    // How long a whole one takes, on another hub.
    let begun = Instant::now();
    let other = TestHub::with_clinic(&clinic, Log::Warnings)
        .await
        .expect("a whole import");
    let longest = begun.elapsed();
    drop(other);

    let mut imported = false;
    for cut in 1..=CUTS {
        imported = import_and_cut(&hub.data(), &bundle, longest * cut / CUTS).await;
        let store = opened::open(&hub.data(), HubTime::ZERO);
        let (has_users, blank) = (store.has_users().expect("a read"), store.is_blank().expect("a read"));
        store.close(Duration::from_secs(10));
        assert!(has_users || (blank && !imported), "part of a bundle is there");
        imported = has_users;
        if imported {
            break;
        }
    }
    assert!(imported, "even the longest time was too short");
    hub.start_again().await.expect("the hub opens");
    let user = clinic.user("doctor@clinic.example").expect("a user of the demo");
    let mut phone = pair(&hub, &clinic, 1).await;
    phone.pull().await.expect("a first pull");
    Comparison::of_one_user()
        .json(JsonRule::Value)
        .compare(&phone.database, &first_pull_of(&clinic, user))
        .expect("all of the bundle is there");
}
