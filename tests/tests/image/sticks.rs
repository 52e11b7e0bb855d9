//! Sticks as files, which a box in QEMU has in a slot.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const STICK: u64 = 64 << 20;
const SECTOR: u64 = 512;
/// Where the only partition begins of a stick that has one.
const PARTITION: u64 = 1 << 20;

/// A stick as a file.
#[derive(Debug)]
pub(crate) struct Stick {
    /// QEMU's name for it.
    pub(crate) name: &'static str,
    file: PathBuf,
    /// Where its file system begins.
    start: u64,
}

impl Stick {
    /// One FAT over all of it. What `mformat` writes looks like a table of partitions too.
    pub(crate) fn new(folder: &Path, name: &'static str) -> Self {
        let stick = Self::blank(folder, name);
        stick.format();
        stick
    }

    /// As most are sold: a partition with FAT.
    pub(crate) fn with_partition(folder: &Path, name: &'static str) -> Self {
        let mut stick = Self::blank(folder, name);
        let mut sfdisk = Command::new("/sbin/sfdisk");
        sfdisk.arg("--quiet").arg(&stick.file).stdin(Stdio::piped());
        let mut sfdisk = sfdisk.spawn().unwrap();
        let table = format!("label: dos\nstart={}, type=c\n", PARTITION / SECTOR);
        sfdisk.stdin.take().unwrap().write_all(table.as_bytes()).unwrap();
        assert!(sfdisk.wait().unwrap().success());
        stick.start = PARTITION;
        stick.format();
        stick
    }

    fn format(&self) {
        let sectors = ((STICK - self.start) / SECTOR).to_string();
        let mut format = Command::new("mformat");
        format.arg("-i").arg(self.files()).args(["-F", "-T", &sectors, "::"]);
        assert!(format.status().unwrap().success());
    }

    /// Its file system, for mtools.
    fn files(&self) -> String {
        format!("{}@@{}", self.file.display(), self.start)
    }

    /// One that was never formatted.
    pub(crate) fn blank(folder: &Path, name: &'static str) -> Self {
        let file = folder.join(name);
        fs::File::create(&file).unwrap().set_len(STICK).unwrap();
        Self { name, file, start: 0 }
    }

    /// One with exFAT, as large ones are sold.
    pub(crate) fn large(folder: &Path, name: &'static str) -> Self {
        let stick = Self::blank(folder, name);
        let made = Command::new("/sbin/mkfs.exfat").arg(&stick.file).output().unwrap();
        assert!(made.status.success());
        stick
    }

    /// Another one with the same on it.
    pub(crate) fn copy(&self, name: &'static str) -> Self {
        let file = self.file.with_file_name(name);
        fs::copy(&self.file, &file).unwrap();
        Self {
            name,
            file,
            start: self.start,
        }
    }

    /// For QEMU: it can be put in by its name, and slowed down.
    pub(crate) fn arguments(&self) -> [String; 4] {
        let (name, file) = (self.name, self.file.display());
        let disk = format!(
            "driver=throttle,throttle-group={name}-speed,node-name={name},file.driver=raw,file.file.driver=file,\
            file.file.filename={file}"
        );
        let speed = format!("throttle-group,id={name}-speed");
        ["-object".into(), speed, "-blockdev".into(), disk]
    }

    /// For QEMU: it is in when the box is switched on.
    pub(crate) fn is_in(&self) -> [String; 2] {
        let stick = format!("usb-storage,drive={},id=stick,removable=on", self.name);
        ["-device".into(), stick]
    }

    /// The paths of everything on it, or nothing where there is no such folder.
    pub(crate) fn paths(&self, folder: &str) -> Vec<String> {
        let mut list = Command::new("mdir");
        list.args(["-/", "-b", "-i"])
            .arg(self.files())
            .arg(format!("::{folder}"));
        let output = list.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// A folder on it, copied into one of the desk's.
    pub(crate) fn copied(&self, folder: &str, to: &Path) -> PathBuf {
        let mut copy = Command::new("mcopy");
        copy.args(["-s", "-n", "-i"]).arg(self.files());
        assert!(copy.arg(format!("::{folder}")).arg(to).status().unwrap().success());
        to.join(folder)
    }

    /// The other way round.
    pub(crate) fn take(&self, folder: &Path) {
        let mut copy = Command::new("mcopy");
        copy.args(["-s", "-o", "-i"]).arg(self.files());
        assert!(copy.arg(folder).arg("::").status().unwrap().success());
    }
}
