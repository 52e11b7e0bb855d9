//! A disk that is soon full. To mount it takes root, or sudo.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// A file system in memory, of a size of its own.
pub(crate) struct SmallDisk {
    place: TempDir,
}

impl SmallDisk {
    /// One of this size, as `mount` writes it: `64m`.
    pub(crate) fn new(size: &str) -> Self {
        let place = tempfile::tempdir().unwrap();
        let options = format!("size={size},mode=1777,nosuid,nodev");
        let mounted = as_root("mount", &["-t", "tmpfs", "-o", &options, "tmpfs"], place.path());
        assert!(
            mounted,
            "a small disk can't be mounted: run these tests as root, or with sudo"
        );
        Self { place }
    }

    /// Makes it another size.
    pub(crate) fn resize(&self, size: &str) {
        let options = format!("remount,size={size}");
        assert!(as_root("mount", &["-o", &options], self.place.path()));
    }

    /// A folder on it.
    pub(crate) fn folder(&self) -> TempDir {
        tempfile::tempdir_in(self.place.path()).unwrap()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Its hub may be about to end.
        as_root("umount", &["--lazy"], self.place.path());
    }
}

fn as_root(program: &str, arguments: &[&str], place: &Path) -> bool {
    let run = |command: &mut Command| {
        command
            .args(arguments)
            .arg(place)
            .status()
            .is_ok_and(|status| status.success())
    };
    run(&mut Command::new(program)) || run(Command::new("sudo").args(["--non-interactive", program]))
}
