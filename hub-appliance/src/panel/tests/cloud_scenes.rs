//! The screens about the cloud.

use super::*;

const OK: Button = Button::Ok;
const DOWN: Button = Button::Down;

/// Every standing that has no figure.
pub(super) const CLOUD_STANDINGS: [CloudStanding; 10] = [
    CloudStanding::NeverSetUp,
    CloudStanding::NoNetwork,
    CloudStanding::Waiting,
    CloudStanding::Receiving,
    CloudStanding::Refused,
    CloudStanding::Inactive,
    CloudStanding::NoClinic,
    CloudStanding::NoClock,
    CloudStanding::Failed,
    CloudStanding::Settings,
];

fn with_cloud(standing: CloudStanding, waiting: u32, held: u32) -> OpenStatus {
    OpenStatus {
        cloud: CloudStatus {
            standing,
            waiting,
            held,
        },
        ..open()
    }
}

/// A scene's name and how to get there.
pub(super) fn all(language: Language) -> Vec<(&'static str, Desk)> {
    let cloud = |standing, waiting, held| {
        let mut desk = Desk::speaking(language, Phase::Open(with_cloud(standing, waiting, held)));
        desk.press(&[OK, DOWN, DOWN, DOWN, OK]);
        desk
    };
    let mut key_left = Desk::speaking(language, locked(0, 0, 4));
    key_left.enter("12345678");
    key_left.becomes(Phase::Unlocking);
    key_left.status.notice = Some(Notice::CloudKeyLeft);
    key_left.becomes(Phase::Open(open()));
    let other = OpenStatus {
        other_cloud: Some("another-cloud.example.org".into()),
        ..with_cloud(CloudStanding::Done(3), 0, 0)
    };
    let withdrawn = OpenStatus {
        withdrawn: Some(WithdrawnClinic {
            name: "Clinic by the river North".into(),
            patients: 1200,
        }),
        ..with_cloud(CloudStanding::Done(3), 0, 0)
    };
    let names = [
        "cloud-never",
        "cloud-no-network",
        "cloud-waiting",
        "cloud-receiving",
        "cloud-refused",
        "cloud-inactive",
        "cloud-no-clinic",
        "cloud-no-clock",
        "cloud-failed",
        "cloud-settings",
    ];
    let mut all: Vec<_> = names
        .into_iter()
        .zip(CLOUD_STANDINGS.map(|standing| cloud(standing, 1200, 3)))
        .collect();
    all.extend([
        ("cloud-done", cloud(CloudStanding::Done(3), 12, 0)),
        (
            "cloud-done-long-ago",
            cloud(CloudStanding::Done(u32::MAX), u32::MAX, u32::MAX),
        ),
        ("cloud-done-now", cloud(CloudStanding::Done(0), 0, 0)),
        ("cloud-done-hours", cloud(CloudStanding::Done(120), 0, 0)),
        ("cloud-sending", cloud(CloudStanding::Sending(1200, 6000), 4800, 3)),
        (
            "cloud-sending-most",
            cloud(CloudStanding::Sending(u32::MAX, u32::MAX), u32::MAX, u32::MAX),
        ),
        (
            "home-cloud",
            Desk::speaking(language, Phase::Open(with_cloud(CloudStanding::Done(3), 12, 4))),
        ),
        (
            "home-cloud-most",
            Desk::speaking(
                language,
                Phase::Open(with_cloud(CloudStanding::Failed, u32::MAX, u32::MAX)),
            ),
        ),
        ("notice-cloud-key", key_left),
        ("other-cloud", Desk::speaking(language, Phase::Open(other))),
        ("withdrawn-clinic", Desk::speaking(language, Phase::Open(withdrawn))),
    ]);
    all
}
