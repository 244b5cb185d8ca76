//! Every operation of the API document, called by everybody who must not: without a token, with a
//! wrong one, with another user's. A new operation is in none of the tables here and fails the test
//! until somebody has thought about who may call it.

use dream_bff::sandbox::Fault;
use poem::http::Method;
use serde_json::json;

use crate::openapi::{Operation, PUBLIC, operations, placeholders};
use crate::support::{Answer, TestApp, User};

/// Who may call an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// Everybody.
    Public,
    /// Everybody; with a token, which must be good, it says more.
    Optional,
    /// Every user, about himself or what is everybody's.
    User,
    /// Every user, about a thing that he himself made: its id is in the path.
    Owner,
    /// Every user, about a thing that everybody sees: its id is in the path. Who may do what to it is
    /// a matter of its own tests.
    Shared,
}

const OPERATIONS: &[(&str, Access)] = &[
    ("addFavorite", Access::User),
    ("announceImageJob", Access::Public),
    ("cancelJob", Access::Owner),
    ("cancelOrder", Access::Owner),
    ("changeMe", Access::User),
    ("checkFavorite", Access::User),
    ("checkIn", Access::User),
    ("checkPushUrl", Access::Public),
    ("checkToken", Access::User),
    ("consentToMessages", Access::User),
    ("deleteGalleryImage", Access::Shared),
    ("deleteMe", Access::User),
    ("exportMe", Access::User),
    ("followJob", Access::Owner),
    ("generateImages", Access::User),
    ("getAnnouncement", Access::Public),
    ("getGalleryImage", Access::Optional),
    ("getJob", Access::Owner),
    ("getGlobalStats", Access::Public),
    ("getJobQuota", Access::User),
    ("getMe", Access::User),
    ("getMyStats", Access::User),
    ("getParamTemplate", Access::Public),
    ("getOrder", Access::Owner),
    ("getPointsBalance", Access::User),
    ("getPromptTemplate", Access::Public),
    ("getStatsOverview", Access::User),
    ("getUserInfo", Access::User),
    ("getVipInfo", Access::User),
    ("getVipOrder", Access::Owner),
    ("likeGalleryImage", Access::Shared),
    ("listFavorites", Access::User),
    ("listGalleryCategories", Access::Public),
    ("listGalleryImages", Access::Optional),
    ("listJobs", Access::User),
    ("listMessages", Access::User),
    ("listMyGalleryImages", Access::User),
    ("listMyInvites", Access::User),
    ("listOrders", Access::User),
    ("listParamTemplates", Access::Public),
    ("listPointsPacks", Access::Public),
    ("listPointsTransactions", Access::User),
    ("listPromptTemplates", Access::Public),
    ("listVipOrders", Access::User),
    ("listVipPlans", Access::Public),
    ("logout", Access::User),
    ("logoutAll", Access::User),
    ("notifyPayment", Access::Public),
    ("notifyRefund", Access::Public),
    ("payOrder", Access::Owner),
    ("placeOrder", Access::User),
    ("proxyCancelJob", Access::Owner),
    ("proxyGenerate", Access::User),
    ("proxyGetJob", Access::Owner),
    ("purchaseVip", Access::User),
    ("quoteVipPlan", Access::User),
    ("pushWechatEvent", Access::Public),
    ("rechargePoints", Access::User),
    ("publishImage", Access::User),
    ("redeemCode", Access::User),
    ("refreshToken", Access::Public),
    ("removeFavorite", Access::Owner),
    ("reportGalleryImage", Access::Shared),
    ("setMyPhone", Access::User),
    ("submitJob", Access::User),
    ("unlikeGalleryImage", Access::Shared),
    ("uploadImage", Access::User),
    ("usePromptTemplate", Access::Shared),
    ("wechatLogin", Access::Public),
];

/// A fresh thing of `user`, for a parameter of a path.
async fn thing_of(t: &TestApp, user: &User, operation: &Operation, parameter: &str) -> String {
    match parameter {
        "jobId" if operation.path.starts_with("/v1/jobs/") => {
            // It waits for ever, so that it can be cancelled: the image API asks for a pause at the
            // first job, and the clock stands still.
            t.sandbox.image_api().submit_faults().always(Fault::Error { code: 503 });
            let created = user.post("/v1/jobs").json(&json!({ "prompt": "mine" })).await;
            assert_eq!(created.status, 202, "{}", created.text());
            let id = created.json()["jobId"].as_str().unwrap().to_owned();
            let path = format!("/v1/jobs/{id}");
            for _ in 0..3 {
                if user.get(&format!("{path}?wait=1")).await.ok()["status"] == "RETRYING" {
                    break;
                }
            }
            if operation.id == "followJob" {
                // A stream ends with its job.
                user.delete(&path).await.ok();
            }
            id
        }
        "orderId" => {
            let wish = json!({ "planId": "vip_month", "paymentMethod": "wechat" });
            let placed = user.post("/v1/orders").json(&wish).await.ok();
            placed["orderId"].as_str().unwrap().to_owned()
        }
        "jobId" => {
            t.sandbox.image_api().submit_faults().clear();
            // It is to be there still when its owner comes for it.
            t.sandbox.image_api().set_latency(std::time::Duration::from_secs(3600));
            let created = user.generate(&json!({ "prompt": "mine" })).await;
            assert_eq!(created.status, 202, "{}", created.text());
            created.json()["jobId"].as_str().unwrap().to_owned()
        }
        "favoriteId" => {
            let image = crate::gallery::many(t, 1, None)[0].to_string();
            let body = json!({ "type": "image", "resourceId": image });
            let created = user.post("/v1/favorites").json(&body).await;
            assert_eq!(created.status, 201, "{}", created.text());
            created.json()["favoriteId"].to_string()
        }
        other => panic!("say here how a user gets a thing for {{{other}}}"),
    }
}

fn access(operation: &Operation) -> Access {
    let found = OPERATIONS.iter().find(|(id, _)| *id == operation.id);
    found.map(|(_, access)| *access).unwrap_or_else(|| {
        panic!(
            "{} ({} {}) is new: add it to OPERATIONS with who may call it, and to PUBLIC in \
             openapi.rs when everybody may",
            operation.id, operation.method, operation.path
        )
    })
}

/// The operations of the document that take a token.
async fn with_token(t: &TestApp) -> Vec<Operation> {
    let all = operations(t).await;
    all.into_iter().filter(|operation| access(operation) != Access::Public).collect()
}

/// Those that need one.
async fn protected(t: &TestApp) -> Vec<Operation> {
    let all = with_token(t).await;
    all.into_iter().filter(|operation| access(operation) != Access::Optional).collect()
}

fn method(operation: &Operation) -> Method {
    operation.method.parse().unwrap()
}

/// The path with something in place of its parameters.
fn path_with(operation: &Operation, value: &str) -> String {
    let mut path = operation.path.clone();
    for name in placeholders(&operation.path) {
        path = path.replace(&format!("{{{name}}}"), value);
    }
    path
}

#[tokio::test]
async fn every_operation_has_its_row_and_every_row_its_operation() {
    let t = TestApp::start().await;
    let operations = operations(&t).await;
    for operation in &operations {
        let access = access(operation);
        assert_eq!(access == Access::Public, PUBLIC.contains(&operation.id.as_str()));
        let is_about_a_thing = !placeholders(&operation.path).is_empty();
        assert!(
            access != Access::Owner || is_about_a_thing,
            "{} is for owners and has no id in its path",
            operation.id
        );
        assert!(
            access != Access::User || !is_about_a_thing,
            "{}: whose thing is it? Make it Owner or Shared, or give it a word of its own",
            operation.id
        );
    }
    for (id, _) in OPERATIONS {
        assert!(
            operations.iter().any(|operation| operation.id == *id),
            "{id} is gone: drop its row"
        );
    }
}

#[tokio::test]
async fn without_a_token_there_is_nothing() {
    let t = TestApp::start().await;
    let token = t.log_in("alice").await.token;
    for operation in protected(&t).await {
        // The body is wrong too, and the thing does not exist: the token is judged before both.
        let path = path_with(&operation, "no-such-thing");
        let call = || t.call(method(&operation), &path).bytes("{");
        let in_query = t.call(method(&operation), &format!("{path}?token={token}")).bytes("{");
        for answer in [
            call().await,
            call().header("authorization", "").await,
            call().header("authorization", "Basic YWxpY2U6eA==").await,
            call().header("authorization", &token).await,
            in_query.await,
        ] {
            answer.fails(401, "UNAUTHORIZED");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{}", operation.id);
        }
    }
}

#[tokio::test]
async fn with_a_wrong_token_there_is_nothing() {
    let t = TestApp::start().await;
    let good = t.log_in("alice").await.token;
    let (signed, _) = good.rsplit_once('.').unwrap();
    let unsigned = format!("{signed}.");
    let other_signature = format!("{signed}.{}", "A".repeat(43));
    for operation in with_token(&t).await {
        let path = path_with(&operation, "no-such-thing");
        for token in ["x", "a.b.c", &unsigned, &other_signature] {
            let answer = t.call(method(&operation), &path).token(token).bytes("{").await;
            answer.fails(401, "INVALID_TOKEN");
        }
    }
}

#[tokio::test]
async fn with_a_good_token_every_operation_opens() {
    let t = TestApp::start().await;
    for operation in protected(&t).await {
        // Anew each time: some operations end the session.
        let alice = t.log_in("alice").await;
        let path = path_with(&operation, "no-such-thing");
        let answer = call_as(&t, &alice, &operation, &path).await;
        assert!(![401, 403].contains(&answer.status), "{}: {}", operation.id, answer.text());
    }
}

#[tokio::test]
async fn things_of_others_do_not_exist() {
    let t = TestApp::start().await;
    let (alice, bob) = (t.log_in("alice").await, t.log_in("bob").await);
    let all = protected(&t).await;
    for operation in all.into_iter().filter(|operation| access(operation) == Access::Owner) {
        for parameter in placeholders(&operation.path) {
            let path = path_with(&operation, &thing_of(&t, &alice, &operation, parameter).await);
            let to_bob = call_as(&t, &bob, &operation, &path).await;
            let nothing = path_with(&operation, "no-such-thing");
            let to_bob_of_nothing = call_as(&t, &bob, &operation, &nothing).await;
            // Not even that it exists can be told from the answer.
            assert_eq!(to_bob.status, 404, "{}: {}", operation.id, to_bob.text());
            for member in ["error", "message"] {
                assert_eq!(to_bob.json()[member], to_bob_of_nothing.json()[member]);
            }
            let to_alice = call_as(&t, &alice, &operation, &path).await;
            assert!(to_alice.status < 300, "{}: {}", operation.id, to_alice.text());
        }
    }
}

#[tokio::test]
async fn what_is_public_needs_no_token() {
    let t = TestApp::start().await;
    for operation in operations(&t).await {
        if access(&operation) == Access::Public {
            let thing =
                if operation.path.contains("/params/") { "quick-preview" } else { "guofeng-ink" };
            let path = path_with(&operation, thing);
            let answer = t.call(method(&operation), &path).bytes("{}").await;
            let is_signed = ["announceImageJob", "checkPushUrl", "pushWechatEvent"];
            if ["notifyPayment", "notifyRefund"].contains(&&*operation.id) {
                // Likewise, and WeChat Pay reads another shape.
                assert_eq!((answer.status, &answer.json()["code"]), (401, &json!("FAIL")));
            } else if is_signed.contains(&&*operation.id) {
                // No token, but a signature over what it says.
                answer.fails(401, "UNAUTHORIZED");
            } else if operation.method == "GET" {
                answer.ok();
            } else {
                answer.fails(400, "INVALID_REQUEST");
            }
        }
    }
}

async fn call_as(t: &TestApp, user: &User, operation: &Operation, path: &str) -> Answer {
    let call = t.call(method(operation), path).token(&user.token);
    if operation.method == "GET" { call.await } else { call.bytes("{}").await }
}
