//! What a quote says, for people to read before they pay.

use crate::base::time::UnixMillis;
use crate::features::users::VipLevel;
use crate::features::vip::model::{Change, DAY_MS, DAYS_MAX, Quote};
use crate::http::Language;

/// What paying comes to, the conversion included.
pub(super) fn of(quote: &Quote, language: Language) -> String {
    let level = name(quote.plan.level);
    let days = quote.plan.days;
    let zh =
        if days >= DAYS_MAX { format!("永久（{days} 天）") } else { format!("{days} 天") };
    let end = day(quote.after.expires_at);
    match (quote.change, language) {
        (Change::Begins, Language::Zh) => {
            format!("支付后立即开通 {level} {zh}，有效期至 {end}。")
        }
        (Change::Begins, Language::En) => {
            format!("{level} begins when you have paid and lasts {days} days, until {end}.")
        }
        // The shop refuses what would be another `Extends`.
        (Change::Renews | Change::Extends { .. }, Language::Zh) => {
            let until = day(quote.current.expires_at);
            format!("续费 {level} {zh}，有效期由 {until} 延长至 {end}。")
        }
        (Change::Renews | Change::Extends { .. }, Language::En) => {
            let until = day(quote.current.expires_at);
            format!("{days} more days of {level}: until {end} instead of {until}.")
        }
        (Change::Upgrades { from, left_ms, converted_ms }, Language::Zh) => format!(
            "支付后立即升级为 {level}，有效期至 {end}：套餐 {zh}，另加剩余的 {} {} 天折算成的 {} \
             天。折算公式：剩余时间 × 已付的每日价格 ÷ 新套餐的每日价格。",
            name(from),
            shown(left_ms),
            shown(converted_ms),
        ),
        (Change::Upgrades { from, left_ms, converted_ms }, Language::En) => format!(
            "{level} begins when you have paid and lasts until {end}: {days} days of the plan, and {} \
             days for the {} days of {} that are left. They are converted by time left × price per day \
             paid ÷ price per day of the new plan.",
            shown(converted_ms),
            shown(left_ms),
            name(from),
        ),
    }
}

/// Days, rounded down to hundredths.
pub(super) fn days(ms: i64) -> f64 {
    // A membership has fewer than 4 million days.
    let hundredths = ms.div_euclid(DAY_MS / 100);
    f64::from(i32::try_from(hundredths).unwrap_or(i32::MAX)) / 100.0
}

fn shown(ms: i64) -> String {
    days(ms).to_string()
}

/// The calendar day in Asia/Shanghai.
fn day(at: Option<UnixMillis>) -> String {
    at.map(|at| at.shanghai_date().to_string()).unwrap_or_default()
}

/// As the product shows it.
pub(super) fn name(level: VipLevel) -> &'static str {
    match level {
        VipLevel::Normal => "NORMAL",
        VipLevel::Vip => "VIP",
        VipLevel::Svip => "SVIP",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_rounded_down_to_hundredths() {
        let shown = [0, DAY_MS, DAY_MS + DAY_MS / 2, 30 * DAY_MS - 1].map(shown);
        assert_eq!(shown, ["0", "1", "1.5", "29.99"]);
    }
}
