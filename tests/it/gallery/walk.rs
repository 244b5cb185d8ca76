//! A walk by cursor while pictures come and go.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::{ids, many, start};
use crate::support::TestApp;

/// Walks through everything that `query` shows; the ids in the order they were met.
async fn walk(t: &TestApp, query: &str) -> Vec<i64> {
    let (mut met, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = t.get(&format!("/v1/gallery/images?limit=50{query}{cursor}")).await.ok();
        met.extend(ids(&page));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => {
                assert_eq!(page["hasMore"], false);
                return met;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_met_twice_and_nothing_missed_that_stays() {
    let t = Arc::new(start().await);
    let alice = t.log_in("alice").await;
    let staying = many(&t, 2_500, None);
    let leaving = many(&t, 2_500, Some(alice.id));
    let (done, changes) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let disturbing = {
        let (t, done, changes) = (Arc::clone(&t), Arc::clone(&done), Arc::clone(&changes));
        tokio::spawn(async move {
            let mut leaving = leaving.into_iter();
            while !done.load(Ordering::SeqCst) {
                many(&t, 3, None);
                // From both ends and out of the middle, through the API.
                for id in
                    [leaving.next_back(), leaving.next(), leaving.nth(7)].into_iter().flatten()
                {
                    alice.delete(&format!("/v1/gallery/images/{id}")).await.ok();
                }
                changes.fetch_add(1, Ordering::SeqCst);
            }
        })
    };
    let mut walks = Vec::new();
    for query in ["", "&sort=hot", "&category=cartoon"] {
        let before = changes.load(Ordering::SeqCst);
        walks.push((query, walk(&t, query).await));
        assert!(changes.load(Ordering::SeqCst) > before, "nothing happened meanwhile");
    }
    done.store(true, Ordering::SeqCst);
    disturbing.await.unwrap();
    for (query, met) in walks {
        let distinct: HashSet<i64> = met.iter().copied().collect();
        assert_eq!(distinct.len(), met.len(), "something was met twice: {query}");
        let expected: BTreeSet<i64> = match query {
            "&category=cartoon" => staying.iter().skip(1).step_by(2).copied().collect(),
            _ => staying.iter().copied().collect(),
        };
        let missed: Vec<&i64> = expected.iter().filter(|id| !distinct.contains(id)).collect();
        assert!(missed.is_empty(), "{query}: {} missed", missed.len());
    }
    let counted = t.get("/v1/gallery/images?page=1").await.ok()["total"].as_i64().unwrap();
    let public = "SELECT COUNT(*) FROM gallery_images WHERE status = 'APPROVED'";
    assert_eq!(counted, t.count(public));
}
