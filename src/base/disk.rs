//! Space on the disk.

use std::path::Path;

/// What an unprivileged process may still write at `path`, in bytes; `None` when nobody knows.
pub fn free_bytes(path: &Path) -> Option<u64> {
    Some(super::machine::disk(path)?.free_bytes)
}
