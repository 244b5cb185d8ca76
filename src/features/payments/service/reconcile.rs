//! Asking WeChat about orders that nobody has told us of, at the times that stand with them.

use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _};

use super::events;
use crate::app::App;
use crate::features::orders::{self, Asked};
use crate::features::payments::model::PaymentError;
use crate::features::settings;

/// Orders taken up at once; the rest follows in the same run.
const BATCH: i64 = 200;

/// Batches in one run: what is still waiting then has its turn at the next.
const BATCHES: usize = 50;

/// Looks at every order that is due.
///
/// # Errors
/// What the database fails with, after the rest was looked at. WeChat's silence is no error.
pub async fn reconcile(app: &Arc<App>) -> Result<(), PaymentError> {
    let at_once =
        usize::try_from(settings::service::current(app).payment.ask_concurrency).unwrap_or(1);
    for _ in 0..BATCHES {
        let due = orders::service::due(app, app.clock.now(), BATCH)?;
        let is_last = i64::try_from(due.len()).unwrap_or(i64::MAX) < BATCH;
        let mut looking = stream::iter(due)
            .map(|id| async move {
                let asked = orders::service::check(app, &id).await;
                (id, asked)
            })
            .buffer_unordered(at_once);
        let mut failed = None;
        while let Some((id, asked)) = looking.next().await {
            match asked {
                Ok(Asked::Mismatch(why)) => {
                    events::flag(app, id.as_str(), why.to_string()).await?;
                }
                Ok(Asked::Paid | Asked::Unpaid | Asked::Unknown | Asked::Nothing) => {}
                Err(err) => {
                    tracing::error!(order.id = %id, error = %err, "an order cannot be looked at");
                    failed = Some(err);
                }
            }
        }
        if let Some(err) = failed {
            return Err(err.into());
        }
        if is_last {
            break;
        }
    }
    Ok(())
}
