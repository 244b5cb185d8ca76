//! The database of the dead server, added up anew: nothing here uses the program's own sums.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::driver::Rest;

/// SQLite finds nothing wrong with the file, nor with what refers to what.
pub(super) fn file_is_whole(rest: &Rest<'_>) {
    let verdict: String =
        rest.database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
    let mut broken = rest.database.prepare("PRAGMA foreign_key_check").unwrap();
    assert!(broken.query([]).unwrap().next().unwrap().is_none(), "a reference leads nowhere");
}

/// Walking each ledger gives every `balance_after` and, in the end, the balance.
pub(super) fn ledger_adds_up(rest: &Rest<'_>) {
    let mut balances = BTreeMap::<i64, i64>::new();
    let mut ledger = rest
        .database
        .prepare("SELECT user_id, type, amount, balance_after FROM points_transactions ORDER BY id")
        .unwrap();
    let mut rows = ledger.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let (user, kind): (i64, String) = (row.get(0).unwrap(), row.get(1).unwrap());
        let (amount, after): (i64, i64) = (row.get(2).unwrap(), row.get(3).unwrap());
        let balance = balances.entry(user).or_default();
        *balance += if kind == "SPEND" { -amount } else { amount };
        assert_eq!(*balance, after, "the ledger of user {user}");
        assert!(after >= 0, "user {user} owes");
    }
    let mut users = rest.database.prepare("SELECT id, points_balance FROM users").unwrap();
    let mut rows = users.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let (user, balance): (i64, i64) = (row.get(0).unwrap(), row.get(1).unwrap());
        assert_eq!(balance, balances.remove(&user).unwrap_or(0), "the balance of user {user}");
    }
    assert!(balances.is_empty(), "points of nobody: {balances:?}");
}

/// Sign-ups, check-ins, codes and invitations: each booked once, and nothing booked that was not.
pub(super) fn ways_to_points_match(rest: &Rest<'_>) {
    let none = |what: &str, query: &str| none(rest.database, what, query);
    none(
        "users without one sign-up bonus",
        "SELECT id FROM users u WHERE 1 <> (SELECT COUNT(*) FROM points_transactions
           WHERE user_id = u.id AND reason = 'sign_up')",
    );
    none(
        "check-ins that are not booked as they are",
        "SELECT c.user_id FROM check_ins c WHERE 1 <> (SELECT COUNT(*) FROM points_transactions
           WHERE user_id = c.user_id AND reason = 'check_in' AND amount = c.points
             AND reference = c.user_id || ':' || c.day)",
    );
    none(
        "booked check-ins that are none",
        "SELECT user_id FROM points_transactions t WHERE reason = 'check_in' AND NOT EXISTS
           (SELECT 1 FROM check_ins WHERE t.reference = user_id || ':' || day)",
    );
    none(
        "codes used and not booked",
        "SELECT redeemed_by FROM redeem_codes c JOIN redeem_batches b ON b.id = c.batch_id
          WHERE redeemed_by IS NOT NULL AND NOT EXISTS (SELECT 1 FROM points_transactions
           WHERE reason = 'redeem' AND reference = c.code AND user_id = c.redeemed_by
             AND amount = b.points)",
    );
    none(
        "codes booked and not used",
        "SELECT user_id FROM points_transactions t WHERE reason = 'redeem' AND NOT EXISTS
           (SELECT 1 FROM redeem_codes WHERE code = t.reference AND redeemed_by = t.user_id)",
    );
    none(
        "invitations rewarded other than once after the first picture",
        "SELECT id FROM users u WHERE (invited_by IS NOT NULL AND EXISTS
             (SELECT 1 FROM generations WHERE user_id = u.id AND status = 'SUCCEEDED'))
           <> (SELECT COUNT(*) FROM points_transactions
                WHERE reason = 'invite' AND reference = CAST(u.id AS TEXT)
                  AND user_id = u.invited_by)",
    );
}

/// Each job has ended: delivered and paid for, or neither; and the ledger says what its row says.
pub(super) fn jobs_cost_once(rest: &Rest<'_>) {
    let none = |what: &str, query: &str| none(rest.database, what, query);
    none(
        "jobs that have not ended",
        "SELECT seq FROM generations
          WHERE status NOT IN ('SUCCEEDED', 'FAILED', 'CANCELED') OR late_until IS NOT NULL",
    );
    none(
        "jobs with other pictures than they have",
        "SELECT seq FROM generations g WHERE (SELECT COUNT(*) FROM generation_images
            WHERE job_id = g.job_id)
          <> CASE status WHEN 'SUCCEEDED' THEN sample_count ELSE 0 END",
    );
    none(
        "jobs delivered in time and not paid for exactly once",
        "SELECT seq FROM generations
          WHERE status = 'SUCCEEDED' AND completed_at <= deadline_at
            AND NOT (quota_used = sample_count AND points_charged = 0 AND points_refunded = 0)
            AND NOT (quota_used = 0 AND points_refunded = 0 AND points_charged =
                     sample_count * CASE mode WHEN 'draft' THEN 1 ELSE 2 END)",
    );
    none(
        "jobs not delivered and not given back",
        "SELECT seq FROM generations WHERE status IN ('FAILED', 'CANCELED')
          AND (quota_used <> 0 OR points_refunded <> points_charged)",
    );
    none(
        "jobs delivered late and paid for more than once",
        "SELECT seq FROM generations
          WHERE status = 'SUCCEEDED' AND completed_at > deadline_at
            AND (quota_used > 0 AND points_charged > points_refunded
              OR points_charged - points_refunded >
                 sample_count * CASE mode WHEN 'draft' THEN 1 ELSE 2 END)",
    );
    for (what, reasons, column) in [
        ("was charged", "'job', 'job_late'", "points_charged"),
        ("was given back", "'job_refund'", "points_refunded"),
    ] {
        none(
            &format!("jobs of which the ledger says otherwise what {what}"),
            &format!(
                "SELECT seq FROM generations g WHERE {column} <>
                   (SELECT COALESCE(SUM(amount), 0) FROM points_transactions
                     WHERE reason IN ({reasons}) AND reference = g.job_id
                       AND user_id = g.user_id)"
            ),
        );
    }
    none(
        "bookings for jobs that do not exist",
        "SELECT id FROM points_transactions t WHERE reason IN ('job', 'job_refund', 'job_late')
          AND NOT EXISTS (SELECT 1 FROM generations WHERE job_id = t.reference)",
    );
    none(
        "stored answers about jobs that do not exist",
        "SELECT id FROM idempotency_keys k WHERE path LIKE '%generate' AND NOT EXISTS
           (SELECT 1 FROM generations WHERE job_id = json_extract(CAST(k.answer AS TEXT), '$.jobId')
             AND user_id = k.user_id)",
    );
}

/// The days' pictures are those of the jobs, and the counts by status are right.
pub(super) fn quota_matches(rest: &Rest<'_>) {
    none(
        rest.database,
        "days that count other pictures than were made",
        "SELECT q.user_id FROM quota_usage q LEFT JOIN
           (SELECT user_id, quota_day AS day, SUM(quota_used) AS free,
                   SUM(CASE status WHEN 'SUCCEEDED' THEN sample_count - quota_used ELSE 0 END)
                     AS paid
              FROM generations GROUP BY user_id, quota_day) g
           ON g.user_id = q.user_id AND g.day = q.day
          WHERE q.free <> COALESCE(g.free, 0) OR q.paid <> COALESCE(g.paid, 0)",
    );
    none(
        rest.database,
        "counts by status that are wrong",
        "SELECT c.user_id FROM generation_counts c WHERE jobs <> (SELECT COUNT(*) FROM generations
           WHERE user_id = c.user_id AND status = c.status)",
    );
}

/// How the jobs ended, for the record.
pub(super) fn figures(rest: &Rest<'_>) {
    let mut statuses = rest
        .database
        .prepare(
            "SELECT status || CASE WHEN status = 'SUCCEEDED' AND completed_at > deadline_at
                                   THEN ' late' ELSE '' END, COUNT(*)
               FROM generations GROUP BY 1",
        )
        .unwrap();
    let mut rows = statuses.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let (status, count): (String, i64) = (row.get(0).unwrap(), row.get(1).unwrap());
        rest.figures.add(&format!("jobs {status}"), count.try_into().unwrap());
    }
    for (what, query) in [
        ("users", "SELECT COUNT(*) FROM users"),
        ("ledger rows", "SELECT COUNT(*) FROM points_transactions"),
        ("inviters' rewards", "SELECT COUNT(*) FROM points_transactions WHERE reason = 'invite'"),
        ("jobs with several attempts", "SELECT COUNT(*) FROM generations WHERE attempts > 1"),
    ] {
        let count: i64 = rest.database.query_row(query, [], |row| row.get(0)).unwrap();
        rest.figures.add(what, count.try_into().unwrap());
    }
}

/// Fails naming the first rows that a query finds.
#[track_caller]
pub(super) fn none(database: &Connection, what: &str, query: &str) {
    let mut statement = database.prepare(query).unwrap();
    let found: Vec<String> = statement
        .query_map([], |row| row.get::<_, rusqlite::types::Value>(0))
        .unwrap()
        .map(|value| format!("{:?}", value.unwrap()))
        .collect();
    assert!(found.is_empty(), "{} {what}: {:?}", found.len(), &found[..found.len().min(10)]);
}
