//! The real hub as a child process: started, set up through its panel, stopped, killed, filled.
//!
//! Promise: nothing of a hub outlives its value here (dropping kills it and takes its folder), and everything that it
//! printed can be looked through afterwards.

mod restoring;
mod test_hub;

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::panel_client::{PanelClient, PanelError};
use crate::phone::client::ClientError;

pub use restoring::{restore, restore_as};
pub use test_hub::{TestHub, copy_folder};

/// How long a hub may take to begin listening or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the hub's log says at the end of each run of its relay.
const RUN_ENDED: &str = "a run of the relay has ended";

/// The PIN of hubs set up here.
pub const PIN: &str = "31415926";

/// Environment variable that names another binary than the one beside the test.
pub const BINARY_VARIABLE: &str = "HUB_APPLIANCE";

/// Why a hub could not be brought to where a test needs it.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// A process could not be started, signalled or waited for, or a file not be written.
    #[error("the hub's process or folder")]
    Io(#[from] io::Error),
    /// There is no binary; build the workspace first.
    #[error("no hub-appliance at {0}: build the workspace first")]
    NoBinary(PathBuf),
    /// The hub ended, or did not say where it listens.
    #[error("the hub does not listen; it printed: {0}")]
    NotListening(String),
    /// The hub did not end in time after SIGTERM.
    #[error("the hub does not end")]
    NotEnding,
    /// No run of the relay ended in time.
    #[error("no run of the relay ended; those before: {0:?}")]
    NoRun(Vec<String>),
    /// The import failed.
    #[error("the import failed ({status}): {stderr}")]
    Import {
        /// How it ended.
        status: ExitStatus,
        /// What it printed to standard error.
        stderr: String,
    },
    /// The panel did not get where it should.
    #[error(transparent)]
    Panel(#[from] PanelError),
    /// A phone could not pair or log in.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// The hub's binary: named by the variable [`BINARY_VARIABLE`], else beside this test's or program's own.
///
/// # Errors
/// [`HubError::NoBinary`] when it is not there.
pub fn binary() -> Result<PathBuf, HubError> {
    let path = match std::env::var_os(BINARY_VARIABLE) {
        Some(path) => PathBuf::from(path),
        None => beside()?,
    };
    if path.is_file() {
        Ok(path)
    } else {
        Err(HubError::NoBinary(path))
    }
}

/// Where the hub's binary stands that was built with this test or program.
fn beside() -> io::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().unwrap_or(Path::new("."));
    // Tests and benches stand one folder deeper than programs.
    let profile = if folder.ends_with("deps") {
        folder.parent().unwrap_or(folder)
    } else {
        folder
    };
    Ok(profile.join("hub-appliance"))
}

/// Of options and their values, one behind the other, those that a program's `serve` knows: an older firmware's may lack
/// some.
async fn known_to<'a>(binary: &Path, options: &[&'a OsStr]) -> io::Result<Vec<&'a OsStr>> {
    if binary == beside()? {
        return Ok(options.to_vec());
    }
    let help = Command::new(binary).args(["serve", "--help"]).output().await?.stdout;
    let help = String::from_utf8_lossy(&help);
    let is_known = |option: &OsStr| help.split_whitespace().any(|word| option == word);
    let pairs = options.chunks(2).filter(|pair| is_known(pair[0]));
    Ok(pairs.flatten().copied().collect())
}

/// A free port of the loopback address.
const ANY_PORT: &str = "127.0.0.1:0";

/// How much a hub logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Log {
    /// As much as it can, for tests that look for what must not be printed.
    Everything,
    /// Warnings, for benches.
    Warnings,
}

impl Log {
    fn filter(self) -> &'static str {
        match self {
            Self::Everything => "trace",
            // What the relay did is counted in it.
            Self::Warnings => "warn,hub_appliance::relay=info",
        }
    }
}

/// A running hub.
#[derive(Debug)]
pub struct Hub {
    child: Child,
    url: String,
    panel_socket: PathBuf,
    printed: Arc<Mutex<String>>,
    runs: watch::Receiver<Vec<String>>,
}

impl Hub {
    /// Starts a hub on a data folder with its panel at a socket.
    ///
    /// # Errors
    /// [`HubError::NotListening`] when it ends or says nothing for a minute.
    pub async fn start(data: &Path, panel_socket: &Path, listen: &str, log: Log) -> Result<Self, HubError> {
        Self::start_with(data, panel_socket, listen, log, &[]).await
    }

    /// The same with an owner's `hub-setup.toml`.
    ///
    /// # Errors
    /// As [`Hub::start`].
    pub async fn start_settled(
        data: &Path,
        panel_socket: &Path,
        listen: &str,
        log: Log,
        setup_file: &Path,
    ) -> Result<Self, HubError> {
        let more = [OsStr::new("--setup-file"), setup_file.as_os_str()];
        Self::start_with(data, panel_socket, listen, log, &more).await
    }

    /// The same with its data on a disk of its own, whose service listens at the socket `data_disk`.
    ///
    /// # Errors
    /// As [`Hub::start`].
    pub async fn start_on_disk(data: &Path, panel_socket: &Path, data_disk: &Path) -> Result<Self, HubError> {
        let more = [OsStr::new("--data-disk"), data_disk.as_os_str()];
        Self::start_with(data, panel_socket, ANY_PORT, Log::Warnings, &more).await
    }

    /// Starts a hub whose data and panel are in `folder`, at a free port, with more arguments.
    ///
    /// # Errors
    /// As [`Hub::start`].
    pub async fn start_in(folder: &Path, more: &[&OsStr]) -> Result<Self, HubError> {
        let (data, panel) = (folder.join("data"), folder.join("panel.sock"));
        Self::start_with(&data, &panel, ANY_PORT, Log::Warnings, more).await
    }

    /// The same with more arguments.
    ///
    /// # Errors
    /// As [`Hub::start`].
    pub async fn start_with(
        data: &Path,
        panel_socket: &Path,
        listen: &str,
        log: Log,
        more: &[&OsStr],
    ) -> Result<Self, HubError> {
        Self::start_binary(&binary()?, data, panel_socket, listen, log, more).await
    }

    async fn start_binary(
        binary: &Path,
        data: &Path,
        panel_socket: &Path,
        listen: &str,
        log: Log,
        more: &[&OsStr],
    ) -> Result<Self, HubError> {
        // Tests set up and unlock hundreds of hubs, by PINs that everybody knows.
        let quickly = ["--unlock-time", "0"].map(OsStr::new);
        let mut child = Command::new(binary)
            .args(["serve", "--listen", listen, "--board", "serial", "--data"])
            .arg(data)
            .arg("--panel")
            .arg(panel_socket)
            .args(known_to(binary, &[&quickly, more].concat()).await?)
            .env("RUST_LOG", log.filter())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let printed = Arc::new(Mutex::new(String::new()));
        let (found, mut listening) = watch::channel(None);
        let (ended, runs) = watch::channel(Vec::new());
        if let Some(stderr) = child.stderr.take() {
            let note_run = move |line: &str| {
                if let Some((_, how)) = line.split_once(RUN_ENDED) {
                    ended.send_modify(|runs| runs.push(how.trim().to_owned()));
                }
            };
            tokio::spawn(collect(stderr, Arc::clone(&printed), note_run));
        }
        if let Some(stdout) = child.stdout.take() {
            let note_url = move |line: &str| {
                if let Some(url) = line.strip_prefix("listening on ") {
                    found.send_replace(Some(url.trim_end_matches('/').to_owned()));
                }
            };
            tokio::spawn(collect(stdout, Arc::clone(&printed), note_url));
        }
        let url = tokio::time::timeout(PATIENCE, listening.wait_for(Option::is_some)).await;
        let url = url.ok().and_then(|seen| seen.ok()?.clone());
        let url = url.ok_or_else(|| HubError::NotListening(text_of(&printed)))?;
        Ok(Self {
            child,
            url,
            panel_socket: panel_socket.to_owned(),
            printed,
            runs,
        })
    }

    /// How the runs of its relay ended, in its log's words: `run=1 state=Waiting` is one that came to its end.
    #[must_use]
    pub fn relay_runs(&self) -> Vec<String> {
        self.runs.borrow().clone()
    }

    /// Waits until more than `before` runs of its relay have ended; gives how the last one did.
    ///
    /// # Errors
    /// [`HubError::NoRun`] after twenty minutes, or when the hub has ended.
    pub async fn wait_for_run(&self, before: usize) -> Result<String, HubError> {
        let mut runs = self.runs.clone();
        let more = tokio::time::timeout(20 * PATIENCE, runs.wait_for(|runs| runs.len() > before)).await;
        let last = more.ok().and_then(|runs| runs.ok()?.last().cloned());
        last.ok_or_else(|| HubError::NoRun(self.relay_runs()))
    }

    /// A person begins a run of the relay at the panel, held long where `whole` asks for everything to be compared; gives how
    /// it ended. None may be under way.
    ///
    /// # Errors
    /// What the panel reports; as [`Hub::wait_for_run`].
    pub async fn sync_now(&self, whole: bool) -> Result<String, HubError> {
        let before = self.runs.borrow().len();
        self.panel().await?.begin_sync(whole).await?;
        self.wait_for_run(before).await
    }

    /// Where phones reach it: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Everything that it printed so far, standard output and standard error.
    #[must_use]
    pub fn printed(&self) -> String {
        text_of(&self.printed)
    }

    /// A connection to its panel.
    ///
    /// # Errors
    /// [`PanelError`].
    pub async fn panel(&self) -> Result<PanelClient, PanelError> {
        PanelClient::connect(&self.panel_socket).await
    }

    /// Its process id.
    ///
    /// # Errors
    /// When it has ended.
    pub fn pid(&self) -> io::Result<u32> {
        self.child.id().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Its resident memory in KiB: now, and at its highest.
    ///
    /// # Errors
    /// When it has ended.
    pub fn resident_kib(&self) -> io::Result<(u64, u64)> {
        let pid = self.pid()?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
                .ok_or(io::ErrorKind::InvalidData)
        };
        Ok((field("VmRSS:")?, field("VmHWM:")?))
    }

    /// Makes the highest of its resident memory what it is now (`man 5 proc`).
    ///
    /// # Errors
    /// When it has ended, or the kernel has no such thing.
    pub fn forget_highest(&self) -> io::Result<()> {
        std::fs::write(format!("/proc/{}/clear_refs", self.pid()?), "5")
    }

    /// The processor time that its thread of this name has used, to 10 ms.
    ///
    /// # Errors
    /// When it has ended, or has no such thread.
    pub fn thread_time(&self, name: &str) -> io::Result<Duration> {
        /// `USER_HZ` of Linux on all that it runs on here (`man 5 proc`).
        const TICKS: u64 = 100;
        let pid = self.child.id().ok_or(io::ErrorKind::NotFound)?;
        for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
            let thread = thread?.path();
            if std::fs::read_to_string(thread.join("comm"))?.trim_end() != name {
                continue;
            }
            // After the name in brackets: state is field 3, times in user and system mode are 14 and 15.
            let stat = std::fs::read_to_string(thread.join("stat"))?;
            let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
            let ticks: u64 = fields
                .skip(11)
                .take(2)
                .filter_map(|field| field.parse::<u64>().ok())
                .sum();
            return Ok(Duration::from_millis(ticks * 1000 / TICKS));
        }
        Err(io::ErrorKind::NotFound.into())
    }

    /// Kills it as a power cut would, with nothing flushed or closed, and waits until it is gone.
    ///
    /// # Errors
    /// [`HubError::Io`].
    pub async fn kill9(&mut self) -> Result<(), HubError> {
        Ok(self.child.kill().await?)
    }

    /// Asks it to end, as the system does at shutdown, and waits until it has.
    ///
    /// # Errors
    /// [`HubError::NotEnding`] after a minute.
    pub async fn terminate(&mut self) -> Result<ExitStatus, HubError> {
        if let Some(pid) = self.child.id().and_then(|pid| i32::try_from(pid).ok()) {
            kill(Pid::from_raw(pid), Signal::SIGTERM).map_err(io::Error::from)?;
        }
        self.ended().await
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// [`HubError::NotEnding`] after a minute.
    pub async fn ended(&mut self) -> Result<ExitStatus, HubError> {
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        Ok(ended.map_err(|_| HubError::NotEnding)??)
    }
}

/// Collects what the hub prints, and has each line looked at.
async fn collect(pipe: impl AsyncRead + Unpin, printed: Arc<Mutex<String>>, look: impl Fn(&str)) {
    let mut lines = BufReader::new(pipe).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        look(&line);
        let mut printed = printed.lock().unwrap_or_else(PoisonError::into_inner);
        printed.push_str(&line);
        printed.push('\n');
    }
}

fn text_of(printed: &Mutex<String>) -> String {
    printed.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Imports a bundle into the data folder of a hub that does not run.
///
/// # Errors
/// [`HubError::Io`] when it can't be run; how it ended is in the output.
pub async fn import(data: &Path, bundle: &Path, pin: &str) -> Result<Output, HubError> {
    import_by(&binary()?, data, bundle, pin).await
}

/// Runs a command on the data folder of a hub that does not run, which asks for the PIN.
///
/// # Errors
/// [`HubError::Io`] when it can't be run; how it ended is in the output.
pub async fn desk(data: &Path, arguments: &[&str], pin: &str) -> Result<Output, HubError> {
    let mut command = Command::new(binary()?);
    command.args(arguments).arg("--data").arg(data);
    with_pin(command, pin).await
}

async fn import_by(program: &Path, data: &Path, bundle: &Path, pin: &str) -> Result<Output, HubError> {
    let mut command = Command::new(program);
    command.args(["import", "--data"]).arg(data).arg(bundle);
    with_pin(command, pin).await
}

async fn with_pin(mut command: Command, pin: &str) -> Result<Output, HubError> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        match stdin.write_all(format!("{pin}\n").as_bytes()).await {
            // It may refuse before it asks; its exit status says so.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
            _ => {}
        }
    }
    Ok(child.wait_with_output().await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAND_IN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/stand-in-hub.sh");

    async fn start(data: &str) -> Result<Hub, HubError> {
        Hub::start_binary(
            Path::new(STAND_IN),
            Path::new(data),
            Path::new("none"),
            ANY_PORT,
            Log::Warnings,
            &[],
        )
        .await
    }

    #[tokio::test]
    async fn finds_where_the_hub_listens_and_ends_it_either_way() {
        let mut hub = start("whole").await.unwrap();
        assert_eq!(hub.url(), "http://127.0.0.1:4001");
        assert!(hub.printed().starts_with("hub-appliance 0.0.0\n") || hub.printed().starts_with("a warning\n"));
        let (now, highest) = hub.resident_kib().unwrap();
        assert!(0 < now && now <= highest);
        assert!(!hub.terminate().await.unwrap().success());
        assert!(hub.resident_kib().is_err());

        let mut hub = start("whole").await.unwrap();
        hub.kill9().await.unwrap();
        assert!(hub.resident_kib().is_err());
    }

    #[tokio::test]
    async fn a_hub_that_ends_at_once_is_told_with_what_it_printed() {
        assert!(matches!(start("broken").await, Err(HubError::NotListening(_))));
    }
}
