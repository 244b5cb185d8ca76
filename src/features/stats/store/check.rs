//! The counters against the rows that they count, and making them anew. Looks at everything.
//!
//! What a counter should be is a view of the schema, `counted_…`: comparing and rebuilding cannot
//! disagree about it.

use super::day_from_row;
use crate::db::prelude::*;
use crate::features::stats::model::{DayStats, StatsDifference};

/// Days whose counters differ: as stored, and as counted. A missing one is all zero.
pub(in crate::features::stats) fn wrong_days(
    tx: &Tx<'_>,
) -> Result<Vec<(DayStats, DayStats)>, DbError> {
    let stored = tx.query_all(
        "SELECT day, new_users, active_users, jobs_succeeded, jobs_failed, jobs_canceled,
                points_earned, points_spent, points_refunded, orders_paid, revenue, refunded
           FROM daily_stats ORDER BY day",
        [],
        day_from_row,
    )?;
    let counted = tx.query_all(
        "SELECT day, new_users, active_users, jobs_succeeded, jobs_failed, jobs_canceled,
                points_earned, points_spent, points_refunded, orders_paid, revenue, refunded
           FROM counted_daily_stats ORDER BY day",
        [],
        day_from_row,
    )?;
    let empty = |day: &str| DayStats { day: day.to_owned(), ..DayStats::default() };
    let of = |all: &[DayStats], day: &str| match all.binary_search_by(|it| it.day.as_str().cmp(day))
    {
        Ok(at) => all[at].clone(),
        Err(_) => empty(day),
    };
    let mut days: Vec<&String> = stored.iter().chain(&counted).map(|it| &it.day).collect();
    days.sort_unstable();
    days.dedup();
    let both = days.into_iter().map(|day| (of(&stored, day), of(&counted, day)));
    Ok(both.filter(|(stored, counted)| stored != counted).collect())
}

/// Users whose jobs of a day differ, up to `most` differences.
pub(in crate::features::stats) fn wrong_job_days(
    tx: &Tx<'_>,
    most: i64,
) -> Result<Vec<StatsDifference>, DbError> {
    tx.query_all(
        "SELECT user_id || ' on ' || day, SUM(stored_succeeded), SUM(succeeded),
                SUM(stored_failed), SUM(failed), SUM(stored_canceled), SUM(canceled)
           FROM (
             SELECT user_id, day, succeeded AS stored_succeeded, 0 AS succeeded,
                    failed AS stored_failed, 0 AS failed, canceled AS stored_canceled, 0 AS canceled
               FROM user_job_days
             UNION ALL
             SELECT user_id, day, 0, succeeded, 0, failed, 0, canceled FROM counted_user_job_days
           )
          GROUP BY user_id, day
         HAVING SUM(stored_succeeded) <> SUM(succeeded) OR SUM(stored_failed) <> SUM(failed)
             OR SUM(stored_canceled) <> SUM(canceled)
          LIMIT ?1",
        params![most],
        |row| differing("user_job_days", &["succeeded", "failed", "canceled"], row),
    )
    .map(|all| all.into_iter().flatten().collect())
}

/// Users whose totals differ, up to `most`.
pub(in crate::features::stats) fn wrong_totals(
    tx: &Tx<'_>,
    most: i64,
) -> Result<Vec<StatsDifference>, DbError> {
    tx.query_all(
        "SELECT CAST(user_id AS TEXT), SUM(stored_succeeded), SUM(succeeded), SUM(stored_failed),
                SUM(failed), SUM(stored_canceled), SUM(canceled), SUM(stored_orders), SUM(orders)
           FROM (
             SELECT user_id, succeeded AS stored_succeeded, 0 AS succeeded, failed AS stored_failed,
                    0 AS failed, canceled AS stored_canceled, 0 AS canceled,
                    orders AS stored_orders, 0 AS orders
               FROM user_totals
             UNION ALL
             SELECT user_id, 0, succeeded, 0, failed, 0, canceled, 0, orders
               FROM counted_user_totals
           )
          GROUP BY user_id
         HAVING SUM(stored_succeeded) <> SUM(succeeded) OR SUM(stored_failed) <> SUM(failed)
             OR SUM(stored_canceled) <> SUM(canceled) OR SUM(stored_orders) <> SUM(orders)
          LIMIT ?1",
        params![most],
        |row| differing("user_totals", &["succeeded", "failed", "canceled", "orders"], row),
    )
    .map(|all| all.into_iter().flatten().collect())
}

/// The totals of the service that differ.
pub(in crate::features::stats) fn wrong_globals(
    tx: &Tx<'_>,
) -> Result<Vec<StatsDifference>, DbError> {
    tx.query_one(
        "SELECT 'the service', COALESCE(s.users, 0), c.users, COALESCE(s.jobs_succeeded, 0),
                c.jobs_succeeded, COALESCE(s.templates, 0), c.templates
           FROM counted_totals c LEFT JOIN stats_totals s ON s.id = c.id",
        [],
        |row| differing("stats_totals", &["users", "jobs_succeeded", "templates"], row),
    )
}

/// Orders of which other sums were given back than the days say, up to `most`.
pub(in crate::features::stats) fn wrong_refunds(
    tx: &Tx<'_>,
    most: i64,
) -> Result<Vec<StatsDifference>, DbError> {
    tx.query_all(
        "SELECT order_id, SUM(stored), SUM(counted)
           FROM (
             SELECT order_id, amount AS stored, 0 AS counted FROM refund_days
             UNION ALL
             SELECT order_id, 0, refunded_amount FROM orders WHERE refunded_amount > 0
           )
          GROUP BY order_id HAVING SUM(stored) <> SUM(counted) LIMIT ?1",
        params![most],
        |row| differing("refund_days", &["amount"], row),
    )
    .map(|all| all.into_iter().flatten().collect())
}

/// Days on which other numbers of users paid or points were sold, up to `most`.
pub(in crate::features::stats) fn wrong_sales(
    tx: &Tx<'_>,
    most: i64,
) -> Result<Vec<StatsDifference>, DbError> {
    tx.query_all(
        "SELECT day, SUM(stored_users), SUM(users), SUM(stored_points), SUM(points)
           FROM (
             SELECT day, paying_users AS stored_users, 0 AS users, points_sold AS stored_points,
                    0 AS points
               FROM daily_sales
             UNION ALL
             SELECT day, 0, paying_users, 0, points_sold FROM counted_daily_sales
           )
          GROUP BY day
         HAVING SUM(stored_users) <> SUM(users) OR SUM(stored_points) <> SUM(points) LIMIT ?1",
        params![most],
        |row| differing("daily_sales", &["paying_users", "points_sold"], row),
    )
    .map(|all| all.into_iter().flatten().collect())
}

/// Makes every counter anew. What cannot be counted any more (on which day a refund was that no day
/// knows) goes to the day of the order's last change.
pub(in crate::features::stats) fn rebuild(tx: &Tx<'_>) -> Result<(), DbError> {
    tx.execute(
        "DELETE FROM refund_days WHERE order_id IN
           (SELECT r.order_id FROM refund_days r LEFT JOIN orders o ON o.order_id = r.order_id
             GROUP BY r.order_id HAVING SUM(r.amount) > COALESCE(MAX(o.refunded_amount), 0))",
        [],
    )?;
    tx.execute(
        "INSERT INTO refund_days (order_id, day, amount)
         SELECT order_id, day, missing FROM missing_refund_days WHERE missing > 0
         ON CONFLICT (order_id, day) DO UPDATE SET amount = amount + excluded.amount",
        [],
    )?;
    tx.execute("DELETE FROM user_job_days", [])?;
    tx.execute(
        "INSERT INTO user_job_days (user_id, day, succeeded, failed, canceled)
         SELECT user_id, day, succeeded, failed, canceled FROM counted_user_job_days",
        [],
    )?;
    tx.execute("DELETE FROM user_totals", [])?;
    tx.execute(
        "INSERT INTO user_totals (user_id, succeeded, failed, canceled, orders)
         SELECT user_id, succeeded, failed, canceled, orders FROM counted_user_totals",
        [],
    )?;
    tx.execute("DELETE FROM daily_stats", [])?;
    tx.execute(
        "INSERT INTO daily_stats
           (day, new_users, active_users, jobs_succeeded, jobs_failed, jobs_canceled, points_earned,
            points_spent, points_refunded, orders_paid, revenue, refunded)
         SELECT day, new_users, active_users, jobs_succeeded, jobs_failed, jobs_canceled,
                points_earned, points_spent, points_refunded, orders_paid, revenue, refunded
           FROM counted_daily_stats",
        [],
    )?;
    tx.execute("DELETE FROM day_payers", [])?;
    tx.execute(
        "INSERT INTO day_payers (day, user_id) SELECT day, user_id FROM counted_day_payers",
        [],
    )?;
    tx.execute("DELETE FROM daily_sales", [])?;
    tx.execute(
        "INSERT INTO daily_sales (day, paying_users, points_sold)
         SELECT day, paying_users, points_sold FROM counted_daily_sales",
        [],
    )?;
    tx.execute("DELETE FROM stats_totals", [])?;
    tx.execute(
        "INSERT INTO stats_totals (id, users, jobs_succeeded, templates)
         SELECT id, users, jobs_succeeded, templates FROM counted_totals",
        [],
    )?;
    Ok(())
}

/// A row that begins with whose it is and goes on with pairs, stored and counted.
fn differing(
    table: &str,
    columns: &[&str],
    row: &Row<'_>,
) -> Result<Vec<StatsDifference>, DbError> {
    let of: String = row.get(0)?;
    let mut found = Vec::new();
    for (at, column) in columns.iter().enumerate() {
        let (stored, counted): (i64, i64) = (row.get(2 * at + 1)?, row.get(2 * at + 2)?);
        if stored != counted {
            let counter = format!("{table}.{column}");
            found.push(StatsDifference { counter, of: of.clone(), stored, counted });
        }
    }
    Ok(found)
}
