//! Virtual payment (`wx.requestVirtualPayment`): the channel WeChat asks of virtual goods.

use clap::{ArgAction, Args};

use super::parse::ConfigError;
use crate::base::secret::Secret;

/// Virtual payment: there when both of its values are set.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Virtual payment")]
pub struct VirtualPaymentConfig {
    /// Offer id of the mini-program's virtual payment; without it that channel is off.
    #[arg(
        id = "wechat_virtual_pay_offer_id",
        long = "wechat-virtual-pay-offer-id",
        env = "WECHAT_VIRTUAL_PAY_OFFER_ID",
        value_name = "1450000000"
    )]
    pub offer_id: Option<String>,

    /// AppKey of the environment that is used: the live one, or with WECHAT_VIRTUAL_PAY_SANDBOX=true
    /// the sandbox one.
    #[arg(
        id = "wechat_virtual_pay_app_key",
        long = "wechat-virtual-pay-app-key",
        env = "WECHAT_VIRTUAL_PAY_APP_KEY",
        value_name = "0123456789abcdef0123456789abcdef",
        hide_env_values = true
    )]
    pub app_key: Option<Secret<String>>,

    /// Whether to sell in WeChat's sandbox environment (env 1), where no money moves (true or false).
    #[arg(
        id = "wechat_virtual_pay_sandbox",
        long = "wechat-virtual-pay-sandbox",
        env = "WECHAT_VIRTUAL_PAY_SANDBOX",
        default_value_t = false,
        action = ArgAction::Set
    )]
    pub sandbox: bool,
}

/// The values of a channel that is configured.
#[derive(Clone, Debug)]
pub struct VirtualPaymentValues {
    pub offer_id: String,
    pub app_key: Secret<String>,
    /// Whether orders are made in the sandbox environment.
    pub sandbox: bool,
}

impl VirtualPaymentConfig {
    /// The channel, if it is configured.
    ///
    /// # Errors
    /// When one of the two values is set without the other.
    pub fn values(&self) -> Result<Option<VirtualPaymentValues>, ConfigError> {
        match (&self.offer_id, &self.app_key) {
            (None, None) => Ok(None),
            (None, Some(_)) => Err(ConfigError::missing(
                "WECHAT_VIRTUAL_PAY_OFFER_ID",
                "WECHAT_VIRTUAL_PAY_OFFER_ID=1450000000",
            )),
            (Some(_), None) => Err(ConfigError::missing(
                "WECHAT_VIRTUAL_PAY_APP_KEY",
                "WECHAT_VIRTUAL_PAY_APP_KEY=0123456789abcdef0123456789abcdef",
            )),
            (Some(offer_id), Some(app_key)) => Ok(Some(VirtualPaymentValues {
                offer_id: offer_id.clone(),
                app_key: app_key.clone(),
                sandbox: self.sandbox,
            })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_channel_is_there_whole_or_not_at_all() {
        let config = |offer: Option<&str>, key: Option<&str>| VirtualPaymentConfig {
            offer_id: offer.map(str::to_owned),
            app_key: key.map(|key| Secret::new(key.to_owned())),
            sandbox: true,
        };
        assert!(config(None, None).values().unwrap().is_none());
        let whole = config(Some("1450000000"), Some("k")).values().unwrap().unwrap();
        assert_eq!((whole.offer_id.as_str(), whole.sandbox), ("1450000000", true));
        for (part, missing) in [
            (config(Some("1"), None), "WECHAT_VIRTUAL_PAY_APP_KEY"),
            (config(None, Some("hush")), "WECHAT_VIRTUAL_PAY_OFFER_ID"),
        ] {
            let problem = part.values().unwrap_err().to_string();
            assert!(problem.starts_with(missing), "{problem}");
            assert!(!problem.contains("hush"), "{problem}");
        }
    }
}
