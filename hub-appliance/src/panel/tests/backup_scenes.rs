//! The screens about backups, and what home says of the keys.

use super::*;

const OK: Button = Button::Ok;
const DOWN: Button = Button::Down;

fn with_backup(standing: BackupStanding, minutes_ago: Option<u32>, offered: Option<OfferedStick>) -> Phase {
    Phase::Open(OpenStatus {
        held_rows: Some(0),
        backup: BackupStatus {
            standing,
            minutes_ago,
            offered: offered.map(Box::new),
        },
        ..open()
    })
}

fn stick(bytes: u64) -> OfferedStick {
    OfferedStick {
        name: "SanDisk Ultra Fit 3.1 Mobile Gen".into(),
        bytes,
        token: 7,
    }
}

/// A hub whose master key becomes another one.
fn with_key_change(change: KeyChange) -> Phase {
    Phase::Open(OpenStatus {
        held_rows: Some(0),
        key_change: Some(change),
        ..open()
    })
}

/// A scene's name and how to get there.
pub(super) fn all(language: Language) -> Vec<(&'static str, Desk)> {
    let backup = |standing, minutes, offered| {
        let mut desk = Desk::speaking(language, with_backup(standing, minutes, offered));
        desk.open_from_menu(MenuEntry::Backup);
        desk
    };
    let old = Some(9 * 24 * 60);
    let mut asked = backup(BackupStanding::Away, None, Some(stick(31_914_983_424)));
    asked.press(&[OK, DOWN]);
    vec![
        ("backup-none", backup(BackupStanding::Away, None, None)),
        ("backup-offered", backup(BackupStanding::Away, None, Some(stick(1)))),
        ("backup-stick", asked),
        ("backup-following", backup(BackupStanding::Following, Some(0), None)),
        ("backup-minutes", backup(BackupStanding::Following, Some(3), None)),
        ("backup-copying", backup(BackupStanding::Copying(400), Some(120), None)),
        ("backup-full", backup(BackupStanding::Full, Some(1500), None)),
        ("backup-days-ago", backup(BackupStanding::Full, Some(2 * 24 * 60), None)),
        (
            "backup-months-ago",
            backup(BackupStanding::Full, Some(102 * 24 * 60), None),
        ),
        ("backup-failed", backup(BackupStanding::Failed, Some(u32::MAX), None)),
        ("backup-power", backup(BackupStanding::WeakPower, old, None)),
        ("backup-another", backup(BackupStanding::AnotherHubs, old, None)),
        ("status-backup-old", {
            let mut desk = Desk::speaking(language, with_backup(BackupStanding::Away, old, None));
            desk.open_from_menu(MenuEntry::Status);
            desk.wait(5);
            desk
        }),
        (
            "home-backup-old",
            Desk::speaking(language, with_backup(BackupStanding::Away, old, None)),
        ),
        (
            "home-keys",
            Desk::speaking(language, with_key_change(KeyChange::AtWork(400))),
        ),
        (
            "home-keys-code",
            Desk::speaking(language, with_key_change(KeyChange::NeedsCode)),
        ),
    ]
}

#[test]
fn a_stick_is_made_the_one_for_backups_only_where_the_person_saw_it() {
    let mut desk = Desk::new(with_backup(BackupStanding::Away, None, Some(stick(1))));
    desk.open_from_menu(MenuEntry::Backup);
    assert!(desk.press(&[OK, OK]).is_none(), "no is chosen");
    desk.press(&[OK, DOWN]);
    let other = OfferedStick { token: 8, ..stick(1) };
    desk.becomes(with_backup(BackupStanding::Away, None, Some(other)));
    assert!(desk.press(&[OK]).is_none(), "that is another stick");
    assert!(matches!(desk.press(&[DOWN, OK]), Some(Action::ChooseBackupStick(8))));
    desk.becomes(with_backup(BackupStanding::Following, Some(0), None));
    assert!(matches!(desk.press(&[OK]), Some(Action::BackUpNow)));
}

#[test]
fn the_status_says_that_the_backup_is_old_in_turn_with_the_date() {
    let week = 7 * 24 * 60;
    let mut desk = Desk::new(with_backup(BackupStanding::Away, Some(week), None));
    desk.open_from_menu(MenuEntry::Status);
    assert!(desk.says("2026-11-27") && !desk.says("Backup is old"));
    let next = desk.panel.next_wake(desk.now);
    assert!(next.is_some_and(|next| next <= Duration::from_secs(5)), "{next:?}");
    desk.wait(5);
    assert!(desk.says("Backup is old") && !desk.says("2026-11-27"));
    desk.becomes(with_backup(BackupStanding::Following, Some(week - 1), None));
    assert!(desk.says("2026-11-27") && !desk.says("Backup is old"));
    desk.becomes(with_backup(BackupStanding::Away, None, None));
    assert!(desk.says("No backup yet"));
}
