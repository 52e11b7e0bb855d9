//! How much longer than on a quiet machine a wait may take.
//!
//! A deadline tells a hub that hangs from one that works; on a machine that has other work too, the variable
//! `HUB_TEST_PATIENCE` (a whole number from 1, by which all deadlines of hub and box are multiplied) keeps it from telling
//! a busy machine.

use std::sync::OnceLock;
use std::time::Duration;

/// `on_a_quiet_machine`, as often as `HUB_TEST_PATIENCE` says.
#[must_use]
pub fn patience(on_a_quiet_machine: Duration) -> Duration {
    static FACTOR: OnceLock<u32> = OnceLock::new();
    on_a_quiet_machine * *FACTOR.get_or_init(|| factor(std::env::var("HUB_TEST_PATIENCE").ok().as_deref()))
}

/// The factor of the variable's value; 1 where that is none.
fn factor(given: Option<&str>) -> u32 {
    given
        .and_then(|text| text.parse().ok())
        .filter(|factor| (1..=100).contains(factor))
        .unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_is_a_whole_number_within_bounds() {
        assert_eq!(factor(Some("4")), 4);
        for none in [
            None,
            Some(""),
            Some("0"),
            Some("-2"),
            Some("1.5"),
            Some("101"),
            Some("many"),
        ] {
            assert_eq!(factor(none), 1, "{none:?}");
        }
    }
}
