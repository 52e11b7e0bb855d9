//! A stand-in for the organisation's cloud, for trying the relay: a private PostgreSQL with the demo clinic, at a port of the
//! loopback. It is nobody's real cloud.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use hub_tests::clinic::Clinic;
use hub_tests::cloud::{Cloud, Counts, Generation};
use tokio::signal::unix::{SignalKind, signal};

/// A stand-in for the cloud, with the demo clinic in it.
#[derive(Parser)]
#[command(about)]
struct Arguments {
    /// Address and port
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:4080")]
    listen: String,
    /// Be the newer cloud
    #[arg(long)]
    newer: bool,
    /// Write a `hub-setup.toml` that names this cloud
    #[arg(long, value_name = "FILE")]
    setup_file: Option<PathBuf>,
}

#[tokio::main(flavor = "multi_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[allow(clippy::print_stderr, reason = "the failure of a command")]
            {
                eprintln!("cloud-stand-in: {error}");
            }
            ExitCode::FAILURE
        }
    }
}

#[allow(clippy::print_stdout, reason = "whoever started it reads its address there")]
async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let cloud = Cloud::start_at(&Clinic::demo(), &arguments.listen).await?;
    if arguments.newer {
        cloud.switch(|switches| switches.generation = Generation::C2);
    }
    if let Some(file) = arguments.setup_file {
        std::fs::write(file, cloud.setup())?;
    }
    println!("cloud stand-in (not a real cloud) listening on {}", cloud.url());
    println!(
        "its records: psql --host {} --username cloud postgres",
        cloud.socket().display()
    );
    let tell = async {
        loop {
            cloud.wait_for(|counts| counts.pulls > 0 || counts.rows_taken > 0).await;
            told(&cloud.take_counts());
        }
    };
    // Its PostgreSQL ends with it, and takes its folder along.
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        never = tell => never,
        _ = terminated.recv() => Ok(()),
        pressed = tokio::signal::ctrl_c() => Ok(pressed?),
    }
}

/// What has gone to and fro, without saying whose it is.
#[allow(clippy::print_stdout, reason = "whoever tries the relay looks there")]
fn told(counts: &Counts) {
    let mut tables: BTreeMap<&str, usize> = BTreeMap::new();
    for pushed in &counts.pushed {
        let table = pushed.row.split('/').next().unwrap_or_default();
        *tables.entry(table).or_default() += 1;
    }
    if counts.pulls > 0 {
        println!("told the hub {} rows", counts.rows_pulled);
    }
    if counts.rows_taken > 0 {
        let tables: Vec<String> = tables.iter().map(|(table, rows)| format!("{table} {rows}")).collect();
        println!("took {} rows from the hub: {}", counts.rows_taken, tables.join(", "));
    }
}
