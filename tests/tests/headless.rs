//! A hub whose panel is not there: it goes on without, and says why on the console.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use hub_tests::hub::binary;
use hub_tests::phone::Phone;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader, Lines};
use tokio::process::Command;

const PATIENCE: Duration = Duration::from_secs(60);

/// Reads until a line has this in it, and gives the line.
async fn line_with<R: AsyncRead + Unpin>(lines: &mut Lines<BufReader<R>>, wanted: &str) -> String {
    let found = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains(wanted) {
                return Some(line);
            }
        }
        None
    };
    let found = tokio::time::timeout(PATIENCE, found).await.ok().flatten();
    found.unwrap_or_else(|| panic!("nothing says {wanted:?}"))
}

#[tokio::test]
async fn a_hub_without_display_and_buttons_says_so_and_serves() {
    assert!(!Path::new("/dev/i2c-1").exists(), "this machine has a panel's bus");
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(binary().unwrap())
        .args(["serve", "--listen", "127.0.0.1:0", "--board", "raspberry-pi", "--data"])
        .arg(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut console = BufReader::new(child.stderr.take().unwrap()).lines();
    line_with(&mut console, "the buttons do not work").await;
    line_with(
        &mut console,
        "the display does not answer; the hub runs without it and keeps looking",
    )
    .await;

    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = line_with(&mut output, "listening on ").await;
    let (_, url) = line.split_once("listening on ").unwrap();
    let mut phone = Phone::new(url.trim()).unwrap();
    assert!(phone.client.heartbeat().await.unwrap().locked);
}
