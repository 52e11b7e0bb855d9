//! A box that is lost: backed up, written to, destroyed, restored on another; and what phones make of that.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::compare::{Comparison, hub_as_seen_by};
use hub_tests::hub::{Log, PIN, TestHub, binary};
use hub_tests::phone::edit::NewPatient;
use hub_tests::phone::pull::PullCounts;
use hub_tests::phone::{Generation, Phone};

const NEW_PIN: &str = "27182818";

fn back_up(data: &Path, to: &Path) {
    let mut child = Command::new(binary().unwrap())
        .args(["backup", "--data"])
        .arg(data)
        .arg("--to")
        .arg(to)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{PIN}").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8(output.stdout).unwrap().contains("checked"));
}

/// Whether it was restored. The new recovery code is typed back as a person would.
fn restore(from: &Path, data: &Path, code: &str) -> bool {
    let mut child = Command::new(binary().unwrap())
        .args(["restore", "--unlock-time", "0", "--from"])
        .arg(from)
        .arg("--data")
        .arg(data)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut typed = child.stdin.take().unwrap();
    let mut shown = BufReader::new(child.stdout.take().unwrap()).lines();
    writeln!(typed, "{code}").unwrap();
    // It may refuse before it asks for the rest.
    let _ = writeln!(typed, "{NEW_PIN}\n{NEW_PIN}");
    if let Some(Ok(line)) = shown.next() {
        let new = line.split(": ").nth(1).unwrap().to_owned();
        assert_ne!(new, code);
        let groups: Vec<_> = new.split('-').collect();
        writeln!(typed, "{}\n{}", groups[2], groups[5]).unwrap();
        let _ = shown.next();
    }
    child.wait().unwrap().success()
}

fn patient(phone: &mut Phone, name: &str) -> String {
    let new = NewPatient {
        given_name: name.to_owned(),
        surname: "Lost".to_owned(),
        ..NewPatient::default()
    };
    phone.register_patient(&new).unwrap()
}

#[tokio::test]
async fn a_lost_box_comes_back_with_all_that_was_backed_up_and_phones_that_were_ahead_bring_the_rest() {
    let clinic = Clinic::generate(7, ClinicSize::about_rows(200));
    let mut hub = TestHub::with_clinic(&clinic, Log::Warnings).await.unwrap();
    let code = hub.recovery.as_ref().unwrap().groups().join("-");
    let doctor = clinic.user("doctor@clinic.example").unwrap();
    let mut phones = Vec::new();
    for app in [Generation::V1_5, Generation::V1_5, Generation::V1_7] {
        let mut phone = Phone::with_client(hub.pair(|client| client).await.unwrap()).with_app(app);
        phone.log_in(&doctor.email, &doctor.password).await.unwrap();
        phones.push(phone);
    }
    let [mut old, mut other, mut new] = <[Phone; 3]>::try_from(phones).unwrap();
    let since = old.clock.now();
    for phone in [&mut old, &mut other, &mut new] {
        phone.sync().await.unwrap();
    }
    let kept = patient(&mut old, "Kept");
    old.sync().await.unwrap();

    hub.hub.terminate().await.unwrap();
    let stick = tempfile::tempdir().unwrap();
    back_up(&hub.data(), stick.path());
    hub.start_again().await.unwrap();

    // What came in between is on the hub and on phones; some of it is marked as deleted on one of them.
    for phone in [&mut old, &mut other, &mut new] {
        phone.sync().await.unwrap();
    }
    let lost = patient(&mut old, "After");
    old.sync().await.unwrap();
    for phone in [&mut other, &mut new] {
        phone.sync().await.unwrap();
    }
    let now = new.clock.now();
    new.database
        .update("patients", &lost, &[("hometown", "Elsewhere".into())], now)
        .unwrap();
    new.sync().await.unwrap();
    old.sync().await.unwrap();
    other.sync().await.unwrap();
    other.database.mark_deleted("patients", &kept).unwrap();

    hub.hub.kill9().await.unwrap();
    std::fs::remove_dir_all(hub.data()).unwrap();
    assert!(
        !restore(stick.path(), &hub.data(), &"000011-".repeat(8)),
        "another code opens nothing"
    );
    assert!(restore(stick.path(), &hub.data(), &code));
    assert!(!restore(stick.path(), &hub.data(), &code), "there is a hub now");
    hub.start_locked().await.unwrap();
    hub.hub.panel().await.unwrap().unlock(NEW_PIN).await.unwrap();

    for phone in [&mut old, &mut other, &mut new] {
        phone.sync().await.unwrap();
        let again = phone.sync().await.unwrap().pulled;
        assert!(
            again.iter().all(|(_, counts)| *counts == PullCounts::default()),
            "nothing comes twice"
        );
    }
    assert!(new.database.row("patients", &kept).is_some());
    let seen = hub_as_seen_by(&mut old).await.unwrap();
    assert!(seen.row("patients", &kept).is_some(), "what was backed up is there");
    assert!(
        seen.row("patients", &lost).is_none(),
        "what came after the backup is not"
    );

    old.force_upload(since).await.unwrap();
    for _ in 0..2 {
        for phone in [&mut old, &mut other, &mut new] {
            phone.sync().await.unwrap();
        }
    }
    let seen = hub_as_seen_by(&mut old).await.unwrap();
    assert!(seen.row("patients", &lost).is_some());
    Comparison::of_one_user().compare(&seen, &old.database).unwrap();
    Comparison::of_one_user().compare(&seen, &new.database).unwrap();
    // What it marked as deleted nobody was told of, and the hub still has it; all else is the same.
    other.force_upload(since).await.unwrap();
    for _ in 0..2 {
        for phone in [&mut old, &mut other, &mut new] {
            phone.sync().await.unwrap();
        }
    }
    let seen = hub_as_seen_by(&mut old).await.unwrap();
    for phone in [&old, &new] {
        Comparison::of_one_user().compare(&seen, &phone.database).unwrap();
    }
    let rest = Comparison::of_one_user().without("patients");
    rest.compare(&seen, &other.database).unwrap();
    assert!(other.database.row("patients", &lost).is_some());
}
