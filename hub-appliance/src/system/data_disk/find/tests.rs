use std::collections::HashMap;

use super::*;

const GIB: u64 = 1 << 30;

fn disk(name: &str, partitions: u32) -> Listed {
    let device = Path::new("/dev").join(name);
    let partitions = (1..=partitions).map(|number| Partition {
        device: format!("/dev/{name}{number}").into(),
        number,
        start: u64::from(number - 1) * (40 << 20),
        end: u64::from(number) * (40 << 20),
        is_held: false,
    });
    Listed {
        device,
        name: name.to_uppercase(),
        bytes: GIB,
        sequence: 1,
        is_read_only: false,
        is_held: false,
        partitions: partitions.collect(),
    }
}

/// The card that the system runs from.
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

/// Disks as they are imagined.
struct Imagined<'a> {
    /// What `blkid` says of partitions, by name; of others that they are of a plain MBR.
    probes: &'a [(&'a str, String)],
    /// What is on disks, by name; on others there is something. None is a disk that can't be read.
    contents: HashMap<&'a str, Option<Content>>,
    /// The disk that bears marks.
    marked: &'a str,
}

impl<'a> Imagined<'a> {
    fn new(probes: &'a [(&'a str, String)]) -> Self {
        Self {
            probes,
            contents: HashMap::new(),
            marked: "",
        }
    }

    fn with(mut self, disk: &'a str, content: Option<Content>) -> Self {
        self.contents.insert(disk, content);
        self
    }

    fn find(&self, disks: &[Listed]) -> Found {
        find(disks.to_vec(), self)
    }
}

impl Reader for Imagined<'_> {
    fn probe(&self, partition: &Path) -> Option<Probe> {
        let known = self
            .probes
            .iter()
            .find(|(name, _)| partition == Path::new("/dev").join(name));
        known.map_or_else(|| Probe::parse(&mbr("c", "")), |(_, export)| Probe::parse(export))
    }

    fn content(&self, disk: &Listed) -> io::Result<Content> {
        let name = disk.device.file_name().unwrap().to_str().unwrap();
        let content = self.contents.get(name).copied().unwrap_or(Some(Content::Other));
        content.ok_or_else(|| io::Error::other("it can't be read"))
    }

    fn is_marked(&self, disk: &Listed, _start: u64) -> bool {
        disk.device == Path::new("/dev").join(self.marked)
    }
}

fn look(disks: &[Listed], probes: &[(&str, String)]) -> Found {
    Imagined::new(probes).find(disks)
}

fn whys(found: &Found) -> Vec<DiskState> {
    assert!(found.ours.is_empty() && found.blank.is_empty() && found.foreign.is_empty() && found.room.is_none());
    found.spared.iter().map(|spared| spared.why).collect()
}

#[test]
fn a_data_disk_is_known_by_names_and_types() {
    let probes = [
        ("sda1", gpt("HUBKEYS", GPT_KEYS)),
        ("sda2", gpt("HUBDATA", &GPT_RECORDS.to_uppercase())),
        ("sdb1", gpt("HUBKEYS-NEW", GPT_KEYS)),
        ("sdb2", gpt("HUBDATA-NEW", GPT_RECORDS)),
    ];
    let found = look(&[disk("sda", 2), disk("sdb", 2)], &probes);
    let seen: Vec<_> = found
        .ours
        .iter()
        .map(|disk| (disk.device.to_str().unwrap(), disk.stage))
        .collect();
    assert_eq!(seen, [("/dev/sda", Stage::Finished), ("/dev/sdb", Stage::Begun)]);
    assert_eq!(found.ours[0].records, (PathBuf::from("/dev/sda2"), 2));
}

#[test]
fn names_that_were_changed_by_half_are_of_a_disk_with_keys() {
    let probes = [
        ("sda1", gpt("HUBKEYS", GPT_KEYS)),
        ("sda2", gpt("HUBDATA-NEW", GPT_RECORDS)),
    ];
    assert_eq!(look(&[disk("sda", 2)], &probes).ours[0].stage, Stage::Keyed);
}

#[test]
fn what_has_something_of_ours_and_not_all_is_damaged() {
    let traces: [&[(&str, String)]; 9] = [
        &[("sda1", gpt("HUBKEYS", GPT_KEYS))],
        &[("sda2", gpt("HUBDATA", GPT_KEYS))],
        &[("sda2", gpt("else", GPT_RECORDS))],
        &[
            ("sda1", gpt("HUBKEYS", GPT_RECORDS)),
            ("sda2", gpt("HUBDATA", GPT_RECORDS)),
        ],
        &[
            ("sda1", gpt("HUBKEYS", GPT_KEYS)),
            ("sda2", gpt("HUBKEYS", GPT_KEYS)),
            ("sda3", gpt("HUBDATA", GPT_RECORDS)),
        ],
        &[("sda1", mbr("83", "HUBKEYS")), ("sda2", mbr("e8", "HUBDATA"))],
        // The label of an old card's keys is gone.
        &[("sda3", mbr("83", "")), ("sda4", mbr("e8", "HUBDATA"))],
        &[("sda4", mbr("e8", ""))],
        &[("sda3", mbr("da", "HUBKEYS")), ("sda4", mbr("da", "HUBDATA"))],
    ];
    for probes in traces {
        assert_eq!(
            whys(&look(&[disk("sda", 4)], probes)),
            [DiskState::Damaged],
            "{probes:?}"
        );
    }
}

#[test]
fn what_is_ours_by_its_content_is_damaged_whatever_its_table() {
    for partitions in [0, 1] {
        let found = Imagined::new(&[])
            .with("sda", Some(Content::Ours))
            .find(&[disk("sda", partitions)]);
        assert_eq!(whys(&found), [DiskState::Damaged]);
    }
}

#[test]
fn what_can_not_be_read_is_nothing_that_could_be_erased() {
    let unreadable = Imagined::new(&[]).with("sda", None);
    for partitions in [0, 1] {
        assert_eq!(
            whys(&unreadable.find(&[disk("sda", partitions)])),
            [DiskState::Unreadable]
        );
    }
    // blkid says nothing where it can't read the table, with the same exit status as where it finds nothing.
    let probes = [("sda1", gpt("else", GPT_KEYS)), ("sda2", String::new())];
    assert_eq!(whys(&look(&[disk("sda", 2)], &probes)), [DiskState::Unreadable]);
    let probes = [("sda1", gpt("HUBKEYS", GPT_KEYS)), ("sda2", String::new())];
    assert_eq!(whys(&look(&[disk("sda", 2)], &probes)), [DiskState::Damaged]);
}

#[test]
fn a_disk_is_blank_only_without_partitions_and_content() {
    let blank = Imagined::new(&[])
        .with("sda", Some(Content::Blank))
        .with("sdb", Some(Content::Blank));
    let found = blank.find(&[disk("sda", 0), disk("sdb", 1), disk("sdc", 0)]);
    assert_eq!(found.blank, [disk("sda", 0)]);
    assert_eq!(found.foreign, [disk("sdb", 1), disk("sdc", 0)]);
    assert!(found.spared.is_empty());
}

#[test]
fn what_can_not_be_written_is_told_of_only_if_it_is_ours() {
    let read_only = |name, partitions| Listed {
        is_read_only: true,
        ..disk(name, partitions)
    };
    let probes = [("sda3", mbr("83", "HUBKEYS")), ("sda4", mbr("e8", "HUBDATA"))];
    assert_eq!(
        whys(&look(&[read_only("sda", 4)], &probes)),
        [DiskState::WriteProtected]
    );
    let blank = Imagined::new(&[]).with("sda", Some(Content::Blank));
    assert_eq!(
        blank.find(&[read_only("sda", 0), read_only("sdb", 1)]),
        Found::default()
    );
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

    let probes = [("mmcblk0p3", mbr("83", "HUBKEYS")), ("mmcblk0p4", mbr("e8", "HUBDATA"))];
    let made = look(&[card(4)], &probes);
    assert_eq!(made.ours[0].stage, Stage::Finished);
    assert!(made.ours[0].is_on_system);
    assert_eq!((made.room, made.ours[0].room), (None, 80 << 20));
}

#[test]
fn what_is_left_on_a_card_that_was_written_anew_is_no_room() {
    let remains = Imagined::new(&[])
        .with("mmcblk0p", Some(Content::Ours))
        .find(&[card(2)]);
    assert_eq!(whys(&remains), [DiskState::Remains]);
    assert!(remains.spared[0].is_system);
    let unreadable = Imagined::new(&[]).with("mmcblk0p", None).find(&[card(2)]);
    assert_eq!(whys(&unreadable), [DiskState::Unreadable]);
}

#[test]
fn what_was_begun_on_a_card_is_ours_with_a_mark_and_behind_the_system_only() {
    let begun = |labels: [&str; 2], marked: &str, disk: Listed| {
        let name = disk.device.file_name().unwrap().to_str().unwrap().to_owned();
        let parts = [3, 4].map(|number| format!("{name}{number}"));
        let probes = [
            (parts[0].as_str(), mbr("da", labels[0])),
            (parts[1].as_str(), mbr("da", labels[1])),
        ];
        let imagined = Imagined {
            marked,
            ..Imagined::new(&probes)
        };
        imagined.find(&[disk]).ours.len()
    };
    assert_eq!(begun(["", ""], "mmcblk0p", card(4)), 1);
    assert_eq!(begun(["HUBKEYS", ""], "", card(4)), 1);
    assert_eq!(begun(["", "HUBDATA"], "", card(4)), 1);
    assert_eq!(begun(["", ""], "", card(4)), 0, "anybody's");
    assert_eq!(begun(["", ""], "sda", disk("sda", 4)), 0, "not behind the system");
    assert_eq!(begun(["HUBKEYS", "HUBDATA"], "sda", disk("sda", 4)), 0);
    // As members of a RAID have it.
    let probes = [("sda3", mbr("da", "")), ("sda4", mbr("da", ""))];
    assert_eq!(look(&[disk("sda", 4)], &probes).foreign, [disk("sda", 4)]);
}

#[test]
fn a_card_in_a_reader_is_not_the_one_that_the_system_runs_from() {
    let with = |keys, records| [("sda3", mbr(keys, "HUBKEYS")), ("sda4", mbr(records, "HUBDATA"))];
    let found = look(&[disk("sda", 4), card(2)], &with("83", "e8"));
    assert!(found.ours[0].is_old_card());
    assert!(found.room.is_some(), "for its records");
    for kinds in [(MBR_MOVED, MBR_MOVED), (MBR_MOVED, "e8")] {
        let moved = look(&[disk("sda", 4)], &with(kinds.0, kinds.1));
        assert_eq!(whys(&moved), [DiskState::Moved]);
    }
}

#[test]
fn a_disk_whose_records_were_moved_to_another_is_no_data_disk_any_more_whatever_half_of_it_was_marked() {
    for (keys, records) in [
        ("HUBKEYS-MOVED", "HUBDATA-MOVED"),
        ("HUBKEYS-MOVED", "HUBDATA"),
        ("HUBKEYS", "HUBDATA-MOVED"),
    ] {
        let probes = [("sda1", gpt(keys, GPT_KEYS)), ("sda2", gpt(records, GPT_RECORDS))];
        assert_eq!(whys(&look(&[disk("sda", 2)], &probes)), [DiskState::Moved]);
    }
    let probes = [
        ("sda1", gpt("HUBKEYS", GPT_KEYS)),
        ("sda2", gpt("HUBDATA", GPT_RECORDS)),
    ];
    let marks = look(&[disk("sda", 2)], &probes).ours[0].moved_marks();
    assert_eq!(marks, ["HUBKEYS-MOVED", "HUBDATA-MOVED"]);
}

#[test]
fn a_card_without_room_offers_none() {
    let mut small = card(2);
    small.bytes = 100 << 20;
    assert_eq!(look(&[small, card(3)], &[]), Found::default());
}

#[test]
fn what_is_in_use_as_a_whole_is_no_candidate() {
    let mut held = disk("sda", 0);
    held.is_held = true;
    assert_eq!(look(&[held], &[]), Found::default());
}

#[test]
fn a_stick_is_what_has_nothing_to_do_with_the_hub() {
    let is_stick = |probes: &[(&str, String)], disk: Listed| is_other(&disk, &Imagined::new(probes));
    assert!(is_stick(&[], disk("sda", 0)));
    assert!(is_stick(&[], disk("sda", 1)));
    let whole = [
        ("sda1", gpt("HUBKEYS", GPT_KEYS)),
        ("sda2", gpt("HUBDATA", GPT_RECORDS)),
    ];
    assert!(!is_stick(&whole, disk("sda", 2)), "a data disk");
    assert!(!is_stick(&whole[..1], disk("sda", 2)), "a part of one");
    assert!(!is_stick(&[("sda3", mbr("7f", ""))], disk("sda", 3)), "an old card");
    assert!(
        !is_stick(&[("sda1", String::new())], disk("sda", 1)),
        "what can't be read"
    );
    // As `blkid` has it of the partition that the kernel sees in a stick that `mformat` formatted as a whole.
    let only_fat = "DEVNAME=/dev/sda1\nUUID=21C3-D8B1\nVERSION=FAT32\nBLOCK_SIZE=512\nTYPE=vfat\nUSAGE=filesystem\n";
    assert!(is_stick(&[("sda1", only_fat.to_owned())], disk("sda", 1)));
    let traces = Imagined::new(&[]).with("sda", Some(Content::Ours));
    assert!(!is_other(&disk("sda", 1), &traces), "a trace under another table");
    let silent = Imagined::new(&[]).with("sda", None);
    assert!(!is_other(&disk("sda", 1), &silent), "a disk that can't be read");
    assert!(!is_stick(&[], card(2)), "the system's card");
    let mut held = disk("sda", 0);
    held.is_held = true;
    assert!(!is_stick(&[], held), "what another device is made of");
}
