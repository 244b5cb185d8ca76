//! The counters under any history, with a real database file.

use proptest::prelude::*;
use tempfile::TempDir;
use tokio::runtime::Builder;

use super::check::{compare, rebuild};
use crate::base::clock::{Clock, TestClock};
use crate::base::time::UnixMillis;
use crate::db::prelude::*;
use crate::db::{Db, DbSettings};
use crate::features::stats::model::{DayStats, StatsDifference};
use crate::features::stats::store;

/// 2026-01-29T12:00:00Z.
const START: i64 = 1_769_688_000_000;

const USERS: i64 = 3;

/// Something that happens, to a thing with this number, if it fits.
#[derive(Clone, Debug)]
enum Event {
    NewUser,
    DeleteUser(i64),
    Active(i64),
    ForgetActive,
    Submit(i64),
    Run(i64),
    End(i64, &'static str),
    DeliverLate(i64),
    RemoveJob(i64),
    Book(i64, &'static str, i64),
    Order(i64, i64),
    Pay(i64),
    Refund(i64, i64),
    NewTemplate,
    DeleteTemplate,
}

fn event() -> impl Strategy<Value = (i64, Event)> {
    let thing = 1..8_i64;
    let end = prop::sample::select(vec!["SUCCEEDED", "FAILED", "CANCELED"]);
    let kind = prop::sample::select(vec!["EARN", "SPEND", "REFUND"]);
    let event = prop_oneof![
        1 => Just(Event::NewUser),
        1 => (1..=USERS).prop_map(Event::DeleteUser),
        1 => (1..=USERS).prop_map(Event::Active),
        1 => Just(Event::ForgetActive),
        4 => (1..=USERS).prop_map(Event::Submit),
        2 => thing.clone().prop_map(Event::Run),
        6 => (thing.clone(), end).prop_map(|(job, end)| Event::End(job, end)),
        2 => thing.clone().prop_map(Event::DeliverLate),
        2 => thing.clone().prop_map(Event::RemoveJob),
        3 => (1..=USERS, kind, 1..500_i64).prop_map(|(user, kind, n)| Event::Book(user, kind, n)),
        3 => (1..=USERS, 1..5_000_i64).prop_map(|(user, fen)| Event::Order(user, fen)),
        3 => thing.clone().prop_map(Event::Pay),
        3 => (thing, 1..5_000_i64).prop_map(|(order, fen)| Event::Refund(order, fen)),
        1 => Just(Event::NewTemplate),
        1 => Just(Event::DeleteTemplate),
    ];
    // Up to half a day passes before it.
    (0..43_200_000_i64, event)
}

/// Makes an event happen; one that does not fit changes nothing.
fn happen(tx: &Tx<'_>, event: &Event, number: usize, now: i64) -> Result<usize, DbError> {
    match event {
        Event::NewUser => tx.execute(
            "INSERT INTO users (openid, created_at, updated_at) VALUES (?1, ?2, ?2)",
            params![format!("o{number}"), now],
        ),
        Event::DeleteUser(user) => tx.execute(
            "UPDATE users SET openid = NULL, deleted_at = ?2 WHERE id = ?1",
            params![user, now],
        ),
        Event::Active(user) => {
            let day = UnixMillis(now).shanghai_date().to_string();
            store::insert_active(tx, &day, &format!("[{user}]")).map(|()| 1)
        }
        Event::ForgetActive => {
            let day = UnixMillis(now).shanghai_date().to_string();
            store::forget_active(tx, &day, 2)
        }
        Event::Submit(user) => tx.execute(
            "INSERT INTO generations
               (job_id, user_id, prompt, mode, resolution, aspect_ratio, sample_count, quota_day,
                quota_used, points_charged, deadline_at, created_at, updated_at)
             VALUES (?1, ?2, 'p', 'draft', '1K', '1:1', 1, '2026-01-29', 0, 0, 0, ?3, ?3)",
            params![format!("{number:032x}"), user, now],
        ),
        Event::Run(job) => tx.execute(
            "UPDATE generations SET status = 'RUNNING' WHERE seq = ?1 AND status = 'QUEUED'",
            params![job],
        ),
        Event::End(job, end) => tx.execute(
            "UPDATE generations SET status = ?2, completed_at = ?3,
                    error_code = CASE WHEN ?2 = 'FAILED' THEN 'X' END
              WHERE seq = ?1 AND completed_at IS NULL",
            params![job, end, now],
        ),
        Event::DeliverLate(job) => tx.execute(
            "UPDATE generations SET status = 'SUCCEEDED', completed_at = ?2, error_code = NULL
              WHERE seq = ?1 AND status = 'FAILED'",
            params![job, now],
        ),
        Event::RemoveJob(job) => tx.execute("DELETE FROM generations WHERE seq = ?1", params![job]),
        Event::Book(user, kind, amount) => tx.execute(
            "INSERT INTO points_transactions
               (user_id, type, amount, description, reason, balance_after, created_at)
             VALUES (?1, ?2, ?3, '', 'test', 1000000, ?4)",
            params![user, kind, amount, now],
        ),
        Event::Order(user, amount) => tx.execute(
            "INSERT INTO orders (order_id, user_id, kind, product, product_name, method, amount,
                                 expires_at, created_at, updated_at)
             VALUES (?1, ?2, 'POINTS', ?1, 'x', 'wechat', ?3, 0, ?4, ?4)",
            params![format!("{number:020}"), user, amount, now],
        ),
        Event::Pay(order) => tx.execute(
            "UPDATE orders SET status = 'PAID', paid_at = ?2, updated_at = ?2
              WHERE id = ?1 AND paid_at IS NULL",
            params![order, now],
        ),
        Event::Refund(order, amount) => tx.execute(
            "UPDATE orders
                SET refunded_amount = refunded_amount + ?2, updated_at = ?3,
                    status = CASE WHEN refunded_amount + ?2 = amount THEN 'REFUNDED'
                                  ELSE 'PARTIALLY_REFUNDED' END
              WHERE id = ?1 AND paid_at IS NOT NULL AND refunded_amount + ?2 <= amount",
            params![order, amount, now],
        ),
        Event::NewTemplate => tx.execute(
            "INSERT INTO prompt_templates (template_id, title, prompt, category, created_at)
             VALUES (?1, 't', 'p', 'c', ?2)",
            params![format!("t{number}"), now],
        ),
        Event::DeleteTemplate => {
            tx.execute("DELETE FROM prompt_templates WHERE template_id LIKE 't%'", [])
        }
    }
}

struct Books {
    db: Db,
    _folder: TempDir,
}

impl Books {
    fn after(events: Vec<(i64, Event)>) -> Self {
        let folder = TempDir::new().unwrap();
        let settings =
            DbSettings::new(folder.path().join("dream.db"), folder.path().join("backups"));
        let db = Db::open(settings, &Clock::test(TestClock::at(UnixMillis(START)))).unwrap();
        db.write_blocking("test.events", move |tx| {
            for user in 0..USERS {
                tx.insert(
                    "INSERT INTO users (openid, created_at, updated_at) VALUES (?1, ?2, ?2)",
                    params![format!("first-{user}"), START],
                )?;
            }
            let mut now = START;
            for (number, (passed, event)) in events.iter().enumerate() {
                now += passed;
                happen(tx, event, number, now)?;
            }
            Ok::<_, DbError>(())
        })
        .unwrap();
        Self { db, _folder: folder }
    }

    fn sql(&self, statement: &'static str) {
        let changed =
            self.db.write_blocking("test.sql", move |tx| tx.execute(statement, [])).unwrap();
        assert!(changed > 0, "nothing changed: {statement}");
    }

    fn compare(&self) -> Vec<StatsDifference> {
        block_on(compare(&self.db)).unwrap()
    }

    fn rebuild(&self) {
        block_on(rebuild(&self.db)).unwrap();
    }

    fn days(&self) -> Vec<DayStats> {
        self.db.read_inline("test", |tx| store::days(tx, "0000-00-00", "9999-99-99")).unwrap()
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn after_any_history_the_counters_are_what_the_rows_come_to(
        events in prop::collection::vec(event(), 1..80)
    ) {
        let books = Books::after(events);
        prop_assert_eq!(books.compare(), vec![]);
        let before: Vec<DayStats> = books.days();
        books.rebuild();
        prop_assert_eq!(books.compare(), vec![]);
        // A day on which everything was taken back again may go.
        let something = |days: Vec<DayStats>| -> Vec<DayStats> {
            days.into_iter().filter(|day| day.counters().iter().any(|(_, n)| *n != 0)).collect()
        };
        prop_assert_eq!(something(books.days()), something(before));
    }
}

/// One of everything: paid and refunded on days of their own.
fn eventful() -> Books {
    let day = 86_400_000;
    Books::after(vec![
        (0, Event::Active(1)),
        (0, Event::Submit(1)),
        (0, Event::End(1, "FAILED")),
        (day, Event::DeliverLate(1)),
        (0, Event::Submit(1)),
        (0, Event::End(2, "CANCELED")),
        (0, Event::RemoveJob(2)),
        (0, Event::Book(1, "EARN", 7)),
        (0, Event::Order(1, 1_999)),
        (0, Event::Pay(1)),
        (day, Event::Refund(1, 500)),
        (0, Event::ForgetActive),
    ])
}

#[test]
fn each_thing_is_counted_on_its_day() {
    let books = eventful();
    let days = books.days();
    let of = |day: &str| days.iter().find(|it| it.day == day).unwrap().clone();
    let first = of("2026-01-29");
    assert_eq!((first.new_users, first.active_users), (3, 1), "forgotten, and counted still");
    assert_eq!((first.jobs_failed, first.jobs_succeeded), (0, 0), "it was delivered later");
    let second = of("2026-01-30");
    assert_eq!((second.jobs_succeeded, second.jobs_canceled), (1, 1), "a removed job was one");
    assert_eq!((second.orders_paid, second.revenue, second.points_earned), (1, 1_999, 7));
    let third = of("2026-01-31");
    assert_eq!((third.refunded, third.revenue), (500, 0));
}

#[test]
fn a_wrong_counter_is_named_and_mended() {
    let books = eventful();
    let before = books.days();
    let wrong: [(&'static str, &str, &str); 8] = [
        (
            "UPDATE daily_stats SET revenue = revenue + 1 WHERE day = '2026-01-30'",
            "daily_stats.revenue",
            "2026-01-30",
        ),
        (
            "UPDATE daily_stats SET active_users = 9 WHERE day = '2026-01-29'",
            "daily_stats.active_users",
            "2026-01-29",
        ),
        ("DELETE FROM daily_stats WHERE day = '2026-01-31'", "daily_stats.refunded", "2026-01-31"),
        (
            "INSERT INTO daily_stats (day, points_spent) VALUES ('2020-01-01', 5)",
            "daily_stats.points_spent",
            "2020-01-01",
        ),
        ("UPDATE user_totals SET orders = 5", "user_totals.orders", "1"),
        ("DELETE FROM user_job_days", "user_job_days.succeeded", "1 on 2026-01-30"),
        ("UPDATE stats_totals SET users = 0", "stats_totals.users", "the service"),
        ("DELETE FROM refund_days", "refund_days.amount", "00000000000000000008"),
    ];
    for (statement, counter, of) in wrong {
        books.sql(statement);
        let found = books.compare();
        assert!(
            found.iter().any(|it| it.counter == counter && it.of == of),
            "{statement}: {found:?}"
        );
        books.rebuild();
        assert_eq!(books.compare(), [], "{statement}");
        assert_eq!(books.days(), before, "{statement}");
    }
}
