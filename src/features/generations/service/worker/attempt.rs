//! One attempt: hand the job in, ask about it until it ends, take the pictures.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Worker;
use crate::base::clock::Stopwatch;
use crate::base::error_chain::error_chain;
use crate::clients::image_api::{
    ImageRequest, JobProgress, Lease, ResultSource, Submitted, UpstreamCode, UpstreamError,
};
use crate::features::generations::model::{Claimed, Failure, Picture};
use crate::features::generations::service::results;
use crate::features::generations::store;

/// Between submission and the first question: no picture is made faster.
const FIRST_POLL: Duration = Duration::from_millis(500);

/// Between two questions at most.
const LAST_POLL: Duration = Duration::from_secs(5);

/// The longest wish of an image API between two questions that is granted.
const ASKED_MAX: Duration = Duration::from_secs(60);

/// What an attempt came to.
pub(super) enum Outcome {
    Made(Vec<Picture>),
    Failed(Failure),
    /// It may work later. `is_in_doubt`: the image API may have the job all the same.
    Again {
        failure: Failure,
        asked: Option<Duration>,
        is_in_doubt: bool,
    },
    /// The job has ended by other hands, or is left to whoever looks for late pictures.
    Gone,
}

/// What an image API has said of the job in the end.
enum Answer {
    Sources(Vec<ResultSource>),
    Ended(Outcome),
}

pub(super) async fn attempt(worker: &Worker, job: &mut Claimed, lease: Lease) -> Outcome {
    let since = Stopwatch::start();
    let there = job.upstream_job.as_deref();
    worker.record.begin(job.attempts, lease.name(), there, worker.app.clock.now());
    let answer = match job.upstream_job.clone() {
        Some(there) => follow(worker, job, &lease, &there, Duration::ZERO).await,
        None => submit(worker, job, &lease).await,
    };
    let sources = match answer {
        Answer::Sources(sources) => sources,
        Answer::Ended(outcome) => return outcome,
    };
    worker.record.made();
    lease.succeeded(since.elapsed());
    worker.engine.took(since.elapsed());
    // The image API is done: its place is free while the pictures are fetched.
    drop(lease);
    match results::store(&worker.app, &worker.job, sources).await {
        Ok(pictures) => Outcome::Made(pictures),
        Err(err) => {
            let (job_id, error) = (&worker.job, error_chain(&err));
            tracing::warn!(job.id = %job_id, error, "a result could not be taken");
            worker.record.remark(&error_chain(&err));
            let failure = Failure::provider("图片结果无法获取");
            match err.is_retryable() {
                true => Outcome::Again { failure, asked: None, is_in_doubt: true },
                false => Outcome::Failed(failure),
            }
        }
    }
}

async fn submit(worker: &Worker, job: &mut Claimed, lease: &Lease) -> Answer {
    let request: ImageRequest = match serde_json::from_str(&job.request) {
        Ok(request) => request,
        Err(err) => {
            tracing::error!(job.id = %worker.job, error = %err, "a stored request is damaged");
            return Answer::Ended(Outcome::Failed(Failure::provider("任务数据已损坏")));
        }
    };
    match lease.submit(worker.job.as_str(), &request).await {
        Ok(Submitted::Done(sources)) => Answer::Sources(sources),
        Ok(Submitted::Job { id }) => {
            job.upstream_job = Some(id.clone());
            worker.record.taken(&id);
            if !note(worker, lease.name(), &id).await {
                return Answer::Ended(Outcome::Gone);
            }
            follow(worker, job, lease, &id, FIRST_POLL).await
        }
        Err(err) => Answer::Ended(refused(worker, lease, &err)),
    }
}

/// Notes what the image API calls the job; false when the job has ended meanwhile.
async fn note(worker: &Worker, upstream: &str, there: &str) -> bool {
    let (id, now) = (worker.job.clone(), worker.app.clock.now());
    let (upstream, there) = (upstream.to_owned(), there.to_owned());
    let noted = worker
        .app
        .db
        .write("generations.note_upstream", move |tx| {
            store::set_upstream_job(tx, &id, &upstream, &there, now)
        })
        .await;
    noted.unwrap_or_else(|err| {
        // It is known here; after a crash the same key would find it again.
        tracing::warn!(job.id = %worker.job, error = error_chain(&err), "not written");
        true
    })
}

/// Asks until the job has ended there.
async fn follow(
    worker: &Worker,
    job: &mut Claimed,
    lease: &Lease,
    there: &str,
    first: Duration,
) -> Answer {
    let mut pause = first;
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = worker.control.wake.notified() => {}
        }
        if worker.is_late.load(Ordering::SeqCst) {
            return Answer::Ended(Outcome::Gone);
        }
        pause = pause.mul_f64(1.5).clamp(FIRST_POLL, LAST_POLL);
        let said = lease.poll(there).await;
        if said.is_ok() {
            worker.record.heard();
        }
        match said {
            Ok(JobProgress::Pending) => {}
            Ok(JobProgress::Succeeded(sources)) => return Answer::Sources(sources),
            Ok(JobProgress::Failed { code, message }) => {
                return Answer::Ended(Outcome::Failed(Failure::said(&code, &message)));
            }
            Ok(JobProgress::Canceled) => {
                let failure = Failure::provider("图片服务取消了任务");
                worker.record.remark(&failure.message);
                return Answer::Ended(Outcome::Failed(failure));
            }
            Ok(JobProgress::Unknown) => {
                // It has forgotten the job; the same key starts it anew, there or elsewhere.
                job.upstream_job = None;
                let failure = Failure::provider("图片服务丢失了任务");
                worker.record.remark(&failure.message);
                let again = Outcome::Again { failure, asked: None, is_in_doubt: false };
                return Answer::Ended(again);
            }
            // Asking costs nothing and the job goes on there, so whatever is wrong is waited out:
            // the deadline is the end of it.
            Err(err) => {
                worker.record.failed(&err);
                if err.is_outage() {
                    lease.failed();
                }
                pause = pause.max(err.retry_after().unwrap_or_default().min(ASKED_MAX));
            }
        }
    }
}

/// What a submission that was not taken comes to.
fn refused(worker: &Worker, lease: &Lease, err: &UpstreamError) -> Outcome {
    worker.record.failed(err);
    if err.is_outage() {
        lease.failed();
    }
    let (job_id, upstream, error) = (&worker.job, lease.name(), error_chain(err));
    tracing::info!(job.id = %job_id, upstream, error, "an image API did not take a job");
    let failure = match err.code() {
        UpstreamCode::Provider => Failure::provider("图片服务暂时不可用"),
        UpstreamCode::Timeout => Failure::timeout(),
        UpstreamCode::Rejected(why) => Failure::said("INVALID_REQUEST", &why),
    };
    if err.is_retryable() {
        Outcome::Again { failure, asked: err.retry_after(), is_in_doubt: err.was_sent() }
    } else {
        Outcome::Failed(failure)
    }
}
