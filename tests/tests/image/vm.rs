//! A box in QEMU: switched on, reset, its plug pulled.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use hub_tests::panel_client::{PanelClient, PanelError};
use hub_tests::patience::patience;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStdout, Command};

/// How long the box may take for anything, on a machine that emulates it while it does other things.
const PATIENCE: Duration = Duration::from_secs(300);

/// Why the box is not where a test needs it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VmError {
    /// A process, a file or a socket.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The console ended, or said nothing that was waited for.
    #[error("the console does not say {wanted:?}; it said:\n{said}")]
    Silent {
        /// What was waited for.
        wanted: &'static str,
        /// All that it said.
        said: String,
    },
    /// The monitor did not do it.
    #[error("the monitor says {0}")]
    Monitor(String),
    /// The panel.
    #[error(transparent)]
    Panel(#[from] PanelError),
}

/// How the data disk is in the box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DataDisk {
    /// Inside it.
    Fixed,
    /// On USB: it can be pulled out.
    Usb,
    /// Inside it, and a copy of it on USB.
    Both,
    /// On the rest of an old card, which is in a reader on USB.
    OldCard,
    /// The same, and another disk inside it.
    OldCardAndFixed,
    /// On USB, and a larger disk inside it.
    UsbAndLarger,
    /// That larger disk alone.
    Larger,
    /// Not at all.
    None,
}

/// What the box is made of.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    /// The card's image.
    pub(crate) card: PathBuf,
    /// Whether the card may be written.
    pub(crate) write_card: bool,
    /// The data disk.
    pub(crate) data: PathBuf,
    /// How it is in the box.
    pub(crate) has_data: DataDisk,
    /// The description of another board, if it is one.
    pub(crate) dtb: Option<PathBuf>,
    /// The network it is in.
    pub(crate) network: &'static str,
    /// Where its phones' port is on this machine.
    pub(crate) port: u16,
    /// Where the data disk's writes and flushes are logged, if they are.
    pub(crate) log: Option<PathBuf>,
}

/// The box, switched on. Dropping it pulls its plug.
#[derive(Debug)]
pub(crate) struct Vm {
    child: Child,
    console: BufReader<ChildStdout>,
    said: String,
    folder: PathBuf,
    port: u16,
}

impl Vm {
    /// Switches a box on whose sockets are in `folder`.
    pub(crate) fn start(parts: &Parts, folder: &Path) -> Result<Self, VmError> {
        Self::start_with(parts, folder, &[])
    }

    /// The same, with more arguments for QEMU.
    pub(crate) fn start_with(parts: &Parts, folder: &Path, more: &[&str]) -> Result<Self, VmError> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/boot-image");
        let mut command = Command::new(script);
        if let Some(log) = &parts.log {
            command.arg("--log").arg(log);
        }
        if parts.write_card {
            command.arg("--write-card");
        }
        if let Some(dtb) = &parts.dtb {
            command.arg("--dtb").arg(dtb);
        }
        let none = Path::new("none");
        let larger = parts.data.with_extension("larger");
        let fixed = match parts.has_data {
            DataDisk::Fixed | DataDisk::Both | DataDisk::OldCardAndFixed => &parts.data,
            DataDisk::UsbAndLarger | DataDisk::Larger => &larger,
            DataDisk::Usb | DataDisk::OldCard | DataDisk::None => none,
        };
        let usb = match parts.has_data {
            DataDisk::Usb | DataDisk::UsbAndLarger => Some(parts.data.clone()),
            DataDisk::OldCard | DataDisk::OldCardAndFixed => Some(parts.card.with_extension("old")),
            DataDisk::Both => Some(parts.data.with_extension("copy")),
            DataDisk::Fixed | DataDisk::Larger | DataDisk::None => None,
        };
        if let Some(usb) = usb {
            command.arg("--usb").arg(usb);
        }
        let mut child = command
            .arg("--card")
            .arg(&parts.card)
            .arg("--data")
            .arg(fixed)
            .arg("--run")
            .arg(folder)
            .args(["--network", parts.network, "--port", &parts.port.to_string()])
            .arg("--")
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = child.stdout.take().ok_or(io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(Self {
            child,
            console: BufReader::new(stdout),
            said: String::new(),
            folder: folder.to_owned(),
            port: parts.port,
        })
    }

    /// Where its phones' port is on this machine.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Waits until the console says `wanted`, and gives how long that took.
    pub(crate) async fn wait_for(&mut self, wanted: &'static str) -> Result<Duration, VmError> {
        let began = Instant::now();
        let found = tokio::time::timeout(patience(PATIENCE), async {
            // A line that is being set up can send bytes that are no text.
            let mut bytes = Vec::new();
            while let Ok(1..) = self.console.read_until(b'\n', &mut bytes).await {
                let line = String::from_utf8_lossy(&bytes);
                self.said.push_str(&line.replace('\r', ""));
                if line.contains(wanted) {
                    return true;
                }
                bytes.clear();
            }
            false
        });
        if found.await.unwrap_or(false) {
            Ok(began.elapsed())
        } else {
            Err(VmError::Silent {
                wanted,
                said: self.said.clone(),
            })
        }
    }

    /// All that its console said until the last wait ended.
    pub(crate) fn said(&self) -> &str {
        &self.said
    }

    /// The other end of its panel's port.
    pub(crate) fn panel_socket(&self) -> PathBuf {
        self.folder.join("panel.sock")
    }

    /// A hand on its panel.
    pub(crate) async fn panel(&self) -> Result<PanelClient, VmError> {
        Ok(PanelClient::connect(&self.panel_socket()).await?)
    }

    /// Types a line at its console.
    pub(crate) async fn type_line(&mut self, line: &str) -> Result<(), VmError> {
        let console = self
            .child
            .stdin
            .as_mut()
            .ok_or(io::Error::from(io::ErrorKind::BrokenPipe))?;
        console.write_all(format!("{line}\n").as_bytes()).await?;
        Ok(console.flush().await?)
    }

    /// Waits until it has switched itself off.
    pub(crate) async fn wait_until_off(mut self) -> Result<Duration, VmError> {
        let began = Instant::now();
        match tokio::time::timeout(patience(PATIENCE), self.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(began.elapsed()),
            _ => Err(VmError::Silent {
                wanted: "the end of the machine",
                said: self.said,
            }),
        }
    }

    /// Presses its reset button: whatever is not on the disk by now is lost to it.
    pub(crate) async fn reset(&self) -> Result<(), VmError> {
        self.monitor(r#"{"execute":"system_reset"}"#).await
    }

    /// Pulls out the card that it runs from.
    pub(crate) async fn pull_card(&self) -> Result<(), VmError> {
        self.monitor(r#"{"execute":"device_del","arguments":{"id":"system-card"}}"#)
            .await
    }

    /// Pulls the disk on USB out.
    pub(crate) async fn pull_stick(&self) -> Result<(), VmError> {
        self.monitor(r#"{"execute":"device_del","arguments":{"id":"stick"}}"#)
            .await
    }

    /// Puts the disk on USB in again.
    pub(crate) async fn put_stick(&self) -> Result<(), VmError> {
        let stick = r#"{"driver":"usb-storage","drive":"usb","id":"stick","removable":true}"#;
        self.monitor(&format!(r#"{{"execute":"device_add","arguments":{stick}}}"#))
            .await
    }

    /// Puts the disk of this name, which it was started with, in as a stick.
    pub(crate) async fn put_in(&self, disk: &str) -> Result<(), VmError> {
        let stick = format!(r#"{{"driver":"usb-storage","drive":"{disk}","id":"stick","removable":true}}"#);
        self.monitor(&format!(r#"{{"execute":"device_add","arguments":{stick}}}"#))
            .await
    }

    /// Lets its data disk take no more than so many bytes a second; 0 for as many as come.
    pub(crate) async fn slow_writes_to(&self, bytes_a_second: u32) -> Result<(), VmError> {
        self.monitor(&format!(
            r#"{{"execute":"block_set_io_throttle","arguments":{{"id":"/machine/peripheral/data-disk/virtio-backend","bps":0,"bps_rd":0,"bps_wr":{bytes_a_second},"iops":0,"iops_rd":0,"iops_wr":0}}}}"#
        ))
        .await
    }

    /// Lets a stick of [`Stick`](super::sticks::Stick) take no more than so many bytes a second; 0 for as many as come.
    pub(crate) async fn slow_writes_to_stick(&self, disk: &str, bytes_a_second: u32) -> Result<(), VmError> {
        self.monitor(&format!(
            r#"{{"execute":"qom-set","arguments":{{"path":"/objects/{disk}-speed","property":"limits","value":{{"bps-write":{bytes_a_second}}}}}}}"#
        ))
        .await
    }

    /// Gives a command to the machine's monitor (QMP).
    async fn monitor(&self, command: &str) -> Result<(), VmError> {
        let stream = UnixStream::connect(self.folder.join("monitor.sock")).await?;
        let mut lines = BufReader::new(stream).lines();
        for command in [r#"{"execute":"qmp_capabilities"}"#, command] {
            lines.get_mut().write_all(format!("{command}\n").as_bytes()).await?;
            while let Some(line) = lines.next_line().await? {
                if line.contains("\"error\"") {
                    return Err(VmError::Monitor(line));
                }
                if line.contains("\"return\"") {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Pulls the plug.
    pub(crate) async fn pull_plug(mut self) -> Result<(), VmError> {
        Ok(self.child.kill().await?)
    }
}
