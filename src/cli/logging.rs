//! Starting the logs: where lines go, how they look, and the way to change their filter later.

use std::error::Error;
use std::io::{self, IsTerminal as _};
use std::path::Path;

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, fmt, reload};

use crate::app::log::LogControl;
use crate::base::log_ring::LogRingLayer;
use crate::config::logging::{LogFormat, LogRotation};
use crate::config::{ConfigError, LogConfig};

/// Lines that wait for a slow disk. Beyond it they are dropped: no request waits for its log.
const WAITING_LINES: usize = 16 * 1024;

/// The running logs. What waits for the file is written when this is dropped.
pub(super) struct Logs {
    filter: reload::Handle<EnvFilter, Registry>,
    usual: String,
    _file: Option<WorkerGuard>,
}

/// Sends log lines to standard error, or to a file, as the configuration wants them.
///
/// # Errors
/// When the filter cannot be understood, or the file cannot be made.
pub(super) fn start(config: &LogConfig) -> Result<Logs, Box<dyn Error>> {
    let filter = EnvFilter::try_new(&config.rust_log).map_err(|err| {
        ConfigError::wrong(
            "RUST_LOG",
            &format!("cannot be understood ({err})"),
            "RUST_LOG=info,access=warn",
        )
    })?;
    let (filter, handle) = reload::Layer::new(filter);
    let (writer, guard, is_terminal) = match &config.log_file {
        None => (BoxMakeWriter::new(io::stderr), None, io::stderr().is_terminal()),
        Some(path) => {
            let builder = NonBlockingBuilder::default()
                .buffered_lines_limit(WAITING_LINES)
                .lossy(true)
                .thread_name("logs");
            let (lines, guard) = builder.finish(file(path, config)?);
            (BoxMakeWriter::new(lines), Some(guard), false)
        }
    };
    let lines = fmt::layer().with_writer(writer);
    let lines = match config.log_format {
        LogFormat::Pretty => lines.with_ansi(is_terminal).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    // The last lines stay in memory, for the operator's page.
    tracing_subscriber::registry().with(filter).with(lines).with(LogRingLayer).init();
    Ok(Logs { filter: handle, usual: config.rust_log.clone(), _file: guard })
}

impl Logs {
    /// Lets `control` change the filter.
    pub(super) fn attach(&self, control: &LogControl) {
        let handle = self.filter.clone();
        let apply = move |filter: &str| {
            let filter = EnvFilter::try_new(filter).map_err(|err| err.to_string())?;
            handle.reload(filter).map_err(|err| err.to_string())
        };
        control.attach(self.usual.clone(), Box::new(apply));
    }
}

/// The file that begins anew every so often; old ones are removed beyond the number to be kept.
fn file(path: &Path, config: &LogConfig) -> Result<RollingFileAppender, ConfigError> {
    let wrong = |problem: &str| {
        ConfigError::wrong("LOG_FILE", problem, "LOG_FILE=/var/log/dream-bff/dream-bff.log")
    };
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| wrong("names no file"))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    RollingFileAppender::builder()
        .rotation(match config.log_rotation {
            LogRotation::Hourly => Rotation::HOURLY,
            LogRotation::Daily => Rotation::DAILY,
            LogRotation::Never => Rotation::NEVER,
        })
        .filename_prefix(name)
        .max_log_files(config.log_keep as usize)
        .build(folder.unwrap_or(Path::new(".")))
        .map_err(|err| wrong(&format!("cannot be written ({err})")))
}
