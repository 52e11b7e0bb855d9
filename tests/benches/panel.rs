//! How quick the panel is: time from a button to the new picture, at the socket of the board `serial`. A display's own
//! time, 25 ms at most for 128 × 64 on the I²C bus, comes on top.

use std::time::{Duration, Instant};

use hub_tests::hub::{HubError, Log, TestHub};
use hub_tests::panel_client::{Button, PanelClient};

const PRESSES: usize = 200;

#[tokio::main]
async fn main() -> Result<(), HubError> {
    let hub = TestHub::empty(Log::Warnings).await?;
    let mut panel = hub.hub.panel().await?;

    press(&mut panel, Button::Ok).await?;
    let mut times = Vec::with_capacity(PRESSES);
    for _ in 0..PRESSES {
        times.push(press(&mut panel, Button::Down).await?);
    }
    times.sort();
    report("button to picture, median", times[PRESSES / 2]);
    report("button to picture, slowest", times[PRESSES - 1]);
    Ok(())
}

/// How long until the picture has changed.
async fn press(panel: &mut PanelClient, button: Button) -> Result<Duration, HubError> {
    let before = panel.screen().frame.clone();
    let start = Instant::now();
    panel.press(button).await?;
    panel.wait_until(|screen| screen.frame != before).await?;
    Ok(start.elapsed())
}

#[allow(clippy::print_stdout, reason = "the result of a bench")]
fn report(what: &str, time: Duration) {
    println!("{what}: {:.1} ms", time.as_secs_f64() * 1000.0);
}
