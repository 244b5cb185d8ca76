//! What is left of jobs: streams that end, jobs that are cancelled together, history that goes.

use dream_bff::base::ids::UserId;
use dream_bff::features::generations::service::cancel_all_queued;
use dream_bff::features::media::{Holder, MediaError, service};

use super::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

#[tokio::test]
async fn a_user_has_so_many_streams_and_a_shutdown_ends_them() {
    let t = start().await;
    let (alice, bob) = (t.log_in("alice").await, t.log_in("bob").await);
    t.sandbox.image_api().set_latency(FOREVER);
    let id = submitted(&alice, &draft()).await;
    when(&alice, &id, &["RUNNING"]).await;
    let path = format!("/v1/jobs/{id}/events");
    let mut streams: Vec<_> = (0..8).map(|_| alice.get(&path).into_future()).collect();
    for stream in &mut streams {
        assert!(futures_util::poll!(stream).is_pending());
    }
    let refused = alice.get(&path).await;
    refused.fails(429, "RATE_LIMIT_EXCEEDED");
    // One that is left makes room; another user's are his own.
    drop(streams.pop());
    let mut again = alice.get(&path).into_future();
    assert!(futures_util::poll!(&mut again).is_pending());
    streams.push(again);
    let his = submitted(&bob, &draft()).await;
    let mut other = bob.get(&format!("/v1/jobs/{his}/events")).into_future();
    assert!(futures_util::poll!(&mut other).is_pending());
    let waiting = alice.get(&format!("/v1/jobs/{id}?wait=25")).into_future();

    let streams = join_all(streams);
    let stop = async { t.restart() };
    let (ended, _, ()) = tokio::join!(streams, waiting, stop);
    for answer in ended {
        assert_eq!(answer.status, 200);
        let events = answer.text().lines().filter(|line| line.starts_with("data:")).count();
        assert_eq!(events, 1, "{}", answer.text());
    }
}

#[tokio::test]
async fn all_waiting_jobs_of_a_user_are_cancelled_and_given_back() {
    let t = start().await;
    let may = json!({ "NORMAL": { "freePerDay": 3, "concurrency": 1 } });
    set(&t, Section::Entitlements, may).await;
    let api = t.sandbox.image_api();
    api.set_latency(FOREVER);
    let (alice, bob) = (t.log_in("alice").await, t.log_in("bob").await);
    let running = submitted(&alice, &draft()).await;
    let there = there(&t, &alice, &running).await;
    let mut waiting = Vec::new();
    for _ in 0..6 {
        waiting.push(submitted(&alice, &draft()).await);
    }
    let others = [submitted(&bob, &draft()).await, submitted(&bob, &draft()).await];
    assert_eq!((balance(&alice).await, used_today(&alice).await), (6, 3));

    let app = t.app();
    let cancel = || cancel_all_queued(&app, UserId(alice.id));
    let (a, b) = tokio::join!(cancel(), cancel());
    assert_eq!(a.unwrap() + b.unwrap(), 6, "each is cancelled once");
    for id in &waiting {
        assert_eq!(job(&alice, id).await["status"], "CANCELED");
    }
    assert_eq!((balance(&alice).await, used_today(&alice).await), (10, 1));
    assert_eq!(cancel().await.unwrap(), 0);
    assert!(api.end_job(&there, &Outcome::Succeed));
    assert_eq!(ended(&alice, &running).await["status"], "SUCCEEDED");
    assert_eq!(job(&bob, &others[1]).await["status"], "QUEUED");
    assert_books_balance(&t).await;
}

#[tokio::test]
async fn old_jobs_go_with_their_pictures_and_members_keep_theirs() {
    let t = start().await;
    set(&t, Section::Entitlements, json!({ "NORMAL": { "freePerDay": 0 } })).await;
    let (alice, vera) = (t.log_in("alice").await, t.log_in("vera").await);
    t.sql(&format!(
        "UPDATE users SET vip_level = 'VIP', vip_expire_at = 9999999999999 WHERE id = {}",
        vera.id
    ));
    let mut paths = Vec::new();
    for user in [&alice, &vera] {
        let id = submitted(user, &draft()).await;
        let done = ended(user, &id).await;
        assert_eq!(done["status"], "SUCCEEDED");
        let url = done["resultUrls"][0].as_str().unwrap().to_owned();
        paths.push(url[url.find("/media/").unwrap()..].to_owned());
    }
    let shown = submitted(&alice, &json!({ "prompt": "shown", "mode": "draft" })).await;
    let done = ended(&alice, &shown).await;
    let url = done["resultUrls"][0].as_str().unwrap();
    let key = url[url.find("/media/").unwrap() + "/media/".len()..].to_owned();
    // Somebody else needs this picture too, as the gallery does.
    let (app, held) = (t.app(), key.clone());
    let now = app.clock.now();
    let hold = app.db.write("test.hold", move |tx| {
        Ok::<_, MediaError>(service::hold(tx, &Holder::user(UserId(999)), &held, now)?)
    });
    assert!(hold.await.unwrap());

    t.clock.advance(29 * DAY);
    t.run_periodic_tasks().await;
    let (alice, vera) = (t.log_in("alice").await, t.log_in("vera").await);
    let recent = submitted(&alice, &draft()).await;
    assert_eq!(ended(&alice, &recent).await["status"], "SUCCEEDED");
    let list = |user: &User| user.get("/v1/jobs?page=1").into_future();
    assert_eq!(list(&alice).await.ok()["total"], 3);

    t.clock.advance(2 * DAY);
    t.run_periodic_tasks().await;
    let left = list(&alice).await.ok();
    assert_eq!((&left["total"], &left["items"][0]["id"]), (&json!(1), &json!(recent)));
    assert_eq!(left["items"].as_array().unwrap().len(), 1);
    alice.get(&format!("/v1/jobs/{shown}")).await.fails(404, "JOB_NOT_FOUND");
    assert_eq!(list(&vera).await.ok()["total"], 1);
    // What was had and paid is not forgotten.
    assert_eq!(alice.get("/v1/jobs/quota").await.ok()["totalGenerations"], 3);
    assert_eq!(balance(&alice).await, 7);
    assert_books_balance(&t).await;

    t.clock.advance(5 * DAY);
    t.run_periodic_tasks().await;
    assert_eq!(t.get(&paths[0]).await.status, 404, "nobody needs it");
    assert_eq!(t.get(&paths[1]).await.status, 200);
    assert_eq!(t.get(&format!("/media/{key}")).await.status, 200);

    // A setting holds within a day, and a history that is empty is not looked at any more.
    set(&t, Section::Entitlements, json!({ "NORMAL": { "historyDays": 1 } })).await;
    t.clock.advance(DAY);
    t.run_periodic_tasks().await;
    let alice = t.log_in("alice").await;
    assert_eq!(list(&alice).await.ok()["total"], 0);
    let due = format!("SELECT COUNT(*) FROM generation_histories WHERE user_id = {}", alice.id);
    assert_eq!(t.count(&due), 0);
}

#[tokio::test]
async fn a_long_history_goes_in_parts() {
    let t = start().await;
    let alice = t.log_in("alice").await;
    let id = submitted(&alice, &draft()).await;
    assert_eq!(ended(&alice, &id).await["status"], "SUCCEEDED");
    // Columns that say nothing about age are those of the one real job.
    t.sql(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 350)
         INSERT INTO generations
           (job_id, user_id, status, prompt, mode, resolution, aspect_ratio, sample_count, quota_day,
            quota_used, points_charged, deadline_at, created_at, updated_at, completed_at)
         SELECT printf('%032x', i), user_id, status, prompt, mode, resolution, aspect_ratio, 1,
                quota_day, 0, 0, deadline_at, created_at - i, updated_at, completed_at
           FROM n, generations g WHERE g.status = 'SUCCEEDED'",
    );
    t.clock.advance(31 * DAY);
    t.run_periodic_tasks().await;
    assert_eq!(t.count("SELECT COUNT(*) FROM generations"), 0);
    assert_eq!(t.count("SELECT SUM(removed) FROM generation_counts"), 351);
    assert_eq!(t.count("SELECT SUM(jobs) FROM generation_counts"), 0);
}

#[tokio::test]
async fn looking_for_old_jobs_reads_by_index() {
    let t = start().await;
    let database = t.database();
    for (query, index) in [
        (
            "SELECT user_id FROM generation_histories WHERE review_at <= 5
              ORDER BY review_at, user_id LIMIT 2",
            "generation_histories_review_idx",
        ),
        (
            "SELECT job_id FROM generations
              WHERE user_id = 1 AND created_at < 5 AND completed_at IS NOT NULL
              ORDER BY created_at, seq LIMIT 2",
            "generations_user_idx",
        ),
        ("SELECT id FROM proxy_charges WHERE state = 'OPEN' AND id > 1 ORDER BY id LIMIT 2", "idx"),
    ] {
        let mut plan = database.prepare(&format!("EXPLAIN QUERY PLAN {query}")).unwrap();
        let steps: Vec<String> =
            plan.query_map([], |row| row.get("detail")).unwrap().map(Result::unwrap).collect();
        let is_good = |step: &String| !step.contains("SCAN") && !step.contains("TEMP B-TREE");
        assert!(steps.iter().all(is_good) && steps[0].contains(index), "{query}: {steps:?}");
    }
}
