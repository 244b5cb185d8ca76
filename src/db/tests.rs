//! The promises of the writer and the readers, each provoked on a real file.

use std::future::Future;
use std::path::Path;
use std::sync::mpsc as std_mpsc;

use futures_util::future::join_all;
use rusqlite::Connection;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::migrate::Migration;
use super::prelude::*;
use super::*;
use crate::base::clock::{Stopwatch, TestClock};
use crate::base::time::UnixMillis;

const SCHEMA: &[Migration] = &[Migration {
    version: 1,
    name: "test",
    sql: "CREATE TABLE item (id INTEGER PRIMARY KEY, body BLOB NOT NULL DEFAULT x'') STRICT;
          CREATE TABLE child (
            id INTEGER PRIMARY KEY,
            now   INTEGER REFERENCES item (id),
            later INTEGER REFERENCES item (id) DEFERRABLE INITIALLY DEFERRED
          ) STRICT;",
}];

fn settings(dir: &Path) -> DbSettings {
    DbSettings::new(dir.join("dream.db"), dir.join("backups"))
}

fn open(settings: &DbSettings) -> Db {
    let clock = Clock::test(TestClock::at(UnixMillis(0)));
    Db::open_with(settings, &clock, SCHEMA).unwrap()
}

fn fresh() -> (TempDir, Db) {
    let dir = tempfile::tempdir().unwrap();
    let db = open(&settings(dir.path()));
    (dir, db)
}

fn put(tx: &Tx<'_>, id: i64) -> Result<i64, DbError> {
    tx.insert("INSERT INTO item (id) VALUES (?1)", params![id])
}

fn items(db: &Db) -> Vec<i64> {
    db.read_inline("items", |tx| {
        tx.query_all("SELECT id FROM item ORDER BY id", [], |row| row.get(0))
    })
    .unwrap_or_else(|err: DbError| panic!("{err}"))
}

/// Starts a write and sees it into the queue, so that the order of a test is the order of the queue.
async fn start<T: Send + 'static>(
    db: &Db,
    f: impl FnOnce(&Tx<'_>) -> Result<T, DbError> + Send + 'static,
) -> JoinHandle<Result<T, DbError>> {
    let db = db.clone();
    let task = tokio::spawn(async move { db.write("test", f).await });
    tokio::task::yield_now().await;
    task
}

/// Keeps the writer busy in a transaction of its own, so that what is started next shares one.
async fn hold(db: &Db) -> impl FnOnce() + use<> {
    let (entered, entry) = oneshot::channel();
    let (release, released) = std_mpsc::channel::<()>();
    drop(
        start(db, move |_| {
            let _ = entered.send(());
            let _ = released.recv();
            Ok(())
        })
        .await,
    );
    entry.await.unwrap();
    move || drop(release)
}

#[tokio::test]
async fn a_panic_undoes_only_its_own_closure() {
    let (_dir, db) = fresh();
    let go = hold(&db).await;
    let before = start(&db, |tx| put(tx, 1)).await;
    let panics = start(&db, |tx| -> Result<i64, DbError> {
        put(tx, 2)?;
        panic!("wanted by the test")
    })
    .await;
    let after = start(&db, |tx| put(tx, 3)).await;
    go();

    assert_eq!(before.await.unwrap().unwrap(), 1);
    assert!(matches!(panics.await.unwrap(), Err(DbError::Panicked("test"))));
    assert_eq!(after.await.unwrap().unwrap(), 3);
    assert_eq!(items(&db), [1, 3]);
    let stats = db.stats();
    assert_eq!((stats.largest_batch, stats.panics, stats.batches), (3, 1, 2));
    db.write("test", |tx| put(tx, 4)).await.unwrap();
}

#[tokio::test]
async fn an_error_undoes_only_its_own_closure() {
    let (_dir, db) = fresh();
    let go = hold(&db).await;
    let before = start(&db, |tx| put(tx, 1)).await;
    let refuses = start(&db, |tx| {
        put(tx, 2)?;
        put(tx, 1)
    })
    .await;
    let after = start(&db, |tx| put(tx, 3)).await;
    go();

    before.await.unwrap().unwrap();
    assert!(refuses.await.unwrap().unwrap_err().is_unique_violation());
    after.await.unwrap().unwrap();
    assert_eq!(items(&db), [1, 3]);
    assert_eq!(db.stats().batches, 2);
}

#[tokio::test]
async fn a_full_queue_is_overload_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(&DbSettings { write_queue: 2, ..settings(dir.path()) });
    let go = hold(&db).await;
    let first = start(&db, |tx| put(tx, 1)).await;
    let second = start(&db, |tx| put(tx, 2)).await;
    assert_eq!(db.stats().queue_depth, 2);

    // The writer is held until `go`, so an answer here cannot have waited for it.
    let third = db.write("test", |tx| put(tx, 3)).await;
    assert!(matches!(third, Err(DbError::Overloaded)));
    go();

    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();
    assert_eq!(items(&db), [1, 2]);
    assert_eq!(db.stats().overloads, 1);
}

fn limit_pages(tx: &Tx<'_>, extra: Option<i64>) -> Result<(), DbError> {
    let used: i64 = tx.query_one("PRAGMA page_count", [], |row| row.get(0))?;
    let limit = extra.map_or(1_000_000, |extra| used + extra);
    tx.query_one(&format!("PRAGMA max_page_count = {limit}"), [], |row| row.get::<i64>(0)).map(drop)
}

fn put_large(tx: &Tx<'_>, id: i64) -> Result<i64, DbError> {
    tx.insert("INSERT INTO item (id, body) VALUES (?1, zeroblob(200000))", params![id])
}

#[tokio::test]
async fn a_full_disk_fails_everybody_whose_work_it_took_back() {
    let (_dir, db) = fresh();
    db.write("test", |tx| limit_pages(tx, Some(5))).await.unwrap();
    let go = hold(&db).await;
    let mut writes = Vec::new();
    for id in 1..=3 {
        writes.push(start(&db, move |tx| put(tx, id)).await);
    }
    // A refusal decided on what is about to be taken back must not be believed either.
    let refusal = start(&db, |tx| put(tx, 1)).await;
    let large = start(&db, |tx| put_large(tx, 4)).await;
    let later = start(&db, |tx| put(tx, 5)).await;
    go();

    for write in writes {
        assert!(matches!(write.await.unwrap(), Err(DbError::DiskFull(_))));
    }
    assert!(matches!(refusal.await.unwrap(), Err(DbError::DiskFull(_))));
    assert!(matches!(large.await.unwrap(), Err(DbError::DiskFull(_))));
    assert_eq!(later.await.unwrap().unwrap(), 5, "it had not run yet and fits");
    assert_eq!(items(&db), [5]);
    assert_eq!(db.stats().lost_batches, 1);

    db.write("test", |tx| limit_pages(tx, None)).await.unwrap();
    db.write("test", |tx| put_large(tx, 4)).await.unwrap();
    assert_eq!(items(&db), [4, 5]);
}

#[tokio::test]
async fn a_closure_that_ignores_a_full_disk_cannot_write_outside_its_transaction() {
    let (_dir, db) = fresh();
    db.write("test", |tx| limit_pages(tx, Some(5))).await.unwrap();
    let ignored = db
        .write("test", |tx| {
            put(tx, 1)?;
            let _ = put_large(tx, 2);
            let _ = put(tx, 3);
            Ok::<_, DbError>("all is well")
        })
        .await;
    assert!(matches!(ignored, Err(DbError::DiskFull(_))));
    assert_eq!(items(&db), [0_i64; 0]);
}

#[tokio::test]
async fn no_commit_no_success_for_anybody() {
    let (_dir, db) = fresh();
    let go = hold(&db).await;
    let good = start(&db, |tx| put(tx, 1)).await;
    // Deferred references are checked by COMMIT, not by the savepoint: this fails the COMMIT.
    let bad = start(&db, |tx| tx.insert("INSERT INTO child (later) VALUES (99)", [])).await;
    let also_good = start(&db, |tx| put(tx, 2)).await;
    go();

    for write in [good, bad, also_good] {
        let err = write.await.unwrap().unwrap_err();
        assert!(matches!(err, DbError::CommitFailed(_)) && err.is_transient(), "{err:?}");
    }
    assert_eq!(items(&db), [0_i64; 0]);
    db.write("test", |tx| put(tx, 1)).await.unwrap();
    assert_eq!(items(&db), [1]);
}

#[tokio::test]
async fn a_lock_of_another_process_fails_the_batch_and_passes() {
    let dir = tempfile::tempdir().unwrap();
    let settings = DbSettings { busy_timeout_ms: 1, ..settings(dir.path()) };
    let db = open(&settings);
    let other = Connection::open(&settings.path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();

    let err = db.write("test", |tx| put(tx, 1)).await.unwrap_err();
    assert!(matches!(err, DbError::Busy(_)) && err.is_overload(), "{err:?}");

    other.execute_batch("ROLLBACK").unwrap();
    db.write("test", |tx| put(tx, 1)).await.unwrap();
    assert_eq!(items(&db), [1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_concurrent_writes_are_all_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let settings = DbSettings { write_queue: 10_000, ..settings(dir.path()) };
    let db = open(&settings);
    let writes = (1..=10_000).map(|id| {
        let db = db.clone();
        tokio::spawn(async move { db.write("test", move |tx| put(tx, id)).await })
    });
    for (id, answer) in (1..).zip(join_all(writes).await) {
        assert_eq!(answer.unwrap().unwrap(), id);
    }
    assert!(db.stats().batches < 10_000, "commits are shared");
    db.close();
    drop(db);

    assert_eq!(items(&open(&settings)), (1..=10_000).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_reader_cannot_write() {
    let (_dir, db) = fresh();
    assert!(db.read_inline("test", |tx| put(tx, 1)).is_err());
    assert!(db.read("test", |tx| put(tx, 1)).await.is_err());
    assert_eq!(items(&db), [0_i64; 0]);
}

#[tokio::test]
async fn a_read_sees_one_moment() {
    let (_dir, db) = fresh();
    let writer = db.clone();
    let counts = db
        .read("test", move |tx| {
            let count = || tx.query_one("SELECT count(*) FROM item", [], |row| row.get::<i64>(0));
            let before = count()?;
            thread::spawn(move || writer.write_blocking("test", |tx| put(tx, 1)))
                .join()
                .unwrap()?;
            Ok::<_, DbError>((before, count()?))
        })
        .await
        .unwrap();
    assert_eq!(counts, (0, 0));
    assert_eq!(items(&db), [1]);
}

#[tokio::test]
async fn a_panicking_read_gives_its_connection_back_usable() {
    let (_dir, db) = fresh();
    for _ in 0..20 {
        let inline = db.read_inline("test", |_| -> Result<(), DbError> { panic!("wanted") });
        assert!(matches!(inline, Err(DbError::Panicked("test"))));
        let read = db.read("test", |_| -> Result<(), DbError> { panic!("wanted") }).await;
        assert!(matches!(read, Err(DbError::Panicked("test"))));
    }
    db.write("test", |tx| put(tx, 1)).await.unwrap();
    assert_eq!(items(&db), [1], "no connection is stuck in an old snapshot");
}

#[tokio::test]
async fn long_reads_beyond_the_limit_are_overload_and_leave_room_for_short_ones() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(&DbSettings { readers: 2, read_queue: 0, ..settings(dir.path()) });
    let (entered, entry) = oneshot::channel();
    let (release, released) = std_mpsc::channel::<()>();
    let reader = db.clone();
    let long = tokio::spawn(async move {
        reader
            .read("test", move |_| {
                let _ = entered.send(());
                let _ = released.recv();
                Ok::<_, DbError>(())
            })
            .await
    });
    entry.await.unwrap();

    let second = db.read("test", |_| Ok::<_, DbError>(())).await;
    assert!(matches!(second, Err(DbError::Overloaded)));
    assert_eq!(items(&db), [0_i64; 0]);

    drop(release);
    long.await.unwrap().unwrap();
    db.read("test", |_| Ok::<_, DbError>(())).await.unwrap();
}

#[test]
fn a_short_read_never_waits_long_for_a_connection() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(&DbSettings { readers: 2, ..settings(dir.path()) });
    db.read_inline("test", |_| {
        db.read_inline("test", |_| {
            let watch = Stopwatch::start();
            let third = db.read_inline("test", |_| Ok::<_, DbError>(()));
            assert!(matches!(third, Err(DbError::Overloaded)));
            assert!(watch.elapsed() < Duration::from_secs(1), "far less than `read_wait_ms`");
            Ok::<_, DbError>(())
        })
    })
    .unwrap();
}

#[tokio::test]
async fn a_write_whose_caller_left_is_done_and_harms_nobody() {
    let (_dir, db) = fresh();
    let go = hold(&db).await;
    let leaves = start(&db, |tx| put(tx, 1)).await;
    leaves.abort();
    assert!(leaves.await.unwrap_err().is_cancelled());
    let stays = start(&db, |tx| put(tx, 2)).await;
    go();
    stays.await.unwrap().unwrap();
    assert_eq!(items(&db), [1, 2]);
}

#[tokio::test]
async fn closing_finishes_what_was_accepted_and_takes_no_more() {
    let (dir, db) = fresh();
    let go = hold(&db).await;
    let mut accepted = Vec::new();
    for id in 1..=50 {
        accepted.push(start(&db, move |tx| put(tx, id)).await);
    }
    let closing = tokio::task::spawn_blocking({
        let db = db.clone();
        move || db.close()
    });
    go();
    closing.await.unwrap();
    for write in accepted {
        write.await.unwrap().unwrap();
    }
    assert_eq!(items(&db).len(), 50);
    assert_eq!(dir.path().join("dream.db-wal").metadata().unwrap().len(), 0);

    db.close();
    assert!(matches!(db.write("test", |tx| put(tx, 51)).await, Err(DbError::Stopped)));
    assert!(matches!(db.check_writable().await, Err(DbError::Stopped)));
}

#[tokio::test]
async fn the_readiness_check_reaches_the_disk() {
    let (dir, db) = fresh();
    let log = dir.path().join("dream.db-wal");
    let size = || log.metadata().unwrap().len();
    let before = size();
    db.check_writable().await.unwrap();
    let between = size();
    db.check_writable().await.unwrap();
    assert!(before < between && between < size());
}

#[tokio::test]
async fn returning_does_not_skip_the_check_of_references() {
    let (_dir, db) = fresh();
    db.write("test", |tx| {
        put(tx, 1)?;
        tx.insert("INSERT INTO child (now) VALUES (1)", [])
    })
    .await
    .unwrap();
    let sql = "DELETE FROM item RETURNING id";
    let broken = db.write("test", move |tx| tx.query_one(sql, [], |row| row.get::<i64>(0))).await;
    assert!(
        matches!(broken, Err(DbError::Constraint { kind: ConstraintKind::ForeignKey, .. })),
        "{broken:?}"
    );
    assert_eq!(items(&db), [1]);
}

#[tokio::test]
async fn a_missing_row_is_none_or_an_error_as_asked() {
    let (_dir, db) = fresh();
    let sql = "SELECT id FROM item WHERE id = 1";
    let found = db.read_inline("test", |tx| tx.query_opt(sql, [], |row| row.get::<i64>(0)));
    assert_eq!(found.unwrap(), None);
    let found = db.read_inline("test", |tx| tx.query_one(sql, [], |row| row.get::<i64>(0)));
    assert!(matches!(found, Err(DbError::NoRow)));
}

/// The futures travel between threads and are held by handlers.
#[test]
fn the_futures_are_send() {
    fn send<T: Send>(_: impl Future<Output = T> + Send) {}
    let (_dir, db) = fresh();
    send(db.write("test", |tx| put(tx, 1)));
    send(db.read("test", |tx| put(tx, 1)));
    send(db.check_writable());
}
