//! Phones, hub and cloud: what a clinic writes arrives in PostgreSQL, what the cloud changes arrives on the phones, and an
//! idle run sends nothing; with the older cloud and with the newer, and with everything that goes wrong on the way.

#[path = "../support/chance.rs"]
mod chance;

mod bad_rows;
mod clock_and_history;
mod day;
mod faults;
mod kills;
#[path = "../attack/limits.rs"]
#[allow(
    dead_code,
    clippy::print_stderr,
    reason = "of the small board only the memory is wanted here"
)]
mod limits;
mod memory;
mod odd_answers;
mod other_cloud;
mod people;
mod slow_link;
mod staff;
mod there_and_back;
mod under_way;
mod warts;
mod world;

/// A number of the environment, else the usual one: what is quick in every run of the tests and thorough by hand.
fn number(variable: &str, usual: usize) -> usize {
    let given = std::env::var(variable).ok().and_then(|text| text.parse().ok());
    given.unwrap_or(usual)
}

#[allow(clippy::print_stdout, reason = "how much a test has really done")]
fn report(what: &str) {
    println!("{what}");
}
