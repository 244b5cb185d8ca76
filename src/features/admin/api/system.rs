//! `/system` and `/events`: the process, its periodic tasks and its log; live numbers.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use poem::web::sse::Event;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::{EventStream, Json};
use poem_openapi::types::ToJSON as _;
use poem_openapi::{Enum, Object, OpenApi};
use tracing::Level;

use super::AdminTag;
use super::auth::{Operator, Viewer};
use crate::app::App;
use crate::base::log_ring::LogLine;
use crate::features::admin::service::streams::{self, LogFilter};
use crate::features::admin::service::{system, tasks};
use crate::http::{ApiError, MessageResponse};
use crate::jobs::JobState;

/// Between two signs of life on a stream that has nothing to say.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Lines of the log at once.
const DEFAULT_LINES: u32 = 200;
const MAX_LINES: u32 = 1_000;

/// How the process and its database are. Sizes in bytes.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct System {
    version: String,
    schema_version: i64,
    sqlite_version: String,
    database_bytes: i64,
    /// Of these, free for new rows.
    database_free_bytes: i64,
    /// Of the log beside the database, which is emptied from time to time.
    wal_bytes: u64,
    disk_free_bytes: Option<u64>,
    /// With less the server says that it is not ready.
    disk_min_free_bytes: u64,
    writer: Writer,
}

/// What the database's writer did since the start.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct Writer {
    /// Transactions.
    commits: u64,
    /// Writes in them.
    writes: u64,
    /// Most writes in one.
    largest_commit: u64,
    /// Time spent in commits, in microseconds.
    commit_micros: u64,
    /// Transactions that were lost.
    lost: u64,
    /// Writes that were turned away because too many waited.
    overloads: u64,
    /// Writes that wait now.
    waiting: u64,
}

impl From<system::System> for System {
    fn from(system: system::System) -> Self {
        let writer = system.writer;
        Self {
            version: system.version.to_owned(),
            schema_version: system.schema_version,
            sqlite_version: system.sqlite_version.to_owned(),
            database_bytes: system.database_bytes,
            database_free_bytes: system.database_free_bytes,
            wal_bytes: system.wal_bytes,
            disk_free_bytes: system.disk_free_bytes,
            disk_min_free_bytes: system.disk_min_free_bytes,
            writer: Writer {
                commits: writer.batches,
                writes: writer.closures,
                largest_commit: writer.largest_batch,
                commit_micros: writer.commit_micros,
                lost: writer.lost_batches,
                overloads: writer.overloads,
                waiting: writer.queue_depth,
            },
        }
    }
}

/// A task that comes round.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct Task {
    name: String,
    /// Seconds between two runs.
    every_s: u64,
    /// Since the start.
    runs: u64,
    /// How long the last run took, in milliseconds; null before the first.
    took_ms: Option<u64>,
    /// What went wrong in the last run.
    problem: Option<String>,
}

impl From<JobState> for Task {
    fn from(state: JobState) -> Self {
        let millis = |took: Duration| u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        Self {
            name: state.name.to_owned(),
            every_s: state.every.as_secs(),
            runs: state.runs,
            took_ms: state.took.map(millis),
            problem: state.problem,
        }
    }
}

/// The tasks that come round.
#[derive(Debug, Object)]
struct Tasks {
    items: Vec<Task>,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[oai(rename_all = "lowercase")]
enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl From<LogLevel> for Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}

impl From<Level> for LogLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::ERROR => Self::Error,
            Level::WARN => Self::Warn,
            Level::INFO => Self::Info,
            Level::DEBUG => Self::Debug,
            Level::TRACE => Self::Trace,
        }
    }
}

/// A line of the log.
#[derive(Debug, Object)]
struct LogItem {
    /// Counted since the start.
    number: u64,
    at: String,
    level: LogLevel,
    /// The part of the program.
    target: String,
    text: String,
}

impl From<LogLine> for LogItem {
    fn from(line: LogLine) -> Self {
        Self {
            number: line.number,
            at: line.at.rfc3339(),
            level: line.level.into(),
            target: line.target,
            text: line.text,
        }
    }
}

/// Lines of the log, the newest last.
#[derive(Debug, Object)]
struct LogLines {
    items: Vec<LogItem>,
}

impl From<Vec<LogLine>> for LogLines {
    fn from(lines: Vec<LogLine>) -> Self {
        Self { items: lines.into_iter().map(LogItem::from).collect() }
    }
}

/// The numbers of this moment. Money in fen; counts since midnight in Asia/Shanghai.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct LiveNumbers {
    at: String,
    jobs_waiting: u64,
    jobs_running: u64,
    orders_paid: i64,
    net_revenue: i64,
    new_users: i64,
    active_users: i64,
    jobs_succeeded: i64,
    jobs_failed: i64,
}

impl From<streams::Live> for LiveNumbers {
    fn from(live: streams::Live) -> Self {
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Self {
            at: live.at.rfc3339(),
            jobs_waiting: number(live.queue.waiting),
            jobs_running: number(live.queue.running),
            orders_paid: live.today.orders_paid,
            net_revenue: live.today.revenue - live.today.refunded,
            new_users: live.today.new_users,
            active_users: live.today.active_users,
            jobs_succeeded: live.today.jobs_succeeded,
            jobs_failed: live.today.jobs_failed,
        }
    }
}

/// The process.
pub(super) struct SystemApi {
    pub(super) app: Arc<App>,
}

#[OpenApi(tag = "AdminTag::System")]
impl SystemApi {
    /// How the process is
    #[oai(path = "/system", method = "get", operation_id = "getSystem")]
    async fn system(&self, _admin: Viewer) -> Result<Json<System>, ApiError> {
        Ok(Json(system::system(&self.app).await?.into()))
    }

    /// List the periodic tasks
    #[oai(path = "/system/tasks", method = "get", operation_id = "listTasks")]
    async fn tasks(&self, _admin: Viewer) -> Result<Json<Tasks>, ApiError> {
        let items = tasks::all(&self.app).into_iter().map(Task::from).collect();
        Ok(Json(Tasks { items }))
    }

    /// Run a periodic task now
    ///
    /// It begins at once, or once more after the run that is under way. Errors: `NOT_FOUND`.
    #[oai(path = "/system/tasks/:name/run", method = "post", operation_id = "runTask")]
    async fn run_task(
        &self,
        admin: Operator,
        name: Path<String>,
    ) -> Result<Json<MessageResponse>, ApiError> {
        tasks::run_now(&self.app, &admin, &name.0).await?;
        Ok(Json(MessageResponse::new("任务已开始")))
    }

    /// Read the log
    ///
    /// Of the last 5000 lines, the newest last. `before` is the `number` of the first line one has.
    #[oai(path = "/system/log", method = "get", operation_id = "readLog")]
    async fn log(
        &self,
        _admin: Operator,
        /// And what is worse; `info` when left out.
        level: Query<Option<LogLevel>>,
        /// Part of the text or of the target.
        text: Query<Option<String>>,
        before: Query<Option<u64>>,
        /// 1–1000; 200 when left out.
        limit: Query<Option<u32>>,
    ) -> Result<Json<LogLines>, ApiError> {
        let limit = limit.0.unwrap_or(DEFAULT_LINES);
        if !(1..=MAX_LINES).contains(&limit) {
            return Err(ApiError::invalid_field("limit"));
        }
        let filter = filter(level.0, text.0)?;
        Ok(Json(streams::log(&filter, before.0, limit as usize).into()))
    }

    /// Follow the log
    ///
    /// Server-sent events: `event: log` with the answer of `readLog` as data, whenever there are lines
    /// behind `after`. Errors: `RATE_LIMIT_EXCEEDED` when too many streams are open.
    #[oai(path = "/system/log/events", method = "get", operation_id = "followLog")]
    async fn follow_log(
        &self,
        admin: Operator,
        level: Query<Option<LogLevel>>,
        text: Query<Option<String>>,
        /// The `number` of the last line one has.
        after: Query<Option<u64>>,
    ) -> Result<EventStream<BoxStream<'static, LogLines>>, ApiError> {
        let filter = filter(level.0, text.0)?;
        let lines = streams::follow_log(&self.app, &admin, filter, after.0.unwrap_or(0))?;
        let lines = lines.map(LogLines::from).boxed();
        let event = |lines: LogLines| Event::message(lines.to_json_string()).event_type("log");
        Ok(EventStream::new(lines).keep_alive(KEEP_ALIVE).to_event(event))
    }

    /// Live numbers
    ///
    /// Server-sent events: `event: live`, at once and every two seconds. The stream ends with the session.
    /// Errors: `RATE_LIMIT_EXCEEDED` when too many streams are open.
    #[oai(path = "/events", method = "get", operation_id = "followNumbers")]
    async fn live(
        &self,
        admin: Viewer,
    ) -> Result<EventStream<BoxStream<'static, LiveNumbers>>, ApiError> {
        let live = streams::live(&self.app, &admin)?.map(LiveNumbers::from).boxed();
        let event = |live: LiveNumbers| Event::message(live.to_json_string()).event_type("live");
        Ok(EventStream::new(live).keep_alive(KEEP_ALIVE).to_event(event))
    }
}

fn filter(level: Option<LogLevel>, text: Option<String>) -> Result<LogFilter, ApiError> {
    let text = text.unwrap_or_default().to_lowercase();
    if text.len() > 200 {
        return Err(ApiError::invalid_field("text"));
    }
    Ok(LogFilter { level: level.map_or(Level::INFO, Level::from), text })
}
