//! Who holds the card for a minute can't send the records elsewhere: another cloud, or another key, is asked about on the panel.

use std::fs;

use hub_tests::clinic::Clinic;
use hub_tests::cloud::{Cloud, Generation};
use hub_tests::hub::{self, Log, PIN};
use hub_tests::panel_client::{Button, Screen};

use super::world::{Relayed, SIZE, new_patient};

const OTHER_KEY: &str = "hh_ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";

#[tokio::test(flavor = "multi_thread")]
async fn another_cloud_or_key_gets_nothing_before_a_person_has_allowed_it() {
    let mut world = Relayed::new(Generation::C1, Log::Warnings).await;
    let other = Cloud::start(&Clinic::generate(31, SIZE)).await.unwrap();
    other.change_key(OTHER_KEY);
    fs::write(world.hub.setup_file(), other.setup()).unwrap();
    let patient = world.phone.register_patient(&new_patient("Amina")).unwrap();
    world.phone.sync().await.unwrap();
    for yes in [false, true] {
        world.hub.hub.terminate().await.unwrap();
        world.hub.start_again().await.unwrap();
        world.hub.hub.wait_for_run(0).await.unwrap();
        let mut panel = world.hub.hub.panel().await.unwrap();
        let _ = (world.cloud.take_counts(), other.take_counts());
        panel.answer("other-cloud", yes).await.unwrap();
        world.run_through().await;
        let asked = [&world.cloud, &other].map(|cloud| cloud.take_counts().verify > 0);
        assert_eq!(asked, [!yes, yes]);
        let left = fs::read_to_string(world.hub.setup_file()).unwrap();
        assert_eq!(
            left.contains(OTHER_KEY),
            !yes,
            "a key that is used does not stay on the card"
        );
    }
    // What the one before had acknowledged is sent to the new one.
    let there = other.rows("patients").await.unwrap();
    assert!(there.iter().any(|row| row["id"] == patient.as_str()));

    // The same cloud with another key is another, too.
    world.cloud = other;
    world.cloud.change_key(hub_tests::cloud::API_KEY);
    world.hub.hub.terminate().await.unwrap();
    fs::write(world.hub.setup_file(), world.cloud.setup()).unwrap();
    world.hub.start_again().await.unwrap();
    let mut panel = world.hub.hub.panel().await.unwrap();
    panel.answer("other-cloud", true).await.unwrap();
    world.run_through().await;
    world.assert_alike().await;
    world.hub.hub.terminate().await.unwrap();
    world.hub.start_again().await.unwrap();
    world.hub.hub.wait_for_run(0).await.unwrap();
    world.assert_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_cloud_that_can_not_be_taken_over_is_tried_again_and_the_one_before_goes_on_meanwhile() {
    let mut world = Relayed::new(Generation::C1, Log::Warnings).await;
    let other = Cloud::start(&Clinic::generate(31, SIZE)).await.unwrap();
    other.change_key(OTHER_KEY);
    world.hub.hub.terminate().await.unwrap();
    fs::write(world.hub.setup_file(), other.setup()).unwrap();
    world.hub.start_again().await.unwrap();
    world.hub.hub.wait_for_run(0).await.unwrap();
    let patient = world.phone.register_patient(&new_patient("Amina")).unwrap();
    world.phone.sync().await.unwrap();

    // The vault can't be written.
    let in_the_way = world.hub.data().join("store/vault.new");
    fs::create_dir(&in_the_way).unwrap();
    let mut panel = world.hub.hub.panel().await.unwrap();
    panel.answer("other-cloud", true).await.unwrap();
    let told = |screen: &Screen| screen.name == "news" && screen.lines.iter().any(|line| line.contains("OK: "));
    let news = panel.wait_until(told).await.unwrap();
    assert_eq!(news.lines[0], "Could not change", "{:?}", news.lines);
    panel.press(Button::Ok).await.unwrap();
    panel.wait_for("home").await.unwrap();
    world.run_through().await;
    let is_there = |rows: &[hub_tests::cloud::CloudRow]| rows.iter().any(|row| row["id"] == patient.as_str());
    assert!(is_there(&world.cloud.rows("patients").await.unwrap()));
    assert_eq!(other.take_counts().verify, 0, "nothing of it counts yet");

    fs::remove_dir(&in_the_way).unwrap();
    world.run_through().await;
    assert!(is_there(&other.rows("patients").await.unwrap()));
    assert_eq!(
        fs::read_to_string(world.hub.setup_file())
            .unwrap()
            .matches(OTHER_KEY)
            .count(),
        0
    );
    world.cloud = other;
    world.assert_alike().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_cloud_calls_the_hub_is_kept_unless_its_owner_named_it() {
    let mut world = Relayed::new(Generation::C1, Log::Warnings).await;
    let id = world.phone.client.handshake().await.unwrap().hub_id.clone();
    for (more, name) in [
        ("", "Clinic hub"),
        ("name = 'Ours'\n", "Ours"),
        ("name = 'Ours'\n", "Ours"),
    ] {
        world.run_through().await;
        world.hub.hub.terminate().await.unwrap();
        fs::write(world.hub.setup_file(), world.cloud.setup() + more).unwrap();
        world.hub.start_again().await.unwrap();
        let hub = world.phone.client.handshake().await.unwrap();
        assert_eq!(
            (hub.hub_name.as_str(), &hub.hub_id),
            (name, &id),
            "phones know it by the same id"
        );
    }
    world.run_through().await;
    world.hub.hub.terminate().await.unwrap();
    let export = ["audit", "export", "--format", "jsonl"];
    let exported = hub::desk(&world.hub.data(), &export, PIN).await.unwrap();
    let log = String::from_utf8(exported.stdout).unwrap();
    let told: Vec<&str> = log.lines().filter(|line| line.contains("cloud.device")).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("0195c0de-0000-7000-8000-000000000001"), "{told:?}");
}
