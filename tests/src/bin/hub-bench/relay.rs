//! What phones feel of the relay: twenty that work while the hub applies 100,000 rows of the cloud.
//!
//! They work all the time, so that what else the machine does meets both alike: for a while alone, through the pull, and alone
//! again, in each round with a new hub and a new cloud. What is told is of all rounds together.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::cloud::Cloud;
use hub_tests::hub::{Log, TestHub};
use hub_tests::phone::Phone;
use hub_tests::phone::edit::NewPatient;
use tokio::task::JoinSet;

use super::{Outcome, report, timed, user};

const PHONES: usize = 20;
const ROWS: usize = 100_000;
const ROUNDS: usize = 3;
/// How long they work alone, before the pull and again behind it.
const ALONE: Duration = Duration::from_secs(10);
/// Between two cycles of a phone: staff who write without a pause would measure the queue and not the hub.
const PAUSE: Duration = Duration::from_millis(250);

/// When a cycle began, and how long it took.
type Cycles = Arc<Mutex<Vec<(Instant, Duration)>>>;

/// A patient is registered, and goes to the hub. A whole sync would bring what the cloud sends to every phone, which takes its
/// time whoever sent it.
async fn write(phone: &mut Phone) -> Outcome<()> {
    phone.register_patient(&NewPatient {
        given_name: "Bench".into(),
        ..NewPatient::default()
    })?;
    phone.client.handshake_in_turn().await?;
    phone.push().await?;
    Ok(())
}

/// Writes until it is dropped.
async fn work(mut phone: Phone, number: u32, cycles: Cycles) -> Outcome<()> {
    // Twenty people are never in step.
    tokio::time::sleep(PAUSE * number / u32::try_from(PHONES)?).await;
    loop {
        let began = Instant::now();
        let (time, ()) = timed(write(&mut phone)).await?;
        cycles
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((began, time));
        tokio::time::sleep(PAUSE).await;
    }
}

/// Cycles alone, and beside the pull.
#[derive(Default)]
struct Measured {
    alone: Vec<Duration>,
    beside: Vec<Duration>,
}

/// The time that so many of a hundred do not take longer than, in milliseconds.
fn percentile(times: &[Duration], of_hundred: usize) -> f64 {
    let mut times = times.to_vec();
    times.sort_unstable();
    let at = times.len() * of_hundred / 100;
    let time = times.get(at.min(times.len().saturating_sub(1)));
    time.map_or(0.0, |time| time.as_secs_f64() * 1000.0)
}

/// The p99 of a new patient's way to the hub, without the relay and while it applies a large answer.
pub(super) async fn beside_a_pull() -> Outcome<()> {
    let mut all = Measured::default();
    for _ in 0..ROUNDS {
        let mut measured = round().await?;
        say("  this round", &measured);
        all.alone.append(&mut measured.alone);
        all.beside.append(&mut measured.beside);
    }
    say("20 phones beside a pull", &all);
    Ok(())
}

fn say(name: &str, Measured { alone, beside }: &Measured) {
    let [alone_99, beside_99] = [percentile(alone, 99), percentile(beside, 99)];
    report(
        name,
        &format!(
            "p99 {alone_99:.1} ms alone, {beside_99:.1} ms beside it, {:.1} times as long; p50 {:.1} ms, {:.1} ms; of {} and {} cycles",
            beside_99 / alone_99,
            percentile(alone, 50),
            percentile(beside, 50),
            alone.len(),
            beside.len()
        ),
    );
}

async fn round() -> Outcome<Measured> {
    let small = Clinic::generate(Clinic::DEMO_SEED, ClinicSize::EMPTY);
    let cloud = Cloud::start(&small).await?;
    let hub = TestHub::relayed(&cloud.setup(), Log::Warnings).await?;
    hub.hub.wait_for_run(0).await?;
    let mut phones = Vec::new();
    for _ in 0..PHONES {
        let mut phone = hub.phone(user(&small)).await?;
        phone.sync().await?;
        phones.push(phone);
    }
    // The same staff, with all that a large clinic wrote.
    cloud
        .take_in(&Clinic::generate(Clinic::DEMO_SEED, ClinicSize::about_rows(ROWS)))
        .await?;
    let cycles = Cycles::default();
    let mut working = JoinSet::new();
    for (number, phone) in (0..).zip(phones) {
        working.spawn(work(phone, number, Arc::clone(&cycles)));
    }
    let began = Instant::now();
    tokio::time::sleep(ALONE).await;
    let alone = Instant::now();
    let _ = cloud.take_counts();
    // What the clinic wrote lies back for long, so that only a run that compares everything is told of it; that asks for what
    // is new first.
    let run = tokio::spawn(async move {
        let ended = hub.hub.sync_now(true).await;
        (hub, ended)
    });
    // PostgreSQL and the stand-in have done their part then; what the phones wrote goes up behind the pull.
    cloud.wait_for(|counts| counts.pulls > 1).await;
    let applying = Instant::now();
    cloud.wait_for(|counts| counts.pushes > 0).await;
    let applied = Instant::now();
    let told = cloud.take_counts().rows_pulled;
    let (hub, ended) = run.await?;
    let quiet = Instant::now();
    tokio::time::sleep(ALONE).await;
    working.abort_all();
    while let Some(ended) = working.join_next().await {
        if let Ok(done) = ended {
            done?;
        }
    }
    report(
        "relay, pull of the cloud",
        &format!(
            "{told} rows, applied in {:.1} s ({})",
            (applied - applying).as_secs_f64(),
            ended?
        ),
    );
    drop(hub);
    if told < u64::try_from(ROWS * 9 / 10)? {
        return Err(format!("only {told} rows were pulled, so the figures say nothing").into());
    }
    let mut measured = Measured::default();
    for (at, time) in std::mem::take(&mut *cycles.lock().unwrap_or_else(PoisonError::into_inner)) {
        if (began..alone).contains(&at) || at > quiet {
            measured.alone.push(time);
        } else if (applying..applied).contains(&at) {
            measured.beside.push(time);
        }
    }
    Ok(measured)
}
