//! Placing an order, or finding the one that is waiting already.

use std::sync::Arc;

use super::end::{self, Ended};
use super::pay::{self, NoParams, PayParams};
use super::product;
use crate::app::App;
use crate::base::ids::UserId;
use crate::base::request;
use crate::db::Tx;
use crate::features::orders::model::{
    ChannelRefusal, Method, NewOrder, Order, OrderError, OrderId, Product, Purchase, Wanted, choose,
};
use crate::features::orders::store;
use crate::features::settings::{self, PaymentRules};
use crate::features::users;

/// How often another order of the same product may come in between before giving up.
const TRIES: usize = 4;

/// An order with what its payment takes.
#[derive(Clone, Debug)]
pub(in crate::features::orders) struct Placed {
    pub(in crate::features::orders) order: Order,
    pub(in crate::features::orders) params: PayParams,
}

/// Places an order at the price of now. The user's pending order of the same product and method is
/// taken again while it still sells the same; one that does not, and one by the other method, ends
/// first.
///
/// # Errors
/// `PlanNotFound`, `PackNotFound`, `Invalid`, `AmountNeedsWechat`, `Vip`; `Unavailable` (the order stays
/// and is taken again by the next try), `SessionExpired`; `AlreadyPaid` when the order that was to end
/// turns out to be paid; `TooManyPending`; what the database fails with.
pub(in crate::features::orders) async fn place(
    app: &Arc<App>,
    user: UserId,
    purchase: Purchase,
) -> Result<Placed, OrderError> {
    for _ in 0..TRIES {
        let order = match pending(app, user, &purchase).await? {
            Some(order) => order,
            // Another call came in between; what it left is looked at anew.
            None => continue,
        };
        match pay::params(app, &order).await {
            Ok(params) => return Ok(Placed { order, params }),
            // WeChat Pay has ended it; the next try places another.
            Err(NoParams::Dead) => {}
            Err(NoParams::Failed(err)) => return Err(err),
        }
    }
    Err(OrderError::Unavailable("the order changed again and again".to_owned()))
}

/// The order that waits for this purchase, made if there is none; `None` to look again.
async fn pending(
    app: &Arc<App>,
    user: UserId,
    purchase: &Purchase,
) -> Result<Option<Order>, OrderError> {
    let now = app.clock.now();
    let settings = settings::service::current(app);
    let (product, openid, waiting) = app.db.read_inline("orders.product", |tx| {
        let product = product::find(tx, &settings.economy, user, &purchase.wanted, now)?;
        let owner = users::service::find(tx, user)?.ok_or(OrderError::NoSuchUser)?;
        let waiting = store::reads::pending_of_product(tx, user, &product.key)?;
        Ok::<_, OrderError>((product, owner.openid, waiting))
    })?;
    let method = method(app, &settings.payment, purchase, &product)?;
    if method == Method::Virtual {
        // Before anything is placed: without it there is nothing to pay with.
        pay::session(app, user)?;
    }
    let mut kept = None;
    for order in waiting {
        if order.method == method && order.is_payable(now) && order.still_sells(&product) {
            kept = Some(order);
        } else if end::end(app, &order.id).await? == Ended::Paid {
            return Err(OrderError::AlreadyPaid);
        }
    }
    if kept.is_some() {
        return Ok(kept);
    }
    let minutes = i64::from(settings.payment.order_minutes);
    let expires_at = now.plus_seconds(minutes.saturating_mul(60));
    let id = OrderId::generate(now, &app.rng);
    let prepay_request = match method {
        Method::Wechat => {
            Some(pay::prepay_request(&id, &product.name, product.price, &openid, expires_at)?)
        }
        Method::Virtual => None,
    };
    let order = NewOrder {
        id,
        user,
        product,
        method,
        platform: purchase.platform,
        payer_openid: openid,
        prepay_request,
        request_id: request::current(),
        now,
        expires_at,
    };
    let most = i64::from(settings.payment.max_pending_per_user);
    let placed = app.db.write("orders.place", move |tx| insert(tx, &order, most)).await;
    match placed {
        Ok(order) => Ok(Some(order)),
        // The same purchase at the same time: one of them made it.
        Err(OrderError::Db(err)) if err.is_unique_violation() => Ok(None),
        Err(err) => Err(err),
    }
}

fn insert(tx: &Tx<'_>, order: &NewOrder, most: i64) -> Result<Order, OrderError> {
    if store::pending_count(tx, order.user)? >= most {
        return Err(OrderError::TooManyPending);
    }
    store::insert(tx, order)?;
    store::payments::insert(tx, order)?;
    store::reads::by_id(tx, &order.id)?.ok_or(OrderError::NotFound)
}

fn method(
    app: &App,
    rules: &PaymentRules,
    purchase: &Purchase,
    product: &Product,
) -> Result<Method, OrderError> {
    let has_goods = !matches!(purchase.wanted, Wanted::Amount(_));
    let is_configured = |method| match method {
        Method::Wechat => app.wechat_pay.is_some(),
        Method::Virtual => app.virtual_payment.is_some(),
    };
    let (kind, platform) = (product.kind(), purchase.platform);
    choose(&rules.channels, kind, platform, purchase.method, has_goods, is_configured).map_err(
        |refusal| match refusal {
            ChannelRefusal::AmountNeedsWechat => OrderError::AmountNeedsWechat,
            ChannelRefusal::NotConfigured(_) => pay::not_configured(),
        },
    )
}
