//! How orders are paid: the channel of each platform and product, the time to pay, and the rhythm in
//! which WeChat is asked about what nobody has told us.

use serde::{Deserialize, Serialize};

use super::{Checked, SettingsError, within};

/// The longest rhythm, in steps.
const STEPS_MAX: usize = 50;

/// Orders and their payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentRules {
    pub channels: Channels,
    /// Minutes from placing an order until it expires. WeChat makes less than one out of nothing.
    pub order_minutes: u32,
    /// Orders of one user waiting for payment at once.
    pub max_pending_per_user: u32,
    /// Seconds from the start of a payment to each question about it, ascending.
    pub ask_after_s: Vec<u32>,
    /// Questions to WeChat under way at once.
    pub ask_concurrency: u32,
    /// Seconds between two questions about one order that its owner asks for.
    pub sync_every_s: u32,
    /// Whether WeChat is told that what was bought has been delivered; some mini-programs get their
    /// money only then.
    pub report_shipping: bool,
    /// Refused calls of the notification addresses that are kept for looking at, an hour; the rest is
    /// only counted in the log.
    pub refused_kept_per_hour: u32,
}

/// The channel by product kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Channels {
    pub vip: PlatformChannels,
    pub points: PlatformChannels,
}

/// The channel by platform.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlatformChannels {
    pub ios: ChannelRule,
    pub android: ChannelRule,
    pub other: ChannelRule,
}

/// Which channel an order uses. Unless the rule ends in `_only`, the client may ask for the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelRule {
    /// Virtual payment when it is configured, else WeChat Pay.
    #[default]
    Auto,
    Wechat,
    Virtual,
    WechatOnly,
    VirtualOnly,
}

impl Default for PaymentRules {
    fn default() -> Self {
        Self {
            channels: Channels::default(),
            order_minutes: 15,
            max_pending_per_user: 50,
            ask_after_s: vec![5, 15, 60, 120, 300, 600],
            ask_concurrency: 8,
            sync_every_s: 2,
            report_shipping: true,
            refused_kept_per_hour: 500,
        }
    }
}

impl Checked for PaymentRules {
    fn check(&self) -> Result<(), SettingsError> {
        within("orderMinutes", self.order_minutes, 1, 120)?;
        within("maxPendingPerUser", self.max_pending_per_user, 1, 1000)?;
        within("askConcurrency", self.ask_concurrency, 1, 100)?;
        within("syncEveryS", self.sync_every_s, 0, 60)?;
        within("refusedKeptPerHour", self.refused_kept_per_hour, 0, 100_000)?;
        if self.ask_after_s.is_empty() || self.ask_after_s.len() > STEPS_MAX {
            let problem = format!("must have from 1 to {STEPS_MAX} steps");
            return Err(SettingsError::invalid("askAfterS", problem));
        }
        let mut last = 0;
        for step in &self.ask_after_s {
            within("askAfterS", *step, 1, 7200)?;
            if *step <= last {
                return Err(SettingsError::invalid("askAfterS", "must be ascending"));
            }
            last = *step;
        }
        Ok(())
    }
}
