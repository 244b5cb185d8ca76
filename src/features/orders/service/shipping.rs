//! Telling WeChat that what was bought with an ordinary payment has been delivered: certain
//! mini-programs get their money only then. Repeated until it is accepted.

use crate::app::App;
use crate::clients::wechat::{Shipping, ShippingReport};
use crate::features::orders::model::{OrderError, OrderId, next_ship};
use crate::features::orders::store;

/// Reports looked at in one run; the rest follows at the next.
const BATCH: i64 = 50;

/// Reports the deliveries that are due.
///
/// # Errors
/// What the database fails with. WeChat's refusals are tried again later.
pub async fn report_shipping(app: &App) -> Result<(), OrderError> {
    let now = app.clock.now();
    let due =
        app.db.read_inline("orders.ship_due", |tx| store::payments::ship_due(tx, now, BATCH))?;
    for (id, tries) in due {
        let is_done = report(app, &id).await?;
        let now = app.clock.now();
        let tries = tries.saturating_add(1);
        let next = if is_done { None } else { next_ship(tries, now) };
        if !is_done && next.is_none() {
            tracing::error!(order.id = %id, "WeChat never took the report of a delivery");
        }
        app.db
            .write("orders.ship_tried", move |tx| {
                Ok::<_, OrderError>(store::payments::ship_tried(tx, &id, next, now)?)
            })
            .await?;
    }
    Ok(())
}

/// Whether there is nothing more to report about the order.
async fn report(app: &App, id: &OrderId) -> Result<bool, OrderError> {
    let Some((order, payment)) = super::ask::read(app, id)? else { return Ok(true) };
    let (Some(pay), Some(payer_openid)) = (&app.wechat_pay, payment.payer_openid) else {
        return Ok(true);
    };
    let report = ShippingReport {
        mchid: pay.mchid().to_owned(),
        out_trade_no: id.as_str().to_owned(),
        description: order.name,
        payer_openid,
        delivered_at: order.paid_at.unwrap_or(order.created_at),
    };
    match app.weixin.upload_shipping_info(&report).await {
        Ok(Shipping::Accepted) => Ok(true),
        Ok(Shipping::NotNeeded) => {
            tracing::info!(order.id = %id, "WeChat wants no report of a delivery");
            Ok(true)
        }
        Ok(Shipping::NotYet) => Ok(false),
        Err(err) => {
            tracing::warn!(order.id = %id, error = %err, "a delivery cannot be reported");
            Ok(false)
        }
    }
}
