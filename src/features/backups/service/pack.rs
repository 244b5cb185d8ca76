//! Compressing and decompressing, with the sums that a manifest names.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};

use super::pace::Pace;
use crate::features::backups::model::{BackupError, FileSum};

/// zstd's own default: larger levels cost several times the processor for a few per cent.
const LEVEL: i32 = 3;

/// What is moved at once, in bytes.
const CHUNK: usize = 256 * 1024;

/// A database begins so.
const SQLITE_MAGIC: &[u8] = b"SQLite format 3\0";

/// And a compressed file so.
const ZSTD_MAGIC: &[u8] = &[0x28, 0xB5, 0x2F, 0xFD];

/// What a file is, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Database,
    Compressed,
    Unknown,
}

/// Looks at the first bytes of a file.
pub(super) fn content(path: &Path) -> io::Result<Content> {
    let mut start = Vec::new();
    File::open(path)?.take(16).read_to_end(&mut start)?;
    Ok(match start {
        start if start == SQLITE_MAGIC => Content::Database,
        start if start.starts_with(ZSTD_MAGIC) => Content::Compressed,
        _ => Content::Unknown,
    })
}

/// Compresses `from` into the new file `to`, which is on disk afterwards. Returns the sums of both.
pub(super) fn compress(
    from: &Path,
    to: &Path,
    pace: &mut Pace,
) -> Result<(FileSum, FileSum), BackupError> {
    let source = File::open(from).map_err(BackupError::file(from))?;
    compress_from(source, to, pace).map_err(BackupError::file(to))
}

/// The same of anything that can be read.
pub(super) fn compress_from(
    mut source: impl Read,
    to: &Path,
    pace: &mut Pace,
) -> io::Result<(FileSum, FileSum)> {
    let file = create(to)?;
    let mut plain = Summed::new(io::sink());
    let mut encoder = zstd::Encoder::new(Summed::new(&file), LEVEL)?;
    encoder.include_checksum(true)?;
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = read_some(&mut source, &mut chunk)?;
        let Some(part) = chunk.get(..read).filter(|part| !part.is_empty()) else { break };
        plain.write_all(part)?;
        encoder.write_all(part)?;
        pace.step(read as u64, &file)?;
    }
    let packed = encoder.finish()?.sum();
    file.sync_all()?;
    Ok((plain.sum(), packed))
}

/// Decompresses `from` into the new file `to`, which is on disk afterwards; a bare database is copied.
/// Returns the sums of both.
///
/// # Errors
/// `NotABackup`; `Truncated` for what ends too early or was changed; `File`.
pub(super) fn unpack(
    from: &Path,
    to: &Path,
    pace: &mut Pace,
) -> Result<(FileSum, FileSum), BackupError> {
    let name = || from.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let opened = File::open(from).map_err(BackupError::file(from))?;
    let mut source = Summed::new(BufReader::new(opened));
    let file = create(to).map_err(BackupError::file(to))?;
    let mut target = Summed::new(&file);
    match content(from).map_err(BackupError::file(from))? {
        Content::Unknown => return Err(BackupError::NotABackup(name())),
        Content::Database => pump(&mut source, &mut target, &file, pace, to, name)?,
        Content::Compressed => {
            let decoder = zstd::stream::read::Decoder::with_buffer(BufReader::new(&mut source));
            let mut decoder = decoder.map_err(BackupError::file(from))?;
            pump(&mut decoder, &mut target, &file, pace, to, name)?;
        }
    }
    file.sync_all().map_err(BackupError::file(to))?;
    // What lies behind the last frame counts for the sum too.
    let rest = io::copy(&mut source, &mut io::sink()).map_err(BackupError::file(from))?;
    if rest > 0 {
        return Err(BackupError::Truncated(name()));
    }
    Ok((target.sum(), source.sum()))
}

fn pump(
    source: &mut impl Read,
    target: &mut impl Write,
    file: &File,
    pace: &mut Pace,
    to: &Path,
    name: impl Fn() -> String,
) -> Result<(), BackupError> {
    let mut chunk = vec![0; CHUNK];
    loop {
        // What cannot be read is damaged: the disk's own errors are rare and look no different here.
        let read = read_some(source, &mut chunk).map_err(|_| BackupError::Truncated(name()))?;
        let Some(part) = chunk.get(..read).filter(|part| !part.is_empty()) else { return Ok(()) };
        target.write_all(part).map_err(BackupError::file(to))?;
        pace.step(read as u64, file).map_err(BackupError::file(to))?;
    }
}

/// A new file for the owner only; what was left under the name is gone.
pub(super) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

fn read_some(source: &mut impl Read, chunk: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(chunk) {
            Err(err) if err.kind() == ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// Adds up what goes through. Not by `sha2`: gigabytes want the assembly.
struct Summed<T> {
    inner: T,
    digest: Context,
    bytes: u64,
}

impl<T> Summed<T> {
    fn new(inner: T) -> Self {
        Self { inner, digest: Context::new(&SHA256), bytes: 0 }
    }

    fn add(&mut self, part: &[u8]) {
        self.digest.update(part);
        self.bytes = self.bytes.saturating_add(part.len() as u64);
    }

    fn sum(self) -> FileSum {
        let digest = self.digest.finish();
        let sha256 = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        FileSum { bytes: self.bytes, sha256 }
    }
}

impl<T: Write> Write for Summed<T> {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(part)?;
        self.add(part.get(..written).unwrap_or(part));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: Read> Read for Summed<T> {
    fn read(&mut self, chunk: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(chunk)?;
        let part = chunk.get(..read).unwrap_or_default();
        self.digest.update(part);
        self.bytes = self.bytes.saturating_add(read as u64);
        Ok(read)
    }
}

/// The sum of a file.
pub(super) fn sum_of(path: &Path) -> Result<FileSum, BackupError> {
    let file = File::open(path).map_err(BackupError::file(path))?;
    let mut summed = Summed::new(file);
    io::copy(&mut summed, &mut io::sink()).map_err(BackupError::file(path))?;
    Ok(summed.sum())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn pace(dir: &Path) -> Pace {
        Pace::hurry(dir)
    }

    #[test]
    fn what_was_compressed_comes_back_and_both_sums_are_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let (from, packed, back) = ["a", "b", "c"].map(|name| dir.path().join(name)).into();
        let text = [SQLITE_MAGIC, &vec![7_u8; 3_000_000]].concat();
        fs::write(&from, &text).unwrap();
        let sums = compress(&from, &packed, &mut pace(dir.path())).unwrap();
        assert_eq!(content(&packed).unwrap(), Content::Compressed);
        assert_eq!(unpack(&packed, &back, &mut pace(dir.path())).unwrap(), sums);
        assert_eq!(fs::read(&back).unwrap(), text);
        assert_eq!(sum_of(&packed).unwrap(), sums.1);
        // A bare database is taken as it is.
        assert_eq!(unpack(&from, &back, &mut pace(dir.path())).unwrap().0, sums.0);
    }

    #[test]
    fn what_is_cut_off_or_changed_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (from, packed, back) = ["a", "b", "c"].map(|name| dir.path().join(name)).into();
        let noise: Vec<u8> =
            (0..400_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        fs::write(&from, noise).unwrap();
        compress(&from, &packed, &mut pace(dir.path())).unwrap();
        let whole = fs::read(&packed).unwrap();
        for cut in [4, 100, whole.len() / 2, whole.len() - 1] {
            fs::write(&packed, &whole[..cut]).unwrap();
            let refused = unpack(&packed, &back, &mut pace(dir.path()));
            assert!(matches!(refused, Err(BackupError::Truncated(_))), "{cut}: {refused:?}");
        }
        for place in [whole.len() / 3, whole.len() - 2] {
            let mut changed = whole.clone();
            changed[place] ^= 0x10;
            fs::write(&packed, changed).unwrap();
            assert!(unpack(&packed, &back, &mut pace(dir.path())).is_err(), "{place}");
        }
        fs::write(&packed, [&whole[..], b"more"].concat()).unwrap();
        assert!(unpack(&packed, &back, &mut pace(dir.path())).is_err());
        for other in [&b""[..], b"PK\x03\x04 a zip of something"] {
            fs::write(&packed, other).unwrap();
            let refused = unpack(&packed, &back, &mut pace(dir.path()));
            assert!(matches!(refused, Err(BackupError::NotABackup(_))), "{refused:?}");
        }
    }
}
