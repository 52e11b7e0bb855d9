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
            is_failing: matches!(standing, BackupStanding::Full | BackupStanding::Failed),
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
        ("backup-unreadable", backup(BackupStanding::Unreadable, old, None)),
        (
            "restore",
            Desk::speaking(
                language,
                Phase::Asking(Question::Restore {
                    made_at: 1_795_741_503_000,
                }),
            ),
        ),
        ("other-key", {
            let asked = OpenStatus {
                other_organisation: Some("fn9aqmca".into()),
                ..open()
            };
            Desk::speaking(language, Phase::Open(asked))
        }),
        ("restore-code", Desk::speaking(language, Phase::RestoreCode)),
        (
            "restoring",
            Desk::speaking(language, Phase::RestoringBackup { permille: 400 }),
        ),
        ("error-backup", {
            let file = Some("keyslots.json".into());
            Desk::speaking(language, Phase::Fault(Fault::Backup { file }))
        }),
        (
            "error-backup-stick",
            Desk::speaking(language, Phase::Fault(Fault::Backup { file: None })),
        ),
        ("status-backup-old", {
            let mut desk = Desk::speaking(language, with_backup(BackupStanding::Away, old, None));
            desk.open_from_menu(MenuEntry::Status);
            desk.wait(5);
            desk
        }),
        ("status-backup-stopped", {
            let mut desk = Desk::speaking(language, with_backup(BackupStanding::Full, Some(3), None));
            desk.open_from_menu(MenuEntry::Status);
            desk.wait(5);
            desk
        }),
        (
            "home-backup-stopped",
            Desk::speaking(language, with_backup(BackupStanding::Failed, Some(3), None)),
        ),
        (
            "home-backup-old",
            Desk::speaking(language, with_backup(BackupStanding::Away, old, None)),
        ),
        (
            "home-keys",
            Desk::speaking(language, with_key_change(KeyChange::AtWork(400))),
        ),
        (
            "home-keys-room",
            Desk::speaking(language, with_key_change(KeyChange::NoRoom)),
        ),
        ("status-keys-failed", {
            let mut desk = Desk::speaking(language, with_key_change(KeyChange::Failed));
            desk.open_from_menu(MenuEntry::Status);
            desk.wait(5);
            desk
        }),
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
    let action = desk.press(&[DOWN, OK]);
    assert!(
        matches!(action, Some(Action::BeginErrand(Errand::BackupStick(8)))),
        "{action:?}"
    );
    desk.becomes(errand_scenes::ask_for(Errand::BackupStick(8), 0, 3));
    assert!(desk.screen() == "ask-pin" && desk.says("Backup"));
    desk.becomes(errand_scenes::on_errand(
        Errand::BackupStick(8),
        ErrandStep::Ended(ErrandEnd::BackupStick),
    ));
    assert!(desk.says("Leave it"));
    assert!(matches!(desk.press(&[OK]), Some(Action::EndErrand)));
    desk.becomes(with_backup(BackupStanding::Following, Some(0), None));
    assert_eq!(desk.screen(), "home");
    desk.open_from_menu(MenuEntry::Backup);
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
    desk.becomes(with_backup(BackupStanding::Full, Some(1), None));
    assert!(desk.says("Backup has stopped"), "however young the last one is");
}

#[test]
fn a_backup_is_restored_after_the_language_by_the_code_of_its_day() {
    let question = Question::Restore {
        made_at: 1_795_741_503_000,
    };
    let asks = || Phase::Asking(question.clone());
    let mut desk = Desk::new(set_up());
    assert!(matches!(
        desk.press(&[OK]),
        Some(Action::SetLanguage(Language::English))
    ));
    desk.becomes(asks());
    assert!(desk.screen() == "restore" && desk.says("2026-11-27 01:05 UTC"));
    assert!(
        matches!(desk.press(&[OK]), Some(Action::Answer(asked, false)) if asked == question),
        "no is chosen"
    );
    desk.becomes(set_up());
    assert!(
        desk.screen() == "setup-way" && desk.says("PIN alone"),
        "a new hub: the language was chosen"
    );

    desk.becomes(asks());
    assert!(matches!(desk.press(&[DOWN, OK]), Some(Action::Answer(_, true))));
    desk.becomes(Phase::RestoreCode);
    assert_eq!(desk.screen(), "recovery");
    assert!(matches!(desk.hold_ok(), Some(Action::LeaveRestore)));
    desk.becomes(asks());
    desk.press(&[DOWN, OK]);
    desk.becomes(Phase::RestoreCode);
    let action = desk.enter(&"000011".repeat(8));
    assert!(matches!(action, Some(Action::UnlockWithRecovery { .. })));
    desk.becomes(Phase::Unlocking);
    desk.becomes(Phase::RestoreCode);
    assert!(desk.screen() == "recovery" && desk.says("That code is wrong"));
    desk.enter(&"000022".repeat(8));
    desk.becomes(Phase::Unlocking);
    desk.becomes(Phase::Renewing);
    assert!(desk.says("Choose 8 to 12"));
    desk.enter("28471936");
    assert!(matches!(desk.enter("28471936"), Some(Action::RenewPin { .. })));
    desk.becomes(confirming());
    assert!(desk.says("It opens the hub"));
    desk.becomes(Phase::RestoringBackup { permille: 10 });
    assert_eq!(desk.screen(), "restoring");
    desk.becomes(told(News::Restored));
    assert!(desk.screen() == "news" && desk.says("Never switch the old"));
}
