//! What follows from what was found: which disk it is, and what a person may be asked for.

use std::path::PathBuf;

use super::find::{Disk, Found, Room, Scheme, Spared, Stage};
use super::{DiskState, Offer, PLACES, Place};

/// More offers than a person is asked about.
const MAX_OFFERS: usize = 4;
/// Why a disk is spared, the worst first.
const WORST_FIRST: [DiskState; 5] = [
    DiskState::Damaged,
    DiskState::WriteProtected,
    DiskState::Unreadable,
    DiskState::Moved,
    DiskState::Remains,
];

/// What is made the data disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// All of a disk.
    Whole(PathBuf),
    /// The rest of the system's card.
    Rest(Room),
    /// Partitions that were made before.
    Begun(Disk),
}

/// The data disk, if there is one. Of several none is unless a person chose it, and none is beside a disk that may have been
/// one. Where the chosen one is not there, no other takes its place by itself: its records may be older, or another hub's.
pub(super) fn data_disk(found: &Found) -> Result<Option<&Disk>, DiskState> {
    let candidates = candidates(found);
    match (&found.chosen, candidates.as_slice()) {
        (_, []) => Ok(None),
        (Some(chosen), all) => match all.iter().filter(|disk| chosen.is(disk)).collect::<Vec<_>>().as_slice() {
            [disk] => Ok(Some(disk)),
            _ => Err(DiskState::Several),
        },
        (None, [disk]) if !is_beside_another(found) => Ok(Some(disk)),
        (None, _) => Err(DiskState::Several),
    }
}

/// The disks among which a person may choose: those that were opened once. Beside one that may have been such a disk, and
/// can't be used as it is, nobody is asked.
pub(super) fn rivals(found: &Found) -> Vec<&Disk> {
    let mut all = candidates(found);
    if data_disk(found) != Err(DiskState::Several) || is_beside_another(found) {
        all.clear();
    }
    all.retain(|disk| disk.stage == Stage::Finished);
    all
}

/// Those that have come furthest.
fn candidates(found: &Found) -> Vec<&Disk> {
    let furthest = found.ours.iter().map(|disk| disk.stage).max();
    let is_one = |disk: &&Disk| disk.stage != Stage::Begun && Some(disk.stage) == furthest;
    found.ours.iter().filter(is_one).collect()
}

fn is_beside_another(found: &Found) -> bool {
    let is_another =
        |spared: &Spared| matches!(spared.why, DiskState::Damaged | DiskState::WriteProtected) && !spared.is_system;
    found.spared.iter().any(is_another)
}

/// How it is where there is no data disk. What may hold records is told of before anything new is asked for; but the
/// system's own card can't be taken out, and stands in nobody's way while the records on it are not at risk.
pub(super) fn without_data_disk(found: &Found) -> DiskState {
    let worst = |can_wait: bool| {
        let is_so = |spared: &&Spared| can_wait_for(spared) == can_wait;
        let whys: Vec<_> = found.spared.iter().filter(is_so).map(|spared| spared.why).collect();
        WORST_FIRST.into_iter().find(|why| whys.contains(why))
    };
    worst(false)
        .or_else(|| match offered(found).first() {
            Some((offer, Target::Rest(_))) if offer.place == Place::Card => Some(DiskState::Foreign),
            Some((offer, _)) if offer.place == Place::Disk => Some(DiskState::Foreign),
            Some(_) => Some(DiskState::Blank),
            None => None,
        })
        .or_else(|| worst(true))
        .unwrap_or(DiskState::Missing)
}

fn can_wait_for(spared: &Spared) -> bool {
    spared.is_system && spared.why != DiskState::Damaged
}

/// What a person may be asked for, and what is made the data disk then. Where there is a new disk, or one that was begun,
/// nothing else is asked for.
pub(super) fn offered(found: &Found) -> Vec<(Offer, Target)> {
    let begun = found.ours.iter().filter(|disk| disk.stage == Stage::Begun).map(begun);
    let blank = found.blank.iter().map(|disk| {
        let offer = offer(Place::New, &disk.name, &disk.device, disk.bytes, disk.sequence);
        (offer, Target::Whole(disk.device.clone()))
    });
    let mut offered: Vec<_> = begun.chain(blank).collect();
    if offered.is_empty() {
        let foreign = found.foreign.iter().map(|disk| {
            let offer = offer(Place::Disk, &disk.name, &disk.device, disk.bytes, disk.sequence);
            (offer, Target::Whole(disk.device.clone()))
        });
        offered = foreign.chain(found.room.iter().map(rest)).collect();
    }
    offered.truncate(MAX_OFFERS);
    offered
}

/// The disk whose records a hub asks about by itself when it starts: that of an old card, or one from which a move was begun.
pub(super) fn movable(found: &Found) -> Option<(&Disk, Offer, Target)> {
    let (original, to) = moves(found)?;
    let (offer, target) = to.into_iter().next()?;
    let is_asked_about = original.is_old_card() || matches!(target, Target::Begun(_));
    is_asked_about.then_some((original, offer, target))
}

/// How much room there is on a disk that can be taken out: its records were moved to the data disk, or to one before that.
pub(super) fn left_behind(found: &Found) -> Option<u64> {
    let is_left = |spared: &&Spared| spared.why == DiskState::Moved && !spared.is_system;
    found.spared.iter().find(is_left).map(|spared| spared.bytes)
}

/// The disk whose records can be moved, and where they can go, the most natural first.
pub(super) fn moves(found: &Found) -> Option<(&Disk, Vec<(Offer, Target)>)> {
    let original = data_disk(found).ok()?.filter(|disk| disk.stage == Stage::Finished)?;
    let copy = found.ours.iter().find(|disk| disk.stage != Stage::Finished);
    let to = match (copy, found.blank.as_slice(), &found.room) {
        // A copy that was begun is gone on with.
        (Some(disk), ..) => vec![(begun(disk).0, Target::Begun(disk.clone()))],
        (None, ..) if !original.is_old_card() => other_disks(found),
        (None, [_], _) => offered(found).into_iter().take(1).collect(),
        (None, [], Some(room)) => vec![rest(room)],
        _ => return None,
    };
    Some((original, to))
}

/// Disks that none of ours is on: those with nothing on them come first.
fn other_disks(found: &Found) -> Vec<(Offer, Target)> {
    let with = |place: Place| {
        move |disk: &super::list::Listed| {
            let offer = offer(place, &disk.name, &disk.device, disk.bytes, disk.sequence);
            (offer, Target::Whole(disk.device.clone()))
        }
    };
    let blank = found.blank.iter().map(with(Place::New));
    let mut all: Vec<_> = blank.chain(found.foreign.iter().map(with(Place::Disk))).collect();
    all.truncate(MAX_OFFERS);
    all
}

fn begun(disk: &Disk) -> (Offer, Target) {
    match disk.scheme {
        Scheme::Gpt => (
            offer(Place::New, &disk.name, &disk.device, disk.bytes, disk.sequence),
            Target::Whole(disk.device.clone()),
        ),
        Scheme::Mbr => (
            offer(Place::Card, "", &disk.device, disk.room, disk.sequence),
            Target::Begun(disk.clone()),
        ),
    }
}

fn rest(room: &Room) -> (Offer, Target) {
    (
        offer(Place::Card, "", &room.device, room.bytes, room.sequence),
        Target::Rest(room.clone()),
    )
}

/// The token holds only for as long as the disk is what it was when a person was asked.
fn offer(place: Place, name: &str, device: &std::path::Path, bytes: u64, sequence: u64) -> Offer {
    let device = device.file_name().unwrap_or_default().to_string_lossy();
    Offer {
        place,
        name: match (place, name) {
            (Place::Card, _) => String::new(),
            (_, "") => device.into_owned(),
            (_, name) => name.to_owned(),
        },
        bytes,
        token: sequence.wrapping_mul(PLACES) | place as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::super::list::Listed;
    use super::*;

    fn disk(name: &str, stage: Stage, scheme: Scheme) -> Disk {
        Disk {
            device: format!("/dev/{name}").into(),
            name: "Stick".to_owned(),
            sequence: 5,
            scheme,
            keys: (format!("/dev/{name}3").into(), 3),
            records: (format!("/dev/{name}4").into(), 4),
            stage,
            is_on_system: name == "card",
            bytes: 32 << 30,
            room: 31 << 30,
            uuid: Some(format!("uuid-of-{name}")),
        }
    }

    fn listed(name: &str) -> Listed {
        Listed {
            device: format!("/dev/{name}").into(),
            name: String::new(),
            bytes: 4 << 30,
            sequence: 9,
            is_read_only: false,
            is_held: false,
            partitions: Vec::new(),
        }
    }

    fn room() -> Room {
        Room {
            device: "/dev/card".into(),
            sequence: 2,
            start: 1 << 20,
            bytes: 29 << 30,
        }
    }

    fn ours(disks: &[Disk]) -> Found {
        Found {
            ours: disks.to_vec(),
            ..Found::default()
        }
    }

    fn spared(why: DiskState, is_system: bool) -> Vec<Spared> {
        let bytes = 16 << 30;
        vec![Spared { why, is_system, bytes }]
    }

    fn places(found: &Found) -> Vec<Place> {
        offered(found).iter().map(|(offer, _)| offer.place).collect()
    }

    #[test]
    fn what_has_come_furthest_is_the_data_disk_and_of_two_none_is() {
        let [finished, keyed, begun] =
            [Stage::Finished, Stage::Keyed, Stage::Begun].map(|stage| disk("sda", stage, Scheme::Gpt));
        let all = ours(&[begun.clone(), keyed.clone(), finished.clone()]);
        assert_eq!(data_disk(&all), Ok(Some(&finished)));
        assert_eq!(data_disk(&ours(&[begun.clone(), keyed.clone()])), Ok(Some(&keyed)));
        assert_eq!(data_disk(&ours(&[begun])), Ok(None));
        assert_eq!(data_disk(&ours(&[finished.clone(), finished])), Err(DiskState::Several));
        assert_eq!(data_disk(&ours(&[keyed.clone(), keyed])), Err(DiskState::Several));
    }

    #[test]
    fn a_disk_that_was_moved_from_can_come_out_and_the_card_it_runs_from_can_not() {
        for (why, is_system, left) in [
            (DiskState::Moved, false, Some(16 << 30)),
            (DiskState::Moved, true, None),
            (DiskState::Unreadable, false, None),
        ] {
            let found = Found {
                spared: spared(why, is_system),
                ..Found::default()
            };
            assert_eq!(left_behind(&found), left, "{why}");
        }
    }

    #[test]
    fn of_several_the_chosen_one_is_the_data_disk_and_where_it_is_not_there_none_is() {
        use super::super::find::Chosen;

        let (mut a, b) = (
            disk("sda", Stage::Finished, Scheme::Gpt),
            disk("card", Stage::Finished, Scheme::Mbr),
        );
        a.sequence = 6;
        let found = |disks: &[&Disk], chosen| Found {
            ours: disks.iter().map(|disk| (*disk).clone()).collect(),
            chosen,
            ..Found::default()
        };
        let both = found(&[&a, &b], None);
        assert_eq!(rivals(&both), [&a, &b]);
        for chosen in [Chosen::Now(6), Chosen::Before("uuid-of-sda".into())] {
            let of_both = found(&[&a, &b], Some(chosen.clone()));
            assert_eq!(data_disk(&of_both), Ok(Some(&a)));
            assert!(rivals(&of_both).is_empty());
            let other = found(&[&b], Some(chosen.clone()));
            assert_eq!(data_disk(&other), Err(DiskState::Several));
            assert_eq!(rivals(&other), [&b], "a person is asked about it");
            assert_eq!(data_disk(&found(&[], Some(chosen))), Ok(None));
        }
        // Copied as a whole: only who saw both can tell.
        let copy = Disk {
            sequence: 7,
            ..a.clone()
        };
        let before = Some(Chosen::Before("uuid-of-sda".into()));
        assert_eq!(data_disk(&found(&[&a, &copy], before)), Err(DiskState::Several));
        assert_eq!(data_disk(&found(&[&a, &copy], Some(Chosen::Now(7)))), Ok(Some(&copy)));

        let keyed = disk("sdb", Stage::Keyed, Scheme::Gpt);
        assert!(rivals(&found(&[&keyed, &keyed], None)).is_empty());
        let beside = Found {
            spared: spared(DiskState::Damaged, false),
            ..both
        };
        assert!(rivals(&beside).is_empty());
    }

    #[test]
    fn beside_what_may_be_the_right_one_no_disk_is_opened() {
        let with = |why, is_system| Found {
            spared: spared(why, is_system),
            ..ours(&[disk("sda", Stage::Finished, Scheme::Gpt)])
        };
        for why in [DiskState::Damaged, DiskState::WriteProtected] {
            assert_eq!(data_disk(&with(why, false)), Err(DiskState::Several));
            assert!(data_disk(&with(why, true)).is_ok());
        }
        for why in [DiskState::Unreadable, DiskState::Moved] {
            assert!(data_disk(&with(why, false)).is_ok());
        }
    }

    #[test]
    fn nothing_new_is_asked_for_before_what_may_hold_records_is_told_of() {
        let beside = |why, is_system| {
            without_data_disk(&Found {
                blank: vec![listed("sdb")],
                foreign: vec![listed("sdc")],
                spared: spared(why, is_system),
                ..Found::default()
            })
        };
        for why in [
            DiskState::Damaged,
            DiskState::WriteProtected,
            DiskState::Unreadable,
            DiskState::Moved,
        ] {
            assert_eq!(beside(why, false), why);
        }
        assert_eq!(beside(DiskState::Damaged, true), DiskState::Damaged);
        for why in [DiskState::Moved, DiskState::Remains, DiskState::Unreadable] {
            assert_eq!(beside(why, true), DiskState::Blank, "the card can't be taken out");
            let alone = Found {
                spared: spared(why, true),
                ..Found::default()
            };
            assert_eq!(without_data_disk(&alone), why);
        }
        assert_eq!(without_data_disk(&Found::default()), DiskState::Missing);
    }

    #[test]
    fn nothing_else_is_asked_for_where_there_is_a_new_disk_or_one_that_was_begun() {
        let mut found = Found {
            foreign: vec![listed("sdc")],
            room: Some(room()),
            ..Found::default()
        };
        assert_eq!(without_data_disk(&found), DiskState::Foreign);
        assert_eq!(places(&found), [Place::Disk, Place::Card]);
        found.blank = vec![listed("sdb")];
        assert_eq!(without_data_disk(&found), DiskState::Blank);
        assert_eq!(places(&found), [Place::New]);
        found.blank.clear();
        for (scheme, place, bytes) in [
            (Scheme::Gpt, Place::New, 32 << 30),
            (Scheme::Mbr, Place::Card, 31_u64 << 30),
        ] {
            found.ours = vec![disk("card", Stage::Begun, scheme)];
            assert_eq!(without_data_disk(&found), DiskState::Blank);
            assert_eq!(places(&found), [place]);
            assert_eq!(offered(&found)[0].0.bytes, bytes);
        }
    }

    #[test]
    fn what_was_allowed_is_one_disk_as_it_was() {
        let blank = Found {
            blank: vec![listed("sdb")],
            ..Found::default()
        };
        let used = Found {
            foreign: vec![listed("sdb")],
            ..Found::default()
        };
        let [new, other] = [blank, used].map(|found| offered(&found).remove(0).0);
        assert_eq!((new.name.as_str(), new.bytes), ("sdb", 4 << 30));
        assert_ne!(new.token, other.token, "something came to be on it");
        assert_eq!((new.disk(), other.disk()), (9, 9));
    }

    #[test]
    fn an_old_cards_records_go_to_their_copy_or_to_what_is_free() {
        let old = disk("sda", Stage::Finished, Scheme::Mbr);
        let place = |found: &Found| movable(found).map(|(_, offer, target)| (offer.place, target));
        let found = Found {
            room: Some(room()),
            ..ours(std::slice::from_ref(&old))
        };
        assert_eq!(place(&found), Some((Place::Card, Target::Rest(room()))));
        let found = Found {
            blank: vec![listed("sdb")],
            ..found
        };
        assert_eq!(place(&found), Some((Place::New, Target::Whole("/dev/sdb".into()))));
        for stage in [Stage::Begun, Stage::Keyed] {
            let copy = disk("sdb", stage, Scheme::Gpt);
            let found = ours(&[old.clone(), copy.clone()]);
            assert_eq!(place(&found), Some((Place::New, Target::Begun(copy))));
        }
        let two = Found {
            blank: vec![listed("sdb"), listed("sdc")],
            ..ours(&[old])
        };
        assert_eq!(place(&two), None);
        assert_eq!(place(&ours(&[disk("card", Stage::Finished, Scheme::Mbr)])), None);
    }

    #[test]
    fn a_disks_records_go_where_a_person_says_and_only_what_was_begun_is_asked_about_by_itself() {
        for original in [
            disk("sda", Stage::Finished, Scheme::Gpt),
            disk("card", Stage::Finished, Scheme::Mbr),
        ] {
            let found = Found {
                blank: vec![listed("sdc")],
                foreign: vec![listed("sdb")],
                ..ours(std::slice::from_ref(&original))
            };
            let (from, to) = moves(&found).unwrap();
            assert_eq!(from, &original);
            let to: Vec<_> = to.iter().map(|(offer, _)| (offer.place, offer.name.as_str())).collect();
            assert_eq!(to, [(Place::New, "sdc"), (Place::Disk, "sdb")]);
            assert_eq!(movable(&found), None);
            for stage in [Stage::Begun, Stage::Keyed] {
                let copy = disk("sdb", stage, Scheme::Gpt);
                let found = Found {
                    blank: vec![listed("sdc")],
                    ..ours(&[original.clone(), copy.clone()])
                };
                let (from, _, target) = movable(&found).unwrap();
                assert_eq!((from, target), (&original, Target::Begun(copy)));
            }
        }
        // One that was never opened holds no records.
        assert_eq!(moves(&ours(&[disk("sda", Stage::Keyed, Scheme::Gpt)])), None);
    }
}
