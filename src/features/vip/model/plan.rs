//! What is sold.

use serde_json::{Value, json};

use super::{DAY_MS, DAYS_MAX, PRICE_MAX, Rate, VipError, level_text};
use crate::base::content_version::content_version;
use crate::features::users::VipLevel;

/// The most points that come on top of a plan.
const POINTS_MAX: i64 = 1_000_000;

/// The most benefits a plan lists.
const BENEFITS_MAX: usize = 20;

/// Characters of a name or a benefit.
const TEXT_MAX: usize = 64;

/// A membership for sale. Prices in fen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// 1–64 of `[0-9A-Za-z_-]`; what was sold under it keeps it, so it is never reused.
    pub id: String,
    pub name: String,
    /// Not `Normal`.
    pub level: VipLevel,
    /// 1–36 500.
    pub days: i64,
    /// Shown struck through; not below the current one.
    pub original_price: i64,
    /// What is asked.
    pub current_price: i64,
    /// Texts to show.
    pub benefits: Vec<String>,
    pub is_popular: bool,
    /// Points on top.
    pub points: i64,
    /// Whether it is in the list and can be bought.
    pub is_on_sale: bool,
    /// Its place in the list, the smallest first.
    pub sort: i64,
}

impl Plan {
    /// As the audit log has it.
    pub fn to_json(&self) -> Value {
        json!({
            "planId": self.id, "name": self.name, "level": level_text(self.level),
            "duration": self.days, "originalPrice": self.original_price,
            "currentPrice": self.current_price, "benefits": self.benefits,
            "popular": self.is_popular, "points": self.points, "onSale": self.is_on_sale,
            "sort": self.sort,
        })
    }

    /// Names the plan as it is.
    pub fn version(&self) -> String {
        content_version(&self.to_json().to_string())
    }
}

/// The plan, texts trimmed.
///
/// # Errors
/// `Invalid` with the first field that is out of range.
pub(in crate::features::vip) fn checked(mut plan: Plan) -> Result<Plan, VipError> {
    let is_id_char = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !(1..=TEXT_MAX).contains(&plan.id.len()) || !plan.id.chars().all(is_id_char) {
        return Err(VipError::Invalid("id"));
    }
    plan.name = text(&plan.name).ok_or(VipError::Invalid("name"))?;
    if plan.level == VipLevel::Normal {
        return Err(VipError::Invalid("level"));
    }
    if !(1..=DAYS_MAX).contains(&plan.days) {
        return Err(VipError::Invalid("duration"));
    }
    if !(1..=PRICE_MAX).contains(&plan.current_price) {
        return Err(VipError::Invalid("currentPrice"));
    }
    if !(plan.current_price..=PRICE_MAX).contains(&plan.original_price) {
        return Err(VipError::Invalid("originalPrice"));
    }
    if plan.benefits.len() > BENEFITS_MAX {
        return Err(VipError::Invalid("benefits"));
    }
    let benefits: Option<Vec<String>> = plan.benefits.iter().map(|benefit| text(benefit)).collect();
    plan.benefits = benefits.ok_or(VipError::Invalid("benefits"))?;
    if !(0..=POINTS_MAX).contains(&plan.points) {
        return Err(VipError::Invalid("points"));
    }
    Ok(plan)
}

/// Trimmed, of 1–64 characters, none of them a control character.
fn text(text: &str) -> Option<String> {
    let text = text.trim();
    let is_good =
        (1..=TEXT_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    is_good.then(|| text.to_owned())
}

/// What a day of `level` costs at least: the cheapest plan of it on sale, else of all that ever were.
pub(in crate::features::vip) fn cheapest(plans: &[Plan], level: VipLevel) -> Option<Rate> {
    let of = |only_on_sale: bool| {
        plans
            .iter()
            .filter(|plan| plan.level == level && (plan.is_on_sale || !only_on_sale))
            .min_by(|a, b| times(a, b.days).cmp(&times(b, a.days)))
    };
    let plan = of(true).or_else(|| of(false))?;
    Rate::new(plan.current_price, plan.days.saturating_mul(DAY_MS))
}

/// Two plans compare by day when each price is multiplied by the days of the other.
fn times(plan: &Plan, days: i64) -> i128 {
    i128::from(plan.current_price).saturating_mul(i128::from(days))
}
