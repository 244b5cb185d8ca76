//! Favorites: kept once, shown with what they are, tolerant of what is gone.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::gallery::{many, published, start};
use crate::support::{Answer, TestApp, User};

async fn keep(user: &User, kind: &str, id: &str) -> Answer {
    user.post("/v1/favorites").json(&json!({ "type": kind, "resourceId": id })).await
}

/// A template with this id.
fn template(t: &TestApp, id: &str) {
    t.sql(&format!(
        "INSERT INTO prompt_templates (template_id, title, prompt, category, preview_images, \
         created_at) VALUES ('{id}', '标题', '提示词', '风景', '[\"https://example.com/p\"]', 1)"
    ));
}

async fn check(user: &User, kind: &str, id: &str) -> Value {
    user.get(&format!("/v1/favorites/check?type={kind}&resourceId={id}")).await.ok()
}

#[tokio::test]
async fn a_thing_is_kept_once() {
    let t = start().await;
    let (alice, bob) = (t.log_in("alice").await, t.log_in("bob").await);
    let id = many(&t, 1, None)[0].to_string();
    let all = join_all((0..20).map(|_| keep(&alice, "image", &id))).await;
    let created = all.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(created, 1, "{:?}", all.iter().map(|answer| answer.status).collect::<Vec<_>>());
    assert!(all.iter().all(|answer| answer.json() == all[0].json()));
    let favorite = all[0].json();
    assert!(favorite["favoriteId"].is_i64() && favorite["createdAt"].is_string());
    assert_eq!(favorite.as_object().unwrap().len(), 2);

    let expected = json!({ "isFavorited": true, "favoriteId": favorite["favoriteId"] });
    assert_eq!(check(&alice, "image", &id).await, expected);
    let none = json!({ "isFavorited": false, "favoriteId": null });
    assert_eq!(check(&bob, "image", &id).await, none);
    assert_eq!(check(&alice, "prompt", &id).await, none);

    let uri = format!("/v1/favorites/{}", favorite["favoriteId"]);
    bob.delete(&uri).await.fails(404, "FAVORITE_NOT_FOUND");
    assert!(alice.delete(&uri).await.ok()["message"].is_string());
    alice.delete(&uri).await.fails(404, "FAVORITE_NOT_FOUND");
    alice.delete("/v1/favorites/x").await.fails(404, "FAVORITE_NOT_FOUND");
    assert_eq!(check(&alice, "image", &id).await, none);

    let body = json!({ "type": "image", "resourceId": id });
    let keyed = || alice.post("/v1/favorites").header("Idempotency-Key", "k").json(&body);
    let (first, again) = (keyed().await, keyed().await);
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(first.body, again.body);
}

#[tokio::test]
async fn what_is_unknown_cannot_be_kept() {
    let t = start().await;
    let alice = t.log_in("alice").await;
    let id = many(&t, 1, None)[0];
    for odd in ["77", "x", "+1", "01", &format!("{id} ")] {
        keep(&alice, "image", odd).await.fails(404, "IMAGE_NOT_FOUND");
    }
    keep(&alice, "prompt", &id.to_string()).await.fails(404, "TEMPLATE_NOT_FOUND");
    t.sql("UPDATE gallery_images SET status = 'HIDDEN'");
    keep(&alice, "image", &id.to_string()).await.fails(404, "IMAGE_NOT_FOUND");
    keep(&alice, "video", "1").await.blames("type");
    let send = |body: Value| alice.post("/v1/favorites").json(&body);
    send(json!({ "type": "image" })).await.blames("resourceId");
    send(json!({ "type": "image", "resourceId": 1 })).await.blames("resourceId");
    send(json!({ "resourceId": "1" })).await.blames("type");
    alice.get("/v1/favorites/check?type=image").await.blames("resourceId");
    alice.get("/v1/favorites/check?resourceId=1").await.blames("type");
    alice.get("/v1/favorites?type=video").await.blames("type");
    assert_eq!(t.count("SELECT COUNT(*) FROM favorites"), 0);
}

#[tokio::test]
async fn the_list_shows_what_is_kept_and_null_for_what_is_gone() {
    let t = start().await;
    let (alice, bob) = (t.log_in("alice").await, t.log_in("bob").await);
    let own = published(&bob, "a fox").await;
    let images = many(&t, 2, None);
    template(&t, "ink");
    template(&t, "neon");
    for (kind, id) in [
        ("image", images[0].to_string()),
        ("prompt", "ink".to_owned()),
        ("image", own.to_string()),
        ("prompt", "neon".to_owned()),
    ] {
        t.clock.advance(std::time::Duration::from_secs(1));
        assert_eq!(keep(&alice, kind, &id).await.status, 201);
    }
    alice.post(&format!("/v1/gallery/images/{own}/like")).await.ok();

    let page = alice.get("/v1/favorites?page=1").await.ok();
    assert_eq!(page["total"], 4);
    let items = page["items"].as_array().unwrap();
    let shown: Vec<_> = items.iter().map(|item| item["resourceId"].as_str().unwrap()).collect();
    assert_eq!(shown, ["neon", &own.to_string(), "ink", &images[0].to_string()]);
    let [prompt, image] = [&items[0], &items[1]];
    let mut names: Vec<&String> = image.as_object().unwrap().keys().collect();
    names.sort_unstable();
    assert_eq!(names, ["favoriteId", "favoritedAt", "image", "prompt", "resourceId", "type"]);
    assert_eq!((&image["type"], &prompt["type"]), (&json!("image"), &json!("prompt")));
    assert_eq!((&image["prompt"], &prompt["image"]), (&Value::Null, &Value::Null));
    // As the gallery shows it to her.
    assert_eq!(image["image"], alice.get(&format!("/v1/gallery/images/{own}")).await.ok());
    assert_eq!(image["image"]["isLiked"], true);
    assert_eq!(image["image"]["isFavorited"], true);
    // As the templates do.
    let expected = t.get("/v1/templates/prompts/neon").await.ok();
    assert_eq!((&expected["id"], &expected["title"]), (&json!("neon"), &json!("标题")));
    assert_eq!(prompt["prompt"], expected);

    bob.delete(&format!("/v1/gallery/images/{own}")).await.ok();
    t.sql("DELETE FROM prompt_templates WHERE template_id = 'neon'");
    t.sql(&format!("UPDATE gallery_images SET status = 'HIDDEN' WHERE id = {}", images[0]));
    let page = alice.get("/v1/favorites?page=1").await.ok();
    let gone = |item: &Value| item["image"].is_null() && item["prompt"].is_null();
    let items = page["items"].as_array().unwrap();
    assert_eq!(items.iter().map(gone).collect::<Vec<_>>(), [true, true, false, true]);
    assert_eq!(page["total"], 4);
    assert_eq!(keep(&alice, "image", &own.to_string()).await.status, 200, "it is kept already");
}

#[tokio::test]
async fn favorites_are_paged_by_type() {
    let t = start().await;
    let alice = t.log_in("alice").await;
    template(&t, "ink");
    let images = many(&t, 5, None);
    for id in &images {
        keep(&alice, "image", &id.to_string()).await;
    }
    keep(&alice, "prompt", "ink").await;
    let (mut met, mut uri) = (Vec::new(), "/v1/favorites?type=image&limit=2".to_owned());
    loop {
        let page = alice.get(&uri).await.ok();
        for item in page["items"].as_array().unwrap() {
            met.push(item["image"]["id"].as_i64().unwrap());
        }
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        uri = format!("/v1/favorites?type=image&limit=2&cursor={cursor}");
    }
    let newest: Vec<i64> = images.iter().rev().copied().collect();
    assert_eq!(met, newest);
    let page = alice.get("/v1/favorites?type=image&page=3&limit=2").await.ok();
    assert_eq!((page["total"].as_i64(), page["items"].as_array().unwrap().len()), (Some(5), 1));
    assert_eq!(alice.get("/v1/favorites?type=prompt&page=1").await.ok()["total"], 1);
    assert_eq!(alice.get("/v1/favorites?page=1").await.ok()["total"], 6);
    let counts = "SELECT SUM(favorites) FROM favorite_counts";
    alice.delete("/v1/favorites/1").await.ok();
    assert_eq!(t.count(counts), 5);
}
