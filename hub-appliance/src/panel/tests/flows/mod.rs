//! What a person can do, step by step.

mod errands;
mod opening;
mod phones;
mod pin_change;
mod screens;
mod set_up;

use super::*;

const PIN: &str = "28471936";

fn pin_of(action: Option<Action>) -> String {
    match action {
        Some(Action::SetUp { pin } | Action::Unlock { pin }) => pin.expose().to_owned(),
        other => panic!("{other:?}"),
    }
}

/// Moves along the strip until `key` has the focus, and presses it.
fn press_key(desk: &mut Desk, key: &str, step: Button) -> Option<Action> {
    for _ in 0..12 {
        if desk.says(&format!("<{key}>")) {
            return desk.press(&[Button::Ok]);
        }
        desk.press(&[step]);
    }
    panic!("no key {key}");
}
