//! The mini-program's account at WeChat.

use clap::Args;

use super::values::BaseUrl;
use crate::base::secret::Secret;

/// The mini-program's account at WeChat.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "WeChat")]
pub struct WechatConfig {
    /// App id of the mini-program.
    #[arg(
        id = "wechat_appid",
        long = "wechat-appid",
        env = "WECHAT_APPID",
        value_name = "wx0123456789abcdef"
    )]
    pub appid: Option<String>,

    /// App secret of the mini-program.
    #[arg(
        id = "wechat_secret",
        long = "wechat-secret",
        env = "WECHAT_SECRET",
        value_name = "0123456789abcdef0123456789abcdef",
        hide_env_values = true
    )]
    pub secret: Option<Secret<String>>,

    /// Address of WeChat's API.
    #[arg(
        id = "wechat_api_base",
        long = "wechat-api-base",
        env = "WECHAT_API_BASE",
        default_value = "https://api.weixin.qq.com"
    )]
    pub api_base: BaseUrl,

    /// Longest time one call to WeChat may take, in seconds (1–60).
    #[arg(id = "wechat_timeout", long = "wechat-timeout", env = "WECHAT_TIMEOUT", default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub timeout: u64,

    /// Calls to WeChat in flight at once (1–1024).
    #[arg(id = "wechat_concurrency", long = "wechat-concurrency", env = "WECHAT_CONCURRENCY", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub concurrency: u32,

    /// Calls to WeChat that may wait for a free place (0–100000); beyond it the answer is 503.
    #[arg(id = "wechat_queue", long = "wechat-queue", env = "WECHAT_QUEUE", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub queue: u32,
}
