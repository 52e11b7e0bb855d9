//! Single calls of the app's online mode, over a hub with many patients: how long half of them take at most, and all but one
//! in a hundred, alone and with others.

use std::time::Duration;

use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::hub::{Log, TestHub};
use hub_tests::phone::Phone;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{Outcome, report, timed, user};

const PATIENTS: usize = 50_000;
const CALLERS: usize = 8;

/// Measures every call whose name is wanted.
pub(crate) async fn calls(wanted: &impl Fn(&str) -> bool, rounds: usize) -> Outcome<()> {
    let size = ClinicSize {
        patients: PATIENTS,
        visits: PATIENTS,
        events: 0,
    };
    let clinic = Clinic::generate(Clinic::DEMO_SEED, size);
    let hub = TestHub::with_clinic(&clinic, Log::Warnings).await?;
    let mut phones = Vec::new();
    for _ in 0..CALLERS {
        phones.push(hub.phone(user(&clinic)).await?);
    }
    for (name, call, params) in figures(&mut phones[0]).await? {
        if !wanted(name) {
            continue;
        }
        let alone = together(&mut phones, 1, rounds * 40, (call, &params)).await?;
        report(&format!("{name}, alone"), &percentiles(alone));
        let many = together(&mut phones, CALLERS, rounds * 20, (call, &params)).await?;
        report(&format!("{name}, {CALLERS} callers"), &percentiles(many));
    }
    Ok(())
}

type Figure = (&'static str, &'static str, Value);

/// What is called, for a patient who is there.
async fn figures(phone: &mut Phone) -> Outcome<Vec<Figure>> {
    let page: Value = phone
        .client
        .query("get_patients", json!({"limit": 1, "offset": PATIENTS / 2}))
        .await?;
    let patient = page["data"][0].clone();
    let (given, surname) = (&patient["given_name"], &patient["surname"]);
    let stock: Value = phone.client.query("drugs.search", json!({})).await?;
    let clinic = phone.user.as_ref().map(|user| user.clinic_id.clone());
    let id = patient["government_id"].as_str().unwrap_or_default();
    let id_part: String = id.chars().rev().take(5).collect::<Vec<_>>().into_iter().rev().collect();
    Ok(vec![
        ("get_patients", "get_patients", json!({"limit": 50, "offset": 0})),
        (
            "search, an id's end",
            "search_patients",
            json!({"filters": {"government_id": id_part}, "limit": 50}),
        ),
        (
            "search, both names",
            "search_patients",
            json!({"filters": {"given_name": given, "surname": surname}, "limit": 50}),
        ),
        (
            "search, a given name",
            "search_patients",
            json!({"filters": {"given_name": given}, "limit": 50}),
        ),
        (
            "search, two letters",
            "search_patients",
            json!({"filters": {"given_name": "an"}, "limit": 50}),
        ),
        (
            "patients.similar",
            "patients.similar",
            json!({"given_name": given, "surname": surname}),
        ),
        ("get_patient", "get_patient", json!({"patient_id": patient["id"]})),
        (
            "check_availability",
            "inventory.check_availability",
            json!({"drug_id": stock["data"][0]["id"], "clinic_id": clinic, "required_quantity": 5}),
        ),
    ])
}

/// How long each call took, of `callers` that make `calls` each at the same time.
async fn together(
    phones: &mut Vec<Phone>,
    callers: usize,
    calls: usize,
    (name, params): (&'static str, &Value),
) -> Outcome<Vec<Duration>> {
    let mut running = JoinSet::new();
    for mut phone in phones.drain(..callers) {
        let params = params.clone();
        running.spawn(async move {
            let mut times = Vec::with_capacity(calls);
            for _ in 0..calls {
                times.push(timed(phone.client.query_bytes(name, &params)).await?.0);
            }
            Outcome::Ok((phone, times))
        });
    }
    let mut all = Vec::new();
    for done in running.join_all().await {
        let (phone, times) = done?;
        phones.push(phone);
        all.extend(times);
    }
    Ok(all)
}

fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1000.0;
    format!("{:.1} ms p50, {:.1} ms p99 of {}", at(50), at(99), times.len())
}
