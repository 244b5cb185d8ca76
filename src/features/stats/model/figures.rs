//! How far a day is.

use serde::{Deserialize, Serialize};

use super::DayStats;

/// Who paid on a day, and how many points were sold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sales {
    /// `YYYY-MM-DD` in Asia/Shanghai.
    pub day: String,
    pub paying_users: i64,
    pub points_sold: i64,
}

/// A day so far. Money in fen. Stored as it stands: a name is never given another meaning.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Figures {
    /// Paid today.
    pub revenue: i64,
    /// Given back today.
    pub refunded: i64,
    pub orders_paid: i64,
    pub paying_users: i64,
    pub new_users: i64,
    pub active_users: i64,
    /// By when they ended.
    pub jobs_succeeded: i64,
    pub jobs_failed: i64,
    pub jobs_canceled: i64,
    pub points_sold: i64,
    pub points_spent: i64,
    /// Of failed and cancelled jobs.
    pub points_refunded: i64,
    /// Half of the jobs took at most so long, in milliseconds; of the last thousand, as far as they were
    /// delivered today.
    pub p50_ms: Option<i64>,
    /// And 95 of 100 at most so long.
    pub p95_ms: Option<i64>,
}

impl Figures {
    /// From the counters of the day and what jobs took.
    pub(in crate::features::stats) fn of(
        day: &DayStats,
        sales: &Sales,
        mut times: Vec<i64>,
    ) -> Self {
        times.sort_unstable();
        Self {
            revenue: day.revenue,
            refunded: day.refunded,
            orders_paid: day.orders_paid,
            paying_users: sales.paying_users,
            new_users: day.new_users,
            active_users: day.active_users,
            jobs_succeeded: day.jobs_succeeded,
            jobs_failed: day.jobs_failed,
            jobs_canceled: day.jobs_canceled,
            points_sold: sales.points_sold,
            points_spent: day.points_spent,
            points_refunded: day.points_refunded,
            p50_ms: percentile(&times, 50),
            p95_ms: percentile(&times, 95),
        }
    }
}

/// The least value that `percent` of 100 do not exceed (nearest rank); `sorted` is in order.
fn percentile(sorted: &[i64], percent: usize) -> Option<i64> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_there() {
        let times: Vec<i64> = (1..=100).collect();
        assert_eq!((percentile(&times, 50), percentile(&times, 95)), (Some(50), Some(95)));
        assert_eq!((percentile(&[7], 50), percentile(&[7], 95)), (Some(7), Some(7)));
        assert_eq!(percentile(&[1, 9], 50), Some(1));
        assert_eq!(percentile(&[], 50), None);
    }
}
