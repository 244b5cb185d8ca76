//! Administrators made and changed by owners, and by the command line.

use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};

use poem::http::Method;
use serde_json::{Value, json};

use super::{log_in, with};
use crate::support::{TestApp, command};

const ADMINS: &str = "/admin/api/admins";

#[tokio::test]
async fn a_new_administrator_logs_in_with_the_password_he_is_told() {
    let t = TestApp::start().await;
    let owner = t.admin("owner").stepped_up(&t);
    let wish = json!({ "username": "Bob", "role": "content" });
    let made = owner.post(ADMINS).json(&wish).await.ok();
    assert_eq!(
        (&made["admin"]["username"], &made["admin"]["role"]),
        (&json!("bob"), &json!("content"))
    );
    let me = log_in(&t, "bob", made["password"].as_str().unwrap()).await.ok();
    assert_eq!(
        me["permissions"],
        json!(["read", "review", "words", "templates", "categories", "announcements"])
    );
    owner.post(ADMINS).json(&wish).await.fails(409, "INVALID_STATE");
    let bad = json!({ "username": "a b", "role": "content" });
    owner.post(ADMINS).json(&bad).await.blames("username");
    let entry: (String, String) = t
        .database()
        .query_row("SELECT actor, after FROM audit_log WHERE action = 'admin.created'", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    assert_eq!(entry.0, format!("admin:{}", owner.name));
    assert_eq!(entry.1, json!({ "role": "CONTENT", "username": "bob" }).to_string());
}

#[tokio::test]
async fn a_change_of_role_or_standing_holds_at_once() {
    let t = TestApp::start().await;
    let owner = t.admin("owner").stepped_up(&t);
    let bob = t.admin("operator");
    let path = format!("{ADMINS}/{}", bob.id);
    owner.patch(&path).json(&json!({ "role": "owner" })).await.ok();
    bob.get(ADMINS).await.ok();
    owner.patch(&path).json(&json!({ "role": "viewer" })).await.ok();
    bob.get(ADMINS).await.fails(403, "FORBIDDEN");
    owner.patch(&path).json(&json!({ "isDisabled": true })).await.ok();
    bob.get("/admin/api/session").await.fails(401, "UNAUTHORIZED");
    // Let in again, he logs in anew.
    let back = owner.patch(&path).json(&json!({ "isDisabled": false })).await.ok();
    assert_eq!(back["disabledAt"], Value::Null);
    bob.get("/admin/api/session").await.fails(401, "UNAUTHORIZED");
    let nobody = format!("{ADMINS}/987654321");
    owner.patch(&nobody).json(&json!({ "role": "viewer" })).await.fails(404, "NOT_FOUND");
    assert_eq!(t.count("SELECT COUNT(*) FROM audit_log WHERE action = 'admin.changed'"), 4);
}

#[tokio::test]
async fn the_last_owner_stays() {
    let t = TestApp::start().await;
    let (ann, bob) = (t.admin("owner").stepped_up(&t), t.admin("owner").stepped_up(&t));
    let own = |id: i64| format!("{ADMINS}/{id}");
    ann.patch(&own(bob.id)).json(&json!({ "isDisabled": true })).await.ok();
    for change in [json!({ "role": "operator" }), json!({ "isDisabled": true })] {
        ann.patch(&own(ann.id)).json(&change).await.fails(409, "INVALID_STATE");
    }
    ann.get(ADMINS).await.ok();
}

#[tokio::test]
async fn two_owners_cannot_remove_each_other_at_once() {
    let t = TestApp::start().await;
    let (ann, bob) = (t.admin("owner").stepped_up(&t), t.admin("owner").stepped_up(&t));
    let out = json!({ "isDisabled": true });
    let (one, two) = tokio::join!(
        ann.patch(&format!("{ADMINS}/{}", bob.id)).json(&out),
        bob.patch(&format!("{ADMINS}/{}", ann.id)).json(&out),
    );
    assert!((one.status == 200) != (two.status == 200), "{} {}", one.status, two.status);
}

#[tokio::test]
async fn a_reset_gives_a_new_password_and_ends_all_sessions() {
    let t = TestApp::start().await;
    let owner = t.admin("owner").stepped_up(&t);
    let bob = t.admin("viewer");
    let path = format!("{ADMINS}/{}/reset", bob.id);
    owner.post(&path).json(&json!({})).await.blames("password");
    let reset = owner.post(&path).json(&json!({ "password": true })).await.ok();
    bob.get("/admin/api/session").await.fails(401, "UNAUTHORIZED");
    log_in(&t, &bob.name, reset["password"].as_str().unwrap()).await.ok();
    let only = owner.post(&path).json(&json!({ "secondFactor": true })).await.ok();
    assert_eq!(only["password"], Value::Null);
}

#[tokio::test]
async fn owners_see_and_end_the_sessions_of_others() {
    let t = TestApp::start().await;
    let owner = t.admin("owner");
    let bob = t.admin("viewer");
    let path = format!("{ADMINS}/{}/sessions", bob.id);
    assert_eq!(owner.get(&path).await.ok()["items"].as_array().unwrap().len(), 1);
    assert_eq!(owner.delete(&path).await.ok()["ended"], 1);
    bob.get("/admin/api/session").await.fails(401, "UNAUTHORIZED");
    // His own he keeps.
    let own = format!("{ADMINS}/{}/sessions", owner.id);
    assert_eq!(owner.delete(&own).await.ok()["ended"], 0);
    owner.get(ADMINS).await.ok();
}

/// `dream-bff admin …` in `folder`, with this on standard input.
fn admin(folder: &Path, args: &[&str], input: &str) -> Output {
    let mut command = command(folder);
    command.arg("admin").args(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may end without reading.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

#[tokio::test]
async fn the_command_line_makes_the_first_owner_and_lets_him_in_again() {
    let t = TestApp::start().await;
    let folder = t.folder().to_path_buf();
    let data = folder.to_str().unwrap();
    let add = ["add", "--name", "Ann", "--password-stdin", "--data-dir", data];
    let short = admin(&folder, &add, "short\n");
    assert!(!short.status.success());
    assert!(String::from_utf8_lossy(&short.stderr).contains("fewer than 12"));
    let done = admin(&folder, &add, "correct horse battery\n");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(log_in(&t, "ann", "correct horse battery").await.ok()["role"], "owner");
    let taken = admin(&folder, &add, "correct horse battery\n");
    assert!(String::from_utf8_lossy(&taken.stderr).contains("the name is taken"));

    for _ in 0..5 {
        log_in(&t, "ann", "wrong horse battery").await.fails(401, "INVALID_CREDENTIALS");
    }
    log_in(&t, "ann", "correct horse battery").await.fails(429, "RATE_LIMIT_EXCEEDED");
    let reset = ["reset-password", "--name", "ann", "--password-stdin", "--data-dir", data];
    let done = admin(&folder, &reset, "another good horse\n");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let session = log_in(&t, "ann", "another good horse").await;
    session.ok();
    let nobody = ["reset-password", "--name", "bob", "--password-stdin", "--data-dir", data];
    assert!(!admin(&folder, &nobody, "another good horse\n").status.success());

    let list = admin(&folder, &["list", "--data-dir", data], "");
    let list = String::from_utf8(list.stdout).unwrap();
    assert!(list.starts_with("ann\towner\tpassword only\tlast log-in "), "{list}");
    for secret in ["horse", "pbkdf2"] {
        assert!(!list.contains(secret));
    }
    let token = super::cookie(&session);
    with(&t, &token, Method::GET, "/admin/api/session", &Value::Null).await.ok();
}
