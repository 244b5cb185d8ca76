//! Starting the logs.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;

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
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match config.log_format {
        LogFormat::Pretty => lines.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
    Ok(())
}
