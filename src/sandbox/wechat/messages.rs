//! Subscribe messages and shipping reports.

use std::collections::HashMap;

use parking_lot::Mutex;
use serde_json::Value;

use super::WechatSim;
use crate::base::time::UnixMillis;
use crate::sandbox::listener::Call;

/// Messages remembered.
const MAX_SENT: usize = 1000;
/// Consents remembered.
const MAX_CONSENTS: usize = 10_000;
/// Longest description of what was shipped, in characters.
const MAX_ITEM: usize = 120;
/// How long WeChat does not know a payment yet, in seconds.
const UNKNOWN_FOR: i64 = 10;

/// A subscribe message that was sent.
#[derive(Clone, Debug)]
pub struct SentMessage {
    /// When.
    pub at: UnixMillis,
    /// To whom.
    pub openid: String,
    /// The template.
    pub template_id: String,
    /// The whole request.
    pub body: Value,
}

/// A shipping report that was taken.
#[derive(Clone, Debug)]
pub struct Shipped {
    /// When.
    pub at: UnixMillis,
    /// The order.
    pub out_trade_no: String,
    /// The whole request.
    pub body: Value,
}

/// What was sent, and who agreed to get more.
#[derive(Debug, Default)]
pub(super) struct Messages {
    sent: Mutex<Vec<SentMessage>>,
    shipped: Mutex<Vec<Shipped>>,
    /// `None` is that everybody agrees to everything.
    consents: Mutex<Option<HashMap<(String, String), u32>>>,
}

impl WechatSim {
    /// The subscribe messages that were sent, oldest first.
    pub fn sent_messages(&self) -> Vec<SentMessage> {
        self.messages.sent.lock().clone()
    }

    /// The shipping reports that were taken, oldest first.
    pub fn shipped(&self) -> Vec<Shipped> {
        self.messages.shipped.lock().clone()
    }

    /// From now on a message needs a consent, which [`Self::consent`] gives. At first none does.
    pub fn require_consents(&self) {
        self.messages.consents.lock().get_or_insert_default();
    }

    /// The user agrees to one more message of this template.
    pub fn consent(&self, openid: &str, template_id: &str) {
        if let Some(consents) = self.messages.consents.lock().as_mut()
            && consents.len() < MAX_CONSENTS
        {
            *consents.entry((openid.to_owned(), template_id.to_owned())).or_default() += 1;
        }
    }

    /// `subscribe/send`.
    pub(super) fn send_message(&self, call: &Call) -> Result<(), i64> {
        let body = call.json().ok_or(47001)?;
        let openid = body["touser"].as_str().ok_or(40003)?;
        self.sessions.get(openid).ok_or(40003)?;
        let template_id = body["template_id"].as_str().filter(|id| !id.is_empty()).ok_or(40037)?;
        match &body["page"] {
            Value::Null => {}
            Value::String(page) if !page.is_empty() && !page.starts_with('/') => {}
            _ => return Err(41030),
        }
        if let Some(state) = body.get("miniprogram_state")
            && !["developer", "trial", "formal"].iter().any(|known| state == known)
        {
            return Err(47003);
        }
        let data = body["data"].as_object().filter(|data| !data.is_empty()).ok_or(47003)?;
        if !data.iter().all(|(name, entry)| entry["value"].as_str().is_some_and(|v| fits(name, v)))
        {
            return Err(47003);
        }
        if let Some(consents) = self.messages.consents.lock().as_mut() {
            let left = consents.get_mut(&(openid.to_owned(), template_id.to_owned()));
            let left = left.filter(|left| **left > 0).ok_or(43101)?;
            *left -= 1;
        }
        let message = SentMessage {
            at: self.clock.now(),
            openid: openid.to_owned(),
            template_id: template_id.to_owned(),
            body,
        };
        keep(&mut self.messages.sent.lock(), message);
        Ok(())
    }

    /// `upload_shipping_info`, for virtual goods.
    pub(super) fn ship(&self, call: &Call) -> Result<(), i64> {
        let body = call.json().ok_or(47001)?;
        let key = &body["order_key"];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let number = match key["order_number_type"].as_i64() {
            Some(1) if key["mchid"] == crate::sandbox::WechatPaySim::MCHID => {
                text(&key["out_trade_no"])
            }
            Some(2) => text(&key["transaction_id"]).and_then(|id| self.pay.number_of(&id)),
            _ => return Err(10_060_012),
        };
        let items = body["shipping_list"].as_array().ok_or(10_060_012)?;
        let is_described = |item: &Value| {
            item["item_desc"].as_str().is_some_and(|t| (1..=MAX_ITEM).contains(&t.chars().count()))
        };
        let is_timed = body["upload_time"].as_str().is_some_and(|t| {
            t.len() == "2025-10-09T16:53:20.120+08:00".len()
                && crate::sandbox::beijing::parse(t).is_some()
        });
        let is_whole = body["logistics_type"] == 3
            && body["delivery_mode"] == 1
            && items.len() == 1
            && items.iter().all(is_described)
            && is_timed;
        if !is_whole {
            return Err(10_060_012);
        }
        let now = self.clock.now();
        let order = number.and_then(|number| self.pay.order(&number));
        let order = order.filter(|order| {
            order.paid_at.is_some_and(|paid| now >= paid.plus_seconds(UNKNOWN_FOR))
        });
        let order = order.ok_or(10_060_001)?;
        if body["payer"]["openid"] != order.openid.as_str() {
            return Err(10_060_002);
        }
        let mut shipped = self.messages.shipped.lock();
        let before = shipped.iter().filter(|old| old.out_trade_no == order.out_trade_no).count();
        // The report, and one correction.
        if before >= 2 {
            return Err(10_060_004);
        }
        keep(&mut shipped, Shipped { at: now, out_trade_no: order.out_trade_no, body });
        Ok(())
    }
}

fn keep<T>(list: &mut Vec<T>, entry: T) {
    if list.len() == MAX_SENT {
        list.remove(0);
    }
    list.push(entry);
}

/// Whether a value keeps the rule of its kind, which the name begins with.
fn fits(name: &str, value: &str) -> bool {
    let kind = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let length = value.chars().count();
    let is_ascii = value.chars().all(|c| c.is_ascii_graphic());
    match kind {
        "thing" => (1..=20).contains(&length),
        "character_string" => (1..=32).contains(&length) && is_ascii,
        "number" => (1..=32).contains(&length) && value.parse::<f64>().is_ok(),
        "phrase" => (1..=5).contains(&length) && !value.is_ascii(),
        "name" => (1..=if value.is_ascii() { 20 } else { 10 }).contains(&length),
        "amount" => {
            let digits = value.trim_start_matches(['¥', '￥']).trim_end_matches('元');
            (1..=10).contains(&digits.len()) && digits.parse::<f64>().is_ok()
        }
        "time" | "date" => is_time(value),
        _ => false,
    }
}

/// `HH:mm`, `YYYY年M月D日`, or both with a space.
fn is_time(value: &str) -> bool {
    let is_clock = |text: &str| {
        text.split_once(':').is_some_and(|(hour, minute)| {
            minute.len() == 2
                && hour.parse().is_ok_and(|hour: u8| hour < 24)
                && minute.parse().is_ok_and(|minute: u8| minute < 60)
        })
    };
    let is_day = |text: &str| {
        let parts: Vec<&str> = text.split(['年', '月', '日']).collect();
        matches!(parts.as_slice(), [year, month, day, ""]
            if year.len() == 4
                && year.parse().is_ok_and(|year: u16| year > 1900)
                && month.parse().is_ok_and(|month: u8| (1..=12).contains(&month))
                && day.parse().is_ok_and(|day: u8| (1..=31).contains(&day)))
    };
    match value.split_once(' ') {
        Some((day, clock)) => is_day(day) && is_clock(clock),
        None => is_clock(value) || is_day(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_the_rules_of_their_kind() {
        for (name, value) in [
            ("thing1", "二十个字以内"),
            ("character_string2", "ORDER-1"),
            ("number3", "12.5"),
            ("phrase4", "已完成"),
            ("time5", "2026年1月9日 08:30"),
            ("time5", "23:59"),
            ("amount6", "￥12.50"),
        ] {
            assert!(fits(name, value), "{name} {value}");
        }
        for (name, value) in [
            ("thing1", "一二三四五六七八九十一二三四五六七八九十一"),
            ("thing1", ""),
            ("character_string2", "中文"),
            ("number3", "many"),
            ("phrase4", "一二三四五六"),
            ("phrase4", "done"),
            ("time5", "2026-01-09"),
            ("time5", "24:00"),
            ("unknown9", "x"),
        ] {
            assert!(!fits(name, value), "{name} {value}");
        }
    }
}
