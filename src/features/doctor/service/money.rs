//! Points, payments and what somebody must look at.

use super::Patient;
use super::data::{failed, unusable};
use crate::base::bilingual::Bilingual;
use crate::features::doctor::model::Finding;
use crate::features::points::service::books;
use crate::features::reconciliation::service::money as orders;
use crate::features::vitals;

/// A notification that is processed takes milliseconds.
const STUCK_MS: i64 = 60_000;

pub(super) async fn points(patient: &Patient) -> Finding {
    const CHECK: &str = "points_books";
    if let Some(finding) = unusable(patient, CHECK) {
        return finding;
    }
    match books::examine(&patient.app.db).await {
        Ok(report) if report.is_balanced() => {
            let users = report.users;
            let text = Bilingual::new(
                format!("{users} 位用户的余额都对"),
                format!("the balances of all {users} users are right"),
            );
            Finding::pass(CHECK, text)
        }
        Ok(report) => {
            let wrong = report.wrong_users;
            Finding::fail(
                CHECK,
                Bilingual::new(
                    format!("{wrong} 位用户的余额与流水不符"),
                    format!("the balances of {wrong} users are not what their ledgers say"),
                ),
                Bilingual::new(
                    "管理后台的「账目核对」或 `dream-bff books` 会列出是谁；不要手工改余额",
                    "Books on the admin page, or `dream-bff books`, names them; do not change balances \
                     by hand",
                ),
            )
        }
        Err(err) => failed(CHECK, &err),
    }
}

pub(super) async fn money(patient: &Patient) -> Finding {
    const CHECK: &str = "money_books";
    if let Some(finding) = unusable(patient, CHECK) {
        return finding;
    }
    match orders::examine(&patient.app.db).await {
        Ok(report) if report.is_balanced() => {
            let orders = report.orders;
            let text = Bilingual::new(
                format!("{orders} 笔已付款的订单都得到了所买的"),
                format!("all {orders} paid orders have what they paid for"),
            );
            Finding::pass(CHECK, text)
        }
        Ok(report) => {
            let wrong = report.wrong;
            Finding::fail(
                CHECK,
                Bilingual::new(
                    format!("{wrong} 笔付款或退款与发放的对不上"),
                    format!("{wrong} payments or refunds do not fit what was given for them"),
                ),
                Bilingual::new(
                    "管理后台的「账目核对」或 `dream-bff books` 会列出是哪些；然后看 docs/payments.md",
                    "Books on the admin page, or `dream-bff books`, names them; then docs/payments.md",
                ),
            )
        }
        Err(err) => failed(CHECK, &err),
    }
}

pub(super) async fn payments(patient: &Patient) -> Finding {
    const CHECK: &str = "payments";
    if let Some(finding) = unusable(patient, CHECK) {
        return finding;
    }
    let vitals = match vitals::service::vitals(&patient.app).await {
        Ok(vitals) => vitals,
        Err(err) => return failed(CHECK, &err),
    };
    let stuck = vitals.events_open.since.is_some_and(|since| vitals.at.0 - since.0 > STUCK_MS);
    if vitals.not_credited() > 0 || stuck {
        let (missing, waiting) = (vitals.not_credited(), vitals.events_open.count);
        return Finding::fail(
            CHECK,
            Bilingual::new(
                format!("微信账单里有 {missing} 笔付款没有到账，{waiting} 条支付通知没处理完"),
                format!(
                    "{missing} payments of WeChat's bills are not credited, {waiting} notifications \
                     wait"
                ),
            ),
            Bilingual::new(
                "到管理后台的「对账」修复；见 docs/payments.md",
                "repair them on the admin page, Reconciliation; see docs/payments.md",
            ),
        );
    }
    let others = vitals.differences_open() + vitals.events_flagged;
    if others > 0 {
        return Finding::warn(
            CHECK,
            Bilingual::new(
                format!("{others} 笔付款或退款需要人工查看"),
                format!("{others} payments or refunds wait for somebody to look at them"),
            ),
            Bilingual::new(
                "管理后台里列着；见 docs/payments.md",
                "the admin page lists them; see docs/payments.md",
            ),
        );
    }
    Finding::pass(CHECK, Bilingual::new("没有需要人处理的", "nothing waits for anybody"))
}
