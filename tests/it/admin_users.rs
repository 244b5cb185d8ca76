//! Users as administrators find them and change what they have.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Admin, Answer, TestApp, User};

const USERS: &str = "/admin/api/users";

fn of(user: &User, rest: &str) -> String {
    format!("{USERS}/{}{rest}", user.id)
}

fn operator(t: &TestApp) -> Admin {
    t.admin("operator").stepped_up(t)
}

async fn found(admin: &Admin, query: &str) -> Vec<i64> {
    let list = admin.get(&format!("{USERS}?{query}")).await.ok();
    list["items"].as_array().unwrap().iter().map(|user| user["id"].as_i64().unwrap()).collect()
}

async fn give(admin: &Admin, user: &User, key: &str, amount: i64) -> Answer {
    let body = json!({ "amount": amount, "reason": "sorry" });
    admin.post(&of(user, "/points/adjust")).header("idempotency-key", key).json(&body).await
}

/// So many users more, named and dated, beside the server.
fn crowd(t: &TestApp, count: i64) {
    t.sql(&format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
         INSERT INTO users (openid, nick_name, vip_level, vip_expire_at, banned_at, created_at,
                            updated_at)
         SELECT 'crowd-' || i, 'name-' || (i % 10),
                CASE WHEN i % 50 = 0 THEN 'VIP' ELSE 'NORMAL' END,
                CASE WHEN i % 50 = 0 THEN 4000000000000 END,
                CASE WHEN i % 97 = 0 THEN 1 END, 1000 * (i / 3), 0
           FROM n"
    ));
}

/// The entries of the audit log about a thing, the last first: action, before, after.
fn audited(t: &TestApp, object: &str) -> Vec<(String, Value, Value)> {
    let database = t.database();
    let query = "SELECT action, before, after FROM audit_log WHERE object = ?1 ORDER BY id DESC";
    let mut statement = database.prepare(query).unwrap();
    let json = |text: String| serde_json::from_str::<Value>(&text).unwrap();
    let rows = statement
        .query_map([object], |row| Ok((row.get(0)?, json(row.get(1)?), json(row.get(2)?))));
    rows.unwrap().map(Result::unwrap).collect()
}

#[tokio::test]
async fn users_are_found_by_what_is_known_of_them() {
    let t = TestApp::start().await;
    let (alice, bob) = (t.log_in("alice").await, t.log_in("bob").await);
    for (user, name) in [(&alice, "小明"), (&bob, "小红")] {
        user.patch("/v1/users/me").json(&json!({ "nickName": name })).await.ok();
    }
    let admin = t.admin("viewer");
    assert_eq!(found(&admin, "").await, [bob.id, alice.id]);
    assert_eq!(found(&admin, &format!("search={}", alice.id)).await, [alice.id]);
    assert_eq!(found(&admin, "search=%E5%B0%8F%E6%98%8E").await, [alice.id]);
    assert_eq!(found(&admin, "search=%E5%B0%8F").await.len(), 2);
    assert_eq!(found(&admin, "search=%E5%A4%A7").await, [0; 0]);
    let openid = alice.get("/v1/users/me").await.ok()["openid"].as_str().unwrap().to_owned();
    assert_eq!(found(&admin, &format!("search={openid}")).await, [alice.id]);

    operator(&t).post(&of(&bob, "/ban")).json(&json!({ "reason": "spam" })).await.ok();
    assert_eq!(found(&admin, "state=BANNED").await, [bob.id]);
    assert_eq!(found(&admin, "state=ACTIVE").await, [alice.id]);
    t.pay(&alice, json!({ "planId": "vip_month" })).await;
    assert_eq!(found(&admin, "level=VIP").await, [alice.id]);
    assert_eq!(found(&admin, "level=VIP&state=BANNED").await, [0; 0]);
    t.clock.advance(std::time::Duration::from_secs(40 * 24 * 3600));
    let admin = t.admin("viewer");
    assert_eq!(found(&admin, "level=VIP").await, [0; 0], "a membership that has ended is none");
    assert_eq!(found(&admin, "level=NORMAL").await.len(), 2);
    assert_eq!(found(&admin, "from=2026-01-30").await, [0; 0]);
    assert_eq!(found(&admin, "to=2026-01-30").await.len(), 2);
    admin.get(&format!("{USERS}?from=soon")).await.blames("from");
    admin.get(&format!("{USERS}?cursor=x")).await.blames("cursor");
}

#[tokio::test]
async fn rows_with_numbers_are_told_names() {
    let t = TestApp::start().await;
    let (alice, bob) = (t.log_in("alice").await, t.log_in("bob").await);
    alice.patch("/v1/users/me").json(&json!({ "nickName": "小明" })).await.ok();
    let admin = t.admin("viewer");
    let asked = format!("{USERS}/names?ids={}&ids={}&ids=999999", bob.id, alice.id);
    let expected = json!([
        { "id": bob.id, "nickName": null, "avatarUrl": null },
        { "id": alice.id, "nickName": "小明", "avatarUrl": null },
    ]);
    assert_eq!(admin.get(&asked).await.ok()["items"], expected);
    assert_eq!(admin.get(&format!("{USERS}/names")).await.ok()["items"], json!([]));
    let too_many = "ids=1&".repeat(101);
    admin.get(&format!("{USERS}/names?{too_many}")).await.blames("ids");
    admin.get(&format!("{USERS}/names?ids=alice")).await.blames("ids");
}

#[tokio::test]
async fn a_list_shows_everybody_once_whatever_it_is_filtered_by() {
    let t = TestApp::start().await;
    crowd(&t, 1000);
    let admin = t.admin("viewer");
    for (filter, expected) in [
        ("", "SELECT COUNT(*) FROM users"),
        ("level=VIP&", "SELECT COUNT(*) FROM users WHERE vip_level = 'VIP'"),
        ("level=NORMAL&", "SELECT COUNT(*) FROM users WHERE vip_level = 'NORMAL'"),
        ("state=BANNED&", "SELECT COUNT(*) FROM users WHERE banned_at = 1"),
        ("search=name-7&", "SELECT COUNT(*) FROM users WHERE nick_name = 'name-7'"),
        (
            "search=name&state=BANNED&to=1970-01-01T00:02:00Z&",
            "SELECT COUNT(*) FROM users WHERE banned_at = 1 AND created_at < 120000",
        ),
        (
            "from=1970-01-01T00:01:00Z&to=1970-01-01T00:02:00Z&",
            "SELECT COUNT(*) FROM users WHERE created_at >= 60000 AND created_at < 120000",
        ),
    ] {
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let uri = format!("{USERS}?{filter}limit=17{cursor}");
            let page = admin.get(&uri).await.ok();
            let items = page["items"].as_array().unwrap();
            seen.extend(items.iter().map(|user| user["id"].as_i64().unwrap()));
            let Some(next) = page["nextCursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        let once: BTreeSet<i64> = seen.iter().copied().collect();
        assert_eq!(once.len(), seen.len(), "{filter}");
        assert_eq!(i64::try_from(seen.len()).unwrap(), t.count(expected), "{filter}");
    }
}

#[tokio::test]
async fn an_export_is_the_whole_list_and_calculates_nothing() {
    let t = TestApp::start().await;
    crowd(&t, 1300);
    let alice = t.log_in("alice").await;
    alice.patch("/v1/users/me").json(&json!({ "nickName": "=1+1" })).await.ok();
    let admin = t.admin("viewer");
    let answer = admin.get(&format!("{USERS}/export.csv")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/csv; charset=utf-8"));
    assert!(answer.header("content-disposition").unwrap().contains("users.csv"));
    let text = answer.text();
    let text = text.strip_prefix('\u{feff}').unwrap();
    let mut sheet = csv::Reader::from_reader(text.as_bytes());
    assert_eq!(sheet.headers().unwrap().get(0), Some("id"));
    let rows: Vec<csv::StringRecord> = sheet.records().map(Result::unwrap).collect();
    let ids: BTreeSet<&str> = rows.iter().map(|row| row.get(0).unwrap()).collect();
    assert_eq!((rows.len(), ids.len()), (1301, 1301));
    assert_eq!(rows[0].get(2), Some("'=1+1"));
    let banned = admin.get(&format!("{USERS}/export.csv?state=BANNED")).await.text();
    assert_eq!(banned.lines().count(), 1 + 13);
}

#[tokio::test]
async fn points_are_given_once_taken_as_far_as_there_are_and_told_in_the_log() {
    let t = TestApp::start().await;
    let (alice, admin) = (t.log_in("alice").await, operator(&t));
    assert_eq!(give(&admin, &alice, "k1", 50).await.ok()["balance"], 60);
    assert_eq!(give(&admin, &alice, "k1", 50).await.ok()["balance"], 60, "the same request again");
    give(&admin, &alice, "k1", 51).await.fails(409, "IDEMPOTENCY_KEY_REUSED");
    give(&admin, &alice, "k2", -61).await.fails(402, "INSUFFICIENT_POINTS");
    assert_eq!(give(&admin, &alice, "k3", -60).await.ok()["balance"], 0);
    for amount in [0, 1_000_001, -1_000_001, i64::MIN] {
        give(&admin, &alice, "k4", amount).await.blames("amount");
    }
    let body = json!({ "amount": 1, "reason": " " });
    let uri = of(&alice, "/points/adjust");
    admin.post(&uri).header("idempotency-key", "k5").json(&body).await.blames("reason");
    let body = json!({ "amount": 1, "reason": "x" });
    assert_eq!(admin.post(&uri).json(&body).await.status, 400, "a key is a must");
    let nobody = format!("{USERS}/987654/points/adjust");
    let nobody = admin.post(&nobody).header("idempotency-key", "k6").json(&body).await;
    nobody.fails(404, "USER_NOT_FOUND");

    let log = audited(&t, &format!("user:{}", alice.id));
    assert_eq!(log.len(), 2, "{log:?}");
    assert_eq!((log[1].0.as_str(), &log[1].1["balance"]), ("points.adjusted", &json!(10)));
    assert_eq!(log[1].2, json!({ "balance": 60, "amount": 50, "reason": "sorry" }));
    let rows = admin.get(&of(&alice, "/points?limit=2")).await.ok();
    assert_eq!(rows["items"][0]["type"], "SPEND");
    assert_eq!(rows["items"][0]["balanceAfter"], 0);
    assert_eq!(rows["hasMore"], true);
    let earned = admin.get(&of(&alice, "/points?type=EARN")).await.ok();
    assert_eq!(earned["items"].as_array().unwrap().len(), 2);
    assert_eq!(admin.get(&of(&alice, "/points/export.csv")).await.text().lines().count(), 4);
    t.assert_money_balances().await;
}

#[tokio::test]
async fn a_membership_is_given_and_taken_back_as_was_previewed() {
    let t = TestApp::start().await;
    let (alice, admin) = (t.log_in("alice").await, operator(&t));
    let uri = of(&alice, "/membership");
    let ask = async |uri: &str, key: &str, body: Value| {
        admin.post(uri).header("idempotency-key", key).json(&body).await
    };
    let gift = |dry_run| json!({ "level": "VIP", "days": 30, "reason": "x", "dryRun": dry_run });
    let preview = ask(&uri, "k1", gift(true)).await.ok();
    assert_eq!(preview["before"]["level"], "NORMAL");
    assert_eq!(admin.get(&of(&alice, "")).await.ok()["grants"], json!([]));
    let given = ask(&uri, "k1", gift(false)).await.ok();
    assert_eq!(given["after"], preview["after"]);
    assert_eq!(alice.get("/v1/users/me").await.ok()["vipLevel"], "VIP");
    let again = ask(&uri, "k1", gift(false)).await.ok();
    assert_eq!(again["after"], given["after"], "the same request again");

    let detail = admin.get(&of(&alice, "")).await.ok();
    let grants = detail["grants"].as_array().unwrap();
    assert_eq!((grants.len(), &grants[0]["days"]), (1, &json!(30.0)));
    let revoke = of(&alice, &format!("/membership/grants/{}/revoke", grants[0]["id"]));
    let back =
        |days: Value, dry_run: bool| json!({ "days": days, "reason": "x", "dryRun": dry_run });
    let preview = admin.post(&revoke).json(&back(json!(10), true)).await.ok();
    let taken = admin.post(&revoke).json(&back(json!(10), false)).await.ok();
    assert_eq!(taken["after"], preview["after"]);
    assert_ne!(taken["after"]["expiresAt"], given["after"]["expiresAt"]);
    admin.post(&revoke).json(&back(Value::Null, false)).await.ok();
    assert_eq!(alice.get("/v1/users/me").await.ok()["vipLevel"], "NORMAL");
    let bob = t.log_in("bob").await;
    let others = of(&bob, &format!("/membership/grants/{}/revoke", grants[0]["id"]));
    admin.post(&others).json(&back(Value::Null, false)).await.fails(404, "NOT_FOUND");
    let normal = json!({ "level": "NORMAL", "days": 3, "reason": "x" });
    ask(&uri, "k2", normal).await.blames("level");
    let actions: Vec<String> =
        audited(&t, &format!("user:{}", alice.id)).into_iter().map(|(action, ..)| action).collect();
    assert_eq!(actions, ["membership.revoked", "membership.revoked", "membership.granted"]);
    t.assert_money_balances().await;
}

#[tokio::test]
async fn a_user_is_banned_let_in_logged_out_exported_and_deleted() {
    let t = TestApp::start().await;
    let (alice, admin) = (t.log_in("alice").await, operator(&t));
    let why = json!({ "reason": "测试" });
    let banned = admin.post(&of(&alice, "/ban")).json(&why).await.ok();
    assert_eq!(banned["user"]["state"], "BANNED");
    alice.check().await.fails(403, "USER_BANNED");
    let free = admin.post(&of(&alice, "/unban")).json(&why).await.ok();
    assert_eq!(free["user"]["state"], "ACTIVE");
    let alice = t.log_in("alice").await;
    let sessions = admin.get(&of(&alice, "/sessions")).await.ok();
    assert_eq!(sessions["items"].as_array().unwrap().len(), 2);
    assert_eq!(sessions["items"][0]["endedAt"], Value::Null);
    admin.post(&of(&alice, "/logout")).json(&why).await.ok();
    alice.check().await.fails(401, "TOKEN_REVOKED");
    let export = admin.get(&of(&alice, "/export")).await;
    assert_eq!(export.ok()["user"][0]["id"], alice.id);
    let gone = admin.post(&of(&alice, "/delete")).json(&why).await.ok();
    assert_eq!(
        (&gone["user"]["state"], &gone["user"]["openid"]),
        (&json!("DELETED"), &Value::Null)
    );
    admin.post(&of(&alice, "/ban")).json(&why).await.fails(404, "USER_NOT_FOUND");
    admin.post(&of(&alice, "/logout")).json(&why).await.fails(404, "USER_NOT_FOUND");
    let log = audited(&t, &format!("user:{}", alice.id));
    let actions: Vec<&str> = log.iter().map(|(action, ..)| action.as_str()).collect();
    let expected =
        ["user.deleted", "user.exported", "user.logged_out", "user.unbanned", "user.banned"];
    assert_eq!(actions, expected);
    for (action, _, after) in &log {
        assert!(action == "user.exported" || after["reason"] == "测试", "{action}: {after}");
    }
}

/// The list of a million users is as quick as that of a thousand: it reads an index alone, and few rows.
#[tokio::test]
async fn a_filter_that_fits_nobody_reads_no_rows() {
    let t = TestApp::start().await;
    crowd(&t, 3000);
    let plan = |sql: &str| -> Vec<String> {
        let database = t.database();
        let mut statement = database.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let mut rows = statement.raw_query();
        let mut lines = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            lines.push(row.get(3).unwrap());
        }
        lines
    };
    let browse = include_str!("../../src/features/users/store/browse.rs");
    let statements: Vec<&str> =
        browse.split('"').filter(|text| text.starts_with("SELECT id FROM users\n")).collect();
    assert_eq!(statements.len(), 5);
    for sql in statements {
        let plan = plan(sql);
        assert!(plan.iter().all(|line| line.contains("COVERING INDEX")), "{sql}\n{plan:?}");
    }
}

/// Parts of a list in which nothing is found lead on to the next, each user once.
#[tokio::test]
async fn users_far_back_are_found_part_by_part() {
    let t = TestApp::start().await;
    crowd(&t, 120_000);
    // The last by name and by time at once; and some whose level has run out.
    t.sql("UPDATE users SET vip_level = 'NORMAL', vip_expire_at = NULL, banned_at = NULL");
    t.sql("UPDATE users SET vip_level = 'SVIP', vip_expire_at = 4000000000000 WHERE openid = 'crowd-9'");
    t.sql(
        "UPDATE users SET vip_level = 'SVIP', vip_expire_at = 1 WHERE openid >= 'crowd-1'
            AND openid < 'crowd-6'",
    );
    let wanted: i64 = {
        let database = t.database();
        let query = "SELECT id FROM users WHERE openid = 'crowd-9'";
        database.query_row(query, [], |row| row.get(0)).unwrap()
    };
    let admin = t.admin("viewer");
    for filter in ["level=SVIP", "level=SVIP&state=ACTIVE", "search=name-&level=SVIP"] {
        let (mut found, mut parts, mut cursor) = (Vec::new(), 0, String::new());
        loop {
            let list = admin.get(&format!("{USERS}?{filter}{cursor}")).await.ok();
            found.extend(list["items"].as_array().unwrap().iter().map(|user| user["id"].clone()));
            parts += 1;
            let Some(next) = list["nextCursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(found, [json!(wanted)], "{filter}");
        assert!(parts > 1 && parts < 5, "{filter} in {parts} parts");
    }
}
