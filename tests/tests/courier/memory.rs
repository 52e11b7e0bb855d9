//! What 100,000 rows that are carried by hand take of memory, at the hub and at the desk.
//!
//! Too long for every run of the tests: `scripts/bench --loads` runs it. `HUB_TEST_ROWS` says how many rows (100,000).

use std::fs;
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::time::Duration;

use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::cloud::Generation;
use hub_tests::effort::{number, report};
use hub_tests::hub::{Log, PIN};

use super::many_events::push_events;
use super::office::{Carried, figure, new_hub_in, new_patient, on_stick, said};

/// What carrying may take beside what an idle hub has, KiB.
const MORE: u64 = 64 * 1024;
/// What a command of the desk takes that does next to nothing, KiB.
const COMMAND: u64 = 16 * 1024;

/// The highest that the resident memory of a command has been while it ran, KiB, and what it said.
async fn highest_of(mut command: Child) -> (u64, Output) {
    let status = format!("/proc/{}/status", command.id());
    let mut highest = 0;
    let mut looks = tokio::time::interval(Duration::from_millis(5));
    while command.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let now = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        highest = highest.max(now.unwrap_or(0));
        looks.tick().await;
    }
    (highest, command.wait_with_output().unwrap())
}

impl Carried {
    /// The desk's command, which has to go well; gives what it said.
    async fn measured_at_the_desk(&self, what: &str, arguments: &[&str], to: &Path) -> String {
        let mut command = self.desk.at_the_cloud_command(arguments, to);
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (highest, output) = highest_of(command).await;
        let told = said(&output);
        assert!(output.status.success(), "{told}");
        report(&format!("{what} at the desk: {highest} KiB at most"));
        assert!(highest < COMMAND + MORE, "{what}: {highest} KiB");
        told
    }

    /// The stick in the hub, which has just been unlocked, and out again; gives what the panel said.
    async fn measured_at_the_hub(&self, what: &str, stick: &str) -> String {
        let mut panel = self.hub.hub.panel().await.unwrap();
        panel.lock().await.unwrap();
        panel.unlock(PIN).await.unwrap();
        let (idle, _) = self.hub.hub.resident_kib().unwrap();
        self.hub.hub.forget_highest().unwrap();
        let (told, _) = self.exchange(stick).await;
        let (_, highest) = self.hub.hub.resident_kib().unwrap();
        report(&format!("{what} at the hub: {idle} KiB idle, {highest} KiB at most"));
        assert!(highest < idle + MORE, "{what}: {highest} KiB, {idle} idle");
        told
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes: scripts/bench --loads"]
async fn carrying_100_000_rows_to_and_fro_takes_little_memory_at_the_hub_and_at_the_desk() {
    let rows = number("HUB_TEST_ROWS", 100_000);
    let clinic = Clinic::generate(41, ClinicSize::about_rows(rows));
    let world = Carried::with(clinic, Generation::C1, Log::Warnings).await;

    // All that the cloud has goes to the hub.
    let (_, stick) = world.exchange("stick").await;
    let bundle = on_stick(&stick, "export-").pop().unwrap();
    let stranger = world.desk.deliver(&bundle, &stick, None).await;
    let print = new_hub_in(&said(&stranger));
    let deliver = |bundle: &Path| ["deliver", "--bundle", bundle.to_str().unwrap()].map(str::to_owned);
    let mut arguments = deliver(&bundle).to_vec();
    arguments.extend(["--new-hub".to_owned(), print]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    world.measured_at_the_desk("first answer", &arguments, &stick).await;
    world.measured_at_the_hub("first answer", "stick").await;

    let mut phone = world.phone().await;
    push_events(&mut phone, &new_patient("Amina"), rows).await;

    // And all that the clinic has goes to the cloud.
    world.measured_at_the_hub("export", "stick").await;
    let stick = world.pocket.path().join("stick");
    let bundle = on_stick(&stick, "export-").pop().unwrap();
    let arguments = deliver(&bundle);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let told = world.measured_at_the_desk("deliver", &arguments, &stick).await;
    let taken = figure(&told, "taken");
    assert!(taken >= rows, "{told}");
    world.measured_at_the_hub("receipt", "stick").await;
    let folder = bundle.parent().unwrap().file_name().unwrap().to_str().unwrap();
    let fetch = ["fetch", "--hub", folder];
    world.measured_at_the_desk("fetch", &fetch, &stick).await;
    world.measured_at_the_hub("what was fetched", "stick").await;
}
