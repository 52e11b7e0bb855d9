//! The owner's file of records, `clinic.json`: taken in at set-up, then removed from the card; and what is said when that
//! can't be.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::hub::{Hub, Log, PIN};
use hub_tests::panel_client::{Button, PanelClient, PanelError};
use hub_tests::phone::Phone;
use serde_json::Value;
use tempfile::TempDir;

/// Stands in for the service that works on the disk: the disk is always open, and the owner's file is removed unless the
/// card is locked against writing.
fn serve_disk(socket: &Path, file: PathBuf, is_locked: bool) {
    let listener = UnixListener::bind(socket).unwrap();
    let answer = move |stream: UnixStream| {
        let mut to = stream.try_clone().unwrap();
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let answer = match line.as_str() {
                "state" => r#"{"state":"open"}"#,
                "offers" => r#"{"offers":[]}"#,
                "movable" => r#"{"movable":null}"#,
                "forget-import" if is_locked => r#"{"failed":{"system":30}}"#,
                "forget-import" => {
                    fs::remove_file(&file).unwrap();
                    r#""done""#
                }
                _ => r#""done""#,
            };
            if writeln!(to, "{answer}").is_err() {
                break;
            }
        }
    };
    std::thread::spawn(move || listener.incoming().flatten().for_each(answer));
}

struct Place {
    folder: TempDir,
    clinic: Clinic,
}

impl Place {
    fn new() -> Self {
        let place = Self {
            folder: tempfile::tempdir().unwrap(),
            clinic: Clinic::generate(Clinic::DEMO_SEED, ClinicSize::about_rows(50)),
        };
        let file = BufWriter::new(File::create(place.file()).unwrap());
        place.clinic.write_bundle(file).unwrap();
        place
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("clinic.json")
    }

    fn disk(&self) -> PathBuf {
        self.folder.path().join("disk.sock")
    }

    /// A hub with a card and a disk of its own, or on a desk.
    async fn hub(&self, is_on_desk: bool) -> Hub {
        let (data, socket) = (self.folder.path().join("data"), self.folder.path().join("panel.sock"));
        let (file, disk) = (self.file(), self.disk());
        let mut more = vec![OsStr::new("--first-import"), file.as_os_str()];
        if !is_on_desk {
            more.extend([OsStr::new("--data-disk"), disk.as_os_str()]);
        }
        Hub::start_with(&data, &socket, "127.0.0.1:0", Log::Warnings, &more)
            .await
            .unwrap()
    }

    /// Whether the clinic's users are in the hub.
    async fn is_taken_in(&self, hub: &Hub, panel: &mut PanelClient) -> bool {
        let user = &self.clinic.users()[0];
        panel.open_pairing().await.unwrap();
        let mut phone = Phone::new(hub.url()).unwrap();
        phone.client.handshake().await.unwrap();
        panel.keep().await.unwrap();
        phone.log_in(&user.email, &user.password).await.is_ok()
    }
}

/// What the panel says once before it is open, after the set-up or the PIN that `led` there.
async fn told(panel: &mut PanelClient, led: Result<(), PanelError>) -> String {
    assert!(matches!(led, Err(PanelError::Refused { .. })), "{led:?}");
    let text = panel.wait_for("notice").await.unwrap().lines.join(" ");
    panel.press(Button::Ok).await.unwrap();
    panel.wait_for("home").await.unwrap();
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn once_taken_in_it_is_removed_from_the_card() {
    let place = Place::new();
    serve_disk(&place.disk(), place.file(), false);
    let hub = place.hub(false).await;
    let mut panel = hub.panel().await.unwrap();
    panel.set_up(PIN).await.unwrap();
    assert!(!place.file().exists());
    assert!(place.is_taken_in(&hub, &mut panel).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_it_stays_on_the_card_the_panel_says_so_until_it_is_gone() {
    let place = Place::new();
    serve_disk(&place.disk(), place.file(), true);
    let mut hub = place.hub(false).await;
    let mut panel = hub.panel().await.unwrap();
    let led = panel.set_up(PIN).await.map(drop);
    assert!(told(&mut panel, led).await.contains("still on the card"));
    assert!(place.is_taken_in(&hub, &mut panel).await && place.file().exists());
    hub.terminate().await.unwrap();

    let hub = place.hub(false).await;
    let mut panel = hub.panel().await.unwrap();
    let led = panel.unlock(PIN).await;
    assert!(told(&mut panel, led).await.contains("still on the card"));
    panel.lock().await.unwrap();
    fs::remove_file(place.file()).unwrap();
    panel.unlock(PIN).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_in_it_is_told_with_its_line_and_keeps_nobody_out() {
    let place = Place::new();
    let whole = fs::read(place.file()).unwrap();
    fs::write(place.file(), "{\"changes\": {\n  \"users\": {\"created\": 7}\n}}").unwrap();
    let hub = place.hub(true).await;
    let mut panel = hub.panel().await.unwrap();
    let led = panel.set_up(PIN).await.map(drop);
    assert!(told(&mut panel, led).await.contains("See line 2."));
    assert!(!place.is_taken_in(&hub, &mut panel).await);

    panel.lock().await.unwrap();
    fs::write(place.file(), [0xff; 8]).unwrap();
    let led = panel.unlock(PIN).await;
    assert!(told(&mut panel, led).await.contains("can't be read"));

    // Corrected, it is taken in at the next unlock. On a desk it stays where its owner put it.
    panel.lock().await.unwrap();
    fs::write(place.file(), whole).unwrap();
    panel.unlock(PIN).await.unwrap();
    assert!(place.is_taken_in(&hub, &mut panel).await && place.file().exists());
    panel.lock().await.unwrap();
    panel.unlock(PIN).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_as_computers_save_it_is_taken_and_removed_and_of_two_none_is() {
    let place = Place::new();
    let wide = fs::read_to_string(place.file()).unwrap();
    let wide: Vec<u8> = [0xFEFF]
        .into_iter()
        .chain(wide.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let saved = place.folder.path().join("Clinic.json.txt");
    fs::write(&saved, wide).unwrap();
    serve_disk(&place.disk(), saved.clone(), false);
    let hub = place.hub(false).await;
    let mut panel = hub.panel().await.unwrap();
    let led = panel.set_up(PIN).await.map(drop);
    let text = told(&mut panel, led).await;
    assert!(text.contains("Two files are called clinic.json."), "{text}");
    assert!(saved.exists() && !place.is_taken_in(&hub, &mut panel).await);

    panel.lock().await.unwrap();
    fs::remove_file(place.file()).unwrap();
    panel.unlock(PIN).await.unwrap();
    assert!(place.is_taken_in(&hub, &mut panel).await);
    assert!(!saved.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_known_however_it_is_written_and_two_users_of_one_are_named() {
    let place = Place::new();
    let mut bundle: Value = serde_json::from_slice(&fs::read(place.file()).unwrap()).unwrap();
    let users = bundle["changes"]["users"]["created"].as_array_mut().unwrap();
    let known = &place.clinic.users()[0];
    let position = users.iter().position(|user| user["email"] == *known.email).unwrap();
    users.swap(0, position);
    for (user, (email, name)) in users.iter_mut().zip([
        ("\u{a0} ÉLISE.Ñ@Clinic.Example ", "Elise One"),
        ("élise.ñ@clinic.example", "Elise Two"),
    ]) {
        user["email"] = email.into();
        user["name"] = name.into();
    }
    fs::write(place.file(), bundle.to_string()).unwrap();
    let hub = place.hub(true).await;
    let mut panel = hub.panel().await.unwrap();
    let led = panel.set_up(PIN).await.map(drop);
    let text = told(&mut panel, led).await;
    assert!(text.contains("Elise One") && text.contains("Elise Two"), "{text}");

    panel.open_pairing().await.unwrap();
    let mut phone = Phone::new(hub.url()).unwrap();
    phone.client.handshake().await.unwrap();
    panel.keep().await.unwrap();
    for typed in [
        "élise.ñ@clinic.example",
        " Élise.Ñ@CLINIC.example\t",
        // Accents as some keyboards send them, and what comes along when an address is copied out of a message.
        "e\u{301}lise.n\u{303}@clinic.example",
        "\u{200f}\u{feff}élise.ñ@clinic.example\u{200b}",
    ] {
        phone.log_in(typed, &known.password).await.unwrap();
    }
}
