//! Syncing: what a phone or the cloud has seen, what it gets, and how what it sends meets what is stored.
//!
//! It promises: nothing is missed and nothing is doubled, whatever runs at the same time; one bad row stops nobody; no
//! value is lost. Everybody who writes records goes through `apply`.
//!
//! A push is read (`push`, `lists`, `sent`) and taken in row by row (`taking`): each is judged (`judge`), and
//! written (`writing`) or held (`held`, `release`). A pull starts where the phone's cursors say (`cursors`, `phone`,
//! `ahead`) and gives what is in its sight (`pull`, `sight`, `feed`, `resend`). The rule by which a row is merged:
//!
//! | what | where |
//! |---|---|
//! | a row of any table, column by column; `updated_at` | `merge`, by what the row went through since (`past`, `history`) |
//! | a JSON column: `form_data`, `metadata`, … | `by_key` |
//! | columns of a newer app | `newer` |
//! | `patient_additional_attributes`: one row a patient and field | `attributes` |
//! | `dispensing_records`, `clinic_inventory`, `quantity_dispensed` of `prescription_items` | `stock` |
//! | a deletion, and what goes along with it | `deleting` |
//! | a row to another patient or clinic; who may write it | `judge`, `rights` |
//! | rows of the cloud, by what it gave of them before | [`cloud`](super::cloud) |

mod ahead;
pub mod apply;
mod attributes;
mod by_key;
pub mod cursors;
mod deleting;
mod expected;
pub(super) mod feed;
pub mod gatekeeper;
pub mod generation;
pub mod held;
pub mod history;
pub(in crate::store) mod judge;
mod limits;
pub mod lists;
mod meeting;
pub(super) mod merge;
pub(in crate::store) mod newer;
pub(super) mod past;
pub mod phone;
pub mod pull;
pub mod push;
mod quota;
pub(in crate::store) mod release;
pub(in crate::store) mod resend;
pub mod retry;
pub mod rights;
pub mod sent;
mod sight;
pub(super) mod stock;
pub mod taking;
pub mod writing;
