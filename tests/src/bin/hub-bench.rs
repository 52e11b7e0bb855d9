//! Measures a hub as its phones see it: through the port, phone-side work included.
//!
//! Starts the `hub-appliance` beside this program (build with `--release`), makes clinics of the sizes that are asked
//! for, and prints one line a figure: medians, so that a noisy machine disturbs little. Compare ratios of one run.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use clap::Parser;
use hub_tests::clinic::{Clinic, ClinicSize, DemoUser};
use hub_tests::hub::{Log, TestHub};
use hub_tests::phone::{Phone, edit::NewPatient, wire::Curve};
use serde_json::json;
use tokio::task::JoinSet;

/// A call in a test's own words.
type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Measures a hub as its phones see it.
#[derive(Parser)]
struct Arguments {
    /// Only figures whose name holds this text
    #[arg(long, default_value = "")]
    only: String,
    /// How often each of the slower figures is measured
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let arguments = Arguments::parse();
    let wanted = |name: &str| name.contains(&arguments.only);
    if ["handshake", "ping", "login", "phones"].iter().any(|name| wanted(name)) {
        small_calls(&wanted).await?;
    }
    for rows in [10_000, 100_000] {
        if wanted(&format!("pull {rows}")) || wanted(&format!("empty pull {rows}")) {
            pulls(rows, arguments.rounds).await?;
        }
    }
    for rows in [1_000, 10_000] {
        if wanted(&format!("push {rows}")) {
            pushes(rows, arguments.rounds).await?;
        }
    }
    Ok(())
}

#[allow(clippy::print_stdout, reason = "the figures are the program's result")]
fn report(name: &str, figure: &str) {
    println!("{name:<28} {figure}");
}

fn report_time(name: &str, mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    let median = times[times.len() / 2];
    report(
        name,
        &format!("{:.1} ms (median of {})", median.as_secs_f64() * 1000.0, times.len()),
    );
    median
}

async fn timed<T, E>(work: impl Future<Output = Result<T, E>>) -> Result<(Duration, T), E> {
    let start = Instant::now();
    let done = work.await?;
    Ok((start.elapsed(), done))
}

/// A user who may do most.
fn user(clinic: &Clinic) -> &DemoUser {
    &clinic.users()[0]
}

/// Calls that touch no or few rows, by several callers at once.
async fn small_calls(wanted: &impl Fn(&str) -> bool) -> Outcome<()> {
    const CALLERS: usize = 8;
    let clinic = Clinic::demo();
    let hub = TestHub::with_clinic(&clinic, Log::Warnings).await?;
    let (resident, _) = hub.hub.resident_kib()?;
    report("resident, demo clinic", &format!("{:.1} MiB", kib_to_mib(resident)));
    let mut phones = Vec::new();
    for number in 1..=20 {
        let client = hub.pair(|mut client| {
            client.http().call_from([127, 0, 1, number].into());
            client
        });
        let mut phone = Phone::with_client(client.await?);
        phone.log_in(&user(&clinic).email, &user(&clinic).password).await?;
        phones.push(phone);
    }
    if wanted("ping") {
        let rate = rate(&mut phones, CALLERS, 4_000, |phone| Box::pin(phone.client.ping())).await?;
        report("ping, 8 callers", &format!("{rate:.0}/s"));
    }
    if wanted("handshake") {
        for (name, curve) in [
            ("handshake X25519, 20 callers", Curve::X25519),
            ("handshake P-256, 20 callers", Curve::P256),
        ] {
            for phone in &mut phones {
                phone.client.set_curve(curve);
            }
            // The hub takes 1,200 handshakes a minute from one address; each phone has its own.
            let rate = rate(&mut phones, 20, 500, |phone| {
                Box::pin(async { phone.client.handshake().await.map(|_| ()) })
            })
            .await?;
            report(name, &format!("{rate:.0}/s"));
        }
    }
    if wanted("login") {
        login(&mut phones[0], user(&clinic)).await?;
    }
    if wanted("phones") {
        for phone in &mut phones {
            phone.client.set_curve(Curve::X25519);
            phone.sync().await?;
        }
        let rate = rate(&mut phones, 20, 40, |phone| Box::pin(cycle(phone))).await?;
        report("20 phones, edit and sync", &format!("{rate:.0} cycles/s"));
    }
    Ok(())
}

/// What a phone does in a clinic: registers a patient, and syncs.
async fn cycle(phone: &mut Phone) -> Outcome<()> {
    phone.register_patient(&NewPatient {
        given_name: "Bench".into(),
        ..NewPatient::default()
    })?;
    phone.sync().await?;
    Ok(())
}

/// How many calls a second `callers` of `phones` make together, each `calls` in a row.
async fn rate<E, F>(phones: &mut Vec<Phone>, callers: usize, calls: usize, call: F) -> Outcome<f64>
where
    E: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
    F: for<'a> Fn(&'a mut Phone) -> BoxFuture<'a, Result<(), E>> + Copy + Send + 'static,
{
    let mut runs = JoinSet::new();
    let start = Instant::now();
    for mut phone in phones.drain(..callers) {
        runs.spawn(async move {
            for _ in 0..calls {
                call(&mut phone).await?;
            }
            Ok::<_, E>(phone)
        });
    }
    for run in runs.join_all().await {
        phones.push(run.map_err(Into::into)?);
    }
    Ok(count(callers * calls) / start.elapsed().as_secs_f64())
}

/// The sizes here are far below what a float holds exactly.
#[allow(clippy::cast_precision_loss, reason = "see above")]
const fn count(number: usize) -> f64 {
    number as f64
}

/// First and empty pulls of a clinic of `rows` rows, with the hub's memory during the first.
async fn pulls(rows: usize, rounds: usize) -> Outcome<()> {
    let clinic = Clinic::generate(Clinic::DEMO_SEED, ClinicSize::about_rows(rows));
    let hub = TestHub::with_clinic(&clinic, Log::Warnings).await?;
    let mut phone = hub.phone(user(&clinic)).await?;
    let (idle, _) = hub.hub.resident_kib()?;
    let mut times = Vec::new();
    let mut bytes = 0;
    for _ in 0..rounds {
        let (time, answer) = timed(phone.pull_bytes()).await?;
        bytes = answer.len();
        times.push(time);
    }
    report_time(&format!("pull {rows} rows"), times);
    let (_, highest) = hub.hub.resident_kib()?;
    let answer = count(bytes) * 4.0 / 3.0 / 1024.0 / 1024.0;
    report(
        &format!("resident, pull {rows}"),
        &format!(
            "{:.1} MiB idle, {:.1} MiB at most; answer {answer:.1} MiB",
            kib_to_mib(idle),
            kib_to_mib(highest)
        ),
    );
    phone.sync().await?;
    let mut times = Vec::new();
    for _ in 0..200 {
        times.push(timed(phone.pull_bytes()).await?.0);
    }
    report_time(&format!("empty pull, {rows} rows"), times);
    Ok(())
}

/// Pushes of `rows` new events of one visit.
async fn pushes(rows: usize, rounds: usize) -> Outcome<()> {
    let clinic = Clinic::demo();
    let hub = TestHub::with_clinic(&clinic, Log::Warnings).await?;
    let mut phone = hub.phone(user(&clinic)).await?;
    phone.sync().await?;
    let mut times = Vec::new();
    for _ in 0..rounds {
        let patient = phone.register_patient(&NewPatient {
            given_name: "Bench".into(),
            ..NewPatient::default()
        })?;
        let visit = phone.open_visit(&patient)?;
        for number in 0..rows {
            let form = json!([{"fieldId": "a", "name": "Complaint", "inputType": "text", "value": format!("number {number}")}]);
            phone.record_event(
                &patient,
                &visit,
                ("0197f000-0000-7000-8000-000000008001", "Bench form"),
                &form,
            )?;
        }
        times.push(timed(phone.push()).await?.0);
    }
    report_time(&format!("push {rows} rows"), times);
    Ok(())
}

/// A login without what bcrypt costs: that is measured alone and taken off.
async fn login(phone: &mut Phone, user: &DemoUser) -> Outcome<()> {
    let hash = bcrypt::hash(&user.password, 10)?;
    let mut logins = Vec::new();
    let mut checks = Vec::new();
    for _ in 0..15 {
        logins.push(timed(phone.client.login(&user.email, &user.password)).await?.0);
        let start = Instant::now();
        bcrypt::verify(&user.password, &hash)?;
        checks.push(start.elapsed());
    }
    logins.sort_unstable();
    checks.sort_unstable();
    let rest = logins[logins.len() / 2].saturating_sub(checks[checks.len() / 2]);
    report(
        "login without bcrypt",
        &format!("{:.1} ms", rest.as_secs_f64() * 1000.0),
    );
    Ok(())
}

fn kib_to_mib(kib: u64) -> f64 {
    count(usize::try_from(kib).unwrap_or(usize::MAX)) / 1024.0
}
