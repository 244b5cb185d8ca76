//! Brings a database file to the schema of this binary: forward only, whole or not at all.
//!
//! All pending migrations run in one transaction, and before it changes an existing schema the
//! file is copied to the backups directory while the write lock is held, so that the copy is
//! exactly what the migrations saw. What was applied is recorded twice: `PRAGMA user_version` (the
//! number, cheap to read) and `schema_migrations` (when, and the checksum of the text).

use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};
use sha2::{Digest as _, Sha256};

use super::connection;
use super::error::OpenError;
use super::settings::DbSettings;
use super::snapshot::snapshot;
use crate::base::clock::Clock;

/// One step of the schema, `data/migrations/NNNN_name.sql`.
#[derive(Clone, Copy)]
pub(super) struct Migration {
    pub(super) version: i64,
    pub(super) name: &'static str,
    pub(super) sql: &'static str,
}

/// Every migration in order, numbered from 1 without gaps.
pub(super) const ALL: &[Migration] = &[
    Migration {
        version: 1,
        name: "create_core",
        sql: include_str!("../../data/migrations/0001_create_core.sql"),
    },
    Migration {
        version: 2,
        name: "add_points_and_settings",
        sql: include_str!("../../data/migrations/0002_add_points_and_settings.sql"),
    },
    Migration {
        version: 3,
        name: "add_media",
        sql: include_str!("../../data/migrations/0003_add_media.sql"),
    },
    Migration {
        version: 4,
        name: "add_generations",
        sql: include_str!("../../data/migrations/0004_add_generations.sql"),
    },
    Migration {
        version: 5,
        name: "add_vip",
        sql: include_str!("../../data/migrations/0005_add_vip.sql"),
    },
    Migration {
        version: 6,
        name: "add_payments",
        sql: include_str!("../../data/migrations/0006_add_payments.sql"),
    },
    Migration {
        version: 7,
        name: "add_proxy_charges_and_history",
        sql: include_str!("../../data/migrations/0007_add_proxy_charges_and_history.sql"),
    },
    Migration {
        version: 8,
        name: "add_gallery",
        sql: include_str!("../../data/migrations/0008_add_gallery.sql"),
    },
    Migration {
        version: 9,
        name: "add_refunds",
        sql: include_str!("../../data/migrations/0009_add_refunds.sql"),
    },
    Migration {
        version: 10,
        name: "add_templates",
        sql: include_str!("../../data/migrations/0010_add_templates.sql"),
    },
    Migration {
        version: 11,
        name: "add_statistics",
        sql: include_str!("../../data/migrations/0011_add_statistics.sql"),
    },
    Migration {
        version: 12,
        name: "add_moderation_and_messages",
        sql: include_str!("../../data/migrations/0012_add_moderation_and_messages.sql"),
    },
    Migration {
        version: 13,
        name: "add_account_closures",
        sql: include_str!("../../data/migrations/0013_add_account_closures.sql"),
    },
    Migration {
        version: 14,
        name: "add_admins",
        sql: include_str!("../../data/migrations/0014_add_admins.sql"),
    },
    Migration {
        version: 15,
        name: "add_home_and_request_ids",
        sql: include_str!("../../data/migrations/0015_add_home_and_request_ids.sql"),
    },
    Migration {
        version: 16,
        name: "add_browse_indexes",
        sql: include_str!("../../data/migrations/0016_add_browse_indexes.sql"),
    },
    Migration {
        version: 17,
        name: "add_backup_runs",
        sql: include_str!("../../data/migrations/0017_add_backup_runs.sql"),
    },
    Migration {
        version: 18,
        name: "add_timeline_indexes",
        sql: include_str!("../../data/migrations/0018_add_timeline_indexes.sql"),
    },
    Migration {
        version: 19,
        name: "add_alert_states",
        sql: include_str!("../../data/migrations/0019_add_alert_states.sql"),
    },
];

/// Where a database file stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationStatus {
    /// Schema version of the file; 0 when there is none yet.
    pub current: i64,
    /// Schema version of this binary.
    pub latest: i64,
    /// Names of the migrations still to run, such as `0002_add_packs`.
    pub pending: Vec<String>,
}

/// What [`migrate`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationReport {
    /// Schema version before; 0 for a new file.
    pub from: i64,
    /// Schema version now.
    pub to: i64,
    /// The copy made before the change, if an existing schema was changed.
    pub snapshot: Option<PathBuf>,
}

/// Says where the database file at `path` stands; changes nothing.
pub fn migration_status(path: &Path) -> Result<MigrationStatus, OpenError> {
    let current = if path.exists() {
        let failed = |source| OpenError::Open { path: path.to_path_buf(), source };
        let conn = Connection::open_with_flags(path, connection::flags()).map_err(failed)?;
        inspect(&conn, path, ALL)?
    } else {
        0
    };
    Ok(MigrationStatus {
        current,
        latest: latest(ALL),
        pending: pending(ALL, current)
            .map(|migration| format!("{:04}_{}", migration.version, migration.name))
            .collect(),
    })
}

/// Creates or upgrades the database of `settings` and closes it again.
pub fn migrate(settings: &DbSettings, clock: &Clock) -> Result<MigrationReport, OpenError> {
    apply(&connection::open_writer(settings)?, settings, clock, ALL)
}

/// The newest version in `migrations`.
pub(super) fn latest(migrations: &[Migration]) -> i64 {
    migrations.last().map_or(0, |migration| migration.version)
}

/// Runs what is pending on the writable connection of `settings`.
pub(super) fn apply(
    conn: &Connection,
    settings: &DbSettings,
    clock: &Clock,
    migrations: &[Migration],
) -> Result<MigrationReport, OpenError> {
    let path = &settings.path;
    let failed = |source| OpenError::Open { path: path.clone(), source };
    let to = latest(migrations);
    let from = inspect(conn, path, migrations)?;
    if from == to {
        return Ok(MigrationReport { from, to, snapshot: None });
    }
    // A table can only be rebuilt with foreign keys off, which works only outside a transaction;
    // the references are checked as a whole before the COMMIT.
    conn.execute_batch("PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE").map_err(failed)?;
    // Another process may have migrated while we waited for the lock.
    let report = inspect(conn, path, migrations).and_then(|from| {
        let copied = (from > 0 && from < to).then(|| copy_before(settings, clock, from, to));
        let snapshot = copied.transpose()?;
        for migration in pending(migrations, from) {
            run(conn, migration, clock).map_err(|source| OpenError::Migration {
                version: migration.version,
                name: migration.name,
                source,
            })?;
        }
        check_references(conn, path)?;
        Ok(MigrationReport { from, to, snapshot })
    });
    match report {
        Ok(report) => {
            conn.execute_batch("COMMIT; PRAGMA foreign_keys = ON").map_err(failed)?;
            tracing::info!(from = report.from, to, "the database schema was migrated");
            Ok(report)
        }
        Err(err) => {
            // The connection is dropped by the caller, which rolls back too.
            let _ = conn.execute_batch("ROLLBACK");
            Err(err)
        }
    }
}

fn pending(migrations: &[Migration], current: i64) -> impl Iterator<Item = &Migration> {
    migrations.iter().filter(move |migration| migration.version > current)
}

fn run(conn: &Connection, migration: &Migration, clock: &Clock) -> rusqlite::Result<()> {
    conn.execute_batch(
        "CREATE TABLE IF NOT EXISTS schema_migrations (
           version    INTEGER PRIMARY KEY,
           name       TEXT NOT NULL,
           checksum   TEXT NOT NULL,
           applied_at INTEGER NOT NULL
         ) STRICT;",
    )?;
    conn.execute_batch(migration.sql)?;
    conn.execute(
        "INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES (?1, ?2, ?3, ?4)",
        params![migration.version, migration.name, checksum(migration), clock.now()],
    )?;
    conn.pragma_update(None, "user_version", migration.version)
}

fn copy_before(
    settings: &DbSettings,
    clock: &Clock,
    from: i64,
    to: i64,
) -> Result<PathBuf, OpenError> {
    connection::create_dir(&settings.backups_dir)?;
    let time = clock.now().rfc3339().replace([':', '-'], "");
    let copy = settings.backups_dir.join(format!("pre-migration-v{from}-to-v{to}-{time}.db"));
    let bytes = snapshot(&settings.path, &copy)?;
    tracing::info!(path = %copy.display(), bytes, "the database was copied before the migration");
    Ok(copy)
}

fn check_references(conn: &Connection, path: &Path) -> Result<(), OpenError> {
    let first = conn.query_row("PRAGMA foreign_key_check", [], |row| row.get(0));
    match first {
        Ok(table) => Err(OpenError::BrokenReferences { table }),
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok(()),
        Err(source) => Err(OpenError::Open { path: path.to_path_buf(), source }),
    }
}

/// The schema version of the file, after making sure that this binary may use it.
fn inspect(conn: &Connection, path: &Path, known: &[Migration]) -> Result<i64, OpenError> {
    let failed = |source| OpenError::Open { path: path.to_path_buf(), source };
    let current: i64 =
        conn.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
    if current > latest(known) {
        return Err(OpenError::Newer { found: current, known: latest(known) });
    }
    let count = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(failed);
    let recorded =
        count("SELECT count(*) FROM sqlite_schema WHERE name = 'schema_migrations'")? > 0;
    if current == 0 && !recorded {
        return match count("SELECT count(*) FROM sqlite_schema")? {
            0 => Ok(0),
            _ => Err(OpenError::NotOurs("it has tables but no schema version")),
        };
    }
    if !recorded {
        return Err(OpenError::NotOurs("it has a schema version but no schema_migrations"));
    }
    let mut statement = conn
        .prepare("SELECT version, checksum FROM schema_migrations ORDER BY version")
        .map_err(failed)?;
    let applied: Vec<(i64, String)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .and_then(Iterator::collect)
        .map_err(failed)?;
    if applied.last().map_or(0, |(version, _)| *version) != current {
        return Err(OpenError::NotOurs("its schema version and schema_migrations disagree"));
    }
    for migration in known.iter().filter(|migration| migration.version <= current) {
        match applied.iter().find(|(version, _)| *version == migration.version) {
            Some((_, sum)) if *sum == checksum(migration) => {}
            Some(_) => {
                return Err(OpenError::ChecksumChanged {
                    version: migration.version,
                    name: migration.name,
                });
            }
            None => return Err(OpenError::NotOurs("a migration is missing in schema_migrations")),
        }
    }
    Ok(current)
}

/// SHA-256 of the text, in hexadecimal.
fn checksum(migration: &Migration) -> String {
    use std::fmt::Write as _;
    let digest = Sha256::digest(migration.sql.as_bytes());
    digest.iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
#[path = "migrate_tests.rs"]
mod tests;
