//! What calls cost: taken before they are sent, settled by their answers.
//!
//! A charge whose call has no noted answer (the process died, or could not write) is given back by
//! [`settle_left`]: at the start, and every minute for what is not under way. The client has had no
//! answer then; it may repeat with the same `Idempotency-Key`, pays again, and gets from the image API
//! the job that it may have begun. This counts on one process: what is under way is known in memory.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::app::App;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::Tx;
use crate::features::generations::service::charge;
use crate::features::generations::{Booking, Pictures, Tariff};
use crate::features::idempotency::{self, Answer, Ticket};
use crate::features::points::{self, Reason};
use crate::features::proxy::model::{CallId, GivenUp, KnownJob, ProxyError, UpstreamJobId};
use crate::features::proxy::store;

/// Charges looked at in one go.
const BATCH: i64 = 200;

/// The calls of this process that run.
#[derive(Default)]
struct UnderWay(Mutex<HashSet<CallId>>);

/// A charge that waits for the answer of its call. Dropped without having been settled, it is left to
/// [`settle_left`].
pub(super) struct Charge {
    call: CallId,
    user: UserId,
    under_way: Arc<UnderWay>,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.under_way.0.lock().remove(&self.call);
    }
}

/// Charges a call that is about to be sent.
///
/// # Errors
/// `Price`; what the database fails with.
pub(super) async fn open(
    app: &App,
    tariff: Tariff,
    user: UserId,
    pictures: Pictures,
    now: UnixMillis,
) -> Result<Charge, ProxyError> {
    let call = CallId::draw(&app.rng);
    let under_way = app.states.get::<UnderWay>();
    // Before the row is there, so that nobody finds it without its call.
    under_way.0.lock().insert(call.clone());
    let charge = Charge { call: call.clone(), user, under_way };
    let booking = Booking {
        reason: Reason::Proxy,
        reference: call.as_str().to_owned(),
        description: format!("生成图片 × {}", pictures.count),
    };
    app.db
        .write("proxy.charge", move |tx| {
            let paid = charge::charge(tx, &tariff, user, pictures, booking, now)?;
            Ok::<_, ProxyError>(store::charges::open(tx, &call, &paid, now)?)
        })
        .await?;
    points::service::changed(app, user);
    Ok(charge)
}

/// Keeps the charge of a call that was answered well, makes the job in the answer the caller's, and
/// stores the answer for repetitions, in one transaction. A job that is paid for already, or
/// another's, costs nothing: the image API has answered a repeated key.
///
/// # Errors
/// What the database fails with; the charge is open then.
pub(super) async fn keep(
    app: &App,
    charge: &Charge,
    job: Option<UpstreamJobId>,
    ticket: Ticket,
    answer: Answer,
) -> Result<(), ProxyError> {
    let (call, user, now) = (charge.call.clone(), charge.user, app.clock.now());
    let given_back = app
        .db
        .write("proxy.keep", move |tx| {
            idempotency::service::store_in(tx, &ticket, &answer, now)?;
            if let Some(job) = &job {
                store::insert_job(tx, job, user, now)?;
                let known = store::known(tx, job)?;
                if known != Some(KnownJob { owner: user, is_paid: false }) {
                    return give_back(tx, store::charges::give_up(tx, &call, now)?, now);
                }
            }
            store::charges::keep(tx, &call, job.as_ref(), now)?;
            Ok::<_, ProxyError>(None)
        })
        .await?;
    if let Some(user) = given_back {
        points::service::changed(app, user);
    }
    Ok(())
}

/// Gives back the charge of a call that was not answered well.
///
/// # Errors
/// What the database fails with; the charge is open then.
pub(super) async fn cancel(app: &App, charge: &Charge) -> Result<(), ProxyError> {
    settle(app, charge.call.clone()).await
}

/// Gives back, once, what a lost job had cost.
///
/// # Errors
/// What the database fails with.
pub(super) async fn job_is_lost(app: &App, job: UpstreamJobId) -> Result<(), ProxyError> {
    let now = app.clock.now();
    let given_back = app
        .db
        .write("proxy.job_is_lost", move |tx| {
            give_back(tx, store::charges::give_up_job(tx, &job, now)?, now)
        })
        .await?;
    if let Some(user) = given_back {
        points::service::changed(app, user);
    }
    Ok(())
}

/// Gives back the charges of calls that are not under way and have no noted answer. To be called at the
/// start and about every minute.
///
/// # Errors
/// What the database fails with; the rest follows at the next call.
pub async fn settle_left(app: &App) -> Result<(), ProxyError> {
    let under_way = app.states.get::<UnderWay>();
    let mut after = 0;
    loop {
        let open = app.db.read_inline("proxy.left_open", |tx| {
            Ok::<_, ProxyError>(store::charges::left_open(tx, after, BATCH)?)
        })?;
        let Some((last, _)) = open.last() else { return Ok(()) };
        after = *last;
        for (_, call) in open {
            // Looked at after the row: a call that has ended since has settled it.
            let is_left = !under_way.0.lock().contains(&call);
            if is_left {
                tracing::warn!(call.id = call.as_str(), "a call without an answer is given back");
                settle(app, call).await?;
            }
        }
    }
}

async fn settle(app: &App, call: CallId) -> Result<(), ProxyError> {
    let now = app.clock.now();
    let given_back = app
        .db
        .write("proxy.give_back", move |tx| {
            give_back(tx, store::charges::give_up(tx, &call, now)?, now)
        })
        .await?;
    if let Some(user) = given_back {
        points::service::changed(app, user);
    }
    Ok(())
}

/// Returns what a charge that was just given up had taken. Says whose it was.
fn give_back(
    tx: &Tx<'_>,
    given_up: Option<GivenUp>,
    now: UnixMillis,
) -> Result<Option<UserId>, ProxyError> {
    let Some(GivenUp { call, paid }) = given_up else { return Ok(None) };
    let booking = Booking {
        reason: Reason::ProxyRefund,
        reference: call.as_str().to_owned(),
        description: "图片未生成，退还积分".to_owned(),
    };
    charge::give_back(tx, &paid, booking, now)?;
    Ok(Some(paid.user))
}
