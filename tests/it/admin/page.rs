//! The page's files and who reaches them.

use crate::support::{TestApp, Wire};

#[tokio::test]
async fn the_page_is_asked_for_anew_and_answered_by_304_while_it_is_the_same() {
    let t = TestApp::start().await;
    for path in ["/admin", "/admin/"] {
        let page = t.get(path).await;
        assert_eq!(page.status, 200);
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        assert_eq!(page.header("cache-control"), Some("no-cache"));
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
        let policy = page.header("content-security-policy").unwrap();
        for part in ["default-src 'none'", "script-src 'self';", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe-eval") && !policy.contains('*'), "{policy}");
        let tag = page.header("etag").unwrap();
        assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
        let same = t.get(path).header("if-none-match", tag).await;
        assert_eq!((same.status, same.body.len()), (304, 0));
        let other = t.get(path).header("if-none-match", "\"x\"").await;
        assert_eq!(other.status, 200);
    }
}

#[tokio::test]
async fn there_is_nothing_beside_the_files() {
    let t = TestApp::start().await;
    for path in
        ["/admin/users", "/admin/assets/none.js", "/administrator", "/admin/..%2fCargo.toml"]
    {
        t.get(path).await.fails(404, "NOT_FOUND");
    }
    t.post("/admin").await.fails(405, "METHOD_NOT_ALLOWED");
    t.get("/admin/api/nothing").await.fails(404, "NOT_FOUND");
}

#[tokio::test]
async fn outside_the_allowed_networks_there_is_nothing() {
    let t = TestApp::with(&[
        ("ADMIN_ALLOWED_NETWORKS", "192.0.2.7,10.0.0.0/8"),
        ("TRUSTED_PROXIES", "127.0.0.1"),
    ])
    .await;
    let listening = t.listen();
    for path in ["/admin", "/admin/api/session"] {
        for (from, status) in
            [("192.0.2.7", [200, 401]), ("10.9.8.7", [200, 401]), ("192.0.2.8", [404, 404])]
        {
            let answer =
                Wire::ask(listening.address, "GET", path, &[("x-forwarded-for", from)], "").await;
            let expected = status[usize::from(path != "/admin")];
            assert_eq!(answer.status, expected, "{from} {path}: {}", answer.text());
        }
        // Whose address is not known is not let in.
        t.get(path).await.fails(404, "NOT_FOUND");
    }
    t.get("/healthz").await;
}
