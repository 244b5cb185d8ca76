//! What a membership level may do.

use serde::{Deserialize, Serialize};

use super::{Checked, Resolution, SettingsError, within};

/// By level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub struct Entitlements {
    pub normal: Entitlement,
    pub vip: Entitlement,
    pub svip: Entitlement,
}

/// What one level may do. `None` is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entitlement {
    /// Free pictures a day; beyond them each costs points.
    pub free_per_day: Option<u32>,
    /// Free pictures a month, on top of the daily limit.
    pub free_per_month: Option<u32>,
    /// Pictures a day at all: points do not lift it.
    pub fair_use_per_day: Option<u32>,
    /// The largest resolution, at any price.
    pub max_resolution: Resolution,
    /// Jobs of one user that run at once.
    pub concurrency: u32,
    /// Share of the workers when levels compete: 4 gets four turns while 1 gets one.
    pub weight: u32,
    /// Days that results are kept.
    pub history_days: Option<u32>,
    /// Whether points may pay for more than the free pictures.
    pub points_allowed: bool,
}

impl Default for Entitlements {
    fn default() -> Self {
        let normal = Entitlement {
            free_per_day: Some(5),
            free_per_month: None,
            fair_use_per_day: None,
            max_resolution: Resolution::K2,
            concurrency: 2,
            weight: 1,
            history_days: Some(30),
            points_allowed: true,
        };
        let vip = Entitlement {
            free_per_day: None,
            fair_use_per_day: Some(1000),
            max_resolution: Resolution::K4,
            concurrency: 4,
            weight: 4,
            history_days: None,
            ..normal
        };
        let svip = Entitlement { fair_use_per_day: Some(3000), concurrency: 8, weight: 8, ..vip };
        Self { normal, vip, svip }
    }
}

impl Checked for Entitlements {
    fn check(&self) -> Result<(), SettingsError> {
        for (level, may) in [("NORMAL", self.normal), ("VIP", self.vip), ("SVIP", self.svip)] {
            within(&format!("{level}.concurrency"), may.concurrency, 1, 1000)?;
            within(&format!("{level}.weight"), may.weight, 1, 100)?;
            within(&format!("{level}.historyDays"), may.history_days.unwrap_or(1), 1, 36_500)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_pictures_are_for_members() {
        let by_level = Entitlements::default();
        assert!(by_level.normal.max_resolution < Resolution::K4);
        assert_eq!(by_level.vip.max_resolution, Resolution::K4);
        assert_eq!(by_level.svip.max_resolution, Resolution::K4);
    }
}
