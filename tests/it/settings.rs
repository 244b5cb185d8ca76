//! Settings, by what they change.

use dream_bff::features::settings::service::{change, current};
use dream_bff::features::settings::{Mode, Resolution, Section, Settings, SettingsError};
use serde_json::json;

use crate::support::TestApp;

#[tokio::test]
async fn a_change_holds_at_once_and_after_a_restart() {
    let t = TestApp::start().await;
    let price = || current(&t.app()).economy.prices.price(Mode::Final, Resolution::K1, 3);
    assert_eq!(price(), 6);
    let wanted = json!({ "signUpBonus": 33, "prices": { "final": { "1K": 5 } } });
    let done = change(&t.app(), Section::Economy, wanted, "admin:1").await.unwrap();
    assert_eq!((&done.before["signUpBonus"], &done.after["signUpBonus"]), (&json!(10), &json!(33)));
    assert_eq!(price(), 15);
    let alice = t.log_in("alice").await;
    assert_eq!(alice.get("/v1/points/balance").await.ok()["balance"], 33);
    t.restart();
    assert_eq!(price(), 15);
    assert_eq!(t.count("SELECT COUNT(*) FROM settings WHERE updated_by = 'admin:1'"), 1);
}

#[tokio::test]
async fn changes_at_once_all_stay() {
    let t = TestApp::start().await;
    let app = t.app();
    let one = |wanted| change(&app, Section::Economy, wanted, "test");
    let (a, b, c) = tokio::join!(
        one(json!({ "signUpBonus": 1 })),
        one(json!({ "pointsPerYuan": 2 })),
        change(&app, Section::Jobs, json!({ "deadlineS": 3 }), "test"),
    );
    for done in [a, b, c] {
        done.unwrap();
    }
    let settings = current(&app);
    assert_eq!((settings.economy.sign_up_bonus, settings.economy.points_per_yuan), (1, 2));
    assert_eq!(settings.jobs.deadline_s, 3);
}

#[tokio::test]
async fn a_wrong_change_changes_nothing() {
    let t = TestApp::start().await;
    let refused = change(&t.app(), Section::Economy, json!({ "signUpBonus": -1 }), "test").await;
    assert!(matches!(refused, Err(SettingsError::Invalid { .. })), "{refused:?}");
    assert_eq!(*current(&t.app()), Settings::default());
    assert_eq!(t.count("SELECT COUNT(*) FROM settings"), 0);
}

#[tokio::test]
async fn what_is_stored_wrongly_has_its_default_and_harms_nothing_else() {
    let t = TestApp::start().await;
    t.sql(
        r#"INSERT INTO settings (key, value, updated_at, updated_by) VALUES
             ('economy', '{"signUpBonus": "many"}', 0, 'hand'),
             ('jobs', '{"deadlineS": 7, "ofTheFuture": [1]}', 0, 'hand'),
             ('label', '{"text": ""}', 0, 'hand'),
             ('of_the_future', '{}', 0, 'hand')"#,
    );
    t.restart();
    let settings = current(&t.app());
    let mut expected = Settings::default();
    expected.jobs.deadline_s = 7;
    assert_eq!(*settings, expected);
    // A change mends it.
    change(&t.app(), Section::Economy, json!({ "signUpBonus": 4 }), "test").await.unwrap();
    t.restart();
    assert_eq!(current(&t.app()).economy.sign_up_bonus, 4);
}

#[tokio::test]
async fn a_label_that_cannot_be_drawn_is_refused() {
    let t = TestApp::start().await;
    let app = t.app();
    for text in ["AI生成🦊", "AI生成ж", "图片", "AI", "AI生成AI生成AI生成"] {
        let refused = change(&app, Section::Label, json!({ "text": text }), "test").await;
        let Err(SettingsError::Invalid { field, .. }) = refused else {
            panic!("{text}: {refused:?}")
        };
        assert_eq!(field, "text", "{text}");
        assert_eq!(current(&app).label.text, "AI生成");
    }
    change(&app, Section::Label, json!({ "text": "人工智能合成" }), "test").await.unwrap();
    assert_eq!(current(&app).label.text, "人工智能合成");
    // Other sections have nothing to do with it.
    t.sql(r#"UPDATE settings SET value = '{"text":"old🦊"}' WHERE key = 'label'"#);
    t.restart();
    change(&t.app(), Section::Economy, json!({ "signUpBonus": 3 }), "test").await.unwrap();
}
