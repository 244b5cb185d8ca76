//! The image API behind us.

use clap::Args;

use super::values::BaseUrl;
use crate::base::secret::Secret;

/// The image API behind us.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Image API")]
pub struct ImageApiConfig {
    /// Address of the image API.
    #[arg(
        id = "image_api_base",
        long = "image-api-base",
        env = "IMAGE_API_BASE",
        default_value = "http://localhost:3001"
    )]
    pub base: BaseUrl,

    /// Key for the image API; without one the caller's own token is forwarded.
    #[arg(
        id = "image_api_key",
        long = "image-api-key",
        env = "IMAGE_API_KEY",
        value_name = "sk-0123456789abcdef",
        hide_env_values = true
    )]
    pub key: Option<Secret<String>>,

    /// Longest time one image API call may take, in seconds (1–600).
    #[arg(id = "image_api_timeout", long = "image-api-timeout", env = "IMAGE_API_TIMEOUT", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub timeout: u64,

    /// Pass-through calls to the image API in flight at once (1–10000).
    #[arg(long, env = "PROXY_CONCURRENCY", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub proxy_concurrency: u32,

    /// Pass-through calls that may wait for a free place (0–100000); beyond it the answer is 503.
    #[arg(long, env = "PROXY_QUEUE", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub proxy_queue: u32,

    /// Largest answer of the image API that is passed on, in KiB (16–1048576).
    #[arg(long, env = "PROXY_MAX_ANSWER_KIB", default_value_t = 32_768, value_parser = clap::value_parser!(u32).range(16..=1_048_576))]
    pub proxy_max_answer_kib: u32,
}
