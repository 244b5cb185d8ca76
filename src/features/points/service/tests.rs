//! The ledger under everything that can happen to it, with a real database file.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use tempfile::TempDir;
use tokio::runtime::Builder;

use super::books::check_books;
use super::{earn, refund, spend};
use crate::base::clock::{Clock, TestClock};
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::prelude::*;
use crate::db::{Db, DbSettings};
use crate::features::points::model::{
    BooksReport, Entry, PointsError, Reason, Transaction, TransactionType,
};
use crate::features::points::store;

const NOW: UnixMillis = UnixMillis(1_769_688_000_000);

struct Ledger {
    db: Db,
    folder: TempDir,
}

impl Ledger {
    /// With users 1, 2, … of no points.
    fn new(users: i64) -> Self {
        let folder = TempDir::new().unwrap();
        let db = open(&folder);
        db.write_blocking("test.users", move |tx| {
            for id in 1..=users {
                tx.insert(
                    "INSERT INTO users (id, openid, created_at, updated_at) VALUES (?1, ?2, 0, 0)",
                    params![id, format!("openid-{id}")],
                )?;
            }
            Ok::<_, DbError>(())
        })
        .unwrap();
        Self { db, folder }
    }

    fn restart(&mut self) {
        self.db.close();
        self.db = open(&self.folder);
    }

    fn sql(&self, statement: &'static str) {
        let changed =
            self.db.write_blocking("test.sql", move |tx| tx.execute(statement, [])).unwrap();
        assert!(changed > 0, "nothing changed");
    }

    fn balance(&self, user: i64) -> i64 {
        self.db
            .read_inline("test.balance", |tx| store::totals(tx, UserId(user)))
            .unwrap()
            .unwrap()
            .balance
    }

    fn rows(&self, user: i64) -> Vec<Transaction> {
        let last = [i64::MAX, i64::MAX];
        self.db
            .read_inline("test.rows", |tx| store::transactions(tx, UserId(user), last, 0, 1000))
            .unwrap()
    }

    fn check(&self) -> BooksReport {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let clock = Clock::test(TestClock::at(NOW));
        runtime.block_on(check_books(&self.db, &clock)).unwrap()
    }
}

fn open(folder: &TempDir) -> Db {
    let settings = DbSettings::new(folder.path().join("dream.db"), folder.path().join("backups"));
    Db::open(settings, &Clock::system()).unwrap()
}

fn entry(user: i64, amount: i64, reason: Reason, reference: &str) -> Entry {
    Entry {
        user: UserId(user),
        amount,
        reason,
        reference: reference.to_owned(),
        description: "测试".to_owned(),
    }
}

fn book(ledger: &Ledger, kind: TransactionType, entry: Entry) -> Result<i64, PointsError> {
    ledger.db.write_blocking("test.book", move |tx| book_in(tx, kind, &entry))
}

fn book_in(tx: &Tx<'_>, kind: TransactionType, entry: &Entry) -> Result<i64, PointsError> {
    match kind {
        TransactionType::Earn => earn(tx, entry, NOW),
        TransactionType::Spend => spend(tx, entry, NOW),
        TransactionType::Refund => refund(tx, entry, NOW),
    }
}

#[test]
fn a_booking_moves_balance_and_ledger_together() {
    let ledger = Ledger::new(1);
    let done = book(&ledger, TransactionType::Earn, entry(1, 10, Reason::Admin, "a"));
    assert_eq!(done.unwrap(), 10);
    let done = book(&ledger, TransactionType::Spend, entry(1, 4, Reason::Job, "j"));
    assert_eq!(done.unwrap(), 6);
    let done = book(&ledger, TransactionType::Refund, entry(1, 4, Reason::JobRefund, "j"));
    assert_eq!(done.unwrap(), 10);
    let after: Vec<i64> = ledger.rows(1).iter().map(|row| row.balance_after).collect();
    assert_eq!(after, [10, 6, 10]);
    assert!(ledger.check().is_balanced());
}

#[test]
fn the_second_booking_of_one_thing_has_no_effect_even_when_its_caller_goes_on() {
    let ledger = Ledger::new(2);
    book(&ledger, TransactionType::Earn, entry(1, 10, Reason::Order, "o")).unwrap();
    let again = ledger.db.write_blocking("test.again", |tx| {
        let again = earn(tx, &entry(1, 10, Reason::Order, "o"), NOW);
        assert!(matches!(again, Err(PointsError::AlreadyBooked)), "{again:?}");
        // Another user, another direction: the same thing all the same.
        let again = spend(tx, &entry(2, 1, Reason::Order, "o"), NOW);
        assert!(matches!(again, Err(PointsError::AlreadyBooked)), "{again:?}");
        Ok::<_, DbError>(())
    });
    again.unwrap();
    assert_eq!((ledger.balance(1), ledger.balance(2)), (10, 0));
    assert_eq!((ledger.rows(1).len(), ledger.rows(2).len()), (1, 0));
    assert!(ledger.check().is_balanced());
}

#[test]
fn what_cannot_be_booked_is_refused_without_effect() {
    let ledger = Ledger::new(1);
    let poor = book(&ledger, TransactionType::Spend, entry(1, 1, Reason::Job, "j"));
    assert!(matches!(poor, Err(PointsError::Insufficient)), "{poor:?}");
    for kind in [TransactionType::Earn, TransactionType::Spend, TransactionType::Refund] {
        let nobody = book(&ledger, kind, entry(9, 1, Reason::Admin, "n"));
        assert!(matches!(nobody, Err(PointsError::NoSuchUser)), "{nobody:?}");
        for amount in [0, -1, i64::MIN, i64::MAX, 1_000_000_001] {
            let odd = book(&ledger, kind, entry(1, amount, Reason::Admin, "n"));
            assert!(matches!(odd, Err(PointsError::Amount(_))), "{odd:?}");
        }
    }
    assert!(ledger.rows(1).is_empty());
}

#[test]
fn of_500_spends_at_once_10_points_pay_10() {
    let ledger = Ledger::new(1);
    book(&ledger, TransactionType::Earn, entry(1, 10, Reason::Admin, "a")).unwrap();
    let runtime = Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    let outcomes = runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for job in 0..500 {
            let db = ledger.db.clone();
            let entry = entry(1, 1, Reason::Job, &format!("job-{job}"));
            tasks.spawn(
                async move { db.write("test.spend", move |tx| spend(tx, &entry, NOW)).await },
            );
        }
        tasks.join_all().await
    });
    let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let poor =
        outcomes.iter().filter(|outcome| matches!(outcome, Err(PointsError::Insufficient))).count();
    assert_eq!((won, poor), (10, 490));
    assert_eq!(ledger.balance(1), 0);
    assert!(ledger.check().is_balanced());
}

#[test]
fn the_check_finds_whatever_is_wrong() {
    let wrong = |statement| {
        let ledger = Ledger::new(2);
        book(&ledger, TransactionType::Earn, entry(1, 10, Reason::Admin, "a")).unwrap();
        book(&ledger, TransactionType::Earn, entry(2, 5, Reason::Admin, "b")).unwrap();
        book(&ledger, TransactionType::Spend, entry(2, 2, Reason::Job, "c")).unwrap();
        ledger.sql(statement);
        let report = ledger.check();
        assert_eq!((report.users, report.wrong_users), (2, 1), "{statement}");
        report.differences[0].clone()
    };
    let found = wrong("UPDATE users SET points_balance = 4 WHERE id = 2");
    assert_eq!((found.user_id, found.balance, found.sum), (2, 4, 3));
    let found = wrong(
        "INSERT INTO points_transactions
           (user_id, type, amount, description, reason, balance_after, created_at)
         VALUES (1, 'EARN', 1, '', 'x', 11, 0)",
    );
    assert_eq!((found.user_id, found.balance, found.last_balance_after), (1, 10, 11));
    let found = wrong("UPDATE points_totals SET spent = spent + 1 WHERE user_id = 2");
    assert_eq!((found.user_id, found.balance, found.totals), (2, 3, 2));
}

#[test]
fn a_wrong_row_is_found_even_when_the_end_is_right() {
    let ledger = Ledger::new(1);
    ledger.sql(
        "INSERT INTO points_transactions
           (user_id, type, amount, description, reason, balance_after, created_at)
         VALUES (1, 'EARN', 5, '', 'x', 6, 0), (1, 'EARN', 5, '', 'x', 10, 0)",
    );
    ledger.sql("UPDATE users SET points_balance = 10");
    let report = ledger.check();
    assert_eq!(report.differences[0].broken_rows, 1);
    let stored = ledger.db.read_inline("test.stored", |tx| {
        tx.query_one("SELECT wrong_users, differences FROM books_checks", [], |row| {
            Ok((row.get::<i64>(0)?, row.get::<String>(1)?))
        })
    });
    let (wrong_users, differences) = stored.unwrap();
    assert_eq!(wrong_users, 1);
    assert!(differences.contains("\"brokenRows\":1"), "{differences}");
}

/// What happens to the ledger.
#[derive(Clone, Debug)]
enum Step {
    /// Bookings in one transaction.
    Book { bookings: Vec<Booking>, end: End },
    /// The process ends and starts again.
    Restart,
}

#[derive(Clone, Debug)]
struct Booking {
    kind: TransactionType,
    user: i64,
    amount: i64,
    /// Of few, so that repetitions are common.
    reference: u8,
}

/// How the transaction ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Commit,
    Fail,
    Panic,
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![
        Just(TransactionType::Earn),
        Just(TransactionType::Spend),
        Just(TransactionType::Refund)
    ];
    let booking = (kind, 1..=3i64, 1..=20i64, 0..40u8)
        .prop_map(|(kind, user, amount, reference)| Booking { kind, user, amount, reference });
    let end = prop_oneof![6 => Just(End::Commit), 1 => Just(End::Fail), 1 => Just(End::Panic)];
    let book = (prop::collection::vec(booking, 1..4), end)
        .prop_map(|(bookings, end)| Step::Book { bookings, end });
    prop_oneof![20 => book, 1 => Just(Step::Restart)]
}

/// The same in memory.
#[derive(Clone, Default)]
struct Expected {
    balances: HashMap<i64, i64>,
    booked: HashSet<u8>,
}

impl Expected {
    fn book(&mut self, booking: &Booking) -> Result<i64, &'static str> {
        if self.booked.contains(&booking.reference) {
            return Err("again");
        }
        let balance = self.balances.entry(booking.user).or_default();
        match booking.kind {
            TransactionType::Spend if *balance < booking.amount => return Err("poor"),
            TransactionType::Spend => *balance -= booking.amount,
            TransactionType::Earn | TransactionType::Refund => *balance += booking.amount,
        }
        self.booked.insert(booking.reference);
        Ok(*balance)
    }
}

fn run(ledger: &Ledger, expected: &mut Expected, bookings: Vec<Booking>, end: End) {
    let mut after = expected.clone();
    let answers: Vec<_> = bookings.iter().map(|booking| after.book(booking)).collect();
    let written = ledger.db.write_blocking("test.step", move |tx| {
        for (booking, answer) in bookings.iter().zip(answers) {
            let entry =
                entry(booking.user, booking.amount, Reason::Admin, &booking.reference.to_string());
            let done = match book_in(tx, booking.kind, &entry) {
                Ok(balance) => Ok(balance),
                Err(PointsError::AlreadyBooked) => Err("again"),
                Err(PointsError::Insufficient) => Err("poor"),
                Err(err) => return Err(err),
            };
            assert_eq!(done, answer, "{booking:?}");
        }
        match end {
            End::Commit => Ok(()),
            End::Fail => Err(PointsError::NoSuchUser),
            End::Panic => panic!("a crash on purpose"),
        }
    });
    match (end, written) {
        (End::Commit, Ok(())) => *expected = after,
        (End::Fail, Err(PointsError::NoSuchUser))
        | (End::Panic, Err(PointsError::Db(DbError::Panicked(_)))) => {}
        (end, written) => panic!("{end:?} ended as {written:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_books_balance_after_anything(steps in prop::collection::vec(step(), 1..60)) {
        let mut ledger = Ledger::new(3);
        let mut expected = Expected::default();
        for step in steps {
            match step {
                Step::Book { bookings, end } => run(&ledger, &mut expected, bookings, end),
                Step::Restart => ledger.restart(),
            }
        }
        for user in 1..=3 {
            let balance = expected.balances.get(&user).copied().unwrap_or(0);
            prop_assert_eq!(ledger.balance(user), balance);
            let rows = ledger.rows(user);
            let sum: i64 = rows.iter().map(|row| match row.kind {
                TransactionType::Spend => -row.amount,
                TransactionType::Earn | TransactionType::Refund => row.amount,
            }).sum();
            prop_assert_eq!(sum, balance);
            prop_assert_eq!(rows.first().map_or(0, |row| row.balance_after), balance);
            prop_assert!(rows.iter().all(|row| row.balance_after >= 0));
        }
        prop_assert!(ledger.check().is_balanced());
    }
}
