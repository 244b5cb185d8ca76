//! `/home`: the first page.

use std::sync::Arc;

use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};

use super::AdminTag;
use super::auth::Viewer;
use crate::app::App;
use crate::base::time::UnixMillis;
use crate::features::admin::model::home::{self, Need, NeedKind, SeriesDay};
use crate::features::admin::service::home as service;
use crate::features::stats::Figures;
use crate::http::ApiError;

/// Days of the series when nobody says.
const DEFAULT_DAYS: i64 = 30;

/// The first page.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct Home {
    /// When it was read.
    at: String,
    /// Since midnight in Asia/Shanghai.
    today: HomeFigures,
    /// The day before up to the same time of day; null when it was not noted.
    yesterday: Option<HomeFigures>,
    queue: HomeQueue,
    /// The last days, the oldest first; today is the last.
    series: Vec<HomeDay>,
    /// What does not go away by itself, the most urgent first; empty when all is well.
    needs_you: Vec<HomeNeed>,
}

/// A day so far. Money in fen.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct HomeFigures {
    /// Paid, less what was given back on that day.
    net_revenue: i64,
    revenue: i64,
    refunded: i64,
    orders_paid: i64,
    paying_users: i64,
    new_users: i64,
    active_users: i64,
    /// Image jobs by when they ended.
    jobs_succeeded: i64,
    jobs_failed: i64,
    jobs_canceled: i64,
    /// Of the jobs that succeeded or failed, 0 to 1; null when there were none.
    success_rate: Option<f64>,
    /// From submission to delivery, half of the last jobs; null when none was delivered.
    p50_ms: Option<i64>,
    /// And 95 of 100.
    p95_ms: Option<i64>,
    points_sold: i64,
    /// Spent, less what was given back for jobs that came to nothing.
    points_burned: i64,
    points_spent: i64,
    points_refunded: i64,
}

impl From<Figures> for HomeFigures {
    fn from(figures: Figures) -> Self {
        Self {
            net_revenue: figures.revenue - figures.refunded,
            revenue: figures.revenue,
            refunded: figures.refunded,
            orders_paid: figures.orders_paid,
            paying_users: figures.paying_users,
            new_users: figures.new_users,
            active_users: figures.active_users,
            jobs_succeeded: figures.jobs_succeeded,
            jobs_failed: figures.jobs_failed,
            jobs_canceled: figures.jobs_canceled,
            success_rate: success_rate(figures.jobs_succeeded, figures.jobs_failed),
            p50_ms: figures.p50_ms,
            p95_ms: figures.p95_ms,
            points_sold: figures.points_sold,
            points_burned: figures.points_spent - figures.points_refunded,
            points_spent: figures.points_spent,
            points_refunded: figures.points_refunded,
        }
    }
}

fn success_rate(succeeded: i64, failed: i64) -> Option<f64> {
    let (succeeded, failed) = (u32::try_from(succeeded).ok()?, u32::try_from(failed).ok()?);
    let all = f64::from(succeeded) + f64::from(failed);
    (all > 0.0).then(|| f64::from(succeeded) / all)
}

/// Image jobs at this moment.
#[derive(Debug, Object)]
struct HomeQueue {
    waiting: u64,
    running: u64,
    /// How many may wait.
    capacity: u32,
}

/// A day of the series. Money in fen.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct HomeDay {
    /// `YYYY-MM-DD` in Asia/Shanghai.
    day: String,
    net_revenue: i64,
    revenue: i64,
    refunded: i64,
    orders_paid: i64,
    paying_users: i64,
    new_users: i64,
    active_users: i64,
    jobs_succeeded: i64,
    jobs_failed: i64,
    jobs_canceled: i64,
    success_rate: Option<f64>,
    points_sold: i64,
    points_burned: i64,
}

impl From<SeriesDay> for HomeDay {
    fn from(SeriesDay { stats, sales }: SeriesDay) -> Self {
        Self {
            net_revenue: stats.revenue - stats.refunded,
            revenue: stats.revenue,
            refunded: stats.refunded,
            orders_paid: stats.orders_paid,
            paying_users: sales.paying_users,
            new_users: stats.new_users,
            active_users: stats.active_users,
            jobs_succeeded: stats.jobs_succeeded,
            jobs_failed: stats.jobs_failed,
            jobs_canceled: stats.jobs_canceled,
            success_rate: success_rate(stats.jobs_succeeded, stats.jobs_failed),
            points_sold: sales.points_sold,
            points_burned: stats.points_spent - stats.points_refunded,
            day: stats.day,
        }
    }
}

/// What needs somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "camelCase")]
enum HomeNeedKind {
    /// WeChat's bill has a payment that was not credited.
    PaidNotCredited,
    /// The bills and we disagree otherwise.
    Difference,
    /// Notifications of WeChat that were not worked on.
    EventUnprocessed,
    /// Notifications of WeChat that are genuine and do not fit.
    EventFlagged,
    /// Refunds under way that meet a problem.
    RefundProblem,
    /// Refunds of the last three days that failed.
    RefundFailed,
    /// A bill could not be fetched.
    BillMissing,
    /// The books of points do not balance.
    PointsUnbalanced,
    /// The books of money do not balance.
    MoneyUnbalanced,
    /// Jobs beyond their deadline that have not ended.
    JobStuck,
    /// Image APIs that get no calls because they failed.
    UpstreamDown,
    /// Pictures that wait for a reviewer.
    ReviewWaiting,
    /// Pictures with open reports.
    ReportWaiting,
    /// Periodic tasks that fail or do not come round.
    TaskFailing,
    /// The disk is almost full.
    DiskLow,
    /// The last backup came to nothing.
    BackupFailed,
    /// The last good backup is older than it should be.
    BackupLate,
    /// The last restore for a try came to nothing.
    DrillFailed,
    /// No restore was tried for too long.
    DrillLate,
    /// The certificate ends within two weeks, or is not one that clients take.
    CertificateEnds,
}

impl From<NeedKind> for HomeNeedKind {
    fn from(kind: NeedKind) -> Self {
        match kind {
            NeedKind::PaidNotCredited => Self::PaidNotCredited,
            NeedKind::Difference => Self::Difference,
            NeedKind::EventUnprocessed => Self::EventUnprocessed,
            NeedKind::EventFlagged => Self::EventFlagged,
            NeedKind::RefundProblem => Self::RefundProblem,
            NeedKind::RefundFailed => Self::RefundFailed,
            NeedKind::BillMissing => Self::BillMissing,
            NeedKind::PointsUnbalanced => Self::PointsUnbalanced,
            NeedKind::MoneyUnbalanced => Self::MoneyUnbalanced,
            NeedKind::JobStuck => Self::JobStuck,
            NeedKind::UpstreamDown => Self::UpstreamDown,
            NeedKind::ReviewWaiting => Self::ReviewWaiting,
            NeedKind::ReportWaiting => Self::ReportWaiting,
            NeedKind::TaskFailing => Self::TaskFailing,
            NeedKind::DiskLow => Self::DiskLow,
            NeedKind::BackupFailed => Self::BackupFailed,
            NeedKind::BackupLate => Self::BackupLate,
            NeedKind::DrillFailed => Self::DrillFailed,
            NeedKind::DrillLate => Self::DrillLate,
            NeedKind::CertificateEnds => Self::CertificateEnds,
        }
    }
}

/// What needs somebody, and how much of it.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct HomeNeed {
    kind: HomeNeedKind,
    /// Counted up to 1000.
    count: i64,
    /// Since when the oldest is there, where that is known.
    since: Option<String>,
}

impl From<Need> for HomeNeed {
    fn from(need: Need) -> Self {
        let since = need.since.map(UnixMillis::rfc3339);
        Self { kind: need.kind.into(), count: need.count, since }
    }
}

impl From<home::Home> for Home {
    fn from(home: home::Home) -> Self {
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Self {
            at: home.at.rfc3339(),
            today: home.today.into(),
            yesterday: home.yesterday.map(Into::into),
            queue: HomeQueue {
                waiting: number(home.queue.waiting),
                running: number(home.queue.running),
                capacity: home.queue.capacity,
            },
            series: home.series.into_iter().map(Into::into).collect(),
            needs_you: home.needs.into_iter().map(Into::into).collect(),
        }
    }
}

/// The first page.
pub(super) struct HomeApi {
    pub(super) app: Arc<App>,
}

#[OpenApi(tag = "AdminTag::Home")]
impl HomeApi {
    /// The first page
    ///
    /// Today against yesterday at the same hour, the last days, and what needs somebody.
    #[oai(path = "/home", method = "get", operation_id = "getHome")]
    async fn home(
        &self,
        _admin: Viewer,
        /// Days of the series, 1–366; 30 when left out.
        days: Query<Option<i64>>,
    ) -> Result<Json<Home>, ApiError> {
        let days = days.0.unwrap_or(DEFAULT_DAYS);
        if !(1..=home::MAX_DAYS).contains(&days) {
            return Err(ApiError::invalid_field("days"));
        }
        Ok(Json(service::home(&self.app, days).await?.into()))
    }
}
