//! How quick and how cheap the panel is: time from a button to the new picture (a wake-up is the same way), and
//! the processor time of the idle panel loop. The display's own 25 ms a picture on the I²C bus come on top.

use std::time::{Duration, Instant};

use hub_tests::hub::{HubError, Log, TestHub};
use hub_tests::panel_client::{Button, PanelClient};

const PRESSES: usize = 200;
const IDLE: Duration = Duration::from_secs(20);

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
    press(&mut panel, Button::Back).await?;

    let before = hub.hub.thread_time("panel")?;
    tokio::time::sleep(IDLE).await;
    let used = hub.hub.thread_time("panel")?.saturating_sub(before);
    let share = used.as_secs_f64() / IDLE.as_secs_f64() * 100.0;
    say(&format!("idle panel loop: {share:.2} % of a core"));
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

fn report(what: &str, time: Duration) {
    say(&format!("{what}: {:.1} ms", time.as_secs_f64() * 1000.0));
}

#[allow(clippy::print_stdout, reason = "the result of a bench")]
fn say(line: &str) {
    println!("{line}");
}
