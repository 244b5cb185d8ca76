//! `books`: checks every user's balance against his ledger, and payments, memberships and refunds
//! against each other.

use std::error::Error;

use tokio::runtime::Builder;

use super::BooksArgs;
use crate::base::clock::Clock;
use crate::db::{Db, DbSettings, migration_status};
use crate::features::points::BooksReport;
use crate::features::points::service::books::check_books;
use crate::features::reconciliation::MoneyReport;
use crate::features::reconciliation::service::money::check_money;

/// Something does not balance. What is wrong was printed.
#[derive(Debug, thiserror::Error)]
#[error("the books do not balance: {users} users are wrong, and {money} payments or refunds")]
struct Unbalanced {
    users: i64,
    money: i64,
}

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
    let reports: Result<_, Box<dyn Error>> = runtime
        .block_on(async { Ok((check_books(&db, &clock).await?, check_money(&db, &clock).await?)) });
    db.close();
    let (points, money) = reports?;
    print(&points, &money)
}

#[expect(clippy::print_stdout, reason = "this is the output")]
fn print(points: &BooksReport, money: &MoneyReport) -> Result<(), Box<dyn Error>> {
    for difference in &points.differences {
        println!("{difference}");
    }
    for finding in &money.findings {
        println!("{finding}");
    }
    if !(points.is_balanced() && money.is_balanced()) {
        return Err(Unbalanced { users: points.wrong_users, money: money.wrong }.into());
    }
    println!("the books of all {} users balance", points.users);
    println!("the books of all {} paid orders balance", money.orders);
    Ok(())
}
