//! How much a test does: what a person asks for by the environment, and what came of it.

/// A number of the environment, else the usual one: what is quick in every run of the tests and thorough by hand.
#[must_use]
pub fn number(variable: &str, usual: usize) -> usize {
    let given = std::env::var(variable).ok().and_then(|text| text.parse().ok());
    given.unwrap_or(usual)
}

/// Says how much a test has really done.
#[allow(clippy::print_stdout, reason = "how much a test has really done")]
pub fn report(what: &str) {
    println!("{what}");
}
