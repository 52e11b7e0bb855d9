//! Staff of a clinic without a cloud: a table on a desk becomes a file, and the file is taken in at the panel.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use hub_tests::hub::{Hub, PIN, binary};
use hub_tests::panel_client::{Button, PanelClient};
use hub_tests::phone::Phone;
use serde_json::Value;
use tempfile::TempDir;

const HEADINGS: &str = "name,email,role,clinic,rights,password,leaves\n";

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::create_dir(place.path("stick")).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self) -> PathBuf {
        self.path("stick").join("clinic.json")
    }

    async fn hub(&self) -> Hub {
        let stick = self.path("stick");
        let more = [Path::new("--usb").as_os_str(), stick.as_os_str()];
        Hub::start_in(self.0.path(), &more).await.unwrap()
    }

    /// Makes a file of staff on the stick from a table.
    fn make(&self, lines: &str, more: &[&str]) -> Output {
        let table = self.path("staff.csv");
        fs::write(&table, format!("{HEADINGS}{lines}")).unwrap();
        let mut make = Command::new(binary().unwrap());
        make.args(["staff", "make", "--out"])
            .arg(self.file())
            .args(more)
            .arg(table);
        make.output().unwrap()
    }

    fn made(&self, lines: &str, more: &[&str]) {
        let made = self.make(lines, more);
        assert!(made.status.success(), "{made:?}");
    }
}

/// From anywhere to what the panel says of the file.
async fn read_file(panel: &mut PanelClient) -> Vec<String> {
    panel.choose("Staff").await.unwrap();
    panel.wait_for("ask-pin").await.unwrap();
    panel.type_digits(PIN).await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    let told = panel
        .wait_until(|screen| ["staff", "errand"].contains(&screen.name.as_str()))
        .await
        .unwrap();
    let words = told
        .lines
        .iter()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    words.collect()
}

/// Takes in what was read, and gives how that ended.
async fn take_in(panel: &mut PanelClient) -> String {
    panel.take("Take in").await.unwrap();
    let text = panel.wait_for("errand").await.unwrap().lines.join(" ");
    panel.press(Button::Ok).await.unwrap();
    panel.wait_for("home").await.unwrap();
    text
}

async fn phone(hub: &Hub, panel: &mut PanelClient) -> Phone {
    panel.open_pairing().await.unwrap();
    let mut phone = Phone::new(hub.url()).unwrap();
    phone.client.handshake().await.unwrap();
    panel.keep().await.unwrap();
    phone
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nurse_comes_one_leaves_and_a_password_is_forgotten() {
    let place = Place::new();
    let hub = place.hub().await;
    let mut panel = hub.panel().await.unwrap();
    panel.set_up(PIN).await.unwrap();
    assert!(panel.screen().lines.iter().any(|line| line == "No staff yet"));
    assert_eq!(read_file(&mut panel).await[1], "No clinic.json found.");
    panel.press(Button::Ok).await.unwrap();

    place.made(
        "Dr Amina Haddad,amina@clinic.example,provider,North,all,amina's first,\n\
         Selam Tesfaye,selam@clinic.example,provider,North,register_patients view_history edit_records,selam's own,\n",
        &["--new-clinic", "North"],
    );
    let told = read_file(&mut panel).await;
    assert_eq!(&told[1..3], ["New users 2", "Other records 1"]);
    assert!(take_in(&mut panel).await.contains("as in the file"));
    assert!(!place.file().exists(), "it does not stay on the stick");
    assert_ne!(panel.screen().lines[0], "No staff yet");

    let mut selam = phone(&hub, &mut panel).await;
    selam.log_in("selam@clinic.example", "selam's own").await.unwrap();
    selam
        .client
        .query::<Value>("clinics.list", serde_json::json!({}))
        .await
        .unwrap();
    let mut amina = phone(&hub, &mut panel).await;
    amina.log_in("amina@clinic.example", "amina's first").await.unwrap();

    // Another table, of those alone whom it is about; who is not in it stays.
    place.made(
        "Dr Amina Haddad,Amina@Clinic.example,provider,North,all,amina's second,\n\
         ,selam@clinic.example,,,,,yes\n\
         Rita Gurung,rita@clinic.example,admin,North,all,rita begins,\n\
         Lee Viewer,lee@clinic.example,registrar,North,view_history,lee looks on,\n",
        &[],
    );
    let told = read_file(&mut panel).await;
    assert_eq!(&told[1..4], ["Leave 1", "New users 2", "New passwords 1"]);
    panel.press(Button::Ok).await.unwrap();
    panel.wait_for("home").await.unwrap();
    selam
        .client
        .query::<Value>("clinics.list", serde_json::json!({}))
        .await
        .expect("no was chosen");
    assert!(place.file().exists());

    read_file(&mut panel).await;
    take_in(&mut panel).await;
    for (who, why) in [
        (&mut selam, "who left has no token"),
        (&mut amina, "nor who has another password"),
    ] {
        let refused = who.client.query::<Value>("clinics.list", serde_json::json!({})).await;
        assert_eq!(refused.unwrap_err().status(), Some(401), "{why}");
    }
    assert!(selam.log_in("selam@clinic.example", "selam's own").await.is_err());
    assert!(amina.log_in("amina@clinic.example", "amina's first").await.is_err());
    amina.log_in("amina@clinic.example", "amina's second").await.unwrap();
    let mut rita = phone(&hub, &mut panel).await;
    rita.log_in("rita@clinic.example", "rita begins").await.unwrap();

    // One who comes back, under the address of before.
    place.made(
        "Selam Tesfaye,selam@clinic.example,provider,North,view_history,selam is back,\n",
        &[],
    );
    assert_eq!(read_file(&mut panel).await[1], "New users 1");
    take_in(&mut panel).await;
    selam.log_in("selam@clinic.example", "selam is back").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_is_told_with_its_line_and_changes_nothing() {
    let place = Place::new();
    let hub = place.hub().await;
    let mut panel = hub.panel().await.unwrap();
    panel.set_up(PIN).await.unwrap();
    place.made(
        "A Bee,a@b.example,admin,North,all,the first one,\n",
        &["--new-clinic", "North"],
    );
    read_file(&mut panel).await;
    take_in(&mut panel).await;

    // Of a clinic that this hub does not know: the table alone can't tell.
    place.made(
        "C Dee,c@d.example,admin,North,all,longenough,\nE Eff,e@f.example,admin,Nowhere,all,longenough,\n",
        &[],
    );
    let file = fs::read_to_string(place.file()).unwrap();
    let line = 1 + file.lines().position(|line| line.contains("Nowhere")).unwrap();
    let told = read_file(&mut panel).await.join(" ");
    assert!(told.contains(&format!("See line {line}.")), "{told}");
    panel.press(Button::Ok).await.unwrap();
    assert!(place.file().exists());
    let mut phone = phone(&hub, &mut panel).await;
    assert!(phone.log_in("c@d.example", "longenough").await.is_err());
    phone.log_in("a@b.example", "the first one").await.unwrap();

    // With a second file of its name nobody knows which counts.
    fs::write(place.path("stick").join("Clinic.json.txt"), "{}").unwrap();
    assert!(read_file(&mut panel).await.join(" ").contains("Two files are called"));
    panel.press(Button::Ok).await.unwrap();
}

#[test]
fn a_table_with_a_mistake_makes_no_file_and_shows_no_password() {
    let place = Place::new();
    let refused = place.make("A,a@b.example,chief,North,all,my own secret,\n", &[]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        !refused.status.success() && said.contains("line 2: no role: \"chief\""),
        "{said}"
    );
    assert!(!said.contains("secret") && !place.file().exists());

    place.made("A,a@b.example,admin,North,all,my own secret,\n", &[]);
    let file = fs::read_to_string(place.file()).unwrap();
    assert!(!file.contains("my own secret"));
    let again = place.make("A,a@b.example,admin,North,all,my own secret,\n", &[]);
    assert!(!again.status.success(), "a file that is there is not written over");
    let mut check = Command::new(binary().unwrap());
    let checked = check.args(["staff", "check"]).arg(place.file()).output().unwrap();
    assert!(
        String::from_utf8(checked.stdout)
            .unwrap()
            .contains("1 users, 0 leave, 1 passwords")
    );
    fs::write(place.file(), file.replace("$11$", "$04$")).unwrap();
    let cheap = Command::new(binary().unwrap())
        .args(["staff", "check"])
        .arg(place.file())
        .output()
        .unwrap();
    let said = String::from_utf8(cheap.stderr).unwrap();
    assert!(!cheap.status.success() && said.contains("no bcrypt hash"), "{said}");
}
