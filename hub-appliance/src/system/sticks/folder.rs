//! One stick that is a folder: in while the folder is there.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::syncfs;

use super::{Access, Mounted, Stick, Sticks, SticksError};

/// The folder that stands for a stick.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// A stick with its files in `path`. To pull it out is to rename that folder.
    #[must_use]
    pub const fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Another folder of the same name is another stick.
    fn token(&self) -> Option<u64> {
        let found = fs::metadata(&self.path).ok()?;
        found.is_dir().then(|| found.ino())
    }
}

impl Sticks for Folder {
    fn look(&self) -> Result<Vec<Stick>, SticksError> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let stick = self.token().map(|token| Stick {
            name: super::disks::shown(&name),
            label: String::new(),
            bytes: room(&self.path),
            has_files: true,
            token,
        });
        Ok(stick.into_iter().collect())
    }

    fn is_there(&self, stick: &Stick) -> bool {
        self.token() == Some(stick.token)
    }

    fn open(&self, stick: &Stick, _: Access) -> Result<Mounted, SticksError> {
        if !self.is_there(stick) {
            return Err(SticksError::Gone);
        }
        let (of, token) = (self.clone(), stick.token);
        Ok(Mounted::new(self.path.clone(), move || {
            // Another folder by now is another stick.
            if of.token() != Some(token) {
                return Err(SticksError::Gone);
            }
            Ok(syncfs(&File::open(&of.path)?)?)
        }))
    }
}

fn room(path: &Path) -> u64 {
    nix::sys::statvfs::statvfs(path).map_or(0, |found| found.blocks().saturating_mul(found.fragment_size()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_in_while_the_folder_is_there() {
        let desk = tempfile::tempdir().unwrap();
        let (path, away) = (desk.path().join("stick"), desk.path().join("away"));
        let sticks = Folder::at(path.clone());
        assert_eq!(sticks.look(), Ok(Vec::new()));
        fs::create_dir(&path).unwrap();
        let [stick] = <[Stick; 1]>::try_from(sticks.look().unwrap()).unwrap();
        assert_eq!(stick.name, "stick");
        assert!(stick.bytes > 0 && stick.has_files);
        let open = sticks.open(&stick, Access::ReadWrite).unwrap();
        assert!(open.is_empty().unwrap());
        fs::create_dir(open.path().join("System Volume Information")).unwrap();
        assert!(open.is_empty().unwrap());
        fs::write(open.path().join("hub.key"), "x").unwrap();
        assert!(!open.is_empty().unwrap());
        open.close().unwrap();
        let open = sticks.open(&stick, Access::ReadOnly).unwrap();
        fs::rename(&path, &away).unwrap();
        assert!(!sticks.is_there(&stick));
        assert_eq!(open.close(), Err(SticksError::Gone));
        assert!(matches!(sticks.open(&stick, Access::ReadOnly), Err(SticksError::Gone)));
        fs::create_dir(&path).unwrap();
        assert!(!sticks.is_there(&stick), "that is another one");
        fs::remove_dir(&path).unwrap();
        fs::rename(&away, &path).unwrap();
        assert!(sticks.is_there(&stick));
    }
}
