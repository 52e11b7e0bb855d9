//! All texts of the panel: one table a language, so a text that is missing in one does not compile.
//!
//! Lines have at most 21 characters (10 beside the pairing code); a test draws every screen in every language with the
//! longest figures and checks that all of it fits.

use super::text::printable;
use super::view::Fault;

/// A language of the panel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    English,
}

impl Language {
    /// All languages.
    pub const ALL: [Self; 1] = [Self::English];

    pub(super) const fn strings(self) -> &'static Strings {
        match self {
            Self::English => &ENGLISH,
        }
    }
}

/// Something to say above a field or a code until the person goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// Fewer digits than the field needs (which is given).
    TooShort(usize),
    /// More digits than the field takes (which is given).
    TooLong(usize),
    /// The second PIN was not the first.
    Mismatch,
    /// Set-up came back without a hub.
    SetUpFailed,
    /// A wrong PIN, and how many more there are before a wait.
    WrongPin(u32),
    /// The group just typed can't be one of a recovery code.
    MistypedGroup,
    /// The recovery code opens nothing.
    WrongCode,
    /// Typed digits were forgotten because nobody went on typing.
    Cleared,
}

/// The texts of one language.
pub(super) struct Strings {
    pub(super) welcome: &'static str,
    pub(super) welcome_text: [&'static str; 3],
    pub(super) begin: &'static str,
    pub(super) choose_pin: &'static str,
    pub(super) choose_pin_text: [&'static str; 2],
    pub(super) repeat_pin: &'static str,
    pub(super) repeat_pin_text: [&'static str; 2],
    pub(super) setting_up: &'static str,
    pub(super) setting_up_text: &'static str,
    pub(super) write_code: &'static str,
    pub(super) wrong_group: fn(usize) -> String,
    pub(super) write_code_hint: &'static str,
    pub(super) check_code: &'static str,
    pub(super) check_code_text: fn(usize) -> [String; 2],
    pub(super) locked: &'static str,
    pub(super) locked_text: [&'static str; 2],
    pub(super) locked_use_code: [&'static str; 2],
    pub(super) wait: &'static str,
    pub(super) wait_text: &'static str,
    pub(super) wait_hold: &'static str,
    pub(super) wait_use_code: &'static str,
    pub(super) wait_hold_for_code: &'static str,
    pub(super) enter_code: &'static str,
    pub(super) enter_code_text: fn(u32) -> [String; 2],
    pub(super) unlocking: &'static str,
    pub(super) moment: &'static str,
    pub(super) locking: &'static str,
    pub(super) open: &'static str,
    pub(super) menu: &'static str,
    pub(super) no_network: &'static str,
    pub(super) no_network_text: [&'static str; 2],
    pub(super) no_network_to_pair: [&'static str; 4],
    pub(super) back: &'static str,
    pub(super) address_changed: &'static str,
    pub(super) address_before: fn(&str) -> String,
    pub(super) address_what_to_do: &'static str,
    pub(super) phones_today_short: fn(&str) -> String,
    pub(super) held_short: fn(&str) -> String,
    pub(super) clock_good_short: &'static str,
    pub(super) clock_bad_short: &'static str,
    pub(super) disk_short: fn(u8) -> String,
    pub(super) status: &'static str,
    pub(super) phones_today: &'static str,
    pub(super) held: &'static str,
    pub(super) clock: &'static str,
    pub(super) clock_good: &'static str,
    pub(super) clock_bad: &'static str,
    pub(super) disk: &'static str,
    pub(super) disk_used: fn(u8) -> String,
    pub(super) about: &'static str,
    pub(super) version: &'static str,
    pub(super) fingerprint: &'static str,
    pub(super) menu_pair: &'static str,
    pub(super) menu_lock: &'static str,
    pub(super) pair: &'static str,
    pub(super) pair_keep: [&'static str; 2],
    pub(super) pair_kept: [&'static str; 2],
    pub(super) pair_close: [&'static str; 2],
    pub(super) pair_stays: &'static str,
    pub(super) pair_shade: [&'static str; 2],
    pub(super) paired: &'static str,
    pub(super) paired_text: &'static str,
    pub(super) unnamed_phone: fn(u32) -> String,
    pub(super) keep: &'static str,
    pub(super) undo: &'static str,
    pub(super) lock: &'static str,
    pub(super) lock_text: [&'static str; 3],
    pub(super) lock_now: &'static str,
    pub(super) cancel: &'static str,
    pub(super) fault: &'static str,
    pub(super) delete_key: &'static str,
    pub(super) note: fn(Note) -> [String; 2],
    pub(super) fault_text: fn(&Fault) -> [String; 5],
}

static ENGLISH: Strings = Strings {
    welcome: "Welcome",
    welcome_text: ["This hub is new.", "Choose a PIN for it,", "then keep paper ready"],
    begin: "begin",
    choose_pin: "New PIN",
    choose_pin_text: ["Choose 8 to 12 digits", "that only staff know"],
    repeat_pin: "PIN again",
    repeat_pin_text: ["Type the same PIN", "once more"],
    setting_up: "Setting up",
    setting_up_text: "Making the keys",
    write_code: "Recovery code",
    wrong_group: |group| format!("Group {group} differs"),
    write_code_hint: "I wrote it down",
    check_code: "Check code",
    check_code_text: |group| ["From your paper,".into(), format!("type group {group}")],
    locked: "Locked",
    locked_text: ["Type the PIN", "PIN lost? Hold OK"],
    locked_use_code: ["Type the PIN, or hold", "OK for recovery code"],
    wait: "Wait",
    wait_text: "Too many wrong PINs",
    wait_hold: "PIN lost? Hold OK",
    wait_use_code: "Use the recovery code",
    wait_hold_for_code: "Hold OK to type it",
    enter_code: "Recovery code",
    enter_code_text: |group| [format!("Type group {group} of 8"), "Back: group before".into()],
    unlocking: "Opening",
    moment: "A moment, please",
    locking: "Locking",
    open: "Hub is open",
    menu: "Menu",
    no_network: "No network",
    no_network_text: ["Check the cable and", "the router"],
    no_network_to_pair: [
        "Phones can't reach",
        "the hub. Check the",
        "cable and the router,",
        "then pair again",
    ],
    back: "back",
    address_changed: "Address changed",
    address_before: |address| format!("was {address}"),
    address_what_to_do: "Pair the phones again",
    phones_today_short: |count| format!("{count} today"),
    held_short: |count| format!("{count} held"),
    clock_good_short: "Clock ok",
    clock_bad_short: "Not set",
    disk_short: |percent| {
        if percent < 100 {
            format!("{percent}% full")
        } else {
            "full".into()
        }
    },
    status: "Status",
    phones_today: "Phones today",
    held: "Rows held back",
    clock: "Clock",
    clock_good: "set",
    clock_bad: "not set",
    disk: "Disk",
    disk_used: |percent| format!("{percent}% full"),
    about: "About",
    version: "Version",
    fingerprint: "Hub key",
    menu_pair: "Pair a phone",
    menu_lock: "Lock now",
    pair: "Scan me",
    pair_keep: ["OK: stay", "open"],
    pair_kept: ["OK: back", "to timer"],
    pair_close: ["Hold OK:", "close"],
    pair_stays: "Stays open",
    pair_shade: ["Shade the", "screen"],
    paired: "Phone paired",
    paired_text: "Is it one of yours?",
    unnamed_phone: |number| format!("Phone {number}"),
    keep: "Keep",
    undo: "Undo",
    lock: "Lock the hub?",
    lock_text: ["Phones can't work", "with it until the PIN", "is typed here."],
    lock_now: "Lock",
    cancel: "Cancel",
    fault: "Problem",
    delete_key: "Delete",
    note: english_note,
    fault_text: english_fault,
};

fn english_note(note: Note) -> [String; 2] {
    match note {
        Note::TooShort(min) => [format!("{min} digits or more,"), "please type on".into()],
        Note::TooLong(max) => ["Too many: it has".into(), format!("at most {max} digits")],
        Note::Mismatch => ["The PINs differ.".into(), "Choose the PIN again".into()],
        Note::SetUpFailed => ["Set-up failed.".into(), "Choose the PIN again".into()],
        Note::WrongPin(1) => ["Wrong PIN. 1 more try".into(), "before a wait".into()],
        Note::WrongPin(tries) => ["Wrong PIN. Tries".into(), format!("before a wait: {}", tries.min(99))],
        Note::MistypedGroup => ["Mistyped. Type this".into(), "group once more".into()],
        Note::WrongCode => ["That code is wrong.".into(), "Start with group 1".into()],
        Note::Cleared => ["Digits cleared: long".into(), "time without a key".into()],
    }
}

fn english_fault(fault: &Fault) -> [String; 5] {
    match fault {
        Fault::Keys => [
            "The keys on the data",
            "disk can't be read.",
            "",
            "Don't format it: call",
            "for technical help",
        ],
        Fault::Store => [
            "The records can't be",
            "opened.",
            "",
            "Switch off and on. If",
            "it stays: call help",
        ],
        Fault::NewerStore { needs } => {
            return [
                "The records need".into(),
                format!("firmware {}", printable(needs, 12)),
                String::new(),
                "Put in the card with".into(),
                "that version".into(),
            ];
        }
        Fault::Disk => [
            "The data disk can't",
            "be written.",
            "",
            "Check that it is in,",
            "then switch on again",
        ],
        Fault::Port => [
            "Phones can't reach",
            "the hub: port taken.",
            "",
            "Switch the hub off",
            "and on again",
        ],
        Fault::Restarts => [
            "The hub failed too",
            "often and stays shut.",
            "",
            "Switch off, wait and",
            "on; or call for help",
        ],
        Fault::Internal => [
            "Something in the hub",
            "failed.",
            "",
            "Switch the hub off",
            "and on again",
        ],
    }
    .map(String::from)
}
