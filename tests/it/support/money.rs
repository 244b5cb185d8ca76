//! Paying, and holding the books against each other.

use dream_bff::features::points::service::books::check_books;
use dream_bff::features::reconciliation::service::money::check_money;
use dream_bff::sandbox::Platform;
use serde_json::{Value, json};

use super::{TestApp, User};

impl TestApp {
    /// Pays for something through WeChat Pay and gives the order's id.
    pub(crate) async fn pay(&self, user: &User, wanted: Value) -> String {
        let placed = self.place(user, wanted).await;
        self.sandbox.wechat_pay().pay(&placed["wxPayParams"]).unwrap();
        self.deliver_notifications().await;
        placed["orderId"].as_str().unwrap().to_owned()
    }

    /// Places an order that is paid through WeChat Pay.
    pub(crate) async fn place(&self, user: &User, mut wanted: Value) -> Value {
        wanted["paymentMethod"] = json!("wechat");
        user.post("/v1/orders").json(&wanted).await.ok()
    }

    /// Pays for something through virtual payment and gives the order's id. Silently: no push tells it.
    pub(crate) async fn pay_virtually(
        &self,
        (name, user): (&str, &User),
        mut wanted: Value,
        platform: Platform,
        is_silent: bool,
    ) -> String {
        wanted["paymentMethod"] = json!("virtual");
        let placed = user.post("/v1/orders").json(&wanted).await.ok();
        let (wechat, params) = (self.sandbox.wechat(), &placed["virtualPayParams"]);
        if is_silent {
            wechat.pay_virtually_in_silence(name, params, platform).unwrap();
        } else {
            wechat.pay_virtually(name, params, platform).unwrap();
            self.deliver_notifications().await;
        }
        placed["orderId"].as_str().unwrap().to_owned()
    }

    /// How an order stands in the database.
    pub(crate) fn order_status(&self, order: &str) -> String {
        let query = "SELECT status FROM orders WHERE order_id = ?1";
        self.database().query_row(query, [order], |row| row.get(0)).unwrap()
    }

    /// Points against their ledger, and money against everything that it bought.
    pub(crate) async fn assert_money_balances(&self) {
        let app = self.app();
        let points = check_books(&app.db, &app.clock).await.unwrap();
        assert!(points.is_balanced(), "{points:?}");
        let money = check_money(&app.db, &app.clock).await.unwrap();
        assert!(money.is_balanced(), "{money:?}");
    }
}
