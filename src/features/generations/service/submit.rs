//! Accepting a job: checked, paid for and stored in one transaction.

use std::sync::Arc;

use super::engine::Engine;
use crate::app::App;
use crate::base::ids::UserId;
use crate::db::Tx;
use crate::features::generations::model::{
    Accepted, GenerationError, JobId, NewJob, Payment, Terms, Wish, payment,
};
use crate::features::generations::store;
use crate::features::idempotency::{self, Answer, Ticket};
use crate::features::media;
use crate::features::points::{self, Entry, PointsError, Reason};
use crate::features::settings::{self, Entitlement, PriceTable};
use crate::features::users;

/// Accepts a job. `answer` renders it, to be stored with it. Runs to its end even when the client has
/// left: a job that is stored must also be queued.
///
/// # Errors
/// `Invalid`, `VipRequired`, `QuotaExceeded`, `Points(Insufficient)`, `TooManyWaiting`, `QueueFull`, in
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
    let task = tokio::spawn(async move { accept(&app, user, wish, ticket, answer).await });
    task.await.map_err(|_| GenerationError::CutShort)?
}

async fn accept(
    app: &App,
    user: UserId,
    wish: Wish,
    ticket: Ticket,
    answer: fn(&Accepted) -> Answer,
) -> Result<Answer, GenerationError> {
    let now = app.clock.now();
    let settings = settings::service::current(app);
    let owner = app.db.read_inline("generations.owner", |tx| users::service::find(tx, user))?;
    let owner = owner.ok_or(GenerationError::Points(PointsError::NoSuchUser))?;
    let may = *owner.level_at(now).entitlement(&settings.entitlements);
    let prices = settings.economy.prices;
    let day = now.shanghai_date().to_string();
    let terms = Terms { weight: may.weight, concurrency: may.concurrency };
    let engine = app.states.get::<Engine>();
    let place = match engine.reserve(user, terms, &app.image_jobs) {
        Ok(place) => place,
        Err(full) => {
            // What he could not have with an empty queue either is what he is told.
            app.db.read_inline("generations.price", |tx| {
                match price(tx, &may, &prices, user, &day, &wish)? {
                    Payment::Points(price) if price > owner.points_balance => {
                        Err(GenerationError::Points(PointsError::Insufficient))
                    }
                    Payment::Points(_) | Payment::Free => Ok(()),
                }
            })?;
            return Err(full);
        }
    };
    let queue = place.queue;
    let request =
        serde_json::to_string(&wish.request()).map_err(|_| GenerationError::Invalid("params"))?;
    let deadline_at = now.plus_seconds(i64::from(settings.jobs.deadline_s));
    let job = NewJob { id: JobId::generate(now, &app.rng), user, wish, day, now, deadline_at };
    let (seq, points, answer) = app
        .db
        .write("generations.submit", move |tx| {
            let payment = price(tx, &may, &prices, user, &job.day, &job.wish)?;
            let pictures = i64::from(job.wish.sample_count);
            let (free, points) = match payment {
                Payment::Free => (pictures, 0),
                Payment::Points(price) => (0, price),
            };
            if points > 0 {
                points::service::spend(tx, &entry(&job, points), now)?;
            }
            store::quota::add(tx, user, &job.day, free, pictures.saturating_sub(free))?;
            let seq = store::insert(tx, &job, &request, free, points)?;
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

fn price(
    tx: &Tx<'_>,
    may: &Entitlement,
    prices: &PriceTable,
    user: UserId,
    day: &str,
    wish: &Wish,
) -> Result<Payment, GenerationError> {
    let used = store::quota::usage(tx, user, day)?;
    payment(may, prices, (wish.mode, wish.resolution, wish.sample_count), &used)
}

fn entry(job: &NewJob, points: i64) -> Entry {
    Entry {
        user: job.user,
        amount: points,
        reason: Reason::Job,
        reference: job.id.to_string(),
        description: format!("生成图片 {} × {}", job.wish.resolution_name(), job.wish.sample_count),
    }
}
