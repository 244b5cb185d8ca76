//! What is logged and how it looks.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// What is logged and how it looks.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Logs")]
pub struct LogConfig {
    /// How log lines look.
    #[arg(long, env = "LOG_FORMAT", default_value = "pretty", value_enum)]
    pub log_format: LogFormat,

    /// Which log lines are written: a level, or a filter such as info,access=warn.
    #[arg(long, env = "RUST_LOG", default_value = "info")]
    pub rust_log: String,

    /// File that log lines go to instead of standard error; its time is added to its name.
    #[arg(long, env = "LOG_FILE", value_name = "/var/log/dream-bff/dream-bff.log")]
    pub log_file: Option<PathBuf>,

    /// How often a new log file begins (UTC).
    #[arg(long, env = "LOG_ROTATION", default_value = "daily", value_enum)]
    pub log_rotation: LogRotation,

    /// Log files that are kept, the newest included (1–1000).
    #[arg(long, env = "LOG_KEEP", default_value_t = 14, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub log_keep: u32,

    /// Requests that take longer are logged, in milliseconds (0–600000); 0 logs none.
    #[arg(long, env = "LOG_SLOW_REQUEST_MS", default_value_t = 3000, value_parser = clap::value_parser!(u64).range(0..=600_000))]
    pub log_slow_request_ms: u64,
}

/// How often a new log file begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogRotation {
    /// Every hour.
    Hourly,
    /// Every day.
    Daily,
    /// One file for ever.
    Never,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line, for machines.
    Json,
}
