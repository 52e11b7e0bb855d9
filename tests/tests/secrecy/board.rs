//! The key of the board: it opens the hub together with a PIN, and nothing of that stays.

use std::ffi::OsStr;

use hub_tests::hub::{Hub, Log, PIN};

use super::played_mailbox::{Bench, Board};
use super::{Secrets, WRONG_PIN, wrong_pin};

#[tokio::test(flavor = "multi_thread")]
async fn neither_the_boards_key_nor_what_it_is_asked_and_answers_stays_in_a_locked_hub_or_gets_into_a_file() {
    /// Bytes of what is made of the PIN, which what the key is asked begins with; its name and its probe are shorter.
    const OF_PIN: usize = 32;
    let rows = [0x5e31_90c4_u32, 0x17a2_66fb, 0x2c90_d3e1, 0x7b45_08da];
    let rows = std::array::from_fn(|at| rows[at % 4].rotate_left(u32::try_from(at).unwrap()));
    let bench = Bench::start(Board::new(rows, true));
    let folder = tempfile::tempdir().unwrap();
    let (data, panel_socket, board_key) = (
        folder.path().join("data"),
        folder.path().join("panel.sock"),
        bench.socket(),
    );
    let more = [OsStr::new("--board-key"), board_key.as_os_str()];
    let hub = Hub::start_with(&data, &panel_socket, "127.0.0.1:0", Log::Everything, &more)
        .await
        .unwrap();
    let mut panel = hub.panel().await.unwrap();
    panel.take_first_way("PIN and this box").await.unwrap();
    panel.set_up(PIN).await.unwrap();
    panel.lock().await.unwrap();
    wrong_pin(&mut panel).await;
    panel.unlock(PIN).await.unwrap();

    let board = bench.firmware.board();
    let of_slots = board.computed.iter().filter(|(asked, _)| asked.len() > OF_PIN);
    let mut secrets = Secrets::default();
    secrets.add("the PIN", PIN);
    secrets.add("a wrong PIN", WRONG_PIN);
    secrets.add_key("the board's key", &board.key());
    let mut count = 0;
    for (asked, answered) in of_slots {
        secrets.add_key("what is made of a PIN", &asked[..OF_PIN]);
        secrets.add_key("what the board's key makes of it", answered);
        count += 1;
    }
    assert!(count >= 3, "sealed, tried by a wrong PIN and by the right one");
    secrets.not_in_process(&hub);
    secrets.not_in_files("while open", &data);
    panel.lock().await.unwrap();
    secrets.not_in_process(&hub);
    secrets.not_in_memory(&hub);
    secrets.not_in_files("while locked", &data);
    // The search itself works.
    assert!(secrets.found_in(&board.key()).contains(&"the board's key"));
}
