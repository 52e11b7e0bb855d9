//! Which of the kernel's calls a process gives up before it begins its work (`seccomp(2)`).
//!
//! No service of ours ever traces another process, loads a module or a kernel, makes a namespace or programs the kernel;
//! a service that somebody has broken into is not to either. What only some of them need, the others give up too: to mount,
//! to run programs, to keep keys in the kernel, sockets of other kinds than the network's and the machine's own. A call that
//! was given up fails with `EPERM`. The programs that a service runs are bound as it is.

use std::collections::BTreeMap;

use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

/// The same as [`libc::SYS_reboot`] and the like, which libc lacks for musl on ARM (Linux, `asm-generic/unistd.h`).
const KEXEC_FILE_LOAD: i64 = if cfg!(target_arch = "x86_64") { 320 } else { 294 };

/// What nobody needs.
const NEVER: &[i64] = &[
    // Looking into other processes, or taking what they have.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    // Changing or watching the kernel.
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    KEXEC_FILE_LOAD,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_syslog,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    // Another root, another system, other names for what is there.
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_chroot,
    libc::SYS_pivot_root,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_quotactl,
    libc::SYS_acct,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_reboot,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
];

/// What works on disks alone.
const MOUNTING: &[i64] = &[
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_mount_setattr,
    libc::SYS_mknodat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_mknod,
];

const RUNNING: &[i64] = &[libc::SYS_execve, libc::SYS_execveat];

/// `cryptsetup` keeps the disk's key in the kernel.
const KEEPING_KEYS: &[i64] = &[libc::SYS_add_key, libc::SYS_keyctl, libc::SYS_request_key];

/// Kinds of sockets: the machine's own, first; the network's, and the kernel's, which tells the addresses.
const SOCKETS: [i32; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// What a process keeps beside what every one of ours needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// Nothing, and not even the network: it answers the machine's own.
    Least,
    /// Nothing: it serves, reads and writes.
    Nothing,
    /// To mount, and to run programs that look at disks.
    Mounts,
    /// The same, with all that those programs need that encrypt a disk.
    Disks,
}

impl Keeps {
    fn rules(self) -> Result<BTreeMap<i64, Vec<SeccompRule>>, seccompiler::BackendError> {
        let mut given_up = NEVER.to_vec();
        if matches!(self, Self::Least | Self::Nothing) {
            given_up.extend([MOUNTING, RUNNING].concat());
        }
        if self != Self::Disks {
            given_up.extend(KEEPING_KEYS);
        }
        let mut rules: BTreeMap<_, _> = given_up.into_iter().map(|call| (call, Vec::new())).collect();
        if self != Self::Disks {
            let other = |kind: i32| {
                let kind = u64::from(kind.unsigned_abs());
                SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, kind)
            };
            let kept = if self == Self::Least { &SOCKETS[..1] } else { &SOCKETS };
            let others = kept.iter().copied().map(other).collect::<Result<_, _>>()?;
            rules.insert(libc::SYS_socket, vec![SeccompRule::new(others)?]);
        }
        Ok(rules)
    }
}

/// The calls were not given up: the kernel can't, or this is a machine that is not known.
#[derive(Debug, thiserror::Error)]
#[error("calls that nobody needs could not be given up: {0}")]
pub struct CallsError(#[from] seccompiler::Error);

/// Gives up for this thread, and for all threads and programs that it begins from now on, what it does not keep. It can't be
/// taken back.
///
/// # Errors
/// [`CallsError`]; then nothing was given up.
pub fn give_up_all_but(keeps: Keeps) -> Result<(), CallsError> {
    let filter = || -> Result<BpfProgram, seccompiler::BackendError> {
        let arch = std::env::consts::ARCH.try_into()?;
        let refused = SeccompAction::Errno(libc::EPERM.unsigned_abs());
        SeccompFilter::new(keeps.rules()?, SeccompAction::Allow, refused, arch)?.try_into()
    };
    let filter = filter().map_err(seccompiler::Error::from)?;
    Ok(seccompiler::apply_filter(&filter)?)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::ErrorKind;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::unix::net::UnixStream;
    use std::path::Path;
    use std::process::Command;

    use nix::errno::Errno;
    use nix::mount::{MntFlags, MsFlags, mount, umount2};
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

    use super::*;

    /// In a thread of its own, for a filter is for ever.
    fn keeping<T: Send + 'static>(keeps: Keeps, work: impl FnOnce() -> T + Send + 'static) -> T {
        let thread = std::thread::spawn(move || {
            give_up_all_but(keeps).unwrap();
            work()
        });
        thread.join().unwrap()
    }

    const ALL: [Keeps; 4] = [Keeps::Least, Keeps::Nothing, Keeps::Mounts, Keeps::Disks];

    /// Mounts memory on a folder and takes it off again; without root's rights that fails too, with another error.
    fn try_to_mount(folder: &Path) -> Result<(), Errno> {
        mount(
            None::<&str>,
            folder,
            Some("no-such-file-system"),
            MsFlags::empty(),
            None::<&str>,
        )?;
        umount2(folder, MntFlags::MNT_DETACH)
    }

    fn of_family(family: AddressFamily) -> Result<(), Errno> {
        socket(family, SockType::Datagram, SockFlag::empty(), None).map(drop)
    }

    #[test]
    fn what_was_given_up_is_refused_also_to_root() {
        for keeps in ALL {
            // Root may do this, and it changes nothing.
            let refused = keeping(keeps, || std::os::unix::fs::chroot("/").map_err(|error| error.kind()));
            assert_eq!(refused, Err(ErrorKind::PermissionDenied), "{keeps:?}");
        }
    }

    #[test]
    fn who_serves_runs_and_mounts_nothing() {
        for keeps in [Keeps::Least, Keeps::Nothing] {
            let ran = keeping(keeps, || {
                Command::new("/bin/true").status().map_err(|error| error.kind())
            });
            assert_eq!(ran.unwrap_err(), ErrorKind::PermissionDenied, "{keeps:?}");
        }
        for keeps in [Keeps::Mounts, Keeps::Disks] {
            assert!(keeping(keeps, || Command::new("/bin/true").status().unwrap().success()));
        }
        let folder = tempfile::tempdir().unwrap();
        let mounted = ALL.map(|keeps| {
            let folder = folder.path().to_owned();
            keeping(keeps, move || try_to_mount(&folder))
        });
        assert_eq!(mounted[..2], [Err(Errno::EPERM); 2]);
        let expected = if nix::unistd::geteuid().is_root() {
            Errno::ENODEV
        } else {
            Errno::EPERM
        };
        assert_eq!(mounted[2..], [Err(expected); 2]);
    }

    #[test]
    fn a_program_that_is_run_is_bound_as_who_runs_it() {
        let status = keeping(Keeps::Disks, || {
            Command::new("chroot").args(["/", "true"]).output().unwrap()
        });
        assert!(!status.status.success());
    }

    #[test]
    fn what_a_hub_does_all_day_goes_on() {
        keeping(Keeps::Nothing, || {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("a");
            fs::write(&file, "b").unwrap();
            fs::rename(&file, folder.path().join("c")).unwrap();
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            UdpSocket::bind("127.0.0.1:0").unwrap();
            UnixStream::pair().unwrap();
            assert!(nix::ifaddrs::getifaddrs().unwrap().count() > 0);
            std::thread::spawn(|| ()).join().unwrap();
        });
        let network = [AddressFamily::Inet, AddressFamily::Inet6, AddressFamily::Netlink];
        for family in network {
            let opened = keeping(Keeps::Least, move || of_family(family));
            assert_eq!(
                opened,
                Err(Errno::EPERM),
                "{family:?}: who has the board's key speaks to nobody"
            );
        }
        keeping(Keeps::Least, || UnixStream::pair().unwrap());
        let packet = |keeps| keeping(keeps, || of_family(AddressFamily::Packet));
        assert_eq!(packet(Keeps::Nothing), Err(Errno::EPERM));
        assert_eq!(packet(Keeps::Mounts), Err(Errno::EPERM));
    }
}
