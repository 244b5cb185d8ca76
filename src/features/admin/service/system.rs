//! How the process and its database are.

use std::path::Path;

use crate::app::App;
use crate::base::machine::free_bytes;
use crate::db::{WriterStats, schema_version, sqlite_version};
use crate::features::admin::model::AdminError;
use crate::features::admin::store::system as store;

/// The process and its database at this moment.
#[derive(Clone, Debug)]
pub struct System {
    pub version: &'static str,
    pub schema_version: i64,
    pub sqlite_version: &'static str,
    /// Bytes of the database file, and of these, free for new rows.
    pub database_bytes: i64,
    pub database_free_bytes: i64,
    /// Bytes of the log beside it, which is emptied from time to time.
    pub wal_bytes: u64,
    /// What may still be written on that disk; `None` when nobody knows.
    pub disk_free_bytes: Option<u64>,
    /// With less the server says that it is not ready.
    pub disk_min_free_bytes: u64,
    pub writer: WriterStats,
}

/// # Errors
/// What the database fails with.
pub async fn system(app: &App) -> Result<System, AdminError> {
    let (database_bytes, database_free_bytes, path) =
        app.db.read("admin.size", store::size).await?;
    let wal = std::fs::metadata(Path::new(&format!("{path}-wal")));
    Ok(System {
        version: env!("CARGO_PKG_VERSION"),
        schema_version: schema_version(),
        sqlite_version: sqlite_version(),
        database_bytes,
        database_free_bytes,
        wal_bytes: wal.map_or(0, |file| file.len()),
        disk_free_bytes: free_bytes(&app.scratch_dir),
        disk_min_free_bytes: app.min_free_bytes,
        writer: app.db.stats(),
    })
}
