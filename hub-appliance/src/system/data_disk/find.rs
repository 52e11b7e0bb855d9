//! Which disk holds the data, and which could.
//!
//! A data disk is known by its partition table, never by the name of its device. Each of its two partitions needs a name
//! and a type that go together:
//!
//! | table | partition | name | type | while it is unfinished |
//! |---|---|---|---|---|
//! | GPT, a disk of its own | any | `HUBKEYS` in the table | Linux file system | `HUBKEYS-NEW` |
//! | | any | `HUBDATA` in the table | LUKS | `HUBDATA-NEW` |
//! | MBR, the rest of a card | 3 | label `HUBKEYS` | `83` | type `da` |
//! | | 4 | label `HUBDATA` | `e8` | type `da` |
//!
//! Unfinished is a disk until it was opened once: one that has no keys was cut short while it was formatted.

use std::path::{Path, PathBuf};

use super::list::{Listed, MIN_BYTES};

/// Name of the partition for the keys.
pub(super) const KEYS: &str = "HUBKEYS";
/// Name of the partition for the records.
pub(super) const RECORDS: &str = "HUBDATA";
/// What follows these names in a GPT until the disk was opened once.
pub(super) const UNFINISHED: &str = "-NEW";
/// GPT types: Linux file system, and LUKS of the Discoverable Partitions Specification.
pub(super) const GPT_KEYS: &str = "0fc63daf-8483-4772-8e79-3d69d8477de4";
/// See [`GPT_KEYS`].
pub(super) const GPT_RECORDS: &str = "ca7d7ccb-63ed-4c53-861c-1742536059cc";
/// MBR types: Linux, Linux LUKS, and data of no file system.
pub(super) const MBR_KEYS: &str = "83";
/// See [`MBR_KEYS`].
pub(super) const MBR_RECORDS: &str = "e8";
/// See [`MBR_KEYS`].
pub(super) const MBR_UNFINISHED: &str = "da";
/// What was moved from a card to somewhere else: an experimental type, so that nothing ever takes it for a data disk.
pub(super) const MBR_MOVED: &str = "7f";
/// Numbers of the partitions on a card; the two before are the system's.
pub(super) const CARD_NUMBERS: [u32; 2] = [3, 4];
/// New partitions begin at a multiple of this, which is the erase block of most cards.
const ALIGN: u64 = 4 * 1024 * 1024;

/// What kind of partition table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Gpt,
    Mbr,
}

/// What a partition table says of a partition, and what its content calls itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Probe {
    scheme: Option<Scheme>,
    name: Option<String>,
    kind: Option<String>,
    label: Option<String>,
}

impl Probe {
    /// Reads what `blkid --probe --output export` says of a partition.
    pub(super) fn parse(export: &str) -> Self {
        let mut probe = Self::default();
        for (key, value) in export.lines().filter_map(|line| line.split_once('=')) {
            let text = || Some(value.to_owned());
            match key {
                "PART_ENTRY_SCHEME" => {
                    probe.scheme = match value {
                        "gpt" => Some(Scheme::Gpt),
                        "dos" => Some(Scheme::Mbr),
                        _ => None,
                    }
                }
                "PART_ENTRY_NAME" => probe.name = text(),
                "PART_ENTRY_TYPE" => probe.kind = Some(value.trim_start_matches("0x").to_ascii_lowercase()),
                "LABEL" => probe.label = text(),
                _ => {}
            }
        }
        probe
    }

    /// What the partition of this number is for, and whether it is finished.
    fn role(&self, number: u32) -> Option<(Role, bool)> {
        let is = |field: &Option<String>, text: &str| field.as_deref() == Some(text);
        let roles = [
            (Role::Keys, KEYS, GPT_KEYS, MBR_KEYS, CARD_NUMBERS[0]),
            (Role::Records, RECORDS, GPT_RECORDS, MBR_RECORDS, CARD_NUMBERS[1]),
        ];
        roles.into_iter().find_map(|(role, name, gpt, mbr, on_card)| {
            let finished = match self.scheme? {
                Scheme::Gpt if !is(&self.kind, gpt) => return None,
                Scheme::Gpt if is(&self.name, name) => true,
                Scheme::Gpt => return is(&self.name, &format!("{name}{UNFINISHED}")).then_some((role, false)),
                Scheme::Mbr if number != on_card => return None,
                Scheme::Mbr if is(&self.kind, MBR_UNFINISHED) => false,
                Scheme::Mbr => return (is(&self.kind, mbr) && is(&self.label, name)).then_some((role, true)),
            };
            Some((role, finished))
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Keys,
    Records,
}

/// A disk with the partitions of a data disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Disk {
    /// Its device, `/dev/sda` for example.
    pub(super) device: PathBuf,
    /// Its partition table.
    pub(super) scheme: Scheme,
    /// The partition for the keys, and its number.
    pub(super) keys: (PathBuf, u32),
    /// The partition for the records, and its number.
    pub(super) records: (PathBuf, u32),
    /// Whether it was opened once since it was formatted.
    pub(super) is_finished: bool,
    /// Whether it is the rest of the card that the system runs from.
    pub(super) is_on_system: bool,
    /// The size of all of it.
    pub(super) bytes: u64,
}

/// What is free behind the system on its card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Room {
    /// The card's device.
    pub(super) device: PathBuf,
    /// The kernel's number for the card.
    pub(super) sequence: u64,
    /// Where the room begins.
    pub(super) start: u64,
    /// How much it is.
    pub(super) bytes: u64,
}

/// What is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Data disks.
    pub(super) ours: Vec<Disk>,
    /// Disks without partitions. What they hold otherwise is for a closer look.
    pub(super) bare: Vec<Listed>,
    /// Disks with other partitions, none of them in use by the system.
    pub(super) foreign: Vec<Listed>,
    /// The rest of the card that the system runs from.
    pub(super) room: Option<Room>,
}

/// Looks through `disks`; `probe` tells of a partition by its device.
pub(super) fn find(disks: Vec<Listed>, probe: impl Fn(&Path) -> Probe) -> Found {
    let mut found = Found::default();
    for disk in disks {
        if disk.partitions.is_empty() {
            if !disk.is_held {
                found.bare.push(disk);
            }
        } else if let Some(disk) = data_disk(&disk, &probe) {
            found.ours.push(disk);
        } else if disk.partitions.iter().any(|partition| partition.is_held) {
            // What is held, and is no data disk, is the card that the system itself runs from.
            found.room = found.room.or_else(|| room(&disk));
        } else {
            found.foreign.push(disk);
        }
    }
    found
}

fn data_disk(disk: &Listed, probe: impl Fn(&Path) -> Probe) -> Option<Disk> {
    let roles: Vec<_> = disk
        .partitions
        .iter()
        .filter_map(|partition| {
            let probe = probe(&partition.device);
            let (role, is_finished) = probe.role(partition.number)?;
            Some((role, is_finished, partition, probe.scheme?))
        })
        .collect();
    let only = |wanted: Role| {
        let mut of_role = roles.iter().filter(|(role, ..)| *role == wanted);
        let first = of_role.next()?;
        // Two of one name are no disk of ours.
        of_role.next().is_none().then_some(first)
    };
    let ((_, keys_finished, keys, scheme), (_, records_finished, records, _)) =
        (only(Role::Keys)?, only(Role::Records)?);
    let is_on_system = disk
        .partitions
        .iter()
        .any(|partition| partition.is_held && ![keys.number, records.number].contains(&partition.number));
    Some(Disk {
        is_on_system,
        bytes: disk.bytes,
        device: disk.device.clone(),
        scheme: *scheme,
        keys: (keys.device.clone(), keys.number),
        records: (records.device.clone(), records.number),
        is_finished: *keys_finished && *records_finished,
    })
}

/// The room on the system's card, which has to have its two partitions and no more.
fn room(card: &Listed) -> Option<Room> {
    let numbers: Vec<u32> = card.partitions.iter().map(|partition| partition.number).collect();
    let used = card.partitions.iter().map(|partition| partition.end).max()?;
    let start = used.next_multiple_of(ALIGN);
    let bytes = card.bytes.checked_sub(start)?;
    (numbers == [1, 2] && bytes >= MIN_BYTES).then(|| Room {
        device: card.device.clone(),
        sequence: card.sequence,
        start,
        bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::super::list::Partition;
    use super::*;

    const GIB: u64 = 1 << 30;

    fn disk(name: &str, partitions: u32) -> Listed {
        let device = Path::new("/dev").join(name);
        let partitions = (1..=partitions).map(|number| Partition {
            device: format!("/dev/{name}{number}").into(),
            number,
            end: u64::from(number) * (40 << 20),
            is_held: false,
        });
        Listed {
            device,
            name: name.to_uppercase(),
            bytes: GIB,
            sequence: 1,
            is_held: false,
            partitions: partitions.collect(),
        }
    }

    fn card(partitions: u32) -> Listed {
        let mut card = disk("mmcblk0p", partitions);
        card.partitions[1].is_held = true;
        card
    }

    fn gpt(name: &str, kind: &str) -> String {
        format!("PART_ENTRY_SCHEME=gpt\nPART_ENTRY_NAME={name}\nPART_ENTRY_TYPE={kind}\n")
    }

    fn mbr(kind: &str, label: &str) -> String {
        format!("LABEL={label}\nPART_ENTRY_SCHEME=dos\nPART_ENTRY_TYPE=0x{kind}\n")
    }

    fn look(disks: &[Listed], probes: &[(&str, String)]) -> Found {
        find(disks.to_vec(), |device| {
            let known = probes.iter().find(|(name, _)| device == Path::new("/dev").join(name));
            known.map_or(Probe::default(), |(_, export)| Probe::parse(export))
        })
    }

    #[test]
    fn a_data_disk_is_known_by_names_and_types() {
        let probes = [
            ("sda1", gpt("HUBKEYS", GPT_KEYS)),
            ("sda2", gpt("HUBDATA", &GPT_RECORDS.to_uppercase())),
            ("sdb1", gpt("HUBKEYS-NEW", GPT_KEYS)),
            ("sdb2", gpt("HUBDATA-NEW", GPT_RECORDS)),
            ("sdc1", gpt("HUBKEYS", GPT_RECORDS)),
            ("sdc2", gpt("HUBDATA", GPT_RECORDS)),
        ];
        let found = look(&[disk("sda", 2), disk("sdb", 2), disk("sdc", 2)], &probes);
        let seen: Vec<_> = found
            .ours
            .iter()
            .map(|disk| (disk.device.to_str().unwrap(), disk.is_finished))
            .collect();
        assert_eq!(seen, [("/dev/sda", true), ("/dev/sdb", false)]);
        assert_eq!(found.ours[0].records, (PathBuf::from("/dev/sda2"), 2));
        assert_eq!(found.foreign, [disk("sdc", 2)], "a type that does not go with its name");
    }

    #[test]
    fn names_that_were_changed_by_half_are_unfinished() {
        let probes = [
            ("sda1", gpt("HUBKEYS", GPT_KEYS)),
            ("sda2", gpt("HUBDATA-NEW", GPT_RECORDS)),
        ];
        assert!(!look(&[disk("sda", 2)], &probes).ours[0].is_finished);
    }

    #[test]
    fn one_half_or_twice_the_name_is_no_data_disk() {
        let probes = [
            ("sda1", gpt("HUBKEYS", GPT_KEYS)),
            ("sdb1", gpt("HUBKEYS", GPT_KEYS)),
            ("sdb2", gpt("HUBKEYS", GPT_KEYS)),
            ("sdb3", gpt("HUBDATA", GPT_RECORDS)),
        ];
        let found = look(&[disk("sda", 1), disk("sdb", 3)], &probes);
        assert!(found.ours.is_empty());
        assert_eq!(found.foreign.len(), 2);
    }

    #[test]
    fn the_rest_of_the_card_is_room_until_it_holds_data() {
        let found = look(&[card(2)], &[]);
        let room = found.room.clone().unwrap();
        assert_eq!((room.start, room.bytes), (80 << 20, GIB - (80 << 20)));
        assert_eq!(
            found,
            Found {
                room: Some(room),
                ..Found::default()
            }
        );

        let [new, made] = [["da", "da"], ["83", "e8"]].map(|[keys, records]| {
            let probes = [
                ("mmcblk0p3", mbr(keys, "HUBKEYS")),
                ("mmcblk0p4", mbr(records, "HUBDATA")),
            ];
            look(&[card(4)], &probes)
        });
        assert!(!new.ours[0].is_finished && made.ours[0].is_finished);
        assert!(made.ours[0].is_on_system);
        assert_eq!((new.room, made.room), (None, None));
    }

    #[test]
    fn a_card_in_a_reader_is_not_the_one_that_the_system_runs_from() {
        let with = |keys, records| [("sda3", mbr(keys, "HUBKEYS")), ("sda4", mbr(records, "HUBDATA"))];
        let found = look(&[disk("sda", 4)], &with("83", "e8"));
        assert!(found.ours[0].is_finished && !found.ours[0].is_on_system);
        let moved = look(&[disk("sda", 4)], &with(MBR_MOVED, MBR_MOVED));
        assert!(moved.ours.is_empty());
    }

    #[test]
    fn a_card_without_room_offers_none() {
        let mut small = card(2);
        small.bytes = 100 << 20;
        assert_eq!(look(&[small, card(3)], &[]), Found::default());
    }

    #[test]
    fn other_labels_and_other_places_on_a_card_are_not_ours() {
        let probes = [("sda1", mbr("83", "HUBKEYS")), ("sda2", mbr("e8", "HUBDATA"))];
        assert!(look(&[disk("sda", 2)], &probes).ours.is_empty());
        let probes = [("sda3", mbr("83", "OTHER")), ("sda4", mbr("e8", "HUBDATA"))];
        assert!(look(&[disk("sda", 4)], &probes).ours.is_empty());
    }

    #[test]
    fn what_is_in_use_as_a_whole_is_no_candidate() {
        let mut held = disk("sda", 0);
        held.is_held = true;
        assert_eq!(look(&[held], &[]), Found::default());
        assert_eq!(look(&[disk("sda", 0)], &[]).bare, [disk("sda", 0)]);
    }
}
