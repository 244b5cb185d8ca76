//! Logs: into a file, in more detail while the server runs, and what was slow.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Process, TestApp, Wire, until};

/// Killed when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// All lines of the files in `folder`, as JSON.
fn lines(folder: &Path) -> Vec<Value> {
    let files = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    let texts = files.map(|path| fs::read_to_string(path).unwrap());
    let all: String = texts.collect();
    // The last line may be on its way.
    all.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn has(folder: &Path, message: &str) -> bool {
    lines(folder).iter().any(|line| line["message"] == message)
}

#[tokio::test]
async fn lines_go_into_a_file_and_a_signal_brings_more_of_them_for_a_while() {
    let (folder, sandbox) = (TempDir::new().unwrap(), Process::sandbox().await);
    let logs = folder.path().join("logs");
    let file = logs.join("server.log");
    let set = [("LOG_FILE", file.to_str().unwrap()), ("LOG_KEEP", "3")];
    let mut command = Process::command_with(folder.path(), &sandbox, &set);
    command.arg("serve").env("LISTEN", "127.0.0.1:0").env("LOG_FORMAT", "json");
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let running = Running(child);
    until("the server listens", || has(&logs, "listening")).await;
    let name = fs::read_dir(&logs).unwrap().next().unwrap().unwrap().file_name();
    assert!(name.to_str().unwrap().starts_with("server.log."), "{name:?}");
    let listening = lines(&logs).into_iter().find(|line| line["message"] == "listening").unwrap();
    let address = listening["address"].as_str().unwrap().parse().unwrap();

    let is_debug = |line: &Value| line["level"] == "DEBUG";
    Wire::ask(address, "GET", "/v1/users/me", &[], "").await;
    assert!(!lines(&logs).iter().any(is_debug));
    let pid = running.0.id().to_string();
    let signal = || assert!(Command::new("kill").args(["-USR1", &pid]).status().unwrap().success());
    signal();
    until("the filter changes", || has(&logs, "the log filter was changed")).await;
    // A refusal is told in detail only.
    Wire::ask(address, "GET", "/v1/users/me", &[], "").await;
    until("a debug line is there", || lines(&logs).iter().any(is_debug)).await;
    signal();
    until("the usual filter is back", || has(&logs, "the usual log filter is back")).await;
}

#[tokio::test]
async fn a_log_file_that_cannot_be_made_stops_the_start() {
    let (folder, sandbox) = (TempDir::new().unwrap(), Process::sandbox().await);
    fs::write(folder.path().join("file"), "").unwrap();
    let below = folder.path().join("file/below/server.log");
    let set = [("LOG_FILE", below.to_str().unwrap())];
    let mut command = Process::command_with(folder.path(), &sandbox, &set);
    command.arg("serve").env("LISTEN", "127.0.0.1:0");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("LOG_FILE cannot be written"), "{text}");
}

#[tokio::test]
async fn slow_requests_are_noted_and_none_where_it_is_off() {
    let t = TestApp::with(&[("LOG_SLOW_REQUEST_MS", "1")]).await;
    // A login waits for a call and a commit.
    t.log_in("alice").await;
    assert!(t.app().traffic.slow.get() >= 1);
    t.restart_with(&[("LOG_SLOW_REQUEST_MS", "0")]);
    t.log_in("bob").await;
    assert_eq!(t.app().traffic.slow.get(), 0);
}
