//! What things cost in points, and what gives points.

use serde::{Deserialize, Serialize};

use super::{Checked, SettingsError, within};

/// The most points that one setting may give or take.
const POINTS_MAX: i64 = 1_000_000;

/// The longest check-in table, in days.
const STREAK_MAX: usize = 366;

/// How a picture is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    Draft,
    Final,
}

/// How large a picture is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Resolution {
    #[serde(rename = "1K")]
    K1,
    #[serde(rename = "2K")]
    K2,
    #[serde(rename = "4K")]
    K4,
}

/// Prices and gifts, in points.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Economy {
    pub prices: PriceTable,
    /// Points for one yuan, when a free amount is bought.
    pub points_per_yuan: i64,
    /// For a new user; 0 gives none.
    pub sign_up_bonus: i64,
    /// For the first, second, … day of a streak; the last holds for all later ones.
    pub check_in: Vec<i64>,
    pub invite: Invite,
}

/// The price of one picture by mode and resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceTable {
    pub draft: ResolutionPrices,
    #[serde(rename = "final")]
    pub final_: ResolutionPrices,
}

/// The price of one picture by resolution; 0 is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolutionPrices {
    #[serde(rename = "1K")]
    pub k1: i64,
    #[serde(rename = "2K")]
    pub k2: i64,
    #[serde(rename = "4K")]
    pub k4: i64,
}

/// What bringing a new user gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Invite {
    /// Points for the inviter, for each user he brought; 0 gives none.
    pub reward: i64,
    /// What the invited user must have done.
    pub on: InviteEvent,
    /// How many invited users one inviter is rewarded for.
    pub cap: u32,
}

/// What proves that an invited user is a real one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InviteEvent {
    /// His first job succeeded.
    FirstJob,
    /// His first payment arrived.
    FirstPayment,
}

impl PriceTable {
    /// The price of `count` pictures, in points.
    pub fn price(&self, mode: Mode, resolution: Resolution, count: u32) -> i64 {
        let prices = match mode {
            Mode::Draft => &self.draft,
            Mode::Final => &self.final_,
        };
        let each = match resolution {
            Resolution::K1 => prices.k1,
            Resolution::K2 => prices.k2,
            Resolution::K4 => prices.k4,
        };
        each.saturating_mul(i64::from(count))
    }
}

impl Economy {
    /// What the `streak`th day in a row gives (counted from 1), in points.
    pub fn check_in_points(&self, streak: i64) -> i64 {
        let day = usize::try_from(streak.saturating_sub(1)).unwrap_or(0);
        self.check_in.get(day).or(self.check_in.last()).copied().unwrap_or(0)
    }
}

impl Default for Economy {
    fn default() -> Self {
        Self {
            prices: PriceTable::default(),
            points_per_yuan: 10,
            sign_up_bonus: 10,
            check_in: (1..=7).collect(),
            invite: Invite::default(),
        }
    }
}

impl Default for PriceTable {
    fn default() -> Self {
        Self {
            draft: ResolutionPrices::default(),
            final_: ResolutionPrices { k1: 2, k2: 4, k4: 8 },
        }
    }
}

impl Default for ResolutionPrices {
    fn default() -> Self {
        Self { k1: 1, k2: 2, k4: 4 }
    }
}

impl Default for Invite {
    fn default() -> Self {
        Self { reward: 20, on: InviteEvent::FirstJob, cap: 50 }
    }
}

impl Checked for Economy {
    fn check(&self) -> Result<(), SettingsError> {
        for (mode, prices) in [("draft", self.prices.draft), ("final", self.prices.final_)] {
            for (resolution, price) in [("1K", prices.k1), ("2K", prices.k2), ("4K", prices.k4)] {
                within(&format!("prices.{mode}.{resolution}"), price, 0, POINTS_MAX)?;
            }
        }
        within("pointsPerYuan", self.points_per_yuan, 1, POINTS_MAX)?;
        within("signUpBonus", self.sign_up_bonus, 0, POINTS_MAX)?;
        if self.check_in.is_empty() || self.check_in.len() > STREAK_MAX {
            return Err(SettingsError::invalid("checkIn", "must have 1 to 366 days"));
        }
        self.check_in.iter().try_for_each(|points| within("checkIn", *points, 0, POINTS_MAX))?;
        within("invite.reward", self.invite.reward, 0, POINTS_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_price_is_mode_by_resolution_by_count() {
        let prices = PriceTable::default();
        let price = |mode, resolution| prices.price(mode, resolution, 1);
        assert_eq!(
            [Resolution::K1, Resolution::K2, Resolution::K4].map(|size| price(Mode::Draft, size)),
            [1, 2, 4]
        );
        assert_eq!(
            [Resolution::K1, Resolution::K2, Resolution::K4].map(|size| price(Mode::Final, size)),
            [2, 4, 8]
        );
        assert_eq!(prices.price(Mode::Final, Resolution::K4, 10), 80);
        assert_eq!(prices.price(Mode::Draft, Resolution::K1, 0), 0);
    }

    #[test]
    fn the_last_day_of_the_table_holds_for_longer_streaks() {
        let economy = Economy::default();
        assert_eq!([1, 2, 7, 8, 400].map(|day| economy.check_in_points(day)), [1, 2, 7, 7, 7]);
        let flat = Economy { check_in: vec![5], ..economy };
        assert_eq!(flat.check_in_points(3), 5);
    }
}
