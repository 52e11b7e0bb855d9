//! What the panel says of phones: two that pair at once, one that gets nowhere, what can't be written down, and a hub that
//! has moved.

use std::fs::File;
use std::net::Ipv4Addr;
use std::path::Path;

use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::hub::{Hub, Log, PIN, TestHub};
use hub_tests::panel_client::{Button, PanelClient, Screen};
use hub_tests::phone::{ClientError, HubClient, Phone};
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

/// How many phones the hub knows at most.
const PHONES: u16 = 256;

fn says(screen: &Screen, text: &str) -> bool {
    screen.lines.iter().any(|line| line.contains(text))
}

async fn sees(panel: &mut PanelClient, text: &str) {
    let seen = panel.wait_until(|screen| says(screen, text)).await;
    seen.unwrap_or_else(|error| panic!("{text}: {error}"));
}

/// Goes to a phone, by its line in the list.
async fn look_at(panel: &mut PanelClient, phone: &str) {
    panel.choose("Phones").await.unwrap();
    panel.wait_for("phones").await.unwrap();
    panel.take(phone).await.unwrap();
    panel.wait_for("phone").await.unwrap();
}

/// A phone that calls from an address of its own, as they do in a clinic.
fn phone(url: &str, name: &str, [net, place]: [u8; 2]) -> HubClient {
    let mut client = Phone::new(url).unwrap().client.named(name);
    client.http().call_from(Ipv4Addr::new(127, 0, net, place).into());
    client
}

async fn refused(client: &mut HubClient) -> Option<u16> {
    client
        .handshake()
        .await
        .err()
        .and_then(|error: ClientError| error.status())
}

/// Keeps the hub from writing to its database: holds the lock of whoever writes to a WAL (its place is in the file format
/// of SQLite, "WAL-Index File").
struct WriteLock {
    _file: File,
}

impl WriteLock {
    const PLACE: libc::off_t = 120;

    fn of(data: &Path) -> Self {
        let path = data.join("store/hub.db-shm");
        let file = File::options().read(true).write(true).open(path).unwrap();
        let lock = libc::flock {
            l_type: libc::F_WRLCK as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: Self::PLACE,
            l_len: 1,
            l_pid: 0,
        };
        fcntl(&file, FcntlArg::F_SETLKW(&lock)).unwrap();
        Self { _file: file }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_phone_that_pairs_is_asked_about() {
    let hub = TestHub::empty(Log::Everything).await.unwrap();
    let mut panel = hub.hub.panel().await.unwrap();
    let code = panel.open_pairing().await.unwrap();
    panel.keep_pairing_open().await.unwrap();
    let mut first = phone(&code.url, "One of ours", [1, 1]);
    let mut second = phone(&code.url, "A stranger's", [1, 2]);
    first.handshake().await.unwrap();
    // Whoever comes next waits until a person has looked at the one before.
    let second = tokio::spawn(async move { second.handshake().await.map(drop) });

    sees(&mut panel, "1 One of ours").await;
    assert!(!second.is_finished());
    panel.keep().await.unwrap();
    second.await.unwrap().unwrap();
    sees(&mut panel, "2 A stranger's").await;
    panel.undo().await.unwrap();
    panel.wait_for("pair").await.unwrap();
    first.handshake().await.unwrap();
    look_at(&mut panel, "1 One of ours").await;
    assert!(!says(panel.screen(), "A stranger's"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_is_sent_away_stays_out_although_that_cannot_be_written() {
    let mut hub = TestHub::empty(Log::Everything).await.unwrap();
    let mut panel = hub.hub.panel().await.unwrap();
    let mut nurses = hub.pair(|client| client.named("Nurse's phone")).await.unwrap();
    let code = panel.open_pairing().await.unwrap();
    let mut strangers = phone(&code.url, "A stranger's", [1, 2]);
    strangers.handshake().await.unwrap();

    let lock = WriteLock::of(&hub.data());
    panel.undo().await.unwrap();
    assert_eq!(panel.screen().name, "news");
    sees(&mut panel, "Could not be saved").await;
    assert_eq!(refused(&mut strangers).await, Some(403));
    sees(&mut panel, "OK: go on").await;
    panel.press(Button::Ok).await.unwrap();
    panel.wait_for("home").await.unwrap();

    look_at(&mut panel, "1 Nurse's phone").await;
    panel.take("Revoke").await.unwrap();
    panel.wait_for("revoke").await.unwrap();
    panel.take("Revoke").await.unwrap();
    panel.wait_for("news").await.unwrap();
    assert_eq!(refused(&mut nurses).await, Some(403));
    sees(&mut panel, "OK: go on").await;
    panel.hold(Button::Ok).await.unwrap();
    panel.wait_for("home").await.unwrap();
    look_at(&mut panel, "x 1 Nurse's phone").await;
    sees(&mut panel, "refuses this phone").await;
    drop(lock);

    // As the panel said: until it locks.
    hub.hub.kill9().await.unwrap();
    hub.start_again().await.unwrap();
    let mut panel = hub.hub.panel().await.unwrap();
    look_at(&mut panel, "1 Nurse's phone").await;
    sees(&mut panel, "May use this hub").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_too_many_is_told() {
    let hub = TestHub::empty(Log::Warnings).await.unwrap();
    let mut panel = hub.hub.panel().await.unwrap();
    let code = panel.open_pairing().await.unwrap();
    panel.keep_pairing_open().await.unwrap();
    for number in 0..PHONES {
        let [net, place] = (PHONES + number).to_be_bytes();
        phone(&code.url, "Phone", [net, place]).handshake().await.unwrap();
        panel.keep().await.unwrap();
    }
    let mut one_more = phone(&code.url, "One more", [9, 1]);
    assert_eq!(refused(&mut one_more).await, Some(503));
    panel.wait_for("news").await.unwrap();
    assert!(says(panel.screen(), "Phone not paired") && says(panel.screen(), "256"));
    sees(&mut panel, "OK: go on").await;
    panel.press(Button::Ok).await.unwrap();

    // Phones in use are what counts.
    look_at(&mut panel, "1 Phone").await;
    panel.take("Revoke").await.unwrap();
    panel.wait_for("revoke").await.unwrap();
    panel.take("Revoke").await.unwrap();
    sees(&mut panel, "x 1 Phone").await;
    panel.open_pairing().await.unwrap();
    one_more.handshake().await.unwrap();
    panel.keep().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_gets_nowhere_says_so() {
    let size = ClinicSize {
        patients: 8,
        visits: 8,
        events: 8,
    };
    let clinic = Clinic::generate(3, size);
    let hub = TestHub::with_clinic(&clinic, Log::Warnings).await.unwrap();
    let doctor = clinic.user("doctor@clinic.example").unwrap();
    let mut phone = Phone::with_client(hub.pair(|client| client.named("Old phone")).await.unwrap());
    phone.log_in(&doctor.email, &doctor.password).await.unwrap();
    let mut panel = hub.hub.panel().await.unwrap();
    look_at(&mut panel, "1 Old phone").await;
    assert!(says(panel.screen(), "May use this hub"));
    // Each answer is lost on its way.
    for _ in 0..6 {
        phone.pull_bytes().await.unwrap();
    }
    look_at(&mut panel, "! 1 Old phone").await;
    assert!(says(panel.screen(), "Stuck: restart app") && says(panel.screen(), "Seen just now"));
}

/// The home screen, without another address; it may have something to say of this machine's disk.
async fn tells_no_other_address(panel: &mut PanelClient) {
    let is_usual = |screen: &Screen| screen.name == "home" && !says(screen, "Address changed");
    panel.wait_until(is_usual).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_has_moved_says_so_until_every_phone_has_come_along() {
    let folder = tempfile::tempdir().unwrap();
    let start = async |listen: &str| {
        let (data, socket) = (folder.path().join("data"), folder.path().join("panel.sock"));
        let hub = Hub::start(&data, &socket, listen, Log::Warnings).await.unwrap();
        let panel = hub.panel().await.unwrap();
        (hub, panel)
    };
    let (mut hub, mut panel) = start("127.0.0.1:0").await;
    panel.set_up(PIN).await.unwrap();
    let (_, port) = hub.url().rsplit_once(':').unwrap();
    let port = port.to_owned();
    let mut phones = Vec::new();
    for (number, name) in [(1, "One"), (2, "Other")] {
        let code = panel.open_pairing().await.unwrap();
        let mut client = phone(&code.url, name, [1, number]);
        client.handshake().await.unwrap();
        panel.keep().await.unwrap();
        phones.push(client.client_id().to_owned());
    }
    hub.terminate().await.unwrap();

    let (mut hub, mut panel) = start(&format!("127.0.0.2:{port}")).await;
    panel.unlock(PIN).await.unwrap();
    sees(&mut panel, "Address changed").await;
    assert!(says(panel.screen(), "127.0.0.2") && says(panel.screen(), "was 127.0.0.1"));
    // A phone that is sent away again changes nothing.
    let code = panel.open_pairing().await.unwrap();
    assert!(code.url.contains("127.0.0.2"));
    phone(&code.url, "A stranger's", [1, 3]).handshake().await.unwrap();
    panel.undo().await.unwrap();
    sees(&mut panel, "Address changed").await;
    for id in phones {
        assert!(says(panel.screen(), "Address changed"));
        let mut client = HubClient::new(hub.url(), &id).unwrap();
        client.handshake().await.unwrap();
        client.ping().await.unwrap();
    }
    tells_no_other_address(&mut panel).await;
    hub.terminate().await.unwrap();

    let (_hub, mut panel) = start(&format!("127.0.0.3:{port}")).await;
    panel.unlock(PIN).await.unwrap();
    sees(&mut panel, "was 127.0.0.2").await;
    sees(&mut panel, "give 127.0.0.2").await;
    sees(&mut panel, "Hold OK: hide this").await;
    panel.hold(Button::Ok).await.unwrap();
    tells_no_other_address(&mut panel).await;
}
