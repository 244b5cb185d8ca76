//! Accepting a job: checked, paid for and stored in one transaction.

use std::sync::Arc;

use super::charge;
use super::engine::Engine;
use crate::app::App;
use crate::base::ids::UserId;
use crate::base::request;
use crate::features::generations::model::{
    Accepted, Booking, GenerationError, JobId, NewJob, Terms, Wish,
};
use crate::features::generations::store;
use crate::features::idempotency::{self, Answer, Ticket};
use crate::features::media;
use crate::features::moderation;
use crate::features::points::{self, Reason};
use crate::features::settings;

/// Accepts a job. `answer` renders it, to be stored with it. Runs to its end even when the client has
/// left: a job that is stored must also be queued.
///
/// # Errors
/// `Invalid`, `ContentRejected`, `VipRequired`, `QuotaExceeded`, `Points(Insufficient)`, `TooManyWaiting`, `QueueFull`, in
/// this order; what the database fails with.
pub(in crate::features::generations) async fn submit(
    app: Arc<App>,
    user: UserId,
    wish: Wish,
    ticket: Ticket,
    answer: fn(&Accepted) -> Answer,
) -> Result<Answer, GenerationError> {
    let wish = wish.checked()?;
    if let Some(address) = &wish.input_image_url
        && let Err(err) = media::service::check_input(&app, address)
    {
        tracing::debug!(error = %err, "an input address is refused");
        return Err(GenerationError::Invalid("inputImageUrl"));
    }
    if !moderation::service::texts::is_prompt_allowed(&app, user, &wish.prompt).await? {
        return Err(GenerationError::ContentRejected);
    }
    let request_id = request::current();
    let task =
        tokio::spawn(async move { accept(&app, user, wish, request_id, ticket, answer).await });
    task.await.map_err(|_| GenerationError::CutShort)?
}

async fn accept(
    app: &App,
    user: UserId,
    wish: Wish,
    request_id: Option<Arc<str>>,
    ticket: Ticket,
    answer: fn(&Accepted) -> Answer,
) -> Result<Answer, GenerationError> {
    let now = app.clock.now();
    let deadline_s = settings::service::current(app).jobs.deadline_s;
    let tariff = charge::tariff(app, user, now)?;
    let terms = Terms { weight: tariff.may.weight, concurrency: tariff.may.concurrency };
    let engine = app.states.get::<Engine>();
    let place = match engine.reserve(user, terms, &app.image_jobs) {
        Ok(place) => place,
        Err(full) => {
            charge::check_affordable(app, &tariff, user, wish.pictures(), now)?;
            return Err(full);
        }
    };
    let queue = place.queue;
    let request =
        serde_json::to_string(&wish.request()).map_err(|_| GenerationError::Invalid("params"))?;
    let deadline_at = now.plus_seconds(i64::from(deadline_s));
    let id = JobId::generate(now, &app.rng);
    let job = NewJob { id, user, wish, request_id, now, deadline_at };
    let (seq, points, answer) = app
        .db
        .write("generations.submit", move |tx| {
            let paid = charge::charge(tx, &tariff, user, job.wish.pictures(), booking(&job), now)?;
            let seq = store::insert(tx, &job, &request, &paid)?;
            let points = paid.points;
            let accepted = Accepted { id: job.id, points_charged: points, queue };
            let answer = answer(&accepted);
            idempotency::service::store_in(tx, &ticket, &answer, now)?;
            Ok::<_, GenerationError>((seq, points, answer))
        })
        .await?;
    place.fill(seq);
    if points > 0 {
        points::service::changed(app, user);
    }
    Ok(answer)
}

fn booking(job: &NewJob) -> Booking {
    Booking {
        reason: Reason::Job,
        reference: job.id.to_string(),
        description: format!("生成图片 {} × {}", job.wish.resolution_name(), job.wish.sample_count),
    }
}
