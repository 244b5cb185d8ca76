//! `/books`: whether every balance is the sum of its ledger, and everything paid has what it bought.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::AdminTag;
use super::auth::{Operator, Viewer};
use crate::app::App;
use crate::base::error_chain::error_chain;
use crate::features::points::Difference;
use crate::features::points::service::books::{self, check_books};
use crate::features::reconciliation::Finding;
use crate::features::reconciliation::service::money::{self, check_money};
use crate::http::ApiError;

/// How long somebody waits for a check; it goes on without him.
const PATIENCE: Duration = Duration::from_secs(5);

/// A user whose books do not balance. In order, all amounts are the same.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct WrongUser {
    user_id: i64,
    balance: i64,
    /// Of his ledger.
    sum: i64,
    last_balance_after: i64,
    totals: i64,
    /// Rows whose `balanceAfter` is not the sum so far.
    broken_rows: i64,
}

impl From<Difference> for WrongUser {
    fn from(wrong: Difference) -> Self {
        let Difference { user_id, balance, sum, last_balance_after, totals, broken_rows } = wrong;
        Self { user_id, balance, sum, last_balance_after, totals, broken_rows }
    }
}

/// Something about money that is not as it must be.
#[derive(Debug, Object)]
struct MoneyFinding {
    /// The rule that is broken.
    rule: String,
    /// The order, grant, booking or refund.
    reference: String,
}

impl From<Finding> for MoneyFinding {
    fn from(finding: Finding) -> Self {
        let Finding { rule, reference } = finding;
        Self { rule, reference }
    }
}

/// The last check of balances.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct PointsCheck {
    checked_at: String,
    users: i64,
    wrong_users: i64,
    /// The first hundred.
    differences: Vec<WrongUser>,
}

/// The last check of money.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct MoneyCheck {
    checked_at: String,
    /// Paid orders.
    orders: i64,
    wrong: i64,
    /// The first hundred.
    findings: Vec<MoneyFinding>,
}

/// How the books stand.
#[derive(Debug, Object)]
struct Books {
    /// A check runs now.
    running: bool,
    /// Null before the first check.
    points: Option<PointsCheck>,
    money: Option<MoneyCheck>,
}

/// Held while a check runs that somebody asked for: there is one at a time.
#[derive(Default)]
struct Running(Arc<Mutex<bool>>);

/// The books.
pub(super) struct BooksApi {
    pub(super) app: Arc<App>,
}

#[OpenApi(prefix_path = "/books", tag = "AdminTag::Books")]
impl BooksApi {
    /// How the books stand
    ///
    /// What the last checks found. They run each night.
    #[oai(path = "/", method = "get", operation_id = "getBooks")]
    async fn get(&self, _admin: Viewer) -> Result<Json<Books>, ApiError> {
        self.books()
    }

    /// Check the books now
    ///
    /// Every balance and every payment. Answers what was found, or that it still runs after five seconds;
    /// while one runs no other begins.
    #[oai(path = "/check", method = "post", operation_id = "checkBooks")]
    async fn check(&self, _admin: Operator) -> Result<Json<Books>, ApiError> {
        let running = Arc::clone(&self.app.states.get::<Running>().0);
        if !std::mem::replace(&mut *running.lock(), true) {
            let app = Arc::clone(&self.app);
            let task = tokio::spawn(async move {
                let _ended = Ended(running);
                check(&app).await;
            });
            // Whatever becomes of the wait, the check goes on.
            let _ = tokio::time::timeout(PATIENCE, task).await;
        }
        self.books()
    }
}

impl BooksApi {
    fn books(&self) -> Result<Json<Books>, ApiError> {
        let points = books::last(&self.app)?.map(|(at, report)| PointsCheck {
            checked_at: at.rfc3339(),
            users: report.users,
            wrong_users: report.wrong_users,
            differences: report.differences.into_iter().map(WrongUser::from).collect(),
        });
        let money = money::last(&self.app)?.map(|(at, report)| MoneyCheck {
            checked_at: at.rfc3339(),
            orders: report.orders,
            wrong: report.wrong,
            findings: report.findings.into_iter().map(MoneyFinding::from).collect(),
        });
        let running = *self.app.states.get::<Running>().0.lock();
        Ok(Json(Books { running, points, money }))
    }
}

/// However the check ends, the next may begin.
struct Ended(Arc<Mutex<bool>>);

impl Drop for Ended {
    fn drop(&mut self) {
        *self.0.lock() = false;
    }
}

async fn check(app: &App) {
    if let Err(err) = check_books(&app.db, &app.clock).await {
        tracing::error!(error = error_chain(&err), "the books cannot be checked");
    }
    if let Err(err) = check_money(&app.db, &app.clock).await {
        tracing::error!(error = error_chain(&err), "the books of money cannot be checked");
    }
}
