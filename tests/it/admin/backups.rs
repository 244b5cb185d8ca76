//! Backups on the page: made and tried at a word, and taken away by an owner who says again who he is.

use std::fs;
use std::time::Duration;

use dream_bff::base::clock::Stopwatch;
use dream_bff::features::backups::service::status;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Admin, TestApp, command};

const API: &str = "/admin/api/backups";

async fn look(admin: &Admin) -> Value {
    admin.get(API).await.ok()
}

/// Waits until so many runs have ended. They give way to all else, so on a busy machine it takes a while.
async fn ended(t: &TestApp, count: i64) {
    let waiting = Stopwatch::start();
    let is_under_way = || status(&t.app()).unwrap().under_way.is_some();
    while t.count("SELECT COUNT(*) FROM backup_runs") < count || is_under_way() {
        assert!(waiting.elapsed() < Duration::from_secs(180), "the run does not end");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Begins a run and waits for its end.
async fn begin(t: &TestApp, admin: &Admin, what: &str) -> Value {
    let before = t.count("SELECT COUNT(*) FROM backup_runs");
    admin.post(&format!("{API}/{what}")).await.ok();
    ended(t, before + 1).await;
    look(admin).await
}

#[tokio::test]
async fn a_backup_is_made_and_tried_at_a_word_and_its_end_is_told() {
    let t = TestApp::with(&[("BACKUP_HOURS", "24")]).await;
    let (viewer, owner) = (t.admin("viewer"), t.admin("owner"));
    t.log_in("alice").await;
    let nothing = look(&viewer).await;
    assert_eq!((&nothing["items"], &nothing["runs"]), (&json!([]), &json!([])));
    assert_eq!((&nothing["isLate"], &nothing["lastGoodAt"]), (&json!(true), &Value::Null));

    let made = begin(&t, &owner, "run").await;
    let item = &made["items"][0];
    assert_eq!(
        (&item["kind"], &item["isGood"], &item["users"]),
        (&json!("full"), &json!(true), &json!(1))
    );
    assert_eq!(item["takenAt"], made["lastGoodAt"]);
    assert!(item["bytes"].as_u64().unwrap() < item["databaseBytes"].as_u64().unwrap());
    let run = &made["runs"][0];
    assert_eq!(
        (&run["kind"], &run["cause"], &run["name"], &run["problem"]),
        (&json!("backup"), &json!("admin"), &item["name"], &Value::Null)
    );
    assert_eq!((&made["isLate"], &made["isDrillLate"]), (&json!(false), &json!(true)));
    assert_eq!(made["lastVerifiedAt"], Value::Null);

    let tried = begin(&t, &owner, "drill").await;
    assert_eq!(tried["runs"].as_array().unwrap().len(), 2);
    assert_eq!(tried["lastVerifiedName"], item["name"]);
    assert_eq!(tried["isDrillLate"], false);
    assert_eq!(tried["underWay"], Value::Null);
    let noted = "SELECT COUNT(*) FROM audit_log WHERE actor = 'admin:'
                 || (SELECT username FROM admins WHERE role = 'OWNER')
                 AND action IN ('backup.started', 'backup.drill_started')";
    assert_eq!(t.count(noted), 2);
}

#[tokio::test]
async fn a_drill_without_a_backup_fails_and_says_so() {
    let t = TestApp::start().await;
    let owner = t.admin("owner");
    let tried = begin(&t, &owner, "drill").await;
    let run = &tried["runs"][0];
    assert_eq!((&run["kind"], &run["name"]), (&json!("drill"), &Value::Null));
    assert!(run["problem"].as_str().unwrap().contains("no backup"), "{run}");
    let needs = owner.get("/admin/api/home").await.ok()["needsYou"].clone();
    assert_eq!(needs[0]["kind"], "drillFailed");
    assert_eq!(needs.as_array().unwrap().len(), 1, "{needs}");
}

#[tokio::test]
async fn two_runs_at_once_are_one_too_many() {
    let t = TestApp::start().await;
    let owner = t.admin("owner");
    let starts = (0..8).map(|_| async { owner.post(&format!("{API}/run")).await.status });
    let answers = futures_util::future::join_all(starts).await;
    assert!(answers.iter().all(|status| [200, 409].contains(status)), "{answers:?}");
    let begun = answers.iter().filter(|status| **status == 200).count();
    assert!(begun >= 1, "{answers:?}");
    let begun = i64::try_from(begun).unwrap();
    ended(&t, begun).await;
    assert_eq!(t.count("SELECT COUNT(*) FROM audit_log WHERE action = 'backup.started'"), begun);
    assert_eq!(t.count("SELECT COUNT(*) FROM backup_runs WHERE problem IS NULL"), begun);
}

#[tokio::test]
async fn what_is_downloaded_is_a_database_that_opens_and_whose_books_balance() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let order = t.pay(&alice, json!({ "planId": "vip_month" })).await;
    let owner = t.admin("owner");
    let made = begin(&t, &owner, "run").await;
    let name = made["items"][0]["name"].as_str().unwrap().to_owned();
    let (about, download) = (format!("{API}/{name}"), format!("{API}/{name}/download"));
    for path in [&about, &download] {
        t.admin("operator").stepped_up(&t).get(path).await.fails(403, "FORBIDDEN");
        owner.get(path).await.fails(403, "STEP_UP_REQUIRED");
    }
    let taken = "SELECT COUNT(*) FROM audit_log WHERE action = 'backup.downloaded'";
    assert_eq!(t.count(taken), 0);

    let owner = owner.stepped_up(&t);
    let file = owner.get(&about).await.ok();
    let answer = owner.get(&download).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-length"), Some(file["bytes"].to_string().as_str()));
    assert_eq!(answer.body.len() as u64, file["bytes"].as_u64().unwrap());
    let disposition = answer.header("content-disposition").unwrap();
    assert!(disposition.contains(file["fileName"].as_str().unwrap()), "{disposition}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let sum: String = {
        use sha2::{Digest as _, Sha256};
        Sha256::digest(&answer.body).iter().map(|byte| format!("{byte:02x}")).collect()
    };
    assert_eq!(file["sha256"], sum.as_str());
    assert_eq!(t.count(taken), 1);
    let noted = format!("SELECT COUNT(*) FROM audit_log WHERE object = 'backup:{name}'");
    assert_eq!(t.count(&noted), 1);

    let folder = TempDir::new().unwrap();
    let database = folder.path().join("dream.db");
    fs::write(&database, zstd::decode_all(&answer.body[..]).unwrap()).unwrap();
    let opened = rusqlite::Connection::open(&database).unwrap();
    let status: String = opened
        .query_row("SELECT status FROM orders WHERE order_id = ?1", [order], |row| row.get(0))
        .unwrap();
    assert_eq!(status, "PAID");
    drop(opened);
    let mut books = command(folder.path());
    let done = books.arg("books").env("DATA_DIR", folder.path()).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[tokio::test]
async fn a_name_leads_nowhere_but_to_what_is_listed() {
    let t = TestApp::start().await;
    let owner = t.admin("owner").stepped_up(&t);
    let made = begin(&t, &owner, "run").await;
    let name = made["items"][0]["name"].as_str().unwrap();
    for bad in [
        "dream.db",
        "..%2Fdream.db",
        "..%2f..%2fetc%2fpasswd",
        "%2Fetc%2Fpasswd",
        ".lock",
        &format!("{name}.json"),
        &format!("{name}.db.zst"),
        &format!("..%2Fbackups%2F{name}"),
    ] {
        owner.get(&format!("{API}/{bad}/download")).await.fails(404, "NOT_FOUND");
        owner.get(&format!("{API}/{bad}")).await.fails(404, "NOT_FOUND");
    }
    assert_eq!(t.count("SELECT COUNT(*) FROM audit_log WHERE action = 'backup.downloaded'"), 0);
}
