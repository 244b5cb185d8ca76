//! Lists: filters, orders, totals, what is kept ready and what is the caller's own.

use std::time::Duration;

use poem_openapi::types::ParseFromJSON as _;
use serde_json::{Value, json};

use super::{ids, listed, many, published, start};
use crate::support::TestApp;

async fn page(t: &TestApp, query: &str) -> Value {
    t.get(&format!("/v1/gallery/images?{query}")).await.ok()
}

#[tokio::test]
async fn the_categories_are_those_of_the_contract() {
    let t = start().await;
    let answer = t.get("/v1/gallery/categories").await;
    let categories = answer.ok()["categories"].clone();
    let shown: Vec<[&str; 2]> = categories
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            assert!(!one["icon"].as_str().unwrap().is_empty());
            [one["id"].as_str().unwrap(), one["name"].as_str().unwrap()]
        })
        .collect();
    let expected =
        [["portrait", "人物"], ["landscape", "风景"], ["cartoon", "卡通"], ["abstract", "抽象"]];
    assert_eq!(shown, expected);
    let etag = answer.header("etag").unwrap().to_owned();
    let again = t.get("/v1/gallery/categories").header("If-None-Match", &etag).await;
    assert_eq!((again.status, again.body.len()), (304, 0));
}

#[tokio::test]
async fn lists_are_filtered_and_totals_follow() {
    let t = start().await;
    let alice = t.log_in("alice").await;
    let others = many(&t, 5, None);
    let own = many(&t, 4, Some(alice.id));
    let all: Vec<i64> = others.iter().chain(&own).rev().copied().collect();
    assert_eq!(listed(&t, "").await, all);
    assert_eq!(listed(&t, "category=all&sort=new").await, all);
    let author = format!("authorId={}", alice.id);
    let own_desc: Vec<i64> = own.iter().rev().copied().collect();
    assert_eq!(listed(&t, &author).await, own_desc);
    assert_eq!(listed(&t, &format!("{author}&sort=hot")).await, own_desc);
    assert_eq!(listed(&t, "category=cartoon").await, [own[3], own[1], others[3], others[1]]);
    assert_eq!(listed(&t, "category=nothing").await, [0; 0]);
    assert_eq!(listed(&t, "authorId=0&page=1").await, [0; 0]);
    for (query, total) in [
        ("", 9),
        ("category=cartoon", 4),
        ("category=portrait&sort=hot", 5),
        ("category=nothing", 0),
        (author.as_str(), 4),
        ("authorId=99999", 0),
    ] {
        let page = page(&t, &format!("{query}&page=2&limit=3")).await;
        assert_eq!(page["total"], total, "{query}");
        assert_eq!((&page["page"], &page["limit"]), (&json!(2), &json!(3)));
        assert_eq!(
            page["items"].as_array().unwrap().len(),
            usize::min(3, total.max(3) - 3),
            "{query}"
        );
    }
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("page=0", "page"),
        ("cursor=x", "cursor"),
        ("sort=best", "sort"),
        ("authorId=x", "authorId"),
    ] {
        t.get(&format!("/v1/gallery/images?{query}")).await.blames(field);
    }
    t.get(&format!("/v1/gallery/images?q={}", "x".repeat(101))).await.blames("q");
}

#[tokio::test]
async fn hot_is_likes_against_age() {
    let t = start().await;
    let alice = t.log_in("alice").await;
    let old = published(&alice, "old").await;
    t.clock.advance(Duration::from_secs(86_400 / 2));
    let new = published(&alice, "new").await;
    assert_eq!(listed(&t, "sort=hot").await, [new, old]);
    // One like is worth a day.
    alice.post(&format!("/v1/gallery/images/{old}/like")).await.ok();
    t.clock.advance(Duration::from_secs(2));
    assert_eq!(listed(&t, "sort=hot").await, [old, new]);
    assert_eq!(listed(&t, "sort=new").await, [new, old]);
    let both = format!("sort=hot&category=landscape&authorId={}", alice.id);
    assert_eq!(listed(&t, &both).await, [old, new]);
    let first = page(&t, "sort=hot&limit=1").await;
    let cursor = first["nextCursor"].as_str().unwrap();
    assert_eq!(listed(&t, &format!("sort=hot&limit=1&cursor={cursor}")).await, [new]);
    alice.delete(&format!("/v1/gallery/images/{old}/like")).await.ok();
    t.clock.advance(Duration::from_secs(2));
    assert_eq!(listed(&t, "sort=hot").await, [new, old]);
}

#[tokio::test]
async fn a_list_has_a_strong_tag_that_changes_with_it() {
    let t = start().await;
    let alice = t.log_in("alice").await;
    many(&t, 30, None);
    let first = t.get("/v1/gallery/images").await;
    let etag = first.header("etag").unwrap().to_owned();
    assert!(etag.starts_with('"'), "{etag}");
    let same = || t.get("/v1/gallery/images").header("If-None-Match", &etag);
    assert_eq!(same().await.status, 304);
    let id = published(&alice, "one more").await;
    let changed = same().await;
    assert_eq!((changed.status, ids(&changed.json())[0]), (200, id));
    alice.delete(&format!("/v1/gallery/images/{id}")).await.ok();
    assert_eq!(same().await.status, 304);
    let zipped = t.get("/v1/gallery/images").header("Accept-Encoding", "gzip").await;
    assert_eq!(zipped.header("content-encoding"), Some("gzip"));
}

#[tokio::test]
async fn what_is_mine_is_marked_and_likes_are_fresh_with_a_token() {
    let t = start().await;
    let (alice, bob) = (t.log_in("alice").await, t.log_in("bob").await);
    let all = many(&t, 3, None);
    let anonymous = page(&t, "").await;
    alice.post(&format!("/v1/gallery/images/{}/like", all[1])).await.ok();
    let keep = json!({ "type": "image", "resourceId": all[0].to_string() });
    alice.post("/v1/favorites").json(&keep).await;
    let marks = |page: &Value| -> Vec<(i64, bool, bool, i64)> {
        let items = page["items"].as_array().unwrap().iter();
        items
            .map(|one| {
                let is = |name: &str| one[name].as_bool().unwrap();
                (
                    one["id"].as_i64().unwrap(),
                    is("isLiked"),
                    is("isFavorited"),
                    one["likes"].as_i64().unwrap(),
                )
            })
            .collect()
    };
    let own = alice.get("/v1/gallery/images").await;
    let expected = [(all[2], false, false, 0), (all[1], true, false, 1), (all[0], false, true, 0)];
    assert_eq!(marks(&own.ok()), expected);
    assert!(own.header("etag").is_some());
    let of_bob = marks(&bob.get("/v1/gallery/images").await.ok());
    assert_eq!(of_bob[1], (all[1], false, false, 1));
    // Without a token the kept bytes go out for up to two seconds more.
    assert_eq!(page(&t, "").await, anonymous);
    t.clock.advance(Duration::from_secs(2));
    assert_eq!(page(&t, "").await["items"][1]["likes"], 1);
    // A token that is not good is not nobody's.
    t.get("/v1/gallery/images").token("x").await.fails(401, "INVALID_TOKEN");
    t.get(&format!("/v1/gallery/images/{}", all[0])).token("x").await.fails(401, "INVALID_TOKEN");
    t.get("/v1/gallery/images").header("authorization", "Basic x").await.fails(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn a_new_name_is_seen_in_lists_at_once() {
    let t = start().await;
    let alice = t.log_in("alice").await;
    many(&t, 1, Some(alice.id));
    page(&t, "").await;
    alice.patch("/v1/users/me").json(&json!({ "nickName": "新名字" })).await.ok();
    assert_eq!(page(&t, "").await["items"][0]["author"]["nickName"], "新名字");
    t.sql(&format!("UPDATE users SET deleted_at = 1 WHERE id = {}", alice.id));
    dream_bff::features::gallery::service::changed(&t.app());
    assert_eq!(page(&t, "").await["items"][0]["author"], Value::Null);
}

#[tokio::test]
async fn the_answer_is_of_the_documented_type() {
    let t = start().await;
    many(&t, 2, None);
    let found = page(&t, "page=1").await;
    type Documented = dream_bff::http::Page<dream_bff::features::gallery::GalleryImage>;
    assert!(Documented::parse_from_json(Some(found)).is_ok());
}
