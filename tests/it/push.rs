//! WeChat's message push, from the signed and encrypted bytes to what they change.

mod money;
mod pusher;

use serde_json::json;

use self::pusher::{Form, Pusher, SETTINGS, Sealed, TOKEN, sign};
use crate::support::{Answer, TestApp};

async fn start() -> TestApp {
    TestApp::with(&SETTINGS).await
}

/// An event that is nothing to us.
fn unknown() -> serde_json::Value {
    json!({ "MsgType": "event", "Event": "debug_demo", "debug_str": "hello" })
}

#[track_caller]
fn is_success(answer: &Answer) {
    assert_eq!((answer.status, answer.text().as_str()), (200, "success"));
    assert!(answer.header("content-type").unwrap().starts_with("text/plain"));
}

#[tokio::test]
async fn the_console_learns_that_the_address_is_ours() {
    let t = start().await;
    let time = (t.clock.now().0 / 1000).to_string();
    let signature = sign(&[TOKEN, &time, "77"]);
    let uri = |signature: &str, time: &str| {
        format!(
            "/v1/wechat/push?signature={signature}&timestamp={time}&nonce=77&echostr=4375%3C120948"
        )
    };
    let answer = t.get(&uri(&signature, &time)).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "4375<120948"));
    assert!(answer.header("content-type").unwrap().starts_with("text/plain"));

    t.get(&uri(&sign(&["other", &time, "77"]), &time)).await.fails(401, "UNAUTHORIZED");
    t.get("/v1/wechat/push").await.fails(401, "UNAUTHORIZED");
    t.clock.advance(std::time::Duration::from_secs(301));
    t.get(&uri(&signature, &time)).await.fails(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn without_keys_everything_is_refused() {
    let t = TestApp::with(&[("WECHAT_PUSH_TOKEN", ""), ("WECHAT_PUSH_AES_KEY", "")]).await;
    Pusher::of(&t, "1", unknown()).send(&t).await.fails(401, "UNAUTHORIZED");
    t.get("/v1/wechat/push?echostr=1").await.fails(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn what_is_nothing_to_us_is_taken_in_json_and_in_xml() {
    let t = start().await;
    is_success(&Pusher::of(&t, "1", unknown()).send(&t).await);
    let xml = "<xml><MsgType>event</MsgType><Event><![CDATA[debug_demo]]></Event></xml>";
    is_success(&Pusher::of(&t, "2", xml).send(&t).await);
    // A message of a user to customer service has no event.
    is_success(&Pusher::of(&t, "3", json!({"MsgType": "text", "Content": "hi"})).send(&t).await);
}

#[tokio::test]
async fn the_content_type_does_not_matter() {
    let t = start().await;
    for (nonce, kind) in ["text/plain", "application/octet-stream", "text/xml"].iter().enumerate() {
        let Sealed { query, body } = Pusher::of(&t, &nonce.to_string(), unknown()).sealed();
        is_success(&t.post(&format!("/v1/wechat/push?{query}")).body(kind, body).await);
    }
}

#[tokio::test]
async fn a_push_of_another_time_is_refused() {
    let t = start().await;
    for (seconds, is_good) in [(-301, false), (-300, true), (300, true), (301, false)] {
        let mut push = Pusher::of(&t, "1", unknown());
        push.timestamp += seconds;
        let answer = push.send(&t).await;
        match is_good {
            true => is_success(&answer),
            false => drop(answer.fails(401, "UNAUTHORIZED")),
        }
    }
}

#[tokio::test]
async fn a_replayed_nonce_is_refused_and_the_very_same_push_is_not_worked_on() {
    let t = start().await;
    let first = Pusher::of(&t, "same", unknown());
    is_success(&first.send(&t).await);
    // WeChat did not hear the answer and sends the same bytes again.
    is_success(&first.send(&t).await);
    let other = Pusher { message: json!({"Event": "other"}).to_string(), ..first.clone() };
    other.send(&t).await.fails(401, "UNAUTHORIZED");
    // When nobody remembers the nonce any more, the time refuses it.
    t.clock.advance(std::time::Duration::from_secs(301));
    first.send(&t).await.fails(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn a_push_for_another_app_is_refused() {
    let t = start().await;
    let mut push = Pusher::of(&t, "1", unknown());
    push.appid = "wx0000000000000000".to_owned();
    push.send(&t).await.fails(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn a_push_signed_with_another_token_is_refused() {
    let t = start().await;
    let mut push = Pusher::of(&t, "1", unknown());
    push.token = "stolen".to_owned();
    push.send(&t).await.fails(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn every_tampered_byte_is_noticed() {
    let t = start().await;
    let good = Pusher::of(&t, "1", unknown()).sealed();
    let from = good.body.find("Encrypt\":\"").unwrap() + 10;
    let to = from + good.body[from..].find('"').unwrap();
    for at in (from..to).step_by(11) {
        let mut body = good.body.clone().into_bytes();
        body[at] = if body[at] == b'A' { b'B' } else { b'A' };
        let tampered = Sealed { body: String::from_utf8(body).unwrap(), ..good.clone() };
        tampered.send(&t).await.fails(401, "UNAUTHORIZED");
    }
    // None of that has used up the nonce.
    is_success(&good.send(&t).await);
}

#[tokio::test]
async fn plain_mode_is_refused() {
    let t = start().await;
    let time = (t.clock.now().0 / 1000).to_string();
    let signature = sign(&[TOKEN, &time, "1"]);
    let body = unknown().to_string();
    for query in [
        format!("signature={signature}&timestamp={time}&nonce=1"),
        // The plain signature in the place of the other.
        format!("msg_signature={signature}&timestamp={time}&nonce=1&encrypt_type=aes"),
    ] {
        let plain = Sealed { query, body: body.clone() };
        plain.send(&t).await.fails(401, "UNAUTHORIZED");
    }
    // Compatible mode has both; what is in the clear is not looked at.
    let mut both = Pusher::of(&t, "2", unknown()).sealed();
    both.body = both.body.replacen('{', r#"{"Event":"xpay_goods_deliver_notify","#, 1);
    is_success(&both.send(&t).await);
}

#[tokio::test]
async fn xml_with_a_dtd_is_refused_outside_and_inside() {
    let t = start().await;
    let dtd = r#"<!DOCTYPE xml [<!ENTITY e SYSTEM "file:///etc/passwd">]>"#;
    let message = "<xml><Event>&e;</Event></xml>";
    let inside = Pusher::of(&t, "1", format!("{dtd}{message}"));
    inside.send(&t).await.fails(400, "INVALID_REQUEST");
    Pusher::of(&t, "2", message).send(&t).await.fails(400, "INVALID_REQUEST");
    let mut outside = Pusher { form: Form::Xml, ..Pusher::of(&t, "3", unknown()) }.sealed();
    outside.body = format!("{dtd}{}", outside.body);
    outside.send(&t).await.fails(400, "INVALID_REQUEST");
}

#[tokio::test]
async fn rubbish_is_refused_without_a_trace() {
    let t = start().await;
    let good = Pusher::of(&t, "1", unknown()).sealed();
    for body in ["", "{}", "[]", "null", "<", "\u{0}", "<xml></xml>", "{\"Encrypt\":7}"] {
        let answer = Sealed { body: body.to_owned(), ..good.clone() }.send(&t).await;
        assert!(matches!(answer.status, 400 | 401), "{body}: {}", answer.text());
    }
    // Signed, and no message of any kind inside.
    for (nonce, message) in ["", "{", "[]", "{}", "<xml></xml>"].into_iter().enumerate() {
        let push = Pusher::of(&t, &format!("signed-{nonce}"), message);
        push.send(&t).await.fails(400, "INVALID_REQUEST");
    }
}

#[tokio::test]
async fn a_megabyte_is_refused() {
    let t = start().await;
    let huge = json!({ "Event": "debug_demo", "padding": "x".repeat(1024 * 1024) });
    Pusher::of(&t, "1", huge).send(&t).await.fails(413, "PAYLOAD_TOO_LARGE");
    let large = json!({ "Event": "debug_demo", "padding": "x".repeat(32 * 1024) });
    is_success(&Pusher::of(&t, "2", large).send(&t).await);
}
