//! Migrations: what may be opened, what is copied first, and the core schema itself.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use tempfile::TempDir;

use super::*;
use crate::base::clock::TestClock;
use crate::base::time::UnixMillis;

const ONE: Migration =
    Migration { version: 1, name: "create_t", sql: "CREATE TABLE t (n INTEGER) STRICT;" };
const TWO: Migration =
    Migration { version: 2, name: "add_m", sql: "ALTER TABLE t ADD COLUMN m INTEGER;" };

struct Site {
    dir: TempDir,
    settings: DbSettings,
}

impl Site {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let settings =
            DbSettings::new(dir.path().join("data/dream.db"), dir.path().join("data/backups"));
        Self { dir, settings }
    }

    fn apply(&self, migrations: &[Migration]) -> Result<MigrationReport, OpenError> {
        let clock = Clock::test(TestClock::at(UnixMillis(1_769_688_000_000)));
        apply(&connection::open_writer(&self.settings)?, &self.settings, &clock, migrations)
    }

    fn sql(&self, sql: &str) -> rusqlite::Result<()> {
        Connection::open(&self.settings.path)?.execute_batch(sql)
    }

    fn version(&self) -> i64 {
        let conn = Connection::open(&self.settings.path).unwrap();
        conn.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
    }
}

#[test]
fn a_new_database_is_private_and_needs_no_copy() {
    let site = Site::new();
    let report = site.apply(&[ONE, TWO]).unwrap();
    assert_eq!(report, MigrationReport { from: 0, to: 2, snapshot: None });
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&site.settings.path), 0o600);
    assert_eq!(mode(&site.dir.path().join("data")), 0o700);
    assert!(!site.settings.backups_dir.exists());

    let again = site.apply(&[ONE, TWO]).unwrap();
    assert_eq!(again, MigrationReport { from: 2, to: 2, snapshot: None });
}

#[test]
fn an_existing_database_is_copied_before_its_schema_changes() {
    let site = Site::new();
    site.apply(&[ONE]).unwrap();
    site.sql("INSERT INTO t VALUES (5)").unwrap();

    let report = site.apply(&[ONE, TWO]).unwrap();

    let copy = report.snapshot.unwrap();
    assert_eq!(
        copy.file_name().unwrap().to_str().unwrap(),
        "pre-migration-v1-to-v2-20260129T120000.000Z.db"
    );
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let old = Connection::open(&copy).unwrap();
    assert_eq!(old.query_row("SELECT n FROM t", [], |row| row.get::<_, i64>(0)), Ok(5));
    assert!(old.prepare("SELECT m FROM t").is_err(), "the copy has the old schema");
    assert_eq!(migration_status_of(&copy, &[ONE]), 1);
    site.sql("UPDATE t SET m = 1").unwrap();
}

#[test]
fn halves_of_earlier_copies_do_not_pile_up_when_it_is_tried_again_and_again() {
    let site = Site::new();
    site.apply(&[ONE]).unwrap();
    let dir = &site.settings.backups_dir;
    fs::create_dir_all(dir).unwrap();
    let half = dir.join("pre-migration-v1-to-v2-20260129T115900.000Z.db.partial");
    let others = ["pre-migration-v1-to-v2-20250101T000000.000Z.db", "notes.db.partial"];
    fs::write(&half, "half").unwrap();
    for other in others {
        fs::write(dir.join(other), "whole").unwrap();
    }
    site.apply(&[ONE, TWO]).unwrap();
    assert!(!half.exists());
    for other in others {
        assert!(dir.join(other).exists(), "{other}");
    }
}

fn migration_status_of(path: &Path, known: &[Migration]) -> i64 {
    inspect(&Connection::open(path).unwrap(), path, known).unwrap()
}

#[test]
fn a_database_of_a_later_release_is_refused() {
    let site = Site::new();
    site.apply(&[ONE, TWO]).unwrap();
    let err = site.apply(&[ONE]).unwrap_err();
    assert!(matches!(err, OpenError::Newer { found: 2, known: 1 }));
    assert!(err.to_string().contains("install a newer release"), "{err}");
}

#[test]
fn a_migration_that_reads_differently_is_refused() {
    let site = Site::new();
    site.apply(&[ONE]).unwrap();
    let edited = Migration { sql: "CREATE TABLE t (n TEXT) STRICT;", ..ONE };
    let err = site.apply(&[edited, TWO]).unwrap_err();
    assert!(matches!(err, OpenError::ChecksumChanged { version: 1, .. }), "{err:?}");
    assert_eq!(site.version(), 1);
}

#[test]
fn a_failed_upgrade_changes_nothing() {
    let site = Site::new();
    site.apply(&[ONE]).unwrap();
    let broken = Migration {
        version: 3,
        name: "break",
        sql: "ALTER TABLE t ADD COLUMN x INTEGER; INSERT INTO missing VALUES (1);",
    };
    let err = site.apply(&[ONE, TWO, broken]).unwrap_err();
    assert!(matches!(err, OpenError::Migration { version: 3, name: "break", .. }), "{err:?}");
    assert_eq!(site.version(), 1);
    assert!(site.sql("SELECT m FROM t").is_err(), "the second is undone with the third");
    assert_eq!(site.apply(&[ONE, TWO]).unwrap().to, 2);
}

#[test]
fn an_upgrade_that_breaks_references_changes_nothing() {
    let site = Site::new();
    site.apply(&[ONE]).unwrap();
    let broken = Migration {
        version: 2,
        name: "orphan",
        sql:
            "CREATE TABLE c (p INTEGER REFERENCES d (id)); CREATE TABLE d (id INTEGER PRIMARY KEY);
              INSERT INTO c VALUES (1);",
    };
    let err = site.apply(&[ONE, broken]).unwrap_err();
    assert!(matches!(err, OpenError::BrokenReferences { ref table } if table == "c"), "{err:?}");
    assert_eq!(site.version(), 1);
}

#[test]
fn another_programs_database_is_left_alone() {
    let site = Site::new();
    fs::create_dir_all(site.dir.path().join("data")).unwrap();
    site.sql("CREATE TABLE theirs (n INTEGER)").unwrap();
    assert!(matches!(site.apply(&[ONE]), Err(OpenError::NotOurs(_))));
    site.sql("PRAGMA user_version = 1").unwrap();
    assert!(matches!(site.apply(&[ONE]), Err(OpenError::NotOurs(_))));
    fs::write(&site.settings.path, "not a database at all, but a longer text").unwrap();
    assert!(matches!(site.apply(&[ONE]), Err(OpenError::Open { .. })));
}

#[test]
fn the_status_tells_what_is_pending_without_touching_anything() {
    let site = Site::new();
    let status = migration_status(&site.settings.path).unwrap();
    assert_eq!((status.current, status.latest), (0, latest(ALL)));
    assert_eq!(status.pending.first().map(String::as_str), Some("0001_create_core"));
    assert!(!site.dir.path().join("data").exists());

    let report = migrate(&site.settings, &Clock::system()).unwrap();
    assert_eq!((report.from, report.to), (0, latest(ALL)));
    let status = migration_status(&site.settings.path).unwrap();
    assert_eq!((status.current, status.pending.len()), (latest(ALL), 0));
}

#[test]
fn every_file_is_in_the_list_and_numbered_without_gaps() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/migrations");
    let mut files: Vec<String> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let listed: Vec<String> =
        ALL.iter().map(|known| format!("{:04}_{}.sql", known.version, known.name)).collect();
    assert_eq!(files, listed);
    for (number, migration) in (1..).zip(ALL) {
        assert_eq!(migration.version, number);
        assert!(migration.sql.starts_with("--"), "a comment on top says why");
    }
}

/// A database with the real schema, one user (id 1) and foreign keys on.
fn core() -> (Site, Connection) {
    let site = Site::new();
    migrate(&site.settings, &Clock::system()).unwrap();
    let conn = connection::open_writer(&site.settings).unwrap();
    conn.execute_batch("INSERT INTO users (openid, created_at, updated_at) VALUES ('alice', 0, 0)")
        .unwrap();
    (site, conn)
}

#[test]
fn the_core_tables_are_there_with_their_defaults() {
    let (_site, conn) = core();
    let ids = |sql: &str| -> Vec<String> {
        let mut statement = conn.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    };
    assert_eq!(
        ids("SELECT plan_id || ' ' || duration || ' ' || current_price || ' ' || original_price
               FROM vip_plans ORDER BY sort"),
        ["vip_month 30 1999 2999", "vip_year 365 19990 29990", "svip_lifetime 36500 199900 299900"]
    );
    assert_eq!(
        ids("SELECT category_id FROM categories ORDER BY sort"),
        ["portrait", "landscape", "cartoon", "abstract"]
    );
    let loose = ids("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'
                        AND name NOT LIKE 'sqlite_%' AND strict = 0");
    assert_eq!(loose, [""; 0], "all tables are STRICT");
}

#[test]
fn the_schema_refuses_wrong_books() {
    let (_site, conn) = core();
    let order = |status: &str, amount: i64, refunded: i64, paid_at: &str, id: &str| {
        conn.execute_batch(&format!(
            "INSERT INTO orders (order_id, user_id, kind, plan_id, product_name, status, method,
                                 amount, refunded_amount, paid_at, expires_at, created_at, updated_at)
             VALUES ('{id}', 1, 'VIP', 'vip_month', 'VIP', '{status}', 'wechat',
                     {amount}, {refunded}, {paid_at}, 9, 0, 0)"
        ))
    };
    order("PENDING", 1999, 0, "NULL", "order000000000000001").unwrap();
    order("PARTIALLY_REFUNDED", 1999, 5, "1", "order000000000000002").unwrap();
    order("PENDING", 1999, 0, "NULL", "order000000000000001").unwrap_err();
    order("PENDING", 0, 0, "NULL", "order000000000000003").unwrap_err();
    order("PENDING", 1999, 0, "1", "order000000000000003").unwrap_err();
    order("PAID", 1999, 0, "NULL", "order000000000000003").unwrap_err();
    order("PAID", 1999, 5, "1", "order000000000000003").unwrap_err();
    order("REFUNDED", 1999, 2000, "1", "order000000000000003").unwrap_err();
    order("REFUNDED", 1999, 1998, "1", "order000000000000003").unwrap_err();
    order("PENDING", 1999, 0, "NULL", "too-short").unwrap_err();

    let ledger = |user: i64, kind: &str, amount: i64, reference: &str, after: i64| {
        conn.execute_batch(&format!(
            "INSERT INTO points_transactions
               (user_id, type, amount, description, reason, reference, balance_after, created_at)
             VALUES ({user}, '{kind}', {amount}, '', 'order', {reference}, {after}, 0)"
        ))
    };
    ledger(1, "EARN", 10, "'a'", 10).unwrap();
    ledger(1, "SPEND", 10, "NULL", 0).unwrap();
    ledger(1, "SPEND", 10, "NULL", 0).unwrap();
    ledger(1, "EARN", 10, "'a'", 20).unwrap_err();
    ledger(1, "EARN", 0, "NULL", 10).unwrap_err();
    ledger(1, "EARN", 10, "NULL", 5).unwrap_err();
    ledger(1, "SPEND", 10, "NULL", -10).unwrap_err();
    ledger(2, "EARN", 10, "NULL", 10).unwrap_err();
    conn.execute_batch("UPDATE points_transactions SET amount = 1").unwrap_err();
    conn.execute_batch("DELETE FROM points_transactions").unwrap_err();

    conn.execute_batch("UPDATE users SET points_balance = -1").unwrap_err();
    conn.execute_batch("UPDATE users SET vip_level = 'VIP'").unwrap_err();
    conn.execute_batch("UPDATE users SET openid = NULL").unwrap_err();
    conn.execute_batch("UPDATE users SET openid = NULL, deleted_at = 1").unwrap();
    conn.execute_batch("UPDATE vip_plans SET benefits = '{}'").unwrap_err();
    conn.execute_batch("UPDATE vip_plans SET current_price = 0").unwrap_err();
}

#[test]
fn the_lists_are_read_from_an_index_in_order() {
    let (_site, conn) = core();
    let newest = "ORDER BY created_at DESC, id DESC LIMIT 20";
    for (list, index) in [
        (format!("SELECT * FROM favorites WHERE user_id = 1 {newest}"), "user_idx"),
        (format!("SELECT * FROM orders WHERE user_id = 1 {newest}"), "user_created_idx"),
        (format!("SELECT * FROM points_transactions WHERE user_id = 1 {newest}"), "user_idx"),
        (
            format!(
                "SELECT * FROM points_transactions WHERE user_id = 1 AND type = 'EARN' {newest}"
            ),
            "user_type_idx",
        ),
        ("SELECT * FROM refresh_tokens WHERE expires_at < 5".to_owned(), "expires_idx"),
    ] {
        let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {list}")).unwrap();
        let plan: Vec<String> =
            statement.query_map([], |row| row.get(3)).unwrap().map(Result::unwrap).collect();
        let plan = plan.join("; ");
        assert!(plan.contains(index) && !plan.contains("TEMP B-TREE"), "{list}: {plan}");
    }
}

#[test]
fn pictures_of_before_the_gallery_keep_their_place_and_are_found() {
    let site = Site::new();
    let before = ALL.iter().position(|migration| migration.name == "add_gallery").unwrap();
    site.apply(&ALL[..before]).unwrap();
    site.sql(
        "INSERT INTO users (id, openid, created_at, updated_at) VALUES (7, 'o', 0, 0);
         INSERT INTO gallery_images (id, image_url, thumbnail_url, width, height, prompt,
             category_id, author_id, likes, status, created_at, updated_at)
         VALUES (1, 'a', 'b', 1, 1, '水墨山水画，Ink', 'landscape', 7, 3, 'APPROVED', 20, 20),
                (2, 'a', 'b', 1, 1, '城市', 'portrait', NULL, 0, 'APPROVED', 10, 10),
                (3, 'a', 'b', 1, 1, '山水', 'portrait', 7, 0, 'PENDING', 30, 30);
         INSERT INTO favorites (user_id, type, resource_id, created_at)
         VALUES (7, 'image', '1', 0), (7, 'image', '2', 0), (7, 'prompt', 'x', 0);",
    )
    .unwrap();
    site.apply(ALL).unwrap();
    let conn = Connection::open(&site.settings.path).unwrap();
    let text = |sql: &str| -> String { conn.query_row(sql, [], |row| row.get(0)).unwrap() };
    let places = "SELECT group_concat(id || ':' || COALESCE(seq, '-') || ':' || base_likes)
                    FROM (SELECT * FROM gallery_images ORDER BY id)";
    assert_eq!(text(places), "1:2:3,2:1:0,3:-:0");
    assert_eq!(text("SELECT seq || ':' || published_at FROM gallery_sequence"), "2:20");
    let counts = "SELECT group_concat(author_id || category_id || images)
                    FROM (SELECT * FROM gallery_counts ORDER BY author_id, category_id)";
    assert_eq!(text(counts), "0landscape1,0portrait1,7landscape1");
    let kept = "SELECT group_concat(type || favorites) FROM favorite_counts";
    assert_eq!(text(kept), "image2,prompt1");
    for (words, found) in
        [("山水", "2"), ("画", "2"), ("ink", "2"), ("c:landscape", "2"), ("a:7", "2"), ("城", "1")]
    {
        let sql = format!(
            "SELECT group_concat(rowid) FROM gallery_search WHERE gallery_search MATCH '\"{words}\"'"
        );
        assert_eq!(text(&sql), found, "{words}");
    }
}
