//! What phones feel of the relay: twenty that work while the hub applies 100,000 rows of the cloud.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::cloud::Cloud;
use hub_tests::hub::{Log, TestHub};
use hub_tests::phone::Phone;
use hub_tests::phone::edit::NewPatient;
use tokio::task::JoinSet;

use super::{Outcome, count, report, timed, user};

const PHONES: usize = 20;
const ROWS: usize = 100_000;
/// Cycles of each phone without the relay.
const CYCLES: usize = 40;
/// Between two cycles of a phone: staff who write without a pause would measure the queue and not the hub.
const PAUSE: Duration = Duration::from_millis(500);

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

/// Writes until `over` says so or it was often enough; gives how long each took.
async fn work(mut phone: Phone, most: usize, over: Arc<AtomicBool>) -> Outcome<(Phone, Vec<Duration>)> {
    let mut times = Vec::new();
    while times.len() < most && !over.load(Ordering::Relaxed) {
        times.push(timed(write(&mut phone)).await?.0);
        tokio::time::sleep(PAUSE).await;
    }
    Ok((phone, times))
}

async fn all_work(phones: Vec<Phone>, most: usize, over: &Arc<AtomicBool>) -> Outcome<(Vec<Phone>, Duration)> {
    let mut working = JoinSet::new();
    for phone in phones {
        working.spawn(work(phone, most, Arc::clone(over)));
    }
    let (mut phones, mut all) = (Vec::new(), Vec::new());
    for done in working.join_all().await {
        let (phone, times) = done?;
        phones.push(phone);
        all.extend(times);
    }
    all.sort_unstable();
    let p99 = all[(all.len() * 99 / 100).min(all.len() - 1)];
    let median = all[all.len() / 2];
    report(
        "  of",
        &format!(
            "{} cycles, {:.1} ms in the middle",
            all.len(),
            median.as_secs_f64() * 1000.0
        ),
    );
    Ok((phones, p99))
}

/// The p99 of a new patient's way to the hub, without the relay and while it applies a large answer.
pub(super) async fn beside_a_pull() -> Outcome<()> {
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
    let over = Arc::new(AtomicBool::new(false));
    let (phones, alone) = all_work(phones, CYCLES, &over).await?;
    report(
        "20 phones, p99 alone",
        &format!("{:.1} ms", alone.as_secs_f64() * 1000.0),
    );

    // The same staff, with all that a large clinic wrote.
    cloud
        .take_in(&Clinic::generate(Clinic::DEMO_SEED, ClinicSize::about_rows(ROWS)))
        .await?;
    let working = {
        let over = Arc::clone(&over);
        tokio::spawn(async move { all_work(phones, usize::MAX, &over).await })
    };
    // What the clinic wrote lies back for long, so that only a run that compares everything is told of it.
    let (time, ended) = timed(hub.hub.sync_now(true)).await?;
    over.store(true, Ordering::Relaxed);
    let (_, beside) = working.await??;
    let told = cloud.take_counts().rows_pulled;
    report(
        "relay, pull of the cloud",
        &format!("{told} rows in {:.1} s ({ended})", time.as_secs_f64()),
    );
    if told < u64::try_from(ROWS * 9 / 10)? {
        return Err(format!("only {told} rows were pulled, so the figures say nothing").into());
    }
    report(
        "20 phones, p99 beside it",
        &format!(
            "{:.1} ms, {:.1} times as long",
            beside.as_secs_f64() * 1000.0,
            count(usize::try_from(beside.as_micros())?) / count(usize::try_from(alone.as_micros())?)
        ),
    );
    Ok(())
}
