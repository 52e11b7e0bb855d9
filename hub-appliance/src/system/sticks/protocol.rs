//! What the hub and the sticks' service say to each other: a line of JSON each way, in turn.
//!
//! ```text
//! → "look" | {"open":{"token":9,"access":"read-only"}} | {"close":{"token":9}}
//! ← {"sticks":[…]} | {"opened":"/run/hub-stick/9"} | "done" | {"failed":"gone"}
//! ```

use std::io::{self, BufRead, Write};
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Access, Stick, SticksError};
use crate::system::data_disk::read_line;

/// What the hub asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Request {
    Look,
    Open { token: u64, access: Access },
    Close { token: u64 },
}

/// What it gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Answer {
    Sticks(Vec<Stick>),
    /// Where it is mounted.
    Opened(PathBuf),
    Done,
    Failed(SticksError),
}

/// The next message; `None` at the end. What is no message is an error.
pub(super) fn receive<T: DeserializeOwned>(from: &mut impl BufRead) -> io::Result<Option<T>> {
    let line = read_line(from)?;
    Ok(line.map(|line| serde_json::from_str(&line)).transpose()?)
}

pub(super) fn send(mut to: impl Write, message: &impl Serialize) -> io::Result<()> {
    let mut json = serde_json::to_vec(message)?;
    json.push(b'\n');
    to.write_all(&json)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::system::sticks::disks::{MAX_STICKS, shown};

    #[test]
    fn the_longest_answer_reads_back() {
        let stick = Stick {
            name: shown(&"\u{10FFFF}".repeat(99)),
            label: shown(&"\"".repeat(99)),
            bytes: u64::MAX,
            has_files: false,
            token: u64::MAX,
        };
        let answer = Answer::Sticks(vec![stick; MAX_STICKS]);
        let mut line = Vec::new();
        send(&mut line, &answer).unwrap();
        assert_eq!(receive::<Answer>(&mut line.as_slice()).unwrap(), Some(answer));
    }

    #[test]
    fn the_hub_can_name_neither_a_device_nor_a_folder() {
        for line in [
            "{\"open\":{\"token\":1,\"access\":\"read-only\",\"at\":\"/\"}}\n",
            "{\"open\":{\"token\":\"/dev/sda1\",\"access\":\"read-only\"}}\n",
            "{\"open\":{\"token\":1}}\n",
            "\"unmount\"\n",
            "\n",
            "\"look\"",
        ] {
            assert!(receive::<Request>(&mut line.as_bytes()).is_err(), "{line}");
        }
        let line = "{\"open\":{\"token\":1,\"access\":\"read-write\"}}\n";
        let expected = Request::Open {
            token: 1,
            access: Access::ReadWrite,
        };
        assert_eq!(receive(&mut line.as_bytes()).unwrap(), Some(expected));
    }

    proptest! {
        #[test]
        fn no_line_panics(line: String) {
            let _ = receive::<Request>(&mut format!("{line}\n").as_bytes());
        }
    }
}
