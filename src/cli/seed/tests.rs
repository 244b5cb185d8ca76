//! The promises of `seed`, each on a real file.

use std::collections::HashSet;
use std::fs;
use std::sync::LazyLock;

use clap::{Args as _, FromArgMatches as _};
use tempfile::TempDir;

use super::*;
use crate::base::clock::{Clock, TestClock};
use crate::base::time::UnixMillis;
use crate::clients::object_storage::LocalStorage;
use crate::db::DbSettings;
use crate::db::prelude::*;

const BASE: &str = "http://127.0.0.1:3000/media";

/// Drawn once: a debug build takes a while.
static ALBUM: LazyLock<Album> = LazyLock::new(|| Album::draw().unwrap());

/// `run_with`, with a folder for the pictures in `dir`.
fn seed_into(
    dir: &TempDir,
    db: &Db,
    options: &SeedOptions,
    base_url: &str,
    images_at_once: u32,
) -> Result<SeedReport, SeedError> {
    let storage = LocalStorage::open(dir.path().join("media"), &Clock::system()).unwrap();
    let media = MediaPlace { storage: &storage, base_url };
    run_with(db, options, media, || Ok(ALBUM.clone()), images_at_once)
}

fn seed(dir: &TempDir, db: &Db, options: &SeedOptions) -> Result<SeedReport, SeedError> {
    seed_into(dir, db, options, BASE, u32::MAX)
}

fn fresh(now: i64) -> (TempDir, Db) {
    let dir = tempfile::tempdir().unwrap();
    let settings = DbSettings::new(dir.path().join("dream.db"), dir.path().join("backups"));
    let db = Db::open(settings, &Clock::test(TestClock::at(UnixMillis(now)))).unwrap();
    (dir, db)
}

fn small() -> SeedOptions {
    // More images than one write takes.
    SeedOptions { users: 150, images: 3_000, templates: 45, seed: 42, balance: 100 }
}

fn number(db: &Db, sql: &str) -> i64 {
    db.read_inline("test", |tx| tx.query_one(sql, [], |row| row.get(0)))
        .unwrap_or_else(|err: DbError| panic!("{sql}: {err:?}"))
}

/// Every row of every table that `seed` fills, as JSON text.
fn dump(db: &Db) -> Vec<String> {
    let tables = [
        "SELECT json_array(id, openid, nick_name, avatar_url, vip_level, points_balance, \
                           created_at, updated_at) FROM users ORDER BY id",
        "SELECT json_array(id, user_id, type, amount, description, reason, reference, \
                           balance_after, created_at) FROM points_transactions ORDER BY id",
        "SELECT json_array(id, image_url, thumbnail_url, width, height, prompt, category_id, \
                           author_id, likes, status, created_at, updated_at) \
           FROM gallery_images ORDER BY id",
        "SELECT json_array(template_id, title, description, prompt, category, thumbnail_url, \
                           preview_images, usage_count, is_hot, sort, created_at) \
           FROM prompt_templates ORDER BY template_id",
        "SELECT json_array(id, user_id, type, resource_id, created_at) FROM favorites ORDER BY id",
    ];
    let mut rows = Vec::new();
    for sql in tables {
        let more: Result<Vec<String>, DbError> =
            db.read_inline("test", |tx| tx.query_all(sql, [], |row| row.get(0)));
        rows.extend(more.unwrap());
    }
    rows
}

#[test]
fn the_same_options_give_the_same_database() {
    let (one_dir, one) = fresh(0);
    let (two_dir, two) = fresh(1_900_000_000_000);
    seed(&one_dir, &one, &small()).unwrap();
    seed_into(&two_dir, &two, &small(), &format!("{BASE}/"), u32::MAX).unwrap();
    let (one, two) = (dump(&one), dump(&two));
    assert!(one.len() > 150 + 150 + 3_000 + 45 + 100);
    assert!(one == two, "the databases differ");

    let (three_dir, three) = fresh(0);
    seed(&three_dir, &three, &SeedOptions { seed: 43, ..small() }).unwrap();
    assert!(one != dump(&three), "the seed changes nothing");
}

#[test]
fn there_is_exactly_what_was_asked_for() {
    let (dir, db) = fresh(0);
    let report = seed(&dir, &db, &small()).unwrap();
    assert_eq!((report.users, report.images, report.templates), (150, 3_000, 45));
    assert_eq!(number(&db, "SELECT COUNT(*) FROM users"), 150);
    let public = "SELECT COUNT(*) FROM gallery_images WHERE status = 'APPROVED'";
    assert_eq!(number(&db, public), 3_000);
    assert_eq!(number(&db, "SELECT COUNT(*) FROM gallery_search"), 3_000);
    let counted = "SELECT SUM(images) FROM gallery_counts WHERE author_id = 0";
    assert_eq!(number(&db, counted), 3_000);
    let found = "SELECT COUNT(*) FROM gallery_search WHERE gallery_search MATCH '\"c:portrait\"'";
    let there = "SELECT COUNT(*) FROM gallery_images WHERE category_id = 'portrait'";
    assert_eq!(number(&db, found), number(&db, there));
    assert_eq!(number(&db, "SELECT COUNT(*) FROM prompt_templates"), 45);
    let favorites = i64::try_from(report.favorites).unwrap();
    assert_eq!(number(&db, "SELECT COUNT(*) FROM favorites"), favorites);
    assert_eq!(number(&db, "SELECT COUNT(DISTINCT user_id) FROM favorites"), 100);
    assert_eq!(number(&db, "SELECT COUNT(DISTINCT category_id) FROM gallery_images"), 4);
    assert_eq!(number(&db, "SELECT id FROM users WHERE openid = 'seed-000150'"), 150);
    let printed = report.to_string();
    assert!(printed.contains("seed-000001 to seed-000150, 100 points each"), "{printed}");
}

/// What the many at once leave is what one by one leaves: rows, places, counts, search words, and a
/// schema with all its indexes and triggers. Where somebody has published before, all go one by one.
#[test]
fn images_at_once_are_like_images_one_by_one() {
    let seeded = |at_once: u32, is_used: bool| {
        let (dir, db) = fresh(0);
        let schema = texts(&db, SCHEMA);
        if is_used {
            take_the_first_place(&db);
        }
        seed_into(&dir, &db, &small(), BASE, at_once).unwrap();
        assert_eq!(texts(&db, SCHEMA), schema, "{at_once} at once changed the schema");
        assert_eq!(texts(&db, "PRAGMA integrity_check"), ["ok"]);
        assert!(texts(&db, "SELECT \"table\" FROM pragma_foreign_key_check").is_empty());
        for sql in WRONG_COUNTS {
            assert_eq!(texts(&db, sql), Vec::<String>::new(), "{at_once} at once");
        }
        (dir, db)
    };
    let (_dir, one_by_one) = seeded(0, false);
    let (_dir, some) = seeded(1_234, false);
    let (_dir, all) = seeded(u32::MAX, false);
    let (_dir, used) = seeded(u32::MAX, true);
    for other in [&some, &all] {
        assert!(dump(&one_by_one) == dump(other), "the rows differ");
        for sql in [PLACES, COUNTS, FOUND] {
            assert_eq!(texts(&one_by_one, sql), texts(other, sql));
        }
    }
    assert_eq!(number(&used, "SELECT MIN(seq) FROM gallery_images"), 2);
    assert_eq!(texts(&one_by_one, COUNTS), texts(&used, COUNTS));
    // A count goes on from there: the trigger is back.
    for db in [&one_by_one, &all, &used] {
        db.write_blocking("test", |tx| {
            tx.execute("UPDATE gallery_images SET status = 'HIDDEN' WHERE author_id < 20", [])?;
            tx.execute("DELETE FROM gallery_images WHERE author_id = 20", [])?;
            tx.execute(PUBLISHED, [])
        })
        .unwrap_or_else(|err: DbError| panic!("{err:?}"));
        for sql in WRONG_COUNTS {
            assert_eq!(texts(db, sql), Vec::<String>::new());
        }
    }
}

const SCHEMA: &str = "SELECT type || name || tbl_name || COALESCE(sql, '') FROM sqlite_schema
                       ORDER BY type, name";

const PLACES: &str = "SELECT json_array(id, seq, published_at, hot, base_likes, tags)
                        FROM gallery_images ORDER BY id";

const COUNTS: &str = "SELECT json_array(author_id, category_id, images) FROM gallery_counts
                       ORDER BY author_id, category_id";

const FOUND: &str = "SELECT CAST(rowid AS TEXT) FROM gallery_search
                      WHERE gallery_search MATCH '\"c:portrait\"' ORDER BY rowid";

/// Counters that are not what counting gives: of authors, of everybody, and what there is none of.
const WRONG_COUNTS: [&str; 3] = [
    "SELECT json_array(author_id, category_id) FROM (
       SELECT author_id, category_id, COUNT(*) AS images FROM gallery_images
        WHERE status = 'APPROVED' GROUP BY author_id, category_id) g
      WHERE images IS NOT (SELECT c.images FROM gallery_counts c
                            WHERE c.author_id = g.author_id AND c.category_id = g.category_id)",
    "SELECT category_id FROM (
       SELECT category_id, COUNT(*) AS images FROM gallery_images
        WHERE status = 'APPROVED' GROUP BY category_id) g
      WHERE images IS NOT (SELECT c.images FROM gallery_counts c
                            WHERE c.author_id = 0 AND c.category_id = g.category_id)",
    "SELECT json_array(author_id, category_id) FROM gallery_counts c
      WHERE images > 0 AND NOT EXISTS (
        SELECT 1 FROM gallery_images g
         WHERE g.status = 'APPROVED' AND g.category_id = c.category_id
           AND c.author_id IN (0, g.author_id))",
];

const PUBLISHED: &str = "
    INSERT INTO gallery_images (image_url, thumbnail_url, width, height, prompt, category_id,
                                author_id, status, seq, created_at, published_at, updated_at)
    SELECT 'u', 't', 1, 1, 'p', 'portrait', 30, 'APPROVED', 9999999, 1, 1, 1";

/// As when somebody has published a picture and deleted it.
fn take_the_first_place(db: &Db) {
    db.write_blocking("test", |tx| tx.execute("UPDATE gallery_sequence SET seq = seq + 1", []))
        .unwrap_or_else(|err: DbError| panic!("{err:?}"));
}

fn texts(db: &Db, sql: &str) -> Vec<String> {
    db.read_inline("test", |tx| tx.query_all(sql, [], |row| row.get(0)))
        .unwrap_or_else(|err: DbError| panic!("{sql}: {err:?}"))
}

#[test]
fn the_books_balance() {
    let (dir, db) = fresh(0);
    seed(&dir, &db, &SeedOptions { balance: 1_000_000_000, ..small() }).unwrap();
    let wrong = "
        SELECT COUNT(*) FROM users u
         WHERE u.points_balance <> 1000000000
            OR u.points_balance IS NOT (SELECT SUM(CASE type WHEN 'SPEND' THEN -amount ELSE amount END)
                                      FROM points_transactions t WHERE t.user_id = u.id)
            OR u.points_balance IS NOT (SELECT balance_after FROM points_transactions t
                                     WHERE t.user_id = u.id ORDER BY t.id DESC LIMIT 1)";
    assert_eq!(number(&db, wrong), 0);
    assert_eq!(number(&db, "SELECT COUNT(*) FROM points_transactions WHERE reason = 'seed'"), 150);
}

#[test]
fn without_points_nothing_is_booked() {
    let (dir, db) = fresh(0);
    seed(&dir, &db, &SeedOptions { balance: 0, images: 0, templates: 0, ..small() }).unwrap();
    assert_eq!(number(&db, "SELECT COUNT(*) FROM points_transactions"), 0);
    assert_eq!(number(&db, "SELECT COUNT(*) FROM favorites WHERE type = 'image'"), 0);
    // What a database begins with stays.
    assert_eq!(number(&db, "SELECT COUNT(*) FROM prompt_templates"), 30);
}

#[test]
fn lists_are_in_the_order_of_their_ids() {
    let (dir, db) = fresh(0);
    seed(&dir, &db, &small()).unwrap();
    for table in ["users", "gallery_images"] {
        let disorder = format!(
            "SELECT COUNT(*) FROM {table} a JOIN {table} b ON b.id = a.id + 1
              WHERE b.created_at <= a.created_at"
        );
        assert_eq!(number(&db, &disorder), 0, "{table}");
    }
    let orphans = "SELECT COUNT(*) FROM favorites f
                    WHERE NOT EXISTS (SELECT 1 FROM gallery_images g
                                       WHERE f.type = 'image' AND f.resource_id = CAST(g.id AS TEXT))
                      AND NOT EXISTS (SELECT 1 FROM prompt_templates p
                                       WHERE f.type = 'prompt' AND f.resource_id = p.template_id)";
    assert_eq!(number(&db, orphans), 0);
    let early = "SELECT COUNT(*) FROM gallery_images g JOIN users u ON u.id = g.author_id
                  WHERE g.created_at <= u.created_at";
    assert_eq!(number(&db, early), 0);
}

#[test]
fn a_second_run_is_refused_and_changes_nothing() {
    let (dir, db) = fresh(0);
    seed(&dir, &db, &small()).unwrap();
    let before = dump(&db);
    let err = seed(&dir, &db, &SeedOptions { users: 10, seed: 7, ..small() }).unwrap_err();
    assert!(matches!(err, SeedError::AlreadySeeded { users: 150 }), "{err:?}");
    assert!(err.to_string().contains("delete the database file"), "{err}");
    assert!(before == dump(&db), "the refused run left something");
}

#[test]
fn other_users_and_templates_stay_and_templates_are_filled_up() {
    let (dir, db) = fresh(0);
    db.write_blocking("test", |tx| {
        tx.insert(
            "INSERT INTO users (openid, created_at, updated_at) VALUES ('seedling', 1, 1)",
            [],
        )?;
        tx.execute(
            "INSERT INTO prompt_templates (template_id, title, prompt, category, created_at)
             VALUES ('mine', 'mine', 'mine', 'mine', 1)",
            [],
        )?;
        // An id that a variation would have is passed over.
        tx.execute(
            "UPDATE prompt_templates SET template_id = 'portrait-rembrandt-2'
              WHERE template_id = 'poster-sci-fi'",
            [],
        )
    })
    .unwrap_or_else(|err: DbError| panic!("{err:?}"));
    let report = seed(&dir, &db, &small()).unwrap();
    assert_eq!((report.users, report.templates), (150, 45));
    assert_eq!(number(&db, "SELECT COUNT(*) FROM prompt_templates"), 45);
    assert_eq!(number(&db, "SELECT COUNT(*) FROM users"), 151);
}

#[test]
fn defaults_and_limits_are_those_of_the_help() {
    let parse = |args: &[&str]| {
        let command = SeedOptions::augment_args(clap::Command::new("seed"));
        command
            .try_get_matches_from(args)
            .map(|found| SeedOptions::from_arg_matches(&found).unwrap())
    };
    let default = parse(&["seed"]).unwrap();
    assert_eq!((default.users, default.images, default.templates), (100, 1_000, 30));
    let large = parse(&["seed", "--users=10000", "--images=100000", "--balance=1000000000"]);
    assert_eq!(large.unwrap().balance, 1_000_000_000);
    for bad in ["--users=0", "--users=1000000", "--templates=1001", "--balance=-1"] {
        assert!(parse(&["seed", bad]).is_err(), "{bad}");
    }
}

#[test]
fn every_link_leads_to_a_picture_that_is_kept_and_more_rows_need_no_more_of_them() {
    let files = |images: u32| {
        let (dir, db) = fresh(0);
        seed(&dir, &db, &SeedOptions { images, ..small() }).unwrap();
        let linked: HashSet<String> = texts(
            &db,
            "SELECT image_url FROM gallery_images UNION SELECT thumbnail_url FROM gallery_images
              UNION SELECT avatar_url FROM users",
        )
        .into_iter()
        .collect();
        for link in &linked {
            let key = link.strip_prefix(&format!("{BASE}/")).unwrap();
            let bytes = fs::read(dir.path().join("media").join(key)).unwrap();
            assert!(image::load_from_memory(&bytes).is_ok(), "{link}");
        }
        // A backup copies what has a row; the sweeper removes what nobody holds.
        let held = "SELECT COUNT(*) FROM media_objects JOIN media_holds USING (key)
                     WHERE holder = 'seed' AND unused_since IS NULL AND removing = 0";
        let sizes = "SELECT COUNT(*) FROM gallery_images g WHERE NOT EXISTS (
                       SELECT 1 FROM media_objects m WHERE g.image_url LIKE '%' || m.key
                          AND m.width = g.width AND m.height = g.height)";
        assert_eq!(number(&db, sizes), 0);
        (linked.len(), number(&db, held))
    };
    assert_eq!(files(0).1, 56);
    assert_eq!(files(3_000), (56, 56));
}
