//! All texts of the panel: one table a language, so a text that is missing in one does not compile.
//!
//! Lines have at most 21 characters (10 beside the pairing code); a test draws every screen in every language with the
//! longest figures and checks that all of it fits.
//!
//! To add a text: a field of [`Strings`], a text in each table, and a scene that draws it (`tests/scenes.rs` and the like).
//!
//! Arabic (`arabic.rs`) is written as anywhere, in reading order: its letters are joined and the line is turned when it is
//! drawn. A line is 125 pixels wide, some 18 to 21 characters. A screen has three of them, two where there are buttons or a
//! hint, one above a PIN pad: write less than in English, and leave the other lines of the text empty (`""`), which takes
//! no room. Screens of facts (status, notices, faults) let lines that find no room take turns, every five seconds:
//! [`super::canvas::Canvas::take_turns`]. What a person types elsewhere (addresses, versions, file names, hosts) goes through
//! [`super::script::as_code`], a name through `as_name`; other figures are turned into Arabic digits by themselves. The font
//! has every letter; `scripts/panel-font` adds signs, and a test says which is missing. No vowel marks but for shadda and
//! tanween out of habit: they are not drawn. Then `scripts/panel-gallery`, and look at what it made.

mod arabic;
mod english;
mod french;
mod spanish;

use super::script::{Direction, Numerals, Writing};
use super::text::Ago;
use super::view::{
    BackupStanding, BackupTrouble, CloudStanding, ErrandEnd, Fault, HeldReason, ImportFile, KeyChange, News, Question,
    RecordKind, UsbStatus,
};

/// What the owner's files are called, in every language.
const SETUP_FILE: &str = "hub-setup.toml";
const IMPORT_FILE: &str = "clinic.json";
/// The part of the owner's setup file that is about the cloud.
const CLOUD_SECTION: &str = "[cloud]";

/// A language of the panel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// French.
    French,
    /// Spanish.
    Spanish,
    /// Arabic.
    Arabic,
}

impl Language {
    /// All languages.
    pub const ALL: [Self; 4] = [Self::English, Self::French, Self::Spanish, Self::Arabic];

    /// The language's code (ISO 639-1).
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::French => "fr",
            Self::Spanish => "es",
            Self::Arabic => "ar",
        }
    }

    /// The language of this code, if the panel speaks it.
    #[must_use]
    pub fn of_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.code() == code)
    }

    pub(super) const fn strings(self) -> &'static Strings {
        match self {
            Self::English => &english::STRINGS,
            Self::French => &french::STRINGS,
            Self::Spanish => &spanish::STRINGS,
            Self::Arabic => &arabic::STRINGS,
        }
    }

    pub(super) const fn writing(self, numerals: Numerals) -> Writing {
        match self {
            Self::English | Self::French | Self::Spanish => Writing {
                direction: Direction::LeftToRight,
                arabic_digits: false,
            },
            Self::Arabic => Writing {
                direction: Direction::RightToLeft,
                arabic_digits: matches!(numerals, Numerals::Own),
            },
        }
    }

    pub(super) const fn next(self) -> Self {
        Self::ALL[(self as usize + 1) % Self::ALL.len()]
    }

    pub(super) const fn previous(self) -> Self {
        Self::ALL[(self as usize + Self::ALL.len() - 1) % Self::ALL.len()]
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
    /// The PIN is one that anybody would try.
    TooSimple,
    /// A wrong PIN, and how many more there are before a wait.
    WrongPin(u32),
    /// The group just typed can't be one of a recovery code.
    MistypedGroup,
    /// The recovery code opens nothing.
    WrongCode,
    /// Typed digits were forgotten because nobody went on typing.
    Cleared,
}

/// A question as it is put.
pub(super) struct Asked {
    pub(super) title: &'static str,
    pub(super) text: [String; 3],
    /// What the button for yes says.
    pub(super) yes: &'static str,
}

/// News as they are told.
pub(super) struct Told {
    pub(super) title: &'static str,
    pub(super) text: [&'static str; 4],
}

/// The texts of one language.
pub(super) struct Strings {
    pub(super) welcome: &'static str,
    /// The language's own name.
    pub(super) language_name: &'static str,
    pub(super) begin: &'static str,
    pub(super) setup_file: &'static str,
    /// The line of the mistake, if one is known.
    pub(super) setup_file_text: fn(Option<usize>) -> [String; 4],
    pub(super) several_setup_files: fn() -> [String; 4],
    pub(super) old_disk: &'static str,
    /// How much room it has.
    pub(super) old_disk_text: fn(u64) -> [String; 4],
    pub(super) import_file: &'static str,
    pub(super) import_file_text: fn(ImportFile) -> [String; 4],
    pub(super) go_on: &'static str,
    pub(super) choose_pin: &'static str,
    /// As many digits it has at least.
    pub(super) choose_pin_text: fn(usize) -> [String; 2],
    pub(super) repeat_pin: &'static str,
    pub(super) repeat_pin_text: [&'static str; 2],
    pub(super) setting_up: &'static str,
    pub(super) setting_up_text: &'static str,
    pub(super) explain_code: [&'static str; 4],
    pub(super) explain_code_hint: &'static str,
    pub(super) write_code: &'static str,
    pub(super) wrong_group: fn(usize) -> String,
    pub(super) write_code_hint: &'static str,
    pub(super) code_hidden_text: [&'static str; 2],
    pub(super) code_hidden_hint: &'static str,
    pub(super) check_code: &'static str,
    pub(super) check_code_text: fn(usize) -> [String; 2],
    pub(super) locked: &'static str,
    pub(super) locked_text: [&'static str; 2],
    pub(super) locked_use_code: [&'static str; 2],
    /// What holding a button does on a field that is not empty.
    pub(super) hold_deletes: &'static str,
    pub(super) wait: &'static str,
    pub(super) wait_text: &'static str,
    pub(super) wait_hold: &'static str,
    pub(super) wait_use_code: &'static str,
    pub(super) wait_hold_for_code: &'static str,
    pub(super) wait_leave: &'static str,
    pub(super) enter_code: &'static str,
    pub(super) enter_code_text: fn(u32) -> [String; 2],
    pub(super) unlocking: &'static str,
    pub(super) moment: &'static str,
    pub(super) checking: &'static str,
    pub(super) changing: &'static str,
    pub(super) locking: &'static str,
    pub(super) open: &'static str,
    pub(super) menu: &'static str,
    pub(super) no_network: &'static str,
    pub(super) no_network_text: [&'static str; 2],
    pub(super) no_network_to_pair: [&'static str; 4],
    pub(super) back: &'static str,
    pub(super) address_changed: &'static str,
    pub(super) address_before: fn(&str) -> String,
    pub(super) address_pair_again: &'static str,
    pub(super) address_by_router: fn(&str) -> [String; 2],
    pub(super) address_hide: [&'static str; 2],
    pub(super) phones_short: fn(&str) -> String,
    pub(super) need_help: fn(&str) -> String,
    pub(super) clock_good_short: &'static str,
    pub(super) clock_bad_short: &'static str,
    pub(super) clock_hand_short: &'static str,
    pub(super) disk_short: fn(u8) -> String,
    pub(super) status: &'static str,
    pub(super) phones_in_24_h: &'static str,
    pub(super) held: &'static str,
    pub(super) clock: &'static str,
    pub(super) clock_good: &'static str,
    pub(super) clock_bad: &'static str,
    pub(super) clock_hand: &'static str,
    pub(super) larger_disk: &'static str,
    pub(super) set_clock: &'static str,
    pub(super) set_clock_text: [&'static str; 2],
    pub(super) set_clock_next: &'static str,
    pub(super) set_clock_take: &'static str,
    pub(super) disk: &'static str,
    pub(super) disk_used: fn(u8) -> String,
    pub(super) weak_power: &'static str,
    pub(super) too_hot: &'static str,
    pub(super) disk_nearly_full: &'static str,
    pub(super) disk_get_help: &'static str,
    pub(super) disk_full: &'static str,
    pub(super) disk_full_text: [&'static str; 2],
    pub(super) disk_takes_nothing: &'static str,
    /// In at most 11 characters.
    pub(super) disk_beside: fn(u8) -> String,
    pub(super) about: &'static str,
    pub(super) version: &'static str,
    pub(super) fingerprint: &'static str,
    pub(super) menu_pair: &'static str,
    pub(super) menu_change_pin: &'static str,
    pub(super) menu_keys: &'static str,
    pub(super) keys: &'static str,
    /// In at most 17 characters: a mark comes after them.
    pub(super) key_names: [&'static str; 5],
    pub(super) key_texts: [[&'static str; 3]; 5],
    pub(super) key_no_box: [&'static str; 3],
    pub(super) key_use: &'static str,
    pub(super) key_remove: &'static str,
    pub(super) locked_needs_stick: [&'static str; 2],
    pub(super) locked_other_box: [&'static str; 2],
    pub(super) locked_no_box_key: [&'static str; 2],
    pub(super) locked_not_alone: [&'static str; 2],
    pub(super) menu_lock: &'static str,
    pub(super) menu_power_off: &'static str,
    pub(super) language: &'static str,
    pub(super) choose: &'static str,
    pub(super) phones: &'static str,
    pub(super) no_phones: [&'static str; 2],
    pub(super) phone: &'static str,
    pub(super) seen: fn(Ago) -> String,
    pub(super) phone_good: &'static str,
    pub(super) phone_stuck: &'static str,
    pub(super) phone_full: &'static str,
    pub(super) phone_ahead: [&'static str; 2],
    pub(super) phone_revoked: [&'static str; 2],
    pub(super) leave: &'static str,
    pub(super) revoke: &'static str,
    pub(super) revoke_title: &'static str,
    pub(super) revoke_text: &'static str,
    pub(super) present_pin: &'static str,
    pub(super) present_pin_text: [&'static str; 2],
    pub(super) staff: &'static str,
    pub(super) staff_title: &'static str,
    /// Who leaves, who is new, new passwords, other changes, and what else there is in the file.
    pub(super) staff_figures: [&'static str; 5],
    pub(super) staff_take: &'static str,
    pub(super) no_staff: &'static str,
    pub(super) no_staff_text: [&'static str; 2],
    pub(super) menu_new_code: &'static str,
    pub(super) menu_restart: &'static str,
    pub(super) restart: &'static str,
    pub(super) restart_text: [&'static str; 3],
    pub(super) restart_now: &'static str,
    pub(super) restarting: &'static str,
    pub(super) restarting_text: [&'static str; 2],
    pub(super) emergency: &'static str,
    /// In at most 16 characters, with 2 digits.
    pub(super) emergency_for: fn(u32) -> String,
    pub(super) emergency_left: &'static str,
    pub(super) emergency_logged: &'static str,
    pub(super) emergency_end: &'static str,
    pub(super) emergency_over: &'static str,
    pub(super) emergency_nobody: [&'static str; 2],
    pub(super) errand_at_work: &'static str,
    pub(super) errand_ended: fn(ErrandEnd) -> [String; 4],
    pub(super) pin_changed: &'static str,
    pub(super) pin_changed_text: [&'static str; 3],
    pub(super) pin_kept: &'static str,
    pub(super) pin_kept_text: [&'static str; 3],
    pub(super) power_off: &'static str,
    pub(super) power_off_text: [&'static str; 3],
    pub(super) power_off_now: &'static str,
    pub(super) off: &'static str,
    pub(super) off_text: [&'static str; 3],
    pub(super) unplug: &'static str,
    pub(super) unplug_text: [&'static str; 2],
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
    pub(super) news: fn(News) -> Told,
    pub(super) cloud: &'static str,
    pub(super) cloud_standing: fn(CloudStanding) -> [String; 2],
    pub(super) cloud_waiting: &'static str,
    pub(super) cloud_held: &'static str,
    pub(super) cloud_sync: &'static str,
    pub(super) back_button: &'static str,
    /// In at most 11 characters.
    pub(super) cloud_beside: fn(&str) -> String,
    pub(super) cloud_key_left: [&'static str; 4],
    pub(super) backup: &'static str,
    pub(super) backup_done: fn(Ago) -> String,
    pub(super) backup_none: &'static str,
    pub(super) backup_old: &'static str,
    pub(super) backup_failing: &'static str,
    /// How far another master key is in the place of the present one, percent.
    pub(super) keys_at_work: fn(u16) -> String,
    /// That waits for a new recovery code.
    pub(super) keys_need_code: &'static str,
    /// The same of new keys that there is no room for, and of those that could not be made.
    pub(super) keys_no_room: &'static str,
    pub(super) keys_failed: &'static str,
    pub(super) backup_standing: fn(BackupStanding) -> &'static str,
    pub(super) backup_now: &'static str,
    pub(super) backup_use: &'static str,
    pub(super) backup_stick: &'static str,
    /// Its name and its size in bytes.
    pub(super) backup_stick_text: fn(&str, u64) -> [String; 3],
    pub(super) backup_yes: &'static str,
    pub(super) usb: &'static str,
    pub(super) usb_standing: fn(&UsbStatus) -> [String; 2],
    pub(super) usb_start: &'static str,
    pub(super) usb_arrived: &'static str,
    pub(super) help: &'static str,
    pub(super) help_none: [&'static str; 2],
    /// In at most 12 characters.
    pub(super) help_kind: fn(RecordKind) -> &'static str,
    pub(super) help_reason: fn(HeldReason) -> &'static str,
    pub(super) help_try: &'static str,
    /// In at most 5 characters.
    pub(super) age: fn(Ago) -> String,
    pub(super) lock: &'static str,
    pub(super) lock_text: [&'static str; 3],
    pub(super) lock_now: &'static str,
    pub(super) cancel: &'static str,
    pub(super) formatting: &'static str,
    pub(super) formatting_text: &'static str,
    pub(super) moving: &'static str,
    pub(super) moving_text: &'static str,
    pub(super) repairing: &'static str,
    pub(super) restoring: &'static str,
    pub(super) question: fn(&Question) -> Asked,
    pub(super) no: &'static str,
    /// In at most 8 characters.
    pub(super) which_disk_card: &'static str,
    /// In at most 10 characters: a day stands beside it.
    pub(super) which_disk_used: &'static str,
    /// Its size, bytes.
    pub(super) disk_size: fn(u64) -> String,
    pub(super) which_disk_next: &'static str,
    pub(super) fault: &'static str,
    pub(super) delete_key: &'static str,
    pub(super) note: fn(Note) -> [String; 2],
    pub(super) fault_text: fn(&Fault) -> [String; 5],
}

impl Strings {
    /// What is the matter with the master key, beside an icon; nothing while another takes its place.
    pub(super) const fn key_trouble(&self, change: KeyChange) -> Option<&'static str> {
        match change {
            KeyChange::AtWork(_) => None,
            KeyChange::NeedsCode => Some(self.keys_need_code),
            KeyChange::NoRoom => Some(self.keys_no_room),
            KeyChange::Failed => Some(self.keys_failed),
        }
    }

    /// What is the matter with the backups, beside an icon.
    pub(super) const fn backup_trouble(&self, trouble: BackupTrouble) -> &'static str {
        match trouble {
            BackupTrouble::Failing => self.backup_failing,
            BackupTrouble::NeverMade => self.backup_none,
            BackupTrouble::Old => self.backup_old,
        }
    }
}
