//! `books`: checks every user's balance against his ledger, and payments, memberships and refunds
//! against each other.

use std::error::Error;

use tokio::runtime::Builder;

use super::{BooksArgs, existing};
use crate::base::clock::Clock;
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

pub(super) fn run(args: &BooksArgs) -> Result<(), Box<dyn Error>> {
    let clock = Clock::system();
    let db = existing::open(&args.storage, &clock)?;
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
