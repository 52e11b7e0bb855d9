//! Sticks found and mounted. For root only.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::chown;

use super::service::Mounter;
use super::{Access, Stick, SticksError};
use crate::system::data_disk::{FileSystem, NOTHING_FROM_IT, Other, OtherDisks, Owner, mounted_devices};

/// Sticks are mounted below this, by their number.
const PLACE: &str = "/run/hub-stick";
/// More sticks than are told of.
pub(super) const MAX_STICKS: usize = 4;
/// Longest name or label of a stick, characters.
const MAX_NAME: usize = 32;

/// The sticks of the image, which belong to its hub's user while they are open.
#[derive(Debug)]
pub struct Disks {
    owner: Owner,
    disks: OtherDisks,
    open: Vec<Open>,
}

/// A stick that is mounted.
#[derive(Debug)]
struct Open {
    token: u64,
    times: u32,
    access: Access,
    at: PathBuf,
}

impl Disks {
    /// Sticks for the hub's user. Mounts nothing yet, and lets go of what was left mounted by one before.
    #[must_use]
    pub fn new(owner: Owner) -> Self {
        for left in fs::read_dir(PLACE).into_iter().flatten().flatten() {
            let _ = umount2(&left.path(), MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW);
            let _ = fs::remove_dir(left.path());
        }
        Self {
            owner,
            disks: OtherDisks::default(),
            open: Vec::new(),
        }
    }

    fn find(&mut self, token: u64) -> Result<Other, SticksError> {
        let found = self.disks.look()?.into_iter().find(|other| other.sequence == token);
        found.ok_or(SticksError::Gone)
    }

    fn mount(&self, other: &Other, access: Access, at: &Path) -> Result<(), SticksError> {
        let (kind, device, _) = other.files.as_ref().ok_or(SticksError::NoFileSystem)?;
        if access == Access::ReadWrite && other.is_read_only {
            return Err(SticksError::WriteProtected);
        }
        // What somebody else has mounted is not a stick for keys.
        if mounted_devices()?.contains(device) {
            return Err(SticksError::System(Errno::EBUSY as i32));
        }
        fs::create_dir_all(at)?;
        // The hub has to get there, whatever this process keeps for itself.
        fs::set_permissions(PLACE, Permissions::from_mode(0o755))?;
        let flags = NOTHING_FROM_IT | how(access);
        let (name, options) = options(*kind, self.owner, other.is_read_only);
        mount(Some(device), at, Some(name), flags, Some(options.as_str()))?;
        if access == Access::ReadWrite && *kind == FileSystem::Ext4 {
            // Unlike FAT it has owners; the hub puts its files into the topmost folder.
            chown(at, Some(self.owner.user), Some(self.owner.group))?;
        }
        Ok(())
    }
}

impl Mounter for Disks {
    fn look(&mut self) -> Result<Vec<Stick>, SticksError> {
        let found = self.disks.look()?;
        // What was pulled out while it was open is let go of.
        self.open.retain(|open| {
            let is_there = found.iter().any(|other| other.sequence == open.token);
            if !is_there {
                release(&open.at);
            }
            is_there
        });
        Ok(found.iter().take(MAX_STICKS).map(stick).collect())
    }

    fn open(&mut self, token: u64, access: Access) -> Result<PathBuf, SticksError> {
        let other = self.find(token)?;
        if let Some(open) = self.open.iter_mut().find(|open| open.token == token) {
            if access == Access::ReadWrite && open.access == Access::ReadOnly {
                if other.is_read_only {
                    return Err(SticksError::WriteProtected);
                }
                let flags = NOTHING_FROM_IT | MsFlags::MS_REMOUNT;
                mount(None::<&str>, &open.at, None::<&str>, flags, None::<&str>)?;
                if matches!(other.files, Some((FileSystem::Ext4, ..))) {
                    chown(&open.at, Some(self.owner.user), Some(self.owner.group))?;
                }
                open.access = access;
            }
            open.times += 1;
            return Ok(open.at.clone());
        }
        let at = Path::new(PLACE).join(token.to_string());
        if let Err(error) = self.mount(&other, access, &at) {
            release(&at);
            return Err(error);
        }
        self.open.push(Open {
            token,
            times: 1,
            access,
            at: at.clone(),
        });
        Ok(at)
    }

    fn close(&mut self, token: u64) -> Result<(), SticksError> {
        let found = self.open.iter().position(|open| open.token == token);
        let at = found.ok_or(SticksError::Gone)?;
        self.open[at].times -= 1;
        if self.open[at].times == 0 {
            release(&self.open.swap_remove(at).at);
        }
        // One that went meanwhile may not have taken what was written last, whatever was said of that.
        self.find(token).map(drop)
    }

    fn close_all(&mut self) {
        self.open.drain(..).for_each(|open| release(&open.at));
    }
}

/// Unmounts what is at `at`: when that is done, what was written is on the stick. Where somebody still has a file of it open
/// it only is to be seen no more.
fn release(at: &Path) {
    let unmounted = umount2(at, MntFlags::UMOUNT_NOFOLLOW).or_else(|error| match error {
        Errno::EINVAL | Errno::ENOENT => Err(error),
        _ => umount2(at, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW),
    });
    match unmounted {
        Ok(()) | Err(Errno::EINVAL | Errno::ENOENT) => {}
        Err(error) => tracing::warn!(%error, "a stick stays mounted"),
    }
    // What is still mounted is not removed.
    let _ = fs::remove_dir(at);
}

fn how(access: Access) -> MsFlags {
    match access {
        Access::ReadOnly => MsFlags::MS_RDONLY,
        Access::ReadWrite => MsFlags::empty(),
    }
}

/// What the kernel calls it, and how it is mounted: for nobody but the hub.
fn options(kind: FileSystem, owner: Owner, is_read_only: bool) -> (&'static str, String) {
    let for_owner = format!("uid={},gid={},umask=077,errors=remount-ro", owner.user, owner.group);
    match kind {
        FileSystem::Fat => ("vfat", format!("{for_owner},flush")),
        FileSystem::ExFat => ("exfat", for_owner),
        // What can't be written can't have its journal replayed either.
        FileSystem::Ext4 if is_read_only => ("ext4", "errors=remount-ro,noload".to_owned()),
        FileSystem::Ext4 => ("ext4", "errors=remount-ro".to_owned()),
    }
}

fn stick(other: &Other) -> Stick {
    let label = other.files.as_ref().map_or("", |(_, _, label)| label);
    Stick {
        name: shown(&other.name),
        label: shown(label),
        bytes: other.bytes,
        has_files: other.files.is_some(),
        token: other.sequence,
    }
}

/// A name from outside, cut, without what can't be shown.
pub(super) fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect()
}

#[cfg(test)]
mod tests {
    use nix::unistd::{Gid, Uid};

    use super::*;

    #[test]
    fn a_stick_is_told_of_by_what_it_calls_itself() {
        let mut other = Other {
            name: "SanDisk Ultra Fit".into(),
            bytes: 8 << 30,
            sequence: 9,
            is_read_only: false,
            files: Some((FileSystem::Fat, "/dev/sda1".into(), "KE\u{7}YS".into())),
        };
        let told = stick(&other);
        assert_eq!(
            (told.name.as_str(), told.label.as_str(), told.has_files),
            ("SanDisk Ultra Fit", "KEYS", true)
        );
        other.files = None;
        assert!(!stick(&other).has_files);
    }

    #[test]
    fn its_files_are_for_the_hub_alone() {
        let owner = Owner {
            user: Uid::from_raw(100),
            group: Gid::from_raw(101),
        };
        let (name, fat) = options(FileSystem::Fat, owner, false);
        assert_eq!(
            (name, fat.as_str()),
            ("vfat", "uid=100,gid=101,umask=077,errors=remount-ro,flush")
        );
        assert!(options(FileSystem::Ext4, owner, true).1.contains("noload"));
        assert!(!options(FileSystem::Ext4, owner, false).1.contains("noload"));
    }
}
