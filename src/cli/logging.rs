//! Starting the logs.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt};

use crate::base::log_ring::LogRingLayer;
use crate::config::logging::LogFormat;
use crate::config::{ConfigError, LogConfig};

/// Sends log lines to standard error, as the configuration wants them.
///
/// # Errors
/// When the filter cannot be understood.
pub(super) fn start(config: &LogConfig) -> Result<(), ConfigError> {
    let filter = EnvFilter::try_new(&config.rust_log).map_err(|err| {
        ConfigError::wrong(
            "RUST_LOG",
            &format!("cannot be understood ({err})"),
            "RUST_LOG=info,access=warn",
        )
    })?;
    let lines = fmt::layer().with_writer(io::stderr);
    let lines = match config.log_format {
        LogFormat::Pretty => lines.with_ansi(io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    // The last lines stay in memory, for the operator's page.
    tracing_subscriber::registry().with(filter).with(lines).with(LogRingLayer).init();
    Ok(())
}
