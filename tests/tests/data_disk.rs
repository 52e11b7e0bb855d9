//! What a hub makes of the states of its data disk: the service that tells of them, and works on disks, is played here.

#[path = "support/played_disk.rs"]
mod played_disk;

use hub_tests::hub::{Hub, PIN};
use hub_tests::panel_client::{Button, PanelClient, Screen};

use played_disk::{Bench, STICK, TWO_DISKS};

const OTHER_PIN: &str = "27182818";

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
        ("write-protected", "has its lock on"),
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
async fn of_two_data_disks_a_person_chooses_by_name_phones_and_last_use() {
    let bench = Bench::set_up().await;
    bench.service.set(|part| {
        part.state = "several";
        part.rivals = TWO_DISKS;
        part.asked.clear();
    });
    let (mut hub, mut panel) = bench.start().await;
    let asked = panel.wait_for("which-disk").await.unwrap();
    for told in ["1/2", "Clinic North", "12", "31 GB", "2026-11-27"] {
        assert!(says(asked, told), "{told}: {asked:?}");
    }
    // The next one, and round to the first again; nobody has chosen yet.
    panel.wait_until(|screen| says(screen, "[Next]")).await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    let asked = panel.wait_until(|screen| says(screen, "2/2")).await.unwrap();
    assert!(
        says(asked, "Clinic Hub") && says(asked, "SD card") && says(asked, "2026-11-28"),
        "{asked:?}"
    );
    panel.wait_until(|screen| says(screen, "[Next]")).await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    panel
        .wait_until(|screen| says(screen, "1/2") && says(screen, "[Next]"))
        .await
        .unwrap();
    assert!(!bench.service.was_asked("choose"));
    panel.press(Button::Up).await.unwrap();
    panel.wait_until(|screen| says(screen, "[Use it]")).await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    // It starts anew with this one, and nothing was made, copied or opened for it.
    hub.ended().await.unwrap();
    assert!(bench.service.was_asked("choose 5") && !bench.service.was_asked("choose 7"));
    for other in ["format", "copy", "open", "finish-move"] {
        assert!(!bench.service.was_asked(other), "{other}");
    }
    bench.service.set(|part| part.state = "closed");
    let (_hub, mut panel) = bench.start().await;
    panel.unlock(PIN).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_hub_leaves_on_its_disk_what_a_person_knows_it_by() {
    let bench = Bench::set_up().await;
    let facts = std::fs::read(bench.path("data/keys/facts.json")).unwrap();
    let facts: serde_json::Value = serde_json::from_slice(&facts).unwrap();
    assert_eq!(
        (facts["hub_name"].as_str(), facts["phones"].as_u64()),
        (Some("Clinic Hub"), Some(0))
    );
    assert!(facts["clock"].as_i64().is_some_and(|clock| clock > 1_700_000_000_000));
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

/// From the home screen to the errand of this entry's name, with the PIN.
async fn begin_larger_disk(panel: &mut PanelClient) {
    panel.choose("Larger disk").await.unwrap();
    panel.wait_for("ask-pin").await.unwrap();
    enter(panel, PIN).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_hub_moves_to_a_larger_disk_when_a_person_with_the_pin_says_so_twice() {
    let bench = Bench::set_up().await;
    bench.service.set(|part| part.asked.clear());
    let (mut hub, mut panel) = bench.start().await;
    panel.unlock(PIN).await.unwrap();

    // There is none yet.
    begin_larger_disk(&mut panel).await;
    assert!(says(panel.wait_for("errand").await.unwrap(), "There is no other"));
    panel.press(Button::Ok).await.unwrap();
    panel.wait_for("home").await.unwrap();

    bench.service.set(|part| part.roomier = STICK);
    begin_larger_disk(&mut panel).await;
    panel.answer("larger-disk", false).await.unwrap();
    panel.wait_for("home").await.unwrap();
    begin_larger_disk(&mut panel).await;
    panel.answer("larger-disk", true).await.unwrap();
    panel.answer("new-disk", false).await.unwrap();
    panel.wait_for("home").await.unwrap();
    assert!(!bench.service.was_asked("copy"));

    begin_larger_disk(&mut panel).await;
    panel.answer("larger-disk", true).await.unwrap();
    let asked = panel.wait_for("new-disk").await.unwrap();
    assert!(says(asked, "SanDisk Ultra") && says(asked, "31 GB"), "{asked:?}");
    panel.answer("new-disk", true).await.unwrap();
    // It starts anew with the records where they are by then.
    hub.ended().await.unwrap();
    for step in ["copy 17", "open-copy", "finish-move"] {
        assert!(bench.service.was_asked(step), "{step}");
    }
    bench.service.set(|part| part.left = Some(31_914_983_424));
    let (mut hub, mut panel) = bench.start().await;
    let told = panel.wait_for("notice").await.unwrap();
    assert!(
        says(told, "Records have moved") && says(told, "Take out the 31 GB") && says(told, "locked"),
        "{told:?}"
    );
    panel.press(Button::Ok).await.unwrap();
    panel.unlock(PIN).await.unwrap();
    hub.terminate().await.unwrap();
    // Until it is out.
    let (mut hub, mut panel) = bench.start().await;
    panel.wait_for("notice").await.unwrap();
    hub.terminate().await.unwrap();
    bench.service.set(|part| part.left = None);
    let (_hub, mut panel) = bench.start().await;
    panel.unlock(PIN).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_to_a_larger_disk_that_was_cut_short_goes_on_if_a_person_wants_it() {
    let bench = Bench::set_up().await;
    let movable = format!(r#"{{"bytes":4000000000,"to":{STICK},"goes_on":true}}"#);
    bench.service.set(|part| {
        part.movable = Some(movable);
        part.asked.clear();
    });
    let (mut hub, mut panel) = bench.start().await;
    panel.answer("go-on-moving", false).await.unwrap();
    panel.unlock(PIN).await.unwrap();
    assert!(!bench.service.was_asked("copy"), "the hub is used where it is");
    hub.terminate().await.unwrap();

    let (mut hub, mut panel) = bench.start().await;
    // The disk was allowed when the move began.
    panel.answer("go-on-moving", true).await.unwrap();
    panel.wait_for("locked").await.unwrap();
    enter(&mut panel, PIN).await;
    hub.ended().await.unwrap();
    assert!(bench.service.was_asked("copy 17") && bench.service.was_asked("finish-move"));
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

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_slow_with_its_keys_keeps_no_hub_from_locking_and_the_next_unlock_goes_on() {
    let bench = Bench::set_up().await;
    let (_hub, mut panel) = bench.start().await;
    bench.service.set(|part| part.is_slow_with_keys = true);
    panel.unlock(PIN).await.unwrap();
    panel.change_pin(PIN, OTHER_PIN).await.unwrap();
    let service = bench.service.clone();
    let asked = tokio::task::spawn_blocking(move || service.wait_until_asked("add-key"));
    asked.await.unwrap();
    // Not by the end of the program, which would end the panel with it.
    panel.lock().await.unwrap();
    panel.wait_for("locked").await.unwrap();

    bench.service.set(|part| part.is_slow_with_keys = false);
    panel.unlock(OTHER_PIN).await.unwrap();
    let service = bench.service.clone();
    let kept = tokio::task::spawn_blocking(move || service.wait_until_asked("keep-key"));
    kept.await.unwrap();
}
