//! `/v1/users/me`.

use crate::support::TestApp;

#[tokio::test]
async fn a_user_sees_himself() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await;
    let me = alice.get("/v1/users/me").await.ok();
    assert_eq!(me["openid"], "alice");
    t.restart();
    assert_eq!(alice.get("/v1/users/me").await.ok(), me);
}
