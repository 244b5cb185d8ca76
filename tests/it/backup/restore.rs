//! The way back, and everything that must not be put in the place of a database.

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::{backup, contents, files, number, ok, refused, run, with_money};
use crate::support::{Process, TestApp, signal};

/// The backups of `t`, as the command line is told of them.
fn settings(t: &TestApp) -> [(&'static str, String); 1] {
    [("BACKUP_DIR", t.app().backups.dir.to_str().unwrap().to_owned())]
}

fn run_with(data: &Path, args: &[&str], t: &TestApp) -> std::process::Output {
    let settings = settings(t);
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    run(data, args, &settings)
}

#[tokio::test]
async fn on_a_new_machine_all_is_as_it_was_and_the_server_starts() {
    let (t, order) = with_money().await;
    let made = backup(&t).await;
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    let said = ok(&run_with(&data, &["restore", "latest"], &t));
    assert!(
        said.contains(&made.manifest.name) && said.contains("2 users and 1 paid orders balance"),
        "{said}"
    );
    assert!(!said.contains("before is"), "there was nothing: {said}");
    let database = data.join("dream.db");
    assert_eq!(number(&database, "SELECT count(*) FROM users"), 2);
    let status =
        format!("SELECT count(*) FROM orders WHERE order_id = '{order}' AND status = 'PAID'");
    assert_eq!(number(&database, &status), 1);
    assert_eq!(files(&data), ["dream.db", "dream.db.lock"]);

    let sandbox = Process::sandbox().await;
    let server = Process::serve(folder.path(), &sandbox, &[]).await;
    server.log_in("alice").await;
}

#[tokio::test]
async fn what_was_there_before_stays_with_all_that_a_crash_left_in_its_log() {
    let (folder, sandbox) = (TempDir::new().unwrap(), Process::sandbox().await);
    let data = folder.path().join("data");
    let mut server = Process::serve(folder.path(), &sandbox, &[]).await;
    server.log_in("alice").await;
    // Beside a running server.
    ok(&run(&data, &["backup"], &[]));
    server.log_in("bob").await;
    let said = refused(&run(&data, &["restore", "latest"], &[]));
    assert!(
        said.contains("stop the server first") && said.contains("is in use by process"),
        "{said}"
    );
    server.kill();
    assert!(data.join("dream.db-wal").exists(), "its log was not folded in");

    let said = ok(&run(&data, &["restore", "latest"], &[]));
    let kept = files(&data).into_iter().find(|file| file.contains(".before-restore-")).unwrap();
    assert!(said.contains(&kept), "{said}");
    let users = "SELECT count(*) FROM users";
    assert_eq!(number(&data.join(&kept), users), 2);
    assert_eq!(number(&data.join("dream.db"), users), 1);
    let mut server = Process::serve(folder.path(), &sandbox, &[]).await;
    server.log_in("carol").await;
    signal(&server, "TERM");
    server.ended().await;
    assert_eq!(number(&data.join("dream.db"), users), 2);
}

#[tokio::test]
async fn a_try_touches_nothing() {
    let (t, _) = with_money().await;
    backup(&t).await;
    // Where no server writes meanwhile.
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    fs::create_dir_all(data.join("backups")).unwrap();
    for (from, bytes) in contents(&t.app().backups.dir) {
        fs::write(data.join("backups").join(from.file_name().unwrap()), bytes).unwrap();
    }
    fs::write(data.join("dream.db"), "what is there now").unwrap();
    let before = contents(&data);
    let said = ok(&run(&data, &["restore", "latest", "--verify"], &[]));
    assert!(said.contains("nothing was changed") && said.contains("balance"), "{said}");
    let mut after = contents(&data);
    // Who worked there last is written into the lock.
    let lock = data.join("backups/.lock");
    after.insert(lock.clone(), before[&lock].clone());
    assert!(before == after, "{:?} {:?}", before.keys(), after.keys());
}

#[tokio::test]
async fn a_time_finds_the_newest_of_then_or_before() {
    let t = TestApp::start().await;
    let first = backup(&t).await.manifest;
    t.clock.advance(std::time::Duration::from_secs(3600));
    let second = backup(&t).await.manifest;
    let data = t.app().scratch_dir.clone();
    let find = |time: &str| run(&data, &["restore", "--verify", "--at", time], &[]);
    for (time, name) in [
        (first.taken_at.as_str(), &first.name),
        ("2026-01-29T12:59:59Z", &first.name),
        ("2026-01-29 21:00", &second.name),
        ("2030-01-01T00:00:00Z", &second.name),
    ] {
        let said = ok(&find(time));
        assert!(said.contains(name.as_str()), "{time}: {said}");
    }
    assert!(refused(&find("2020-01-01T00:00:00Z")).contains("there is no backup of 2020-01-01"));
    let listed = ok(&run(&data, &["backups", "list", "--json"], &[]));
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, [second.name.as_str(), first.name.as_str()]);
    assert_eq!(listed[0]["isGood"], true);
}

#[tokio::test]
async fn a_copy_from_before_a_migration_is_restored_by_its_name() {
    let t = TestApp::start().await;
    t.log_in("alice").await;
    let (app, data) = (t.app(), t.app().scratch_dir.clone());
    let name = "pre-migration-v1-to-v2-20260101T000000.000Z.db";
    fs::create_dir_all(&app.backups.dir).unwrap();
    dream_bff::db::snapshot(&app.backups.database, &app.backups.dir.join(name)).unwrap();
    assert!(ok(&run(&data, &["backups", "list"], &[])).contains(name));
    let folder = TempDir::new().unwrap();
    ok(&run_with(folder.path(), &["restore", name], &t));
    assert_eq!(number(&folder.path().join("dream.db"), "SELECT count(*) FROM users"), 1);
}

/// Everything that lies around and is no backup, or not any more.
#[tokio::test]
async fn what_is_damaged_or_something_else_is_refused_and_nothing_is_changed() {
    let (t, _) = with_money().await;
    let name = backup(&t).await.manifest.name;
    let from = t.app().backups.dir.clone();
    let folder = TempDir::new().unwrap();
    let (data, at) = (folder.path().join("data"), folder.path().join("backups"));
    fs::create_dir_all(&at).unwrap();
    fs::create_dir_all(&data).unwrap();
    fs::write(data.join("dream.db"), "what is there now").unwrap();
    let path = |end: &str| at.join(format!("{name}{end}"));
    let reset = || {
        for end in [".db.zst", ".media.zst", ".json"] {
            fs::copy(from.join(format!("{name}{end}")), path(end)).unwrap();
        }
    };
    let database = path(".db.zst");
    let file = database.to_str().unwrap().to_owned();
    let refuse = |said: &str| {
        let output = refused(&run(&data, &["restore", &file], &[]));
        assert!(output.contains(said), "{said}: {output}");
        assert_eq!(fs::read(data.join("dream.db")).unwrap(), b"what is there now");
        assert!(!data.join(".restoring").exists());
    };

    reset();
    let whole = fs::read(&database).unwrap();
    fs::write(&database, &whole[..whole.len() / 2]).unwrap();
    refuse("ends too early or is damaged");
    let mut changed = whole.clone();
    changed[whole.len() / 2] ^= 1;
    fs::write(&database, &changed).unwrap();
    refuse(&name);
    fs::write(&database, "no backup at all").unwrap();
    refuse("is neither a backup nor a database");

    // A whole file that is not the one of the manifest.
    let other =
        zstd::encode_all(&fs::read(t.app().backups.database.clone()).unwrap()[..], 1).unwrap();
    fs::write(&database, &other).unwrap();
    refuse("is not what its manifest says");

    // Without a manifest it is judged by itself.
    reset();
    fs::remove_file(path(".json")).unwrap();
    let plain = zstd::decode_all(&whole[..]).unwrap();
    let write = |bytes: &[u8]| fs::write(&database, zstd::encode_all(bytes, 1).unwrap()).unwrap();
    let mut damaged = plain.clone();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 16_384].fill(0x5A);
    write(&damaged);
    refuse(&name);
    let scratch = folder.path().join("scratch.db");
    fs::write(&scratch, &plain).unwrap();
    Connection::open(&scratch).unwrap().pragma_update(None, "user_version", 9999).unwrap();
    write(&fs::read(&scratch).unwrap());
    refuse("schema version 9999");
    fs::remove_file(&scratch).unwrap();
    Connection::open(&scratch).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    write(&fs::read(&scratch).unwrap());
    refuse("it is no database of this program");
    write(b"");
    refuse("it is no database of this program");

    write(&plain);
    ok(&run(&data, &["restore", &file], &[]));
    assert_eq!(number(&data.join("dream.db"), "SELECT count(*) FROM users"), 2);
    let kept = files(&data).into_iter().find(|file| file.contains(".before-restore-")).unwrap();
    assert_eq!(fs::read(data.join(kept)).unwrap(), b"what is there now");
}

/// A database as the release before the newest migration left it.
fn older_database(path: &Path) -> i64 {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/migrations");
    let conn = Connection::open(path).unwrap();
    conn.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA foreign_keys = OFF;
         CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL,
           checksum TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT;",
    )
    .unwrap();
    let mut all = files(&dir);
    all.pop();
    for (version, file) in (1_i64..).zip(&all) {
        let text = fs::read_to_string(dir.join(file)).unwrap();
        conn.execute_batch(&text).unwrap();
        let sum: String =
            Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        let name = &file["0000_".len()..file.len() - ".sql".len()];
        let note = "INSERT INTO schema_migrations VALUES (?1, ?2, ?3, 0)";
        conn.execute(note, rusqlite::params![version, name, sum]).unwrap();
    }
    let version = i64::try_from(all.len()).unwrap();
    conn.pragma_update(None, "user_version", version).unwrap();
    version
}

#[test]
fn a_backup_of_an_older_schema_is_migrated_for_a_try_and_restored_as_it_is() {
    let folder = TempDir::new().unwrap();
    let data = folder.path();
    let older = older_database(&data.join("dream.db"));
    assert_eq!(older, dream_bff::db::schema_version() - 1);
    let said = ok(&run(data, &["backup"], &[]));
    assert!(said.contains(&format!("schema {older}")), "{said}");
    assert_eq!(number(&data.join("dream.db"), "PRAGMA user_version"), older, "not migrated by it");
    fs::remove_file(data.join("dream.db")).unwrap();
    ok(&run(data, &["restore", "latest"], &[]));
    assert_eq!(number(&data.join("dream.db"), "PRAGMA user_version"), older);
}

#[test]
fn a_copy_from_before_a_migration_lies_where_the_backups_do() {
    let folder = TempDir::new().unwrap();
    let (data, elsewhere) = (folder.path().join("data"), folder.path().join("elsewhere"));
    fs::create_dir(&data).unwrap();
    older_database(&data.join("dream.db"));
    let settings = [("BACKUP_DIR", elsewhere.to_str().unwrap())];
    let said = ok(&run(&data, &["migrate", "--rehearse"], &settings));
    assert!(said.contains("the books of the copy balance"), "{said}");
    assert!(!elsewhere.exists(), "a rehearsal keeps nothing");
    let said = ok(&run(&data, &["migrate"], &settings));
    let copies = files(&elsewhere);
    assert!(copies.len() == 1 && copies[0].starts_with("pre-migration-v"), "{copies:?}");
    assert!(said.contains(&copies[0]), "{said}");
    assert!(files(&data).iter().all(|file| file.starts_with("dream.db")), "{:?}", files(&data));
    ok(&run(&data, &["restore", &copies[0]], &settings));
}

#[test]
fn the_sandbox_has_backups_when_they_are_asked_for() {
    let folder = TempDir::new().unwrap();
    let data = folder.path();
    let url = format!("sqlite://{}/sandbox.db", data.display());
    ok(&run(data, &["migrate"], &[("DATABASE_URL", &url)]));
    let said = ok(&run(data, &["backup", "--sandbox"], &[]));
    assert!(said.contains("backups/sandbox-"), "{said}");
    assert!(
        ok(&run(data, &["backups", "list"], &[])).contains("no backups"),
        "they are kept apart"
    );
    let out = data.join("elsewhere");
    let out = out.to_str().unwrap();
    ok(&run(data, &["backup", "--sandbox", "--output", out], &[("BACKUP_KEEP", "1")]));
    ok(&run(data, &["backup", "--sandbox", "--output", out], &[("BACKUP_KEEP", "1")]));
    assert_eq!(files(Path::new(out)).iter().filter(|file| file.ends_with(".json")).count(), 2);
    ok(&run(data, &["restore", "latest", "--sandbox"], &[]));
}
