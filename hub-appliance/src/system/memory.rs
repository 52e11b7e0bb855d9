//! Memory that is wiped when it is freed: Rust's by [`WipingAllocator`], SQLite's by [`wipe_freed_database_memory`].
//!
//! Records pass through the heap in the clear, in answers under construction, in what was read from phones, and in the
//! database's page cache. Without this, what is freed keeps its content until somebody else happens to get the place,
//! and a locked hub would still hold names.
#![allow(unsafe_code, reason = "an allocator is an unsafe trait, and SQLite is C")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::{c_int, c_void};
use std::ptr;

use nix::libc;
use rusqlite::ffi;
use zeroizing_alloc::ZeroAlloc;

/// Bytes from which a block is a mapping of its own: below, what the kernel takes for it would be felt.
const MAPPED: usize = 1024 * 1024;

/// What a mapping is aligned to at least, on every board.
const PAGE: usize = 4096;

/// The system's allocator, which wipes blocks as they are freed.
///
/// A large block is a mapping of its own: it grows where it is or by the kernel's moving its pages, so that an answer
/// of 100 MB needs no second 100 MB to grow; and when it is freed its pages go to the kernel, which wipes them before
/// anybody gets them. Wiping it here would only touch the part of it that was never used.
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

const fn is_mapped(size: usize, align: usize) -> bool {
    size >= MAPPED && align <= PAGE
}

/// `size` bytes of zeros, or null.
fn map(size: usize) -> *mut u8 {
    // SAFETY: a new anonymous mapping, placed by the kernel, touches no memory that anybody has.
    let block = unsafe {
        libc::mmap(
            ptr::null_mut(),
            size,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if block == libc::MAP_FAILED {
        ptr::null_mut()
    } else {
        block.cast()
    }
}

// SAFETY: a block comes from and returns to the same of two sources, told apart by what its layout alone says: mappings,
// which are page-aligned, of the size asked for, and nobody else's until unmapped; and an allocator that keeps the
// trait's promises and gets its caller's arguments as they are.
unsafe impl GlobalAlloc for WipingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_mapped(layout.size(), layout.align()) {
            return map(layout.size());
        }
        // SAFETY: the caller's promises are the callee's demands.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_mapped(layout.size(), layout.align()) {
            return map(layout.size());
        }
        // SAFETY: the caller's promises are the callee's demands.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if is_mapped(layout.size(), layout.align()) {
            // SAFETY: the block is a mapping of this size, and its owner gives it up. Should the kernel lack memory for
            // unmapping it, it is still there to be wiped.
            unsafe {
                if libc::munmap(block.cast(), layout.size()) != 0 {
                    libc::explicit_bzero(block.cast(), layout.size());
                }
            }
            return;
        }
        // SAFETY: the caller's promises are the callee's demands.
        unsafe { self.0.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if is_mapped(layout.size(), layout.align()) && is_mapped(new_size, layout.align()) {
            // SAFETY: the block is a mapping of this size; its owner uses what is returned instead, if it is not null.
            let moved = unsafe { libc::mremap(block.cast(), layout.size(), new_size, libc::MREMAP_MAYMOVE) };
            return if moved == libc::MAP_FAILED {
                ptr::null_mut()
            } else {
                moved.cast()
            };
        }
        // SAFETY: the caller promises that the new size, rounded up to the alignment, is a valid one.
        let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        // SAFETY: the caller promises that the new size is not zero.
        let new = unsafe { self.alloc(new_layout) };
        if !new.is_null() {
            // SAFETY: two different blocks, each at least as large as what is copied; the old one is not used any more.
            unsafe {
                ptr::copy_nonoverlapping(block, new, layout.size().min(new_size));
                self.dealloc(block, layout);
            }
        }
        new
    }
}

/// SQLite was already in use, so that its memory can no longer be put under another allocator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the database's freed memory is not wiped: it was in use before")]
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
        pAppData: ptr::null_mut(),
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
    usize::try_from(bytes).map_or(ptr::null_mut(), |bytes| unsafe { libc::malloc(bytes) })
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
            ptr::copy_nonoverlapping(block.cast::<u8>(), new.cast::<u8>(), kept);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Grows and shrinks a block through all sizes around the limit, and finds its content unchanged each time.
    #[test]
    fn blocks_keep_their_content_on_both_sides_of_the_limit() {
        let allocator = WipingAllocator::new();
        let sizes = [
            1,
            MAPPED - 1,
            MAPPED,
            MAPPED + 1,
            3 * MAPPED,
            40 * MAPPED,
            2 * MAPPED,
            MAPPED - 1,
            10,
        ];
        for align in [1, 16, PAGE, 4 * PAGE] {
            let layout = |size| Layout::from_size_align(size, align).unwrap();
            // SAFETY: the sizes are not zero, the block is used only within its size, and freed once by its last layout.
            unsafe {
                let mut block = allocator.alloc_zeroed(layout(sizes[0]));
                assert_eq!(*block, 0);
                *block = 77;
                for pair in sizes.windows(2) {
                    block = allocator.realloc(block, layout(pair[0]), pair[1]);
                    assert!(block.addr().is_multiple_of(align));
                    assert_eq!(*block, 77, "from {} to {}", pair[0], pair[1]);
                    if pair[1] > pair[0] {
                        assert_eq!(*block.add(pair[0] - 1), 77, "from {} to {}", pair[0], pair[1]);
                    }
                    *block.add(pair[1] - 1) = 77;
                }
                allocator.dealloc(block, layout(sizes[sizes.len() - 1]));
            }
        }
    }

    #[test]
    fn zeroed_blocks_are_zeros() {
        let allocator = WipingAllocator::new();
        for size in [100, MAPPED, 5 * MAPPED] {
            let layout = Layout::from_size_align(size, 8).unwrap();
            for _ in 0..3 {
                // SAFETY: the size is not zero, the block is used within it and freed once.
                unsafe {
                    let block = allocator.alloc_zeroed(layout);
                    assert!(std::slice::from_raw_parts(block, size).iter().all(|byte| *byte == 0));
                    block.write_bytes(0xA5, size);
                    allocator.dealloc(block, layout);
                }
            }
        }
    }
}
