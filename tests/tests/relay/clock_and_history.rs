//! What the cloud never tells: deletions in an answer that begins at 0, what changed while its clock was ahead, and what is
//! older than its organisation's limit.

use hub_tests::cloud::Generation;
use hub_tests::hub::Log;
use hub_tests::schema::schema;
use serde_json::json;

use super::world::Relayed;

const DAY_MS: i64 = 86_400_000;

impl Relayed {
    fn has_patient(&self, id: &str) -> bool {
        let table = schema().table("patients").unwrap();
        let row = self.phone.database.row("patients", id);
        row.is_some_and(|row| !row.is_deleted(table))
    }

    /// Two patients whom the phone has.
    fn two_patients(&self) -> [String; 2] {
        let mut patients = self.phone.database.rows("patients").unwrap();
        [(); 2].map(|()| patients.next().unwrap().0.to_owned())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_is_heard_of_by_a_run_that_compares_everything_too() {
    let mut world = Relayed::new(Generation::C1, Log::Warnings).await;
    let [patient, _] = world.two_patients();
    world.cloud.delete("patients", &patient).await.unwrap();
    // So much later, no run after this one is told of it.
    world.cloud.switch(|switches| switches.clock_off = DAY_MS);
    let ended = world.hub.hub.sync_now(true).await.unwrap();
    assert!(ended.contains("Waiting"), "{ended}");
    world.run_through().await;
    world.phone.sync().await.unwrap();
    assert!(!world.has_patient(&patient));
    world.hub_content().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_before_a_clock_that_was_a_day_ahead_is_put_right_arrives_all_the_same() {
    let mut world = Relayed::new(Generation::C2, Log::Warnings).await;
    world.cloud.switch(|switches| switches.clock_off = DAY_MS);
    world.run_through().await;
    world.run_through().await;
    // It is put right: what people do now is from before the hub's cursor.
    world.cloud.switch(|switches| switches.clock_off = 0);
    let [renamed, deleted] = world.two_patients();
    let camp = [("camp", json!("North"))];
    world.cloud.edit("patients", &renamed, &camp).await.unwrap();
    world.cloud.delete("patients", &deleted).await.unwrap();
    world.run_through().await;
    world.phone.sync().await.unwrap();
    assert_eq!(
        world.phone.database.cell("patients", &renamed, "camp").unwrap(),
        &"North".into()
    );
    assert!(!world.has_patient(&deleted));
    // What phones write meanwhile goes there, though the cloud's own rows are from tomorrow.
    world
        .phone
        .edit("patients", &renamed, &[("hometown", "Elsewhere".into())])
        .unwrap();
    world.phone.sync().await.unwrap();
    world.run_through().await;
    let there = world.cloud.rows("patients").await.unwrap();
    let there = there.iter().find(|row| row["id"] == renamed.as_str()).unwrap();
    assert_eq!(
        (&there["camp"], &there["hometown"]),
        (&json!("North"), &json!("Elsewhere"))
    );
    world.assert_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_older_than_the_clouds_limit_stays_on_the_hub_and_so_do_edits_of_it() {
    let mut world = Relayed::new(Generation::C2, Log::Warnings).await;
    let before = world.hub_content().await;
    world.cloud.switch(|switches| switches.history_days = Some(7));
    let ended = world.hub.hub.sync_now(true).await.unwrap();
    assert!(ended.contains("Waiting"), "{ended}");
    assert_eq!(world.hub_content().await, before, "what does not come is not gone");
    // An old record that somebody edits goes there; it never comes back, so it does not count as sent.
    let patient = world.patient();
    world
        .phone
        .edit("patients", &patient, &[("camp", "North".into())])
        .unwrap();
    world.phone.sync().await.unwrap();
    world.run_through().await;
    let there = world.cloud.rows("patients").await.unwrap();
    let there = there.iter().find(|row| row["id"] == patient.as_str()).unwrap();
    assert_eq!(there["camp"], "North");
    // Another run, that nobody asked for: at a person's wish it would be tried again at once.
    world.hub.hub.terminate().await.unwrap();
    world.hub.start_again().await.unwrap();
    world.hub.hub.wait_for_run(0).await.unwrap();
    world.hub.hub.terminate().await.unwrap();
    let held = world.unacknowledged().await;
    assert_eq!(
        held,
        [(
            format!("patients/{patient}"),
            "sent, but the cloud does not show it".to_owned()
        )]
    );
    world.cloud.switch(|switches| switches.history_days = None);
    world.hub.start_again().await.unwrap();
    world.hub.hub.wait_for_run(0).await.unwrap();
    world.run_through().await;
    world.assert_alike().await;
    world.assert_quiet().await;
}
