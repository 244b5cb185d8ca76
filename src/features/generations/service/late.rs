//! Pictures that come after the deadline: asked for within the grace, delivered if they come.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::engine::Engine;
use super::{endings, results};
use crate::app::App;
use crate::base::error_chain::error_chain;
use crate::clients::image_api::JobProgress;
use crate::features::generations::model::{GenerationError, LateJob};
use crate::features::generations::store;

/// Jobs asked about in one round. Those that wait longest come first.
const ROUND: i64 = 100;

/// Looks whenever the webhook says that there may be something, until `stop`.
pub(super) async fn run(app: Arc<App>, stop: CancellationToken) {
    let engine = app.states.get::<Engine>();
    let looking = async {
        loop {
            engine.late.notified().await;
            if let Err(err) = look_for_late(&app).await {
                tracing::warn!(error = error_chain(&err), "late pictures were not looked for");
            }
        }
    };
    // Cut short, a round leaves all to the next start: nothing here is half done.
    stop.run_until_cancelled(looking).await;
}

/// Asks the image APIs about failed jobs that they may have finished, and delivers what is there. To
/// be called about every ten seconds.
///
/// # Errors
/// What the database fails with.
pub async fn look_for_late(app: &App) -> Result<(), GenerationError> {
    let now = app.clock.now();
    let jobs = app.db.read_inline("generations.late", |tx| store::late(tx, now, ROUND))?;
    for job in jobs {
        look(app, &job).await?;
    }
    loop {
        let ended = app
            .db
            .write("generations.end_late", move |tx| {
                let late = store::too_late(tx, now, ROUND)?;
                late.iter().try_for_each(|job| endings::end_late(tx, job, now))?;
                Ok::<_, GenerationError>(late.len())
            })
            .await?;
        if ended == 0 {
            return Ok(());
        }
    }
}

async fn look(app: &App, job: &LateJob) -> Result<(), GenerationError> {
    let progress = match app.upstreams.lease_named(&job.upstream) {
        Some(lease) => lease.poll(&job.upstream_job).await,
        None => Ok(JobProgress::Unknown),
    };
    let sources = match progress {
        Ok(JobProgress::Succeeded(sources)) => sources,
        Ok(JobProgress::Failed { .. } | JobProgress::Canceled | JobProgress::Unknown) => {
            let (id, now) = (job.id.clone(), app.clock.now());
            return app
                .db
                .write("generations.end_late", move |tx| endings::end_late(tx, &id, now))
                .await;
        }
        // Asked again next time.
        Ok(JobProgress::Pending) | Err(_) => return Ok(()),
    };
    match results::store(app, &job.id, sources).await {
        Ok(pictures) => {
            if endings::deliver(app, &job.id, job.user, pictures, None).await? {
                tracing::info!(job.id = %job.id, "a late picture was delivered");
            }
        }
        Err(err) => {
            tracing::warn!(job.id = %job.id, error = error_chain(&err), "a late picture is lost");
        }
    }
    Ok(())
}
