//! `/metrics`: who may read it, that what happens is counted, and that the documents name what there is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dream_bff::app::tls::TlsSource;
use dream_bff::features::backups::Cause;
use dream_bff::features::backups::service::{self, Wish};
use serde_json::{Value, json};

use crate::support::{TestApp, User, Wire, until};

const TABLE: &str = include_str!("../../docs/metrics.md");
const DASHBOARD: &str = include_str!("../../docs/grafana/dream-bff.json");

const TOKEN: &str = "a-token-for-metrics-0123";

/// What a program of this machine reads.
async fn read(t: &TestApp) -> String {
    let listening = t.listen();
    let answer = Wire::ask(listening.address, "GET", "/metrics", &[], "").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    answer.text()
}

/// The value of a line, such as `dream_jobs_ended_total{result="failed"}`.
#[track_caller]
fn value(text: &str, line: &str) -> f64 {
    let found = text.lines().find_map(|l| l.strip_prefix(line)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("no {line} in {text}")).parse().unwrap()
}

/// Family and kind, as the answer describes them.
fn described(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    lines
        .map(|line| line.split_once(' ').unwrap())
        .map(|(n, k)| (n.to_owned(), k.to_owned()))
        .collect()
}

/// Family and kind, as the table has them.
fn documented() -> BTreeMap<String, String> {
    let rows = TABLE.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let (name, rest) = row.split_once("` | ").unwrap();
        let kind = rest.split_once(' ').unwrap().0;
        let family = if kind == "counter" { name.strip_suffix("_total").unwrap() } else { name };
        (family.to_owned(), kind.to_owned())
    })
    .collect()
}

async fn pay_for_a_plan(t: &TestApp, user: &User) {
    let body = json!({ "planId": "vip_month", "paymentMethod": "wechat" });
    let placed = user.post("/v1/orders").json(&body).await.ok();
    t.sandbox.wechat_pay().pay(&placed["wxPayParams"]).unwrap();
    t.deliver_notifications().await;
}

#[tokio::test]
async fn every_metric_is_in_the_table_and_the_other_way_round() {
    let t = TestApp::start().await;
    assert_eq!(described(&read(&t).await), documented());
}

#[tokio::test]
async fn the_labels_of_the_table_are_those_that_there_are() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    pay_for_a_plan(&t, &alice).await;
    let text = read(&t).await;
    for row in TABLE.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let (name, labels) = (cells[1].trim_matches('`'), cells[3]);
        let Some(line) = text.lines().find(|line| {
            line.strip_prefix(name).is_some_and(|rest| {
                rest.starts_with('{') || rest.starts_with(' ') || rest.starts_with("_count")
            })
        }) else {
            continue;
        };
        let inside = line.split_once('{').map_or("", |(_, rest)| rest.split_once('}').unwrap().0);
        let names: Vec<&str> =
            inside.split("\",").filter_map(|label| Some(label.split_once('=')?.0)).collect();
        assert_eq!(names.join(", "), labels, "{line}");
    }
}

#[tokio::test]
async fn strangers_need_the_token() {
    let t = TestApp::start().await;
    // Nobody knows where this comes from.
    t.get("/metrics").await.fails(404, "NOT_FOUND");
    t.get("/metrics").token("").await.fails(404, "NOT_FOUND");
    let listening = t.listen();
    for header in ["x-forwarded-for", "forwarded", "x-real-ip", "via"] {
        let answer =
            Wire::ask(listening.address, "GET", "/metrics", &[(header, "1.2.3.4")], "").await;
        assert_eq!(answer.status, 404, "a proxy says {header}");
    }

    t.restart_with(&[("METRICS_TOKEN", TOKEN)]);
    t.get("/metrics").await.fails(401, "UNAUTHORIZED");
    for wrong in ["", "a-token-for-metrics-0124", "a-token-for-metrics-01234"] {
        t.get("/metrics").token(wrong).await.fails(401, "UNAUTHORIZED");
    }
    assert_eq!(t.get("/metrics").header("authorization", TOKEN).await.status, 401);
    assert_eq!(t.get("/metrics").token(TOKEN).await.status, 200);
    assert!(!t.get("/metrics").token(TOKEN).await.text().contains(TOKEN));
}

#[tokio::test]
async fn requests_are_counted_by_route_and_never_by_path() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    for _ in 0..3 {
        alice.get("/v1/users/me").await.ok();
    }
    alice.get("/v1/jobs/00000000000000000000000000000000").await.fails(404, "JOB_NOT_FOUND");
    alice.get("/v1/secret-path-of-somebody").await.fails(404, "NOT_FOUND");
    t.get("/v1/users/me").await.fails(401, "UNAUTHORIZED");
    let text = read(&t).await;
    let me = r#"route="/v1/users/me",method="GET""#;
    assert_eq!(value(&text, &format!(r#"dream_http_requests_total{{{me},class="2xx"}}"#)), 3.0);
    assert_eq!(value(&text, &format!(r#"dream_http_requests_total{{{me},class="4xx"}}"#)), 1.0);
    assert_eq!(value(&text, &format!("dream_http_request_seconds_count{{{me}}}")), 4.0);
    let last = format!(r#"dream_http_request_seconds_bucket{{le="+Inf",{me}}}"#);
    assert_eq!(value(&text, &last), 4.0);
    let job = r#"dream_http_requests_total{route="/v1/jobs/{jobId}",method="GET",class="4xx"}"#;
    assert_eq!(value(&text, job), 1.0);
    let other = r#"dream_http_requests_total{route="other",method="GET",class="4xx"}"#;
    assert_eq!(value(&text, other), 1.0);
    assert_eq!(value(&text, r#"dream_http_responses_total{status="404"}"#), 2.0);
    assert_eq!(value(&text, "dream_http_requests_in_flight"), 1.0, "this one");
    assert_eq!(value(&text, "dream_http_connections"), 1.0, "this one");
    for secret in ["secret-path-of-somebody", "0000000000000000", "alice", &alice.token] {
        assert!(!text.contains(secret), "{secret}");
    }
    // Once from the database, twice from memory.
    assert_eq!(value(&text, r#"dream_cache_requests_total{cache="profiles",result="hit"}"#), 2.0);
    assert!(value(&text, "dream_db_reads_total") >= 1.0);
    assert!(value(&text, "dream_db_commit_seconds_count") >= 1.0);
    assert!(value(&text, "dream_db_bytes") > 0.0);
    assert!(value(&text, "process_resident_memory_bytes") > 1_000_000.0);
}

#[tokio::test]
async fn jobs_and_payments_are_counted_by_how_they_ended() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let draft = json!({ "prompt": "a fox", "mode": "draft", "aspectRatio": "1:1" });
    assert_eq!(alice.post("/v1/images/generate").json(&draft).await.status, 202);
    until("the job has ended", || t.app().events.jobs.get("succeeded") == 1).await;
    pay_for_a_plan(&t, &alice).await;
    let placed = json!({ "planId": "vip_year", "paymentMethod": "wechat" });
    let placed = alice.post("/v1/orders").json(&placed).await.ok();
    let order = placed["orderId"].as_str().unwrap();
    alice.post(&format!("/v1/orders/{order}/cancel")).await;

    let forged = t.post("/v1/payments/wechat/notify").json(&json!({ "id": "made up" })).await;
    assert!(forged.status >= 400);
    let text = read(&t).await;
    assert_eq!(value(&text, r#"dream_jobs_ended_total{result="succeeded"}"#), 1.0);
    assert_eq!(value(&text, r#"dream_upstream_job_seconds_count{upstream="default"}"#), 1.0);
    assert_eq!(value(&text, r#"dream_upstream_breaker{upstream="default"}"#), 0.0);
    assert_eq!(value(&text, r#"dream_orders_ended_total{result="paid"}"#), 1.0);
    assert_eq!(value(&text, r#"dream_orders_ended_total{result="cancelled"}"#), 1.0);
    assert_eq!(value(&text, r#"dream_notifications_total{result="taken"}"#), 1.0);
    assert_eq!(value(&text, r#"dream_notifications_total{result="refused"}"#), 1.0);
    assert_eq!(value(&text, r#"dream_today{what="revenue_fen"}"#), 1999.0);
    assert!(value(&text, r#"dream_client_calls_total{client="wechat",result="2xx"}"#) >= 1.0);
    assert!(value(&text, r#"dream_client_calls_total{client="wechat-pay",result="2xx"}"#) >= 1.0);
    assert!(
        value(&text, r#"dream_client_calls_total{client="upstream/default",result="2xx"}"#) >= 1.0
    );
}

#[tokio::test]
async fn what_wechat_complains_about_is_counted_by_kind() {
    let t = TestApp::start().await;
    t.log_in_with_code("no such code").await.fails(401, "WECHAT_CODE_INVALID");
    let text = read(&t).await;
    let kind = r#"dream_wechat_errors_total{client="wechat",kind="code_invalid"}"#;
    assert_eq!(value(&text, kind), 1.0);
}

#[tokio::test]
async fn backups_drills_and_the_certificate_are_told() {
    let t = TestApp::with(&[("BACKUP_HOURS", "24")]).await;
    let text = read(&t).await;
    assert_eq!(value(&text, r#"dream_backup_late{kind="backup"}"#), 1.0);
    // There is no backup, and nobody serves TLS.
    for none in
        ["dream_backup_good_timestamp_seconds", "dream_tls_certificate_end_timestamp_seconds"]
    {
        assert!(!text.lines().any(|line| line.starts_with(none)), "{none}");
    }
    let made = service::run_now(&t.app(), Cause::Admin, Wish::default()).await.unwrap();
    t.clock.advance(Duration::from_secs(60));
    service::drill_now(&t.app(), Cause::Admin).await.unwrap();
    let end = t.clock.now().plus_millis(5_000);
    t.app().tls.update(|tls| (tls.source, tls.not_after) = (TlsSource::Files, Some(end)));
    let text = read(&t).await;
    let bytes = |what| value(&text, &format!(r#"dream_backup_good_bytes{{what="{what}"}}"#));
    #[expect(clippy::cast_precision_loss, reason = "a database of a test is small")]
    let number = |bytes: u64| bytes as f64;
    assert_eq!(bytes("database"), number(made.manifest.plain.bytes));
    assert_eq!(bytes("file"), number(made.manifest.bytes()));
    let good = value(&text, "dream_backup_good_timestamp_seconds");
    assert_eq!(good, 1_769_688_000.0);
    assert_eq!(value(&text, "dream_backups_kept"), 1.0);
    for kind in ["backup", "drill"] {
        assert_eq!(value(&text, &format!(r#"dream_backup_run_ok{{kind="{kind}"}}"#)), 1.0);
        assert_eq!(value(&text, &format!(r#"dream_backup_late{{kind="{kind}"}}"#)), 0.0);
        let at = value(&text, &format!(r#"dream_backup_run_timestamp_seconds{{kind="{kind}"}}"#));
        assert_eq!(at - good, if kind == "drill" { 60.0 } else { 0.0 });
    }
    let holds = value(&text, "dream_tls_certificate_end_timestamp_seconds") - good;
    assert_eq!(holds, 65.0);
    assert_eq!(value(&text, "dream_tls_renewal_failed"), 0.0);
}

/// Names in a query: what looks like a metric of ours or of the process.
fn names(query: &str) -> BTreeSet<String> {
    let words = query.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words
        .filter(|word| word.starts_with("dream_") || word.starts_with("process_"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_dashboard_asks_for_metrics_that_there_are() {
    let documented = documented();
    let exported: BTreeSet<String> = documented
        .iter()
        .flat_map(|(family, kind)| match kind.as_str() {
            "counter" => vec![format!("{family}_total")],
            "histogram" => {
                ["_bucket", "_sum", "_count"].map(|end| format!("{family}{end}")).to_vec()
            }
            _ => vec![family.clone()],
        })
        .collect();
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut asked = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            asked.extend(names(target["expr"].as_str().unwrap()));
        }
    }
    let unknown: Vec<_> = asked.difference(&exported).collect();
    assert!(unknown.is_empty(), "the dashboard asks for {unknown:?}");
    assert!(asked.len() > 40, "{}", asked.len());
}
