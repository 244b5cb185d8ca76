//! The database that there is, for commands that look into it: they must not make or change what they
//! look at.

use std::error::Error;

use crate::base::clock::Clock;
use crate::config::StorageConfig;
use crate::db::{Db, DbSettings, migration_status};

/// The database is not one that this program can look into.
#[derive(Debug, thiserror::Error)]
enum NotReady {
    #[error("there is no database {0}")]
    Missing(String),
    #[error(
        "the database has schema {current}, this program has {latest}: run `dream-bff migrate`"
    )]
    Schema { current: i64, latest: i64 },
}

/// Opens the database of these settings, which must be there with this program's schema.
///
/// # Errors
/// [`NotReady`], or what the database fails with.
pub(super) fn open(storage: &StorageConfig, clock: &Clock) -> Result<Db, Box<dyn Error>> {
    let path = storage.database_path();
    if !path.exists() {
        return Err(NotReady::Missing(path.display().to_string()).into());
    }
    let status = migration_status(&path)?;
    if status.current != status.latest {
        let (current, latest) = (status.current, status.latest);
        return Err(NotReady::Schema { current, latest }.into());
    }
    Ok(Db::open(DbSettings::new(path, storage.backups_dir()), clock)?)
}
