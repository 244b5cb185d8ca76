//! The rules of WeChat over real HTTP, and every knob.

use std::time::Duration;

use serde_json::json;

use super::WechatSim;
use crate::base::clock::{Clock, Stopwatch, TestClock};
use crate::base::rng::Rng;
use crate::base::time::UnixMillis;
use crate::sandbox::crypto;
use crate::sandbox::testing::{Answer, Inbox, Wire};
use crate::sandbox::{Fault, PictureVerdict, Sandbox, SandboxSettings, Suggest, WechatPaySim};

const START: UnixMillis = UnixMillis(1_769_688_000_000);

struct World {
    sandbox: Sandbox,
    clock: TestClock,
    wire: Wire,
}

impl World {
    async fn start() -> Self {
        let clock = TestClock::at(START);
        let settings = SandboxSettings::default();
        let sandbox =
            Sandbox::start(settings, Clock::test(clock.clone()), Rng::seeded(1)).await.unwrap();
        Self { sandbox, clock, wire: Wire::default() }
    }

    fn wechat(&self) -> &WechatSim {
        self.sandbox.wechat()
    }

    async fn log_in_as(&self, appid: &str, secret: &str, grant: &str, code: &str) -> Answer {
        let url = format!(
            "{}/sns/jscode2session?appid={appid}&secret={secret}&js_code={code}&grant_type={grant}",
            self.wechat().base()
        );
        self.wire.get(&url, &[]).await.unwrap()
    }

    async fn log_in(&self, code: &str) -> Answer {
        self.log_in_as(WechatSim::APPID, WechatSim::SECRET, "authorization_code", code).await
    }

    async fn token(&self) -> String {
        let body = format!(
            r#"{{"grant_type":"client_credential","appid":"{}","secret":"{}"}}"#,
            WechatSim::APPID,
            WechatSim::SECRET
        );
        let url = format!("{}/cgi-bin/stable_token", self.wechat().base());
        let answer = self.wire.post(&url, &[], body.as_bytes()).await.unwrap();
        assert_eq!(answer.json()["expires_in"], 7200);
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    async fn phone(&self, token: &str, code: &str) -> Answer {
        let base = self.wechat().base();
        let url = format!("{base}/wxa/business/getuserphonenumber?access_token={token}");
        self.wire.post(&url, &[], format!(r#"{{"code":"{code}"}}"#).as_bytes()).await.unwrap()
    }
}

#[tokio::test]
async fn a_dev_code_logs_in_as_often_as_one_likes_with_a_new_key_each_time() {
    let world = World::start().await;
    let first = world.log_in("dev-alice").await;
    assert_eq!(first.status, 200);
    assert_eq!(first.header("content-type"), "text/plain");
    assert!(!first.header("date").is_empty());
    let first = first.json();
    assert_eq!(
        (first["openid"].as_str(), first["unionid"].as_str()),
        (Some("alice"), Some("u-alice"))
    );
    assert!(first.get("errcode").is_none());
    assert_eq!(first["session_key"].as_str().unwrap().len(), 24);

    world.wechat().set_unionids(false);
    let second = world.log_in("dev-alice").await.json();
    assert!(second.get("unionid").is_none());
    assert_ne!(first["session_key"], second["session_key"]);
    assert_eq!(world.wechat().session_key("alice").as_deref(), second["session_key"].as_str());
}

#[tokio::test]
async fn each_refusal_has_its_errcode_and_a_rid() {
    let world = World::start().await;
    let (id, secret, grant) = (WechatSim::APPID, WechatSim::SECRET, "authorization_code");
    for (answer, code) in [
        (world.log_in_as("wx0", secret, grant, "dev-a").await, 40013),
        (world.log_in_as(id, "wrong", grant, "dev-a").await, 40125),
        (world.log_in_as(id, secret, "password", "dev-a").await, 40002),
        (world.log_in("").await, 41008),
        (world.log_in("nonsense").await, 40029),
        (world.log_in("dev-").await, 40029),
        (world.log_in("phone-13812345678").await, 40029),
        (world.log_in("busy-a").await, -1),
        (world.log_in("limited-a").await, 45011),
        (world.log_in("blocked-a").await, 40226),
    ] {
        let body = answer.json();
        assert_eq!((answer.status, body["errcode"].as_i64()), (200, Some(code)));
        assert!(body["errmsg"].as_str().unwrap().contains("rid: "), "{body}");
        assert!(body.get("openid").is_none());
    }
}

#[tokio::test]
async fn a_real_code_works_once_and_for_five_minutes() {
    let world = World::start().await;
    assert_eq!(world.log_in("once-1-bob").await.json()["openid"], "bob");
    assert_eq!(world.log_in("once-1-bob").await.json()["errcode"], 40163);
    assert_eq!(world.log_in("once-2-bob").await.json()["openid"], "bob");

    let code = world.wechat().login_code("carol");
    assert_eq!(world.log_in(&code).await.json()["openid"], "carol");
    assert_eq!(world.log_in(&code).await.json()["errcode"], 40163);

    let old = world.wechat().login_code("carol");
    world.clock.advance(Duration::from_secs(300));
    assert_eq!(world.log_in(&old).await.json()["errcode"], 40029);
}

#[tokio::test]
async fn of_many_log_ins_with_one_code_one_succeeds() {
    let world = World::start().await;
    let code = world.wechat().login_code("dave");
    let answers = futures_util::future::join_all((0..20).map(|_| world.log_in(&code))).await;
    let won = answers.iter().filter(|answer| answer.json().get("errcode").is_none()).count();
    assert_eq!(won, 1);
}

#[tokio::test]
async fn a_phone_number_needs_a_living_token_and_the_right_kind_of_code() {
    let world = World::start().await;
    let token = world.token().await;
    assert_eq!(token, world.token().await);

    let even = world.phone(&token, "phone-13812345678").await.json();
    let info = &even["phone_info"];
    assert_eq!(even["errcode"], 0);
    assert_eq!(info["phoneNumber"], "13812345678");
    assert_eq!(info["countryCode"], "86");
    assert_eq!(info["watermark"]["appid"], WechatSim::APPID);
    let odd = world.phone(&token, "phone-13812345679").await.json();
    assert_eq!(odd["phone_info"]["countryCode"], 86);

    let code = world.wechat().phone_code("13900000000");
    assert_eq!(world.log_in(&code).await.json()["errcode"], 40029);
    assert_eq!(world.phone(&token, &code).await.json()["errcode"], 0);
    assert_eq!(world.phone(&token, &code).await.json()["errcode"], 40029);
    let login = world.wechat().login_code("alice");
    assert_eq!(world.phone(&token, &login).await.json()["errcode"], 40029);
    assert_eq!(world.phone(&token, "dev-alice").await.json()["errcode"], 40029);

    assert_eq!(world.phone("", "phone-13812345678").await.json()["errcode"], 41001);
    assert_eq!(world.phone("bad", "phone-13812345678").await.json()["errcode"], 40001);
    world.wechat().revoke_access_tokens();
    assert_eq!(world.phone(&token, "phone-13812345678").await.json()["errcode"], 40001);
    let token = world.token().await;
    world.clock.advance(Duration::from_secs(7200));
    assert_eq!(world.phone(&token, "phone-13812345678").await.json()["errcode"], 42001);
}

#[tokio::test]
async fn methods_bodies_and_paths_that_do_not_exist() {
    let world = World::start().await;
    let base = world.wechat().base();
    let token = format!("{base}/cgi-bin/stable_token");
    assert_eq!(world.wire.get(&token, &[]).await.unwrap().json()["errcode"], 43002);
    assert_eq!(world.wire.post(&token, &[], b"a=b").await.unwrap().json()["errcode"], 47001);
    let login = format!("{base}/sns/jscode2session");
    assert_eq!(world.wire.post(&login, &[], b"{}").await.unwrap().json()["errcode"], 43001);
    assert_eq!(world.wire.get(&format!("{base}/nothing"), &[]).await.unwrap().status, 404);
}

#[tokio::test]
async fn every_knob_does_what_it_says_for_so_many_calls() {
    let world = World::start().await;
    let knobs = world.wechat().login_faults();

    knobs.next(Fault::Error { code: -1 }, 2);
    assert_eq!(world.log_in("dev-a").await.json()["errcode"], -1);
    assert_eq!(world.log_in("dev-a").await.json()["errcode"], -1);
    assert_eq!(world.log_in("dev-a").await.json()["openid"], "a");

    knobs.next(Fault::Html { status: 502 }, 1);
    let page = world.log_in("dev-a").await;
    assert_eq!((page.status, page.header("content-type").as_str()), (502, "text/html"));

    knobs.next(Fault::Garbage, 1);
    let garbage = world.log_in("dev-a").await;
    assert_eq!((garbage.status, garbage.json().is_null()), (200, true));

    let watch = Stopwatch::start();
    knobs.next(Fault::Hang { ms: 150 }, 1);
    assert_eq!(world.log_in("dev-a").await.json()["openid"], "a");
    assert!(watch.elapsed() >= Duration::from_millis(150));

    knobs.set_latency(Duration::from_millis(60));
    let watch = Stopwatch::start();
    world.log_in("dev-a").await;
    assert!(watch.elapsed() >= Duration::from_millis(60));
    knobs.clear();

    knobs.next(Fault::Huge { megabytes: 2 }, 1);
    let huge = world.log_in("dev-a").await;
    assert!(huge.body.len() > 2 * 1024 * 1024);
    assert_eq!(huge.json()["openid"], "a");

    // Not spent by a call that never got through; spent by one whose answer was lost.
    let code = world.wechat().login_code("eve");
    let url = |code: &str| {
        let (id, secret) = (WechatSim::APPID, WechatSim::SECRET);
        format!(
            "{}/sns/jscode2session?appid={id}&secret={secret}&js_code={code}\
             &grant_type=authorization_code",
            world.wechat().base()
        )
    };
    knobs.next(Fault::Drop, 1);
    assert!(world.wire.get(&url(&code), &[]).await.is_err());
    knobs.next(Fault::Cut, 1);
    assert!(world.wire.get(&url(&code), &[]).await.is_err());
    assert_eq!(world.log_in(&code).await.json()["errcode"], 40163);
}

#[tokio::test]
async fn the_journal_holds_what_came_and_what_was_answered() {
    let world = World::start().await;
    let token = world.token().await;
    world.wechat().phone_faults().next(Fault::Drop, 1);
    let url =
        format!("{}/wxa/business/getuserphonenumber?access_token={token}", world.wechat().base());
    let _ = world.wire.post(&url, &[("X-Test", "7")], b"{\"code\":\"x\"}").await;
    let calls = world.wechat().journal().requests();
    assert_eq!(calls.len(), 2);
    assert_eq!((calls[0].path(), calls[0].status), ("/cgi-bin/stable_token", Some(200)));
    assert_eq!(calls[1].header("x-test"), Some("7"));
    assert_eq!(calls[1].json()["code"], "x");
    assert_eq!((calls[1].status, calls[1].at), (None, START));
    assert!(calls[1].target.ends_with(&token));
}

#[tokio::test]
async fn nothing_listens_after_the_stop() {
    let world = World::start().await;
    let url = format!("{}/health", world.sandbox.image_api().base());
    assert_eq!(world.wire.get(&url, &[]).await.unwrap().status, 200);
    world.sandbox.stop().await;
    assert!(world.wire.get(&url, &[]).await.is_err());
}

/// A call with an access token.
async fn call(world: &World, path: &str, body: serde_json::Value) -> serde_json::Value {
    let url = format!("{}{path}?access_token={}", world.wechat().base(), world.token().await);
    world.wire.post(&url, &[], body.to_string().as_bytes()).await.unwrap().json()
}

#[tokio::test]
async fn texts_are_judged_by_words_and_authors_must_have_been_there() {
    let world = World::start().await;
    let check = async |content: &str, scene: i64, openid: &str| {
        let body = json!({ "version": 2, "scene": scene, "openid": openid, "content": content });
        call(&world, "/wxa/msg_sec_check", body).await
    };
    assert_eq!(check("a cat", 3, "alice").await["errcode"], 40003);
    world.log_in("dev-alice").await;
    let fine = check("a cat", 3, "alice").await;
    assert_eq!(fine["errcode"], 0);
    assert_eq!(fine["result"], json!({ "suggest": "pass", "label": 100 }));
    let review = check("a sandbox-review cat", 3, "alice").await;
    assert_eq!(review["result"]["suggest"], "review");
    let risky = check("sandbox-review and sandbox-risky", 3, "alice").await;
    assert_eq!(risky["errcode"], 0);
    assert_eq!(risky["result"], json!({ "suggest": "risky", "label": 20002 }));
    assert_eq!(check("a cat", 9, "alice").await["errcode"], 40129);
    assert_eq!(check("", 3, "alice").await["errcode"], 44002);
    assert_eq!(check(&"字".repeat(2500), 3, "alice").await["errcode"], 0);
    assert_eq!(check(&"字".repeat(2501), 3, "alice").await["errcode"], 45002);
    world.clock.advance(Duration::from_secs(7201));
    assert_eq!(check("a cat", 3, "alice").await["errcode"], 61010);
}

#[tokio::test]
async fn pictures_are_judged_later_by_message_push() {
    let world = World::start().await;
    world.log_in("dev-alice").await;
    let inbox = Inbox::start().await;
    world.wechat().push().set_url(Some(inbox.url("/push")));
    let pictures = world.wechat().moderation().pictures();
    let risky = PictureVerdict::Judged { suggest: Suggest::Risky, label: 20002, after_ms: 60_000 };
    pictures.next(risky, 1);
    pictures.next(PictureVerdict::Silent, 1);
    pictures.next(PictureVerdict::NotDownloaded, 1);
    let check = async || {
        let body = json!({
            "media_url": "https://example.com/a.png", "media_type": 2, "version": 2, "scene": 3,
            "openid": "alice",
        });
        let answer = call(&world, "/wxa/media_check_async", body).await;
        assert_eq!(answer["errcode"], 0);
        answer["trace_id"].as_str().unwrap().to_owned()
    };
    let (risky, silent, missing) = (check().await, check().await, check().await);
    world.sandbox.deliver_due().await;
    let told = |id: &str| world.sandbox.delivered().iter().any(|one| one.subject == id);
    assert!(!told(&risky) && told(&missing));
    world.clock.advance(Duration::from_secs(60));
    world.sandbox.deliver_due().await;
    assert!(told(&risky) && !told(&silent));
    inbox.stop();
}

#[tokio::test]
async fn subscribe_messages_need_a_user_a_consent_and_values_that_fit() {
    let world = World::start().await;
    world.log_in("dev-alice").await;
    let send = async |openid: &str, page: &str, value: &str| {
        let body = json!({
            "touser": openid, "template_id": "T1", "page": page,
            "data": { "thing1": { "value": value } },
        });
        call(&world, "/cgi-bin/message/subscribe/send", body).await["errcode"].clone()
    };
    assert_eq!(send("bob", "pages/a", "done").await, 40003);
    assert_eq!(send("alice", "/pages/a", "done").await, 41030);
    assert_eq!(send("alice", "pages/a", &"字".repeat(21)).await, 47003);
    assert_eq!(send("alice", "pages/a", "done").await, 0);
    world.wechat().require_consents();
    assert_eq!(send("alice", "pages/a", "done").await, 43101);
    world.wechat().consent("alice", "T1");
    assert_eq!(send("alice", "pages/a", "done").await, 0);
    assert_eq!(send("alice", "pages/a", "done").await, 43101);
    assert_eq!(world.wechat().sent_messages().len(), 2);
}

#[tokio::test]
async fn a_shipment_of_an_unknown_payment_is_refused() {
    let world = World::start().await;
    let ship = async |items: serde_json::Value| {
        let body = json!({
            "order_key": { "order_number_type": 1, "mchid": WechatPaySim::MCHID, "out_trade_no": "DREAM1" },
            "logistics_type": 3, "delivery_mode": 1, "shipping_list": items,
            "upload_time": "2026-01-29T20:00:00.000+08:00", "payer": { "openid": "alice" },
        });
        call(&world, "/wxa/sec/order/upload_shipping_info", body).await["errcode"].clone()
    };
    assert_eq!(ship(json!([{ "item_desc": "VIP" }])).await, 10_060_001);
    assert_eq!(ship(json!([])).await, 10_060_012);
    assert_eq!(ship(json!([{ "item_desc": "字".repeat(121) }])).await, 10_060_012);
}

#[tokio::test]
async fn a_session_key_can_be_checked() {
    let world = World::start().await;
    world.log_in("dev-alice").await;
    let key = world.wechat().session_key("alice").unwrap();
    let check = async |signature: &str| {
        let (base, token) = (world.wechat().base(), world.token().await);
        let url = format!(
            "{base}/wxa/checksession?access_token={token}&openid=alice&signature={signature}&sig_method=hmac_sha256"
        );
        world.wire.get(&url, &[]).await.unwrap().json()["errcode"].clone()
    };
    assert_eq!(check(&crypto::hmac_hex(&key, "")).await, 0);
    world.log_in("dev-alice").await;
    assert_eq!(check(&crypto::hmac_hex(&key, "")).await, 87009);
}
