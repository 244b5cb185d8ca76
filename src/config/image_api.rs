//! The image API behind us.

use clap::Args;

use super::upstreams::{ImageDialect, UpstreamsFile};
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

    /// What the image API speaks: jobs that are asked about (image-saas), or one call that answers
    /// with the pictures (openai-images).
    #[arg(
        long = "image-api-dialect",
        id = "image_api_dialect",
        env = "IMAGE_API_DIALECT",
        default_value = "image-saas",
        value_enum
    )]
    pub dialect: ImageDialect,

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

    /// Largest answer of an image API that may hold pictures, in KiB (64–1048576).
    #[arg(id = "image_api_max_answer_kib", long = "image-api-max-answer-kib", env = "IMAGE_API_MAX_ANSWER_KIB", default_value_t = 65_536, value_parser = clap::value_parser!(u32).range(64..=1_048_576))]
    pub max_answer_kib: u32,

    /// Jobs running at once, over all image APIs (1–1000).
    #[arg(id = "image_api_concurrency", long = "image-api-concurrency", env = "IMAGE_API_CONCURRENCY", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub concurrency: u32,

    /// Several image APIs for jobs instead of the one above: a JSON file with an array of {name, base,
    /// key, dialect, model, weight, concurrency}; see docs/upstreams.md.
    #[arg(long, env = "IMAGE_UPSTREAMS_PATH", value_name = "/etc/dream-bff/upstreams.json", value_parser = UpstreamsFile::read)]
    pub image_upstreams_path: Option<UpstreamsFile>,

    /// Secret of the image API's webhook, at least 16 characters; without one the webhook refuses
    /// everything.
    #[arg(
        id = "image_api_webhook_secret",
        long = "image-api-webhook-secret",
        env = "IMAGE_API_WEBHOOK_SECRET",
        value_name = "0123456789abcdef0123456789abcdef",
        value_parser = webhook_secret,
        hide_env_values = true
    )]
    pub webhook_secret: Option<Secret<String>>,

    /// Jobs that may wait in all (1–10000000); beyond it the answer is 503.
    #[arg(long, env = "JOB_QUEUE_MAX", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub job_queue_max: u32,

    /// Jobs of one user that may wait (1–10000000); beyond it the answer is 429.
    #[arg(long, env = "JOB_QUEUE_MAX_PER_USER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub job_queue_max_per_user: u32,
}

/// Shorter ones can be guessed.
const MIN_WEBHOOK_SECRET_CHARS: usize = 16;

fn webhook_secret(text: &str) -> Result<Secret<String>, String> {
    if text.chars().count() < MIN_WEBHOOK_SECRET_CHARS {
        return Err(format!("is shorter than {MIN_WEBHOOK_SECRET_CHARS} characters"));
    }
    Ok(Secret::new(text.to_owned()))
}
