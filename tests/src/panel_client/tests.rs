//! The client against a stand-in for a panel: a socket that answers each input as the hub's panel would.

use tokio::net::UnixListener;

use super::*;

fn message(name: &str, lines: &[&str]) -> String {
    use base64::Engine;
    let frame = base64::engine::general_purpose::STANDARD.encode([1u8; 1024]);
    serde_json::json!({"screen": name, "frame": frame, "lines": lines}).to_string() + "\n"
}

/// A panel that shows the first screen, then for each expected input the screens it leads to.
async fn stand_in(folder: &Path, first: String, script: Vec<(&'static str, Vec<String>)>) -> PanelClient {
    let path = folder.join("panel.sock");
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        let (read, mut write) = listener.accept().await.unwrap().0.into_split();
        write.write_all(first.as_bytes()).await.unwrap();
        let mut inputs = BufReader::new(read).lines();
        for (expected, answers) in script {
            assert_eq!(inputs.next_line().await.unwrap().unwrap(), expected);
            for answer in answers {
                write.write_all(answer.as_bytes()).await.unwrap();
            }
        }
        // The socket stays open until the client is done.
        assert_eq!(inputs.next_line().await.unwrap(), None);
    });
    PanelClient::connect(&path).await.unwrap()
}

const OK: &str = r#"{"press":"ok"}"#;
const PIN: &str = r#"{"type":"12345678"}"#;

#[tokio::test]
async fn sets_a_hub_up() {
    let folder = tempfile::tempdir().unwrap();
    let code = [
        "1 000011  2 000022",
        "3 000033  4 000044",
        "5 000055  6 000066",
        "7 000077  8 000088",
    ];
    let write = [&["Recovery code 3/4"][..], &code, &["I wrote it down"]].concat();
    let script = vec![
        (
            OK,
            vec![message("setup-pin", &["New PIN 1/4", "Choose 8 to 12 digits"])],
        ),
        (PIN, vec![message("setup-pin", &["New PIN 1/4", "********"])]),
        (OK, vec![message("setup-pin", &["PIN again 2/4", "Type the same PIN"])]),
        (PIN, vec![message("setup-pin", &["PIN again 2/4", "********"])]),
        (
            OK,
            vec![
                message("setting-up", &["Setting up"]),
                message("setup-recovery", &write),
            ],
        ),
        (
            OK,
            vec![message(
                "setup-recovery",
                &["Check code 4/4", "From your paper,", "type group 7"],
            )],
        ),
        (r#"{"type":"000077"}"#, vec![]),
        (
            OK,
            vec![message(
                "setup-recovery",
                &["Check code 4/4", "From your paper,", "type group 2"],
            )],
        ),
        (r#"{"type":"000022"}"#, vec![]),
        (
            OK,
            vec![message("unlocking", &["Opening"]), message("home", &["Hub is open"])],
        ),
    ];
    let mut panel = stand_in(folder.path(), message("setup-pin", &["Welcome"]), script).await;
    let code = panel.set_up("12345678").await.unwrap();
    assert_eq!(code.groups()[7], "000088");
    assert_eq!(panel.screen().name, "home");
}

#[tokio::test]
async fn a_wrong_pin_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = message("locked", &["Locked", "Wrong PIN. Tries"]);
    let script = vec![(PIN, vec![]), (OK, vec![message("unlocking", &["Opening"]), wrong])];
    let mut panel = stand_in(folder.path(), message("locked", &["Locked"]), script).await;
    assert!(matches!(
        panel.unlock("12345678").await,
        Err(PanelError::Refused { .. })
    ));
}

#[tokio::test]
async fn locks_through_the_menu() {
    let folder = tempfile::tempdir().unwrap();
    let down = r#"{"press":"down"}"#;
    let script = vec![
        (
            OK,
            vec![message(
                "menu",
                &["Menu", ">Pair a phone", " Status", " Lock now", " About"],
            )],
        ),
        (
            down,
            vec![message(
                "menu",
                &["Menu", " Pair a phone", ">Status", " Lock now", " About"],
            )],
        ),
        (
            down,
            vec![message(
                "menu",
                &["Menu", " Pair a phone", " Status", ">Lock now", " About"],
            )],
        ),
        (OK, vec![message("lock", &["Lock the hub?", ">Lock", " Cancel"])]),
        (
            OK,
            vec![message("locking", &["Locking"]), message("locked", &["Locked"])],
        ),
    ];
    let mut panel = stand_in(folder.path(), message("home", &["Hub is open"]), script).await;
    panel.lock().await.unwrap();
}

#[tokio::test]
async fn a_panel_that_goes_away_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("panel.sock");
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream
            .write_all(message("locked", &["Locked"]).as_bytes())
            .await
            .unwrap();
    });
    let mut panel = PanelClient::connect(&path).await.unwrap();
    assert!(matches!(panel.wait_for("home").await, Err(PanelError::Closed(screen)) if screen == "locked"));
    assert!(matches!(
        PanelClient::connect(&folder.path().join("none")).await,
        Err(PanelError::Socket(_))
    ));
}

#[tokio::test]
async fn what_the_panel_does_not_take_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let error = "{\"error\":\"line too long\"}\n".to_owned();
    let script = vec![(r#"{"type":"x"}"#, vec![error])];
    let mut panel = stand_in(folder.path(), message("locked", &["Locked"]), script).await;
    panel.type_digits("x").await.unwrap();
    assert!(matches!(panel.wait_for("home").await, Err(PanelError::NotTaken(error)) if error == "line too long"));
}
