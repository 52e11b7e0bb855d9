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
//! What was moved away is marked too, and is never taken for a data disk again: `HUBKEYS-MOVED` and `HUBDATA-MOVED` in a GPT,
//! type `7f` on a card.
//!
//! Unfinished is a disk until it was opened once: one that has no keys was cut short while it was formatted. On a card it is
//! ours only behind the system that runs, and if it bears a mark of ours too, for `da` is anybody's.
//!
//! A disk that has some of this and not all is not a data disk, and not one that could become one either: there may be
//! records on it that a person who knows how can still get at. So it is with a disk that can't be read.

use std::io;
use std::path::{Path, PathBuf};

use super::DiskState;
use super::content::Content;
use super::list::{Listed, MIN_BYTES, Partition};

/// Name of the partition for the keys.
pub(super) const KEYS: &str = "HUBKEYS";
/// Name of the partition for the records.
pub(super) const RECORDS: &str = "HUBDATA";
/// What follows these names in a GPT until the disk was opened once.
pub(super) const UNFINISHED: &str = "-NEW";
/// What follows them when the records were moved to another disk.
const MOVED: &str = "-MOVED";
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
const MBR_MOVED: &str = "7f";
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
    uuid: Option<String>,
}

impl Probe {
    /// Reads what `blkid --probe --output export` says of a partition. It says nothing of the table where it could not
    /// read that, nor where the kernel alone sees one: the first sector of a FAT that takes up a whole stick can look so. A FAT
    /// is nothing of ours, so no table has to be known for that.
    pub(super) fn parse(export: &str) -> Option<Self> {
        let mut probe = Self::default();
        let (mut has_table, mut is_fat) = (false, false);
        for (key, value) in export.lines().filter_map(|line| line.split_once('=')) {
            let text = || Some(value.to_owned());
            match key {
                "PART_ENTRY_SCHEME" => {
                    has_table = true;
                    probe.scheme = match value {
                        "gpt" => Some(Scheme::Gpt),
                        "dos" => Some(Scheme::Mbr),
                        _ => None,
                    }
                }
                "PART_ENTRY_NAME" => probe.name = text(),
                "PART_ENTRY_UUID" => probe.uuid = text(),
                "PART_ENTRY_TYPE" => probe.kind = Some(value.trim_start_matches("0x").to_ascii_lowercase()),
                "LABEL" => probe.label = text(),
                "TYPE" => is_fat = matches!(value, "vfat" | "exfat"),
                _ => {}
            }
        }
        (has_table || is_fat).then_some(probe)
    }

    /// What the partition of this number is for, and whether it is finished.
    fn role(&self, number: u32) -> Option<(Role, bool)> {
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

    /// Whether it calls itself one of ours. The type of the part for the keys is that of any Linux.
    fn is_trace(&self) -> bool {
        let is_ours = |text: &Option<String>| is(text, KEYS) || is(text, RECORDS);
        is_ours(&self.label)
            || match self.scheme {
                Some(Scheme::Gpt) => is_ours(&self.name) || is(&self.kind, GPT_RECORDS),
                Some(Scheme::Mbr) => is(&self.kind, MBR_RECORDS),
                None => false,
            }
    }

    fn is_moved(&self) -> bool {
        match self.scheme {
            Some(Scheme::Gpt) => [KEYS, RECORDS].map(moved_name).iter().any(|name| is(&self.name, name)),
            Some(Scheme::Mbr) => is(&self.kind, MBR_MOVED),
            None => false,
        }
    }
}

fn moved_name(name: &str) -> String {
    format!("{name}{MOVED}")
}

fn is(field: &Option<String>, text: &str) -> bool {
    field.as_deref() == Some(text)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Keys,
    Records,
}

/// How far a disk with the partitions of a data disk has come, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// It was never opened; it may have keys.
    Begun,
    /// It has keys, and was about to be marked as finished.
    Keyed,
    /// It was opened.
    Finished,
}

/// A disk with the partitions of a data disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Disk {
    /// Its device, `/dev/sda` for example.
    pub(super) device: PathBuf,
    /// What it calls itself.
    pub(super) name: String,
    /// The kernel's number for it.
    pub(super) sequence: u64,
    /// Its partition table.
    pub(super) scheme: Scheme,
    /// The partition for the keys, and its number.
    pub(super) keys: (PathBuf, u32),
    /// The partition for the records, and its number.
    pub(super) records: (PathBuf, u32),
    /// How far it has come.
    pub(super) stage: Stage,
    /// Whether it is the rest of the card that the system runs from.
    pub(super) is_on_system: bool,
    /// The size of all of it.
    pub(super) bytes: u64,
    /// The size of what is ours of it.
    pub(super) room: u64,
    /// What its table calls the partition for the records: another on each disk, but for one that was copied as a whole.
    pub(super) uuid: Option<String>,
}

impl Disk {
    /// The marks of its two partitions once the records were moved away.
    pub(super) fn moved_marks(&self) -> [String; 2] {
        match self.scheme {
            Scheme::Gpt => [KEYS, RECORDS].map(moved_name),
            Scheme::Mbr => [MBR_MOVED; 2].map(str::to_owned),
        }
    }

    /// Whether it is the rest of a card that the system does not run from.
    pub(super) fn is_old_card(&self) -> bool {
        self.stage == Stage::Finished && self.scheme == Scheme::Mbr && !self.is_on_system
    }
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

/// A disk that nobody may be asked for, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spared {
    /// What the hub says of it.
    pub(super) why: DiskState,
    /// Whether it is the card that the system runs from, which a person can't just take out.
    pub(super) is_system: bool,
    /// How much room it has.
    pub(super) bytes: u64,
}

/// What is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Data disks.
    pub(super) ours: Vec<Disk>,
    /// Disks with nothing on them.
    pub(super) blank: Vec<Listed>,
    /// Disks with something else on them.
    pub(super) foreign: Vec<Listed>,
    /// The rest of the card that the system runs from.
    pub(super) room: Option<Room>,
    /// Those that may hold records, and are no data disks as they are.
    pub(super) spared: Vec<Spared>,
    /// Which of several data disks a person chose.
    pub(super) chosen: Option<Chosen>,
}

/// The disk that a person chose of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Chosen {
    /// By the kernel's number for it: since this start.
    Now(u64),
    /// By what its table calls the partition for the records: before.
    Before(String),
}

impl Chosen {
    /// Whether it is this disk.
    pub(super) fn is(&self, disk: &Disk) -> bool {
        match self {
            Self::Now(sequence) => disk.sequence == *sequence,
            Self::Before(uuid) => disk.uuid.as_ref() == Some(uuid),
        }
    }
}

/// Looks at disks.
pub(super) trait Reader {
    /// What the table and the content of a partition say; nothing if that can't be told.
    fn probe(&self, partition: &Path) -> Option<Probe>;
    /// What is on a disk.
    fn content(&self, disk: &Listed) -> io::Result<Content>;
    /// Whether a partition of a disk that begins at `start` bears the mark of one that is being made.
    fn is_marked(&self, disk: &Listed, start: u64) -> bool;
}

/// Looks through `disks`.
pub(super) fn find(disks: Vec<Listed>, reader: &impl Reader) -> Found {
    let mut found = Found::default();
    let mut systems = Vec::new();
    for disk in disks {
        let probes: Vec<_> = disk.partitions.iter().map(|part| reader.probe(&part.device)).collect();
        let is_system = disk.partitions.iter().any(|partition| partition.is_held);
        let bytes = disk.bytes;
        let spared = |why| Spared { why, is_system, bytes };
        let known: Vec<_> = disk.partitions.iter().zip(probes.iter().flatten()).collect();
        let has_all = known.len() == disk.partitions.len();
        if disk.is_held {
            continue;
        }
        if let Some(ours) = has_all.then(|| data_disk(&disk, &known, reader)).flatten() {
            if disk.is_read_only {
                found.spared.push(spared(DiskState::WriteProtected));
            } else {
                found.ours.push(ours);
            }
        } else if let Some(why) = spares(&known) {
            found.spared.push(spared(why));
        } else if !has_all {
            found.spared.push(spared(DiskState::Unreadable));
        } else if is_system {
            systems.push(disk);
        } else {
            match reader.content(&disk) {
                Ok(Content::Ours) => found.spared.push(spared(DiskState::Damaged)),
                Err(_) => found.spared.push(spared(DiskState::Unreadable)),
                Ok(_) if disk.is_read_only => {}
                Ok(Content::Blank) if disk.partitions.is_empty() => found.blank.push(disk),
                Ok(Content::Blank | Content::Other) => found.foreign.push(disk),
            }
        }
    }
    // Beside a data disk the rest of the card is nobody's concern, unless that is an old card, whose records go there.
    let is_wanted = found.ours.iter().all(Disk::is_old_card);
    for card in systems {
        if is_wanted
            && found.room.is_none()
            && let Some(room) = room(&card)
        {
            match reader.content(&card) {
                Ok(Content::Ours) => found.spared.push(Spared {
                    why: DiskState::Remains,
                    is_system: true,
                    bytes: card.bytes,
                }),
                Ok(_) => found.room = Some(room),
                Err(_) => found.spared.push(Spared {
                    why: DiskState::Unreadable,
                    is_system: true,
                    bytes: card.bytes,
                }),
            }
        }
    }
    found
}

/// Whether a disk has nothing to do with the hub's: it is no data disk, bears no trace of one, can be read, and nothing runs
/// from it.
pub(super) fn is_other(disk: &Listed, reader: &impl Reader) -> bool {
    let is_held = disk.is_held || disk.partitions.iter().any(|partition| partition.is_held);
    let probes: Option<Vec<_>> = disk.partitions.iter().map(|part| reader.probe(&part.device)).collect();
    let Some(probes) = probes.filter(|_| !is_held) else {
        return false;
    };
    let known: Vec<_> = disk.partitions.iter().zip(&probes).collect();
    let is_ours = data_disk(disk, &known, reader).is_some() || spares(&known).is_some();
    !is_ours && matches!(reader.content(disk), Ok(Content::Blank | Content::Other))
}

/// Why a disk that is not a whole data disk is not to be touched, by what its partitions say.
fn spares(known: &[(&Partition, &Probe)]) -> Option<DiskState> {
    if known.iter().any(|(_, probe)| probe.is_moved()) {
        Some(DiskState::Moved)
    } else if known.iter().any(|(_, probe)| probe.is_trace()) {
        Some(DiskState::Damaged)
    } else {
        None
    }
}

fn data_disk(disk: &Listed, known: &[(&Partition, &Probe)], reader: &impl Reader) -> Option<Disk> {
    let roles: Vec<_> = known
        .iter()
        .filter_map(|(partition, probe)| {
            let (role, is_finished) = probe.role(partition.number)?;
            Some((role, is_finished, *partition, *probe))
        })
        .collect();
    let only = |wanted: Role| {
        let mut of_role = roles.iter().filter(|(role, ..)| *role == wanted);
        let first = of_role.next()?;
        // Two of one name are no disk of ours.
        of_role.next().is_none().then_some(first)
    };
    let (keys, records) = (only(Role::Keys)?, only(Role::Records)?);
    let is_on_system = disk
        .partitions
        .iter()
        .any(|partition| partition.is_held && ![keys.2.number, records.2.number].contains(&partition.number));
    let stage = match (keys.1, records.1) {
        (true, true) => Stage::Finished,
        (false, false) => Stage::Begun,
        _ => Stage::Keyed,
    };
    let scheme = keys.3.scheme?;
    let is_marked = |part: &(Role, bool, &Partition, &Probe)| part.3.is_trace() || reader.is_marked(disk, part.2.start);
    if scheme == Scheme::Mbr && stage != Stage::Finished && !(is_on_system && (is_marked(keys) || is_marked(records))) {
        return None;
    }
    Some(Disk {
        device: disk.device.clone(),
        name: disk.name.clone(),
        sequence: disk.sequence,
        scheme,
        keys: (keys.2.device.clone(), keys.2.number),
        records: (records.2.device.clone(), records.2.number),
        stage,
        is_on_system,
        bytes: disk.bytes,
        room: records.2.end.saturating_sub(keys.2.start),
        uuid: records.3.uuid.clone(),
    })
}

/// The room on the system's card, which has to have its two partitions and no more.
fn room(card: &Listed) -> Option<Room> {
    let numbers: Vec<u32> = card.partitions.iter().map(|partition| partition.number).collect();
    let used = card.partitions.iter().map(|partition| partition.end).max()?;
    let start = used.next_multiple_of(ALIGN);
    let bytes = card.bytes.checked_sub(start)?;
    (numbers == [1, 2] && bytes >= MIN_BYTES && !card.is_read_only).then(|| Room {
        device: card.device.clone(),
        sequence: card.sequence,
        start,
        bytes,
    })
}

/// A disk with a hub's records, for tests.
#[cfg(test)]
pub(super) fn a_finished_disk() -> Disk {
    Disk {
        device: "/dev/sda".into(),
        name: "Stick".to_owned(),
        sequence: 5,
        scheme: Scheme::Gpt,
        keys: ("/dev/sda1".into(), 1),
        records: ("/dev/sda2".into(), 2),
        stage: Stage::Finished,
        is_on_system: false,
        bytes: 32 << 30,
        room: 31 << 30,
        uuid: None,
    }
}

#[cfg(test)]
mod tests;
