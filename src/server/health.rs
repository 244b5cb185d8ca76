//! `/healthz` and `/readyz`.
//!
//! Ready means: this process can take a write, has disk space for more, and its periodic tasks
//! come round. Never whether WeChat or the image API answer: taking the server out of service would
//! not mend them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use poem::http::StatusCode;
use poem::{Endpoint, IntoResponse as _, Request, Response, Result};
use serde::Serialize;
use tokio::sync::Mutex;

use crate::app::App;
use crate::base::clock::Stopwatch;
use crate::base::machine::free_bytes;
use crate::config::Config;
use crate::jobs::JobBoard;

/// Probes come as often as they like; the disk is asked once in this time.
const FRESH: Duration = Duration::from_secs(1);

/// Answers while the process lives.
pub(super) struct Healthz;

impl Endpoint for Healthz {
    type Output = Response;

    async fn call(&self, _: Request) -> Result<Response> {
        Ok(json(StatusCode::OK, r#"{"status":"ok"}"#))
    }
}

/// Answers 200 when the process can do its work, else 503 and what is wrong.
pub struct Readyz {
    app: Arc<App>,
    board: Arc<JobBoard>,
    data_dir: PathBuf,
    min_free_bytes: u64,
    last: Mutex<Option<(Stopwatch, StatusCode, String)>>,
}

#[derive(Serialize)]
struct Report {
    status: &'static str,
    checks: Checks,
}

#[derive(Serialize)]
struct Checks {
    database: &'static str,
    disk: &'static str,
    jobs: &'static str,
}

impl Readyz {
    /// Looks at what `config` names.
    pub fn new(app: &Arc<App>, board: &Arc<JobBoard>, config: &Config) -> Self {
        Self {
            app: Arc::clone(app),
            board: Arc::clone(board),
            data_dir: config.storage.data_dir.clone(),
            min_free_bytes: app.min_free_bytes,
            last: Mutex::new(None),
        }
    }

    /// Whether it is ready now, and the report in JSON.
    pub(super) async fn report(&self) -> (bool, String) {
        let (code, report) = self.check().await;
        (code == StatusCode::OK, report)
    }

    async fn check(&self) -> (StatusCode, String) {
        let database = match self.app.db.check_writable().await {
            Ok(()) => "ok",
            Err(err) => {
                tracing::warn!(error = %err, "not ready: the database cannot be written");
                "not writable"
            }
        };
        let disk = match free_bytes(&self.data_dir) {
            Some(free) if free < self.min_free_bytes => "almost full",
            Some(_) => "ok",
            None => "unknown",
        };
        let jobs = if self.board.stuck().is_some() { "stuck" } else { "ok" };
        let is_ready = [database, jobs].iter().all(|check| *check == "ok") && disk != "almost full";
        let status = if is_ready { "ready" } else { "not ready" };
        let report = Report { status, checks: Checks { database, disk, jobs } };
        let code = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        (code, serde_json::to_string(&report).unwrap_or_default())
    }
}

impl Endpoint for Readyz {
    type Output = Response;

    async fn call(&self, _: Request) -> Result<Response> {
        // Held while checking: probes that come meanwhile share the result.
        let mut last = self.last.lock().await;
        if let Some((since, code, body)) = &*last
            && since.elapsed() < FRESH
        {
            return Ok(json(*code, body));
        }
        let (code, body) = self.check().await;
        *last = Some((Stopwatch::start(), code, body.clone()));
        Ok(json(code, &body))
    }
}

fn json(code: StatusCode, body: &str) -> Response {
    let response = Response::builder().status(code).content_type("application/json; charset=utf-8");
    response.header("cache-control", "no-store").body(body.to_owned()).into_response()
}
