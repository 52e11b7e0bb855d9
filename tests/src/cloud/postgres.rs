//! A private PostgreSQL: a cluster of its own in a temporary folder, reached by a Unix socket alone, and run by a user that is
//! not root, for PostgreSQL refuses that one.

use std::io;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::unistd::{Uid, User};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio_postgres::{Client, NoTls};

/// Where Debian keeps the programs of each version.
const DEBIAN: &str = "/usr/lib/postgresql";
/// Debian's user for it.
const USER: &str = "postgres";

/// Why there is no PostgreSQL.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// A program could not be run.
    #[error("PostgreSQL's programs: {0}")]
    Io(#[from] io::Error),
    /// It is not installed.
    #[error("there is no PostgreSQL: install Debian's package postgresql")]
    NotInstalled,
    /// A cluster could not be made.
    #[error("no cluster could be made: {0}")]
    Cluster(String),
    /// It reports an error.
    #[error("PostgreSQL: {0:?}")]
    Database(#[from] tokio_postgres::Error),
}

/// A private PostgreSQL. Dropping it kills it and takes its folder.
#[derive(Debug)]
pub struct Postgres {
    _server: Child,
    folder: TempDir,
}

impl Postgres {
    /// Starts one.
    ///
    /// # Errors
    /// [`PostgresError`].
    pub async fn start() -> Result<Self, PostgresError> {
        let programs = programs()?;
        let folder = tempfile::tempdir()?;
        let user = other_user()?;
        if let Some(user) = &user {
            chown(folder.path(), Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
        }
        let data = folder.path().join("data");
        let made = command(&programs, "initdb", user.as_ref())
            .arg("--pgdata")
            .arg(&data)
            .args([
                "--username=cloud",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
            ])
            .output()
            .await?;
        if !made.status.success() {
            return Err(PostgresError::Cluster(
                String::from_utf8_lossy(&made.stderr).into_owned(),
            ));
        }
        let server = command(&programs, "postgres", user.as_ref())
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(folder.path())
            // What is lost here with a power cut was made up.
            .args([
                "-c",
                "listen_addresses=",
                "-c",
                "fsync=off",
                "-c",
                "shared_buffers=16MB",
                "-c",
                "timezone=UTC",
            ])
            .args(["-c", "logging_collector=off"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self {
            _server: server,
            folder,
        })
    }

    /// Where its socket is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A connection, as soon as it takes any.
    ///
    /// # Errors
    /// [`PostgresError::Database`] after half a minute.
    pub async fn connect(&self) -> Result<Client, PostgresError> {
        let mut config = tokio_postgres::Config::new();
        config.host_path(self.folder.path()).user("cloud").dbname("postgres");
        let mut tries = tokio::time::interval(std::time::Duration::from_millis(50));
        for _ in 0..600 {
            tries.tick().await;
            if let Ok((client, connection)) = config.connect(NoTls).await {
                tokio::spawn(connection);
                return Ok(client);
            }
        }
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }
}

/// The programs of the newest version.
fn programs() -> Result<PathBuf, PostgresError> {
    let versions = std::fs::read_dir(DEBIAN).map_err(|_| PostgresError::NotInstalled)?;
    let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let all = versions.filter_map(|entry| Some(entry.ok()?.path()));
    let newest = all
        .filter(|path| path.join("bin/initdb").exists())
        .max_by_key(|path| version(path));
    Ok(newest.ok_or(PostgresError::NotInstalled)?.join("bin"))
}

/// Who runs it, where this process is root's.
fn other_user() -> Result<Option<User>, PostgresError> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    let user = User::from_name(USER).map_err(io::Error::from)?;
    user.map(Some).ok_or(PostgresError::NotInstalled)
}

fn command(programs: &Path, name: &str, user: Option<&User>) -> Command {
    let mut command = Command::new(programs.join(name));
    command.current_dir("/").stdin(Stdio::null()).env_remove("HOME");
    if let Some(user) = user {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command
}
