//! A clinic that is never online: what its phones write gets to the cloud by sticks, and what the cloud has gets back. Sticks
//! are lost, come back late, are taken twice, are another hub's, are damaged; in the end phone, hub and PostgreSQL hold the
//! same, and nothing was sent twice.

use std::fs;
use std::path::Path;
use std::process::Command;

use hub_tests::cloud::{Counts, Fault, Generation};
use hub_tests::hub::{binary, import};
use hub_tests::panel_client::Button;
use hub_tests::phone::Phone;
use hub_tests::phone::cell::Cell;
use hub_tests::schema::schema;
use serde_json::json;

#[path = "../support/many_events.rs"]
mod many_events;
mod memory;
mod office;

use office::{Carried, Desk, cell, figure, new_patient, on_stick, said, some_patient};

async fn lost_late_and_twice(generation: Generation) {
    let world = Carried::new(generation).await;
    world.acquaint().await;
    let mut phone = world.phone().await;
    world.assert_alike(&mut phone).await;

    // A stick with a day's work is lost.
    let amina = phone.register_patient(&new_patient("Amina")).unwrap();
    let visit = phone.open_visit(&amina).unwrap();
    let old = some_patient(&phone);
    phone
        .edit("patients", &old, &[("hometown", "Elsewhere".into())])
        .unwrap();
    phone.sync().await.unwrap();
    let lost = world.carry("lost").await;

    // The next one has that day too, with what was edited since.
    phone.edit("patients", &amina, &[("camp", "North".into())]).unwrap();
    let babak = phone.register_patient(&new_patient("Babak")).unwrap();
    phone.sync().await.unwrap();
    let stick = world.carry("b").await;
    let _ = world.cloud.take_counts();
    let told = world.deliver(&stick).await;
    assert_eq!((figure(&told, "taken"), figure(&told, "refused")), (4, 0), "{told}");
    assert_eq!(world.cloud.take_counts().rows_pushed, 4);
    let visits = world.cloud.rows("visits").await.unwrap();
    assert!(visits.iter().any(|row| row["id"] == visit.as_str()));

    // Taken twice it does nothing more, and neither does the lost one, which turns up.
    let again = world.deliver(&stick).await;
    assert_eq!((figure(&again, "taken"), figure(&again, "already")), (0, 4), "{again}");
    let late = on_stick(&lost, "export-").pop().unwrap();
    let late = world.desk.deliver(&late, &lost, None).await;
    assert!(
        !late.status.success() && said(&late).contains("nothing is missing"),
        "{}",
        said(&late)
    );
    let counts = world.cloud.take_counts();
    assert_eq!((counts.rows_pushed, counts.pushes), (0, 0), "{counts:?}");

    // Nothing counts as sent before the answer is back; then all does.
    let (shown, without) = world.exchange("c").await;
    assert!(shown.contains(": 4 rows"), "{shown}");
    let (shown, _) = world.exchange("b").await;
    assert!(shown.contains(": 0 rows"), "{shown}");
    world.assert_alike(&mut phone).await;
    // The answer of one that was made before the answer came is another late one.
    let told = world.deliver_older(&without).await;
    assert!(told.contains("nothing is missing"), "{told}");

    // Both sides change, each without knowing, one row in two columns; and each deletes something.
    phone.edit("patients", &old, &[("hometown", "Farther".into())]).unwrap();
    phone.delete("visits", &visit).unwrap();
    phone.sync().await.unwrap();
    world
        .cloud
        .edit("patients", &old, &[("camp", json!("South"))])
        .await
        .unwrap();
    world.cloud.delete("patients", &babak).await.unwrap();
    let stick = world.carry("b").await;
    let told = world.deliver(&stick).await;
    assert_eq!(figure(&told, "later"), 1, "the hub merges first: {told}");
    let stick = world.carry("b").await;
    phone.sync().await.unwrap();
    assert_eq!(cell(&phone, &old, "camp"), Cell::text("South"));
    assert_eq!(cell(&phone, &old, "hometown"), Cell::text("Farther"));
    world.deliver(&stick).await;
    let (shown, _) = world.exchange("b").await;
    assert!(shown.contains(": 0 rows"), "{shown}");
    world.assert_alike(&mut phone).await;

    // What the cloud changes is fetched without a bundle.
    world
        .cloud
        .edit("patients", &amina, &[("surname", json!("Renamed"))])
        .await
        .unwrap();
    let id = world.hub_id();
    let stick = world.pocket.path().join("b");
    let done = world.desk.at_the_cloud(&["fetch", "--hub", &id], &stick).await;
    assert!(done.status.success(), "{}", said(&done));
    world.carry("b").await;
    phone.sync().await.unwrap();
    assert_eq!(cell(&phone, &amina, "surname"), Cell::text("Renamed"));
    world.assert_alike(&mut phone).await;
    world.goes_online(&mut phone).await;
}

impl Carried {
    async fn deliver_older(&self, stick: &Path) -> String {
        let bundle = on_stick(stick, "export-").pop().unwrap();
        // One that was packed later has been taken before.
        let newest = on_stick(&self.pocket.path().join("b"), "export-").pop().unwrap();
        let newest = self.desk.deliver(&newest, &self.pocket.path().join("b"), None).await;
        assert!(newest.status.success(), "{}", said(&newest));
        said(&self.desk.deliver(&bundle, stick, None).await)
    }

    fn hub_id(&self) -> String {
        let folder = self.pocket.path().join("b").join("hikma-courier");
        let hub = fs::read_dir(folder).unwrap().next().unwrap().unwrap();
        hub.file_name().into_string().unwrap()
    }

    /// The clinic gets a network while an answer is on its way: nothing is sent twice, and all is alike.
    async fn goes_online(mut self, phone: &mut Phone) {
        let chidi = phone.register_patient(&new_patient("Chidi")).unwrap();
        let visit = phone.open_visit(&chidi).unwrap();
        phone.sync().await.unwrap();
        let stick = self.carry("b").await;
        assert_eq!(figure(&self.deliver(&stick).await, "taken"), 2);
        // An edit that is packed and does not get there, and one that is not even packed.
        phone.edit("patients", &chidi, &[("camp", "East".into())]).unwrap();
        phone.sync().await.unwrap();
        self.carry("never").await;
        phone
            .edit("patients", &chidi, &[("hometown", "Upriver".into())])
            .unwrap();
        phone.sync().await.unwrap();

        self.hub.hub.terminate().await.unwrap();
        let setup = fs::read_to_string(self.hub.setup_file()).unwrap();
        fs::write(self.hub.setup_file(), setup + &self.cloud.setup()).unwrap();
        let _ = self.cloud.take_counts();
        self.hub.start_again().await.unwrap();
        let run = self.hub.hub.wait_for_run(0).await.unwrap();
        assert!(run.contains("Waiting"), "{run}");
        let Counts { pushed, pulls, .. } = self.cloud.take_counts();
        assert!(pulls > 0);
        let pushed: Vec<&str> = pushed.iter().map(|pushed| pushed.row.as_str()).collect();
        assert_eq!(
            pushed,
            [format!("patients/{chidi}")],
            "all else had been carried, the visit {visit} too"
        );
        self.assert_alike(phone).await;
        for (column, value) in [("camp", "East"), ("hometown", "Upriver")] {
            assert_eq!(cell(phone, &chidi, column), Cell::text(value));
        }

        // The answer comes late, and the lost stick to the desk.
        let (shown, _) = self.exchange("b").await;
        assert!(shown.contains(": 0 rows"), "{shown}");
        self.deliver(&self.pocket.path().join("never")).await;
        self.assert_alike(phone).await;
        let run = self.hub.hub.sync_now(false).await.unwrap();
        assert!(run.contains("Waiting"), "{run}");
        assert_eq!(self.cloud.take_counts().rows_pushed, 0);
        self.assert_alike(phone).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sticks_that_are_lost_come_late_or_twice_do_no_harm_with_the_older_cloud() {
    lost_late_and_twice(Generation::C1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sticks_that_are_lost_come_late_or_twice_do_no_harm_with_the_newer_cloud() {
    lost_late_and_twice(Generation::C2).await;
}

/// Flips the lowest bit of a byte.
fn flip(file: &Path, at: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[at] ^= 1;
    fs::write(file, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_that_is_damaged_anothers_or_cut_short_changes_nothing() {
    let (world, mut phone) = Carried::with_patient(Generation::C1).await;
    let stick = world.carry("a").await;
    let bundle = on_stick(&stick, "export-").pop().unwrap();
    let good = fs::read(&bundle).unwrap();
    let _ = world.cloud.take_counts();
    // Its name, its hub, its number, its signer, how it is sealed, what is sealed, its signature.
    for at in [
        3,
        9,
        12,
        30,
        50,
        90,
        300,
        good.len() / 2,
        good.len() - 70,
        good.len() - 1,
    ] {
        flip(&bundle, at);
        let done = world.desk.deliver(&bundle, &stick, None).await;
        assert!(!done.status.success(), "byte {at}");
        fs::write(&bundle, &good).unwrap();
    }
    fs::write(&bundle, &good[..good.len() - 100]).unwrap();
    assert!(!world.desk.deliver(&bundle, &stick, None).await.status.success());
    fs::write(&bundle, &good).unwrap();
    let counts = world.cloud.take_counts();
    assert_eq!((counts.verify, counts.pushes), (0, 0), "{counts:?}");

    // The cloud goes away before the end, and in the middle: the same bundle does it later.
    world
        .cloud
        .switch(|switches| switches.faults = vec![Fault::DropPullAfter(100)]);
    assert!(!world.desk.deliver(&bundle, &stick, None).await.status.success());
    world
        .cloud
        .switch(|switches| switches.faults = vec![Fault::CutBeforeAnswer]);
    world.deliver(&stick).await;
    world.assert_alike(&mut phone).await;

    // Another hub of another desk: neither's bundles are taken for the other's.
    let other = Carried::new(Generation::C1).await;
    other.acquaint().await;
    let theirs = other.carry("theirs").await;
    other.deliver(&theirs).await;
    let export = on_stick(&theirs, "export-").pop().unwrap();
    let done = world.desk.deliver(&export, &stick, None).await;
    assert!(said(&done).contains("another receiver"), "{}", said(&done));
    let answer = on_stick(&stick, "answer-").pop().unwrap();
    let ours = fs::read(&answer).unwrap();
    let anothers = fs::read(on_stick(&theirs, "answer-").pop().unwrap()).unwrap();
    fs::write(&answer, &anothers).unwrap();
    let (shown, _) = world.exchange("a").await;
    assert!(shown.contains("P45"), "{shown}");

    // A flipped bit of our own.
    fs::write(&answer, &ours).unwrap();
    flip(&answer, ours.len() / 2);
    let (shown, _) = world.exchange("a").await;
    assert!(shown.contains("P43"), "{shown}");
    let (shown, _) = world.exchange("empty").await;
    assert!(shown.contains(": 1 rows"), "nothing was taken in: {shown}");

    // A stick that opens the hub, and one with backups, are nobody's to carry away.
    for (folder, file) in [("", "hub.key"), ("hub-backup", "stick.json")] {
        let stick = world.pocket.path().join(format!("of{folder}"));
        fs::create_dir_all(stick.join(folder)).unwrap();
        fs::write(stick.join(folder).join(file), r#"{"hub_id":"another"}"#).unwrap();
        let (shown, _) = world.exchange(&format!("of{folder}")).await;
        assert!(shown.contains("No stick is in"), "{shown}");
        world.carry("other").await;
    }

    // The next answer holds what that one held.
    let stick = world.pocket.path().join("empty");
    world.deliver(&stick).await;
    let (shown, _) = world.exchange("empty").await;
    assert!(shown.contains(": 0 rows"), "{shown}");
    world.assert_alike(&mut phone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn power_cuts_while_an_answer_is_taken_in_and_phones_that_write_meanwhile_lose_nothing() {
    let mut world = Carried::new(Generation::C2).await;
    world.acquaint().await;
    let mut phone = world.phone().await;
    for number in 0..40 {
        phone.register_patient(&new_patient(&format!("N{number}"))).unwrap();
    }
    phone.sync().await.unwrap();
    let stick = world.carry("a").await;
    world.deliver(&stick).await;
    for row in world.cloud.rows("patients").await.unwrap() {
        let id = row["id"].as_str().unwrap();
        world
            .cloud
            .edit("patients", id, &[("camp", json!("West"))])
            .await
            .unwrap();
    }
    world.deliver(&stick).await;
    for _ in 0..6 {
        world.put_in("a");
        let mut panel = world.hub.hub.panel().await.unwrap();
        panel.begin_exchange().await.unwrap();
        world.hub.hub.kill9().await.unwrap();
        world.take_out("a");
        world.hub.start_again().await.unwrap();
    }
    // The same with phones that write all the while.
    world.put_in("a");
    let writing = async {
        for number in 0..10 {
            phone.register_patient(&new_patient(&format!("M{number}"))).unwrap();
            phone.sync().await.unwrap();
        }
    };
    let mut panel = world.hub.hub.panel().await.unwrap();
    let (said, ()) = tokio::join!(panel.exchange_by_usb(), writing);
    assert!(said.unwrap().contains("Take the stick out"));
    world.take_out("a");
    for _ in 0..2 {
        let stick = world.carry("a").await;
        world.deliver(&stick).await;
    }
    let (shown, _) = world.exchange("a").await;
    assert!(shown.contains(": 0 rows"), "{shown}");
    world.assert_alike(&mut phone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_does_not_run_is_carried_for_by_commands() {
    let (mut world, mut phone) = Carried::with_patient(Generation::C1).await;
    world.hub.hub.terminate().await.unwrap();
    let stick = world.pocket.path().join("b");
    fs::create_dir(&stick).unwrap();
    let export = ["export", "--to", stick.to_str().unwrap()];
    let packed = hub_tests::hub::desk(&world.hub.data(), &export, hub_tests::hub::PIN)
        .await
        .unwrap();
    assert!(said(&packed).contains(": 1 rows: "), "{}", said(&packed));
    let bundle = on_stick(&stick, "export-").pop().unwrap();
    let shown = Command::new(binary().unwrap())
        .args(["courier", "show", "--bundle"])
        .arg(&bundle)
        .output()
        .unwrap();
    assert!(said(&shown).contains("whole, signed by"), "{}", said(&shown));
    world.deliver(&stick).await;
    let answer = on_stick(&stick, "answer-").pop().unwrap();
    let taken = import(&world.hub.data(), &answer, hub_tests::hub::PIN).await.unwrap();
    assert!(said(&taken).contains("acknowledged: 1"), "{}", said(&taken));
    let again = import(&world.hub.data(), &answer, hub_tests::hub::PIN).await.unwrap();
    assert!(said(&again).contains("late, all of it is known"), "{}", said(&again));
    world.hub.start_again().await.unwrap();
    world.assert_alike(&mut phone).await;
    let (shown, _) = world.exchange("b").await;
    assert!(shown.contains(": 0 rows"), "{shown}");
    assert!(world.hub.hub.printed().find("Amina").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_office_gets_nothing_before_a_person_has_allowed_it() {
    let (mut world, _phone) = Carried::with_patient(Generation::C1).await;
    let other = Desk::new(&world.cloud);
    fs::write(world.hub.setup_file(), other.init().await).unwrap();
    let is_for = async |desk: &Desk, stick: &Path| {
        let bundle = on_stick(stick, "export-").pop().unwrap();
        !said(&desk.deliver(&bundle, stick, None).await).contains("another receiver")
    };
    for (yes, stick) in [(false, "a"), (true, "b")] {
        world.hub.hub.terminate().await.unwrap();
        world.hub.start_again().await.unwrap();
        let mut panel = world.hub.hub.panel().await.unwrap();
        panel.answer("other-office", yes).await.unwrap();
        let stick = world.carry(stick).await;
        assert_eq!(is_for(&other, &stick).await, yes);
        assert_eq!(is_for(&world.desk, &stick).await, !yes);
    }
    // It is asked once: the hub knows that office now.
    world.hub.hub.terminate().await.unwrap();
    world.hub.start_again().await.unwrap();
    world.carry("b").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_records_of_a_clinic_that_was_taken_away_go_when_a_person_allows_it() {
    let mut world = Carried::new(Generation::C1).await;
    world.acquaint().await;
    let mut phone = world.phone().await;
    let clinic = |name: &str| world.clinic.user(name).unwrap().clinic_id.clone();
    let (here, there) = (clinic("admin@clinic.example"), clinic("doctor.two@clinic.example"));
    let of_other = |phone: &Phone| {
        let patients = phone.database.rows("patients").unwrap();
        let table = schema().table("patients").unwrap();
        let live = patients
            .filter(|(_, row)| !row.is_deleted(table))
            .map(|(id, _)| id.to_owned());
        let ids: Vec<String> = live.collect();
        let is_there =
            |id: &&String| *phone.database.cell("patients", id, "primary_clinic_id").unwrap() == Cell::text(&there);
        ids.iter().filter(is_there).count()
    };
    let before = of_other(&phone);
    assert!(before > 0);

    world.cloud.give_clinics(&[&here]);
    let stick = world.carry("a").await;
    world.deliver(&stick).await;
    world.carry("a").await;
    // Who says no is not asked again before the hub is unlocked anew.
    let mut panel = world.hub.hub.panel().await.unwrap();
    panel.press(Button::Back).await.unwrap();
    panel.answer("withdrawn-clinic", false).await.unwrap();
    world.carry("a").await;
    world.hub.hub.terminate().await.unwrap();
    world.hub.start_again().await.unwrap();
    let mut panel = world.hub.hub.panel().await.unwrap();
    panel.answer("withdrawn-clinic", true).await.unwrap();
    // The stick's turn comes after it.
    world.carry("a").await;
    phone.sync().await.unwrap();
    assert_eq!(of_other(&phone), 0);

    world.cloud.give_clinics(&[&here, &there]);
    for _ in 0..2 {
        let stick = world.carry("a").await;
        world.deliver(&stick).await;
    }
    world.carry("a").await;
    world.assert_alike(&mut phone).await;
    assert_eq!(of_other(&phone), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn links_pipes_and_folders_on_a_stick_lead_nowhere_and_answers_again_do_nothing() {
    let (world, mut phone) = Carried::with_patient(Generation::C1).await;
    let stick = world.carry("a").await;
    world.deliver(&stick).await;
    let answer = on_stick(&stick, "answer-").pop().unwrap();
    let good = fs::read(&answer).unwrap();
    let folder = answer.parent().unwrap().to_owned();

    // What is not a plain file is none of ours, under whatever number.
    let elsewhere = world.pocket.path().join("elsewhere.hkc");
    fs::write(&elsewhere, &good).unwrap();
    fs::remove_file(&answer).unwrap();
    let odd = folder.join("answer-000090.hkc");
    for make in [
        &(|path: &Path| std::os::unix::fs::symlink(&elsewhere, path).unwrap()) as &dyn Fn(&Path),
        &|path| {
            let made = Command::new("mkfifo").arg(path).status().unwrap();
            assert!(made.success());
        },
        &|path| fs::create_dir(path).unwrap(),
        &|path| {
            let file = fs::File::create(path).unwrap();
            file.set_len(3 << 30).unwrap();
        },
        &|path| fs::write(path, "").unwrap(),
    ] {
        make(&odd);
        let (shown, _) = world.exchange("a").await;
        assert!(shown.contains("P4"), "{shown}");
        if odd.is_dir() {
            fs::remove_dir(&odd).unwrap();
        } else {
            fs::remove_file(&odd).unwrap();
        }
    }
    assert_eq!(fs::read(&elsewhere).unwrap(), good);

    // A folder of the hub's that is a link: nothing is read, written or removed where it leads.
    let outside = world.pocket.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("answer-000001.hkc"), &good).unwrap();
    fs::write(outside.join("export-000001.hkc"), "precious").unwrap();
    fs::remove_dir_all(&folder).unwrap();
    std::os::unix::fs::symlink(&outside, &folder).unwrap();
    let (shown, _) = world.exchange("a").await;
    assert!(!shown.contains("Take the stick out"), "{shown}");
    let mut left: Vec<_> = fs::read_dir(&outside)
        .unwrap()
        .map(|file| file.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["answer-000001.hkc", "export-000001.hkc"]);
    fs::remove_file(&folder).unwrap();

    // Under another number, and then again, and again: it says what it says, once.
    fs::create_dir(&folder).unwrap();
    for number in ["000007", "999999", "000000"] {
        fs::write(folder.join(format!("answer-{number}.hkc")), &good).unwrap();
        let (shown, _) = world.exchange("a").await;
        assert!(shown.contains(": 0 rows"), "{shown}");
        world.assert_alike(&mut phone).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_mass_index_that_the_older_cloud_has_no_room_for_is_carried_to_it_as_text() {
    let world = Carried::new(Generation::C1).await;
    world.acquaint().await;
    let mut phone = world.phone().await;
    let patient = phone.register_patient(&new_patient("Amina")).unwrap();
    let visit = phone.open_visit(&patient).unwrap();
    let measured = [("bmi", Cell::Real(123.45)), ("heart_rate", Cell::Integer(80))];
    let vitals = phone.record_vitals(&patient, &visit, &measured).unwrap();
    phone.sync().await.unwrap();
    let stick = world.carry("second").await;
    let told = world.deliver(&stick).await;
    assert_eq!((figure(&told, "taken"), figure(&told, "refused")), (3, 0), "{told}");
    let rows = world.cloud.rows("patient_vitals").await.unwrap();
    let there = rows.iter().find(|row| row["id"] == vitals.as_str()).unwrap();
    let held = (&there["bmi"], &there["metadata"]["bmi"], &there["heart_rate"]);
    assert_eq!(held, (&json!(null), &json!("123.45"), &json!(80)));

    // Delivered again it is known for what it is.
    let told = world.deliver(&stick).await;
    assert_eq!(
        (figure(&told, "taken"), figure(&told, "there already")),
        (0, 3),
        "{told}"
    );
    let (shown, _) = world.exchange("second").await;
    assert!(shown.contains(": 0 rows"), "{shown}");
    phone.sync().await.unwrap();
    let here = phone.database.cell("patient_vitals", &vitals, "bmi").unwrap();
    assert_eq!(*here, Cell::Real(123.45));
}
