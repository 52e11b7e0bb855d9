//! The plug pulled while another master key takes the place of the present one, on a disk that loses what was not flushed: the
//! PIN before or the new one opens the hub, all records are there, and the exchange comes to its end at that unlock.
//!
//! The moments are drawn from the log of the disk's writes, as in `power`: one from each part of what the disk was sent from
//! the new PIN on, so that the cuts are spread over all steps, from the slots to the LUKS header.

use std::fs;
use std::path::Path;

use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::hub::PIN;
use hub_tests::panel_client::{Button, PanelClient};

use super::inside::{at_shell, development_box};
use super::vm::{Parts, Vm};
use super::{PRIVATE_NETWORK, pair, put_on_card, register, says, serves, switch_on, write_log};

/// How often the plug is pulled, unless `HUB_POWER_CUTS` says otherwise.
const CUTS: usize = 8;
const NEW_PIN: &str = "27182818";
/// How often is looked whether it is over; each look takes the box a while.
const LOOKS: usize = 600;

/// Waits until no other master key is due or under way, by what the slots say.
async fn settled(vm: &mut Vm) {
    for _ in 0..LOOKS {
        let said = at_shell(vm, "grep -c -e next_id -e :true /data/keys/keyslots.json").await;
        if said.lines().any(|line| line.trim() == "0") {
            return;
        }
    }
    panic!("the master key is the one before still");
}

/// Opens the hub by whichever of the two PINs is the one, and gives that. A wrong one costs one of the tries that are free.
async fn open(panel: &mut PanelClient) -> &'static str {
    for pin in [NEW_PIN, PIN] {
        if panel.unlock(pin).await.is_ok() {
            return pin;
        }
        assert!(says(panel.screen(), "Wrong PIN"), "{:?}", panel.screen());
    }
    panic!("neither PIN opens the hub");
}

/// Changes the PIN and waits until the master key is another; gives how long the log of the disk's writes was when the new PIN
/// was taken.
async fn rotate(parts: &Parts, folder: &Path) -> u64 {
    let (mut vm, mut panel) = switch_on(parts, folder).await;
    panel.unlock(PIN).await.unwrap();
    panel.begin_pin_change(PIN, NEW_PIN).await.unwrap();
    let before = parts.log.as_ref().map(|log| fs::metadata(log).unwrap().len());
    panel.press(Button::Ok).await.unwrap();
    panel.wait_until(|screen| says(screen, "PIN changed")).await.unwrap();
    settled(&mut vm).await;
    vm.pull_plug().await.unwrap();
    before.unwrap_or(0)
}

#[tokio::test]
#[ignore = "boots an image many times: scripts/test --image-full"]
async fn cut_off_at_any_write_of_a_change_of_keys_one_of_the_two_pins_opens_and_it_comes_to_its_end() {
    let cuts = std::env::var("HUB_POWER_CUTS").map_or(CUTS, |count| count.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    // Its shell lets the test look at the slots; the hub is the very same.
    let mut parts = development_box(&folder, PRIVATE_NETWORK);
    let clinic = Clinic::generate(Clinic::DEMO_SEED, ClinicSize::about_rows(200));
    put_on_card(&clinic, &parts.card);
    let (vm, mut panel) = switch_on(&parts, folder.path()).await;
    panel.set_up(PIN).await.unwrap();
    let mut phone = pair(&vm, &mut panel, &clinic).await;
    let patient = register(&mut phone, "Before").await;
    panel.switch_off().await.unwrap();
    drop(panel);
    vm.wait_until_off().await.unwrap();

    let (before, log) = (folder.path().join("before.img"), folder.path().join("writes.log"));
    fs::copy(&parts.data, &before).unwrap();
    parts.log = Some(log.clone());
    let began = rotate(&parts, folder.path()).await;
    parts.log = None;
    let moments = write_log::moments(&log).unwrap();
    let moments = &moments[moments.partition_point(|moment| *moment <= began)..];
    assert!(moments.len() >= cuts, "{} writes", moments.len());

    let mut by_new = 0;
    for number in 0..cuts {
        let (from, to) = (number * moments.len() / cuts, (number + 1) * moments.len() / cuts);
        let moment = moments[from + getrandom::u32().unwrap() as usize % (to - from)];
        fs::copy(&before, &parts.data).unwrap();
        let cut = write_log::cut(&parts.data, &log, moment, || {
            getrandom::u32().unwrap().is_multiple_of(2)
        });
        let (mut vm, mut panel) = switch_on(&parts, folder.path()).await;
        let pin = open(&mut panel).await;
        say(number, cut.unwrap(), pin == NEW_PIN);
        by_new += usize::from(pin == NEW_PIN);
        settled(&mut vm).await;
        assert!(serves(&vm, &mut panel, &clinic, &patient).await, "cut {number}");
        panel.lock().await.unwrap();
        panel.unlock(pin).await.unwrap();
        vm.pull_plug().await.unwrap();
    }
    assert!(by_new > 0, "no cut came after the new PIN was written");
}

#[allow(clippy::print_stdout, reason = "figures for people")]
fn say(number: usize, cut: write_log::Cut, by_new: bool) {
    let pin = if by_new { "new" } else { "old" };
    println!(
        "cut {number} of a change of keys: {} writes flushed; of the rest {} sectors lost, {} not; the {pin} PIN opens",
        cut.kept, cut.lost, cut.lucky
    );
}
