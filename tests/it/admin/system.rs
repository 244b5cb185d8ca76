//! The process as the page shows it: tasks, log, live numbers.

use std::time::Duration;

use futures_util::StreamExt as _;
use poem::Response;
use serde_json::{Value, json};

use crate::support::{Process, TestApp, until};

/// The next event of a stream.
async fn next(stream: &mut (impl futures_util::Stream<Item = Vec<u8>> + Unpin)) -> Option<String> {
    let waiting = tokio::time::timeout(Duration::from_secs(20), stream.next());
    let bytes = waiting.await.expect("the stream says nothing")?;
    Some(String::from_utf8(bytes).unwrap())
}

fn frames(response: Response) -> impl futures_util::Stream<Item = Vec<u8>> + Unpin {
    assert_eq!(response.status().as_u16(), 200);
    let body = response.into_body().into_bytes_stream();
    Box::pin(body.map(|bytes| bytes.unwrap().to_vec()))
}

fn data(event: &str) -> Value {
    let line = event.lines().find_map(|line| line.strip_prefix("data:")).unwrap();
    serde_json::from_str(line.trim()).unwrap()
}

#[tokio::test]
async fn the_system_says_how_it_is() {
    let t = TestApp::start().await;
    t.log_in("alice").await;
    let system = t.admin("viewer").get("/admin/api/system").await.ok();
    assert_eq!(system["version"], env!("CARGO_PKG_VERSION"));
    assert!(system["schemaVersion"].as_i64().unwrap() >= 16);
    assert!(system["databaseBytes"].as_i64().unwrap() > 100_000);
    assert!(system["walBytes"].as_i64().unwrap() > 0);
    assert!(system["diskFreeBytes"].as_i64().unwrap() > 0);
    assert!(system["writer"]["commits"].as_i64().unwrap() > 0);
}

#[tokio::test]
async fn live_numbers_come_at_once_and_end_with_the_session() {
    let t = TestApp::start().await;
    let admin = t.admin("viewer");
    t.log_in("alice").await;
    let mut stream = frames(admin.get("/admin/api/events").open().await);
    let first = next(&mut stream).await.unwrap();
    assert!(first.contains("event: live"), "{first}");
    assert_eq!(data(&first)["newUsers"], 1);
    t.admin("owner").delete(&format!("/admin/api/admins/{}/sessions", admin.id)).await.ok();
    // The next look, two seconds later, finds no session.
    while let Some(event) = next(&mut stream).await {
        assert!(event.contains("event: live"), "{event}");
    }
}

#[tokio::test]
async fn streams_are_bounded_and_give_their_place_back() {
    let t = TestApp::start().await;
    let admin = t.admin("viewer");
    let mut open = Vec::new();
    loop {
        let response = admin.get("/admin/api/events").open().await;
        if response.status().as_u16() == 429 {
            break;
        }
        open.push(response);
        assert!(open.len() <= 64);
    }
    assert_eq!(open.len(), 64);
    open.pop();
    assert_eq!(admin.get("/admin/api/events").open().await.status().as_u16(), 200);
}

#[tokio::test]
async fn an_unknown_task_cannot_be_run() {
    let t = TestApp::start().await;
    let operator = t.admin("operator");
    operator.post("/admin/api/system/tasks/none/run").await.fails(404, "NOT_FOUND");
    assert_eq!(t.count("SELECT COUNT(*) FROM audit_log WHERE action = 'task.run'"), 0);
}

/// The board, the log and the sandbox's owner are those of a whole process.
#[tokio::test]
async fn in_a_process_tasks_run_at_a_word_and_the_log_is_read_and_followed() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = crate::support::command(folder.path());
    command.args(["serve", "--sandbox"]).env("PUBLIC_URL", "http://127.0.0.1:1");
    let server = Process::listening(command).await;
    until("the banner is there", || server.stdout().contains("name admin, password ")).await;
    assert!(!server.stdout().contains("/setup?token="), "there is an owner already");
    let banner = server.stdout();
    let (_, rest) = banner.split_once("name admin, password ").unwrap();
    let password = rest.split_whitespace().next().unwrap();
    let own = ("sec-fetch-site", "same-origin");
    let body = format!(r#"{{"username":"admin","password":"{password}"}}"#);
    let at = server.address;
    let login =
        crate::support::Wire::ask(at, "POST", "/admin/api/session/login", &[own], &body).await;
    login.ok();
    let line = login.header("set-cookie").unwrap();
    let cookie = line.split(';').next().unwrap().to_owned();
    let ask = async |method: &str, path: &str| {
        let headers = [own, ("cookie", cookie.as_str()), ("x-request-id", "req-of-the-test-7")];
        crate::support::Wire::ask(at, method, path, &headers, "").await
    };

    let runs = |tasks: &Value| {
        let tasks = tasks["items"].as_array().unwrap().iter();
        let mut task = tasks.filter(|task| task["name"] == "media.sweep");
        task.next().unwrap()["runs"].as_i64().unwrap()
    };
    // The page has words for every task.
    let words = include_str!("../../../assets/admin/src/pages/system/systemWords.ts");
    let tasks = ask("GET", "/admin/api/system/tasks").await.ok();
    for task in tasks["items"].as_array().unwrap() {
        let name = task["name"].as_str().unwrap();
        assert!(words.contains(&format!("\n  '{name}': [")), "{name} has no name on the page");
    }
    // It comes round every ten minutes.
    assert_eq!(runs(&ask("GET", "/admin/api/system/tasks").await.ok()), 0);
    ask("POST", "/admin/api/system/tasks/media.sweep/run").await.ok();
    let begun = dream_bff::base::clock::Stopwatch::start();
    while runs(&ask("GET", "/admin/api/system/tasks").await.ok()) == 0 {
        assert!(begun.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let audit = ask("GET", "/admin/api/audit?action=task.run").await.ok();
    assert_eq!(audit["items"][0]["object"], "task:media.sweep");
    assert_eq!(audit["items"][0]["requestId"], "req-of-the-test-7");
    assert_eq!(audit["items"][0]["address"], "127.0.0.1");

    let log = ask("GET", "/admin/api/system/log?text=REQ-of-the-test-7&limit=5").await.ok();
    let lines = log["items"].as_array().unwrap();
    assert!((3..=5).contains(&lines.len()), "{log}");
    assert!(lines.iter().all(|line| line["text"].as_str().unwrap().contains("req-of-the-test-7")));
    let first = lines[0]["number"].as_i64().unwrap();
    let older = ask("GET", &format!("/admin/api/system/log?before={first}&limit=1")).await.ok();
    assert!(older["items"][0]["number"].as_i64().unwrap() < first);
    let errors = ask("GET", "/admin/api/system/log?level=error").await.ok();
    assert_eq!(errors["items"].as_array().unwrap().len(), 0, "{errors}");
    ask("GET", "/admin/api/system/log?limit=1001").await.blames("limit");
    assert!(!server.log().contains(password), "the password is in no line");
}

#[tokio::test]
async fn the_audit_log_is_filtered_by_time_and_exported() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let ban = |reason: &'static str| json!({ "reason": reason });
    let operator = t.admin("operator").stepped_up(&t);
    let path = format!("/admin/api/users/{}/ban", alice.id);
    operator.post(&path).json(&ban("=1+1")).await.ok();
    t.clock.advance(Duration::from_secs(60));
    let later = t.clock.now().rfc3339();
    operator.post(&path.replace("/ban", "/unban")).json(&ban("a mistake")).await.ok();

    let viewer = t.admin("viewer");
    let object = format!("object=user:{}", alice.id);
    let actions = async |filter: &str| -> Vec<Value> {
        let list = viewer.get(&format!("/admin/api/audit?{filter}")).await.ok();
        list["items"].as_array().unwrap().iter().map(|entry| entry["action"].clone()).collect()
    };
    assert_eq!(actions(&object).await, ["user.unbanned", "user.banned"]);
    assert_eq!(actions(&format!("{object}&from={later}")).await, ["user.unbanned"]);
    assert_eq!(actions(&format!("{object}&to={later}")).await, ["user.banned"]);
    viewer.get("/admin/api/audit?from=yesterday").await.blames("from");

    let csv = viewer.get(&format!("/admin/api/audit/export.csv?{object}&to={later}")).await.text();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 2, "{csv}");
    assert!(
        lines[0].ends_with("id,at,actor,action,object,before,after,requestId,address"),
        "{csv}"
    );
    assert!(lines[1].contains("user.banned") && lines[1].contains("=1+1"), "{csv}");
}
