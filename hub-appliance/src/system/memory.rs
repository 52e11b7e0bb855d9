//! Memory that is wiped when it is freed: Rust's by [`WipingAllocator`], SQLite's by [`wipe_freed_database_memory`].
//!
//! Records pass through the heap in the clear, in answers under construction, in what was read from phones, and in the
//! database's page cache. Without this, what is freed keeps its content until somebody else happens to get the place,
//! and a locked hub would still hold names.
#![allow(unsafe_code, reason = "an allocator is an unsafe trait, and SQLite is C")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::{c_int, c_void};

use nix::libc;
use rusqlite::ffi;
use zeroizing_alloc::ZeroAlloc;

/// From this size on, glibc gives every block a mapping of its own (`DEFAULT_MMAP_THRESHOLD_MAX`, malloc.c).
const ALWAYS_MAPPED: usize = 32 * 1024 * 1024;

/// The system's allocator, which wipes blocks as they are freed.
pub struct WipingAllocator(ZeroAlloc<System>);

impl WipingAllocator {
    /// To be the process's `#[global_allocator]`.
    #[must_use]
    pub const fn new() -> Self {
        Self(ZeroAlloc(System))
    }
}

impl Default for WipingAllocator {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: every call goes with its caller's arguments to an allocator that keeps the trait's promises, and both of them
// take and give blocks of the one system allocator.
unsafe impl GlobalAlloc for WipingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are the callee's demands.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are the callee's demands.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are the callee's demands.
        unsafe { self.0.dealloc(block, layout) }
    }

    /// A block with a mapping of its own grows where it is, or its pages are moved by the kernel: nothing stays behind,
    /// and an answer of 100 MB needs no second 100 MB to grow. Other blocks are copied and the old place wiped.
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if layout.size() > ALWAYS_MAPPED {
            // SAFETY: the caller's promises are the callee's demands; the block came from the same allocator.
            unsafe { System.realloc(block, layout, new_size) }
        } else {
            // SAFETY: the caller's promises are the callee's demands.
            unsafe { self.0.realloc(block, layout, new_size) }
        }
    }
}

/// SQLite was already in use, so that its memory can no longer be put under another allocator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the database was in use before its memory could be protected")]
pub struct DatabaseInUse;

/// Has SQLite wipe its memory, page cache included, as it is freed (`SQLITE_CONFIG_MALLOC`). To be called once, before
/// the first database is opened.
///
/// SQLCipher wipes its keys itself. Its own way to wipe everything else (`cipher_memory_security`) locks and unlocks
/// each block in memory, which takes the lock off pages that this process has locked as a whole.
///
/// # Errors
/// [`DatabaseInUse`] if a database was opened before.
pub fn wipe_freed_database_memory() -> Result<(), DatabaseInUse> {
    let methods = ffi::sqlite3_mem_methods {
        xMalloc: Some(malloc),
        xFree: Some(free),
        xRealloc: Some(realloc),
        xSize: Some(size),
        xRoundup: Some(round_up),
        xInit: Some(init),
        xShutdown: Some(shut_down),
        pAppData: std::ptr::null_mut(),
    };
    // SAFETY: for SQLITE_CONFIG_MALLOC the one further argument is a pointer to methods, which SQLite copies, and those
    // below do what it asks of them. No other thread uses SQLite yet, or it refuses.
    let outcome = unsafe { ffi::sqlite3_config(ffi::SQLITE_CONFIG_MALLOC, &raw const methods) };
    if outcome == ffi::SQLITE_OK {
        Ok(())
    } else {
        Err(DatabaseInUse)
    }
}

extern "C" fn malloc(bytes: c_int) -> *mut c_void {
    // SAFETY: malloc may be called with any size.
    usize::try_from(bytes).map_or(std::ptr::null_mut(), |bytes| unsafe { libc::malloc(bytes) })
}

unsafe extern "C" fn free(block: *mut c_void) {
    if block.is_null() {
        return;
    }
    // SAFETY: SQLite hands back what `malloc` gave it, once; all of its usable size is its.
    unsafe {
        libc::explicit_bzero(block, libc::malloc_usable_size(block));
        libc::free(block);
    }
}

unsafe extern "C" fn realloc(block: *mut c_void, bytes: c_int) -> *mut c_void {
    let new = malloc(bytes);
    if !new.is_null() && !block.is_null() {
        // SAFETY: both are blocks of `malloc`, of at least the size that is copied, and not the same one; SQLite does not
        // use the old one any more.
        unsafe {
            let kept = libc::malloc_usable_size(block).min(libc::malloc_usable_size(new));
            std::ptr::copy_nonoverlapping(block.cast::<u8>(), new.cast::<u8>(), kept);
            free(block);
        }
    }
    new
}

unsafe extern "C" fn size(block: *mut c_void) -> c_int {
    // SAFETY: SQLite asks of blocks of `malloc`, or of none, which have size 0.
    let usable = unsafe { libc::malloc_usable_size(block) };
    c_int::try_from(usable).unwrap_or(c_int::MAX)
}

/// SQLite's own allocator rounds up to eight bytes too.
extern "C" fn round_up(bytes: c_int) -> c_int {
    bytes.checked_add(7).map_or(bytes, |bytes| bytes & !7)
}

extern "C" fn init(_: *mut c_void) -> c_int {
    ffi::SQLITE_OK
}

extern "C" fn shut_down(_: *mut c_void) {}
