use serde_json::Value;

use super::*;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../../tests/vectors/xpay.json")).unwrap()
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap()
}

fn secret(value: &str) -> Secret<String> {
    Secret::new(value.to_owned())
}

#[test]
fn signatures_are_those_of_the_vectors() {
    let vectors = vectors();
    let cases = vectors["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 6);
    for case in cases {
        let body = text(case, "body");
        let sig = pay_sig(&secret(text(case, "app_key")), text(case, "uri"), body);
        assert_eq!(sig, text(case, "pay_sig"), "{}", case["name"]);
        if let Some(key) = case["session_key"].as_str() {
            assert_eq!(user_signature(&secret(key), body), text(case, "signature"));
        }
    }
}

fn client(env: VirtualEnv, app_key: &str) -> VirtualPayment {
    let settings = crate::clients::wechat::WechatSettings {
        base: "http://127.0.0.1:9".to_owned(),
        appid: "wx1".to_owned(),
        secret: secret("s"),
        timeout: std::time::Duration::from_secs(1),
        concurrency: 1,
        queue: 1,
    };
    let clock = crate::base::clock::Clock::system();
    let settings_of_shop =
        VirtualPaymentSettings { offer_id: "1450019686".to_owned(), app_key: secret(app_key), env };
    crate::clients::wechat::WechatClient::new(settings, clock).virtual_payment(settings_of_shop)
}

#[test]
fn the_clients_parameters_are_those_of_the_vectors() {
    let vectors = vectors();
    let case = vectors["cases"]
        .as_array()
        .unwrap()
        .iter()
        .find(|case| case["name"] == "request_virtual_payment")
        .unwrap();
    let order = VirtualOrder {
        order_id: "DREAM20251009000003".to_owned(),
        product_id: "vip_month".to_owned(),
        price_fen: 1990,
        attach: "u=42;月卡".to_owned(),
    };
    let params = client(VirtualEnv::Live, text(case, "app_key"))
        .params(&order, &secret(text(case, "session_key")))
        .unwrap();
    assert_eq!(params.mode, "short_series_goods");
    assert_eq!(params.sign_data, text(case, "body"));
    assert_eq!(params.pay_sig, text(case, "pay_sig"));
    assert_eq!(params.signature, text(case, "signature"));
    for (mistake, wrong) in vectors["wrong_results"].as_object().unwrap() {
        assert_ne!(Value::from(params.pay_sig.clone()), *wrong, "{mistake}");
        assert_ne!(Value::from(params.signature.clone()), *wrong, "{mistake}");
    }
}

#[test]
fn the_sandbox_says_so_and_the_offer_id_is_a_text() {
    let order = VirtualOrder {
        order_id: "order123".to_owned(),
        product_id: "p".to_owned(),
        price_fen: 100,
        attach: "quotes \" and \n".to_owned(),
    };
    let params = client(VirtualEnv::Sandbox, "k").params(&order, &secret("s")).unwrap();
    let data: Value = serde_json::from_str(&params.sign_data).unwrap();
    assert_eq!(data["env"], 1);
    assert_eq!(data["offerId"], "1450019686");
    assert_eq!(data["buyQuantity"], 1);
    assert_eq!(data["attach"], "quotes \" and \n");
}
