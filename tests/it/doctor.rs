//! Doctor: every check says that all is well when it is, and what is wrong when it is not.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use dream_bff::base::bilingual::Language;
use dream_bff::features::doctor::{Extent, Finding, Level, Report, service::examine};
use dream_bff::sandbox::{Fault, PayCall, Sandbox};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Process, TestApp, address_that_refuses, speaks_both};

/// What doctor says of the server in this process, all of it in both languages.
async fn examined(t: &TestApp) -> Report {
    let report = examine(&t.app(), Extent::Quick).await;
    for finding in &report.findings {
        std::iter::once(&finding.message).chain(&finding.hint).for_each(speaks_both);
    }
    report
}

/// Everything that is told, to look for what must not be.
fn all_of(report: &Report) -> String {
    format!("{report:?}")
}

#[track_caller]
fn of<'a>(report: &'a Report, check: &str) -> &'a Finding {
    let found = report.findings.iter().find(|finding| finding.check == check);
    found.unwrap_or_else(|| panic!("nobody looked at {check}"))
}

#[track_caller]
fn passes(report: &Report, check: &str) {
    let finding = of(report, check);
    assert_eq!(finding.level, Level::Pass, "{finding:?}");
}

/// It is so bad, and says this, and how to mend it.
#[track_caller]
fn is(report: &Report, check: &str, level: Level, says: &str) {
    let finding = of(report, check);
    assert_eq!(finding.level, level, "{finding:?}");
    let told = finding.told(Language::En);
    assert!(told.message.contains(says), "{finding:?}");
    assert!(told.hint.is_some_and(|hint| hint.len() > 10), "{finding:?}");
}

/// The command beside a server that runs in `folder`, or does not.
async fn command(folder: &Path, sandbox: &Sandbox, more: &[&str], set: &[(&str, &str)]) -> Output {
    let mut doctor = Process::command_with(folder, sandbox, set);
    doctor.arg("doctor").args(more);
    tokio::task::spawn_blocking(move || doctor.output().unwrap()).await.unwrap()
}

/// The harness writes the merchant's key as open as the umask leaves it.
fn keep_the_key_private(folder: &Path, sandbox: &Sandbox) {
    Process::command_with(folder, sandbox, &[]);
    let key = folder.join("apiclient_key.pem");
    fs::set_permissions(key, fs::Permissions::from_mode(0o600)).unwrap();
}

fn findings(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|err| {
        panic!("{err}: {text} {}", String::from_utf8_lossy(&output.stderr));
    })
}

#[track_caller]
fn level(findings: &Value, check: &str) -> String {
    let all = findings["findings"].as_array().unwrap();
    let one = all.iter().find(|finding| finding["check"] == check);
    let one = one.unwrap_or_else(|| panic!("nobody looked at {check}"));
    one["level"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn beside_a_running_server_all_is_well_but_for_https() {
    let (folder, sandbox) = (TempDir::new().unwrap(), Process::sandbox().await);
    let free = [("MIN_FREE_DISK_MIB", "0")];
    let server = Process::serve(folder.path(), &sandbox, &free).await;
    let public = format!("http://{}", server.address);
    let listen = server.address.to_string();
    let set = [("LISTEN", listen.as_str()), ("PUBLIC_URL", &public), ("MIN_FREE_DISK_MIB", "0")];
    keep_the_key_private(folder.path(), &sandbox);
    let before = listing(&folder.path().join("data"));
    let output = command(folder.path(), &sandbox, &["--json"], &set).await;
    let told = findings(&output);
    for check in [
        "settings",
        "secrets",
        "database",
        "wal",
        "points_books",
        "money_books",
        "payments",
        "statistics",
        "server",
        "clock",
        "wechat_account",
        "wechat_pay",
        "public_url",
        "callback_url",
        "image_apis",
        "object_storage",
    ] {
        assert_eq!(level(&told, check), "pass", "{check}: {told:#}");
    }
    assert_eq!(level(&told, "wechat_domains"), "warn", "no https: {told:#}");
    assert_eq!(level(&told, "certificate"), "warn", "no https: {told:#}");
    assert_eq!(told["level"], "warn", "{told:#}");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(listing(&folder.path().join("data")), before, "nothing was made or removed");

    let text = command(folder.path(), &sandbox, &[], &set).await;
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("pass  database"), "{text}");
    assert!(text.lines().last().unwrap().contains(" 0 fail"), "{text}");
}

/// The message and the hint about one check.
#[track_caller]
fn words(findings: &Value, check: &str) -> String {
    let all = findings["findings"].as_array().unwrap().iter();
    let one = all.into_iter().find(|finding| finding["check"] == check).unwrap();
    format!("{} -> {}", one["message"].as_str().unwrap(), one["hint"].as_str().unwrap())
}

#[tokio::test]
async fn the_command_speaks_as_its_terminal_does_or_as_it_is_told() {
    let (folder, sandbox) = (TempDir::new().unwrap(), Process::sandbox().await);
    let (_socket, nobody) = address_that_refuses();
    let listen = nobody.strip_prefix("http://").unwrap();
    let set = |more: &[(&'static str, &'static str)]| {
        let mut set = vec![("LISTEN", listen), ("PUBLIC_URL", nobody.as_str())];
        set.extend(more);
        set
    };
    let chinese = ("LANG", "zh_CN.UTF-8");
    let of_terminal = set(&[chinese]);
    let overruled = set(&[chinese, ("LC_ALL", "C.UTF-8")]);
    let plain = set(&[]);
    for (more, set, wanted) in [
        (&["--json"] as &[&str], &plain, "start it: systemctl"),
        (&["--json"], &of_terminal, "启动它：systemctl"),
        (&["--json"], &overruled, "start it: systemctl"),
        (&["--json", "--lang", "zh"], &plain, "启动它：systemctl"),
        (&["--json", "--lang", "en"], &of_terminal, "start it: systemctl"),
    ] {
        let told = findings(&command(folder.path(), &sandbox, more, set).await);
        assert!(words(&told, "server").contains(wanted), "{more:?} {told:#}");
        assert_eq!(level(&told, "server"), "warn", "keys are in no language: {told:#}");
    }
    let lines = command(folder.path(), &sandbox, &["--lang", "zh"], &plain).await;
    let lines = String::from_utf8(lines.stdout).unwrap();
    assert!(lines.contains("失败  database ") && lines.contains("没有数据库"), "{lines}");
    assert!(lines.lines().last().unwrap().contains(" 项正常，"), "{lines}");
    let refused = command(folder.path(), &sandbox, &["--lang", "fr"], &plain).await;
    assert_eq!(refused.status.code(), Some(2));
}

/// All files below `folder`.
fn listing(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            names.extend(listing(&path));
        }
        names.push(path.display().to_string());
    }
    names.sort();
    names
}

#[tokio::test]
async fn without_a_server_and_a_database_it_says_so_and_makes_none() {
    let (folder, sandbox) = (TempDir::new().unwrap(), Process::sandbox().await);
    let (_socket, nobody) = address_that_refuses();
    let listen = nobody.strip_prefix("http://").unwrap();
    let set = [("LISTEN", listen), ("PUBLIC_URL", nobody.as_str())];
    let output = command(folder.path(), &sandbox, &["--json"], &set).await;
    let told = findings(&output);
    assert_eq!(output.status.code(), Some(2));
    for (check, wanted) in [
        ("database", "fail"),
        ("points_books", "warn"),
        ("server", "warn"),
        ("public_url", "fail"),
        ("callback_url", "fail"),
        ("wechat_account", "pass"),
        ("wechat_pay", "pass"),
    ] {
        assert_eq!(level(&told, check), wanted, "{check}: {told:#}");
    }
    assert!(!folder.path().join("data").exists(), "doctor changes nothing");
}

#[tokio::test]
async fn bad_settings_are_a_finding_and_no_reason_to_stop() {
    let (folder, sandbox) = (TempDir::new().unwrap(), Process::sandbox().await);
    let set = [("WECHAT_SECRET", ""), ("JWT_SECRET", "abcabcabcabcabcabcabcabcabcabcabcabcabc")];
    let output = command(folder.path(), &sandbox, &["--json"], &set).await;
    let told = findings(&output);
    assert_eq!(level(&told, "settings"), "fail", "{told:#}");
    assert_eq!(level(&told, "secrets"), "fail", "{told:#}");
    assert!(!told.to_string().contains("abcabc"), "a secret is told: {told:#}");
}

#[tokio::test]
async fn what_others_can_read_is_told() {
    let (folder, sandbox) = (TempDir::new().unwrap(), Process::sandbox().await);
    let file = folder.path().join(".env");
    fs::write(&file, "LOG_FORMAT=json\n").unwrap();
    keep_the_key_private(folder.path(), &sandbox);
    for (mode, wanted) in [(0o644, "fail"), (0o600, "pass")] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let output = command(folder.path(), &sandbox, &["--json"], &[]).await;
        let told = findings(&output);
        assert_eq!(level(&told, "file_modes"), wanted, "{told:#}");
    }
}

#[tokio::test]
async fn wechat_that_refuses_or_is_away_is_told_apart() {
    let t = TestApp::start().await;
    passes(&examined(&t).await, "wechat_account");
    // The clock of the tests stands in another month than the simulators' machine.
    is(&examined(&t).await, "clock", Level::Fail, "off");

    t.sandbox.wechat().token_faults().always(Fault::Error { code: 40125 });
    is(&examined(&t).await, "wechat_account", Level::Fail, "40125");
    t.sandbox.wechat().token_faults().clear();
    t.sandbox.wechat().token_faults().always(Fault::Error { code: 40164 });
    let report = examined(&t).await;
    is(&report, "wechat_account", Level::Fail, "40164");
    assert!(of(&report, "wechat_account").told(Language::En).hint.unwrap().contains("white list"));
    t.sandbox.wechat().token_faults().clear();
    t.sandbox.wechat().token_faults().always(Fault::Error { code: -1 });
    is(&examined(&t).await, "wechat_account", Level::Warn, "busy");
}

#[tokio::test]
async fn wechat_pay_is_asked_about_an_order_that_nobody_has() {
    let t = TestApp::start().await;
    passes(&examined(&t).await, "wechat_pay");
    t.sandbox.wechat_pay().faults_of(PayCall::Query).always(Fault::BadSignature);
    is(&examined(&t).await, "wechat_pay", Level::Fail, "signature");
    t.sandbox.wechat_pay().faults_of(PayCall::Query).clear();
    t.restart_with(&[("WECHAT_PAY_SERIAL_NO", "0123456789ABCDEF0123456789ABCDEF01234567")]);
    is(&examined(&t).await, "wechat_pay", Level::Fail, "SIGN_ERROR");
    let (_socket, nobody) = address_that_refuses();
    t.restart_with(&[("WECHAT_PAY_BASE", &nobody)]);
    is(&examined(&t).await, "wechat_pay", Level::Warn, "not known");
    let empty = [
        "WECHAT_PAY_MCHID",
        "WECHAT_PAY_SERIAL_NO",
        "WECHAT_PAY_PRIVATE_KEY_PATH",
        "WECHAT_PAY_APIV3_KEY",
        "WECHAT_PAY_PUBLIC_KEY_ID",
        "WECHAT_PAY_PUBLIC_KEY_PATH",
    ];
    t.restart_with(&empty.map(|name| (name, "")));
    let report = examined(&t).await;
    assert!(of(&report, "wechat_pay").message.en.contains("not configured"));
    passes(&report, "callback_url");
}

#[tokio::test]
async fn an_image_api_that_does_not_know_us_is_told() {
    let t = TestApp::start().await;
    passes(&examined(&t).await, "image_apis");
    t.restart_with(&[("IMAGE_API_KEY", "another-key")]);
    let report = examined(&t).await;
    is(&report, "image_apis", Level::Fail, "default");
    assert!(of(&report, "image_apis").told(Language::En).hint.unwrap().contains("IMAGE_API_KEY"));
    assert!(!all_of(&report).contains("another-key"));
    let (_socket, nobody) = address_that_refuses();
    t.restart_with(&[("IMAGE_API_BASE", &nobody)]);
    is(&examined(&t).await, "image_apis", Level::Fail, "default");
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_told() {
    let (_socket, nobody) = address_that_refuses();
    let t = TestApp::with(&[
        ("STORAGE", "s3"),
        ("S3_ENDPOINT", &nobody),
        ("S3_REGION", "here"),
        ("S3_BUCKET", "pictures"),
        ("S3_ACCESS_KEY_ID", "id"),
        ("S3_SECRET_ACCESS_KEY", "a-secret-of-the-bucket"),
        ("S3_PATH_STYLE", "true"),
    ])
    .await;
    let report = examined(&t).await;
    is(&report, "object_storage", Level::Fail, "cannot be reached");
    assert!(!all_of(&report).contains("a-secret-of-the-bucket"));
}

#[tokio::test]
async fn books_and_counters_that_do_not_agree_are_told() {
    let t = TestApp::start().await;
    t.log_in("alice").await;
    let report = examined(&t).await;
    for check in ["points_books", "money_books", "statistics", "payments", "database", "wal"] {
        passes(&report, check);
    }
    t.sql("UPDATE users SET points_balance = points_balance + 1");
    is(&examined(&t).await, "points_books", Level::Fail, "1 users");
    t.sql("UPDATE users SET points_balance = points_balance - 1");
    t.sql("UPDATE stats_totals SET users = users + 5");
    is(&examined(&t).await, "statistics", Level::Warn, "1 counters");
}

#[tokio::test]
async fn a_payment_that_is_not_credited_is_told() {
    let t = TestApp::start().await;
    passes(&examined(&t).await, "payments");
    t.sql(
        "INSERT INTO differences (channel, day, kind, reference, order_id, theirs, found_at)
         VALUES ('wechat', '2026-01-28', 'refund_state', 'a', 'o1', 100, 1)",
    );
    t.clock.advance(Duration::from_secs(10));
    is(&examined(&t).await, "payments", Level::Warn, "1 payments or refunds wait");
    t.sql(
        "INSERT INTO differences (channel, day, kind, reference, order_id, theirs, found_at)
         VALUES ('wechat', '2026-01-28', 'not_credited', 'b', 'o2', 100, 1)",
    );
    t.clock.advance(Duration::from_secs(10));
    is(&examined(&t).await, "payments", Level::Fail, "1 payments of WeChat's bills");
}

#[tokio::test]
async fn a_disk_that_is_almost_full_is_told() {
    let t = TestApp::with(&[("MIN_FREE_DISK_MIB", "1000000")]).await;
    is(&examined(&t).await, "disk", Level::Fail, "MiB free");
}

#[tokio::test]
async fn an_address_that_leads_elsewhere_is_told() {
    let t = TestApp::start().await;
    let elsewhere = t.sandbox.image_api().base();
    t.restart_with(&[("PUBLIC_URL", &elsewhere)]);
    let report = examined(&t).await;
    is(&report, "public_url", Level::Fail, "something else");
    is(&report, "callback_url", Level::Fail, "not in our words");
    assert_eq!(report.level, Level::Fail);
    let told = serde_json::to_value(report.told(Language::En)).unwrap();
    assert_eq!(told["level"], json!("fail"));
}
