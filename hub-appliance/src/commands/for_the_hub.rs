//! What the services of the image have in common that do for the hub's user what it may not do itself.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use hub_appliance::system::data_disk::Owner;
use nix::unistd::{User, chown};

use super::CommandError;

/// The user of this name.
pub(super) fn owner(user: &str) -> Result<Owner, CommandError> {
    let found = User::from_name(user).ok().flatten();
    let user = found.ok_or_else(|| CommandError::NoUser(user.to_owned()))?;
    Ok(Owner {
        user: user.uid,
        group: user.gid,
    })
}

/// Listens at `path`, in place of a stale socket, for the hub's user.
pub(super) fn listen(path: &Path, owner: Owner) -> Result<UnixListener, CommandError> {
    bind(path, owner).map_err(CommandError::Socket)
}

/// Listens at `path`, in place of a stale socket, for whoever may search the folder that it is in: for a service that may give
/// nothing to another user. A folder with the set-group-ID bit gives the socket its own group.
pub(super) fn listen_in_folder(path: &Path) -> Result<UnixListener, CommandError> {
    bind_anew(path, 0o660).map_err(CommandError::Socket)
}

fn bind(path: &Path, owner: Owner) -> io::Result<UnixListener> {
    let listener = bind_anew(path, 0o600)?;
    chown(path, Some(owner.user), Some(owner.group))?;
    Ok(listener)
}

fn bind_anew(path: &Path, mode: u32) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    Ok(listener)
}
