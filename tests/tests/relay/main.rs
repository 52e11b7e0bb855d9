//! Phones, hub and cloud: what a clinic writes arrives in PostgreSQL, what the cloud changes arrives on the phones, and an
//! idle run sends nothing; with the older cloud and with the newer, and with everything that goes wrong on the way.
//!
//! What the contract says must hold, and where it is shown:
//!
//! | | |
//! |---|---|
//! | two cursors, of two clocks that are never compared | `clock_and_history`, and `faults` with a clock that is a day off |
//! | what came from the cloud does not go back and reaches the phones, also one with an older version | `there_and_back` |
//! | batches of at most 500 rows or 1 MiB | `under_way`, and the unit tests of `relay/batch.rs` |
//! | each is acknowledged before the next, and sent again where it was not; the cursor survives power loss | `slow_link`, `kills` |
//! | a row that is edited while it is under way goes again | `under_way` |
//! | an answer and its cursor are one, and merged by the rules of a push | `there_and_back`, `kills`, and those of `store/relay/` |
//! | the first run of an empty hub only pulls | `under_way` |
//! | nothing is dropped in silence | `bad_rows`, `kills`, `odd_answers`: what PostgreSQL lacks is told by `held cloud` |
//! | when it runs | the unit tests of `relay/schedule.rs`; by a person in each of these |

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
#[path = "../support/many_events.rs"]
mod many_events;
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
