//! Whether a copy can be relied upon: SQLite finds it whole, and its books balance.

use std::path::Path;

use crate::base::clock::Clock;
use crate::db::{CopyReport, Db, DbSettings, check_copy, remove_side_files, schema_version};
use crate::features::backups::model::{BackupError, Books};
use crate::features::points::service::books;
use crate::features::reconciliation::service::money;

/// Checks the decompressed copy at `path`, called `name` in errors; it stays as it is.
///
/// A copy of an older schema is brought up to date in `scratch`, a folder that is removed by the caller:
/// the books are added up by this program's rules, and that it can be migrated is part of the check.
///
/// # Errors
/// `Copy` when it is not whole. Books that do not balance are no error here.
pub(super) async fn check(
    path: &Path,
    name: &str,
    scratch: &Path,
    clock: &Clock,
) -> Result<(CopyReport, Books), BackupError> {
    let report =
        check_copy(path).map_err(|source| BackupError::Copy { name: name.to_owned(), source })?;
    let db = if report.schema == schema_version() {
        Db::open_copy(path)?
    } else {
        let migrated = scratch.join("migrated.db");
        std::fs::copy(path, &migrated).map_err(BackupError::file(&migrated))?;
        Db::open(DbSettings::new(migrated, scratch), clock)?
    };
    let books = add_up(&db).await;
    db.close();
    drop(db);
    remove_side_files(path).map_err(BackupError::file(path))?;
    Ok((report, books?))
}

async fn add_up(db: &Db) -> Result<Books, BackupError> {
    let points = books::examine(db).await?;
    let money = money::examine(db).await?;
    Ok(Books {
        users: points.users,
        wrong_users: points.wrong_users,
        paid_orders: money.orders,
        wrong_money: money.wrong,
    })
}
