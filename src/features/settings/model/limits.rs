//! How many requests a minute are allowed.

use serde::{Deserialize, Serialize};

use super::{Checked, SettingsError, within};
use crate::app::limits::RateChanges;

/// The highest rate; whoever wants more switches the limit off.
pub(super) const RATE_MAX: u32 = 1_000_000;

/// With fewer requests of one address the admin page, which needs some thirty to open, could not take the
/// setting back.
const PER_IP_MIN: u32 = 60;

/// Requests a minute; 0 = no limit, and nothing leaves what the environment says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RateLimits {
    /// Every request of one address.
    pub per_ip: Option<u32>,
    /// Every request of one user.
    pub per_user: Option<u32>,
    /// Log-ins of one address, of users and of administrators.
    pub login_per_ip: Option<u32>,
    /// Generations submitted by one user.
    pub generate_per_user: Option<u32>,
    /// Exports of one user's data.
    pub export_per_user: Option<u32>,
}

impl RateLimits {
    /// As the limits take it.
    pub(in crate::features::settings) fn changes(self) -> RateChanges {
        let Self { per_ip, per_user, login_per_ip, generate_per_user, export_per_user } = self;
        RateChanges { per_ip, per_user, login_per_ip, generate_per_user, export_per_user }
    }
}

impl Checked for RateLimits {
    fn check(&self) -> Result<(), SettingsError> {
        for (field, rate) in [
            ("perIp", self.per_ip),
            ("perUser", self.per_user),
            ("loginPerIp", self.login_per_ip),
            ("generatePerUser", self.generate_per_user),
            ("exportPerUser", self.export_per_user),
        ] {
            rate.map_or(Ok(()), |rate| within(field, rate, 0, RATE_MAX))?;
        }
        match self.per_ip {
            Some(rate @ 1..PER_IP_MIN) => {
                let problem = format!(
                    "{rate} is too few for the admin page to work: 0 or at least {PER_IP_MIN}"
                );
                Err(SettingsError::invalid("perIp", problem))
            }
            _ => Ok(()),
        }
    }
}
