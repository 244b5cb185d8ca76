//! `books`: checks every user's balance against his ledger.

use std::error::Error;

use tokio::runtime::Builder;

use super::BooksArgs;
use crate::base::clock::Clock;
use crate::db::{Db, DbSettings, migration_status};
use crate::features::points::BooksReport;
use crate::features::points::service::books::check_books;

/// The books of some users do not balance. What is wrong was printed.
#[derive(Debug, thiserror::Error)]
#[error("the books of {0} users do not balance")]
struct Unbalanced(i64);

/// The database is not one that this program can check.
#[derive(Debug, thiserror::Error)]
enum NotReady {
    #[error("there is no database {0}")]
    Missing(String),
    #[error(
        "the database has schema {current}, this program has {latest}: run `dream-bff migrate`"
    )]
    Schema { current: i64, latest: i64 },
}

pub(super) fn run(args: &BooksArgs) -> Result<(), Box<dyn Error>> {
    let path = args.storage.database_path();
    // A check must not make or change what it checks.
    if !path.exists() {
        return Err(NotReady::Missing(path.display().to_string()).into());
    }
    let status = migration_status(&path)?;
    if status.current != status.latest {
        let (current, latest) = (status.current, status.latest);
        return Err(NotReady::Schema { current, latest }.into());
    }
    let clock = Clock::system();
    let db = Db::open(DbSettings::new(path, args.storage.backups_dir()), &clock)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(check_books(&db, &clock));
    db.close();
    print(&report?)
}

#[expect(clippy::print_stdout, reason = "this is the output")]
fn print(report: &BooksReport) -> Result<(), Box<dyn Error>> {
    for difference in &report.differences {
        println!("{difference}");
    }
    if report.is_balanced() {
        println!("the books of all {} users balance", report.users);
        Ok(())
    } else {
        Err(Unbalanced(report.wrong_users).into())
    }
}
