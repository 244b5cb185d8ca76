//! What is logged and how it looks.

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

    /// Requests that take longer are logged, in milliseconds (0–600000); 0 logs none.
    #[arg(long, env = "LOG_SLOW_REQUEST_MS", default_value_t = 3000, value_parser = clap::value_parser!(u64).range(0..=600_000))]
    pub log_slow_request_ms: u64,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line, for machines.
    Json,
}
