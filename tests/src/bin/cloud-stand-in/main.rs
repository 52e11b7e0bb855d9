//! A stand-in for the organisation's cloud, for trying the relay: a private PostgreSQL with the demo clinic, at a port of the
//! loopback. It is nobody's real cloud.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use hub_tests::clinic::Clinic;
use hub_tests::cloud::{Cloud, Generation};

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
    std::future::pending().await
}
