//! The parts of a data disk: mended, unlocked, mounted. For root only.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::libc::MS_NOSYMFOLLOW;
use nix::mount::{MsFlags, mount, umount};
use serde::Deserialize;
use serde::de::IgnoredAny;
use zeroize::Zeroizing;

use super::breaking::Breaker;
use super::{DataDiskError, Tool, mapping};
use crate::secret::SecretText;

/// `cryptsetup open`: no key slot for the passphrase.
const CRYPTSETUP_NO_PERMISSION: i32 = 2;
/// `e2fsck`: faults were mended.
const E2FSCK_MENDED: i32 = 1;
/// Bytes that are read at once where all of a device is.
const READ_AT_ONCE: usize = 1024 * 1024;
/// Where something is mounted only to be looked at.
const LOOK: &str = "/run/hub-look";
/// What lies on a disk gives no rights, is not run, and leads nowhere else.
pub(in crate::system) const NOTHING_FROM_IT: MsFlags = MsFlags::MS_NODEV
    .union(MsFlags::MS_NOSUID)
    .union(MsFlags::MS_NOEXEC)
    .union(MsFlags::MS_NOATIME)
    .union(MsFlags::from_bits_retain(MS_NOSYMFOLLOW));
/// The files that hold the key slots: the last, and the one before.
pub(super) const SLOTS: [&str; 2] = ["keyslots.json", "keyslots.previous.json"];

pub(super) fn unlock(device: &Path, passphrase: &SecretText, name: &str) -> Result<(), DataDiskError> {
    let arguments = ["open", "--type", "luks2", "--key-file", "-", text(device), name];
    match Tool::Cryptsetup.status(&arguments, passphrase.expose().as_bytes())? {
        0 => Ok(()),
        CRYPTSETUP_NO_PERMISSION => Err(DataDiskError::Passphrase),
        _ => Err(DataDiskError::Tool(Tool::Cryptsetup)),
    }
}

/// Has `new` open a volume too that `old` opens, unless it is broken off. Does nothing where it does so already.
pub(super) fn add_key(
    breaker: &Breaker,
    device: &Path,
    old: &SecretText,
    new: &SecretText,
) -> Result<(), DataDiskError> {
    if opens(breaker, device, new, None)? {
        return Ok(());
    }
    // Without a file for them, both are read from the standard input, a line each.
    let arguments = [
        "luksAddKey",
        "--batch-mode",
        "--pbkdf",
        "pbkdf2",
        "--pbkdf-force-iterations",
        "1000",
        text(device),
    ];
    let mut lines = Zeroizing::new(Vec::with_capacity(old.expose().len() + new.expose().len() + 2));
    for passphrase in [old, new] {
        lines.extend(passphrase.expose().as_bytes());
        lines.push(b'\n');
    }
    match Tool::Cryptsetup.status_unless(breaker, &arguments, &lines)? {
        0 if opens(breaker, device, new, None)? => Ok(()),
        CRYPTSETUP_NO_PERMISSION => Err(DataDiskError::Passphrase),
        _ => Err(DataDiskError::Tool(Tool::Cryptsetup)),
    }
}

/// Wipes all keys off a volume but the one that `passphrase` opens, unless it is broken off.
///
/// # Errors
/// [`DataDiskError::Passphrase`], with nothing wiped, if it opens none.
pub(super) fn keep_key(breaker: &Breaker, device: &Path, passphrase: &SecretText) -> Result<(), DataDiskError> {
    let slots = key_slots(breaker, device)?;
    let mut ours = Vec::new();
    for slot in &slots {
        if opens(breaker, device, passphrase, Some(slot))? {
            ours.push(slot);
        }
    }
    if ours.is_empty() {
        return Err(DataDiskError::Passphrase);
    }
    for slot in slots.iter().filter(|slot| !ours.contains(slot)) {
        let arguments = ["luksKillSlot", "--batch-mode", "--key-file", "-", text(device), slot];
        if Tool::Cryptsetup.status_unless(breaker, &arguments, passphrase.expose().as_bytes())? != 0 {
            return Err(DataDiskError::Tool(Tool::Cryptsetup));
        }
    }
    Ok(())
}

fn opens(breaker: &Breaker, device: &Path, passphrase: &SecretText, slot: Option<&str>) -> Result<bool, DataDiskError> {
    let mut arguments = vec!["open", "--test-passphrase", "--type", "luks2", "--key-file", "-"];
    if let Some(slot) = slot {
        arguments.extend(["--key-slot", slot]);
    }
    arguments.push(text(device));
    match Tool::Cryptsetup.status_unless(breaker, &arguments, passphrase.expose().as_bytes())? {
        0 => Ok(true),
        CRYPTSETUP_NO_PERMISSION => Ok(false),
        _ => Err(DataDiskError::Tool(Tool::Cryptsetup)),
    }
}

/// The numbers of a volume's key slots (LUKS2 On-Disk Format, "Keyslots Object").
fn key_slots(breaker: &Breaker, device: &Path) -> Result<Vec<String>, DataDiskError> {
    #[derive(Deserialize)]
    struct Header {
        keyslots: BTreeMap<String, IgnoredAny>,
    }
    let failed = DataDiskError::Tool(Tool::Cryptsetup);
    match Tool::Cryptsetup.output_unless(breaker, &["luksDump", "--dump-json-metadata", text(device)])? {
        (0, header) => {
            let header: Header = serde_json::from_str(&header).map_err(|_| failed)?;
            Ok(header.keyslots.into_keys().collect())
        }
        _ => Err(failed),
    }
}

/// Closes an open volume; the kernel forgets its key.
///
/// # Errors
/// [`DataDiskError`] if it is not closed.
pub(super) fn lock(name: &str) -> Result<(), DataDiskError> {
    match mapping::remove(name) {
        // It waits for whoever is only looking.
        Err(Errno::EBUSY) => Tool::Cryptsetup.run(&["close", name], &[]),
        removed => Ok(removed?),
    }
}

/// Replays the journal and mends what needs no decision.
pub(super) fn check(device: &Path) -> Result<(), DataDiskError> {
    match Tool::E2fsck.status(&["-p", text(device)], &[])? {
        0 | E2FSCK_MENDED => Ok(()),
        status => {
            tracing::error!(status, "a file system of the data disk needs a person");
            Err(DataDiskError::Damaged)
        }
    }
}

/// Mends whatever can be, though what is past mending may be lost by it. First all of the device is read: in the place of what
/// can't be, `e2fsck` would put zeros. `progress` is told how far it has come, of 1,000: half of that is for reading.
pub(super) fn repair(device: &Path, progress: &dyn Fn(u16)) -> Result<(), DataDiskError> {
    read_all(device, &|permille| progress(permille / 2))?;
    let hear = |line: &str| {
        if let Some(permille) = checked(line) {
            progress(500 + permille / 2);
        }
    };
    match Tool::E2fsck.heard(&["-f", "-y", "-C", "1", text(device)], hear)? {
        0 | E2FSCK_MENDED => Ok(()),
        status => {
            tracing::error!(status, "a file system of the data disk can't be mended");
            Err(DataDiskError::Damaged)
        }
    }
}

fn read_all(device: &Path, progress: &dyn Fn(u16)) -> Result<(), DataDiskError> {
    let mut file = File::open(device)?;
    let all = file.seek(SeekFrom::End(0))?.max(1);
    file.rewind()?;
    let mut buffer = vec![0; READ_AT_ONCE];
    let (mut done, mut told) = (0, 0);
    loop {
        let read = file.read(&mut buffer).inspect_err(|error| {
            tracing::error!(%error, done, "a part of the data disk can't be read");
        })?;
        if read == 0 {
            return Ok(());
        }
        done += read as u64;
        let permille = u16::try_from(done.saturating_mul(1000) / all).unwrap_or(1000);
        if permille > told {
            told = permille;
            progress(permille);
        }
    }
}

/// How much is checked, of 1,000, by a line that `e2fsck -C` writes: the pass, of five; how far that has come; what of; the
/// device (e2fsck(8)).
fn checked(line: &str) -> Option<u16> {
    const PASS: u64 = 200;
    let mut words = line.split(' ');
    let mut number = || words.next()?.parse::<u64>().ok();
    let (pass, done, all) = (number()?, number()?, number()?);
    let is_one = words.count() == 1 && (1..=5).contains(&pass) && done <= all;
    let part = done.checked_mul(PASS)?.checked_div(all)?;
    is_one.then(|| u16::try_from((pass - 1) * PASS + part).ok()).flatten()
}

pub(super) fn mount_ext4(device: &Path, target: &Path, more: MsFlags) -> Result<(), DataDiskError> {
    let flags = NOTHING_FROM_IT | more;
    mount(Some(device), target, Some("ext4"), flags, Some("errors=remount-ro")).map_err(|errno| match errno {
        Errno::EUCLEAN | Errno::EINVAL => DataDiskError::Damaged,
        errno => errno.into(),
    })
}

/// Whether there are key slots in the folder `keys`.
pub(super) fn has_slots(keys: &Path) -> bool {
    SLOTS.iter().any(|name| keys.join(name).exists())
}

/// Whether a partition holds key slots.
pub(super) fn holds_slots(partition: &Path) -> bool {
    looked_into(partition, has_slots).unwrap_or(false)
}

/// What `look` sees in a partition's topmost folder, without changing a bit of it: not even its journal is replayed. Nothing
/// where it can't be mounted.
pub(super) fn looked_into<T>(partition: &Path, look: impl FnOnce(&Path) -> T) -> Option<T> {
    let folder = Path::new(LOOK);
    let flags = NOTHING_FROM_IT | MsFlags::MS_RDONLY;
    fs::create_dir_all(folder).ok()?;
    mount(Some(partition), folder, Some("ext4"), flags, Some("noload")).ok()?;
    let seen = look(folder);
    if let Err(error) = umount(folder) {
        tracing::error!(%error, "a disk that was looked at stays mounted");
    }
    Some(seen)
}

/// Whether something of a disk is mounted at `target`.
pub(super) fn is_mounted(target: &Path) -> Result<bool, DataDiskError> {
    Ok(mounted_device(target)?.is_some())
}

/// The device of a disk that is mounted at `target`.
pub(super) fn mounted_device(target: &Path) -> Result<Option<PathBuf>, DataDiskError> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let target = text(target);
    Ok(mounts.lines().find_map(|line| {
        let mut fields = line.split(' ');
        let device = fields.next().filter(|device| device.starts_with("/dev/"))?;
        (fields.next() == Some(target)).then(|| device.into())
    }))
}

/// Device names and the image's folders are ASCII; another name is one that no program finds.
pub(super) fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::format::encrypt;
    use super::*;

    /// On a file, for which cryptsetup needs no rights.
    #[test]
    fn a_volume_gets_another_key_and_the_one_before_opens_it_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let device = folder.path().join("volume");
        File::create(&device).unwrap().set_len(20 << 20).unwrap();
        let [old, new, other] = ["a", "b", "c"].map(|letter| SecretText::new(letter.repeat(64)));
        let breaker = Breaker::default();
        encrypt(&device, &old).unwrap();
        assert_eq!(add_key(&breaker, &device, &other, &new), Err(DataDiskError::Passphrase));
        assert_eq!(keep_key(&breaker, &device, &new), Err(DataDiskError::Passphrase));
        for _ in 0..2 {
            add_key(&breaker, &device, &old, &new).unwrap();
            assert_eq!(key_slots(&breaker, &device).unwrap(), ["0", "1"]);
        }
        assert!(opens(&breaker, &device, &old, None).unwrap() && opens(&breaker, &device, &new, None).unwrap());
        for _ in 0..2 {
            keep_key(&breaker, &device, &new).unwrap();
            assert_eq!(key_slots(&breaker, &device).unwrap(), ["1"]);
        }
        assert!(!opens(&breaker, &device, &old, None).unwrap() && opens(&breaker, &device, &new, None).unwrap());
        add_key(&breaker, &device, &old, &new).unwrap();
        assert_eq!(
            key_slots(&breaker, &device).unwrap(),
            ["1"],
            "a step that was gone is gone again"
        );
    }

    #[test]
    fn tells_how_much_is_checked() {
        assert_eq!(checked("1 0 64 /dev/mapper/hubdata"), Some(0));
        assert_eq!(checked("3 32 64 /dev/mapper/hubdata"), Some(500));
        assert_eq!(checked("5 64 64 /dev/mapper/hubdata"), Some(1000));
        for line in [
            "",
            "Pass 1: Checking inodes, blocks, and sizes",
            "1 2 3",
            "1 4 3 /dev/x",
            "0 1 1 /dev/x",
            "6 1 1 /dev/x",
            "1 0 0 /dev/x",
            "1 18446744073709551615 18446744073709551615 /dev/x",
            "1 1 1 /dev/x is full",
        ] {
            assert_eq!(checked(line), None, "{line}");
        }
    }
}
