//! Uploading pictures, storing results, serving both.

use std::io::Cursor;
use std::time::Duration;

use dream_bff::base::ids::UserId;
use dream_bff::features::media::service::{self, check_input, load_input, store_result};
use dream_bff::features::media::{Holder, MediaError, Provenance, Source, StoredImage};
use dream_bff::features::settings;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use serde_json::json;

use crate::support::{Answer, Reaction, TestApp, Upstream, User, Wire};

fn picture(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let noise = |x: u32, y: u32| u8::try_from(((x * 7) ^ (y * 13)) % 251).unwrap();
    let image = RgbImage::from_fn(width, height, |x, y| Rgb([noise(x, y), noise(y, x), 90]));
    let mut out = Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(image).write_to(&mut out, format).unwrap();
    out.into_inner()
}

/// A form with one file, as a mini-program sends it.
fn form(field: &str, bytes: &[u8]) -> (&'static str, Vec<u8>) {
    let head = format!(
        "--edge\r\ncontent-disposition: form-data; name=\"{field}\"; filename=\"a.jpg\"\r\n\
         content-type: image/jpeg\r\n\r\n"
    );
    let body = [head.as_bytes(), bytes, b"\r\n--edge--\r\n"].concat();
    ("multipart/form-data; boundary=edge", body)
}

/// `400` about this field, with a text of its own.
#[track_caller]
fn blames(answer: &Answer, field: &str) {
    assert_eq!(answer.fails(400, "INVALID_REQUEST")["details"]["field"], field);
}

async fn upload(user: &User, bytes: &[u8]) -> Answer {
    let (content_type, body) = form("file", bytes);
    user.post("/v1/upload/image").body(content_type, body).await
}

fn job(id: &str) -> Provenance {
    Provenance { job_id: id.to_owned(), index: 0 }
}

/// Stores a result and holds it, as a job that is delivered does.
async fn store(t: &TestApp, id: &str, source: Source) -> Result<StoredImage, MediaError> {
    let (app, now, holder) = (t.app(), t.clock.now(), Holder::job(id));
    let stored = store_result(&app, source, job(id)).await?;
    let keys = [stored.key.clone(), stored.thumbnail_key.clone()];
    app.db
        .write("test.hold", move |tx| {
            for key in keys {
                assert!(service::hold(tx, &holder, &key, now)?);
            }
            Ok::<_, MediaError>(())
        })
        .await?;
    Ok(stored)
}

async fn get(t: &TestApp, key: &str) -> Answer {
    t.get(&format!("/media/{key}")).await
}

#[tokio::test]
async fn an_upload_comes_back_without_its_metadata() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let mut jpeg = picture(300, 200, ImageFormat::Jpeg);
    jpeg.splice(2..2, *b"\xff\xe1\x00\x12Exif\0\0MM\0\x2aGPSGPS");
    let done = upload(&alice, &jpeg).await.ok();
    assert_eq!((done["width"].as_i64(), done["height"].as_i64()), (Some(300), Some(200)));
    let key = done["key"].as_str().unwrap();
    assert!(done["url"].as_str().unwrap().ends_with(&format!("/media/{key}")), "{done}");
    let answer = get(&t, key).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("image/jpeg")));
    assert_eq!(image::load_from_memory(&answer.body).unwrap().width(), 300);
    assert!(!answer.body.windows(3).any(|part| part == b"GPS"));
    // The same picture again is the same object.
    assert_eq!(upload(&alice, &jpeg).await.ok(), done);
    assert_eq!(t.count("SELECT count(*) FROM media_objects"), 1);
    for format in [ImageFormat::Png, ImageFormat::WebP] {
        upload(&alice, &picture(40, 50, format)).await.ok();
    }
}

#[tokio::test]
async fn a_bad_upload_says_what_is_wrong() {
    let t = TestApp::with(&[("UPLOAD_MAX_KIB", "16"), ("MEDIA_MAX_MEGAPIXELS", "1")]).await;
    let alice = t.log_in("alice").await;
    for bytes in [b"".as_slice(), b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"GIF89a...."] {
        upload(&alice, bytes).await.fails(415, "UNSUPPORTED_MEDIA_TYPE");
    }
    let flat = |width, height| {
        let mut out = Cursor::new(Vec::new());
        DynamicImage::new_luma8(width, height).write_to(&mut out, ImageFormat::Png).unwrap();
        out.into_inner()
    };
    let large = upload(&alice, &flat(1001, 1000)).await;
    blames(&large, "file");
    assert_eq!(large.json()["details"]["width"], 1001);
    let half = picture(60, 60, ImageFormat::Jpeg);
    blames(&upload(&alice, &half[..half.len() / 3]).await, "file");
    let (content_type, body) = form("picture", &half);
    alice.post("/v1/upload/image").body(content_type, body).await.blames("file");
    upload(&alice, &vec![0xff; 17 * 1024]).await.fails(413, "PAYLOAD_TOO_LARGE");
    upload(&alice, &vec![0xff; 40 * 1024]).await.fails(413, "PAYLOAD_TOO_LARGE");
    alice.post("/v1/upload/image").bytes("{}").await.fails(415, "UNSUPPORTED_MEDIA_TYPE");
    let (content_type, body) = form("file", &half);
    let stranger = t.post("/v1/upload/image").body(content_type, body).await;
    stranger.fails(401, "UNAUTHORIZED");
    assert_eq!(t.count("SELECT count(*) FROM media_objects"), 0);
}

#[tokio::test]
async fn a_user_uploads_so_much_in_a_day() {
    let t = TestApp::with(&[("UPLOADS_PER_DAY", "2")]).await;
    let alice = t.log_in("alice").await;
    for side in [10, 11] {
        upload(&alice, &picture(side, side, ImageFormat::Png)).await.ok();
    }
    let third = picture(12, 12, ImageFormat::Png);
    upload(&alice, &third).await.fails(403, "QUOTA_EXCEEDED");
    upload(&t.log_in("bob").await, &third).await.ok();
    t.clock.advance(Duration::from_secs(86_400));
    upload(&alice, &third).await.ok();
}

#[tokio::test]
async fn pictures_are_served_for_ever_and_in_parts() {
    let t = TestApp::start().await;
    let stored = store(&t, "job_1", Source::Bytes(picture(900, 700, ImageFormat::Png))).await;
    let stored = stored.unwrap();
    let path = format!("/media/{}", stored.key);
    let whole = t.get(&path).await;
    assert_eq!((whole.status, whole.body.len() as u64), (200, stored.bytes));
    assert!(whole.body.len() > 300_000, "more than one piece");
    assert_eq!(whole.header("content-type"), Some("image/png"));
    assert_eq!(whole.header("cache-control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(whole.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    assert_eq!(whole.header("content-length").unwrap(), whole.body.len().to_string());
    let etag = whole.header("etag").unwrap();
    assert!(etag.starts_with('"') && etag.ends_with('"'), "{etag}");

    let known = t.get(&path).header("if-none-match", etag).await;
    assert_eq!((known.status, known.body.len()), (304, 0));
    let head = t.call(poem::http::Method::HEAD, &path).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), whole.header("content-length"));

    let len = whole.body.len();
    for (range, first, last) in [
        ("bytes=0-0", 0, 0),
        ("bytes=131071-131073", 131_071, 131_073),
        ("bytes=1000-", 1000, len - 1),
        ("bytes=-500", len - 500, len - 1),
    ] {
        let part = t.get(&path).header("range", range).await;
        assert_eq!(part.status, 206, "{range}");
        assert_eq!(part.body, whole.body[first..=last], "{range}");
        let content_range = format!("bytes {first}-{last}/{len}");
        assert_eq!(part.header("content-range"), Some(content_range.as_str()));
    }
    let beyond = t.get(&path).header("range", format!("bytes={len}-")).await;
    assert_eq!((beyond.status, beyond.body.len()), (416, 0));
    assert_eq!(beyond.header("content-range").unwrap(), format!("bytes */{len}"));
    let other = t.get(&path).header("range", "bytes=0-0").header("if-range", "\"other\"").await;
    assert_eq!(other.status, 200);
    let same = t.get(&path).header("range", "bytes=0-0").header("if-range", etag).await;
    assert_eq!(same.status, 206);
    // Over a real socket too.
    let listening = t.listen();
    let wire = Wire::ask(listening.address, "GET", &path, &[], "").await;
    assert_eq!(wire.body, whole.body);
}

#[tokio::test]
async fn nothing_but_a_key_leads_to_a_file() {
    let t = TestApp::start().await;
    for path in [
        "/media/",
        "/media/x",
        "/media/../dream.db",
        "/media/..%2fdream.db",
        "/media/%2e%2e/dream.db",
        "/media/ab/../../dream.db",
        "/media//etc/passwd",
        "/media/.growing/1-0",
        "/media/ba/7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad.png",
        "/media/ba/7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad.png%00",
    ] {
        let answer = t.get(path).await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.text());
    }
    let answer = t.post("/media/x").await;
    answer.fails(405, "METHOD_NOT_ALLOWED");
    assert_eq!(answer.header("allow"), Some("GET, HEAD"));
}

#[tokio::test]
async fn a_result_is_fetched_from_the_image_api_labelled_and_kept_once() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let submitted = alice.generate(&json!({ "prompt": "月光" })).await.json();
    let url = finished(&alice, submitted["jobId"].as_str().unwrap()).await;
    let stored = store(&t, "job_1", Source::Url(url.clone())).await.unwrap();
    let full = get(&t, &stored.key).await;
    let text = String::from_utf8_lossy(&full.body);
    assert!(text.contains("\"ProduceID\":\"job_1-0\""), "no label");
    let thumbnail = get(&t, &stored.thumbnail_key).await;
    assert_eq!(thumbnail.header("content-type"), Some("image/jpeg"));
    assert!(String::from_utf8_lossy(&thumbnail.body).contains("job_1-0"));
    let small = image::load_from_memory(&thumbnail.body).unwrap();
    assert_eq!(small.width().max(small.height()), 512);
    assert_eq!(service::url(&t.app(), &stored.key), format!("{}/media/{}", base(&t), stored.key));

    // A job that is resumed stores the same again.
    assert_eq!(store(&t, "job_1", Source::Url(url)).await.unwrap(), stored);
    assert_eq!(t.count("SELECT count(*) FROM media_objects"), 2);
    assert_eq!(t.count("SELECT count(*) FROM media_holds WHERE holder = 'job:job_1'"), 2);
}

fn base(t: &TestApp) -> String {
    t.app().media.own_url.trim_end_matches("/media").to_owned()
}

async fn finished(user: &User, job_id: &str) -> String {
    for _ in 0..200 {
        let job = user.get(&format!("/v1/proxy/jobs/{job_id}")).await.ok();
        if let Some(url) = job["resultUrls"][0].as_str() {
            return url.to_owned();
        }
        tokio::task::yield_now().await;
    }
    panic!("the job does not end");
}

#[tokio::test]
async fn a_result_that_cannot_be_used_says_whether_to_try_again() {
    let page = Reaction::answer("200 OK", &[("content-type", "text/html")], b"<html>");
    let upstream = Upstream::start(page).await;
    let base = upstream.base();
    let t = TestApp::with(&[("IMAGE_API_BASE", &base), ("MEDIA_MAX_MEGAPIXELS", "1")]).await;
    let url = format!("{base}/files/a.png");
    let try_with = async |body: &[u8], status: &str| {
        upstream.react(Reaction::answer(status, &[("content-type", "image/png")], body));
        let err = store(&t, "job_1", Source::Url(url.clone())).await.unwrap_err();
        err.is_retryable()
    };
    let whole = picture(200, 200, ImageFormat::Png);
    assert!(try_with(b"", "404 Not Found").await);
    assert!(try_with(b"", "503 Service Unavailable").await);
    assert!(try_with(&whole[..whole.len() / 2], "200 OK").await, "cut on the way");
    assert!(try_with(b"<html>", "200 OK").await, "a gateway's page");
    assert!(!try_with(&picture(1200, 1000, ImageFormat::Png), "200 OK").await, "too many pixels");
    let inside = Source::Url("http://127.0.0.1:9/secret.png".to_owned());
    assert!(!store(&t, "job_1", inside).await.unwrap_err().is_retryable());
    assert_eq!(t.count("SELECT count(*) FROM media_objects"), 0);
    upstream.react(Reaction::answer("200 OK", &[("content-type", "image/png")], &whole));
    store(&t, "job_1", Source::Url(url)).await.unwrap();
}

#[tokio::test]
async fn what_nobody_holds_goes_after_a_day() {
    let t = TestApp::start().await;
    let app = t.app();
    let source = || Source::Bytes(picture(80, 80, ImageFormat::Png));
    let one = store(&t, "job_1", source()).await.unwrap();
    let two = store(&t, "job_2", source()).await.unwrap();
    assert_ne!(one.key, two.key, "each has its own label");
    let now = app.clock.now();
    let release = async |id: &str| {
        let holder = Holder::job(id);
        let held = app.db.write("test", move |tx| service::release(tx, &holder, now)).await;
        held.unwrap()
    };
    let kept = one.key.clone();
    let hold =
        move |tx: &dream_bff::db::Tx<'_>| service::hold(tx, &Holder::user(UserId(7)), &kept, now);
    assert!(app.db.write("test", hold).await.unwrap());
    assert_eq!((release("job_1").await, release("job_2").await), (2, 2));
    assert_eq!(release("job_2").await, 0);

    assert_eq!(service::sweep(&app).await.unwrap(), 0, "not yet");
    t.clock.advance(Duration::from_secs(86_400 + 1));
    // What is stored again just now stays.
    let again = store(&t, "job_3", Source::Bytes(picture(81, 81, ImageFormat::Png))).await.unwrap();
    assert_eq!(service::sweep(&app).await.unwrap(), 3);
    assert_eq!(get(&t, &one.key).await.status, 200, "the user holds it");
    for gone in [&one.thumbnail_key, &two.key, &two.thumbnail_key] {
        assert_eq!(get(&t, gone).await.status, 404);
    }
    assert_eq!(get(&t, &again.key).await.status, 200);
    assert_eq!(service::sweep(&app).await.unwrap(), 0);
    assert_eq!(store(&t, "job_2", source()).await.unwrap(), two, "and may come back");
    assert_eq!(get(&t, &two.key).await.status, 200);
}

/// The row stands before the bytes: whatever a crash leaves behind is found and removed.
#[tokio::test]
async fn what_a_crash_left_unheld_is_removed() {
    let t = TestApp::start().await;
    let stored =
        store(&t, "job_1", Source::Bytes(picture(50, 50, ImageFormat::Png))).await.unwrap();
    t.sql("DELETE FROM media_holds");
    t.sql("UPDATE media_objects SET unused_since = created_at, removing = 1");
    t.restart();
    // Half removed: nobody may hold it now, and the next sweep finishes.
    let again = store(&t, "job_1", Source::Bytes(picture(50, 50, ImageFormat::Png))).await;
    assert!(matches!(&again, Err(err @ MediaError::Removing) if err.is_retryable()));
    t.clock.advance(Duration::from_secs(86_400 + 1));
    t.run_periodic_tasks().await;
    assert_eq!(get(&t, &stored.key).await.status, 404);
    assert_eq!(t.count("SELECT count(*) FROM media_objects"), 0);
    store(&t, "job_1", Source::Bytes(picture(50, 50, ImageFormat::Png))).await.unwrap();
}

#[tokio::test]
async fn an_input_is_one_of_ours_or_public() {
    let t = TestApp::start().await;
    let app = t.app();
    let alice = t.log_in("alice").await;
    let done = upload(&alice, &picture(30, 30, ImageFormat::Png)).await.ok();
    let url = done["url"].as_str().unwrap();
    check_input(&app, url).unwrap();
    let (bytes, _) = load_input(&app, url).await.unwrap();
    assert_eq!(image::load_from_memory(&bytes).unwrap().width(), 30);
    check_input(&app, "https://example.com/a.png").unwrap();
    for bad in [
        format!("{}/v1/users/me", base(&t)),
        url.replace(".png", ".txt"),
        format!("{}/files/a.png", t.sandbox.image_api().base()),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        "file:///etc/passwd".to_owned(),
    ] {
        assert!(check_input(&app, &bad).is_err(), "{bad}");
        assert!(load_input(&app, &bad).await.is_err(), "{bad}");
    }
}

#[tokio::test]
async fn the_label_is_a_setting_and_a_bad_one_costs_no_picture() {
    let t = TestApp::start().await;
    let plain = picture(200, 200, ImageFormat::Png);
    let stored = async || {
        let stored = store(&t, "job_1", Source::Bytes(plain.clone())).await.unwrap();
        let body = get(&t, &stored.key).await.body;
        let image = image::load_from_memory(&body).unwrap();
        (image, String::from_utf8_lossy(&body).contains("\"ContentProducer\":\"Dream Ltd\""))
    };
    let with = async |change: serde_json::Value| {
        let section = settings::Section::Label;
        settings::service::change(&t.app(), section, change, "test").await.unwrap();
        stored().await
    };
    let unlabelled = image::load_from_memory(&plain).unwrap();
    let (usual, _) = with(json!({ "producer": "Dream Ltd" })).await;
    assert_ne!(usual, unlabelled);
    let (other, is_ours) = with(json!({ "text": "人工智能合成" })).await;
    assert!(other != usual && is_ours);
    assert_eq!(with(json!({ "visible": false })).await, (unlabelled, true));
    // Of an older program, which took it.
    let old = r#"'{"text":"梦境","producer":"Dream Ltd"}'"#;
    t.sql(&format!("UPDATE settings SET value = {old} WHERE key = 'label'"));
    settings::service::load(&t.app()).unwrap();
    assert_eq!(stored().await, (usual, true), "the usual one instead");
}
