//! A hub that is set up and filled, for tests that begin there.

use std::ffi::OsStr;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};

use tempfile::TempDir;

use super::{ANY_PORT, Hub, HubError, Log, PIN, import_by};
use crate::clinic::{Clinic, DemoUser};
use crate::panel_client::{PanelError, RecoveryCode};
use crate::phone::{HubClient, Phone};

/// A hub in a folder of its own, set up with [`PIN`].
#[derive(Debug)]
pub struct TestHub {
    /// The running hub.
    pub hub: Hub,
    /// Its recovery code, where it was set up here.
    pub recovery: Option<RecoveryCode>,
    folder: TempDir,
    log: Log,
    phones: AtomicU8,
    program: PathBuf,
}

impl TestHub {
    /// A new hub, set up through its panel and open, with nothing in it: nobody can log in.
    ///
    /// # Errors
    /// [`HubError`].
    pub async fn empty(log: Log) -> Result<Self, HubError> {
        Self::empty_in(tempfile::tempdir()?, log).await
    }

    /// The same in this folder, on a disk of the test's choice.
    ///
    /// # Errors
    /// [`HubError`].
    pub async fn empty_in(folder: TempDir, log: Log) -> Result<Self, HubError> {
        Self::empty_of(&super::binary()?, folder, log).await
    }

    /// The same by a program of this path, an earlier firmware's say.
    ///
    /// # Errors
    /// [`HubError`].
    pub async fn empty_of(program: &Path, folder: TempDir, log: Log) -> Result<Self, HubError> {
        let (data, socket, setup) = (data_in(&folder), socket_in(&folder), setup_in(&folder));
        let stick = stick_in(&folder);
        let more = [
            OsStr::new("--setup-file"),
            setup.as_os_str(),
            OsStr::new("--usb"),
            stick.as_os_str(),
        ];
        let hub = Hub::start_binary(program, &data, &socket, ANY_PORT, log, &more).await?;
        let recovery = hub.panel().await?.set_up(PIN).await?;
        Ok(Self {
            hub,
            recovery: Some(recovery),
            folder,
            log,
            phones: AtomicU8::new(1),
            program: program.to_owned(),
        })
    }

    /// Waits until the panel says that so many rows ask for a person.
    ///
    /// # Errors
    /// As [`PanelClient::wait_for_held`](crate::panel_client::PanelClient::wait_for_held).
    pub async fn held_on_the_panel(&self, count: usize) -> Result<(), PanelError> {
        self.hub.panel().await?.wait_for_held(count).await
    }

    /// A hub on a data folder that is there, set up with [`PIN`]; it is left locked. The folder is worked on in a copy.
    ///
    /// # Errors
    /// [`HubError`].
    pub async fn on_copy_of(data: &Path, log: Log) -> Result<Self, HubError> {
        let folder = tempfile::tempdir()?;
        copy_folder(data, &data_in(&folder))?;
        let program = super::binary()?;
        let hub = Hub::start(&data_in(&folder), &socket_in(&folder), ANY_PORT, log).await?;
        Ok(Self {
            hub,
            recovery: None,
            folder,
            log,
            phones: AtomicU8::new(1),
            program,
        })
    }

    /// A new hub, set up and open, whose owner's `hub-setup.toml` says this; nobody can log in before it knows users.
    ///
    /// # Errors
    /// [`HubError`].
    pub async fn relayed(setup: &str, log: Log) -> Result<Self, HubError> {
        let folder = tempfile::tempdir()?;
        std::fs::write(setup_in(&folder), setup)?;
        Self::empty_in(folder, log).await
    }

    /// The owner's `hub-setup.toml`: read at each unlock; it need not be there.
    #[must_use]
    pub fn setup_file(&self) -> PathBuf {
        setup_in(&self.folder)
    }

    /// What stands for its USB stick, which is in while this folder is there; none is at first.
    #[must_use]
    pub fn stick(&self) -> PathBuf {
        stick_in(&self.folder)
    }

    /// A new hub that holds a clinic, open.
    ///
    /// # Errors
    /// [`HubError`].
    pub async fn with_clinic(clinic: &Clinic, log: Log) -> Result<Self, HubError> {
        Self::with_clinic_in(tempfile::tempdir()?, clinic, log).await
    }

    /// The same in this folder, on a disk of the test's choice.
    ///
    /// # Errors
    /// [`HubError`].
    pub async fn with_clinic_in(folder: TempDir, clinic: &Clinic, log: Log) -> Result<Self, HubError> {
        let mut hub = Self::empty_in(folder, log).await?;
        hub.take_in(|file| clinic.write_bundle(file)).await?;
        Ok(hub)
    }

    /// Brings a bundle in: ends the hub, imports what `write` writes, starts it again and unlocks it.
    ///
    /// # Errors
    /// [`HubError`].
    pub async fn take_in(
        &mut self,
        write: impl FnOnce(io::BufWriter<std::fs::File>) -> io::Result<()>,
    ) -> Result<(), HubError> {
        self.hub.terminate().await?;
        let bundle = self.folder.path().join("bundle.json");
        write(io::BufWriter::new(std::fs::File::create(&bundle)?))?;
        let imported = import_by(&self.program, &self.data(), &bundle, PIN).await?;
        if !imported.status.success() {
            let stderr = String::from_utf8_lossy(&imported.stderr).into_owned();
            return Err(HubError::Import {
                status: imported.status,
                stderr,
            });
        }
        // Tests look for names in the clear in everything beside the bundle.
        std::fs::remove_file(&bundle)?;
        self.start_again().await
    }

    /// Its data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        data_in(&self.folder)
    }

    /// Starts it again after it was killed or terminated, at the address that its phones know, and unlocks it.
    ///
    /// # Errors
    /// [`HubError`].
    pub async fn start_again(&mut self) -> Result<(), HubError> {
        self.start_locked().await?;
        Ok(self.hub.panel().await?.unlock(PIN).await?)
    }

    /// Starts it again as [`TestHub::start_again`] does, and leaves it locked.
    ///
    /// # Errors
    /// [`HubError`].
    pub async fn start_locked(&mut self) -> Result<(), HubError> {
        let program = self.program.clone();
        self.start_locked_by(&program).await
    }

    /// The same with what a box's watchdog goes by: gives the file in which the hub says that it moves on.
    ///
    /// # Errors
    /// [`HubError`].
    pub async fn start_watched(&mut self) -> Result<PathBuf, HubError> {
        let progress = self.folder.path().join("progress");
        let program = self.program.clone();
        self.start_with(&program, &[OsStr::new("--progress"), progress.as_os_str()])
            .await?;
        Ok(progress)
    }

    /// The same by a program of this path.
    ///
    /// # Errors
    /// [`HubError`].
    pub async fn start_locked_by(&mut self, program: &Path) -> Result<(), HubError> {
        self.start_with(program, &[]).await
    }

    async fn start_with(&mut self, program: &Path, more: &[&OsStr]) -> Result<(), HubError> {
        let address = self.hub.url.trim_start_matches("http://").to_owned();
        let (data, socket) = (self.data(), socket_in(&self.folder));
        let (setup, stick) = (setup_in(&self.folder), stick_in(&self.folder));
        let usual = [
            OsStr::new("--setup-file"),
            setup.as_os_str(),
            OsStr::new("--usb"),
            stick.as_os_str(),
        ];
        let more = [&usual, more].concat();
        self.hub = Hub::start_binary(program, &data, &socket, &address, self.log, &more).await?;
        Ok(())
    }

    /// A new phone: pairs by the QR code in the panel's picture, is kept, and logs a user in.
    ///
    /// # Errors
    /// [`HubError`].
    pub async fn phone(&self, user: &DemoUser) -> Result<Phone, HubError> {
        let mut phone = Phone::with_client(self.pair(|client| client).await?);
        phone.log_in(&user.email, &user.password).await?;
        Ok(phone)
    }

    /// Pairs a new phone as [`TestHub::phone`] does; `set` can choose its curve or name first. Each phone calls from an
    /// address of its own, as they do in a clinic.
    ///
    /// # Errors
    /// [`HubError`].
    pub async fn pair(&self, set: impl FnOnce(HubClient) -> HubClient) -> Result<HubClient, HubError> {
        let mut panel = self.hub.panel().await?;
        let code = panel.open_pairing().await?;
        let phone = Phone::new(&code.url)?;
        let mut client = set(phone.client.paired_with(code.key));
        let number = self.phones.fetch_add(1, Ordering::Relaxed);
        client.http().call_from(Ipv4Addr::new(127, 0, 1, number).into());
        client.handshake().await?;
        panel.keep().await?;
        Ok(client)
    }
}

/// Copies a folder with all that is in it, into one that may be there.
///
/// # Errors
/// What the operating system reports.
pub fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn data_in(folder: &TempDir) -> PathBuf {
    folder.path().join("data")
}

fn stick_in(folder: &TempDir) -> PathBuf {
    folder.path().join("stick")
}

fn setup_in(folder: &TempDir) -> PathBuf {
    folder.path().join("hub-setup.toml")
}

fn socket_in(folder: &TempDir) -> PathBuf {
    folder.path().join("panel.sock")
}
