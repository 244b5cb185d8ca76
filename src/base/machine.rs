//! What the machine says about itself: the disk under a folder, and this process.
//!
//! Everything is `None` where the system does not tell it.

use std::fs;
use std::path::Path;

/// Clock ticks of `/proc/self/stat` in a second: part of Linux's promise to programs, on every processor.
const TICKS_PER_SECOND: f64 = 100.0;

/// A file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// What an unprivileged process may still write, in bytes.
    pub free_bytes: u64,
    pub total_bytes: u64,
    /// Files that can still be made. Zero of zero where the file system has no such limit.
    pub free_inodes: u64,
    pub total_inodes: u64,
}

/// What an unprivileged process may still write at `path`, in bytes; `None` when nobody knows.
pub fn free_bytes(path: &Path) -> Option<u64> {
    Some(disk(path)?.free_bytes)
}

/// The file system that `path` lies on.
pub fn disk(path: &Path) -> Option<Disk> {
    let stats = rustix::fs::statvfs(path).ok()?;
    Some(Disk {
        free_bytes: stats.f_bavail.saturating_mul(stats.f_frsize),
        total_bytes: stats.f_blocks.saturating_mul(stats.f_frsize),
        free_inodes: stats.f_favail,
        total_inodes: stats.f_files,
    })
}

/// This process, as the kernel counts it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProcessState {
    /// Memory that is really there, in bytes.
    pub resident_bytes: u64,
    pub virtual_bytes: u64,
    pub threads: u64,
    /// Time on processors, in seconds.
    pub cpu_seconds: f64,
    /// Since 1970, in seconds.
    pub started_at: f64,
    pub open_files: u64,
    /// How many it may open, if that is limited.
    pub max_files: Option<u64>,
}

/// This process now.
pub fn process() -> Option<ProcessState> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let kib = |name| field(&status, name).map(|kib| kib.saturating_mul(1024));
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let (cpu_ticks, start_ticks) = times(&stat)?;
    let booted: f64 = fs::read_to_string("/proc/stat")
        .ok()?
        .lines()
        .find_map(|line| line.strip_prefix("btime "))?
        .trim()
        .parse()
        .ok()?;
    Some(ProcessState {
        resident_bytes: kib("VmRSS:")?,
        virtual_bytes: kib("VmSize:")?,
        threads: field(&status, "Threads:")?,
        cpu_seconds: cpu_ticks / TICKS_PER_SECOND,
        started_at: booted + start_ticks / TICKS_PER_SECOND,
        // The folder that is being read is one of them.
        open_files: u64::try_from(fs::read_dir("/proc/self/fd").ok()?.count()).ok()?,
        max_files: fs::read_to_string("/proc/self/limits").ok().and_then(|text| max_files(&text)),
    })
}

/// The number behind `name` in `/proc/self/status`.
fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Ticks on processors and of the start, from `/proc/self/stat`. The name in its brackets may hold
/// anything, so counting begins behind the last bracket.
fn times(stat: &str) -> Option<(f64, f64)> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let number = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok());
    Some((number(11)? + number(12)?, number(19)?))
}

/// The soft limit of open files in `/proc/self/limits`.
fn max_files(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_and_its_disk_are_seen() {
        let process = process().unwrap();
        assert!(process.resident_bytes > 1024 * 1024, "{process:?}");
        assert!(process.threads >= 1 && process.open_files >= 3, "{process:?}");
        assert!(process.started_at > 1.6e9, "{process:?}");
        let disk = disk(Path::new("/")).unwrap();
        assert!(disk.total_bytes >= disk.free_bytes && disk.total_bytes > 0, "{disk:?}");
        assert_eq!(super::disk(Path::new("/no/such/folder")), None);
    }

    #[test]
    fn a_name_with_brackets_and_spaces_confuses_nobody() {
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 150 50 13 14 15 16 17 18 900 20";
        assert_eq!(times(stat), Some((200.0, 900.0)));
    }
}
