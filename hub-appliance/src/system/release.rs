//! Which image the system runs from, as that says of itself. A desk's system says nothing.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The build id, a line, written by the image's build: `hub VERSION REVISION BOARD …`.
const RELEASE: &str = "etc/hub-release";
/// Is there where the image has a shell on its console.
const DEVELOPMENT: &str = "etc/hub-dev";
/// Has the dm-verity table of the root, and in that the root hash.
const COMMAND_LINE: &str = "proc/cmdline";

/// No file of these is longer.
const MAX_BYTES: u64 = 4096;
/// No build id is longer.
const MAX_ID: usize = 120;
/// The characters of a revision that a person reads out.
const SHORT_REVISION: usize = 8;

/// The image that the system runs from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Release {
    /// Its build id; none on a system that is no image of ours.
    pub build: Option<String>,
    /// The hash that all of its root is verified by.
    pub root_hash: Option<String>,
    /// Whether it is one for development, with a shell.
    pub is_development: bool,
}

impl Release {
    /// Reads it from the system whose root is `root`.
    #[must_use]
    pub fn read(root: &Path) -> Self {
        let id = text(&root.join(RELEASE)).map(|text| text.lines().next().unwrap_or_default().to_owned());
        let is_plain = |id: &String| !id.is_empty() && id.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        let build = id.filter(is_plain).filter(|id| id.len() <= MAX_ID);
        let root_hash = build.as_ref().and_then(|_| text(&root.join(COMMAND_LINE)));
        Self {
            root_hash: root_hash.as_deref().and_then(root_hash_in),
            is_development: build.is_some() && root.join(DEVELOPMENT).exists(),
            build,
        }
    }

    /// The revision of its sources, short; with a plus where they were changed. None where there is no build id.
    #[must_use]
    pub fn revision(&self) -> Option<String> {
        let revision = self.build.as_deref()?.split(' ').nth(2).unwrap_or_default();
        let (commit, changed) = revision
            .split_once('-')
            .map_or((revision, ""), |(commit, _)| (commit, "+"));
        let is_one = commit.len() >= SHORT_REVISION && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
        Some(if is_one {
            format!("{}{changed}", &commit[..SHORT_REVISION])
        } else {
            "?".into()
        })
    }
}

/// The root hash follows the name of the hash in the verity table.
fn root_hash_in(command_line: &str) -> Option<String> {
    let mut words = command_line.split_whitespace().skip_while(|word| *word != "verity");
    words.find(|word| *word == "sha256")?;
    let is_hash = |hash: &&str| hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    words.next().filter(is_hash).map(str::to_owned)
}

fn text(file: &Path) -> Option<String> {
    let mut text = String::new();
    let file = File::open(file).ok()?;
    file.take(MAX_BYTES).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const HASH: &str = "0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9";

    fn system(release: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for folder in ["etc", "proc"] {
            fs::create_dir(root.path().join(folder)).unwrap();
        }
        fs::write(root.path().join(RELEASE), release).unwrap();
        let line = format!(
            "console=ttyAMA0 ro dm-mod.create=\"hubroot,,,ro,0 80 verity 1 PARTUUID=a-02 PARTUUID=a-02 4096 4096 10 11 \
             sha256 {HASH} {HASH} 1 panic_on_corruption\"\n"
        );
        fs::write(root.path().join(COMMAND_LINE), line).unwrap();
        root
    }

    fn revision(release: &str) -> Option<String> {
        Release::read(system(release).path()).revision()
    }

    #[test]
    fn an_image_says_which_it_is() {
        let root = system("hub 0.1.0 4d43c9c12ab3 qemu DEV\n");
        fs::write(root.path().join(DEVELOPMENT), "").unwrap();
        let expected = Release {
            build: Some("hub 0.1.0 4d43c9c12ab3 qemu DEV".into()),
            root_hash: Some(HASH.into()),
            is_development: true,
        };
        assert_eq!(Release::read(root.path()), expected);
        assert_eq!(revision("hub 0.1.0 4d43c9c12ab3 qemu\n").as_deref(), Some("4d43c9c1"));
        assert_eq!(
            revision("hub 0.1.0 4d43c9c12ab3-modified qemu").as_deref(),
            Some("4d43c9c1+")
        );
        assert_eq!(revision("hub of no known revision, qemu").as_deref(), Some("?"));
    }

    #[test]
    fn a_desk_says_nothing_and_nonsense_is_not_believed() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(Release::read(root.path()), Release::default());
        assert_eq!(Release::default().revision(), None);
        for nonsense in ["", "\n", "hub \u{1b}[2J", &"x".repeat(MAX_ID + 1)] {
            assert_eq!(Release::read(system(nonsense).path()), Release::default());
        }
    }
}
