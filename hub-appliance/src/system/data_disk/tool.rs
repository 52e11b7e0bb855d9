//! The programs that work on disks, run one at a time with nothing of our environment.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

use serde::{Deserialize, Serialize};

use super::DataDiskError;
use super::breaking::Breaker;

/// More is not read of what a program writes.
const MAX_OUTPUT: u64 = 64 * 1024;

/// A program that works on disks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tool {
    /// Looks for known content.
    Blkid,
    /// Encrypts.
    Cryptsetup,
    /// Checks and mends a file system.
    E2fsck,
    /// Makes a file system.
    Mke2fs,
    /// Tells the kernel of new partitions on a disk that is in use.
    Partx,
    /// Writes partition tables.
    Sfdisk,
}

impl Tool {
    const fn path(self) -> &'static str {
        match self {
            Self::Blkid => "/sbin/blkid",
            Self::Cryptsetup => "/sbin/cryptsetup",
            Self::E2fsck => "/sbin/e2fsck",
            Self::Mke2fs => "/sbin/mke2fs",
            // Debian and Buildroot have it in different folders.
            Self::Partx => "partx",
            Self::Sfdisk => "/sbin/sfdisk",
        }
    }

    /// Runs it with `input` as its standard input and gives its exit status.
    ///
    /// # Errors
    /// [`DataDiskError::Tool`] if it can't be run or is killed.
    pub(super) fn status(self, arguments: &[&str], input: &[u8]) -> Result<i32, DataDiskError> {
        self.status_unless(&Breaker::default(), arguments, input)
    }

    /// The same, unless it is broken off.
    ///
    /// # Errors
    /// [`DataDiskError::Stopped`], or as [`Self::status`].
    pub(super) fn status_unless(
        self,
        breaker: &Breaker,
        arguments: &[&str],
        input: &[u8],
    ) -> Result<i32, DataDiskError> {
        let mut child = breaker.start(|| self.start(arguments, Stdio::null()))?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that ends without reading says why by its status.
            let _ = stdin.write_all(input);
        }
        self.ended(breaker, &mut child)
    }

    /// The exit status of one that was begun.
    fn ended(self, breaker: &Breaker, child: &mut Child) -> Result<i32, DataDiskError> {
        match breaker.wait(child) {
            Ok(status) => status.code().ok_or(DataDiskError::Tool(self)),
            Err(DataDiskError::Stopped) => Err(DataDiskError::Stopped),
            Err(_) => Err(DataDiskError::Tool(self)),
        }
    }

    /// Runs it and gives its exit status and what it writes to its standard output.
    ///
    /// # Errors
    /// [`DataDiskError::Tool`] if it can't be run or is killed.
    pub(super) fn output(self, arguments: &[&str]) -> Result<(i32, String), DataDiskError> {
        self.output_unless(&Breaker::default(), arguments)
    }

    /// The same, unless it is broken off.
    ///
    /// # Errors
    /// [`DataDiskError::Stopped`], or as [`Self::output`].
    pub(super) fn output_unless(self, breaker: &Breaker, arguments: &[&str]) -> Result<(i32, String), DataDiskError> {
        let mut child = breaker.start(|| self.start(arguments, Stdio::piped()))?;
        let mut text = String::new();
        let read = child
            .stdout
            .take()
            .map_or(Ok(0), |stdout| stdout.take(MAX_OUTPUT).read_to_string(&mut text));
        let status = self.ended(breaker, &mut child)?;
        read.map_err(|_| DataDiskError::Tool(self))?;
        Ok((status, text))
    }

    /// Runs it and gives its exit status; `hear` gets each line that it writes to its standard output.
    ///
    /// # Errors
    /// [`DataDiskError::Tool`] if it can't be run or is killed.
    pub(super) fn heard(self, arguments: &[&str], mut hear: impl FnMut(&str)) -> Result<i32, DataDiskError> {
        let mut child = self.start(arguments, Stdio::piped())?;
        // To its end, whatever it writes: a program that nobody reads from any more is killed by its next line.
        let lines = child
            .stdout
            .take()
            .into_iter()
            .flat_map(|stdout| BufReader::new(stdout).split(b'\n'));
        for line in lines.map_while(Result::ok) {
            hear(&String::from_utf8_lossy(&line));
        }
        let status = child.wait().map_err(|_| DataDiskError::Tool(self))?;
        status.code().ok_or(DataDiskError::Tool(self))
    }

    fn start(self, arguments: &[&str], stdout: Stdio) -> Result<Child, DataDiskError> {
        Command::new(self.path())
            .args(arguments)
            .env_clear()
            .env("PATH", "/sbin:/usr/sbin:/bin:/usr/bin")
            .env("LC_ALL", "C")
            // There is no udev on the image to wait for.
            .env("DM_DISABLE_UDEV", "1")
            .stdin(Stdio::piped())
            .stdout(stdout)
            .spawn()
            .map_err(|_| DataDiskError::Tool(self))
    }

    /// Runs it, and takes any status but 0 for a failure.
    ///
    /// # Errors
    /// [`DataDiskError::Tool`].
    pub(super) fn run(self, arguments: &[&str], input: &[u8]) -> Result<(), DataDiskError> {
        match self.status(arguments, input)? {
            0 => Ok(()),
            status => {
                tracing::error!(tool = %self, status, "failed on the data disk");
                Err(DataDiskError::Tool(self))
            }
        }
    }
}

impl std::fmt::Display for Tool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.path().trim_start_matches("/sbin/"))
    }
}
