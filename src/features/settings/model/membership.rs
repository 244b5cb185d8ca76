//! What members get besides what their level may do.

use serde::{Deserialize, Serialize};

use super::{Checked, SettingsError, within};

/// The most points that a month gives.
const POINTS_MAX: i64 = 1_000_000;

/// Gifts and reminders of a membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Membership {
    /// By level; 0 gives none.
    pub monthly_points: MonthlyPoints,
    /// So many days before its end a member is reminded; 0 reminds nobody.
    pub reminder_days: u32,
}

/// Points for each month of a membership.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub struct MonthlyPoints {
    pub vip: i64,
    pub svip: i64,
}

impl Default for Membership {
    fn default() -> Self {
        // No plan promises points each month; an operator who sets some adds them to the benefits.
        Self { monthly_points: MonthlyPoints::default(), reminder_days: 3 }
    }
}

impl Checked for Membership {
    fn check(&self) -> Result<(), SettingsError> {
        within("monthlyPoints.VIP", self.monthly_points.vip, 0, POINTS_MAX)?;
        within("monthlyPoints.SVIP", self.monthly_points.svip, 0, POINTS_MAX)?;
        within("reminderDays", self.reminder_days, 0, 30)
    }
}
