//! Publishing and removing, likes, and the fields of the contract.

use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{finished_job, ids, listed, many, publish, published, start};
use crate::support::TestApp;

/// The names of an object's members, in order.
fn members(value: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn a_picture_of_a_job_is_published_and_seen_by_everybody() {
    let t = start().await;
    let alice = t.log_in("alice").await;
    alice.patch("/v1/users/me").json(&json!({ "nickName": "爱丽丝" })).await.ok();
    let job = finished_job(&alice, "水墨山水画", 2).await;
    let answer = publish(&alice, &job, 1, &["#水墨", "山水", "水墨"]).await;
    assert_eq!(members(&answer), ["imageId", "publishedAt", "status"]);
    assert_eq!(answer["status"], "APPROVED");
    assert!(answer["publishedAt"].as_str().unwrap().ends_with('Z'));
    let id = answer["imageId"].as_i64().unwrap();

    let page = t.get("/v1/gallery/images").await.ok();
    assert_eq!(members(&page), ["hasMore", "items", "nextCursor"]);
    let item = &page["items"][0];
    assert_eq!(
        members(item),
        [
            "author",
            "category",
            "createdAt",
            "height",
            "id",
            "imageUrl",
            "isFavorited",
            "isLiked",
            "likes",
            "prompt",
            "tags",
            "thumbnailUrl",
            "width"
        ]
    );
    assert_eq!((item["id"].as_i64(), item["prompt"].as_str()), (Some(id), Some("水墨山水画")));
    assert_eq!(item["category"], json!({ "id": "landscape", "name": "风景" }));
    assert_eq!(item["tags"], json!(["水墨", "山水"]));
    assert_eq!(item["author"]["id"], alice.id);
    assert_eq!(item["author"]["nickName"], "爱丽丝");
    assert_eq!(members(&item["author"]), ["avatarUrl", "id", "nickName"]);
    assert_eq!([&item["isLiked"], &item["isFavorited"]], [&json!(false); 2]);
    assert_eq!(item["likes"], 0);
    assert!(item["width"].as_u64().unwrap() > 0 && item["height"].as_u64().unwrap() > 0);
    for url in ["imageUrl", "thumbnailUrl"] {
        let url = item[url].as_str().unwrap();
        assert!(url.starts_with("http"), "{url}");
        assert_eq!(t.get(&url[url.find("/media/").unwrap()..]).await.status, 200);
    }
    let single = t.get(&format!("/v1/gallery/images/{id}")).await.ok();
    assert_eq!(&single, item);
}

#[tokio::test]
async fn the_same_picture_is_published_once() {
    let t = start().await;
    let alice = t.log_in("alice").await;
    let job = finished_job(&alice, "a fox", 2).await;
    let all = join_all((0..20).map(|n| {
        let (alice, job) = (alice.clone(), job.clone());
        async move { publish(&alice, &job, n % 2, &[]).await }
    }))
    .await;
    let mut found: Vec<i64> = all.iter().map(|one| one["imageId"].as_i64().unwrap()).collect();
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len(), 2);
    assert_eq!(t.count("SELECT COUNT(*) FROM gallery_images"), 2);
    let body = json!({ "jobId": job, "categoryId": "cartoon" });
    let keyed = || alice.post("/v1/gallery/publish").header("Idempotency-Key", "k").json(&body);
    let (first, again) = (keyed().await, keyed().await);
    assert_eq!(first.ok()["imageId"], all[0]["imageId"]);
    assert_eq!(first.body, again.body);
}

#[tokio::test]
async fn what_cannot_be_published_says_why() {
    let t = start().await;
    let (alice, bob) = (t.log_in("alice").await, t.log_in("bob").await);
    let job = finished_job(&alice, "a fox", 1).await;
    let of =
        |user: &crate::support::User, body: Value| user.post("/v1/gallery/publish").json(&body);
    let good = json!({ "jobId": job, "categoryId": "portrait" });
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    of(&bob, good.clone()).await.fails(404, "JOB_NOT_FOUND");
    of(&alice, with("jobId", json!("x"))).await.fails(404, "JOB_NOT_FOUND");
    of(&alice, with("index", json!(1))).await.blames("index");
    of(&alice, with("index", json!(-1))).await.blames("index");
    for category in ["all", "", "nothing"] {
        of(&alice, with("categoryId", json!(category))).await.blames("categoryId");
    }
    of(&alice, with("tags", json!(["x".repeat(21)]))).await.blames("tags");
    of(&alice, json!({ "jobId": job })).await.blames("categoryId");
    of(&alice, json!({ "categoryId": "portrait" })).await.blames("jobId");

    t.sandbox.image_api().set_latency(std::time::Duration::from_secs(3600));
    let waiting = alice.post("/v1/jobs").json(&json!({ "prompt": "x" })).await.json();
    of(&alice, with("jobId", waiting["jobId"].clone())).await.fails(409, "INVALID_STATE");
    assert_eq!(t.count("SELECT COUNT(*) FROM gallery_images"), 0);
}

#[tokio::test]
async fn an_author_deletes_his_picture_and_nobody_else_does() {
    let t = start().await;
    let (alice, bob) = (t.log_in("alice").await, t.log_in("bob").await);
    let id = published(&alice, "a fox").await;
    let uri = format!("/v1/gallery/images/{id}");
    bob.post(&format!("{uri}/like")).await.ok();
    bob.delete(&uri).await.fails(403, "FORBIDDEN");
    assert!(alice.delete(&uri).await.ok()["message"].is_string());
    alice.delete(&uri).await.fails(404, "IMAGE_NOT_FOUND");
    t.get(&uri).await.fails(404, "IMAGE_NOT_FOUND");
    assert_eq!(listed(&t, "").await, [0; 0]);
    for rows in ["gallery_images", "image_likes", "gallery_search"] {
        assert_eq!(t.count(&format!("SELECT COUNT(*) FROM {rows}")), 0, "{rows}");
    }
    let held = "SELECT COUNT(*) FROM media_holds WHERE holder LIKE 'gallery:%'";
    assert_eq!(t.count(held), 0);
    assert_eq!(t.get("/v1/gallery/images?page=1").await.ok()["total"], 0);
    for odd in ["0", "-1", "+1", "x", "99999999999999999999", "1.0"] {
        t.get(&format!("/v1/gallery/images/{odd}")).await.fails(404, "IMAGE_NOT_FOUND");
    }
}

#[tokio::test]
async fn media_of_a_published_picture_outlive_the_job_that_made_them() {
    let t = start().await;
    let alice = t.log_in("alice").await;
    published(&alice, "a fox").await;
    let held = "SELECT COUNT(*) FROM media_holds WHERE holder LIKE 'gallery:%'";
    assert_eq!(t.count(held), 2);
    t.sql("DELETE FROM media_holds WHERE holder LIKE 'job:%'");
    t.clock.advance(std::time::Duration::from_secs(365 * 86_400));
    t.run_periodic_tasks().await;
    let item = &t.get("/v1/gallery/images").await.ok()["items"][0];
    let url = item["imageUrl"].as_str().unwrap();
    assert_eq!(t.get(&url[url.find("/media/").unwrap()..]).await.status, 200);
}

#[tokio::test]
async fn a_like_counts_once_and_only_for_public_pictures() {
    let t = start().await;
    let (alice, bob) = (t.log_in("alice").await, t.log_in("bob").await);
    let id = many(&t, 1, None)[0];
    let like = format!("/v1/gallery/images/{id}/like");
    for _ in 0..2 {
        assert_eq!(alice.post(&like).await.ok(), json!({ "liked": true, "totalLikes": 1 }));
    }
    assert_eq!(bob.post(&like).await.ok()["totalLikes"], 2);
    let own = alice.get(&format!("/v1/gallery/images/{id}")).await.ok();
    assert_eq!((&own["likes"], &own["isLiked"]), (&json!(2), &json!(true)));
    for _ in 0..2 {
        assert_eq!(alice.delete(&like).await.ok(), json!({ "liked": false, "totalLikes": 1 }));
    }
    alice.post("/v1/gallery/images/77/like").await.fails(404, "IMAGE_NOT_FOUND");
    t.sql("UPDATE gallery_images SET status = 'HIDDEN'");
    alice.post(&like).await.fails(404, "IMAGE_NOT_FOUND");
    alice.delete(&like).await.fails(404, "IMAGE_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_users_like_and_unlike_and_the_count_is_always_the_rows() {
    const USERS: i64 = 1_000;
    let t = Arc::new(start().await);
    let id = many(&t, 1, None)[0];
    let alice = t.log_in("alice").await;
    let users: Vec<String> = tokens(&t, &alice, USERS);
    let like = format!("/v1/gallery/images/{id}/like");
    let tasks = users.into_iter().enumerate().map(|(n, token)| {
        let (t, like) = (Arc::clone(&t), like.clone());
        tokio::spawn(async move {
            // A walk of its own for each; the last step decides.
            let mut state = u64::try_from(n).unwrap() * 2_654_435_761 + 1;
            let mut is_liked = false;
            for _ in 0..6 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                is_liked = state.is_multiple_of(2);
                let method = if is_liked { "POST" } else { "DELETE" };
                let call = t.call(method.parse().unwrap(), &like).token(&token);
                assert_eq!(call.await.ok()["liked"], is_liked);
            }
            is_liked
        })
    });
    let tasks: Vec<_> = tasks.collect();
    let look =
        "SELECT likes - (SELECT COUNT(*) FROM image_likes WHERE image_id = gallery_images.id)
                  FROM gallery_images";
    let mut reads = 0;
    while !tasks.iter().all(tokio::task::JoinHandle::is_finished) {
        assert_eq!(t.count(look), 0);
        reads += 1;
        tokio::task::yield_now().await;
    }
    assert!(reads > 1, "nothing was looked at while it happened");
    let mut expected = 0;
    for task in tasks {
        expected += i64::from(task.await.unwrap());
    }
    assert!(expected > 300, "{expected}");
    let shown = t.get(&format!("/v1/gallery/images/{id}")).await.ok();
    assert_eq!(shown["likes"], expected);
    assert_eq!(t.count("SELECT COUNT(*) FROM image_likes"), expected);
}

/// Tokens of so many new users.
fn tokens(t: &TestApp, like: &crate::support::User, count: i64) -> Vec<String> {
    use crate::support::{Forged, JWT_SECRET};
    let mut database = t.database();
    let transaction = database.transaction().unwrap();
    let mut made = Vec::new();
    for n in 0..count {
        let user = "INSERT INTO users (openid, created_at, updated_at) VALUES (?1, 1, 1)";
        transaction.execute(user, [format!("many-{n}")]).unwrap();
        let id = transaction.last_insert_rowid();
        let token = Forged::from(&like.token)
            .claim("sub", json!(id.to_string()))
            .claim("userId", json!(id))
            .claim("jti", json!(format!("many-{n}")));
        made.push(token.signed(JWT_SECRET));
    }
    transaction.commit().unwrap();
    made
}

#[tokio::test]
async fn my_pictures_are_listed_whatever_their_status() {
    let t = start().await;
    let alice = t.log_in("alice").await;
    let mine = many(&t, 3, Some(alice.id));
    t.sql(&format!("UPDATE gallery_images SET status = 'REJECTED' WHERE id = {}", mine[1]));
    many(&t, 1, None);
    let page = alice.get("/v1/gallery/mine?page=1&limit=2").await.ok();
    assert_eq!(ids(&page), [mine[2], mine[1]]);
    assert_eq!((&page["total"], &page["items"][1]["status"]), (&json!(3), &json!("REJECTED")));
    let first = alice.get("/v1/gallery/mine?limit=2").await.ok();
    let cursor = first["nextCursor"].as_str().unwrap();
    let rest = alice.get(&format!("/v1/gallery/mine?limit=2&cursor={cursor}")).await.ok();
    assert_eq!(ids(&rest), [mine[0]]);
}
