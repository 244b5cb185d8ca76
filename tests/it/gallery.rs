//! The gallery as its users see it.

mod lists;
mod moderation;
mod publish;
mod search;
mod walk;

use dream_bff::features::settings::{Section, service::change};
use serde_json::{Value, json};

use crate::support::{TestApp, User};

/// Without limits that are not what these tests are about.
pub(crate) async fn start() -> TestApp {
    TestApp::with(&[
        ("RATE_LIMIT_PER_IP", "0"),
        ("RATE_LIMIT_PER_USER", "0"),
        ("RATE_LIMIT_LOGIN_PER_IP", "0"),
        ("RATE_LIMIT_GENERATE_PER_USER", "0"),
    ])
    .await
}

async fn set(t: &TestApp, json: Value) {
    change(&t.app(), Section::Gallery, json, "test").await.unwrap();
}

/// A finished job of so many pictures.
pub(crate) async fn finished_job(user: &User, prompt: &str, pictures: u32) -> String {
    let body = json!({ "prompt": prompt, "mode": "draft", "sampleCount": pictures });
    let answer = user.post("/v1/jobs").json(&body).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let id = answer.json()["jobId"].as_str().unwrap().to_owned();
    for _ in 0..60 {
        let job = user.get(&format!("/v1/jobs/{id}?wait=1")).await.ok();
        match job["status"].as_str().unwrap() {
            "SUCCEEDED" => return id,
            "QUEUED" | "RUNNING" | "RETRYING" => {}
            _ => panic!("{job}"),
        }
    }
    panic!("no picture in time");
}

/// Publishes a picture; the answer.
pub(crate) async fn publish(user: &User, job: &str, index: u32, tags: &[&str]) -> Value {
    let body = json!({ "jobId": job, "index": index, "categoryId": "landscape", "tags": tags });
    user.post("/v1/gallery/publish").json(&body).await.ok()
}

/// A public picture with this prompt; its id.
pub(crate) async fn published(user: &User, prompt: &str) -> i64 {
    let job = finished_job(user, prompt, 1).await;
    let answer = publish(user, &job, 0, &[]).await;
    assert_eq!(answer["status"], "APPROVED");
    answer["imageId"].as_i64().unwrap()
}

/// So many public pictures, put straight into the database; the ids, oldest first.
pub(crate) fn many(t: &TestApp, count: i64, author: Option<i64>) -> Vec<i64> {
    let mut database = t.database();
    let transaction = database.transaction().unwrap();
    let now = 1_769_688_000_000_i64;
    let mut ids = Vec::new();
    for n in 0..count {
        let place = "UPDATE gallery_sequence SET seq = seq + 1, published_at = ?1 RETURNING seq";
        let seq: i64 = transaction.query_row(place, [now], |row| row.get(0)).unwrap();
        let insert = "INSERT INTO gallery_images (image_url, thumbnail_url, width, height, prompt, \
             category_id, author_id, status, seq, hot, created_at, published_at, updated_at) \
             VALUES ('https://example.com/a', 'https://example.com/b', 1, 1, 'n', ?1, ?2, \
             'APPROVED', ?3, ?4, ?5, ?5, ?5)";
        let category = if n % 2 == 0 { "portrait" } else { "cartoon" };
        transaction.execute(insert, rusqlite::params![category, author, seq, now, now]).unwrap();
        ids.push(transaction.last_insert_rowid());
    }
    transaction.commit().unwrap();
    dream_bff::features::gallery::service::changed(&t.app());
    ids
}

pub(crate) fn ids(page: &Value) -> Vec<i64> {
    page["items"].as_array().unwrap().iter().map(|item| item["id"].as_i64().unwrap()).collect()
}

/// What is found at this address without a token.
async fn listed(t: &TestApp, query: &str) -> Vec<i64> {
    ids(&t.get(&format!("/v1/gallery/images?{query}")).await.ok())
}
