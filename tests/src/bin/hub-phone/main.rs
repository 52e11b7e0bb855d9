//! `hub-phone`: a phone for a desk. It pairs with a hub by the QR code in the panel's picture, logs in, syncs, makes an
//! example edit, makes single calls, and writes the demo clinic that a hub can import.
//!
//! It keeps its rows in the clear in a file: for made-up clinics only.

#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people at a terminal"
)]

mod example;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::panel_client::{PanelClient, PanelError};
use hub_tests::phone::client::ClientError;
use hub_tests::phone::database::EditError;
use hub_tests::phone::state::{Pairing, StateError};
use hub_tests::phone::{Generation, Phone, SyncError, SyncReport};

/// A phone for a desk: pairs, logs in, syncs and edits as the app does.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Socket of the panel of a hub with the board `serial`; the pairing code is read from its picture.
    #[arg(long, global = true, value_name = "SOCKET")]
    panel: Option<PathBuf>,
    /// Address of the hub instead of the pairing code's, http://HOST:PORT; pairing is opened by a person.
    #[arg(long, global = true, value_name = "URL")]
    url: Option<String>,
    /// File that keeps the phone between runs [default: phone.json beside the panel's socket].
    #[arg(long, global = true, value_name = "FILE")]
    state: Option<PathBuf>,
    /// The phone's app, 1.5 or 1.7; a phone that is kept updates itself [default: 1.7, or what the phone has].
    #[arg(long, global = true, value_name = "VERSION")]
    app: Option<Generation>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Pairs if that was not done yet, logs in, pulls and pushes.
    Sync(Credentials),
    /// Registers an example patient with a visit, as the user of the last login; the next sync pushes it.
    Edit,
    /// Shows how many rows the phone has and how many the hub does not have yet.
    Show,
    /// Makes one call of the app's online mode, as the user of the last login, and prints its answer.
    Call(CallArguments),
    /// A day at a clinic in online mode: registers a patient, sees, measures, diagnoses, prescribes, hands out, appoints.
    Day,
    /// Does at the panel what a person would: sets a new hub up with the PIN, or unlocks a locked one. Waits for a box
    /// that was just switched on.
    Unlock(Pin),
    /// Does at the panel what a person would: has the relay run now, and prints what the panel says of the cloud then.
    Relay,
    /// Writes the demo clinic as a bundle for `hub-appliance import`, and prints who can log in.
    Clinic(ClinicArguments),
}

#[derive(Args)]
struct Credentials {
    /// E-mail to log in with; left out, the last login goes on.
    #[arg(long, requires = "password")]
    email: Option<String>,
    /// Password to log in with.
    #[arg(long, requires = "email")]
    password: Option<String>,
}

#[derive(Args)]
struct CallArguments {
    /// The procedure: a query or a command of the contract.
    procedure: String,
    /// Its parameters, a JSON object.
    #[arg(default_value = "{}")]
    json: String,
}

#[derive(Args)]
struct Pin {
    /// The PIN: 8 to 12 digits.
    #[arg(long)]
    pin: String,
}

#[derive(Args)]
struct ClinicArguments {
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// About so many rows instead of the demo's 500 patients.
    #[arg(long, value_name = "COUNT")]
    rows: Option<usize>,
    /// Another seed makes another clinic.
    #[arg(long, default_value_t = Clinic::DEMO_SEED)]
    seed: u64,
}

/// Why nothing came of it.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// A new phone does not know where its hub is.
    #[error("not paired yet: give --panel or --url")]
    NotPaired,
    /// A panel is worked through its socket.
    #[error("give the panel's socket: --panel SOCKET")]
    NoPanel,
    /// There is no phone to show or to edit on.
    #[error("no phone at {0}: sync first")]
    NoPhone(PathBuf),
    /// Calls are a user's.
    #[error("nobody is logged in: sync with --email and --password first")]
    NobodyLoggedIn,
    /// A day takes most rights that there are.
    #[error("this user may not do all of a day, from registering to handing out medicines: sync as one who may")]
    NotPermitted,
    #[error("the parameters are no JSON: {0}")]
    Parameters(serde_json::Error),
    #[error("the bundle can't be written: {0}")]
    Bundle(io::Error),
    #[error(transparent)]
    Panel(#[from] PanelError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Sync(#[from] SyncError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Edit(#[from] EditError),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("hub-phone: {failure}");
            let mut cause = std::error::Error::source(&failure);
            while let Some(error) = cause {
                eprintln!("  because: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Failure> {
    let file = state_file(&arguments);
    match &arguments.action {
        Action::Sync(credentials) => sync(&arguments, &file, credentials).await,
        Action::Edit => edit(&arguments, &file),
        Action::Show => show(&arguments, &file),
        Action::Call(call) => make_call(&arguments, &file, call).await,
        Action::Day => day(&arguments, &file).await,
        Action::Unlock(pin) => unlock(&arguments, &pin.pin).await,
        Action::Relay => relay(&arguments).await,
        Action::Clinic(clinic) => write_clinic(clinic),
    }
}

async fn unlock(arguments: &Arguments, pin: &str) -> Result<(), Failure> {
    let socket = arguments.panel.as_deref().ok_or(Failure::NoPanel)?;
    let mut panel = PanelClient::connect_at_power_on(socket).await?;
    panel.pass_splash().await?;
    if matches!(panel.screen().name.as_str(), "setup-pin" | "new-disk") {
        let code = panel.set_up(pin).await?;
        println!("set up; the recovery code: {}", code.groups().join(" "));
    } else {
        panel.unlock(pin).await?;
        println!("unlocked");
    }
    Ok(())
}

async fn relay(arguments: &Arguments) -> Result<(), Failure> {
    let socket = arguments.panel.as_deref().ok_or(Failure::NoPanel)?;
    let lines = PanelClient::connect(socket).await?.relay_now().await?;
    let lines = lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty());
    println!("{}", lines.collect::<Vec<_>>().join("\n"));
    Ok(())
}

fn state_file(arguments: &Arguments) -> PathBuf {
    let beside_panel = || {
        arguments
            .panel
            .as_deref()
            .and_then(Path::parent)
            .unwrap_or(Path::new(""))
            .join("phone.json")
    };
    arguments.state.clone().unwrap_or_else(beside_panel)
}

async fn sync(arguments: &Arguments, file: &Path, credentials: &Credentials) -> Result<(), Failure> {
    let new = !file.exists();
    let (mut phone, pairing) = if new {
        new_phone(arguments).await?
    } else {
        load(arguments, file)?
    };
    shake_hands(arguments, &mut phone, new).await?;
    if let (Some(email), Some(password)) = (&credentials.email, &credentials.password) {
        let login = phone.log_in(email, password).await?;
        println!("logged in at {} as {}", login.clinic_name, login.role);
    }
    // What was pulled is kept even where the push fails, as in the app.
    let outcome = phone.sync().await;
    phone.save(file, &pairing)?;
    report(&outcome?);
    Ok(())
}

/// A phone that knows where its hub is: from `--url`, or from the pairing code.
async fn new_phone(arguments: &Arguments) -> Result<(Phone, Pairing), Failure> {
    let pairing = match (&arguments.url, &arguments.panel) {
        (Some(url), _) => Pairing {
            url: url.clone(),
            key: None,
        },
        (None, Some(panel)) => {
            let code = PanelClient::connect(panel).await?.open_pairing().await?;
            println!("read the pairing code: {}", code.url);
            Pairing {
                url: code.url,
                key: code.key,
            }
        }
        (None, None) => return Err(Failure::NotPaired),
    };
    let phone = Phone::new(&pairing.url)?;
    let client = phone.client.named("hub-phone").paired_with(pairing.key.clone());
    let phone = Phone::with_client(client).with_app(arguments.app.unwrap_or_default());
    Ok((phone, pairing))
}

/// Hands shakes; where the hub does not know the phone, pairing is opened at the panel first, and the phone kept there.
async fn shake_hands(arguments: &Arguments, phone: &mut Phone, new: bool) -> Result<(), Failure> {
    let panel = match &arguments.panel {
        Some(socket) => Some(PanelClient::connect(socket).await?),
        None => None,
    };
    match (phone.client.handshake().await, panel) {
        (Err(error), Some(mut panel)) if error.status() == Some(403) => {
            panel.open_pairing().await?;
            phone.client.handshake().await?;
            panel.keep().await?;
        }
        (Ok(_), Some(mut panel)) if new => panel.keep().await?,
        (outcome, _) => drop(outcome?),
    }
    if let Some(hub) = phone.client.hub() {
        println!("hub: {} ({})", hub.hub_name, hub.hub_id);
    }
    Ok(())
}

fn report(report: &SyncReport) {
    println!(
        "{:<32}{:>9}{:>9}{:>9}{:>9}{:>9}",
        "table", "new", "merged", "skipped", "deleted", "pushed"
    );
    let pushed = |table: &str| {
        report
            .pushed
            .iter()
            .find(|(name, _)| *name == table)
            .map_or(0, |(_, rows)| *rows)
    };
    for (table, counts) in &report.pulled {
        let numbers = [
            counts.inserted,
            counts.merged,
            counts.skipped,
            counts.deleted,
            pushed(table),
        ];
        if numbers.iter().any(|number| *number > 0) {
            print!("{table:<32}");
            numbers.iter().for_each(|number| print!("{number:>9}"));
            println!();
        }
    }
    for (table, rows) in &report.pushed {
        if !report.pulled.iter().any(|(name, _)| name == table) {
            println!("{table:<32}{:>9}{:>9}{:>9}{:>9}{rows:>9}", 0, 0, 0, 0);
        }
    }
}

fn load(arguments: &Arguments, file: &Path) -> Result<(Phone, Pairing), Failure> {
    if !file.exists() {
        return Err(Failure::NoPhone(file.to_owned()));
    }
    let (mut phone, pairing) = Phone::load(file)?;
    if let Some(app) = arguments.app {
        phone.database.update_app(app);
    }
    Ok((phone, pairing))
}

fn edit(arguments: &Arguments, file: &Path) -> Result<(), Failure> {
    let (mut phone, pairing) = load(arguments, file)?;
    let patient = example::register_with_visit(&mut phone)?;
    phone.save(file, &pairing)?;
    println!("registered patient {patient} with a visit; sync to push it");
    Ok(())
}

fn show(arguments: &Arguments, file: &Path) -> Result<(), Failure> {
    let (phone, pairing) = load(arguments, file)?;
    let app = phone.database.generation();
    println!("phone {} of {}, app {app}", phone.client.client_id(), pairing.url);
    let waiting = phone.database.local_changes().counts();
    println!("{:<32}{:>9}{:>9}", "table", "rows", "to push");
    for (table, rows) in phone.database.counts() {
        let to_push = waiting
            .iter()
            .find(|(name, _)| *name == table)
            .map_or(0, |(_, rows)| *rows);
        println!("{table:<32}{rows:>9}{to_push:>9}");
    }
    Ok(())
}

async fn make_call(arguments: &Arguments, file: &Path, call: &CallArguments) -> Result<(), Failure> {
    let data = serde_json::from_str(&call.json).map_err(Failure::Parameters)?;
    let (mut phone, _) = load(arguments, file)?;
    let answer = phone.client.call(&call.procedure, &data).await?;
    println!("{answer:#}");
    Ok(())
}

async fn day(arguments: &Arguments, file: &Path) -> Result<(), Failure> {
    let (mut phone, _) = load(arguments, file)?;
    let user = phone.user.clone().ok_or(Failure::NobodyLoggedIn)?;
    let day = phone.client.day(&user).await.map_err(|error| match error.status() {
        Some(403) => Failure::NotPermitted,
        _ => error.into(),
    })?;
    println!("{:#}", serde_json::json!(day));
    Ok(())
}

fn write_clinic(arguments: &ClinicArguments) -> Result<(), Failure> {
    let size = arguments.rows.map_or(ClinicSize::DEMO, ClinicSize::about_rows);
    let clinic = Clinic::generate(arguments.seed, size);
    let write = || -> io::Result<()> {
        let mut file = BufWriter::new(File::create(&arguments.out)?);
        clinic.write_bundle(&mut file)?;
        file.flush()
    };
    write().map_err(Failure::Bundle)?;
    println!("Demo logins:");
    println!("{:<28}{:<20}{:<12}rights", "e-mail", "password", "role");
    for user in clinic.users() {
        let here = user.rights.first().map_or(&[][..], |(_, rights)| rights);
        let rights: Vec<&str> = here.iter().map(|right| right.trim_start_matches("can_")).collect();
        println!(
            "{:<28}{:<20}{:<12}{}",
            user.email,
            user.password,
            user.role,
            rights.join(", ")
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_phone_is_kept_beside_the_panel() {
        let parse = |line: &str| Arguments::try_parse_from(line.split(' '));
        let arguments = parse("hub-phone --panel .run/panel.sock sync --email a --password b").unwrap();
        assert_eq!(state_file(&arguments), Path::new(".run/phone.json"));
        assert_eq!(state_file(&parse("hub-phone show --state x").unwrap()), Path::new("x"));
        assert_eq!(state_file(&parse("hub-phone show").unwrap()), Path::new("phone.json"));
        assert!(parse("hub-phone sync --email a").is_err());
        assert_eq!(parse("hub-phone sync --app 1.5").unwrap().app, Some(Generation::V1_5));
        assert!(parse("hub-phone sync --app 1.6").is_err());
    }
}
