//! The first page: how today goes, and what needs somebody.

use crate::base::time::UnixMillis;
use crate::features::stats::{DayStats, Figures, Sales};

/// The most days that a series has.
pub(in crate::features::admin) const MAX_DAYS: i64 = 366;

/// The first page.
#[derive(Clone, Debug)]
pub struct Home {
    pub at: UnixMillis,
    pub today: Figures,
    /// The day before at the same time of day; `None` when nobody noted it.
    pub yesterday: Option<Figures>,
    pub queue: Queue,
    /// The last days, today included, the oldest first; also those on which nothing happened.
    pub series: Vec<SeriesDay>,
    pub needs: Vec<Need>,
}

/// Image jobs at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    pub waiting: usize,
    pub running: usize,
    /// How many may wait.
    pub capacity: u32,
}

/// A day of the series.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeriesDay {
    pub stats: DayStats,
    pub sales: Sales,
}

/// Something that does not go away by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeedKind {
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
    /// Refunds of the last days that failed.
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
    /// A periodic task fails or does not come round.
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

/// What needs somebody, and how much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    pub kind: NeedKind,
    /// Up to [`COUNTED`]; whoever has as many needs no exact number.
    pub count: i64,
    /// Since when the oldest is there, where that is known.
    pub since: Option<UnixMillis>,
}

/// Things of a kind are counted up to here.
pub(in crate::features::admin) const COUNTED: i64 = 1_000;

/// The days of the series in full: where nothing happened, there are zeros.
pub(in crate::features::admin) fn series(
    days: impl Iterator<Item = String>,
    stats: Vec<DayStats>,
    sales: Vec<Sales>,
) -> Vec<SeriesDay> {
    let (mut stats, mut sales) = (stats.into_iter().peekable(), sales.into_iter().peekable());
    days.map(|day| {
        let of_day = stats.next_if(|known| known.day == day);
        let sold = sales.next_if(|known| known.day == day);
        SeriesDay {
            stats: of_day.unwrap_or_else(|| DayStats { day: day.clone(), ..DayStats::default() }),
            sales: sold.unwrap_or_else(|| Sales { day, ..Sales::default() }),
        }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_on_which_nothing_happened_is_there_all_the_same() {
        let stats = |day: &str| DayStats { day: day.to_owned(), revenue: 7, ..DayStats::default() };
        let sales = |day: &str| Sales { day: day.to_owned(), paying_users: 1, points_sold: 5 };
        let days = ["2026-01-01", "2026-01-02", "2026-01-03"].map(str::to_owned);
        let full = series(
            days.clone().into_iter(),
            vec![stats("2026-01-01"), stats("2026-01-03")],
            vec![sales("2026-01-03")],
        );
        let seen: Vec<_> = full
            .iter()
            .map(|day| (day.stats.day.as_str(), day.stats.revenue, day.sales.points_sold))
            .collect();
        assert_eq!(seen, [("2026-01-01", 7, 0), ("2026-01-02", 0, 0), ("2026-01-03", 7, 5)]);
        assert!(full.iter().zip(days).all(|(day, name)| day.sales.day == name));
    }
}
