//! The stick: chosen, pulled out, full, slow, another hub's, flipped.

use std::fs;

use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::compare::hub_as_seen_by;
use hub_tests::hub::{self, PIN};
use hub_tests::panel_client::{Button, Screen};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::small_disk::SmallDisk;
use super::{
    InUse, NEVER, NEW_PIN, OFTEN, Place, all_on, back_to_home, generations_on, has_unfinished, paired, patient, sees,
    until_on_stick,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_box_backs_itself_up_and_a_push_outlives_it() {
    let place = Place::new();
    let (stick, data) = (place.path("stick"), place.path("data"));
    fs::create_dir(&stick).unwrap();
    fs::write(stick.join("holiday.jpg"), "a picture").unwrap();
    let clinic = Clinic::generate(7, ClinicSize::about_rows(200));
    let InUse {
        mut hub,
        mut panel,
        code,
    } = place.in_use(&clinic, OFTEN).await;
    assert_eq!(place.generations().len(), 1);
    assert!(stick.join("holiday.jpg").exists());

    // Pulled out and put back in: what is on it stays, and it is gone on with.
    let away = place.path("away");
    fs::rename(&stick, &away).unwrap();
    sees(&mut panel, "stick is out").await;
    fs::rename(&away, &stick).unwrap();
    sees(&mut panel, "up to date").await;
    assert_eq!(place.generations().len(), 1);

    let mut phone = paired(&hub, &mut panel, &clinic).await;
    phone.sync().await.unwrap();
    let kept = patient(&mut phone);
    phone.sync().await.unwrap();
    until_on_stick(&place, &mut phone).await;

    hub.kill9().await.unwrap();
    fs::remove_dir_all(&data).unwrap();
    assert!(Place::restores(&stick, &code));

    // The same at the panel of a box that begins anew.
    let hub = place.hub().await;
    let mut panel = hub.panel().await.unwrap();
    let new_code = panel.restore(&code, NEW_PIN).await.unwrap();
    assert_ne!(new_code, code);
    let mut reader = paired(&hub, &mut panel, &clinic).await;
    let seen = hub_as_seen_by(&mut reader).await.unwrap();
    assert!(seen.row("patients", &kept).is_some());
    panel.lock().await.unwrap();
    panel.unlock(NEW_PIN).await.unwrap();
    panel.lock().await.unwrap();
}

/// Whoever does not want it, or has not the paper, changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_not_wanted_is_left_and_a_wrong_code_opens_none() {
    let place = Place::new();
    let (stick, data) = (place.path("stick"), place.path("data"));
    fs::create_dir(&stick).unwrap();
    let mut hub = place.hub().await;
    let code = hub.panel().await.unwrap().set_up(PIN).await.unwrap();
    hub.terminate().await.unwrap();
    for _ in 0..2 {
        let to = ["backup", "--to", stick.to_str().unwrap()];
        assert!(hub::desk(&data, &to, PIN).await.unwrap().status.success());
    }
    fs::remove_dir_all(&data).unwrap();
    let mut hub = place.hub().await;
    let mut panel = hub.panel().await.unwrap();
    let other = ["000011"; 8];
    panel.pass_splash().await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    panel.answer("restore", true).await.unwrap();
    for group in other {
        panel.wait_for("recovery").await.unwrap();
        panel.type_digits(group).await.unwrap();
        panel.press(Button::Ok).await.unwrap();
    }
    let wrong = |screen: &Screen| screen.lines.iter().any(|line| line.contains("That code is wrong"));
    panel.wait_until(wrong).await.unwrap();
    panel.hold(Button::Ok).await.unwrap();
    // The newest, the one before it, and then a new hub.
    let asks = |screen: &Screen| screen.name == "restore" && screen.lines.iter().any(|line| line.contains("[No]"));
    for _ in 0..2 {
        panel.wait_until(asks).await.unwrap();
        panel.press(Button::Ok).await.unwrap();
        panel.wait_until(|screen| !asks(screen)).await.unwrap();
    }
    panel.wait_for("setup-way").await.unwrap();
    assert!(!data.join("keys/keyslots.json").exists() && !data.join("store/hub.db").exists());
    let anew = panel.set_up(NEW_PIN).await.unwrap();
    assert_ne!(anew, code);
    hub.terminate().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stick_that_is_pulled_out_in_mid_copy_keeps_the_last_backup_whole() {
    let place = Place::new();
    let (stick, away) = (place.path("stick"), place.path("away"));
    fs::create_dir(&stick).unwrap();
    let clinic = Clinic::generate(7, ClinicSize::about_rows(2000));
    let InUse { hub, mut panel, code } = place.in_use(&clinic, OFTEN).await;
    let before = place.generations();
    let pulled = {
        let (stick, away) = (stick.clone(), away.clone());
        tokio::task::spawn_blocking(move || {
            while !has_unfinished(&stick) {
                std::thread::yield_now();
            }
            fs::rename(&stick, &away)
        })
    };
    panel.press(Button::Ok).await.unwrap();
    pulled.await.unwrap().unwrap();
    sees(&mut panel, "stick is out").await;
    let there: Vec<_> = generations_on(&away)
        .iter()
        .map(|path| path.file_name().unwrap().to_owned())
        .collect();
    let expected: Vec<_> = before.iter().map(|path| path.file_name().unwrap().to_owned()).collect();
    assert_eq!(there, expected, "what was cut off is no backup");
    assert!(Place::restores(&away, &code));

    fs::rename(&away, &stick).unwrap();
    sees(&mut panel, "up to date").await;
    assert!(!has_unfinished(&stick), "its room is free again");
    drop(hub);
    assert!(Place::restores(&stick, &code));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_stick_is_told_and_keeps_the_last_backup() {
    let disk = SmallDisk::new("24m");
    let place = Place(disk.folder());
    fs::create_dir(place.path("stick")).unwrap();
    let data = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(data.path(), place.path("data")).unwrap();
    let clinic = Clinic::generate(7, ClinicSize::about_rows(200));
    let InUse { hub, mut panel, code } = place.in_use(&clinic, OFTEN).await;
    let before = place.generations();
    let filler = place.path("stick").join("film.mp4");
    let free = nix::sys::statvfs::statvfs(&place.path("stick")).unwrap();
    let most = free.blocks_available() * free.fragment_size();
    fs::write(&filler, vec![7; usize::try_from(most - 3 * 1024 * 1024).unwrap()]).unwrap();
    panel.press(Button::Ok).await.unwrap();
    sees(&mut panel, "The stick is full").await;
    assert_eq!(place.generations(), before);
    assert!(!has_unfinished(&place.path("stick")));
    assert!(Place::restores(&place.path("stick"), &code));
    back_to_home(&mut panel).await;
    let warns = |screen: &Screen| screen.lines.iter().any(|line| line.contains("Backup has stopped"));
    panel.wait_until(warns).await.unwrap();

    disk.resize("64m");
    panel.choose("Backup").await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    sees(&mut panel, "up to date").await;
    back_to_home(&mut panel).await;
    panel.wait_until(|screen| !warns(screen)).await.unwrap();
    drop(hub);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_hubs_stick_is_neither_written_to_nor_offered() {
    let (theirs, ours) = (Place::new(), Place::new());
    let mut hub = theirs.hub().await;
    hub.panel().await.unwrap().set_up(PIN).await.unwrap();
    hub.terminate().await.unwrap();
    let stick = theirs.path("stick");
    fs::create_dir(&stick).unwrap();
    let to = ["backup", "--to", stick.to_str().unwrap()];
    assert!(
        hub::desk(&theirs.path("data"), &to, PIN)
            .await
            .unwrap()
            .status
            .success()
    );
    let before = all_on(&stick);

    let hub = ours.hub().await;
    let mut panel = hub.panel().await.unwrap();
    panel.set_up(PIN).await.unwrap();
    let link = ours.path("stick");
    std::os::unix::fs::symlink(&stick, &link).unwrap();
    panel.choose("Backup").await.unwrap();
    sees(&mut panel, "Another hub's stick").await;
    // *Now* finds no stick of its own.
    panel.press(Button::Ok).await.unwrap();
    sees(&mut panel, "No backup yet").await;
    panel.lock().await.unwrap();
    panel.unlock(PIN).await.unwrap();
    panel.choose("Backup").await.unwrap();
    sees(&mut panel, "Another hub's stick").await;
    assert_eq!(all_on(&stick), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_is_on_the_stick_when_the_hub_is_locked_and_no_new_base_is_made_at_an_unlock() {
    let place = Place::new();
    let (stick, data) = (place.path("stick"), place.path("data"));
    fs::create_dir(&stick).unwrap();
    let clinic = Clinic::generate(7, ClinicSize::about_rows(200));
    let InUse {
        mut hub,
        mut panel,
        code,
    } = place.in_use(&clinic, NEVER).await;
    let mut phone = paired(&hub, &mut panel, &clinic).await;
    phone.sync().await.unwrap();
    let mut kept = vec![patient(&mut phone)];
    phone.sync().await.unwrap();
    assert_eq!(place.signed_for(), "backup");
    panel.lock().await.unwrap();
    assert_eq!(place.signed_for(), "lock");
    let base = place.generations();
    let base_bytes = fs::read(base[0].join("hub.db")).unwrap();
    for _ in 0..2 {
        panel.unlock(PIN).await.unwrap();
        panel.choose("Backup").await.unwrap();
        sees(&mut panel, "up to date").await;
        assert_eq!(place.signed_for(), "backup");
        phone.client.handshake().await.unwrap();
        kept.push(patient(&mut phone));
        phone.sync().await.unwrap();
        panel.lock().await.unwrap();
    }
    assert_eq!(place.generations(), base);
    assert!(fs::read(base[0].join("hub.db")).unwrap() == base_bytes);
    hub.terminate().await.unwrap();

    // One that is not what was written is not gone on with.
    fs::write(base[0].join("hub.db"), &base_bytes[..base_bytes.len() - 1]).unwrap();
    let mut hub = place.hub_backing_up(NEVER).await;
    let mut panel = hub.panel().await.unwrap();
    panel.unlock(PIN).await.unwrap();
    panel.choose("Backup").await.unwrap();
    sees(&mut panel, "up to date").await;
    assert_eq!(place.generations().len(), 2);
    fs::remove_dir_all(&base[0]).unwrap();
    panel.lock().await.unwrap();
    hub.kill9().await.unwrap();
    fs::remove_dir_all(&data).unwrap();
    assert!(hub::restore(&stick, &data, &code.groups().join("-"), NEW_PIN).unwrap());
    let hub = place.hub().await;
    let mut panel = hub.panel().await.unwrap();
    panel.unlock(NEW_PIN).await.unwrap();
    let mut reader = paired(&hub, &mut panel, &clinic).await;
    let seen = hub_as_seen_by(&mut reader).await.unwrap();
    assert!(kept.iter().all(|id| seen.row("patients", id).is_some()));
}

/// A pipe that nobody reads stands for a stick that does not answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_stick_that_does_not_answer_holds_up_no_lock() {
    let place = Place::new();
    let stick = place.path("stick");
    fs::create_dir(&stick).unwrap();
    let clinic = Clinic::generate(7, ClinicSize::about_rows(200));
    let InUse { hub, mut panel, code } = place.in_use(&clinic, NEVER).await;
    let log = place.generations()[0].join("log");
    let pipe = log.join("00000001.new");
    fs::create_dir(&log).unwrap();
    mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    let mut phone = paired(&hub, &mut panel, &clinic).await;
    phone.sync().await.unwrap();
    let process = hub.pid().unwrap();
    for _ in 0..2 {
        panel.lock().await.unwrap();
        panel.unlock(PIN).await.unwrap();
        phone.client.handshake().await.unwrap();
        phone.sync().await.unwrap();
    }
    assert_eq!(hub.pid().unwrap(), process, "the box did not begin anew");
    assert!(!log.join("00000001").exists());

    // It answers again.
    let answered = tokio::task::spawn_blocking(move || fs::read(&pipe));
    panel.choose("Backup").await.unwrap();
    sees(&mut panel, "up to date").await;
    answered.await.unwrap().unwrap();
    panel.lock().await.unwrap();
    drop(hub);
    assert!(Place::restores(&stick, &code));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_with_a_flipped_bit_is_refused_at_the_panel_by_the_name_of_the_file_and_one_of_a_newer_hub_too() {
    let place = Place::new();
    let (stick, data) = (place.path("stick"), place.path("data"));
    let mut hub = place.hub().await;
    let code = hub.panel().await.unwrap().set_up(PIN).await.unwrap();
    hub.terminate().await.unwrap();
    fs::create_dir(&stick).unwrap();
    let to = ["backup", "--to", stick.to_str().unwrap()];
    assert!(hub::desk(&data, &to, PIN).await.unwrap().status.success());
    fs::remove_dir_all(&data).unwrap();
    let generation = place.generations().pop().unwrap();
    let database = generation.join("hub.db");
    let mut bytes = fs::read(&database).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&database, &bytes).unwrap();
    let mut hub = place.hub().await;
    let mut panel = hub.panel().await.unwrap();
    panel.restore(&code, NEW_PIN).await.unwrap_err();
    assert_eq!(panel.screen().name, "error");
    assert!(
        panel.screen().lines.iter().any(|line| line.contains("hub.db")),
        "{:?}",
        panel.screen()
    );
    assert!(!data.join("keys/keyslots.json").exists() && !data.join("store/hub.db").exists());
    hub.kill9().await.unwrap();

    let manifest = generation.join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("\"schema\":", "\"schema\":9")).unwrap();
    let hub = place.hub().await;
    let mut panel = hub.panel().await.unwrap();
    panel.pass_splash().await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    let said = panel.wait_for("error").await.unwrap().lines.join(" ");
    assert!(said.contains(env!("CARGO_PKG_VERSION")), "{said}");
    drop(hub);
}
