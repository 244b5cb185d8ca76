//! What the client needs to have an order paid.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ask::{self, read};
use super::end;
use crate::app::App;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::clients::wechat::{VirtualOrder, VirtualPayParams};
use crate::clients::wechat_pay::{PayError, PayErrorKind, PrepayId, PrepayRequest, WxPayParams};
use crate::features::orders::model::{
    Asked, Method, Order, OrderError, OrderId, OrderPayment, Status, next_ask,
};
use crate::features::orders::service::place::Placed;
use crate::features::orders::store;
use crate::features::settings;
use crate::features::users::{self, SessionKey};

/// What a payer's bill may say, in characters.
const DESCRIPTION_MAX: usize = 127;

/// Arguments of the client's call, by channel.
#[derive(Clone, Debug)]
pub(in crate::features::orders) enum PayParams {
    Wechat(WxPayParams),
    Virtual(VirtualPayParams),
}

/// Why there are none.
#[derive(Debug)]
pub(super) enum NoParams {
    /// The order has ended, here too: another must take its place.
    Dead,
    Failed(OrderError),
}

impl<E: Into<OrderError>> From<E> for NoParams {
    fn from(err: E) -> Self {
        Self::Failed(err.into())
    }
}

/// What WeChat Pay is asked to prepare, as it is kept with the order.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredPrepay {
    description: String,
    out_trade_no: String,
    time_expire: i64,
    total_fen: i64,
    payer_openid: String,
}

/// Fresh arguments for an order of a user.
///
/// # Errors
/// `NotFound`; `AlreadyPaid`, `NotPayable`, `Expired`; `Unavailable`, `SessionExpired`; what the database
/// fails with.
pub(in crate::features::orders) async fn pay(
    app: &Arc<App>,
    user: UserId,
    id: &OrderId,
) -> Result<Placed, OrderError> {
    let order = super::of_user(app, user, id)?;
    match order.status {
        Status::Pending if order.is_payable(app.clock.now()) => {}
        Status::Pending | Status::Expired => return Err(OrderError::Expired),
        Status::Paid => return Err(OrderError::AlreadyPaid),
        Status::Cancelled | Status::Refunding | Status::Refunded | Status::PartiallyRefunded => {
            return Err(OrderError::NotPayable);
        }
    }
    match params(app, &order).await {
        Ok(params) => Ok(Placed { order, params }),
        Err(NoParams::Dead) => Err(OrderError::NotPayable),
        Err(NoParams::Failed(err)) => Err(err),
    }
}

/// The request for an order that is about to be placed, to be kept with it.
///
/// # Errors
/// Never, as far as anybody knows: it is plain data.
pub(super) fn prepay_request(
    order: &OrderId,
    description: &str,
    total_fen: i64,
    payer_openid: &str,
    expires_at: UnixMillis,
) -> Result<String, OrderError> {
    let stored = StoredPrepay {
        description: description.chars().take(DESCRIPTION_MAX).collect(),
        out_trade_no: order.as_str().to_owned(),
        time_expire: expires_at.0,
        total_fen,
        payer_openid: payer_openid.to_owned(),
    };
    serde_json::to_string(&stored).map_err(|_| OrderError::Invalid("description"))
}

/// The session key of the user's newest login.
///
/// # Errors
/// `SessionExpired` when there is none.
pub(super) fn session(app: &App, user: UserId) -> Result<SessionKey, OrderError> {
    users::service::session_key(app, user)?.ok_or(OrderError::SessionExpired)
}

/// Arguments for a payable order; what WeChat Pay has to prepare for it is prepared once.
pub(super) async fn params(app: &Arc<App>, order: &Order) -> Result<PayParams, NoParams> {
    let Some((_, payment)) = read(app, &order.id)? else { return Err(NoParams::Dead) };
    match order.method {
        Method::Wechat => wechat(app, order, &payment).await,
        Method::Virtual => by_virtual(app, order, &payment).await,
    }
}

async fn wechat(
    app: &Arc<App>,
    order: &Order,
    payment: &OrderPayment,
) -> Result<PayParams, NoParams> {
    let pay = app.wechat_pay.as_ref().ok_or_else(not_configured)?;
    let prepay_id = match &payment.prepay_id {
        Some(kept) => PrepayId::new(kept),
        None => {
            let request = kept_request(payment)?;
            match pay.prepay(&request).await {
                Ok(prepay_id) => {
                    start(app, order, Some(prepay_id.as_str())).await?;
                    prepay_id
                }
                Err(err) => return Err(refused(app, order, payment, err).await),
            }
        }
    };
    let params = pay.payment_params(&prepay_id).map_err(|err| unavailable(&err))?;
    Ok(PayParams::Wechat(params))
}

/// What a refused preparation means for the order.
async fn refused(app: &Arc<App>, order: &Order, payment: &OrderPayment, err: PayError) -> NoParams {
    let id = &order.id;
    match err.kind() {
        // Paid, closed or known there in other words, none of which we had heard of: it says which.
        PayErrorKind::OrderPaid
        | PayErrorKind::OrderClosed
        | PayErrorKind::InvalidRequest
        | PayErrorKind::OutTradeNoUsed => {
            tracing::warn!(order.id = %id, error = %err, "WeChat Pay does not prepare an order");
            match ask::ask(app, order, payment).await {
                Ok(Asked::Paid) => NoParams::Failed(OrderError::AlreadyPaid),
                Ok(Asked::Unpaid) => match end::end(app, id).await {
                    Ok(end::Ended::Ended) => NoParams::Dead,
                    Ok(end::Ended::Paid) => NoParams::Failed(OrderError::AlreadyPaid),
                    Err(err) => NoParams::Failed(err),
                },
                Ok(Asked::Mismatch(_) | Asked::Unknown | Asked::Nothing) => {
                    NoParams::Failed(unavailable(&err))
                }
                Err(err) => NoParams::Failed(err),
            }
        }
        PayErrorKind::Rejected { .. } => {
            tracing::error!(
                order.id = %id, error = %err,
                "WeChat Pay rejects our orders: look at the merchant's settings"
            );
            NoParams::Failed(unavailable(&err))
        }
        PayErrorKind::OrderNotExist
        | PayErrorKind::NotEnough
        | PayErrorKind::NotReady
        | PayErrorKind::RateLimited
        | PayErrorKind::Unavailable
        | PayErrorKind::Unknown => {
            // The order stays as it is; the next try sends the very same again.
            tracing::warn!(order.id = %id, error = %err, "WeChat Pay cannot prepare an order now");
            NoParams::Failed(unavailable(&err))
        }
    }
}

async fn by_virtual(
    app: &Arc<App>,
    order: &Order,
    payment: &OrderPayment,
) -> Result<PayParams, NoParams> {
    let shop = app.virtual_payment.as_ref().ok_or_else(not_configured)?;
    let session = match payment.started_at {
        None => session(app, order.user)?,
        // The client comes again, perhaps because WeChat refused the signature.
        Some(_) => users::service::living_session_key(app, order.user)
            .await?
            .ok_or(OrderError::SessionExpired)?,
    };
    let product_id = payment.virtual_product.clone().ok_or(OrderError::AmountNeedsWechat)?;
    let wanted = VirtualOrder {
        order_id: order.id.as_str().to_owned(),
        product_id,
        price_fen: order.amount,
        attach: order.id.as_str().to_owned(),
    };
    let params = shop
        .params(&wanted, &session.key)
        .map_err(|err| OrderError::Unavailable(err.to_string()))?;
    if payment.started_at.is_none() {
        start(app, order, None).await?;
    }
    Ok(PayParams::Virtual(params))
}

/// From now on the user may be paying.
async fn start(app: &App, order: &Order, prepay_id: Option<&str>) -> Result<(), OrderError> {
    let now = app.clock.now();
    let steps = &settings::service::current(app).payment.ask_after_s;
    let next = next_ask(now, steps, order.expires_at, 0, now);
    let (id, prepay_id) = (order.id.clone(), prepay_id.map(str::to_owned));
    app.db
        .write("orders.start", move |tx| {
            Ok(store::payments::started(tx, &id, prepay_id.as_deref(), next, now)?)
        })
        .await
}

fn kept_request(payment: &OrderPayment) -> Result<PrepayRequest, OrderError> {
    let kept = payment.prepay_request.as_deref().unwrap_or_default();
    let kept: StoredPrepay = serde_json::from_str(kept)
        .map_err(|_| OrderError::Unavailable("the kept request cannot be read".to_owned()))?;
    Ok(PrepayRequest {
        description: kept.description,
        out_trade_no: kept.out_trade_no,
        time_expire: UnixMillis(kept.time_expire),
        total_fen: kept.total_fen,
        payer_openid: kept.payer_openid,
        attach: None,
    })
}

fn unavailable(err: &PayError) -> OrderError {
    OrderError::Unavailable(err.to_string())
}

pub(super) fn not_configured() -> OrderError {
    OrderError::Unavailable("the channel is not configured".to_owned())
}
