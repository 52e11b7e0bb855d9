//! The app's online mode: single calls instead of syncs, against the real hub.
//!
//! Every recorded call of the app is sent as it was recorded; the rest is what such calls must never do: write half, write
//! twice, give away what is not there, show or change what the user may not.

mod audit;
mod clinic;
mod day;
mod emergency;
mod held;
mod inputs;
mod recorded;
mod rights;
mod stock;
