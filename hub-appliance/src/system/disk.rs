//! How full a disk is.

use std::path::Path;

use nix::sys::statvfs::statvfs;

/// How full the disk is that holds `path`, 0 to 100: what the hub itself can no longer use counts as used.
///
/// # Errors
/// [`nix::errno::Errno`] if the disk does not tell.
pub fn used_percent(path: &Path) -> nix::Result<u8> {
    let disk = statvfs(path)?;
    let free = disk.blocks_available();
    let percent = (free * 100).checked_div(disk.blocks()).unwrap_or(0);
    Ok(100 - u8::try_from(percent.min(100)).unwrap_or(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_of_a_folder_and_not_of_nothing() {
        assert!(used_percent(Path::new("/")).unwrap() <= 100);
        assert!(used_percent(Path::new("/no/such/folder")).is_err());
    }
}
