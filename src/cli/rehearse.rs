//! `migrate --rehearse`: tries the migration and the books on a copy, so that an upgrade that must fail
//! does so before anything was touched.
//!
//! The server may run meanwhile. The copy lies in a folder of its own in `DATA_DIR`, on the disk that the
//! migration itself will need, and is removed in any case; what an interrupted rehearsal left is removed
//! by the next one.

use std::error::Error;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use tokio::runtime::Builder;

use crate::base::clock::{Clock, Stopwatch};
use crate::base::machine::free_bytes;
use crate::config::StorageConfig;
use crate::db::{Db, DbSettings, migrate, migration_status, snapshot};
use crate::features::points::service::books::check_books;
use crate::features::reconciliation::service::money::check_money;

const MIB: u64 = 1024 * 1024;

/// The copy, the copy that the migration makes of it, and what tables it rebuilds.
const SPACE_FACTOR: u64 = 3;

/// Why the rehearsal was not even begun, or what came out of it.
#[derive(Debug, thiserror::Error)]
enum RehearsalError {
    #[error(
        "a rehearsal needs {needed} MiB of disk space below {folder}, and {free} MiB are free; \
         the migration itself needs a good part of that too"
    )]
    Space { needed: u64, free: u64, folder: String },
    #[error("{folder} cannot be made anew")]
    Folder { folder: String, source: io::Error },
    #[error(
        "after the migration the books would not balance: {users} users would be wrong, and {money} \
         payments or refunds; `dream-bff books` tells whether they balance now"
    )]
    Unbalanced { users: i64, money: i64 },
}

/// Rehearses. With `ignore_books`, books that do not balance are told and no failure.
pub(super) fn run(storage: &StorageConfig, ignore_books: bool) -> Result<(), Box<dyn Error>> {
    let live = storage.database_path();
    if !live.exists() {
        return say("there is no database yet: nothing to rehearse");
    }
    // Refuses what is not ours, or newer, before anything is copied.
    migration_status(&live)?;
    let folder = storage.data_dir.join("rehearsal");
    check_space(&live, &storage.data_dir)?;
    make_anew(&folder)?;
    let outcome = on_copy(&live, &folder, ignore_books);
    let removed = fs::remove_dir_all(&folder);
    outcome?;
    Ok(removed?)
}

fn on_copy(live: &Path, folder: &Path, ignore_books: bool) -> Result<(), Box<dyn Error>> {
    let watch = Stopwatch::start();
    let copy = folder.join("copy.db");
    let bytes = snapshot(live, &copy)?;
    say(&format!("copied {} MiB in {} ms", bytes.div_ceil(MIB), watch.elapsed().as_millis()))?;

    let watch = Stopwatch::start();
    let clock = Clock::system();
    let settings = DbSettings::new(copy, folder);
    let report = migrate(&settings, &clock)?;
    let (from, to, took) = (report.from, report.to, watch.elapsed().as_millis());
    say(&format!("schema {from} -> {to} in {took} ms, on the copy"))?;

    let db = Db::open(settings, &clock)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let checked: Result<_, Box<dyn Error>> = runtime
        .block_on(async { Ok((check_books(&db, &clock).await?, check_money(&db, &clock).await?)) });
    db.close();
    let (points, money) = checked?;
    if points.is_balanced() && money.is_balanced() {
        return say("the books of the copy balance");
    }
    let unbalanced = RehearsalError::Unbalanced { users: points.wrong_users, money: money.wrong };
    if ignore_books { say(&unbalanced.to_string()) } else { Err(unbalanced.into()) }
}

fn check_space(live: &Path, data_dir: &Path) -> Result<(), Box<dyn Error>> {
    let unknown = || io::Error::other("how much space is free cannot be found out");
    let free = free_bytes(data_dir).ok_or_else(unknown)?;
    let needed = fs::metadata(live)?.len().saturating_mul(SPACE_FACTOR);
    if free < needed {
        let folder = data_dir.display().to_string();
        let (needed, free) = (needed.div_ceil(MIB), free / MIB);
        return Err(RehearsalError::Space { needed, free, folder }.into());
    }
    Ok(())
}

/// An empty folder that nobody else can read.
fn make_anew(folder: &Path) -> Result<(), RehearsalError> {
    let removed = match fs::remove_dir_all(folder) {
        Err(err) if err.kind() != io::ErrorKind::NotFound => Err(err),
        _ => Ok(()),
    };
    let made = removed.and_then(|()| DirBuilder::new().recursive(true).mode(0o700).create(folder));
    made.map_err(|source| RehearsalError::Folder { folder: folder.display().to_string(), source })
}

#[expect(clippy::print_stdout, reason = "this is the output")]
#[expect(clippy::unnecessary_wraps, reason = "the last words of functions that may fail")]
fn say(line: &str) -> Result<(), Box<dyn Error>> {
    println!("{line}");
    Ok(())
}
