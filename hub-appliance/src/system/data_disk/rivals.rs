//! Of several data disks, what a person has to know to choose one: whose each is, how many phones it knows, when it was used
//! last. All of it is in the public facts beside the key slots, which an open hub writes.
//!
//! Nothing is changed for that, on none of them. Which one was chosen is kept until the next start, and on the card from when
//! the disk is opened: see `memory`.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::choice::rivals;
use super::find::Disk;
use super::moving::open_plain;
use super::volume::{looked_into, mounted_device};
use super::{DataDiskError, Luks, Rival};

/// The file of the public facts, beside the key slots.
pub const FACTS_FILE: &str = "facts.json";
/// A file that is longer is not ours.
pub const MAX_FACTS: usize = 4096;
/// More disks than a person chooses from.
const MAX_RIVALS: usize = 4;
/// Longest name of a hub that is passed on, characters.
const MAX_NAME: usize = 32;

/// What the facts say of who uses the disk. Whoever holds it can write them, so this is for a person's eyes alone.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Use {
    hub_name: Option<String>,
    phones: Option<u32>,
    clock: Option<i64>,
}

impl Use {
    fn parse(json: &[u8]) -> Self {
        serde_json::from_slice(json).unwrap_or_default()
    }

    fn of(disk: &Disk, facts: Self) -> Rival {
        let plain = |name: String| name.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect();
        Rival {
            is_card: disk.is_on_system,
            bytes: if disk.is_on_system { disk.room } else { disk.bytes },
            hub: facts.hub_name.map(plain).filter(|name: &String| !name.is_empty()),
            phones: facts.phones,
            used_at: facts.clock.filter(|clock| *clock > 0),
            token: disk.sequence,
        }
    }
}

impl Luks {
    /// See [`super::DataDisk::rivals`].
    pub(super) fn list_rivals(&self) -> Result<Vec<Rival>, DataDiskError> {
        let found = self.look()?;
        let mounted = mounted_device(&self.keys)?;
        let facts = |disk: &Disk| {
            let read = |folder: &Path| facts_in(folder).unwrap_or_default();
            // What is mounted for writing can't be mounted for a look.
            let json = if mounted.as_ref() == Some(&disk.keys.0) {
                read(&self.keys)
            } else {
                looked_into(&disk.keys.0, read).unwrap_or_default()
            };
            Use::parse(&json)
        };
        let all = rivals(&found).into_iter().take(MAX_RIVALS);
        Ok(all.map(|disk| Use::of(disk, facts(disk))).collect())
    }
}

fn facts_in(folder: &Path) -> io::Result<Vec<u8>> {
    let file = open_plain(&folder.join(FACTS_FILE), File::options().read(true))?;
    let mut json = Vec::new();
    file.take(MAX_FACTS as u64).read_to_end(&mut json)?;
    Ok(json)
}

#[cfg(test)]
mod tests {
    use super::super::find::a_finished_disk;
    use super::*;

    #[test]
    fn a_disk_is_told_of_by_its_facts_and_what_is_none_is_unknown() {
        let told = |json: &[u8]| Use::of(&a_finished_disk(), Use::parse(json));
        let rival = told(br#"{"hub_name":"Clinic \u0007North","phones":12,"clock":1795741503000,"seal":"x"}"#);
        assert_eq!(
            (rival.hub.as_deref(), rival.phones, rival.used_at),
            (Some("Clinic North"), Some(12), Some(1_795_741_503_000))
        );
        assert_eq!((rival.token, rival.bytes), (5, 32 << 30));
        for unknown in [&b"{}"[..], b"[]", b"{", br#"{"phones":-1}"#, b"\xff"] {
            let rival = told(unknown);
            assert_eq!((rival.hub, rival.phones, rival.used_at), (None, None, None));
        }
        let long = format!(r#"{{"hub_name":"{}"}}"#, "n".repeat(2000));
        assert_eq!(told(long.as_bytes()).hub.unwrap().len(), MAX_NAME);
    }

    #[test]
    fn facts_that_lead_elsewhere_are_not_read() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "of the system").unwrap();
        let file = folder.path().join(FACTS_FILE);
        std::os::unix::fs::symlink(folder.path().join("secret"), &file).unwrap();
        assert!(facts_in(folder.path()).is_err());
        std::fs::remove_file(&file).unwrap();
        nix::unistd::mkfifo(&file, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(facts_in(folder.path()).is_err());
        std::fs::remove_file(&file).unwrap();
        std::fs::write(&file, vec![b'x'; 2 * MAX_FACTS]).unwrap();
        assert_eq!(facts_in(folder.path()).unwrap().len(), MAX_FACTS);
    }
}
