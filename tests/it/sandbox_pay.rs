//! The server and the payment simulators, which share no code, understand each other.

use std::time::Duration;

use dream_bff::clients::wechat_pay::{
    BillKind, PrepayRequest, RefundRequest, RefundState, TradeState,
};
use dream_bff::sandbox::{BillEdit, Delivery, Platform, PushDelivery, PushFormat, Rotation, Trust};
use serde_json::{Value, json};

use crate::support::{TestApp, User};

async fn place(user: &User, method: &str) -> Value {
    let body = json!({ "planId": "vip_month", "paymentMethod": method });
    user.post("/v1/orders").json(&body).await.ok()
}

async fn status(user: &User, order: &Value) -> String {
    let id = order["orderId"].as_str().unwrap();
    user.get(&format!("/v1/orders/{id}")).await.ok()["status"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_order_is_paid_through_wechat_pay_however_the_news_comes() {
    for (trust, delivery) in [
        (Trust::Mixed, Delivery::Normal),
        (Trust::PublicKey, Delivery::Duplicated { times: 5 }),
        (Trust::Mixed, Delivery::Tampered),
        (Trust::Mixed, Delivery::WrongSerial),
        (Trust::Mixed, Delivery::OldTimestamp),
        (Trust::Mixed, Delivery::Probe),
        (Trust::Mixed, Delivery::WrongKey),
    ] {
        let t = TestApp::start().await;
        let pay = t.sandbox.wechat_pay();
        pay.set_trust(trust);
        let alice = t.log_in("alice").await;
        let order = place(&alice, "wechat").await;
        let is_bad = !matches!(delivery, Delivery::Normal | Delivery::Duplicated { .. });
        pay.payment_notices().next(delivery.clone(), 1);
        let paid = pay.pay(&order["wxPayParams"]).unwrap();
        assert_eq!(Some(paid.total_fen), order["amount"].as_i64());
        t.deliver_notifications().await;
        if is_bad {
            assert_eq!(status(&alice, &order).await, "PENDING", "{delivery:?}");
            t.clock.advance(Duration::from_secs(15));
            t.deliver_notifications().await;
        }
        assert_eq!(status(&alice, &order).await, "PAID", "{delivery:?}");
        assert_eq!(t.sandbox.undelivered(), 0);
        assert_eq!(t.count("SELECT count(*) FROM vip_grants"), 1);
    }
}

#[tokio::test]
async fn an_order_is_paid_through_virtual_payment_however_the_push_comes() {
    for (format, delivery) in [
        (PushFormat::Json, PushDelivery::Normal),
        (PushFormat::Xml, PushDelivery::Duplicated { times: 5 }),
        (PushFormat::Json, PushDelivery::Tampered),
        (PushFormat::Xml, PushDelivery::WrongToken),
        (PushFormat::Json, PushDelivery::OldTimestamp),
        (PushFormat::Json, PushDelivery::OtherApp),
        (PushFormat::Json, PushDelivery::Plain),
    ] {
        let t = TestApp::start().await;
        let wechat = t.sandbox.wechat();
        wechat.push().set_format(format);
        let alice = t.log_in("alice").await;
        let order = place(&alice, "virtual").await;
        let is_bad = !matches!(delivery, PushDelivery::Normal | PushDelivery::Duplicated { .. });
        wechat.push().plan().next(delivery.clone(), 1);
        let bought =
            wechat.pay_virtually("alice", &order["virtualPayParams"], Platform::Android).unwrap();
        assert_eq!(Some(bought.paid_fen), order["amount"].as_i64());
        t.deliver_notifications().await;
        if is_bad {
            assert_eq!(status(&alice, &order).await, "PENDING", "{delivery:?}");
            t.clock.advance(Duration::from_secs(2));
            t.deliver_notifications().await;
        }
        assert_eq!(status(&alice, &order).await, "PAID", "{delivery:?}");
        assert_eq!(t.count("SELECT count(*) FROM vip_grants"), 1);
        let delivered = wechat.virtual_payment().order(&bought.out_trade_no).unwrap();
        assert_eq!(delivered.status, 4);
    }
}

#[tokio::test]
async fn the_client_reads_every_answer_of_wechat_pay() {
    let t = TestApp::start().await;
    let (sim, app) = (t.sandbox.wechat_pay(), t.app());
    let pay = app.wechat_pay.as_ref().unwrap();
    for rotation in [Rotation::Old, Rotation::Both, Rotation::New] {
        sim.set_rotation(rotation);
        let number = format!("DREAM00000{rotation:?}");
        let request = PrepayRequest {
            description: "VIP 月卡".to_owned(),
            out_trade_no: number.clone(),
            time_expire: t.clock.now().plus_seconds(900),
            total_fen: 1999,
            payer_openid: "alice".to_owned(),
            attach: None,
        };
        pay.prepay(&request).await.unwrap();
        assert_eq!(pay.query_order(&number).await.unwrap().state, TradeState::NotPay);
        sim.pay_silently(&number).unwrap();
        let found = pay.query_order(&number).await.unwrap();
        assert_eq!((found.state, found.total_fen), (TradeState::Success, Some(1999)));
        assert!(pay.close_order(&number).await.is_err());
        let request = RefundRequest {
            out_refund_no: format!("R{number}"),
            out_trade_no: number,
            reason: Some("用户申请".to_owned()),
            refund_fen: 999,
            total_fen: 1999,
        };
        assert_eq!(pay.refund(&request).await.unwrap().state, RefundState::Processing);
        let refund = pay.query_refund(&request.out_refund_no).await.unwrap();
        assert_eq!((refund.state, refund.refund_fen), (RefundState::Success, 999));
    }
    let day = t.clock.now().shanghai_date();
    t.clock.advance(Duration::from_secs(24 * 3600));
    let foreign = BillEdit::ForeignRow { out_trade_no: "FOREIGN0001".to_owned(), fen: 99 };
    sim.edit_bills(foreign);
    let bill = pay.trade_bill(day, BillKind::All).await.unwrap();
    assert_eq!(bill.rows.len(), 3 + 3 + 1);
    assert!(bill.rows.iter().any(|row| row.out_trade_no == "FOREIGN0001"));
    sim.edit_bills(BillEdit::WrongHash);
    assert!(pay.trade_bill(day, BillKind::All).await.is_err());
}
