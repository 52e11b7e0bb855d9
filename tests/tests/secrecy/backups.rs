//! What is typed or read to open a backup: the recovery code of its day, and an organisation's key.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use age::secrecy::ExposeSecret;
use age::x25519::Identity;
use hub_tests::hub::{Hub, Log, PIN, binary, desk};
use hub_tests::panel_client::RecoveryCode;

use super::*;

const NEW_PIN: &str = "31415926";
/// The letters of Bech32 by their values (BIP 173).
const BECH32: &str = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

impl Secrets {
    fn add_code(&mut self, code: &RecoveryCode) {
        let mut bytes = Vec::new();
        for group in code.groups() {
            self.add("a group of a recovery code", group);
            let number = group.parse::<u32>().unwrap() / 11;
            bytes.extend(u16::try_from(number).unwrap().to_be_bytes());
        }
        self.add_key("a recovery code", &bytes);
    }

    /// An identity as its file has it, and the key's own bytes.
    fn add_identity(&mut self, text: &str) {
        self.add("an organisation's key", text);
        self.add("an organisation's key", text.to_lowercase());
        let letters = text.rsplit('1').next().unwrap().to_lowercase();
        let (mut bits, mut held, mut bytes) = (0_u32, 0, Vec::new());
        for letter in letters[..letters.len() - 6].chars() {
            let value = u32::try_from(BECH32.find(letter).unwrap()).unwrap();
            (bits, held) = (bits << 5 | value, held + 5);
            if held >= 8 {
                held -= 8;
                bytes.push(u8::try_from(bits >> held & 0xFF).unwrap());
                bits &= (1 << held) - 1;
            }
        }
        assert_eq!(bytes.len(), 32);
        self.add_key("an organisation's key", &bytes);
    }
}

async fn start(folder: &Path) -> Hub {
    let (data, socket, stick) = (folder.join("data"), folder.join("panel.sock"), folder.join("stick"));
    let settled = folder.join("hub-setup.toml");
    let more = [
        OsStr::new("--usb"),
        stick.as_os_str(),
        OsStr::new("--setup-file"),
        settled.as_os_str(),
    ];
    Hub::start_with(&data, &socket, "127.0.0.1:0", Log::Everything, &more)
        .await
        .unwrap()
}

/// A hub that was set up and backed up to `stick` in `folder`, and is gone; gives its recovery code.
async fn backed_up(folder: &Path) -> RecoveryCode {
    let (data, stick) = (folder.join("data"), folder.join("stick"));
    let mut hub = start(folder).await;
    let code = hub.panel().await.unwrap().set_up(PIN).await.unwrap();
    hub.terminate().await.unwrap();
    fs::create_dir(&stick).unwrap();
    let made = desk(&data, &["backup", "--to", stick.to_str().unwrap()], PIN)
        .await
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    fs::remove_dir_all(&data).unwrap();
    code
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_code_typed_to_restore_a_backup_is_nowhere_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let code = backed_up(folder.path()).await;
    let hub = start(folder.path()).await;
    let mut panel = hub.panel().await.unwrap();
    let new_code = panel.restore(&code, NEW_PIN).await.unwrap();
    let mut secrets = Secrets::default();
    secrets.add("the new PIN", NEW_PIN);
    secrets.add_code(&code);
    secrets.add_code(&new_code);
    let look = |moment: &str| {
        secrets.not_in_process(&hub);
        for place in ["data", "stick"] {
            secrets.not_in_files(moment, &folder.path().join(place));
        }
    };
    look("while open");
    panel.lock().await.unwrap();
    look("while locked");
    secrets.not_in_memory(&hub);
    assert_eq!(
        secrets.found_in(new_code.groups().concat().as_bytes()),
        ["a group of a recovery code"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisations_key_is_in_no_memory_once_a_backup_is_open_and_in_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let key = Identity::generate();
    let named = format!("[backup]\nrecipient = \"{}\"\n", key.to_public());
    fs::write(folder.path().join("hub-setup.toml"), named).unwrap();
    backed_up(folder.path()).await;
    let keys = tempfile::tempdir().unwrap();
    let identity = keys.path().join("key.txt");
    let text = key.to_string();
    fs::write(&identity, text.expose_secret()).unwrap();
    let mut secrets = Secrets::default();
    secrets.add_identity(text.expose_secret());

    let mut restoring = Command::new(binary().unwrap())
        .args(["restore", "--unlock-time", "0", "--from"])
        .arg(folder.path().join("stick"))
        .arg("--data")
        .arg(folder.path().join("data"))
        .arg("--identity")
        .arg(&identity)
        .env("RUST_LOG", "trace")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It asks for the new PIN once the backup is open: then it reads what is typed.
    let call = format!("/proc/{}/syscall", restoring.id());
    let reads_what_is_typed = || {
        let call = fs::read_to_string(&call).unwrap();
        call.split_whitespace().nth(1) == Some("0x0") && call.split_whitespace().count() > 3
    };
    while !reads_what_is_typed() {
        assert!(restoring.try_wait().unwrap().is_none(), "it refused");
        tokio::task::yield_now().await;
    }
    for (place, pages) in memory_of(restoring.id()) {
        let found = secrets.found_in(&pages);
        assert!(found.is_empty(), "{place} holds {found:?}");
    }
    // Nothing typed: it ends.
    drop(restoring.stdin.take());
    let output = restoring.wait_with_output().unwrap();
    assert!(!output.status.success());
    secrets.not_in("what it printed", &[output.stdout, output.stderr].concat());
    secrets.not_in_files("afterwards", &folder.path().join("stick"));
    let text = fs::read(&identity).unwrap();
    assert_eq!(secrets.found_in(&text), ["an organisation's key"]);
}
