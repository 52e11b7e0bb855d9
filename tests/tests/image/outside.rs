//! The box from the other end of its cable.

use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::hub::PIN;

use super::inside::{at_shell, development_box};
use super::lan::{self, A, BOX, CABLE, HERE, Lan, Mdns, PTR, PUBLIC, address_data};
use super::vm::Vm;
use super::{LISTENING, new_box, put_on_card};

const HOST: &str = "hikma-hub.local";
const SERVICE: &str = "_hikma-hub._tcp.local";
const ANNOUNCED: &str = "announced address=10.77.0.50";

#[tokio::test]
#[ignore = "boots an image: scripts/test --image"]
async fn only_the_phones_port_and_the_hubs_name_answer_and_to_private_addresses_only() {
    let _lan = Lan::new();
    let folder = tempfile::tempdir().unwrap();
    let mut vm = Vm::start(&new_box(&folder, CABLE), folder.path()).unwrap();
    vm.wait_for(ANNOUNCED).await.unwrap();

    let mdns = Mdns::listen();
    assert!(mdns.ask(HOST, A, &address_data(BOX), 10));
    assert!(mdns.ask(SERVICE, PTR, b"\x0aClinic Hub", 10));
    assert!(!lan::answered_from(PUBLIC, HOST, A));
    assert!(!mdns.hears(&address_data(BOX)), "nor is the answer for all");

    assert_eq!(lan::open_ports("-sS", HERE), ["4001/open/tcp"]);
    assert!(lan::open_ports("-sU", HERE).is_empty());
    assert!(lan::open_ports("-sS", PUBLIC).is_empty());
    assert!(lan::open_ports("-sU", PUBLIC).is_empty());
    // It was not asleep meanwhile.
    assert!(mdns.ask(HOST, A, &address_data(BOX), 10));
}

#[tokio::test]
#[ignore = "boots an image: scripts/test --image"]
async fn a_name_that_another_device_has_is_left_to_it() {
    let _lan = Lan::new();
    let folder = tempfile::tempdir().unwrap();
    let mdns = Mdns::listen();
    let _vm = Vm::start(&new_box(&folder, CABLE), folder.path()).unwrap();
    let gives_up = |packet: &[u8]| packet.windows(12).any(|window| window == b"\x0bhikma-hub-2");
    mdns.defend(HOST, gives_up);
    assert!(mdns.ask("hikma-hub-2.local", A, &address_data(BOX), 10));
    assert!(!mdns.ask(HOST, A, &address_data(BOX), 3));
}

#[tokio::test]
#[ignore = "boots an image: scripts/test --image"]
async fn a_changed_address_is_announced() {
    let _lan = Lan::new();
    let folder = tempfile::tempdir().unwrap();
    let mut vm = Vm::start(&development_box(&folder, CABLE), folder.path()).unwrap();
    vm.wait_for(ANNOUNCED).await.unwrap();
    let mdns = Mdns::listen();
    assert!(mdns.ask(HOST, A, &address_data(BOX), 10));
    at_shell(&mut vm, "ip addr flush dev eth0; ip addr add 10.77.0.60/24 dev eth0").await;
    assert!(mdns.ask(HOST, A, &address_data([10, 77, 0, 60].into()), 30));
    assert!(!mdns.ask(HOST, A, &address_data(BOX), 3));
}

#[tokio::test]
#[ignore = "boots an image: scripts/test --image"]
async fn a_clock_that_nobody_set_is_not_trusted_until_the_network_has_told_the_time() {
    let _lan = Lan::new();
    let folder = tempfile::tempdir().unwrap();
    // As a board without a clock of its own starts.
    let more = ["-rtc", "base=2001-01-01"];
    let parts = new_box(&folder, CABLE);
    // Without staff the panel asks for that first.
    put_on_card(
        &Clinic::generate(Clinic::DEMO_SEED, ClinicSize::about_rows(100)),
        &parts.card,
    );
    let mut vm = Vm::start_with(&parts, folder.path(), &more).unwrap();
    vm.wait_for(LISTENING).await.unwrap();
    let mut panel = vm.panel().await.unwrap();
    panel.set_up(PIN).await.unwrap();
    let clock_is = |text: &'static str| {
        move |screen: &hub_tests::panel_client::Screen| screen.lines.iter().any(|line| line.contains(text))
    };
    panel.choose("Status").await.unwrap();
    panel.wait_until(clock_is("not set")).await.unwrap();
    let _time = lan::tell_time(1_830_000_000);
    vm.wait_for("clock compared").await.unwrap();
    // The panel went back to its home screen meanwhile.
    panel.choose("Status").await.unwrap();
    panel.wait_until(clock_is("network/chip")).await.unwrap();
}

#[tokio::test]
#[ignore = "boots an image: scripts/test --image"]
async fn the_networks_time_is_written_to_the_clock_chip() {
    const TOLD: u64 = 1_830_000_000;
    let _lan = Lan::new();
    let folder = tempfile::tempdir().unwrap();
    let more = ["-rtc", "base=2001-01-01"];
    let mut vm = Vm::start_with(&development_box(&folder, CABLE), folder.path(), &more).unwrap();
    vm.wait_for(LISTENING).await.unwrap();
    let chip = at_shell(&mut vm, "cat /sys/class/rtc/rtc0/since_epoch").await;
    let mut numbers = chip.lines().filter_map(|line| line.trim().parse::<u64>().ok());
    assert!(numbers.next().unwrap() < TOLD, "{chip}");
    let _time = lan::tell_time(TOLD);
    vm.wait_for("clock compared").await.unwrap();
    // The kernel writes it when it likes to.
    let is_written = format!("[ $(cat /sys/class/rtc/rtc0/since_epoch) -ge {TOLD} ]");
    at_shell(&mut vm, &format!("until {is_written}; do sleep 1; done")).await;
}
