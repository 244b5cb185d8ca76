//! The page of payments: orders of both channels, what pays them, and what happens to the news.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Control;
use super::commands::{faults, parse, targets};
use super::state;
use crate::sandbox::{Delivery, Platform, PushDelivery, PushFormat, RefundOutcome, TradeState};
use crate::sandbox::{Trust, VirtualRefundOutcome, WechatPaySim};

/// Orders, refunds and deliveries shown.
const SHOWN: usize = 30;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pay {
    /// One of our numbers, or the parameters of `wx.requestPayment`.
    out_trade_no: Option<String>,
    params: Option<Value>,
    #[serde(default)]
    delivery: Delivery,
}

#[derive(Deserialize)]
struct PayVirtually {
    openid: String,
    /// The parameters of `wx.requestVirtualPayment`.
    params: Value,
    #[serde(default)]
    platform: Platform,
    #[serde(default)]
    delivery: PushDelivery,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Again {
    out_trade_no: String,
    #[serde(default)]
    delivery: Delivery,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfVirtual {
    out_trade_no: String,
    /// Of a refund.
    fen: Option<i64>,
    /// Of a complaint.
    text: Option<String>,
}

/// Absent members stay as they are; 0 times is always.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Plans {
    #[serde(default)]
    times: u32,
    payment_notice: Option<Delivery>,
    refund_notice: Option<Delivery>,
    refund_outcome: Option<RefundOutcome>,
    virtual_refund_outcome: Option<VirtualRefundOutcome>,
    push: Option<PushDelivery>,
    push_format: Option<PushFormat>,
    trust: Option<Trust>,
    speed: Option<u32>,
}

/// Runs a command of this page; an error is a text for it.
pub(super) fn run(control: &Control, name: &str, body: &[u8]) -> Result<Value, String> {
    let Control { wechat, wechat_pay, .. } = control;
    let virtual_payment = wechat.virtual_payment();
    match name {
        "pay" => {
            let Pay { out_trade_no, params, delivery } = parse(body)?;
            // What was planned for notifications waits for the next one that asks for nothing.
            if delivery != Delivery::Normal {
                wechat_pay.payment_notices().first(delivery);
            }
            let paid = match (params, out_trade_no) {
                (Some(params), _) => wechat_pay.pay(&params),
                (None, Some(number)) => wechat_pay.pay_order(&number),
                (None, None) => Err("params or outTradeNo must be there".to_owned()),
            }?;
            return Ok(json!({
                "outTradeNo": paid.out_trade_no,
                "transactionId": paid.transaction_id,
                "totalFen": paid.total_fen,
            }));
        }
        "pay-virtual" => {
            let PayVirtually { openid, params, platform, delivery } = parse(body)?;
            if delivery != PushDelivery::Normal {
                wechat.push().plan().first(delivery);
            }
            let order = wechat
                .pay_virtually(&openid, &params, platform)
                .map_err(|refusal| refusal.to_string())?;
            return Ok(json!({ "outTradeNo": order.out_trade_no, "totalFen": order.paid_fen }));
        }
        "notify-again" => {
            let Again { out_trade_no, delivery } = parse(body)?;
            match wechat_pay.order(&out_trade_no) {
                Some(_) => wechat_pay.notify_again(&out_trade_no, delivery)?,
                None => virtual_payment.deliver_again(&out_trade_no)?,
            }
        }
        "refund-by-user" => {
            let OfVirtual { out_trade_no, fen, .. } = parse(body)?;
            let order = virtual_payment.order(&out_trade_no).ok_or("no such order")?;
            virtual_payment.refund_by_user(&out_trade_no, fen.unwrap_or(order.left_fen))?;
        }
        "complain" => {
            let OfVirtual { out_trade_no, text, .. } = parse(body)?;
            virtual_payment.complain(&out_trade_no, text.as_deref().unwrap_or("没有到账"))?;
        }
        "pay-plans" => plan(control, parse(body)?),
        _ => return Err(format!("no command {name:?}")),
    }
    Ok(json!({}))
}

fn plan(control: &Control, plans: Plans) {
    let Control { wechat, wechat_pay, outbox, .. } = control;
    let times = plans.times;
    if let Some(step) = plans.payment_notice {
        wechat_pay.payment_notices().set(step, times);
    }
    if let Some(step) = plans.refund_notice {
        wechat_pay.refund_notices().set(step, times);
    }
    if let Some(step) = plans.refund_outcome {
        wechat_pay.refund_outcomes().set(step, times);
    }
    if let Some(step) = plans.virtual_refund_outcome {
        wechat.virtual_payment().refund_outcomes().set(step, times);
    }
    if let Some(step) = plans.push {
        wechat.push().plan().set(step, times);
    }
    if let Some(format) = plans.push_format {
        wechat.push().set_format(format);
    }
    if let Some(trust) = plans.trust {
        wechat_pay.set_trust(trust);
    }
    if let Some(speed) = plans.speed {
        outbox.set_speed(speed);
    }
}

/// Forgets everything planned.
pub(super) fn clear(control: &Control) {
    control.wechat_pay.payment_notices().clear();
    control.wechat_pay.refund_notices().clear();
    control.wechat_pay.refund_outcomes().clear();
    control.wechat_pay.clear_bill_edits();
    control.wechat.virtual_payment().refund_outcomes().clear();
    control.wechat.push().plan().clear();
    control.wechat.moderation().pictures().clear();
}

/// What the page shows.
pub(super) fn view(control: &Control) -> Value {
    let Control { wechat, wechat_pay, outbox, .. } = control;
    let orders = wechat_pay.orders(SHOWN).into_iter().map(|order| {
        json!({
            "channel": "wechat",
            "outTradeNo": order.out_trade_no,
            "openid": order.openid,
            "what": order.description,
            "fen": order.total_fen,
            "state": order.state,
            "isPayable": order.state == TradeState::NotPay,
            "at": order.created_at.rfc3339(),
        })
    });
    let virtual_orders = wechat.virtual_payment().orders(SHOWN).into_iter().map(|order| {
        json!({
            "channel": "virtual",
            "outTradeNo": order.out_trade_no,
            "openid": order.openid,
            "what": order.product_id,
            "fen": order.paid_fen,
            "leftFen": order.left_fen,
            "state": order.state_name(),
            "platform": order.platform,
            "isPayable": false,
            "at": order.paid_at.rfc3339(),
        })
    });
    let now = control.wechat_pay.now();
    let refunds = wechat_pay.refunds(SHOWN).into_iter().map(|refund| {
        json!({
            "outRefundNo": refund.out_refund_no,
            "outTradeNo": refund.out_trade_no,
            "fen": refund.refund_fen,
            "totalFen": refund.total_fen,
            "state": refund.status(now).name(),
            "at": refund.created_at.rfc3339(),
        })
    });
    let delivered = outbox.delivered();
    let deliveries = delivered.iter().rev().take(SHOWN).map(|attempt| {
        json!({
            "at": attempt.at.rfc3339(),
            "event": attempt.event,
            "subject": attempt.subject,
            "attempt": attempt.attempt,
            "status": attempt.status,
            "isAccepted": attempt.is_accepted,
        })
    });
    let mut planned = wechat_pay.knobs();
    planned["push"] = json!(wechat.push().plan().view());
    planned["virtualRefundOutcomes"] = json!(wechat.virtual_payment().refund_outcomes().view());
    let knobs: Vec<Value> = targets()
        .filter(|name| !name.starts_with("image."))
        .filter_map(|name| Some((name, faults(control, name).ok()?)))
        .map(|(name, knob)| json!({ "name": name, "faults": state::faults(knob) }))
        .collect();
    json!({
        "base": wechat_pay.base(),
        "mchid": WechatPaySim::MCHID,
        "pushFormat": wechat.push().format(),
        "speed": outbox.speed(),
        "waiting": outbox.waiting(),
        "orders": orders.chain(virtual_orders).collect::<Vec<_>>(),
        "refunds": refunds.collect::<Vec<_>>(),
        "deliveries": deliveries.collect::<Vec<_>>(),
        "planned": planned,
        "knobs": knobs,
        "requests": state::requests(wechat_pay.journal()),
    })
}
