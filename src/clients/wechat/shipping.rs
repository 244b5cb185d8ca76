//! Telling WeChat that an ordinary payment was delivered (`/wxa/sec/order/upload_shipping_info`).
//!
//! Certain mini-programs must, or the money stays frozen. Virtual payment does not use it.

use serde::Serialize;

use super::Weixin;
use super::answer::WechatError;
use super::weixin::Done;
use crate::base::time::UnixMillis;

/// Longest description, in characters.
const MAX_DESCRIPTION: usize = 120;

/// What was delivered to whom.
#[derive(Clone, Debug)]
pub struct ShippingReport {
    /// The merchant that was paid.
    pub mchid: String,
    /// Our order.
    pub out_trade_no: String,
    /// What the payer got; cut at 120 characters.
    pub description: String,
    /// Who paid.
    pub payer_openid: String,
    /// When it was delivered.
    pub delivered_at: UnixMillis,
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shipping {
    /// WeChat has it.
    Accepted,
    /// WeChat does not know the payment yet (10060001): it does after about ten seconds. Report again.
    NotYet,
    /// The payment is in no state to be shipped (10060004), for instance refunded: nothing more to do.
    NotNeeded,
}

#[derive(Serialize)]
struct Request<'a> {
    order_key: OrderKey<'a>,
    logistics_type: u8,
    delivery_mode: u8,
    shipping_list: [Item<'a>; 1],
    upload_time: String,
    payer: Payer<'a>,
}

#[derive(Serialize)]
struct OrderKey<'a> {
    order_number_type: u8,
    mchid: &'a str,
    out_trade_no: &'a str,
}

#[derive(Serialize)]
struct Item<'a> {
    item_desc: &'a str,
}

#[derive(Serialize)]
struct Payer<'a> {
    openid: &'a str,
}

impl Weixin {
    /// Reports a delivery of virtual goods. To repeat a report is harmless.
    ///
    /// # Errors
    /// [`WechatError`].
    pub async fn upload_shipping_info(
        &self,
        report: &ShippingReport,
    ) -> Result<Shipping, WechatError> {
        let path = "/wxa/sec/order/upload_shipping_info";
        match self.connection.post::<Done>(path, &request(report)).await {
            Ok(Done {}) => Ok(Shipping::Accepted),
            Err(WechatError::Refused { code: 10_060_001, .. }) => Ok(Shipping::NotYet),
            Err(WechatError::Refused { code: 10_060_004, .. }) => Ok(Shipping::NotNeeded),
            Err(err) => Err(err),
        }
    }
}

fn request(report: &ShippingReport) -> Request<'_> {
    let end = report.description.char_indices().nth(MAX_DESCRIPTION);
    let description = end.map_or(&*report.description, |(at, _)| &report.description[..at]);
    Request {
        order_key: OrderKey {
            // By our number rather than by WeChat's.
            order_number_type: 1,
            mchid: &report.mchid,
            out_trade_no: &report.out_trade_no,
        },
        // Virtual goods, all at once.
        logistics_type: 3,
        delivery_mode: 1,
        shipping_list: [Item { item_desc: description }],
        upload_time: report.delivered_at.rfc3339_shanghai(),
        payer: Payer { openid: &report.payer_openid },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_report_has_the_documented_shape() {
        let report = ShippingReport {
            mchid: "1900000001".to_owned(),
            out_trade_no: "order1".to_owned(),
            description: "年".repeat(200),
            payer_openid: "o1".to_owned(),
            delivered_at: UnixMillis(1_760_000_000_120),
        };
        assert_eq!(
            serde_json::to_value(request(&report)).unwrap(),
            json!({
                "order_key": {"order_number_type": 1, "mchid": "1900000001", "out_trade_no": "order1"},
                "logistics_type": 3, "delivery_mode": 1,
                "shipping_list": [{"item_desc": "年".repeat(120)}],
                "upload_time": "2025-10-09T16:53:20.120+08:00",
                "payer": {"openid": "o1"},
            })
        );
    }
}
