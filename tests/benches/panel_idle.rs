//! What the panel costs when nobody touches it, and how quick it is when somebody does: processor time of the panel loop
//! from the last button until the display goes dark, and time from a button on the dark panel to the picture. A round
//! takes the five minutes after which it goes dark; `PANEL_ROUNDS` says how many [default: 1].

use std::time::{Duration, Instant};

use hub_tests::hub::{HubError, Log, TestHub};
use hub_tests::panel_client::{Button, PanelClient, PanelError};

/// How long the dark panel is looked at.
const DARK: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> Result<(), HubError> {
    let rounds = std::env::var("PANEL_ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok());
    let hub = TestHub::empty(Log::Warnings).await?;
    let mut panel = hub.hub.panel().await?;
    for _ in 0..rounds.unwrap_or(1) {
        let (began, before) = (Instant::now(), hub.hub.thread_time("panel")?);
        wait_until_dark(&mut panel).await?;
        report_share("idle panel loop, display on", began, before, &hub)?;

        let (began, before) = (Instant::now(), hub.hub.thread_time("panel")?);
        tokio::time::sleep(DARK).await;
        report_share("idle panel loop, display dark", began, before, &hub)?;

        let began = Instant::now();
        panel.press(Button::Up).await?;
        panel.wait_until(|screen| !screen.frame.is_dark()).await?;
        say(&format!(
            "wake to picture: {:.1} ms",
            began.elapsed().as_secs_f64() * 1000.0
        ));
    }
    Ok(())
}

/// A wait of the client's is shorter than the panel's, so there are several of them.
async fn wait_until_dark(panel: &mut PanelClient) -> Result<(), HubError> {
    loop {
        match panel.wait_until(|screen| screen.frame.is_dark()).await {
            Ok(_) => return Ok(()),
            Err(PanelError::Deadline { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn report_share(what: &str, began: Instant, before: Duration, hub: &TestHub) -> Result<(), HubError> {
    let used = hub.hub.thread_time("panel")?.saturating_sub(before);
    let share = used.as_secs_f64() / began.elapsed().as_secs_f64() * 100.0;
    say(&format!("{what}: {share:.3} % of a core"));
    Ok(())
}

#[allow(clippy::print_stdout, reason = "the result of a bench")]
fn say(line: &str) {
    println!("{line}");
}
