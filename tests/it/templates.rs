//! Templates: lists, uses that are counted in memory, covers, and what admins change.

use std::collections::HashSet;

use dream_bff::features;
use dream_bff::features::audit::Actor;
use dream_bff::features::templates::{
    ImportMode, MAX_TEMPLATES, Param, TemplateDraft, TemplateError, service,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Process, TestApp, User, signal};

const PROMPTS: &str = "/v1/templates/prompts";

async fn items(t: &TestApp, query: &str) -> Vec<Value> {
    t.get(&format!("{PROMPTS}{query}")).await.ok()["items"].as_array().unwrap().clone()
}

fn ids(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["id"].as_str().unwrap()).collect()
}

async fn usage(t: &TestApp, id: &str) -> i64 {
    t.get(&format!("{PROMPTS}/{id}")).await.ok()["usageCount"].as_i64().unwrap()
}

async fn click(user: &User, id: &str) {
    let answer = user.post(&format!("{PROMPTS}/{id}/usage")).await.ok();
    assert!(answer["message"].is_string(), "{answer}");
}

fn admin() -> Actor {
    Actor::admin("root")
}

fn draft(id: &str) -> TemplateDraft {
    TemplateDraft {
        id: id.to_owned(),
        title: "雪夜灯笼".to_owned(),
        description: "冬夜里的一盏灯".to_owned(),
        prompt: "雪夜，红灯笼挂在屋檐下".to_owned(),
        category: "winter".to_owned(),
        thumbnail_url: String::new(),
        preview_images: vec!["https://example.com/1.jpg".to_owned()],
        is_hot: true,
    }
}

#[tokio::test]
async fn a_fresh_database_has_good_prompts_in_six_categories() {
    let t = TestApp::start().await;
    let all = items(&t, "").await;
    assert!(all.len() >= 24, "{}", all.len());
    let categories: HashSet<_> =
        all.iter().map(|item| item["category"].as_str().unwrap()).collect();
    assert_eq!(categories.len(), 6, "{categories:?}");
    for item in &all {
        let text = |field: &str| item[field].as_str().unwrap().chars().count();
        assert!(text("title") > 1 && text("description") > 4, "{item}");
        assert!((40..=200).contains(&text("prompt")), "{item}");
        assert!(item["previewImages"].is_array() && item["isHot"].is_boolean(), "{item}");
        assert_eq!(item["usageCount"], 0);
        assert_eq!(item.as_object().unwrap().len(), 9, "{item}");
        // The list and the template's own answer are the same.
        let own = t.get(&format!("{PROMPTS}/{}", item["id"].as_str().unwrap())).await.ok();
        assert_eq!(&own, item);
    }
    t.get(&format!("{PROMPTS}/nothing")).await.fails(404, "TEMPLATE_NOT_FOUND");
}

#[tokio::test]
async fn lists_are_chosen_by_category_heat_and_words() {
    let t = TestApp::start().await;
    let all = items(&t, "").await;
    let anime = items(&t, "?category=anime").await;
    assert!(!anime.is_empty() && anime.iter().all(|item| item["category"] == "anime"));
    assert_eq!(items(&t, "?category=all").await, all);
    assert_eq!(items(&t, "?category=nothing").await, [] as [Value; 0]);
    let hot = items(&t, "?trending=true").await;
    assert!(!hot.is_empty() && hot.iter().all(|item| item["isHot"] == true));
    assert_eq!(items(&t, "?trending=false").await, all);
    t.get(&format!("{PROMPTS}?trending=maybe")).await.blames("trending");

    assert_eq!(ids(&items(&t, "?q=%E9%A3%9E%E5%A4%A9").await), ["guofeng-dunhuang"]);
    // All words: 水墨 江南, in any order, in any of the texts.
    let both = items(&t, "?q=%E6%B1%9F%E5%8D%97%20%E4%B9%8C%E7%AF%B7").await;
    assert_eq!(ids(&both), ["guofeng-ink"]);
    assert_eq!(ids(&items(&t, "?q=KODAK%20portra").await), [""; 0]);
    assert_eq!(ids(&items(&t, "?q=PORTRA&category=portrait").await), ["portrait-film"]);
    t.get(&format!("{PROMPTS}?q={}", "a".repeat(101))).await.blames("q");
}

#[tokio::test]
async fn lists_have_a_strong_tag_that_follows_what_they_show() {
    let t = TestApp::start().await;
    for path in [PROMPTS, "/v1/templates/params"] {
        let first = t.get(path).await;
        let tag = first.header("etag").unwrap().to_owned();
        assert!(tag.starts_with('"'), "{tag}");
        let again = t.get(path).header("if-none-match", &tag).await;
        assert_eq!((again.status, again.body.len()), (304, 0));
    }
    let tag = t.get(PROMPTS).await.header("etag").unwrap().to_owned();
    service::create(&t.app(), &admin(), draft("new")).await.unwrap();
    let changed = t.get(PROMPTS).header("if-none-match", &tag).await;
    assert_eq!(ids(changed.ok()["items"].as_array().unwrap()).last(), Some(&"new"));
}

#[tokio::test]
async fn the_four_ways_to_make_a_picture_are_there() {
    let t = TestApp::start().await;
    let answer = t.get("/v1/templates/params").await.ok();
    let all = answer["items"].as_array().unwrap();
    let short = |item: &Value| {
        let text = |field: &str| item[field].as_str().unwrap().to_owned();
        (text("mode"), text("resolution"), text("aspectRatio"), item["sampleCount"].clone())
    };
    let one = |mode: &str, resolution: &str, ratio: &str| {
        (mode.to_owned(), resolution.to_owned(), ratio.to_owned(), json!(1))
    };
    let expected = [
        one("draft", "1K", "1:1"),
        one("final", "2K", "16:9"),
        one("final", "2K", "9:16"),
        one("final", "4K", "16:9"),
    ];
    assert_eq!(all.iter().map(short).collect::<Vec<_>>(), expected);
    for item in all {
        let path = format!("/v1/templates/params/{}", item["id"].as_str().unwrap());
        assert_eq!(&t.get(&path).await.ok(), item);
    }
    t.get("/v1/templates/params/nothing").await.fails(404, "TEMPLATE_NOT_FOUND");
}

#[tokio::test]
async fn a_use_shows_at_once_and_is_written_once() {
    let t = TestApp::with(&[("RATE_LIMIT_PER_USER", "0")]).await;
    let alice = t.log_in("alice").await;
    items(&t, "").await;
    let batches = t.app().db.stats().batches;
    for n in 1..=200 {
        click(&alice, "guofeng-ink").await;
        assert_eq!(usage(&t, "guofeng-ink").await, n);
    }
    // The flushes of three seconds at the most: not two hundred.
    assert!(t.app().db.stats().batches - batches <= 20);
    // The list follows.
    t.clock.advance(std::time::Duration::from_secs(2));
    let listed = items(&t, "?category=guofeng").await;
    assert_eq!(listed[0]["usageCount"], 200);
    assert_eq!(usage(&t, "guofeng-dunhuang").await, 0);

    service::flush(&t.app()).await.unwrap();
    let written = "SELECT usage_count FROM prompt_templates WHERE template_id = 'guofeng-ink'";
    assert_eq!(t.count(written), 200);
    service::flush(&t.app()).await.unwrap();
    assert_eq!(t.count(written), 200);
    t.restart();
    assert_eq!(usage(&t, "guofeng-ink").await, 200);
    click(&alice, "guofeng-ink").await;
    assert_eq!(usage(&t, "guofeng-ink").await, 201);

    alice.post(&format!("{PROMPTS}/nothing/usage")).await.fails(404, "TEMPLATE_NOT_FOUND");
    t.post(&format!("{PROMPTS}/guofeng-ink/usage")).await.fails(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn uses_at_once_all_count_while_they_are_written() {
    let t = TestApp::with(&[("RATE_LIMIT_PER_USER", "0")]).await;
    let alice = t.log_in("alice").await;
    let app = t.app();
    let clicks = async {
        let all = (0..20).map(|_| async {
            for _ in 0..10 {
                click(&alice, "anime-clay").await;
            }
        });
        futures_util::future::join_all(all).await;
    };
    let flushes = async {
        for _ in 0..10 {
            service::flush(&app).await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    let reads = async {
        let mut last = 0;
        for _ in 0..50 {
            let now = usage(&t, "anime-clay").await;
            assert!(now >= last, "{now} after {last}");
            last = now;
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(clicks, flushes, reads);
    assert_eq!(usage(&t, "anime-clay").await, 200);
    features::finish(&app).await;
    t.restart();
    assert_eq!(usage(&t, "anime-clay").await, 200);
}

#[tokio::test]
async fn a_shutdown_loses_no_use_and_nobody_who_was_active() {
    let sandbox = Process::sandbox().await;
    let folder = TempDir::new().unwrap();
    let mut server = Process::serve(folder.path(), &sandbox, &[]).await;
    let token = server.log_in("alice").await["token"].as_str().unwrap().to_owned();
    for _ in 0..5 {
        let path = format!("{PROMPTS}/poster-music/usage");
        server.ask("POST", &path, Some(&token), &json!({})).await.ok();
    }
    // At once: the second is not over.
    signal(&server, "TERM");
    assert!(server.ended().await.success());
    let database = rusqlite::Connection::open(folder.path().join("data/dream.db")).unwrap();
    let count = |sql: &str| database.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    let used = "SELECT usage_count FROM prompt_templates WHERE template_id = 'poster-music'";
    assert_eq!(count(used), 5);
    assert_eq!(count("SELECT SUM(active_users) FROM daily_stats"), 1);
}

#[tokio::test]
async fn a_job_with_a_template_is_no_use() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let body = json!({ "prompt": "山水", "mode": "draft", "templateId": "guofeng-ink" });
    assert_eq!(alice.post("/v1/jobs").json(&body).await.status, 202);
    assert_eq!(usage(&t, "guofeng-ink").await, 0);
}

#[tokio::test]
async fn a_template_without_a_picture_has_a_cover() {
    let t = TestApp::start().await;
    let url = items(&t, "").await[0]["thumbnailUrl"].as_str().unwrap().to_owned();
    assert!(url.starts_with("http") && url.ends_with("/media/covers/portrait-film.jpg"), "{url}");
    let path = url.split_once("/media").map(|(_, rest)| format!("/media{rest}")).unwrap();
    let cover = t.get(&path).await;
    assert_eq!((cover.status, cover.header("content-type")), (200, Some("image/jpeg")));
    let picture = image::load_from_memory(&cover.body).unwrap();
    assert_eq!((picture.width(), picture.height()), (320, 320));
    assert!(cover.header("cache-control").unwrap().contains("max-age"));
    for bad in ["nothing.jpg", "portrait-film", "portrait-film.png", "..%2f.jpg", ".jpg"] {
        let answer = t.get(&format!("/media/covers/{bad}")).await;
        answer.fails(404, "TEMPLATE_NOT_FOUND");
    }

    let app = t.app();
    let own = "https://example.com/own.jpg";
    let mine = TemplateDraft { thumbnail_url: own.to_owned(), ..draft("mine") };
    service::create(&app, &admin(), mine).await.unwrap();
    assert_eq!(t.get(&format!("{PROMPTS}/mine")).await.ok()["thumbnailUrl"], own);
    // A favorite shows the same.
    let alice = t.log_in("alice").await;
    for id in ["mine", "portrait-film"] {
        let body = json!({ "type": "prompt", "resourceId": id });
        assert_eq!(alice.post("/v1/favorites").json(&body).await.status, 201);
    }
    click(&alice, "mine").await;
    let kept = alice.get("/v1/favorites").await.ok();
    let prompts: Vec<&Value> =
        kept["items"].as_array().unwrap().iter().map(|item| &item["prompt"]).collect();
    assert_eq!(prompts[0]["thumbnailUrl"], url.as_str());
    assert_eq!((&prompts[1]["thumbnailUrl"], &prompts[1]["usageCount"]), (&json!(own), &json!(1)));
}

#[tokio::test]
async fn admins_create_change_order_and_delete() {
    let t = TestApp::start().await;
    let app = t.app();
    let before = items(&t, "").await;
    service::create(&app, &admin(), draft("lantern")).await.unwrap();
    let again = service::create(&app, &admin(), draft("lantern")).await;
    assert!(matches!(again, Err(TemplateError::Exists)), "{again:?}");
    let bad =
        service::create(&app, &admin(), TemplateDraft { title: " ".into(), ..draft("x") }).await;
    assert!(matches!(&bad, Err(TemplateError::Invalid(field)) if field == "title"), "{bad:?}");

    let alice = t.log_in("alice").await;
    click(&alice, "lantern").await;
    let changed = TemplateDraft { title: "灯笼".into(), is_hot: false, ..draft("lantern") };
    service::update(&app, &admin(), changed, None).await.unwrap();
    let own = t.get(&format!("{PROMPTS}/lantern")).await.ok();
    assert_eq!((&own["title"], &own["usageCount"]), (&json!("灯笼"), &json!(1)));
    let missing = service::update(&app, &admin(), draft("nothing"), None).await;
    assert!(matches!(missing, Err(TemplateError::NotFound)), "{missing:?}");

    let first = ["lantern", "poster-sci-fi"].map(str::to_owned).to_vec();
    service::reorder(&app, &admin(), first).await.unwrap();
    let all = items(&t, "").await;
    assert_eq!(ids(&all)[..3], ["lantern", "poster-sci-fi", "portrait-film"]);
    assert_eq!(all.len(), before.len() + 1);
    let unknown =
        service::reorder(&app, &admin(), vec!["portrait-film".into(), "nothing".into()]).await;
    assert!(matches!(unknown, Err(TemplateError::NotFound)), "{unknown:?}");
    assert_eq!(items(&t, "").await, all, "nothing was changed");

    service::delete(&app, &admin(), "lantern").await.unwrap();
    t.get(&format!("{PROMPTS}/lantern")).await.fails(404, "TEMPLATE_NOT_FOUND");
    alice.post(&format!("{PROMPTS}/lantern/usage")).await.fails(404, "TEMPLATE_NOT_FOUND");
    let gone = service::delete(&app, &admin(), "lantern").await;
    assert!(matches!(gone, Err(TemplateError::NotFound)), "{gone:?}");

    let square = Param {
        id: "square".into(),
        title: "方图".into(),
        mode: "final".into(),
        resolution: "1K".into(),
        aspect_ratio: "1:1".into(),
        sample_count: 4,
    };
    service::put_param(&app, &admin(), square.clone(), 0).await.unwrap();
    let listed = t.get("/v1/templates/params").await.ok();
    assert_eq!(
        (&listed["items"][0]["id"], listed["items"].as_array().unwrap().len()),
        (&json!("square"), 5)
    );
    let bad =
        service::put_param(&app, &admin(), Param { resolution: "8K".into(), ..square }, 0).await;
    assert!(matches!(&bad, Err(TemplateError::Invalid(field)) if field == "resolution"));
    service::delete_param(&app, &admin(), "square").await.unwrap();
    assert_eq!(t.get("/v1/templates/params").await.ok()["items"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn what_is_exported_can_be_imported() {
    let t = TestApp::start().await;
    let app = t.app();
    let alice = t.log_in("alice").await;
    click(&alice, "guofeng-ink").await;
    let before = (items(&t, "").await, t.get("/v1/templates/params").await.ok());
    let file = service::export(&app).await.unwrap();
    service::import(&app, &admin(), file.as_bytes(), ImportMode::Replace).await.unwrap();
    t.clock.advance(std::time::Duration::from_secs(2));
    let mut after = (items(&t, "").await, t.get("/v1/templates/params").await.ok());
    let at = after.0.iter().position(|item| item["id"] == "guofeng-ink").unwrap();
    assert_eq!(after.0[at]["usageCount"], 1, "uses stay");
    after.0[at]["usageCount"] = before.0[at]["usageCount"].clone();
    assert_eq!(after, before);

    let one = json!({ "prompts": [draft("only"), draft("anime-clay")] }).to_string();
    service::import(&app, &admin(), one.as_bytes(), ImportMode::Merge).await.unwrap();
    let merged = items(&t, "").await;
    assert_eq!((ids(&merged)[..2].to_vec(), merged.len()), (vec!["only", "anime-clay"], 31));
    assert_eq!(merged[1]["category"], "winter");
    service::import(&app, &admin(), one.as_bytes(), ImportMode::Replace).await.unwrap();
    assert_eq!(ids(&items(&t, "").await), ["only", "anime-clay"]);
    assert_eq!(t.get("/v1/templates/params").await.ok(), before.1, "it was not in the file");
    let global = t.get("/v1/stats/global").await.ok();
    assert_eq!(global["totalTemplates"], 2);

    let bad = json!({ "prompts": [draft("a"), { "id": "b" }] }).to_string();
    let bad = service::import(&app, &admin(), bad.as_bytes(), ImportMode::Merge).await;
    assert!(matches!(bad, Err(TemplateError::Json(_))), "{bad:?}");
    let twice = json!({ "prompts": [draft("a"), draft("a")] }).to_string();
    let twice = service::import(&app, &admin(), twice.as_bytes(), ImportMode::Merge).await;
    assert!(matches!(&twice, Err(TemplateError::Invalid(at)) if at == "prompts[1].id"));
    let many: Vec<_> = (0..MAX_TEMPLATES).map(|n| draft(&format!("t{n}"))).collect();
    let many = json!({ "prompts": many }).to_string();
    let too_many = service::import(&app, &admin(), many.as_bytes(), ImportMode::Merge).await;
    assert!(matches!(too_many, Err(TemplateError::TooMany)), "{too_many:?}");
    assert_eq!(ids(&items(&t, "").await), ["only", "anime-clay"], "all or nothing");
    service::import(&app, &admin(), many.as_bytes(), ImportMode::Replace).await.unwrap();
    assert_eq!(items(&t, "").await.len(), MAX_TEMPLATES);
    let full = service::create(&app, &admin(), draft("one-more")).await;
    assert!(matches!(full, Err(TemplateError::TooMany)), "{full:?}");
}
