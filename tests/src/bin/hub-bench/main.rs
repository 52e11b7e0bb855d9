//! Measures a hub as its phones see it: through the port, phone-side work included.
//!
//! Starts the `hub-appliance` beside this program (build with `--release`), makes clinics of the sizes that are asked
//! for, and prints one line a figure: medians, so that a noisy machine disturbs little. Compare ratios of one run.

mod online;
mod relay;

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use clap::Parser;
use hub_tests::clinic::{Clinic, ClinicSize, DemoUser};
use hub_tests::hub::{Log, TestHub};
use hub_tests::phone::edit::{AttributeValue, NewAttribute, NewPatient};
use hub_tests::phone::{Generation, Phone, wire::Curve};
use serde_json::{Value, json};
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

/// Rows of which all are held, in one push: four times as many are to take four times as long.
const HELD: [usize; 2] = [12_500, 50_000];

/// What the figures of single calls are called by.
const ONLINE: [&str; 5] = [
    "get_patients",
    "search",
    "patients.similar",
    "get_patient",
    "check_availability",
];

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
    if wanted("20 clinics") {
        many_clinics(arguments.rounds).await?;
    }
    for rows in [1_000, 10_000] {
        if wanted(&format!("push {rows}")) {
            pushes(rows, arguments.rounds).await?;
        }
    }
    for rows in HELD {
        if wanted(&format!("held {rows}")) {
            held(rows).await?;
        }
    }
    if wanted("push of patients") {
        push_of_patients(arguments.rounds).await?;
    }
    if ONLINE.iter().any(|name| wanted(name)) {
        online::calls(&wanted, arguments.rounds).await?;
    }
    if wanted("relay") {
        relay::beside_a_pull().await?;
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
        for (net, name, curve) in [
            (2, "handshake X25519, 20 callers", Curve::X25519),
            (3, "handshake P-256, 20 callers", Curve::P256),
        ] {
            // The hub takes 120 handshakes a minute of one phone from one address.
            for (number, phone) in (1..).zip(&mut phones) {
                phone.client.set_curve(curve);
                phone.client.http().call_from([127, 0, net, number].into());
            }
            let rate = rate(&mut phones, 20, 100, |phone| {
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
        for (number, phone) in (1..).zip(&mut phones) {
            phone.client.set_curve(Curve::X25519);
            phone.client.http().call_from([127, 0, 4, number].into());
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

/// First and empty pulls of a clinic of `rows` rows by both generations of the app, with the hub's memory during the
/// first.
async fn pulls(rows: usize, rounds: usize) -> Outcome<()> {
    let clinic = Clinic::generate(Clinic::DEMO_SEED, ClinicSize::about_rows(rows));
    let hub = TestHub::with_clinic(&clinic, Log::Warnings).await?;
    let mut phone = hub.phone(user(&clinic)).await?;
    phone.show_app().await?;
    let mut older = hub.phone(user(&clinic)).await?.with_app(Generation::V1_5);
    let (idle, _) = hub.hub.resident_kib()?;
    let mut bytes = 0;
    for phone in [&mut phone, &mut older] {
        bytes = first_pull(phone, &format!("pull {rows} rows"), rounds)
            .await?
            .max(bytes);
    }
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
    idle_pulls(&mut phone, &format!("empty pull, {rows} rows")).await
}

/// Pulls everything again and again; gives the size of an answer.
async fn first_pull(phone: &mut Phone, name: &str, rounds: usize) -> Outcome<usize> {
    let mut times = Vec::new();
    let mut bytes = 0;
    for _ in 0..rounds {
        let (time, answer) = timed(phone.pull_bytes()).await?;
        bytes = answer.len();
        times.push(time);
    }
    report_time(&format!("{name}, app {}", phone.database.generation()), times);
    Ok(bytes)
}

/// Pulls where there is nothing to pull.
async fn idle_pulls(phone: &mut Phone, name: &str) -> Outcome<()> {
    phone.sync().await?;
    let mut times = Vec::new();
    for _ in 0..200 {
        times.push(timed(phone.pull_bytes()).await?.0);
    }
    report_time(name, times);
    Ok(())
}

/// Pulls of a user who may look into 20 clinics, with 10,000 rows spread over them.
async fn many_clinics(rounds: usize) -> Outcome<()> {
    const CLINICS: usize = 20;
    let clinic = Clinic::generate(Clinic::DEMO_SEED, ClinicSize::about_rows(10_000));
    let bundle = spread(&clinic, CLINICS)?;
    let mut hub = TestHub::empty(Log::Warnings).await?;
    hub.take_in(|file| Ok(serde_json::to_writer(file, &bundle)?)).await?;
    let mut phone = hub.phone(user(&clinic)).await?;
    phone.show_app().await?;
    first_pull(&mut phone, "pull, 20 clinics", rounds).await?;
    idle_pulls(&mut phone, "empty pull, 20 clinics").await
}

/// The clinic's bundle with its patients, and what hangs on them, spread over so many clinics, all of which the user of
/// the bench may look into.
fn spread(clinic: &Clinic, clinics: usize) -> Outcome<Value> {
    let mut bundle = Vec::new();
    clinic.write_bundle(&mut bundle)?;
    let mut bundle: Value = serde_json::from_slice(&bundle)?;
    let first = |bundle: &Value, table: &str| bundle["changes"][table]["created"][0].clone();
    let mut rights = first(&bundle, "user_clinic_permissions");
    let mut site = first(&bundle, "clinics");
    rights["user_id"] = json!(user(clinic).id);
    rights["can_view_history"] = json!(true);
    for number in 0..clinics {
        site["id"] = json!(format!("clinic-{number}"));
        rights["id"] = json!(format!("rights-{number}"));
        rights["clinic_id"] = site["id"].clone();
        for (table, row) in [("clinics", &site), ("user_clinic_permissions", &rights)] {
            if let Some(rows) = bundle["changes"][table]["created"].as_array_mut() {
                rows.push(row.clone());
            }
        }
    }
    let tables = bundle["changes"].as_object_mut().into_iter().flatten();
    for (table, lists) in tables {
        let (patient, column) = match table.as_str() {
            "patients" => ("id", "primary_clinic_id"),
            "prescriptions" => ("patient_id", "pickup_clinic_id"),
            _ => ("patient_id", "clinic_id"),
        };
        for row in lists["created"].as_array_mut().into_iter().flatten() {
            let Some(id) = row[patient].as_str() else { continue };
            if row[column].is_string() {
                let number = id.bytes().map(usize::from).sum::<usize>() % clinics;
                row[column] = json!(format!("clinic-{number}"));
            }
        }
    }
    Ok(bundle)
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

/// A push of `rows` events of patients whom the hub does not have: all are held, and looked at once more by the push after
/// it, which brings one of these patients.
async fn held(rows: usize) -> Outcome<()> {
    let clinic = Clinic::demo();
    let hub = TestHub::with_clinic(&clinic, Log::Warnings).await?;
    let mut phone = hub.phone(user(&clinic)).await?;
    phone.sync().await?;
    let event = |number: usize| {
        json!({"id": format!("held-{number}"), "patient_id": format!("nobody-{number}"), "event_type": "Bench",
               "form_data": "[]", "metadata": "{}"})
    };
    let events: Vec<Value> = (0..rows).map(event).collect();
    let base = phone.database.base().clone();
    let push = |table: &str, rows: Value| json!({"changes": {table: {"created": rows}}, "lastPulledAt": base});
    let all = push("events", json!(events));
    let (time, _) = timed(phone.client.command::<Value>("sync_push", all)).await?;
    report_time(&format!("held {rows} rows"), vec![time]);
    let clinic_id = phone.user.as_ref().map(|user| user.clinic_id.clone());
    let patient = json!([{"id": "nobody-0", "given_name": "Bench", "primary_clinic_id": clinic_id}]);
    let (time, _) = timed(phone.client.command::<Value>("sync_push", push("patients", patient))).await?;
    report_time(&format!("held {rows} rows, one let go"), vec![time]);
    Ok(())
}

/// Pushes of 10,000 rows as a clinic makes them: patients with what they were asked, visits, events.
async fn push_of_patients(rounds: usize) -> Outcome<()> {
    const PATIENTS: usize = 1_000;
    let clinic = Clinic::demo();
    let hub = TestHub::with_clinic(&clinic, Log::Warnings).await?;
    let mut phone = hub.phone(user(&clinic)).await?;
    phone.sync().await?;
    let mut times = Vec::new();
    for round in 0..rounds {
        for number in 0..PATIENTS {
            let attribute = |field: usize| NewAttribute {
                attribute_id: format!("field-{field}"),
                attribute: "village".into(),
                value: AttributeValue::Text(format!("Madeupville {number}")),
            };
            let patient = phone.register_patient(&NewPatient {
                given_name: format!("Samplea{number}"),
                surname: format!("Inventa{round}"),
                government_id: format!("GOV-{round}-{number}"),
                attributes: (0..3).map(attribute).collect(),
                ..NewPatient::default()
            })?;
            for _ in 0..2 {
                let visit = phone.open_visit(&patient)?;
                for _ in 0..2 {
                    let form = json!([{"fieldId": "a", "name": "Complaint", "inputType": "text", "value": "made up"}]);
                    phone.record_event(
                        &patient,
                        &visit,
                        ("0197f000-0000-7000-8000-000000008001", "Bench form"),
                        &form,
                    )?;
                }
            }
        }
        times.push(timed(phone.push()).await?.0);
    }
    report_time("push of patients, 10000 rows", times);
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
