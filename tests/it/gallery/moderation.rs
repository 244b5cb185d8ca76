//! A picture held, approved, reported, hidden, restored, seen from outside at each step.

use dream_bff::base::ids::UserId;
use dream_bff::features::gallery::{Decision, GalleryError, ImageStatus, service};
use serde_json::json;

use super::{finished_job, listed, many, publish, published, set, start};
use crate::support::{TestApp, User};

async fn decide(t: &TestApp, id: i64, decision: Decision) -> Result<ImageStatus, GalleryError> {
    let app = t.app();
    let now = app.clock.now();
    let write = move |tx: &dream_bff::db::Tx<'_>| service::decide(tx, id, &decision, now);
    let done = app.db.write("test.decide", write).await?;
    service::changed(&app);
    Ok(done.after)
}

/// Whether everybody sees the picture: alone, in the list, in a search, in the total.
async fn is_seen(t: &TestApp, id: i64) -> bool {
    let alone = t.get(&format!("/v1/gallery/images/{id}")).await.status == 200;
    let in_list = listed(t, "").await.contains(&id);
    let found = listed(t, "q=fox").await.contains(&id);
    let total = t.get("/v1/gallery/images?page=1").await.ok()["total"] == 1;
    assert_eq!([alone, in_list, found], [total; 3]);
    total
}

async fn report(user: &User, id: i64) -> u16 {
    let body = json!({ "reason": "色情低俗", "detail": "不妥" });
    user.post(&format!("/v1/gallery/images/{id}/report")).json(&body).await.status
}

#[tokio::test]
async fn a_held_picture_waits_for_a_review() {
    let t = start().await;
    set(&t, json!({ "holdForReview": true })).await;
    let (alice, bob) = (t.log_in("alice").await, t.log_in("bob").await);
    let job = finished_job(&alice, "a fox", 1).await;
    let answer = publish(&alice, &job, 0, &[]).await;
    assert_eq!((&answer["status"], &answer["publishedAt"]), (&json!("PENDING"), &json!(null)));
    let id = answer["imageId"].as_i64().unwrap();
    let uri = format!("/v1/gallery/images/{id}");
    assert!(!is_seen(&t, id).await);
    bob.get(&uri).await.fails(404, "IMAGE_NOT_FOUND");
    // Not even that it exists can be told.
    bob.delete(&uri).await.fails(404, "IMAGE_NOT_FOUND");
    assert_eq!(report(&bob, id).await, 404);
    alice.get(&uri).await.ok();
    assert_eq!(alice.get("/v1/gallery/mine").await.ok()["items"][0]["status"], "PENDING");

    t.clock.advance(std::time::Duration::from_secs(3600));
    assert_eq!(decide(&t, id, Decision::Approve).await.unwrap(), ImageStatus::Approved);
    assert!(is_seen(&t, id).await);
    let again = publish(&alice, &job, 0, &[]).await;
    assert_eq!(again["status"], "APPROVED");
    let shown = t.get(&uri).await.ok();
    assert_eq!(shown["createdAt"], again["publishedAt"], "it is as old as its publication");
    let err = decide(&t, id, Decision::Approve).await.unwrap_err();
    assert!(matches!(err, GalleryError::Undecidable(ImageStatus::Approved)), "{err}");

    decide(&t, id, Decision::Hide("侵权".to_owned())).await.unwrap();
    assert!(!is_seen(&t, id).await);
    assert_eq!(alice.get("/v1/gallery/mine").await.ok()["items"][0]["statusReason"], "侵权");
    decide(&t, id, Decision::Restore).await.unwrap();
    assert!(is_seen(&t, id).await);
    decide(&t, id, Decision::Reject("侵权".to_owned())).await.unwrap();
    assert!(!is_seen(&t, id).await);
    assert_eq!(publish(&alice, &job, 0, &[]).await["status"], "REJECTED");
}

#[tokio::test]
async fn enough_reports_hide_a_picture_until_somebody_decides() {
    let t = start().await;
    set(&t, json!({ "reportsToHide": 2 })).await;
    let alice = t.log_in("alice").await;
    let id = published(&alice, "a fox").await;
    let (bob, carl) = (t.log_in("bob").await, t.log_in("carl").await);
    for _ in 0..3 {
        assert_eq!(report(&bob, id).await, 200);
    }
    assert!(is_seen(&t, id).await, "one user counts once");
    assert_eq!(report(&carl, id).await, 200);
    assert!(!is_seen(&t, id).await);
    assert_eq!(report(&alice, id).await, 404);

    let app = t.app();
    let read = |tx: &dream_bff::db::Tx<'_>| -> Result<_, dream_bff::db::DbError> {
        let reported = service::reported(tx, 0, 10)?;
        let hidden = service::held(tx, ImageStatus::Hidden, 0, 10)?;
        let ids = |images: Vec<dream_bff::features::gallery::Image>| -> Vec<i64> {
            images.iter().map(|image| image.id()).collect()
        };
        Ok((ids(reported), ids(hidden), service::open_reports(tx, id, 10)?))
    };
    let (reported, hidden, reports) = app.db.read_inline("test", read).unwrap();
    assert_eq!((reported, hidden, reports.len()), (vec![id], vec![id], 2));
    assert_eq!(reports[0].user, UserId(bob.id));
    decide(&t, id, Decision::Restore).await.unwrap();
    assert!(is_seen(&t, id).await);
    let (reported, hidden, reports) = app.db.read_inline("test", read).unwrap();
    assert_eq!((reported.len(), hidden.len(), reports.len()), (0, 0, 0));
    assert_eq!(t.count("SELECT COUNT(*) FROM reports WHERE status = 'DISMISSED'"), 2);
    for (body, field) in [
        (json!({}), "reason"),
        (json!({ "reason": "" }), "reason"),
        (json!({ "reason": "  " }), "reason"),
        (json!({ "reason": "x".repeat(65) }), "reason"),
        (json!({ "reason": "x", "detail": "x".repeat(501) }), "detail"),
    ] {
        let uri = format!("/v1/gallery/images/{id}/report");
        bob.post(&uri).json(&body).await.blames(field);
    }
}

#[tokio::test]
async fn a_ban_hides_and_a_deletion_removes_what_a_user_published() {
    let t = start().await;
    let (alice, bob) = (t.log_in("alice").await, t.log_in("bob").await);
    let id = published(&alice, "a fox").await;
    let others = many(&t, 2, Some(bob.id));
    alice.post(&format!("/v1/gallery/images/{}/like", others[0])).await.ok();
    let (app, user) = (t.app(), UserId(alice.id));
    let now = app.clock.now();
    let total = async || t.get("/v1/gallery/images?page=1").await.ok()["total"].as_i64().unwrap();

    t.sql(&format!("UPDATE users SET banned_at = 1 WHERE id = {}", alice.id));
    let hide = app.db.write("test", move |tx| service::hide_all_of(tx, user, now));
    assert_eq!(hide.await.unwrap(), 1);
    service::changed(&app);
    assert_eq!((listed(&t, "").await, total().await), (vec![others[1], others[0]], 2));
    t.get(&format!("/v1/gallery/images/{id}")).await.fails(404, "IMAGE_NOT_FOUND");
    // Nothing brings it back while the ban holds.
    assert_eq!(decide(&t, id, Decision::Restore).await.unwrap(), ImageStatus::Hidden);
    let restore = app.db.write("test", move |tx| service::restore_all_of(tx, user, now));
    assert_eq!(restore.await.unwrap(), 0);

    t.sql(&format!("UPDATE users SET banned_at = NULL WHERE id = {}", alice.id));
    let restore = app.db.write("test", move |tx| service::restore_all_of(tx, user, now));
    assert_eq!(restore.await.unwrap(), 1);
    service::changed(&app);
    assert_eq!(listed(&t, "").await, [others[1], others[0], id], "back in its old place");
    assert_eq!(listed(&t, "q=fox").await, [id]);

    let delete = app.db.write("test", move |tx| {
        assert!(!service::forget_user(tx, user)?, "that was all");
        service::delete_all_of(tx, user, now)
    });
    assert_eq!(delete.await.unwrap(), 1);
    service::changed(&app);
    assert_eq!((listed(&t, "").await, total().await), (vec![others[1], others[0]], 2));
    let liked = bob.get(&format!("/v1/gallery/images/{}", others[0])).await.ok();
    assert_eq!(liked["likes"], 0);
    assert_eq!(t.count("SELECT COUNT(*) FROM image_likes"), 0);
}
