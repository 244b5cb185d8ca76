//! Which channel an order is paid through.

use crate::features::orders::model::Kind;
use crate::features::settings::{ChannelRule, Channels};

/// A payment channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// WeChat Pay v3, JSAPI: `wx.requestPayment`.
    Wechat,
    /// Virtual payment: `wx.requestVirtualPayment`.
    Virtual,
}

impl Method {
    /// As it is stored and sent; never renamed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wechat => "wechat",
            Self::Virtual => "virtual",
        }
    }

    /// The table's CHECK admits no other text.
    pub(in crate::features::orders) fn from_stored(text: &str) -> Self {
        match text {
            "virtual" => Self::Virtual,
            _ => Self::Wechat,
        }
    }
}

/// Where the mini-program runs, as far as payment cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    Ios,
    Android,
    Other,
}

impl Platform {
    /// As it is stored; never renamed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ios => "ios",
            Self::Android => "android",
            Self::Other => "other",
        }
    }

    /// From what `wx.getDeviceInfo().platform` says.
    pub(in crate::features::orders) fn named(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "ios" | "ipados" => Self::Ios,
            "android" => Self::Android,
            _ => Self::Other,
        }
    }
}

/// Why there is no channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::features::orders) enum ChannelRefusal {
    /// The channel that is asked for, or by rule, is not configured.
    NotConfigured(Method),
    /// A free amount is not among the published goods of virtual payment.
    AmountNeedsWechat,
}

/// The channel for a product: what is asked for, if the rule leaves the choice, else what the rule
/// says. `has_goods` is whether virtual payment can sell it at all.
pub(in crate::features::orders) fn choose(
    channels: &Channels,
    kind: Kind,
    platform: Platform,
    asked: Option<Method>,
    has_goods: bool,
    is_configured: impl Fn(Method) -> bool,
) -> Result<Method, ChannelRefusal> {
    let by_platform = match kind {
        Kind::Vip => &channels.vip,
        Kind::Points => &channels.points,
    };
    let rule = match platform {
        Platform::Ios => by_platform.ios,
        Platform::Android => by_platform.android,
        Platform::Other => by_platform.other,
    };
    let can_be_virtual = has_goods && is_configured(Method::Virtual);
    let method = match (rule, asked) {
        (ChannelRule::WechatOnly, _) => Method::Wechat,
        (ChannelRule::VirtualOnly, _) => Method::Virtual,
        (_, Some(asked)) => asked,
        (ChannelRule::Wechat, None) => Method::Wechat,
        (ChannelRule::Auto, None) if can_be_virtual => Method::Virtual,
        (ChannelRule::Auto, None) => Method::Wechat,
        // What virtual payment cannot sell goes the other way, unless that is forbidden.
        (ChannelRule::Virtual, None) if has_goods => Method::Virtual,
        (ChannelRule::Virtual, None) => Method::Wechat,
    };
    if method == Method::Virtual && !has_goods {
        return Err(ChannelRefusal::AmountNeedsWechat);
    }
    if is_configured(method) { Ok(method) } else { Err(ChannelRefusal::NotConfigured(method)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::settings::PlatformChannels;

    fn channels(rule: ChannelRule) -> Channels {
        let vip = PlatformChannels { ios: rule, ..PlatformChannels::default() };
        Channels { vip, ..Channels::default() }
    }

    fn on_ios(
        rule: ChannelRule,
        asked: Option<Method>,
        configured: &[Method],
    ) -> Result<Method, ChannelRefusal> {
        let is_configured = |method| configured.contains(&method);
        choose(&channels(rule), Kind::Vip, Platform::Ios, asked, true, is_configured)
    }

    const BOTH: [Method; 2] = [Method::Wechat, Method::Virtual];

    #[test]
    fn virtual_is_the_default_as_soon_as_it_is_configured() {
        assert_eq!(on_ios(ChannelRule::Auto, None, &BOTH), Ok(Method::Virtual));
        assert_eq!(on_ios(ChannelRule::Auto, None, &[Method::Wechat]), Ok(Method::Wechat));
        assert_eq!(
            on_ios(ChannelRule::Auto, None, &[]),
            Err(ChannelRefusal::NotConfigured(Method::Wechat))
        );
    }

    #[test]
    fn what_is_asked_for_wins_unless_the_rule_forbids_it() {
        let wechat = Some(Method::Wechat);
        for rule in [ChannelRule::Auto, ChannelRule::Virtual, ChannelRule::Wechat] {
            assert_eq!(on_ios(rule, wechat, &BOTH), Ok(Method::Wechat));
            assert_eq!(on_ios(rule, Some(Method::Virtual), &BOTH), Ok(Method::Virtual));
        }
        assert_eq!(on_ios(ChannelRule::VirtualOnly, wechat, &BOTH), Ok(Method::Virtual));
        assert_eq!(
            on_ios(ChannelRule::WechatOnly, Some(Method::Virtual), &BOTH),
            Ok(Method::Wechat)
        );
        assert_eq!(
            on_ios(ChannelRule::Auto, Some(Method::Virtual), &[Method::Wechat]),
            Err(ChannelRefusal::NotConfigured(Method::Virtual))
        );
    }

    #[test]
    fn a_rule_is_of_its_platform_and_kind() {
        let channels = channels(ChannelRule::WechatOnly);
        let of = |kind, platform| choose(&channels, kind, platform, None, true, |_| true);
        assert_eq!(of(Kind::Vip, Platform::Ios), Ok(Method::Wechat));
        assert_eq!(of(Kind::Vip, Platform::Android), Ok(Method::Virtual));
        assert_eq!(of(Kind::Points, Platform::Ios), Ok(Method::Virtual));
        assert_eq!(Platform::named("iOS"), Platform::Ios);
        assert_eq!(Platform::named("devtools"), Platform::Other);
    }

    #[test]
    fn a_free_amount_goes_through_wechat_pay() {
        let channels = Channels::default();
        let amount =
            |asked| choose(&channels, Kind::Points, Platform::Other, asked, false, |_| true);
        assert_eq!(amount(None), Ok(Method::Wechat));
        assert_eq!(amount(Some(Method::Virtual)), Err(ChannelRefusal::AmountNeedsWechat));
    }
}
