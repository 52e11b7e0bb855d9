//! The panel's texts in English.

use super::super::names::of_person;
use super::super::text::{date, printable, size};
use super::super::view::{
    BackupStanding, CloudStanding, ErrandEnd, Fault, HeldReason, ImportFile, News, Obstacle, Question, RecordKind,
    Unlocking, UsbStanding, UsbStatus, UsbTrouble,
};
use super::{Ago, Asked, IMPORT_FILE, Note, SETUP_FILE, Strings, Told};

pub(super) static STRINGS: Strings = Strings {
    welcome: "Welcome",
    language_name: "English",
    begin: "begin",
    setup_file: "Setup file",
    setup_file_text: |line| {
        let what = line.map_or_else(
            || "used: can't be read.".into(),
            |line| format!("used. See line {line}."),
        );
        [
            "hub-setup.toml is not".into(),
            what,
            "Correct it and start".into(),
            "the hub again.".into(),
        ]
    },
    several_setup_files: || several(SETUP_FILE),
    old_disk: "Records have moved",
    old_disk_text: |bytes| {
        [
            format!("Take out the {}", size(bytes, UNITS)),
            "disk. Its old copy is".into(),
            "locked; a computer".into(),
            "can erase the disk.".into(),
        ]
    },
    import_file: "Clinic's records",
    import_file_text: |file| {
        let mistake = |what: String| {
            [
                "clinic.json not used.".into(),
                what,
                "Correct it and start".into(),
                "the hub again.".into(),
            ]
        };
        match file {
            ImportFile::Mistake { line: Some(line) } => mistake(format!("See line {line}.")),
            ImportFile::Mistake { line: None } => mistake("It can't be read.".into()),
            ImportFile::StillThere => [
                "clinic.json is still".into(),
                "on the card, readable".into(),
                "by anyone. Delete it".into(),
                "with a computer.".into(),
            ],
            ImportFile::Several => several(IMPORT_FILE),
            ImportFile::SameEmail { names: [one, other] } => [
                "One e-mail for two:".into(),
                of_person(&one),
                of_person(&other),
                "Give each their own.".into(),
            ],
        }
    },
    go_on: "go on",
    choose_pin: "New PIN",
    choose_pin_text: |fewest| [format!("Choose {fewest} to 12 digits"), "that only staff know".into()],
    repeat_pin: "PIN again",
    repeat_pin_text: ["Type the same PIN", "once more"],
    setting_up: "Setting up",
    setting_up_text: "Making the keys",
    explain_code: [
        "It opens the hub when",
        "the PIN is lost. Take",
        "paper, write it down,",
        "keep it locked away.",
    ],
    explain_code_hint: "show it",
    write_code: "Recovery code",
    wrong_group: |group| format!("Group {group} differs"),
    write_code_hint: "I wrote it down",
    code_hidden_text: ["Hidden: no button for", "15 minutes"],
    code_hidden_hint: "show it again",
    check_code: "Check code",
    check_code_text: |group| ["From your paper,".into(), format!("type group {group}")],
    locked: "Locked",
    locked_text: ["Type the PIN", "PIN lost? Hold OK"],
    locked_use_code: ["Type the PIN, or hold", "OK for recovery code"],
    hold_deletes: "Hold OK: delete",
    wait: "Wait",
    wait_text: "Too many wrong PINs",
    wait_hold: "PIN lost? Hold OK",
    wait_use_code: "Use the recovery code",
    wait_hold_for_code: "Hold OK to type it",
    wait_leave: "Hold OK to leave",
    enter_code: "Recovery code",
    enter_code_text: |group| [format!("Type group {group} of 8"), "Back: group before".into()],
    unlocking: "Opening",
    moment: "A moment, please",
    checking: "Checking PIN",
    changing: "Saving PIN",
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
    address_pair_again: "Pair the phones again",
    address_by_router: |before| ["Or have the router".into(), format!("give {before}")],
    address_hide: ["All phones get on?", "Hold OK: hide this"],
    phones_short: |count| format!("24 h: {count}"),
    need_help: |count| match count {
        "1" => "1 needs help".into(),
        _ => format!("{count} need help"),
    },
    clock_good_short: "Clock is right",
    clock_hand_short: "Clock set by hand",
    clock_bad_short: "Clock is not set",
    disk_short: |percent| {
        if percent < 100 {
            format!("{percent}% full")
        } else {
            "full".into()
        }
    },
    status: "Status",
    phones_in_24_h: "Phones in 24 h",
    held: "Need help",
    clock: "Clock",
    clock_good: "network/chip",
    clock_hand: "by hand",
    larger_disk: "Larger disk",
    set_clock: "Set the clock",
    set_clock_text: ["Up or down changes it", "It is UTC, world time"],
    set_clock_next: "next",
    set_clock_take: "set it",
    clock_bad: "not set",
    disk: "Disk",
    disk_used: |percent| format!("{percent}% full"),
    weak_power: "Weak power supply",
    too_hot: "Hub is too hot",
    disk_nearly_full: "Disk nearly full",
    disk_get_help: "Get a larger one soon",
    disk_full: "Disk full",
    disk_full_text: ["New work stays on the", "phones. Get help now"],
    disk_takes_nothing: "Takes no new records",
    disk_beside: |percent| {
        if percent < 100 {
            format!("Disk {percent}%")
        } else {
            "Disk full".into()
        }
    },
    about: "About",
    version: "Version",
    fingerprint: "Hub key",
    menu_pair: "Pair a phone",
    menu_change_pin: "Change PIN",
    menu_keys: "Keys",
    keys: "Ways to unlock",
    key_names: [
        "PIN alone",
        "PIN and stick",
        "Stick alone",
        "PIN and this box",
        "This box alone",
    ],
    key_texts: [
        ["Who steals the box", "has to know the PIN.", ""],
        ["Who steals the box", "needs both. Keep the", "stick away from it."],
        ["Opens at the start.", "Who takes both can", "read all records."],
        ["Opens by the PIN, in", "this box only. A disk", "taken out stays shut."],
        ["Opens by itself. Safe", "is only a disk taken", "without its box."],
    ],
    key_no_box: ["This box has no key", "of its own that the", "hub can use."],
    key_use: "Use it",
    key_remove: "Remove",
    locked_needs_stick: ["Put the key stick in,", "then type the PIN"],
    locked_other_box: ["Disk of another box:", "hold OK for the code"],
    locked_no_box_key: ["No key in this box:", "hold OK for the code"],
    locked_not_alone: ["Disk of another box:", "type the PIN"],
    menu_lock: "Lock now",
    menu_power_off: "Switch off",
    language: "Language",
    choose: "choose",
    phones: "Phones",
    no_phones: ["No phone is paired.", "Pair one in the menu"],
    phone: "Phone",
    seen: |ago| match ago {
        Ago::Now => "Seen just now".into(),
        Ago::Minutes(minutes) => format!("Seen {minutes} min ago"),
        Ago::Hours(hours) => format!("Seen {hours} h ago"),
        Ago::Days(1) => "Seen 1 day ago".into(),
        Ago::Days(days) => format!("Seen {days} days ago"),
    },
    phone_good: "May use this hub",
    phone_stuck: "Stuck: restart app",
    phone_full: "Sent too much: report",
    phone_ahead: ["Has more than the hub", "Upload all: app 1.5"],
    phone_revoked: ["Revoked: the hub", "refuses this phone"],
    leave: "Back",
    revoke: "Revoke",
    revoke_title: "Revoke phone?",
    revoke_text: "Shut out for good",
    present_pin: "Current PIN",
    present_pin_text: ["First type the PIN", "that opens the hub"],
    staff: "Staff",
    staff_title: "Change the staff?",
    staff_figures: ["Leave", "New users", "New passwords", "Other changes", "Other records"],
    staff_take: "Take in",
    no_staff: "No staff yet",
    no_staff_text: ["Nobody can log in:", "see Staff in the menu"],
    menu_new_code: "New recovery code",
    menu_restart: "Restart",
    restart: "Restart the hub?",
    restart_text: ["Phones can't work", "with it until it is", "unlocked here."],
    restart_now: "Restart",
    restarting: "Restarting",
    restarting_text: ["In a minute it can be", "unlocked here."],
    emergency: "Emergency access",
    emergency_for: |minutes| format!("Emergency {minutes} min"),
    emergency_left: "Time left",
    emergency_logged: "Each read is logged",
    emergency_end: "End",
    emergency_over: "Emergency over",
    emergency_nobody: ["Nobody read a record", "by emergency access."],
    errand_at_work: "At work",
    errand_ended,
    pin_changed: "PIN changed",
    pin_changed_text: ["Only the new PIN", "opens the hub now.", "Tell the others."],
    pin_kept: "PIN not changed",
    pin_kept_text: ["The old PIN is still", "the one that opens", "the hub. Try again."],
    power_off: "Switch off?",
    power_off_text: ["The hub locks. Phones", "can't work with it", "until it is on again."],
    power_off_now: "Off",
    off: "Switching off",
    off_text: ["Don't unplug it yet:", "wait until it says so", "here."],
    unplug: "Unplug now",
    unplug_text: ["The records are safe.", "This screen goes dark"],
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
    news,
    cloud: "Cloud",
    cloud_standing: |standing| match standing {
        CloudStanding::NeverSetUp => ["Not set up. See".into(), "[cloud] in the manual".into()],
        CloudStanding::NoNetwork => ["Waiting for the".into(), "network".into()],
        CloudStanding::Waiting => ["Waiting for the".into(), "next run".into()],
        CloudStanding::Done(minutes) => [done(Ago::of_minutes(minutes)), String::new()],
        CloudStanding::Receiving => ["Receiving".into(), String::new()],
        CloudStanding::Sending(sent, total) => [format!("Sent {sent}"), format!("of {total}")],
        CloudStanding::Refused => ["Refused:".into(), "ask for a new key".into()],
        CloudStanding::Inactive => ["Stopped by your".into(), "organisation".into()],
        CloudStanding::NoClinic => ["No clinic assigned:".into(), "ask your organisation".into()],
        CloudStanding::NoClock => ["Clock not set".into(), String::new()],
        CloudStanding::Failed => ["Did not work. The hub".into(), "tries again by itself".into()],
        CloudStanding::Settings => ["[cloud] is wrong. Get".into(), "technical help".into()],
    },
    cloud_waiting: "Still to send",
    cloud_held: "Need help",
    cloud_sync: "Sync now",
    back_button: "Back",
    cloud_beside: |count| format!("{count} to send"),
    cloud_key_left: [
        "The key to the cloud",
        "is still on the card.",
        "Delete it there with",
        "a computer.",
    ],
    backup: "Backup",
    backup_done: done,
    backup_none: "No backup yet",
    backup_old: "Backup is old",
    backup_failing: "Backup has stopped",
    keys_at_work: |percent| format!("New keys: {percent} %"),
    keys_need_code: "New code needed",
    keys_no_room: "No room for keys",
    keys_failed: "Keys not changed",
    backup_standing: |standing| match standing {
        BackupStanding::Away => "Backup stick is out",
        BackupStanding::Following => "Stick is up to date",
        BackupStanding::Copying(_) => "Copying the records",
        BackupStanding::Full => "The stick is full",
        BackupStanding::Failed => "Failed, tries again",
        BackupStanding::WeakPower => "Waits: weak power",
        BackupStanding::AnotherHubs => "Another hub's stick",
        BackupStanding::Unreadable => "P41 Stick unreadable",
    },
    backup_now: "Now",
    backup_use: "Use stick",
    backup_stick: "Backup stick?",
    backup_stick_text: |name, bytes| {
        [
            printable(name, 21),
            format!("{}: nothing on", size(bytes, UNITS)),
            "it is deleted".into(),
        ]
    },
    backup_yes: "Yes",
    usb: "USB",
    usb_standing,
    usb_start: "Start",
    usb_arrived: "Arrived",
    help: "Need help",
    help_none: ["Nothing waits for", "somebody's help"],
    help_kind,
    help_reason,
    help_try: "Try again",
    age,
    lock: "Lock the hub?",
    lock_text: ["Phones can't work", "with it until it is", "unlocked here."],
    lock_now: "Lock",
    cancel: "Cancel",
    formatting: "Making the disk",
    formatting_text: "Don't switch it off",
    moving: "Moving the records",
    moving_text: "It may take an hour",
    repairing: "Repairing the disk",
    restoring: "Restoring",
    question,
    no: "No",
    which_disk_card: "SD card",
    which_disk_used: "Last used",
    disk_size: |bytes| size(bytes, UNITS),
    which_disk_next: "Next",
    fault: "Problem",
    delete_key: "Delete",
    note: note_text,
    fault_text,
};

fn note_text(note: Note) -> [String; 2] {
    match note {
        Note::TooShort(min) => [format!("{min} digits or more,"), "please type on".into()],
        Note::TooLong(max) => ["Too many: it has".into(), format!("at most {max} digits")],
        Note::Mismatch => ["The PINs differ.".into(), "Choose the PIN again".into()],
        Note::TooSimple => ["Too easy to guess.".into(), "Choose another PIN".into()],
        Note::WrongPin(1) => ["Wrong PIN. 1 more try".into(), "before a wait".into()],
        Note::WrongPin(tries) => ["Wrong PIN. Tries".into(), format!("before a wait: {}", tries.min(99))],
        Note::MistypedGroup => ["Mistyped. Type this".into(), "group once more".into()],
        Note::WrongCode => ["That code is wrong.".into(), "Start with group 1".into()],
        Note::Cleared => ["Digits cleared: no".into(), "button for a while".into()],
    }
}

fn errand_ended(end: ErrandEnd) -> [String; 4] {
    match end {
        ErrandEnd::StaffTaken => [
            "The staff are as in",
            "the file. The file is",
            "gone: those who leave",
            "are logged out.",
        ]
        .map(String::from),
        ErrandEnd::StaffFileLeft => [
            "Taken in. The file is",
            "still there, readable",
            "by anyone. Delete it",
            "with a computer.",
        ]
        .map(String::from),
        ErrandEnd::NoStaffFile => [
            "No clinic.json found.",
            "Put it on a stick or",
            "on the memory card,",
            "then try again.",
        ]
        .map(String::from),
        ErrandEnd::StaffUnchanged => {
            ["There is nothing new", "in clinic.json.", "Nothing was changed.", ""].map(String::from)
        }
        ErrandEnd::StaffOfCloud => [
            "Your organisation",
            "keeps the staff in",
            "the cloud. Ask it to",
            "change them there.",
        ]
        .map(String::from),
        ErrandEnd::CodeRenewed => ["Only the new code is", "good. Tear up the old", "paper.", ""].map(String::from),
        ErrandEnd::Unlocking(Unlocking::Pin) => {
            ["The PIN alone opens", "the hub now, without", "a stick.", ""].map(String::from)
        }
        ErrandEnd::Unlocking(Unlocking::PinAndStick) => [
            "PIN and stick open",
            "the hub now. Taking",
            "the stick out locks",
            "the hub.",
        ]
        .map(String::from),
        ErrandEnd::Unlocking(Unlocking::Stick) => [
            "The stick opens the",
            "hub at the start.",
            "Taking it out locks",
            "the hub.",
        ]
        .map(String::from),
        ErrandEnd::Unlocking(Unlocking::NoStick) => [
            "The stick alone does",
            "not open the hub any",
            "more. The PIN does.",
            "",
        ]
        .map(String::from),
        ErrandEnd::Unlocking(Unlocking::PinAndBox) => [
            "PIN and this box open",
            "the hub now. In any",
            "other box only the",
            "recovery code does.",
        ]
        .map(String::from),
        ErrandEnd::Unlocking(Unlocking::Box) => {
            ["The hub opens by", "itself at the start,", "in this box only.", ""].map(String::from)
        }
        ErrandEnd::Unlocking(Unlocking::NoBox) => {
            ["The box alone does", "not open the hub any", "more. The PIN does.", ""].map(String::from)
        }
        ErrandEnd::BoxFailed => [
            "The box's own key",
            "does not answer as it",
            "should. Use another",
            "way to unlock.",
        ]
        .map(String::from),
        ErrandEnd::NoStick => [
            "There is no stick",
            "with a key or with",
            "room for one. Put it",
            "in and try again.",
        ]
        .map(String::from),
        ErrandEnd::SeveralSticks => {
            ["More than one stick", "is in. Leave one,", "then try again.", ""].map(String::from)
        }
        ErrandEnd::OtherKeyFile => [
            "The stick has a file",
            "hub.key that is no",
            "key. Take another",
            "stick.",
        ]
        .map(String::from),
        ErrandEnd::StickFailed => {
            ["The stick could not", "be read or written.", "Try another one.", ""].map(String::from)
        }
        ErrandEnd::PinTooShort => [
            "A PIN alone needs 8",
            "digits or more. First",
            "choose a longer one:",
            "menu, Change PIN.",
        ]
        .map(String::from),
        ErrandEnd::EmergencyOpen => [
            "For 30 minutes staff",
            "may read all records",
            "online. Each read is",
            "logged with the name.",
        ]
        .map(String::from),
        ErrandEnd::NoLargerDisk => [
            "There is no other",
            "disk with room. Plug",
            "one in, wait a bit,",
            "then try again.",
        ]
        .map(String::from),
        ErrandEnd::ClockSet => {
            ["The clock is set. If", "the hub is switched", "off, set it again.", ""].map(String::from)
        }
        ErrandEnd::ClockKnown => [
            "The hub knows the",
            "time from the network",
            "or from its own chip.",
            "Nothing is to be set.",
        ]
        .map(String::from),
        ErrandEnd::ClockBack => [
            "The hub has seen that",
            "time: its clock is",
            "only set forward. It",
            "was not changed.",
        ]
        .map(String::from),
        ErrandEnd::BackupStick => [
            "The hub backs up to",
            "this stick. Leave it",
            "in. Keep the paper",
            "with the code apart.",
        ]
        .map(String::from),
        ErrandEnd::Failed => [
            "It did not work.",
            "All is as it was. Try",
            "again, or call for",
            "technical help.",
        ]
        .map(String::from),
        ErrandEnd::SeveralStaffFiles => {
            ["Two files are called", "clinic.json. Leave", "one, then try again.", ""].map(String::from)
        }
        ErrandEnd::StaffMistake { line } => [
            "clinic.json not used.".into(),
            line.map_or_else(|| "It can't be read.".into(), |line| format!("See line {line}.")),
            "Nothing was changed.".into(),
            String::new(),
        ],
        ErrandEnd::SameEmail { names: [one, other] } => [
            "One e-mail for two:".into(),
            of_person(&one),
            of_person(&other),
            "Give each their own.".into(),
        ],
    }
}

fn news(news: News) -> Told {
    let (title, text) = match news {
        News::NotPaired(Obstacle::TooManyPhones) => (
            "Phone not paired",
            [
                "The hub knows 256",
                "phones, the most it",
                "can. Call for",
                "technical help",
            ],
        ),
        News::NotPaired(Obstacle::DiskFull) => (
            "Phone not paired",
            ["The data disk is", "full. Call for", "technical help", ""],
        ),
        News::NotPaired(Obstacle::NotWritten) => (
            "Phone not paired",
            [
                "It could not be",
                "saved. Scan again; if",
                "it fails again, call",
                "for help",
            ],
        ),
        News::RefusedForNow(Obstacle::DiskFull) => (
            "Data disk is full",
            [
                "The phone is refused",
                "only until the hub",
                "locks. After that,",
                "revoke it again",
            ],
        ),
        News::RefusedForNow(_) => (
            "Could not be saved",
            [
                "The phone is refused",
                "only until the hub",
                "locks. After that,",
                "revoke it again",
            ],
        ),
        News::PairingEnded => (
            "Pairing has ended",
            [
                "It was open for 15",
                "minutes. For another",
                "phone, open it again",
                "in the menu",
            ],
        ),
        News::Repaired => (
            "Disk repaired",
            [
                "Records may be lost.",
                "Erase nothing on the",
                "phones, and call for",
                "technical help",
            ],
        ),
        News::Damaged => (
            "Damaged records",
            [
                "Some can't be read.",
                "Erase nothing on the",
                "phones, and call for",
                "technical help",
            ],
        ),
        News::SomeLeft => (
            "Still need help",
            [
                "Some can't be taken.",
                "Nothing is lost. Ask",
                "who sets the rights,",
                "or technical help",
            ],
        ),
        News::AllTaken => ("All taken", ["Nothing waits for", "help any more", "", ""]),
        News::Restored => (
            "Backup restored",
            [
                "Never switch the old",
                "hub on again. Phones",
                "marked ! have newer",
                "records: see Phones.",
            ],
        ),
        News::NoRoomForKeys => (
            "Disk is too full",
            [
                "There is no room for",
                "new keys: an old PIN",
                "may open a copy. See",
                "menu, Larger disk",
            ],
        ),
        News::KeysNotChanged => (
            "Keys not changed",
            [
                "New keys were not",
                "made: an old PIN may",
                "open a copy. Tried",
                "again; or call help",
            ],
        ),
        News::NotTakenOver => (
            "Could not change",
            [
                "It stays as it was:",
                "cloud, office or key.",
                "Switch off and on. If",
                "it stays: call help",
            ],
        ),
        News::LogBroken => (
            "Access log broken",
            [
                "The list of who did",
                "what isn't whole. Go",
                "on working, and call",
                "for technical help",
            ],
        ),
    };
    Told { title, text }
}

const UNITS: [&str; 3] = ["MB", "GB", "TB"];

fn done(ago: Ago) -> String {
    match ago {
        Ago::Now => "Done just now".into(),
        Ago::Minutes(minutes) => format!("Done {minutes} min ago"),
        Ago::Hours(hours) => format!("Done {hours} h ago"),
        Ago::Days(days) => format!("Done {days} d ago"),
    }
}

fn usb_standing(usb: &UsbStatus) -> [String; 2] {
    match usb.standing {
        UsbStanding::NeverSetUp => ["Not set up. See".into(), "[courier] in manual".into()],
        UsbStanding::Idle => ["Stick in, then Start".into(), printable(&usb.fingerprint, 21)],
        UsbStanding::Taking => ["Reading the answer".into(), "Leave the stick in".into()],
        UsbStanding::Packing(rows) => [format!("Writing: {}", rows.min(999_999)), "Leave the stick in".into()],
        UsbStanding::Done { number, rows, .. } => [
            format!("No. {}: {} rows", number.min(9999), rows.min(99_999)),
            "Take the stick out".into(),
        ],
        UsbStanding::Trouble(trouble) => usb_trouble(trouble),
    }
}

fn usb_trouble(trouble: UsbTrouble) -> [String; 2] {
    let code = trouble.code();
    match trouble {
        UsbTrouble::NoStick => ["No stick is in:".into(), "put it in, Start".into()],
        UsbTrouble::SeveralSticks => ["More than one stick:".into(), "leave only one in".into()],
        UsbTrouble::StickFailed => [format!("{code} Stick can't"), "be read or written".into()],
        UsbTrouble::StickFull => [format!("{code} The stick is"), "full: empty it".into()],
        UsbTrouble::AnswerDamaged => [format!("{code} Answer damaged:"), "ask for a new one".into()],
        UsbTrouble::OtherOffice => [format!("{code} Answer is of an"), "unknown office".into()],
        UsbTrouble::AnotherHub => [format!("{code} Answer is for"), "another clinic".into()],
        UsbTrouble::Gap => [format!("{code} One before it is"), "missing: send it back".into()],
        UsbTrouble::OtherCloud => [format!("{code} Answer is from"), "another cloud".into()],
        UsbTrouble::Failed => [format!("{code} It failed: try"), "again or call help".into()],
    }
}

fn question(question: &Question) -> Asked {
    match question {
        Question::NewDisk { name, bytes } => Asked {
            title: "New disk",
            text: [
                printable(name, 21),
                format!("{}, empty. Keep", size(*bytes, UNITS)),
                "the records on it?".into(),
            ],
            yes: "Yes",
        },
        Question::EraseDisk { name, bytes } => Asked {
            title: "Erase this disk?",
            text: [
                printable(name, 21),
                format!("{}, not empty:", size(*bytes, UNITS)),
                "All on it is lost".into(),
            ],
            yes: "Erase",
        },
        Question::DiskAway => Asked {
            title: "Plug in the disk",
            text: [
                "The disk with the".into(),
                "records is missing.".into(),
                "Go on without it?".into(),
            ],
            yes: "Yes",
        },
        Question::BeginAnew => Asked {
            title: "New, empty hub?",
            text: [
                "Phones and records of".into(),
                "the old one are not".into(),
                "in it.".into(),
            ],
            yes: "Begin",
        },
        // The rest of it is drawn from figures.
        Question::WhichDisk(_) => Asked {
            title: "Which disk?",
            text: Default::default(),
            yes: "Use it",
        },
        Question::UseCard { bytes } => Asked {
            title: "No data disk",
            text: [
                "Keep the records on".into(),
                "the memory card?".into(),
                format!("Free there: {}", size(*bytes, UNITS)),
            ],
            yes: "Yes",
        },
        Question::MoveData { bytes } => Asked {
            title: "Move the records?",
            text: [
                "An old card is in the".into(),
                "reader. Move what is".into(),
                format!("on it ({}) here?", size(*bytes, UNITS)),
            ],
            yes: "Move",
        },
        Question::LargerDisk => Asked {
            title: "Larger disk?",
            text: ["The records move to", "another disk. Phones", "wait, up to an hour."].map(String::from),
            yes: "Move",
        },
        Question::GoOnMoving => Asked {
            title: "Go on moving?",
            text: ["Moving the records to", "the other disk was", "cut short."].map(String::from),
            yes: "Go on",
        },
        Question::Repair => Asked {
            title: "Repair the disk?",
            text: [
                "To repair it may lose".into(),
                "records. If there is".into(),
                "help, call it first".into(),
            ],
            yes: "Repair",
        },
        Question::OtherCloud { host } => Asked {
            title: "Another cloud?",
            text: [
                "The records will go".into(),
                format!("to {},", printable(host, 17)),
                "if you say yes.".into(),
            ],
            yes: "Yes",
        },
        Question::OtherOffice { ending } => Asked {
            title: "Another office?",
            text: [
                "USB sticks will go to".into(),
                format!("office ...{}", printable(ending, 8)),
                "if you say yes.".into(),
            ],
            yes: "Yes",
        },
        Question::BoxKey { again: false } => Asked {
            title: "Key for the box?",
            text: ["The box gets a key of", "its own, for ever. It", "can't be undone."].map(String::from),
            yes: "Yes",
        },
        Question::BoxKey { again: true } => Asked {
            title: "Really for ever?",
            text: ["The key stays in this", "box, with any disk or", "card, and can't go."].map(String::from),
            yes: "Write",
        },
        Question::NewBox => Asked {
            title: "Another box",
            text: ["The disk was another", "box's. Shall this box", "open it from now on?"].map(String::from),
            yes: "Yes",
        },
        Question::Withdrawn { clinic, patients } => Asked {
            title: "Delete a clinic?",
            text: [
                "No longer this hub's:".into(),
                printable(clinic, 21),
                format!("Patients: {patients}"),
            ],
            yes: "Delete",
        },
        Question::OtherOrganisation { ending } => Asked {
            title: "Another key?",
            text: [
                "Backups will open by".into(),
                format!("the key ...{}", printable(ending, 8)),
                "from now on.".into(),
            ],
            yes: "Yes",
        },
        Question::Restore { made_at } => Asked {
            title: "Restore a backup?",
            text: [date(*made_at), "Needed: the recovery".into(), "code of that day".into()],
            yes: "Yes",
        },
        Question::PutBack { firmware } => Asked {
            title: "Update failed",
            text: [
                "The records did not".into(),
                "open. Put back those".into(),
                format!("of version {}?", printable(firmware, 9)),
            ],
            yes: "Put back",
        },
    }
}

fn fault_text(fault: &Fault) -> [String; 5] {
    match fault {
        Fault::Keys => [
            "The keys on the data",
            "disk can't be read.",
            "",
            "Don't erase it: call",
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
            let newer = || "a newer version".into();
            let version = needs
                .as_ref()
                .map_or_else(newer, |needs| format!("version {}", printable(needs, 12)));
            return [
                "The records need".into(),
                version,
                String::new(),
                "Put in the card with".into(),
                "that version".into(),
            ];
        }
        Fault::WasPutBack { needs } => {
            return [
                "The records are back".into(),
                "as they were.".into(),
                String::new(),
                "Put in the card with".into(),
                format!("version {}", printable(needs, 12)),
            ];
        }
        Fault::Backup { file } => {
            return [
                "The backup can't be".into(),
                file.as_ref()
                    .map_or_else(|| "read.".into(), |file| format!("read: {}", printable(file, 14))),
                String::new(),
                "Switch off and on.".into(),
                "Take an older one".into(),
            ];
        }
        Fault::Disk => [
            "The data disk can't",
            "be written.",
            "",
            "Check that it is in,",
            "then switch on again",
        ],
        Fault::Damaged => [
            "Data disk is damaged,",
            "nothing was changed.",
            "",
            "Don't erase it: call",
            "for technical help",
        ],
        Fault::Unreadable => [
            "A disk is plugged in",
            "but can't be read.",
            "",
            "Plug it in again. If",
            "it stays: call help",
        ],
        Fault::WriteProtected => [
            "The data disk or card",
            "has its lock on.",
            "",
            "Take it out, unlock",
            "it, put it back in",
        ],
        Fault::Moved => [
            "The records of this",
            "card were moved away.",
            "",
            "Plug in the disk or",
            "card they are on now",
        ],
        Fault::OldRecords => [
            "Old records are still",
            "on this card.",
            "",
            "Plug in the data disk",
            "or call for help",
        ],
        Fault::DiskFull => [
            "The data disk is full",
            "to the last byte.",
            "",
            "Nothing is lost: call",
            "for technical help",
        ],
        Fault::DiskFailed => [
            "The data disk fails.",
            "Erase no phone.",
            "",
            "Switch off and on. If",
            "it stays: call help",
        ],
        Fault::NoRoomToUpdate => [
            "The data disk is too",
            "full for this update.",
            "",
            "Put the old card back",
            "in: it works as ever",
        ],
        Fault::NoRoom => [
            "There is too little",
            "room for the records.",
            "",
            "Use a larger card or",
            "disk",
        ],
        Fault::NotMoved => [
            "The records could not",
            "be moved.",
            "",
            "They are where they",
            "were: try again",
        ],
        Fault::NoDisk => [
            "No data disk is",
            "plugged in.",
            "",
            "Plug it in: the hub",
            "goes on by itself",
        ],
        Fault::FakeDisk => [
            "This disk is a fake:",
            "it loses what is",
            "written to it.",
            "Pull it out and use",
            "another one",
        ],
        Fault::SeveralDisks => [
            "More than one data",
            "disk is plugged in.",
            "",
            "Leave the right one,",
            "take the others out",
        ],
        Fault::DiskKept => [
            "The disk is kept as",
            "it is.",
            "",
            "Plug in an empty one,",
            "or switch off and on",
        ],
        Fault::DiskGone => [
            "The data disk was",
            "pulled out.",
            "",
            "Plug it in again. The",
            "hub is locked",
        ],
        Fault::CardGone => [
            "The SD card was",
            "pulled out.",
            "",
            "Put it back, switch",
            "the hub off and on",
        ],
        Fault::WeakPower => [
            "The power supply is",
            "weak, or the box hot.",
            "Nothing was changed.",
            "Mend that, then",
            "switch off and on",
        ],
        Fault::WrongBoard => [
            "This card is for",
            "another kind of box.",
            "",
            "Switch off. Put in",
            "this box's own card",
        ],
        Fault::Port => [
            "Phones can't reach",
            "the hub at all.",
            "",
            "Switch the hub off",
            "and on again",
        ],
        Fault::Restarts => [
            "The hub failed too",
            "often and stays shut.",
            "",
            "Wait 10 minutes, then",
            "the PIN; or call help",
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

/// That there is more than one file of a name.
fn several(name: &str) -> [String; 4] {
    [
        "Two files are called".into(),
        format!("{name}. Leave"),
        "one and start the".into(),
        "hub again.".into(),
    ]
}

const fn help_kind(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::Patient => "Patient",
        RecordKind::Visit => "Visit",
        RecordKind::Form => "Form",
        RecordKind::Vitals => "Vital signs",
        RecordKind::Problem => "Diagnosis",
        RecordKind::Appointment => "Appointment",
        RecordKind::Prescription => "Prescription",
        RecordKind::Dispensed => "Handed out",
        RecordKind::Other => "Record",
    }
}

const fn help_reason(reason: HeldReason) -> &'static str {
    match reason {
        HeldReason::NoRight => "User has no right",
        HeldReason::BelongsToNothing => "Its patient is gone",
        HeldReason::Unreadable => "Hub can't read it",
    }
}

fn age(ago: Ago) -> String {
    match ago {
        Ago::Now => "now".into(),
        Ago::Minutes(minutes) => format!("{minutes} min"),
        Ago::Hours(hours) => format!("{hours} h"),
        Ago::Days(days) => format!("{days} d"),
    }
}
