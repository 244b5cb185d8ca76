//! A day's bill of WeChat Pay.

use std::sync::Arc;

use jiff::civil::Date;

use super::Compared;
use crate::app::App;
use crate::base::time::UnixMillis;
use crate::clients::wechat_pay::{BillKind, BillRow, TradeBill};
use crate::db::{DbError, Tx};
use crate::features::reconciliation::model::{Channel, Ours, ReconciliationError, bounds, compare};
use crate::features::reconciliation::store;
use crate::features::refunds::RefundId;

/// WeChat may have taken a refund on, on the one side of midnight, and answered on the other: what is
/// missing is looked for so many seconds later, when both bills were seen.
const MIDNIGHT_S: i64 = 600;

pub(super) async fn compare_day(
    app: &Arc<App>,
    day: Date,
) -> Result<Compared, ReconciliationError> {
    let pay = app.wechat_pay.as_ref().ok_or(ReconciliationError::NotConfigured)?;
    let bill = pay.trade_bill(day, BillKind::All).await.map_err(ReconciliationError::Bill)?;
    let appid = pay.appid().to_owned();
    let compared =
        app.db.read("reconciliation.compare", move |tx| compare_bill(tx, &bill, &appid)).await?;
    Ok(compared)
}

fn compare_bill(tx: &Tx<'_>, bill: &TradeBill, appid: &str) -> Result<Compared, DbError> {
    // A merchant may sell in other apps too.
    let rows: Vec<&BillRow> = bill.rows.iter().filter(|row| row.appid == appid).collect();
    let (begin, end) = bounds(bill.day);
    let mut ours = Ours {
        paid_that_day: store::ours::paid_between(tx, Channel::Wechat, (begin, end))?,
        not_billed: store::ours::not_billed(tx, (before(begin), before(end)))?,
        ..Ours::default()
    };
    for row in &rows {
        if ours.orders.contains_key(&row.out_trade_no) {
            continue;
        }
        if let Some(order) = store::ours::order(tx, &row.out_trade_no)? {
            ours.refunds.extend(store::ours::refunds(tx, &order.order)?);
            ours.orders.insert(order.order.clone(), order);
        }
    }
    let found = compare(&rows, &ours);
    let billed = rows.iter().filter_map(|row| row.refund.as_ref());
    let billed = billed.filter_map(|refund| RefundId::parse(&refund.out_refund_no)).collect();
    // The sums are of all apps of the merchant; ours alone when there is no other.
    let is_ours_alone = rows.len() == bill.rows.len();
    let fee = bill.summary.as_ref().filter(|_| is_ours_alone).and_then(|sums| sums.fee_fen);
    Ok(Compared { listed: rows.len(), found, billed, fee })
}

const fn before(at: UnixMillis) -> UnixMillis {
    at.plus_seconds(MIDNIGHT_S.saturating_neg())
}
