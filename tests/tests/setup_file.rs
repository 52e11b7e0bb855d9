//! What the owner settles by `hub-setup.toml`, and a hub that goes on without a file that has a mistake.

use std::fs;
use std::path::PathBuf;

use hub_tests::hub::{Hub, Log, PIN, desk};
use hub_tests::panel_client::{Button, PanelClient, Screen};
use hub_tests::phone::Phone;
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::process::Command;

struct Place(TempDir);

impl Place {
    fn with(setup: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("hub-setup.toml"), setup).unwrap();
        Self(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("hub-setup.toml")
    }

    async fn hub(&self) -> Hub {
        let (data, socket) = (self.0.path().join("data"), self.0.path().join("panel.sock"));
        Hub::start_settled(&data, &socket, "127.0.0.1:0", Log::Warnings, &self.file())
            .await
            .unwrap()
    }

    /// What init is told of the network, and whether the file was good.
    async fn network(&self) -> (String, String, bool) {
        let mut command = Command::new(hub_tests::hub::binary().unwrap());
        let output = command.args(["setup-file", "network"]).arg(self.file()).output();
        let output = output.await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(output.stdout), text(output.stderr), output.status.success())
    }
}

fn says(screen: &Screen, text: &str) -> bool {
    screen.lines.iter().any(|line| line.contains(text))
}

async fn past_the_splash(hub: &Hub) -> PanelClient {
    let mut panel = hub.panel().await.unwrap();
    panel.wait_until(|screen| screen.name != "splash").await.unwrap();
    panel
}

#[tokio::test(flavor = "multi_thread")]
async fn display_and_language_are_the_owners() {
    let place = Place::with("[panel]\nprofile = 'four-buttons-128'\nlanguage = 'fr'\n");
    assert_eq!(place.network().await, (String::new(), String::new(), true));
    let hub = place.hub().await;
    let mut panel = past_the_splash(&hub).await;
    assert!(says(panel.screen(), "Bienvenue"));
    assert_eq!(panel.screen().frame.height(), 128);

    panel.press(Button::Up).await.unwrap();
    panel.wait_until(|screen| says(screen, "Welcome")).await.unwrap();
    panel.set_up(PIN).await.unwrap();
    let code = panel.open_pairing().await.unwrap();
    let mut phone = Phone::new(&code.url).unwrap();
    let hub = phone.client.handshake().await.unwrap();
    assert_eq!(code.id.as_ref(), Some(&hub.hub_id));
    assert_eq!(code.key.as_ref(), Some(&hub.hub_public_key));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_is_told_and_stops_nothing() {
    let place = Place::with("[panel]\nlanguage = 'fr'\n[network]\nadress = '10.0.0.2/24'\n");
    let hub = place.hub().await;
    let mut panel = past_the_splash(&hub).await;
    assert_eq!(panel.screen().name, "notice");
    assert!(
        says(panel.screen(), "ligne 4"),
        "in French: only the section with the mistake does not count"
    );
    assert_eq!(panel.screen().frame.height(), 64);
    assert!(hub.printed().contains("hub-setup.toml, line 4"));
    panel.press(Button::Ok).await.unwrap();
    panel.wait_until(|screen| says(screen, "Bienvenue")).await.unwrap();
    panel.press(Button::Up).await.unwrap();
    panel.wait_until(|screen| says(screen, "Welcome")).await.unwrap();
    panel.set_up(PIN).await.unwrap();

    let (network, complaint, _) = place.network().await;
    assert!(
        network.is_empty(),
        "the section with the mistake is as if it were not there"
    );
    assert!(complaint.contains("line 4") && complaint.contains("write address, gateway or dns"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_about_the_cloud_is_told_at_the_start_or_the_unlocking_and_the_rest_is_used() {
    const KEY: &str = "hh_00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    let cloud = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("[cloud]\nurl = 'http://{}'\n", cloud.local_addr().unwrap());
    let place = Place::with(&format!("{url}api_key = '{KEY}'\nca_file = 'ca.pem'\n"));
    let hub = place.hub().await;
    let mut panel = past_the_splash(&hub).await;
    assert_eq!(panel.screen().name, "notice");
    assert!(says(panel.screen(), "line 4"), "{:?}", panel.screen().lines);
    assert!(
        hub.printed()
            .contains("hub-setup.toml, line 4: ca_file needs a file of that name")
    );
    panel.press(Button::Ok).await.unwrap();
    panel.wait_until(|screen| says(screen, "Welcome")).await.unwrap();
    panel.set_up(PIN).await.unwrap();
    // Address and key are used, and the key does not stay.
    let (mut called, _) = cloud.accept().await.unwrap();
    let mut request = String::new();
    while !request.contains(KEY) {
        let mut piece = [0; 4096];
        let length = called.read(&mut piece).await.unwrap();
        assert!(length > 0, "{request}");
        request += std::str::from_utf8(&piece[..length]).unwrap();
    }
    assert!(request.contains("/api/hub/verify-key"));
    assert!(!fs::read_to_string(place.file()).unwrap().contains(KEY));

    // What came into the file since is told when it is read, once the hub is open.
    fs::write(place.file(), format!("{url}colour = 'red'\n")).unwrap();
    panel.lock().await.unwrap();
    panel.type_digits(PIN).await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    panel.wait_until(|screen| screen.name == "notice").await.unwrap();
    assert!(says(panel.screen(), "line 3"), "{:?}", panel.screen().lines);
    panel.press(Button::Ok).await.unwrap();
    panel.wait_until(|screen| screen.name == "home").await.unwrap();
    assert!(hub.printed().contains("line 3: \"colour\" is not known"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_nobody_calls_locks_by_itself_and_writes_down_why() {
    let place = Place::with("[lock]\nidle_hours = 0.001\n");
    let mut hub = place.hub().await;
    let mut panel = past_the_splash(&hub).await;
    panel.set_up(PIN).await.unwrap();
    panel.wait_until(|screen| screen.name == "locked").await.unwrap();
    hub.terminate().await.unwrap();

    let data = place.0.path().join("data");
    let export = desk(&data, &["audit", "export", "--format", "jsonl"], PIN).await;
    let log = String::from_utf8(export.unwrap().stdout).unwrap();
    let locked: Vec<_> = log.lines().filter(|line| line.contains(r#""lock""#)).collect();
    assert_eq!(locked.len(), 1, "{log}");
    assert!(locked[0].contains("idle"), "{log}");
}

#[tokio::test]
async fn init_gets_the_address_line_by_line() {
    let place = Place::with("[network]\naddress = '192.168.1.50/24'\ngateway = '192.168.1.1'\ndns = ['9.9.9.9']\n");
    let lines = "address 192.168.1.50/24\ngateway 192.168.1.1\ndns 9.9.9.9\n";
    assert_eq!(place.network().await, (lines.to_owned(), String::new(), true));
    fs::remove_file(place.file()).unwrap();
    assert_eq!(place.network().await, (String::new(), String::new(), true));
}

#[tokio::test]
async fn a_file_with_the_name_that_computers_give_it_counts_and_two_are_told() {
    let place = Place::with("");
    fs::remove_file(place.file()).unwrap();
    let hidden = place.file().with_extension("toml.txt");
    fs::write(&hidden, "\u{feff}[network]\naddress = '10.1.2.3/8'\n").unwrap();
    assert_eq!(
        place.network().await,
        ("address 10.1.2.3/8\n".to_owned(), String::new(), true)
    );
    fs::write(place.file(), "[panel]\nlanguage = 'fr'\n").unwrap();
    let hub = place.hub().await;
    let mut panel = past_the_splash(&hub).await;
    assert_eq!(panel.screen().name, "notice");
    assert!(
        says(panel.screen(), "Two files are called"),
        "{:?}",
        panel.screen().lines
    );
    panel.press(Button::Ok).await.unwrap();
    panel.wait_until(|screen| says(screen, "Welcome")).await.unwrap();
    let (network, complaint, is_good) = place.network().await;
    assert!(network.is_empty() && !is_good && complaint.contains("leave one of them"));
}
