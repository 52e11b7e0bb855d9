//! Which key is which button.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::board::Event;
use crate::panel::{Button, Digits, HeldButton, Input};

/// What a key means, if anything.
pub(super) fn meaning(key: KeyEvent) -> Option<Event> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return (key.code == KeyCode::Char('c')).then_some(Event::Quit);
    }
    let input = match key.code {
        KeyCode::Up => Input::Press(Button::Up),
        KeyCode::Down => Input::Press(Button::Down),
        KeyCode::Left => Input::Press(Button::Left),
        KeyCode::Right => Input::Press(Button::Right),
        KeyCode::Enter | KeyCode::Char(' ') => Input::Press(Button::Ok),
        KeyCode::Esc | KeyCode::Backspace => Input::Press(Button::Back),
        KeyCode::Char('o') => Input::Hold(HeldButton::Ok),
        KeyCode::Char('b') => Input::Hold(HeldButton::Back),
        KeyCode::Char('q') => return Some(Event::Quit),
        KeyCode::Char(digit) => Input::Type(Digits::new(digit.encode_utf8(&mut [0; 4]))?),
        _ => return None,
    };
    Some(Event::Input(input))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn means(code: KeyCode) -> String {
        format!("{:?}", meaning(KeyEvent::new(code, KeyModifiers::NONE)))
    }

    #[test]
    fn keys_are_buttons() {
        assert_eq!(means(KeyCode::Up), "Some(Input(Press(Up)))");
        assert_eq!(means(KeyCode::Enter), "Some(Input(Press(Ok)))");
        assert_eq!(means(KeyCode::Esc), "Some(Input(Press(Back)))");
        assert_eq!(means(KeyCode::Char('o')), "Some(Input(Hold(Ok)))");
        assert_eq!(means(KeyCode::Char('7')), "Some(Input(Type(Digits([secret]))))");
        assert_eq!(means(KeyCode::Char('x')), "None");
        assert_eq!(means(KeyCode::Char('٣')), "None");
        assert_eq!(means(KeyCode::Char('q')), "Some(Quit)");
    }

    #[test]
    fn control_c_asks_to_end_and_releases_mean_nothing() {
        let control = |code| meaning(KeyEvent::new(KeyCode::Char(code), KeyModifiers::CONTROL));
        assert!(matches!(control('c'), Some(Event::Quit)));
        assert!(control('o').is_none());
        let release = KeyEvent::new_with_kind(KeyCode::Enter, KeyModifiers::NONE, KeyEventKind::Release);
        assert!(meaning(release).is_none());
    }
}
