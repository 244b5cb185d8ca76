//! Reviews, words, templates, categories and the announcement, as administrators for content keep them.

use dream_bff::features::settings::{Section, service::change};
use serde_json::{Value, json};

use crate::gallery::{finished_job, publish, start};
use crate::support::{Admin, Answer, TestApp};

const API: &str = "/admin/api";

async fn put(admin: &Admin, path: &str, body: &Value) -> Answer {
    admin.call(poem::http::Method::PUT, &format!("{API}{path}")).json(body).await
}

async fn post(admin: &Admin, path: &str, body: &Value) -> Answer {
    admin.post(&format!("{API}{path}")).json(body).await
}

async fn get(admin: &Admin, path: &str) -> Value {
    admin.get(&format!("{API}{path}")).await.ok()
}

fn ids(list: &Value, name: &str) -> Vec<String> {
    let id = |item: &Value| item[name].as_str().unwrap().to_owned();
    list["items"].as_array().unwrap().iter().map(id).collect()
}

#[tokio::test]
async fn pictures_are_decided_in_bulk_each_by_itself() {
    let t = start().await;
    let held = json!({ "holdForReview": true });
    change(&t.app(), Section::Gallery, held, "test").await.unwrap();
    let (alice, admin) = (t.log_in("alice").await, t.admin("content"));
    let job = finished_job(&alice, "a fox", 3).await;
    let mut images = Vec::new();
    for index in 0..3 {
        images.push(publish(&alice, &job, index, &[]).await["imageId"].as_i64().unwrap());
    }
    let list = get(&admin, "/review?pile=pending&limit=2").await;
    assert_eq!((list["items"].as_array().unwrap().len(), &list["hasMore"]), (2, &json!(true)));
    let next = list["nextCursor"].as_str().unwrap();
    let rest = get(&admin, &format!("/review?pile=pending&limit=2&cursor={next}")).await;
    assert_eq!(rest["items"][0]["id"], images[2]);
    assert_eq!(
        (&rest["items"][0]["prompt"], &rest["items"][0]["authorId"]),
        (&json!("a fox"), &json!(alice.id))
    );

    let body = json!({ "ids": images[..2], "decision": "approve" });
    let done = post(&admin, "/review/decide", &body).await.ok();
    assert_eq!(done["items"][1], json!({ "id": images[1], "status": "APPROVED", "error": null }));
    let body =
        json!({ "ids": [images[0], images[2], 99_999], "decision": "reject", "reason": "侵权" });
    let done = post(&admin, "/review/decide", &body).await.ok();
    let statuses: Vec<&Value> =
        done["items"].as_array().unwrap().iter().map(|item| &item["status"]).collect();
    assert_eq!(statuses, [&json!("REJECTED"), &json!("REJECTED"), &Value::Null]);
    assert_eq!(done["items"][2]["error"], "IMAGE_NOT_FOUND");
    let body = json!({ "ids": [images[2]], "decision": "hide", "reason": "x" });
    let done = post(&admin, "/review/decide", &body).await.ok();
    assert_eq!(done["items"][0]["error"], "INVALID_STATE");
    let body = json!({ "ids": [images[1]], "decision": "hide" });
    post(&admin, "/review/decide", &body).await.blames("reason");
    let image = get(&admin, &format!("/review/images/{}", images[2])).await;
    assert_eq!((&image["status"], &image["statusReason"]), (&json!("REJECTED"), &json!("侵权")));
    let own = get(&admin, &format!("/review/users/{}", alice.id)).await;
    assert_eq!(own["items"].as_array().unwrap().len(), 3);
    let logged = "SELECT COUNT(*) FROM audit_log WHERE action = 'gallery.decided'";
    assert_eq!(t.count(logged), 4);
    let csv = admin.get(&format!("{API}/review/export.csv?pile=rejected")).await.text();
    assert_eq!(csv.lines().count(), 3);
}

#[tokio::test]
async fn reports_come_with_their_reasons_and_go_with_the_decision() {
    let t = start().await;
    let (alice, bob, admin) = (t.log_in("alice").await, t.log_in("bob").await, t.admin("content"));
    let job = finished_job(&alice, "a fox", 1).await;
    let image = publish(&alice, &job, 0, &[]).await["imageId"].as_i64().unwrap();
    let report = json!({ "reason": "色情低俗", "detail": "不妥" });
    bob.post(&format!("/v1/gallery/images/{image}/report")).json(&report).await.ok();
    let list = get(&admin, "/review?pile=reported").await;
    assert_eq!(list["items"][0]["reports"][0]["reason"], "色情低俗");
    assert_eq!(list["items"][0]["reports"][0]["userId"], bob.id);
    let body = json!({ "ids": [image], "decision": "hide", "reason": "色情低俗" });
    post(&admin, "/review/decide", &body).await.ok();
    assert_eq!(get(&admin, "/review?pile=reported").await["items"], json!([]));
    assert_eq!(get(&admin, "/review?pile=hidden").await["items"][0]["id"], image);
    let body = json!({ "ids": [image], "decision": "restore" });
    post(&admin, "/review/decide", &body).await.ok();
    t.get(&format!("/v1/gallery/images/{image}")).await.ok();
}

#[tokio::test]
async fn the_word_list_is_added_to_tried_replaced_and_holds_at_once() {
    let t = start().await;
    let (alice, admin) = (t.log_in("alice").await, t.admin("content"));
    let words = json!({ "words": ["水怪兽", "水 怪 兽"] });
    let added = post(&admin, "/words/add", &words).await.ok();
    assert_eq!(added, json!({ "changed": 1, "unchanged": 1 }));
    let hits = post(&admin, "/words/try", &json!({ "text": "一只水 怪兽" })).await.ok();
    assert_eq!(hits["hits"][0]["text"], "水 怪兽", "{hits}");
    let wish = json!({ "prompt": "一只水怪兽", "mode": "draft" });
    alice.post("/v1/jobs").json(&wish).await.fails(422, "CONTENT_REJECTED");
    let list = get(&admin, "/words?limit=5").await;
    assert_eq!((list["items"].as_array().unwrap().len(), &list["hasMore"]), (5, &json!(true)));
    let bad = post(&admin, "/words/add", &json!({ "words": ["x"] })).await;
    bad.blames("words");
    let text = json!({ "text": "# 我们的\n恶龙\n恶 龙\n\n水怪兽\n" });
    let replaced = post(&admin, "/words/replace", &text).await.ok();
    assert_eq!(replaced["unchanged"], 1, "{replaced}");
    assert_eq!(ids(&get(&admin, "/words").await, "text").len(), 2);
    let removed = post(&admin, "/words/remove", &json!({ "words": ["水怪兽", "无"] })).await.ok();
    assert_eq!(removed, json!({ "changed": 1, "unchanged": 1 }));
    assert_eq!(alice.post("/v1/jobs").json(&wish).await.status, 202);
    let csv = admin.get(&format!("{API}/words/export.csv")).await.text();
    assert_eq!(csv.lines().count(), 2);
    let viewer = t.admin("viewer");
    post(&viewer, "/words/add", &words).await.fails(403, "FORBIDDEN");
}

#[tokio::test]
async fn a_template_is_made_changed_by_its_version_ordered_moved_and_removed() {
    let t = TestApp::start().await;
    let admin = t.admin("content");
    let body = |title: &str, version: Value| json!({ "title": title, "prompt": "灯笼", "category": "节日", "version": version });
    let made = put(&admin, "/templates/lantern", &body("灯笼", Value::Null)).await.ok();
    let last = made["items"].as_array().unwrap().last().unwrap();
    assert_eq!(last["templateId"], "lantern");
    put(&admin, "/templates/lantern", &body("灯笼", Value::Null)).await.fails(409, "INVALID_STATE");
    let version = last["version"].clone();
    put(&admin, "/templates/lantern", &body("红灯笼", version.clone())).await.ok();
    let late = put(&admin, "/templates/lantern", &body("绿灯笼", version)).await;
    assert_eq!(late.fails(409, "INVALID_STATE")["details"]["reason"], "OUTDATED");
    put(&admin, "/templates/Bad", &body("x", Value::Null)).await.blames("id");
    let order = json!({ "ids": ["lantern"] });
    let ordered = post(&admin, "/template-order", &order).await.ok();
    assert_eq!(ids(&ordered, "templateId")[0], "lantern");
    assert_eq!(t.get("/v1/templates/prompts/lantern").await.ok()["title"], "红灯笼");

    let file = get(&admin, "/template-file").await;
    assert_eq!(file["prompts"][0]["id"], "lantern");
    admin.delete(&format!("{API}/templates/lantern")).await.ok();
    admin.delete(&format!("{API}/templates/lantern")).await.fails(404, "TEMPLATE_NOT_FOUND");
    let back = post(&admin, "/template-file?mode=merge", &file).await.ok();
    assert_eq!(ids(&back, "templateId")[0], "lantern");
    let broken = json!({ "prompts": [{ "id": "x" }] });
    assert_eq!(post(&admin, "/template-file?mode=merge", &broken).await.status, 400);

    // Whatever it is called, it can be reached.
    for id in ["order", "export", "import", "template-order"] {
        let made = put(&admin, &format!("/templates/{id}"), &body("x", Value::Null)).await.ok();
        assert!(ids(&made, "templateId").iter().any(|known| known == id), "{made}");
        let left = admin.delete(&format!("{API}/templates/{id}")).await.ok();
        assert!(ids(&left, "templateId").iter().all(|known| known != id), "{left}");
    }

    let param = json!({
        "title": "方", "mode": "final", "resolution": "2K", "aspectRatio": "1:1",
        "sampleCount": 2, "sort": 0,
    });
    let params = put(&admin, "/param-templates/square", &param).await.ok();
    assert_eq!(ids(&params, "templateId")[0], "square");
    admin.delete(&format!("{API}/param-templates/square")).await.ok();
    let logged = "SELECT COUNT(*) FROM audit_log WHERE actor LIKE 'admin:content-%'";
    assert_eq!(t.count(logged), 7 + 4 * 2);
}

#[tokio::test]
async fn a_category_is_made_renamed_ordered_and_removed_when_it_is_empty() {
    let t = start().await;
    let (alice, admin) = (t.log_in("alice").await, t.admin("content"));
    let body =
        |name: &str, version: Value| json!({ "name": name, "icon": "🐱", "version": version });
    let made = put(&admin, "/categories/pets", &body("宠物", Value::Null)).await.ok();
    assert_eq!(ids(&made, "categoryId").last().unwrap(), "pets");
    put(&admin, "/categories/pets", &body("宠物", Value::Null)).await.fails(409, "INVALID_STATE");
    put(&admin, "/categories/all", &body("x", Value::Null)).await.blames("categoryId");
    put(&admin, "/categories/order", &body("顺序", Value::Null)).await.ok();
    admin.delete(&format!("{API}/categories/order")).await.ok();
    let version = made["items"].as_array().unwrap().last().unwrap()["version"].clone();
    put(&admin, "/categories/pets", &body("萌宠", version.clone())).await.ok();
    put(&admin, "/categories/pets", &body("猫", version)).await.fails(409, "INVALID_STATE");
    let order = post(&admin, "/category-order", &json!({ "ids": ["pets", "cartoon"] })).await.ok();
    assert_eq!(ids(&order, "categoryId")[..2], ["pets", "cartoon"]);
    post(&admin, "/category-order", &json!({ "ids": ["x"] })).await.fails(404, "NOT_FOUND");
    let shown = t.get("/v1/gallery/categories").await.text();
    assert!(shown.contains("萌宠"), "{shown}");
    let job = finished_job(&alice, "a fox", 1).await;
    publish(&alice, &job, 0, &[]).await;
    let used = get(&admin, "/categories").await;
    let used = used["items"].as_array().unwrap().iter().find(|one| one["images"] == 1).unwrap();
    let used = format!("{API}/categories/{}", used["categoryId"].as_str().unwrap());
    admin.delete(&used).await.fails(409, "INVALID_STATE");
    admin.delete(&format!("{API}/categories/pets")).await.ok();
    admin.delete(&format!("{API}/categories/pets")).await.fails(404, "NOT_FOUND");
}

#[tokio::test]
async fn an_announcement_is_told_from_its_beginning_to_its_end() {
    let t = TestApp::start().await;
    let admin = t.admin("content");
    let told = async || t.get("/v1/announcement").await.ok()["announcement"].clone();
    assert_eq!(told().await, Value::Null);
    let version = get(&admin, "/announcement").await["version"].clone();
    let change = json!({
        "isOn": true, "title": "维护", "text": "今晚停机", "endsAt": "2026-01-29T13:00:00Z",
    });
    let body = json!({ "change": change, "version": version });
    put(&admin, "/announcement", &body).await.ok();
    assert_eq!(told().await["text"], "今晚停机");
    t.clock.advance(std::time::Duration::from_secs(3600));
    assert_eq!(told().await, Value::Null);
}
