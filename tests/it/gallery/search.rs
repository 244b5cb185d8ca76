//! Search, by words and by tags.

use super::{finished_job, ids, listed, publish, published, start};

#[tokio::test]
async fn chinese_is_found_by_any_part_of_it() {
    let t = start().await;
    let alice = t.log_in("alice").await;
    let ink = published(&alice, "水墨山水画，远山如黛").await;
    let city = published(&alice, "赛博朋克城市夜景，Neon lights, 8K").await;
    let fox = published(&alice, "a fox in the snow").await;
    for (q, expected) in [
        ("山水", vec![ink]),
        ("水墨山水画", vec![ink]),
        ("山", vec![ink]),
        ("黛", vec![ink]),
        ("水墨 远山", vec![ink]),
        ("山城", vec![]),
        ("城市", vec![city]),
        ("夜景 neon", vec![city]),
        ("NEON", vec![city]),
        ("ｎｅｏｎ", vec![city]),
        ("ligh", vec![city]),
        ("8k", vec![city]),
        ("fox snow", vec![fox]),
        ("fox 山水", vec![]),
        ("，", vec![]),
        ("", vec![fox, city, ink]),
    ] {
        assert_eq!(listed(&t, &format!("q={}", encoded(q))).await, expected, "{q}");
    }
    let page = t.get(&format!("/v1/gallery/images?page=1&q={}", encoded("山水"))).await.ok();
    assert_eq!((page["total"].as_i64(), ids(&page)), (Some(1), vec![ink]));
}

#[tokio::test]
async fn the_syntax_of_the_index_is_only_text() {
    let t = start().await;
    let alice = t.log_in("alice").await;
    let id = published(&alice, "fox OR NOT terms").await;
    for q in [
        "\"",
        "*",
        "fox*",
        "fox AND",
        "(fox",
        "terms:fox",
        "fox NEAR",
        "^fox",
        "'--",
        "a\" OR \"b",
        "-fox",
        "{x}:",
        "c:landscape",
        "t:x",
        "a:1",
        "\u{0}",
        "🦊",
        "%",
        "fox\\",
    ] {
        let answer = t.get(&format!("/v1/gallery/images?q={}", encoded(q))).await;
        assert!(answer.status == 200, "{q}: {}", answer.text());
    }
    assert_eq!(listed(&t, "q=c%3Alandscape").await, [0; 0]);
    assert_eq!(listed(&t, "q=OR%20not").await, [id]);
}

#[tokio::test]
async fn tags_and_filters_go_together() {
    let t = start().await;
    let (alice, bob) = (t.log_in("alice").await, t.log_in("bob").await);
    let job = finished_job(&alice, "山水", 2).await;
    let of = |answer: serde_json::Value| answer["imageId"].as_i64().unwrap();
    let one = of(publish(&alice, &job, 0, &["C++", "水墨"]).await);
    let two = of(publish(&alice, &job, 1, &["c"]).await);
    let job = finished_job(&bob, "山水", 1).await;
    let three = of(publish(&bob, &job, 0, &["水墨"]).await);
    let tag = |tag: &str| format!("tag={}", encoded(tag));
    assert_eq!(listed(&t, &tag("c++")).await, [one]);
    assert_eq!(listed(&t, &tag("#C")).await, [two]);
    assert_eq!(listed(&t, &tag("水墨")).await, [three, one]);
    assert_eq!(listed(&t, &tag("墨")).await, [0; 0]);
    assert_eq!(listed(&t, "tag=").await, [three, two, one]);
    let own = format!("authorId={}&", alice.id);
    assert_eq!(listed(&t, &format!("{own}{}", tag("水墨"))).await, [one]);
    let both = format!("{own}category=landscape");
    assert_eq!(listed(&t, &both).await, [two, one]);
    assert_eq!(listed(&t, &format!("{own}category=cartoon")).await, [0; 0]);
    assert_eq!(listed(&t, &format!("{both}&sort=hot&q={}", encoded("山水"))).await, [two, one]);
    let page = t.get(&format!("/v1/gallery/images?{both}&page=1&limit=1")).await.ok();
    assert_eq!((page["total"].as_i64(), ids(&page)), (Some(2), vec![two]));
    // Behind the first, by cursor, in both orders.
    for sort in ["new", "hot"] {
        let query = format!("{}&limit=1&sort={sort}", tag("水墨"));
        let first = t.get(&format!("/v1/gallery/images?{query}")).await.ok();
        let cursor = first["nextCursor"].as_str().unwrap();
        let rest = t.get(&format!("/v1/gallery/images?{query}&cursor={cursor}")).await.ok();
        assert_eq!((ids(&first), ids(&rest)), (vec![three], vec![one]));
        assert_eq!(rest["hasMore"], false);
    }
    t.get(&format!("/v1/gallery/images?tag={}", "x".repeat(21))).await.blames("tag");
}

/// As it stands in a query.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
