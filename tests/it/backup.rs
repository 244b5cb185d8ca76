//! Backups: made while the server works, checked, kept, removed, tried, and restored.

mod bucket;
mod disk_full;
mod media;
mod restore;
mod schedule;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use dream_bff::features::backups::service::{self, Made, Wish};
use dream_bff::features::backups::{Cause, Run, RunKind};
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

use crate::support::{TestApp, command};

/// Makes a backup as an administrator would.
async fn backup(t: &TestApp) -> Made {
    let made = service::run_now(&t.app(), Cause::Admin, Wish::default()).await.unwrap();
    assert_eq!(made.problem, None);
    made
}

fn last_run(t: &TestApp, kind: RunKind) -> Option<Run> {
    service::runs(&t.app(), kind, 1).unwrap().pop()
}

/// Files in a folder, by their names.
fn files(dir: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Every file below a folder with what is in it.
fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

/// The command line on the data folder `data`.
fn run(data: &Path, args: &[&str], settings: &[(&str, &str)]) -> Output {
    let mut command = command(data);
    command.args(args).env("DATA_DIR", data).env("MIN_FREE_DISK_MIB", "0");
    command.envs(settings.iter().copied()).output().unwrap()
}

#[track_caller]
fn ok(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[track_caller]
fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn number(database: &Path, sql: &str) -> i64 {
    Connection::open(database).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

/// A server with two users, one of whom paid.
async fn with_money() -> (TestApp, String) {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    t.log_in("bob").await;
    let order = t.pay(&alice, json!({ "planId": "vip_month" })).await;
    assert_eq!(t.order_status(&order), "PAID");
    (t, order)
}

#[tokio::test]
async fn a_backup_says_what_is_in_it_and_that_it_was_checked() {
    let (t, _) = with_money().await;
    let made = backup(&t).await;
    let manifest = &made.manifest;
    assert_eq!(manifest.rows["users"], t.count("SELECT count(*) FROM users"));
    assert_eq!(manifest.schema, dream_bff::db::schema_version());
    assert_eq!((manifest.books.users, manifest.books.paid_orders), (2, 1));
    assert!(manifest.books.is_balanced());
    assert!(manifest.database.bytes < manifest.plain.bytes);

    let dir = t.app().backups.dir.clone();
    let name = &manifest.name;
    let visible: Vec<_> = files(&dir).into_iter().filter(|file| !file.starts_with('.')).collect();
    assert_eq!(visible, [".db.zst", ".json", ".media.zst"].map(|end| format!("{name}{end}")));
    assert!(!dir.join(".work").exists());
    let mode = |file: &str| {
        use std::os::unix::fs::PermissionsExt as _;
        fs::metadata(dir.join(file)).unwrap().permissions().mode() & 0o777
    };
    assert_eq!(mode(&format!("{name}.db.zst")), 0o600);
    assert_eq!(mode(""), 0o700);

    let run = last_run(&t, RunKind::Backup).unwrap();
    assert_eq!((run.name.as_deref(), run.cause), (Some(name.as_str()), Cause::Admin));
    assert!(run.is_good() && run.plain_bytes > run.bytes && run.bytes > 0);
}

#[tokio::test]
async fn users_go_on_while_a_backup_is_made_and_it_is_of_one_moment() {
    let limits = [("RATE_LIMIT_LOGIN_PER_IP", "0"), ("RATE_LIMIT_PER_IP", "0")];
    let t = TestApp::with(&limits).await;
    t.log_in("alice").await;
    // Large enough for several steps.
    t.database()
        .execute_batch(
            "CREATE TABLE filler (n INTEGER PRIMARY KEY, noise BLOB);
             WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 6000)
             INSERT INTO filler SELECT n, randomblob(4000) FROM c;",
        )
        .unwrap();
    let app = t.app();
    let making = tokio::spawn(async move {
        service::run_now(&app, Cause::Admin, Wish::default()).await.unwrap()
    });
    let mut logins = 1;
    while !making.is_finished() {
        t.log_in(&format!("user{logins}")).await;
        logins += 1;
    }
    let made = making.await.unwrap();
    assert_eq!(made.problem, None);
    let copied = made.manifest.rows["users"];
    assert!(logins > 3 && copied >= 1 && copied < logins, "{copied} of {logins}");
    // What belongs to a login belongs to it in the copy too.
    assert_eq!(made.manifest.books.users, copied);
}

#[tokio::test]
async fn one_run_at_a_time_over_all_processes() {
    let t = TestApp::start().await;
    let dir = t.app().backups.dir.clone();
    fs::create_dir_all(&dir).unwrap();
    let held = dream_bff::db::lock_file(&dir.join(".lock")).unwrap().unwrap();
    let err = service::run_now(&t.app(), Cause::Admin, Wish::default()).await.unwrap_err();
    assert!(err.to_string().contains("under way"), "{err}");
    let said = refused(&run(dir.parent().unwrap(), &["backup"], &[]));
    assert!(said.contains(&format!("process {}", std::process::id())), "{said}");
    drop(held);
    backup(&t).await;
}

#[tokio::test]
async fn books_that_do_not_balance_are_kept_and_do_not_count_as_good() {
    let t = TestApp::start().await;
    t.log_in("alice").await;
    let good = backup(&t).await.manifest.name;
    t.sql("UPDATE users SET points_balance = points_balance + 1000000");
    let made = service::run_now(&t.app(), Cause::Admin, Wish::default()).await.unwrap();
    let problem = made.problem.unwrap();
    assert!(problem.contains("do not balance"), "{problem}");
    let last = service::last_good(&t.app().backups).unwrap().unwrap();
    assert_eq!(last.name, good);
    let status = service::status(&t.app()).unwrap();
    assert_eq!(status.kept, 2);
    assert_eq!(status.last_run.unwrap().problem, Some(problem));
}

#[test]
fn a_backup_of_nothing_is_refused_in_one_line() {
    let folder = TempDir::new().unwrap();
    let said = refused(&run(folder.path(), &["backup"], &[]));
    assert!(
        said.starts_with("dream-bff: there is no database ") && said.lines().count() == 1,
        "{said}"
    );
    assert!(ok(&run(folder.path(), &["backups", "list"], &[])).contains("no backups in"));
    let said = refused(&run(folder.path(), &["restore", "latest"], &[]));
    assert!(said.contains("there is no backup"), "{said}");
    assert!(!folder.path().join("dream.db").exists());
}
